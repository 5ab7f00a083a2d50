//! Cli
fn main(){}
