//! Cli
fn main() {}
