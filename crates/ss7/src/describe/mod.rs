//! **describe**: what a dialogue attempts.
