//! The checks of an API.

use super::inputs::{self, NamedTurn};
use super::{Check, CheckSpec, Report, Used, answered, cases};
use crate::contract::{HttpRequest, Outcome, RunConfig};
use crate::plugin::error::CallError;
use crate::plugin::part::Source;
use crate::plugin::pool::After;
use crate::plugin::replies::{Recorded, known};
use crate::plugin::v0_1::{ApiExports, ApiInstance};
use crate::plugin::{Plugin, Role, Services};

/// How often a reply is parsed to see whether memory grows.
const REPEATS: usize = 100;

/// Checks `plugin` as an API.
pub(super) fn check(plugin: &Plugin, spec: &CheckSpec, services: &Services, report: &mut Report) {
    let Some(exports) = plugin.roles.api.clone() else { return };
    let run = RunConfig { options: spec.api_options.clone(), dataset_path: None, ..spec.run.clone() };
    let mut note = |name, result| report.checks.push(Check { role: Role::Api, name, result });
    let source = match Source::new(plugin, Role::Api, &run, services) {
        Ok(source) => source,
        Err(error) => return note("options", Err(error.to_string())),
    };
    note("options", Ok("the schema is one, and accepts them".into()));
    let mut trial = Trial { exports, source, used: Used::default() };
    match trial.fresh().and_then(|_| trial.fresh()) {
        Ok(_) => note("open", Ok("two instances were opened".into())),
        Err(error) => return note("open", Err(format!("{error} (options: give --api-args)"))),
    }
    let odd = inputs::odd_runs(&run).into_iter().map(|(name, run)| {
        let opened = Source::new(plugin, Role::Api, &run, services).map(|source| source.api(&trial.exports));
        (name, opened.unwrap_or_else(|_| Err(refusal(plugin))))
    });
    note("open for odd runs", cases(odd, "opened"));

    note("shape of ordinary turns", trial.shape_ordinary());
    let shape = |trial: &mut Trial, turns: Vec<NamedTurn>| {
        let calls = turns.into_iter().map(|(name, turn)| (name, trial.shape(&turn)));
        cases(calls, "shaped")
    };
    note("shape of empty turns", shape(&mut trial, inputs::empty_turns()));
    note("shape of huge turns", shape(&mut trial, inputs::huge_turns()));
    note("shape of malformed turns", shape(&mut trial, inputs::malformed_turns()));
    note("shape keeps nothing", trial.shape_stateless());

    note("parse of ordinary replies", trial.parse_ordinary(&spec.replies));
    note("parse of empty replies", trial.parse_all(inputs::empty_replies()));
    note("parse of huge replies", trial.parse_all(inputs::huge_replies()));
    note("parse of malformed replies", trial.parse_all(inputs::malformed_replies()));
    note("parse keeps nothing", trial.parse_stateless(&spec.replies));
    note("memory over many calls", trial.memory(&spec.replies));
    let limits = plugin.runtime.limits();
    note("bounds", Ok(trial.used.told(limits.call, limits.memory)));
    for reply in &spec.replies {
        let outcome = trial.parse(reply).map_err(|error| error.to_string());
        report.replies.push((reply.name.clone(), outcome));
    }
}

/// What stands for options that the plugin's schema refuses.
fn refusal(plugin: &Plugin) -> CallError {
    let error = crate::contract::PartError::InvalidConfig("refused by the schema".into());
    CallError::Answered { plugin: plugin.name().into(), function: "open", error }
}

struct Trial {
    exports: ApiExports,
    source: Source,
    used: Used,
}

impl Trial {
    fn fresh(&self) -> Result<ApiInstance, CallError> {
        self.source.api(&self.exports)
    }

    /// Shapes on an instance that was never used.
    fn shape(&mut self, turn: &crate::contract::TurnInContext) -> Result<HttpRequest, CallError> {
        let mut instance = self.fresh()?;
        self.used.note(|| (instance.shape(turn).0, instance.memory()))
    }

    /// Parses on an instance that was never used.
    fn parse(&mut self, reply: &Recorded) -> Result<Outcome, CallError> {
        let mut instance = self.fresh()?;
        self.used.note(|| (instance.parse(&reply.reply()).0, instance.memory()))
    }

    fn shape_ordinary(&mut self) -> Result<String, String> {
        let (mut shaped, mut refused) = (0, Vec::new());
        let mut plain = false;
        for (name, turn) in inputs::ordinary_turns() {
            let answer = self.shape(&turn);
            match answered(answer).map_err(|error| format!("{name}: {error}"))? {
                Some(_) => {
                    shaped += 1;
                    plain |= name == "a chat" || name == "a text";
                }
                None => refused.push(name),
            }
        }
        if !plain {
            return Err("it shapes neither a chat nor a text; no dataset could be used with it".into());
        }
        let refused =
            if refused.is_empty() { String::new() } else { format!(", refused: {}", refused.join(", ")) };
        Ok(format!("{shaped} shaped{refused}"))
    }

