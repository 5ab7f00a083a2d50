//! MIKEY.
