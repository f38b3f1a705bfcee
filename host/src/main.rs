//! The `tickrate` command.

use std::io::Write;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: tickrate::allocator::Allocator = tickrate::allocator::Allocator;

/// The threads of a run take turns on few cores and hand on what they allocate, so that one arena serves
/// them all, and in less memory than several.
#[unsafe(export_name = "_rjem_malloc_conf")]
#[allow(non_upper_case_globals)]
pub static malloc_conf: &[u8] = b"narenas:1,dirty_decay_ms:500,muzzy_decay_ms:0\0";

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
