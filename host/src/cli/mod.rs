//! The command line.

pub mod sim;
