//! The command line: the root of `clap` and the dispatch to subcommands.

pub mod perf;
pub mod sim;