    fn shape_stateless(&mut self) -> Result<String, String> {
        let turns: Vec<NamedTurn> = inputs::ordinary_turns()
            .into_iter()
            .chain(inputs::empty_turns())
            .chain(inputs::malformed_turns())
            .collect();
        let fresh: Vec<_> = turns.iter().map(|(_, turn)| self.shape(turn)).collect();
        let used = self.on_one_instance(turns.len(), |instance, at| instance.shape(&turns[at].1))?;
        same(&fresh, &used, |at| turns[at].0.clone())
    }

    /// What one instance answers to all questions, asked from the last to the first and again
    /// from the first to the last; it must be the same both times.
    fn on_one_instance<R: PartialEq>(
        &mut self,
        count: usize,
        mut ask: impl FnMut(&mut ApiInstance, usize) -> (Result<R, CallError>, After),
    ) -> Result<Vec<Result<R, CallError>>, String> {
        let mut instance = self.fresh().map_err(|error| error.to_string())?;
        let mut answers: Vec<Option<Result<R, CallError>>> = (0..count).map(|_| None).collect();
        for at in (0..count).rev().chain(0..count) {
            let (answer, after) = ask(&mut instance, at);
            if after == After::Retire {
                instance = self.fresh().map_err(|error| error.to_string())?;
            }
            if answers[at].as_ref().is_some_and(|before| *before != answer) {
                return Err(
                    "one instance answered the same question in two ways; keep nothing between calls".into(),
                );
            }
            answers[at] = Some(answer);
        }
        Ok(answers.into_iter().flatten().collect())
    }

    fn parse_ordinary(&mut self, replies: &[Recorded]) -> Result<String, String> {
        let mut understood = Vec::new();
        for reply in replies.iter().chain(&known(16)) {
            let outcome = self.parse(reply).map_err(|error| format!("{}: {error}", reply.name))?;
            if outcome.failure.is_none() && !outcome.text.is_empty() {
                understood.push(reply.name.clone());
            }
        }
        if understood.is_empty() {
            return Ok(
                "none of the known dialects is its own; give --replies FILE with some of its server".into()
            );
        }
        Ok(format!("understood: {}", understood.join(", ")))
    }

    /// Parses replies; that one cannot be understood must be an outcome, and not an error.
    fn parse_all(&mut self, replies: Vec<Recorded>) -> Result<String, String> {
        let mut failures = 0;
        for reply in &replies {
            let outcome = self.parse(reply).map_err(|error| {
                let more = match error {
                    CallError::Answered { .. } => {
                        " (a reply that cannot be understood is a failure in its outcome)"
                    }
                    _ => "",
                };
                format!("{}: {error}{more}", reply.name)
            })?;
            failures += usize::from(outcome.failure.is_some());
        }
        Ok(format!("{} parsed, {failures} of them as failures", replies.len()))
    }

    fn parse_stateless(&mut self, replies: &[Recorded]) -> Result<String, String> {
        let replies: Vec<Recorded> = replies
            .iter()
            .cloned()
            .chain(known(16))
            .chain(inputs::empty_replies())
            .chain(inputs::malformed_replies())
            .collect();
        let fresh: Vec<_> = replies.iter().map(|reply| self.parse(reply)).collect();
        let used =
            self.on_one_instance(replies.len(), |instance, at| instance.parse(&replies[at].reply()))?;
        same(&fresh, &used, |at| replies[at].name.clone())
    }

    fn memory(&mut self, replies: &[Recorded]) -> Result<String, String> {
        let known = known(128);
        let all: Vec<&Recorded> = replies.iter().chain(&known).collect();
        let mut instance = self.fresh().map_err(|error| error.to_string())?;
        let (mut after_ten, mut retired) = (0, 0);
        for round in 0..REPEATS {
            for reply in &all {
                let (_, after) = instance.parse(&reply.reply());
                if after == After::Retire {
                    retired += 1;
                    instance = self.fresh().map_err(|error| error.to_string())?;
                }
            }
            if round == REPEATS / 10 {
                after_ten = instance.memory();
            }
        }
        if retired > 1 {
            return Err(format!(
                "an instance filled half of its memory {retired} times within {} replies; free what a call took",
                REPEATS * all.len()
            ));
        }
        let grown = instance.memory().saturating_sub(after_ten) >> 10;
        Ok(format!("{grown} KiB more after {} replies than after a tenth of them", REPEATS * all.len()))
    }
}

/// Whether fresh instances and one that was used gave the same answers.
fn same<R: PartialEq>(
    fresh: &[Result<R, CallError>],
    used: &[Result<R, CallError>],
    name: impl Fn(usize) -> String,
) -> Result<String, String> {
    match fresh.iter().zip(used).position(|(fresh, used)| fresh != used) {
        None => Ok(format!("{} answers are the same on a fresh and a used instance", fresh.len())),
        Some(at) => Err(format!(
            "{}: a used instance answers otherwise than a fresh one; keep nothing between calls",
            name(at)
        )),
    }
}
