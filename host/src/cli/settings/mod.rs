//! Where the flags of `tickrate perf` come from besides the command line: the command line wins over
//! the environment, the environment over the file, the file over the defaults. Both become words of a
//! command line, so that all of them mean the same and are checked by the same code.

pub mod command;
mod file;
mod flag;
mod near;
mod schema;
mod template;
#[cfg(test)]
mod tests;
mod value;

use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::CommandFactory;
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use serde_json::{Map, Value};

use self::flag::Flag;
use super::{Cli, refusal};
use crate::app::AppError;
use crate::config::Problem;

/// The command line with what the environment and the file add to it.
#[derive(Debug, Default)]
pub struct Layered {
    /// The words of the command line that says everything.
    pub words: Vec<OsString>,
    /// What the user should know.
    pub notes: Vec<String>,
    /// Where a flag comes from, if not from the command line: `--parallel` → `run.yaml`.
    origins: HashMap<String, String>,
}

/// Adds what the environment `variables` and the file of `--config` say to the `words` of a command
/// line, unless they say it themselves. Commands other than `perf` stay as they are.
///
/// # Errors
/// If the file cannot be read, or a name or value in one of the two means nothing: a line for each.
pub fn layered(
    words: Vec<OsString>,
    variables: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Layered, AppError> {
    let perf = words.get(1).is_some_and(|word| word == "perf");
    let lenient = Cli::command().ignore_errors(true).try_get_matches_from(&words);
    let matches = match &lenient {
        Ok(matches) if perf => matches.subcommand_matches("perf"),
        // The real parse tells what is wrong, or shows the help.
        _ => None,
    };
    let Some(matches) = matches else { return Ok(Layered { words, ..Layered::default() }) };

    let flags = flag::all();
    let mut layers = Layers::new(&flags);
    for flag in &flags {
        if matches.value_source(&flag.id) == Some(ValueSource::CommandLine) {
            layers.take(flag);
        }
    }
    let variables = Variables::of(&flags, variables);
    let on_command_line = matches.get_one::<PathBuf>("config").cloned();
    let path = on_command_line.or_else(|| variables.config.as_ref().map(PathBuf::from));
    let mut problems = Vec::new();
    for (flag, text) in variables.set {
        let value = value::of_text(flag, &text);
        layers.add(flag, &flag.variable(), value.and_then(|value| value::words(flag, &value)), &mut problems);
    }
    layers.settle();
    if let Some(path) = path {
        match file::read(&path) {
            Ok(entries) => problems.extend(layers.add_file(&path, &entries)),
            Err(problem) => problems.push(problem),
        }
    }
    if !problems.is_empty() {
        return Err(AppError { lines: problems, ..AppError::usage("") });
    }
    let added = layers.words.into_iter().map(OsString::from);
    let (before, after) = words.split_at(2);
    let words = before.iter().cloned().chain(added).chain(after.iter().cloned()).collect();
    Ok(Layered { words, notes: variables.notes, origins: layers.origins })
}

impl Layered {
    /// The problems of a configuration, each with where its flag comes from.
    pub fn explain(&self, problems: Vec<Problem>) -> AppError {
        let line = |problem: Problem| match self.origins.get(problem.flag) {
            Some(origin) => format!("{} ({origin}): {}", problem.flag, problem.message),
            None => problem.to_string(),
        };
        AppError { lines: problems.into_iter().map(line).collect(), ..AppError::usage("") }
    }
}

/// The variables among the environment's that are flags.
struct Variables<'a> {
    set: Vec<(&'a Flag, String)>,
    config: Option<String>,
    notes: Vec<String>,
}

impl<'a> Variables<'a> {
    fn of(flags: &'a [Flag], variables: impl IntoIterator<Item = (OsString, OsString)>) -> Variables<'a> {
        let mut out = Variables { set: Vec::new(), config: None, notes: Vec::new() };
        for (name, text) in variables {
            let Some(name) = name.to_str() else { continue };
            let Some(short) = name.strip_prefix(flag::PREFIX) else { continue };
            let text = text.to_string_lossy().into_owned();
            // A variable that is set to nothing is how some tools leave one out.
            if text.trim().is_empty() {
                continue;
            }
            match flags.iter().find(|flag| flag.variable() == name) {
                Some(flag) if flag.name == "config" => out.config = Some(text),
                Some(flag) => out.set.push((flag, text)),
                None => {
                    let meant = flag::suggestion(flags, short).map(Flag::variable);
                    out.notes.extend(meant.map(|meant| {
                        format!("the environment variable {name} is no flag's; did you mean {meant}?")
                    }));
                }
            }
        }
        out.set.sort_by_key(|(flag, _)| flag.name.clone());
        out
    }
}

/// The flags that are decided, and the words that decide those which the command line does not.
struct Layers<'a> {
    flags: &'a [Flag],
    taken: HashSet<String>,
    /// Those of the layer that is being read: they do not stand in each other's way.
    new: Vec<&'a Flag>,
    words: Vec<String>,
    origins: HashMap<String, String>,
}

impl<'a> Layers<'a> {
    fn new(flags: &'a [Flag]) -> Layers<'a> {
        Layers { flags, taken: HashSet::new(), new: Vec::new(), words: Vec::new(), origins: HashMap::new() }
    }

    /// From here on, a lower layer can say nothing about `flag`, nor about what conflicts with it.
    fn take(&mut self, flag: &Flag) {
        self.taken.insert(flag.name.clone());
        self.taken.extend(flag.conflicts.iter().cloned());
        let against = self.flags.iter().filter(|other| other.conflicts.contains(&flag.name));
        self.taken.extend(against.map(|other| other.name.clone()));
    }

    /// Ends a layer.
    fn settle(&mut self) {
        for flag in std::mem::take(&mut self.new) {
            self.take(flag);
        }
    }

    fn add(
        &mut self,
        flag: &'a Flag,
        origin: &str,
        words: Result<Vec<String>, String>,
        problems: &mut Vec<String>,
    ) {
        if self.taken.contains(&flag.name) {
            return;
        }
        match words.and_then(check) {
            Ok(words) => {
                self.words.extend(words);
                self.origins.insert(format!("--{}", flag.name), origin.to_string());
                self.new.push(flag);
            }
            Err(problem) => problems.push(format!("{origin}: {problem}")),
        }
    }

    /// Adds what a file says; returns what is wrong with it.
    fn add_file(&mut self, path: &Path, entries: &Map<String, Value>) -> Vec<String> {
        let name = if path == Path::new("-") { "standard input".into() } else { path.display().to_string() };
        let mut problems = Vec::new();
        let mut seen = HashSet::new();
        // An editor finds the schema by this key.
        for (key, value) in entries.iter().filter(|(key, _)| *key != "$schema") {
            let Some(flag) = flag::find(self.flags, key).filter(|flag| flag.name != "config") else {
                problems.push(unknown(self.flags, &name, key));
                continue;
            };
            if !seen.insert(&flag.name) {
                problems.push(format!("{name}: {key}: is given twice, with - and with _; keep one"));
                continue;
            }
            let words = value::words(flag, value).map_err(|problem| format!("{key}: {problem}"));
            self.add(flag, &name, words, &mut problems);
        }
        problems
    }
}

fn unknown(flags: &[Flag], name: &str, key: &str) -> String {
    // A name in quotes may hold a line's end.
    let told = key.escape_debug();
    match flag::suggestion(flags, key).filter(|flag| flag.name != "config") {
        Some(flag) => format!("{name}: {told}: is no flag of tickrate perf; did you mean {}?", flag.name),
        None => format!("{name}: {told}: is no flag of tickrate perf; tickrate perf --help lists them"),
    }
}

/// The words of one flag, if clap takes them.
fn check(words: Vec<String>) -> Result<Vec<String>, String> {
    match flag::command().try_get_matches_from(&words) {
        Ok(_) => Ok(words),
        // Whether flags go together is seen when all of them are.
        Err(error)
            if matches!(error.kind(), ErrorKind::MissingRequiredArgument | ErrorKind::ArgumentConflict) =>
        {
            Ok(words)
        }
        Err(error) => Err(refusal::what(&error)),
    }
}
