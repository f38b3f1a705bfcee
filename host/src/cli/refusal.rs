//! A command line that clap refuses, told in one line: what is wrong with it, and what to do.

use std::ffi::OsString;

use clap::CommandFactory;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::Cli;

/// The line about the command line `words`. `None` if it asked for a help or a version, or for nothing at
/// all, so that clap has more than a line to print.
pub(super) fn line(error: &clap::Error, words: &[OsString]) -> Option<String> {
    let asked = [
        ErrorKind::DisplayHelp,
        ErrorKind::DisplayVersion,
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand,
    ];
    if asked.contains(&error.kind()) {
        return None;
    }
    let hint = match meant(error) {
        Some(meant) => format!("did you mean {meant}?"),
        None => format!("{} --help tells what it takes", command(words)),
    };
    Some(format!("{}; {hint}", what(error)))
}

/// What is wrong, without advice: the first paragraph of what clap says.
pub(super) fn what(error: &clap::Error) -> String {
    let said = error.to_string();
    let lines = said.lines().map(str::trim).take_while(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join(" ").trim_start_matches("error: ").to_string()
}

/// The name that is most like the one that there is not.
fn meant(error: &clap::Error) -> Option<&str> {
    let kinds = [ContextKind::SuggestedArg, ContextKind::SuggestedSubcommand, ContextKind::SuggestedValue];
    kinds.into_iter().find_map(|kind| match error.get(kind)? {
        ContextValue::String(name) => Some(name.as_str()),
        // Those that are most like it come last.
        ContextValue::Strings(names) => names.last().map(String::as_str),
        _ => None,
    })
}

/// The command that `words` begin with, as far as there is one: `tickrate config check`.
fn command(words: &[OsString]) -> String {
    let (mut command, mut names) = (Cli::command(), vec!["tickrate".to_string()]);
    for word in words.iter().skip(1) {
        let Some(next) = command.find_subcommand(word) else { break };
        names.push(next.get_name().to_string());
        command = next.clone();
    }
    names.join(" ")
}
