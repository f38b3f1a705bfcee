//! The flags of `tickrate perf` as clap knows them: what a configuration file, the environment and the
//! JSON Schema are derived from, so that a new flag is in all of them at once.

use std::any::TypeId;

use clap::{Arg, ArgAction, Args, Command};

use super::near::nearest;
use crate::cli::perf::PerfArgs;

/// What one value of a flag is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// A JSON document, which a file may hold as its own objects and lists.
    Json,
    /// Anything else.
    Text,
}

/// How often a flag takes a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    /// Never: it is there or not.
    Nothing,
    /// Once, or not at all.
    OneOrNothing,
    /// Once.
    One,
    /// At most so many times.
    Many(usize),
}

/// One flag.
#[derive(Debug, Clone)]
pub(super) struct Flag {
    /// Its long name without dashes before it: `max-tokens`.
    pub(super) name: String,
    /// What clap calls it.
    pub(super) id: String,
    pub(super) takes: Takes,
    pub(super) type_: Type,
    /// The values that it takes, if only those.
    pub(super) choices: Vec<String>,
    /// Between the two halves of a value, for flags whose values are pairs: `NAME=VALUE`.
    pub(super) pair: Option<char>,
    pub(super) value_name: String,
    pub(super) defaults: Vec<String>,
    pub(super) about: String,
    pub(super) heading: String,
    /// The names of flags that cannot be given together with it.
    pub(super) conflicts: Vec<String>,
}

/// The command that only holds the flags of `tickrate perf`.
pub(super) fn command() -> Command {
    PerfArgs::augment_args(Command::new("perf").no_binary_name(true).disable_help_flag(true))
}

/// All flags, in the order of the help.
pub(super) fn all() -> Vec<Flag> {
    let mut command = command();
    command.build();
    let flags: Vec<Flag> = command.get_arguments().filter_map(|arg| Flag::of(&command, arg)).collect();
    let names: Vec<String> = flags.iter().map(|flag| flag.name.clone()).collect();
    let twinned = |mut flag: Flag| {
        flag.conflicts.extend(twin(&flag.name).filter(|twin| names.contains(twin)));
        flag
    };
    flags.into_iter().map(twinned).collect()
}

/// The name of the flag that says the opposite, if there is one of that name.
fn twin(name: &str) -> Option<String> {
    Some(name.strip_prefix("no-").map_or_else(|| format!("no-{name}"), str::to_string))
}

/// The flag of this name, in which `_` is as good as `-`.
pub(super) fn find<'a>(flags: &'a [Flag], name: &str) -> Option<&'a Flag> {
    let name = name.replace('_', "-");
    flags.iter().find(|flag| flag.name == name)
}

/// The flag whose name is most like `name`, if one is.
pub(super) fn suggestion<'a>(flags: &'a [Flag], name: &str) -> Option<&'a Flag> {
    let name = name.replace('_', "-").to_lowercase();
    nearest(&name, flags.iter().map(|flag| flag.name.as_str())).and_then(|name| find(flags, name))
}

impl Flag {
    fn of(command: &Command, arg: &Arg) -> Option<Flag> {
        let name = arg.get_long()?.to_string();
        let range = arg.get_num_args().unwrap_or_default();
        let takes = match arg.get_action() {
            ArgAction::SetTrue | ArgAction::SetFalse => Takes::Nothing,
            ArgAction::Append => Takes::Many(range.max_values()),
            ArgAction::Set if range.min_values() == 0 => Takes::OneOrNothing,
            ArgAction::Set => Takes::One,
            _ => return None,
        };
        let value_name = match arg.get_value_names() {
            Some([value_name, ..]) if takes != Takes::Nothing => value_name.to_string(),
            _ => String::new(),
        };
        let parsed = arg.get_value_parser().type_id();
        let is = |types: &[TypeId]| types.iter().any(|wanted| parsed == *wanted);
        let integers = [
            TypeId::of::<u16>(),
            TypeId::of::<u32>(),
            TypeId::of::<u64>(),
            TypeId::of::<usize>(),
            TypeId::of::<i64>(),
        ];
        let type_ = if is(&integers) {
            Type::Integer
        } else if is(&[TypeId::of::<f64>()]) {
            Type::Number
        } else if value_name == "JSON" {
            Type::Json
        } else {
            Type::Text
        };
        let halves = |separator: &char| value_name.split(*separator).count() == 2;
        let text = |text: &std::ffi::OsStr| text.to_string_lossy().into_owned();
        let mut conflicts: Vec<String> = command
            .get_arg_conflicts_with(arg)
            .iter()
            .filter_map(|other| other.get_long().map(str::to_string))
            .collect();
        conflicts.retain(|other| *other != name);
        Some(Flag {
            id: arg.get_id().to_string(),
            takes,
            type_,
            choices: match takes {
                Takes::Nothing => Vec::new(),
                _ => arg.get_possible_values().iter().map(|value| value.get_name().to_string()).collect(),
            },
            pair: ['=', ':'].into_iter().find(halves).filter(|_| matches!(takes, Takes::Many(_))),
            defaults: match takes {
                Takes::Nothing => Vec::new(),
                _ => arg.get_default_values().iter().map(|value| text(value)).collect(),
            },
            about: arg.get_help().map(ToString::to_string).unwrap_or_default(),
            heading: arg.get_help_heading().unwrap_or("Other").to_string(),
            value_name,
            conflicts,
            name,
        })
    }

    /// The environment variable that sets it.
    pub(super) fn variable(&self) -> String {
        format!("{PREFIX}{}", self.name.replace('-', "_").to_uppercase())
    }
}

/// What the names of all environment variables begin with.
pub(super) const PREFIX: &str = "TICKRATE_";
