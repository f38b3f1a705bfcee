//! What can go wrong with a plugin, in one line each.

use std::time::Duration;

use crate::contract::PartError;

/// Why a plugin cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PluginError {
    /// The file cannot be read.
    #[error("cannot read the plugin \"{path}\": {reason}; check the path")]
    Read {
        /// The file.
        path: String,
        /// What the system said.
        reason: String,
    },
    /// The file is something else than a component.
    #[error("\"{path}\" is not a WebAssembly component but {found}; make one with \"tickrate plugin build\"")]
    NotAComponent {
        /// The file.
        path: String,
        /// What it is instead.
        found: String,
    },
    /// The component could not be compiled.
    #[error("\"{path}\" cannot be compiled: {reason}; build it again")]
    Compile {
        /// The file.
        path: String,
        /// What the compiler said.
        reason: String,
    },
    /// The component exports nothing that tickrate could use.
    #[error(
        "\"{path}\" exports {found}, and a plugin exports \"tickrate:plugin/info\" with \
         \"tickrate:plugin/dataset\" or \"tickrate:plugin/api\" (or both); build it for a world of \
         tickrate's wit folder"
    )]
    Exports {
        /// The file.
        path: String,
        /// What it exports, as a list in words.
        found: String,
    },
    /// The component speaks a version of the contract that this program does not.
    #[error(
        "\"{path}\" is built for version {found} of the plugin contract, and this tickrate speaks {spoken}; \
         build it against that version, or use another tickrate"
    )]
    ContractVersion {
        /// The file.
        path: String,
        /// The version in the names of its imports and exports.
        found: String,
        /// The versions that can be used.
        spoken: &'static str,
    },
    /// The component asks for something that plugins do not get, or its types do not fit.
    #[error("\"{path}\" does not fit this tickrate: {reason}; build it against tickrate's wit folder")]
    Link {
        /// The file.
        path: String,
        /// What does not fit.
        reason: String,
    },
    /// The plugin is asked to be what it is not.
    #[error("the plugin \"{plugin}\" is no {asked}, only {offered}; use it with --{offered}")]
    Role {
        /// The plugin's name.
        plugin: String,
        /// The role it was asked for.
        asked: super::Role,
        /// The role it has.
        offered: super::Role,
    },
    /// The plugin's own schema cannot be used.
    #[error("the options schema of the plugin \"{plugin}\" is no JSON schema: {reason}; mend the plugin")]
    Schema {
        /// The plugin's name.
        plugin: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The options do not match the plugin's schema.
    #[error("the plugin \"{plugin}\" does not accept --{role}-args: {problems}; correct the options")]
    Options {
        /// The plugin's name.
        plugin: String,
        /// The role whose options they are.
        role: super::Role,
        /// All problems.
        problems: String,
    },
    /// The plugin refused its configuration.
    #[error("the plugin \"{plugin}\" could not be opened: {error}")]
    Refused {
        /// The plugin's name.
        plugin: String,
        /// What it said.
        error: PartError,
    },
    /// A call failed.
    #[error(transparent)]
    Call(#[from] CallError),
    /// It could not be fetched.
    #[error(transparent)]
    Fetch(#[from] super::FetchError),
    /// Something that is granted to plugins is not there.
    #[error("--plugin-allow: {0}")]
    Grant(String),
    /// The WebAssembly engine does not start on this machine.
    #[error("the WebAssembly engine cannot start: {0}; raise the limit on virtual memory (ulimit -v)")]
    Engine(String),
}

/// Why a call of a plugin did not end with an answer that can be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The plugin answered that it cannot.
    #[error("the plugin \"{plugin}\" failed in \"{function}\": {error}")]
    Answered {
        /// The plugin's name.
        plugin: String,
        /// The function of the contract.
        function: &'static str,
        /// What it said.
        error: PartError,
    },
    /// It ran for too long.
    #[error(
        "the plugin \"{plugin}\" ran longer than {} in \"{function}\"; raise --plugin-timeout or fix the loop",
        seconds(*limit)
    )]
    Timeout {
        /// The plugin's name.
        plugin: String,
        /// The function of the contract.
        function: &'static str,
        /// The time it had.
        limit: Duration,
    },
    /// It wanted more memory than it may have.
    #[error(
        "the plugin \"{plugin}\" asked for more than {} of memory in \"{function}\"; raise --plugin-memory or \
         fix the leak",
        mebibytes(*limit)
    )]
    Memory {
        /// The plugin's name.
        plugin: String,
        /// The function of the contract.
        function: &'static str,
        /// Bytes it may have.
        limit: usize,
    },
    /// It answered with more than it may.
    #[error(
        "the plugin \"{plugin}\" answered with more than {} in \"{function}\"; make the plugin answer with less",
        mebibytes(*limit)
    )]
    Output {
        /// The plugin's name.
        plugin: String,
        /// The function of the contract.
        function: &'static str,
        /// Bytes that an answer may have.
        limit: usize,
    },
    /// It crashed.
    #[error("the plugin \"{plugin}\" crashed in \"{function}\": {reason}; mend the plugin")]
    Trap {
        /// The plugin's name.
        plugin: String,
        /// The function of the contract.
        function: &'static str,
        /// What is known of the reason.
        reason: String,
    },
    /// Its answer contradicts itself or the contract.
    #[error(
        "the plugin \"{plugin}\" gave an answer in \"{function}\" that makes no sense: {reason}; mend the plugin"
    )]
    Nonsense {
        /// The plugin's name.
        plugin: String,
        /// The function of the contract.
        function: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// What it was to be given is too large for it.
    #[error("{what} of {} is too much for the plugin \"{plugin}\"; raise --plugin-memory", mebibytes(*bytes))]
    Input {
        /// The plugin's name.
        plugin: String,
        /// What it was to be given.
        what: &'static str,
        /// Its size in bytes.
        bytes: usize,
    },
}

