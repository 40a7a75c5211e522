//! **link**: the M3UA machines, each with its transition table.
