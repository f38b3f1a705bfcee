//! The `tickrate` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    match tickrate::cli::run(std::env::args_os()) {
        Ok(exit) => ExitCode::from(exit.code()),
        Err(error) => {
            for line in error.lines {
                eprintln!("error: {line}");
            }
            ExitCode::from(error.exit.code())
        }
    }
}
