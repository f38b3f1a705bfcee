//! How a command ends: its exit code, and the one line that says why.

use crate::config::Problem;

/// The exit codes of tickrate. `docs/exit-codes.md` lists them for users.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Everything was done. Single requests may have failed.
    Success,
    /// Something failed in the middle; what was measured until then is written.
    Failed,
    /// The command line, a file that it names, or a plugin cannot be used. Nothing was sent.
    Usage,
    /// The server could not be reached or refused the test request. Nothing was measured.
    Unreachable,
    /// The run is complete, and every one of its requests failed.
    AllRequestsFailed,
    /// Everything was done, and a gate of `--fail-if` failed.
    GateFailed,
    /// Everything was compared, and a figure is worse than `--fail-if-regressed` allows.
    Regressed,
    /// `--fail-if-regressed` could not be judged: runs, or stages of them, cannot be compared.
    NotComparable,
    /// The user stopped the run; what was measured until then is written.
    Interrupted,
}

impl Exit {
    /// The code that the process exits with.
    pub fn code(self) -> u8 {
        match self {
            Exit::Success => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::Unreachable => 3,
            Exit::AllRequestsFailed => 4,
            Exit::GateFailed => 5,
            Exit::Regressed => 6,
            Exit::NotComparable => 7,
            Exit::Interrupted => 130,
        }
    }
}

/// Why a command could not do what it was asked to: one line for each problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppError {
    /// The code to exit with.
    pub exit: Exit,
    /// What to tell the user.
    pub lines: Vec<String>,
}

impl AppError {
    /// An error with one line.
    pub fn new(exit: Exit, line: impl Into<String>) -> AppError {
        AppError { exit, lines: vec![line.into()] }
    }

    /// A flag, a file or a plugin that cannot be used.
    pub fn usage(line: impl Into<String>) -> AppError {
        AppError::new(Exit::Usage, line)
    }
}

impl From<Vec<Problem>> for AppError {
    fn from(problems: Vec<Problem>) -> AppError {
        AppError { exit: Exit::Usage, lines: problems.iter().map(ToString::to_string).collect() }
    }
}
