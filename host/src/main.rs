//! The `tickrate` command.

use std::io::Write;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: tickrate::allocator::Allocator = tickrate::allocator::Allocator;

/// Where jemalloc looks for its settings.
#[unsafe(export_name = "_rjem_malloc_conf")]
#[allow(non_upper_case_globals)]
pub static malloc_conf: &[u8] = tickrate::allocator::SETTINGS;

fn main() -> ExitCode {
    match tickrate::cli::run(std::env::args_os()) {
        Ok(exit) => ExitCode::from(exit.code()),
        Err(error) => {
            for line in error.lines {
                // Nobody may be listening, which is no reason to crash.
                let _ = writeln!(std::io::stderr(), "error: {line}");
            }
            ExitCode::from(error.exit.code())
        }
    }
}
