//! Global-title translation and point-code routes: which group a message goes to, and how it is readdressed.
