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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::contract::FailureKind;

    const DOCUMENTED: &str = include_str!("../../../docs/exit-codes.md");

    /// The first cells of the rows of a table.
    fn first_cells(text: &str) -> Vec<&str> {
        let rows = text.lines().filter_map(|line| line.strip_prefix("| "));
        rows.map(|row| row.split(" |").next().unwrap_or_default().trim_matches('`')).collect()
    }

    #[test]
    fn every_code_is_its_own_and_documented() {
        let all = [
            Exit::Success,
            Exit::Failed,
            Exit::Usage,
            Exit::Unreachable,
            Exit::AllRequestsFailed,
            Exit::GateFailed,
            Exit::Regressed,
            Exit::NotComparable,
            Exit::Interrupted,
        ];
        let codes: BTreeSet<u8> = all.iter().map(|exit| exit.code()).collect();
        assert_eq!(codes.len(), all.len(), "two ends have the same code");
        let (ends, kinds) = DOCUMENTED.split_once("## Kinds of failure").expect("two tables");
        let told: BTreeSet<u8> = first_cells(ends).iter().filter_map(|cell| cell.parse().ok()).collect();
        assert_eq!(told, codes);
        let told: BTreeSet<&str> = first_cells(kinds).into_iter().skip(2).collect();
        assert_eq!(told, FailureKind::ALL.iter().map(|kind| kind.name()).collect::<BTreeSet<_>>());
    }
}
