//! A conformance run: every export of a plugin called with ordinary, empty, huge and malformed
//! input, each call judged on its own. `tickrate plugin check`.

mod api;
mod dataset;
mod inputs;

use std::fmt;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use super::error::CallError;
use super::replies::Recorded;
use super::{Plugin, Role, Services};
use crate::contract::{Outcome, RunConfig};

/// What a plugin is checked with.
#[derive(Debug, Clone, Default)]
pub struct CheckSpec {
    /// The facts of the run that it is opened with; its options are replaced by those below.
    pub run: RunConfig,
    /// Its options as an API.
    pub api_options: Map<String, Value>,
    /// Its options as a dataset.
    pub dataset_options: Map<String, Value>,
    /// Recorded replies that it is to parse.
    pub replies: Vec<Recorded>,
}

/// What came of a conformance run.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// The plugin's name.
    pub plugin: String,
    /// Its version.
    pub version: String,
    /// The checks in the order they were made.
    pub checks: Vec<Check>,
    /// What it answered to the recorded replies, in their order.
    pub replies: Vec<(String, Result<Outcome, String>)>,
}

/// One check: what was asked of the plugin, and how it did.
#[derive(Debug, Clone, PartialEq)]
pub struct Check {
    /// The role it was asked in.
    pub role: Role,
    /// What was checked, in a few words.
    pub name: &'static str,
    /// What was seen, in one line; or why that is wrong.
    pub result: Result<String, String>,
}

impl Report {
    /// Whether every check was passed.
    pub fn passed(&self) -> bool {
        self.failed() == 0
    }

    /// How many checks were not passed.
    pub fn failed(&self) -> usize {
        self.checks.iter().filter(|check| check.result.is_err()).count()
    }

    /// The report as JSON.
    pub fn to_json(&self) -> Value {
        let check = |check: &Check| {
            let (passed, detail) = match &check.result {
                Ok(seen) => (true, seen),
                Err(reason) => (false, reason),
            };
            json!({
                "role": check.role.to_string(), "check": check.name, "passed": passed, "detail": detail,
            })
        };
        let reply = |(name, outcome): &(String, Result<Outcome, String>)| match outcome {
            Ok(outcome) => json!({ "reply": name, "outcome": outcome_json(outcome) }),
            Err(reason) => json!({ "reply": name, "error": reason }),
        };
        json!({
            "plugin": self.plugin,
            "version": self.version,
            "passed": self.passed(),
            "checks": self.checks.iter().map(check).collect::<Vec<_>>(),
            "replies": self.replies.iter().map(reply).collect::<Vec<_>>(),
        })
    }

    /// How it ended, in one line.
    pub fn verdict(&self) -> String {
        let checks = match self.checks.len() {
            1 => "1 check".into(),
            several => format!("{several} checks"),
        };
        match self.failed() {
            0 => format!("{checks}, all passed"),
            failed => format!("{checks}, {failed} failed"),
        }
    }
}

/// An outcome with the names of the contract.
fn outcome_json(outcome: &Outcome) -> Value {
    let output = |output: &crate::contract::OutputFrame| {
        json!({
            "frame": output.frame, "kind": format!("{:?}", output.kind).to_lowercase(),
            "text_bytes": output.text_bytes, "tokens": output.tokens,
        })
    };
    let usage = &outcome.usage;
    json!({
        "text": outcome.text,
        "outputs": outcome.outputs.iter().map(output).collect::<Vec<_>>(),
        "usage": {
            "input_tokens": usage.input_tokens, "output_tokens": usage.output_tokens,
            "reasoning_tokens": usage.reasoning_tokens, "cached_tokens": usage.cached_tokens,
        },
        "finish_reason": outcome.finish_reason,
        "failure": outcome.failure.as_ref().map(|f| json!({ "kind": f.kind.name(), "message": f.message })),
        "labels": outcome.labels.iter().cloned().collect::<std::collections::BTreeMap<_, _>>(),
    })
}

/// The plugin and the checks, without the verdict.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} {}", self.plugin, self.version)?;
        for Check { role, name, result } in &self.checks {
            let place = format!("{role} {name}");
            match result {
                Ok(seen) => writeln!(f, "  ok    {place:<38} {seen}")?,
                Err(reason) => writeln!(f, "  FAIL  {place:<38} {reason}")?,
            }
        }
        Ok(())
    }
}

/// Checks `plugin` in all of its roles. It takes some seconds at most, unless calls run into their
/// time limits.
pub fn check(plugin: &Plugin, spec: &CheckSpec, services: &Services) -> Report {
    let mut report = Report {
        plugin: plugin.name().to_owned(),
        version: plugin.version().to_owned(),
        checks: Vec::new(),
        replies: Vec::new(),
    };
    for role in plugin.roles() {
        match role {
            Role::Api => api::check(plugin, spec, services, &mut report),
            Role::Dataset => dataset::check(plugin, spec, services, &mut report),
        }
    }
    report
}

/// The most that calls have used of their bounds.
#[derive(Debug, Clone, Copy, Default)]
struct Used {
    time: Duration,
    memory: usize,
}

impl Used {
    /// Notes what a call used, which `memory` knows of its instance.
    fn note<R>(&mut self, call: impl FnOnce() -> (R, usize)) -> R {
        let start = Instant::now();
        let (answer, memory) = call();
        self.time = self.time.max(start.elapsed());
        self.memory = self.memory.max(memory);
        answer
    }

    fn told(self, time: Duration, memory: usize) -> String {
        format!(
            "the slowest call took {:.1} ms of {}; an instance had at most {:.1} of {} MiB",
            self.time.as_secs_f64() * 1e3,
            time.as_millis(),
            self.memory as f64 / f64::from(1 << 20),
            memory >> 20,
        )
    }
}

/// Whether a call ended with an answer, be it that the plugin cannot.
fn answered<R>(call: Result<R, CallError>) -> Result<Option<R>, CallError> {
    match call {
        Ok(answer) => Ok(Some(answer)),
        Err(CallError::Answered { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The check of several cases in one: the first that went wrong, or how many went which way.
fn cases<R>(
    list: impl IntoIterator<Item = (String, Result<R, CallError>)>,
    done: &str,
) -> Result<String, String> {
    let (mut good, mut refused) = (0, 0);
    for (name, call) in list {
        match answered(call) {
            Ok(Some(_)) => good += 1,
            Ok(None) => refused += 1,
            Err(error) => return Err(format!("{name}: {error}")),
        }
    }
    let refused = if refused == 0 { String::new() } else { format!(", {refused} refused") };
    Ok(format!("{good} {done}{refused}"))
}

#[cfg(test)]
mod tests;
