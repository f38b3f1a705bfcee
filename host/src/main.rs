//! The `tickrate` command.

use std::process::ExitCode;

use clap::Parser;
use tickrate::cli::Cli;

fn main() -> ExitCode {
    match Cli::parse().run() {
        Ok(exit) => ExitCode::from(exit.code()),
        Err(error) => {
            for line in error.lines {
                eprintln!("error: {line}");
            }
            ExitCode::from(error.exit.code())
        }
    }
}