impl CallError {
    /// The error with what is to be done about it, where the plugin was refused something.
    pub(super) fn advised(self, advice: Option<String>) -> CallError {
        let Some(advice) = advice else { return self };
        let with = |text: String| format!("{text} ({advice})");
        match self {
            CallError::Answered { plugin, function, error } => {
                let error = match error {
                    PartError::InvalidConfig(text) => PartError::InvalidConfig(with(text)),
                    PartError::InvalidData(text) => PartError::InvalidData(with(text)),
                    PartError::Unsupported(text) => PartError::Unsupported(with(text)),
                    PartError::Internal(text) => PartError::Internal(with(text)),
                };
                CallError::Answered { plugin, function, error }
            }
            CallError::Trap { plugin, function, reason } => {
                CallError::Trap { plugin, function, reason: with(reason) }
            }
            other => other,
        }
    }
}

impl From<CallError> for PartError {
    /// What the plugin answered keeps its kind; everything else is the plugin's own failure.
    fn from(error: CallError) -> PartError {
        let text = error.to_string();
        match error {
            CallError::Answered { error: PartError::InvalidConfig(_), .. } => PartError::InvalidConfig(text),
            CallError::Answered { error: PartError::InvalidData(_), .. } => PartError::InvalidData(text),
            CallError::Answered { error: PartError::Unsupported(_), .. } => PartError::Unsupported(text),
            _ => PartError::Internal(text),
        }
    }
}

impl From<PluginError> for PartError {
    fn from(error: PluginError) -> PartError {
        match error {
            PluginError::Call(call) => call.into(),
            other => PartError::InvalidConfig(other.to_string()),
        }
    }
}

/// The span in words: `1 s`, `0.05 s`.
fn seconds(span: Duration) -> String {
    format!("{} s", span.as_secs_f64())
}

/// The size in words: `256 MiB`; below a MiB in bytes.
fn mebibytes(bytes: usize) -> String {
    match bytes {
        0..1_048_576 => format!("{bytes} bytes"),
        _ => format!("{} MiB", bytes / 1_048_576),
    }
}

/// A text from outside, fit for one line of ours: its first line, without control characters, and
/// at most 400 characters of it.
pub(super) fn one_line(text: &str) -> String {
    const LONGEST: usize = 400;
    let line = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("no reason given");
    let mut out: String = line.chars().filter(|c| !c.is_control()).take(LONGEST).collect();
    if line.chars().count() > LONGEST {
        out.push('…');
    }
    out
}

/// A list in words: `"a", "b" and "c"`, or `nothing`.
pub(super) fn in_words(names: &[String]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
    match quoted.split_last() {
        None => "nothing".into(),
        Some((only, [])) => only.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_from_outside_become_one_line() {
        assert_eq!(one_line("\n  boom\x1b[31m \nat 0x1234"), "boom[31m");
        assert_eq!(one_line(""), "no reason given");
        assert_eq!(one_line(&"x".repeat(500)).chars().count(), 401);
    }

    #[test]
    fn lists_are_said_in_words() {
        let names = |list: &[&str]| in_words(&list.iter().map(|s| s.to_string()).collect::<Vec<_>>());
        assert_eq!(names(&[]), "nothing");
        assert_eq!(names(&["a"]), "\"a\"");
        assert_eq!(names(&["a", "b", "c"]), "\"a\", \"b\" and \"c\"");
    }

    #[test]
    fn a_timeout_names_the_plugin_the_function_and_the_way_out() {
        let error =
            CallError::Timeout { plugin: "x".into(), function: "parse", limit: Duration::from_secs(1) };
        assert_eq!(
            PartError::from(error),
            PartError::Internal(
                "the plugin \"x\" ran longer than 1 s in \"parse\"; raise --plugin-timeout or fix the loop"
                    .into()
            )
        );
    }
}
