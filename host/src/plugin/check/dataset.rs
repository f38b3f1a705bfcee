//! The checks of a dataset.

use std::path::PathBuf;

use super::inputs::odd_runs;
use super::{Check, CheckSpec, Report, Used, answered, cases};
use crate::contract::{Conversation, RunConfig};
use crate::plugin::error::CallError;
use crate::plugin::part::Source;
use crate::plugin::v0_1::{DatasetExports, DatasetInstance};
use crate::plugin::{Plugin, Role, Services};

/// Conversations that are compared, at most.
const SOME: usize = 64;

/// Conversations that are read in search of the dataset's end, at most.
const MANY: usize = 10_000;

/// Checks `plugin` as a dataset.
pub(super) fn check(plugin: &Plugin, spec: &CheckSpec, services: &Services, report: &mut Report) {
    let Some(exports) = plugin.roles.dataset.clone() else { return };
    let run = RunConfig { options: spec.dataset_options.clone(), ..spec.run.clone() };
    let mut note = |name, result| report.checks.push(Check { role: Role::Dataset, name, result });
    let source = match Source::new(plugin, Role::Dataset, &run, services) {
        Ok(source) => source,
        Err(error) => return note("options", Err(error.to_string())),
    };
    note("options", Ok("the schema is one, and accepts them".into()));
    let mut trial = Trial { plugin, services, exports, source, used: Used::default() };
    if let Err(error) = trial.fresh() {
        let hint = "if it needs options or a file, give --dataset-args and --dataset-path";
        return note("open", Err(format!("{error} ({hint})")));
    }
    note("open", Ok("opened".into()));
    let odd = odd_runs(&run).into_iter().map(|(name, run)| (name, trial.open_for(&run).map(drop)));
    note("open for odd runs", cases(odd, "opened"));

    let first = trial.read(&[SOME]);
    note("ordinary batches", trial.ordinary(&first));
    note("no more than asked for", trial.few());
    let told = |result: Result<String, CallError>| result.unwrap_or_else(|error| error.to_string());
    let Ok(first) = first else { return };
    note("the same for a seed", trial.compare(&[SOME], &first, "a second instance with the same seed"));
    let ones = [1; SOME];
    note("the same for any batches", trial.compare(&ones, &first, "an instance asked for one at a time"));
    note("another seed", Ok(told(trial.other_seed(&run, &first))));
    note("the end", trial.end());
    note("strange files", trial.strange_files(&run));
    let limits = plugin.runtime.limits();
    note("bounds", Ok(trial.used.told(limits.next, limits.memory)));
}

struct Trial<'a> {
    plugin: &'a Plugin,
    services: &'a Services,
    exports: DatasetExports,
    source: Source,
    used: Used,
}

impl Trial<'_> {
    fn fresh(&self) -> Result<DatasetInstance, CallError> {
        self.source.dataset(&self.exports)
    }

    fn open_for(&self, run: &RunConfig) -> Result<DatasetInstance, CallError> {
        match Source::new(self.plugin, Role::Dataset, run, self.services) {
            Ok(source) => source.dataset(&self.exports),
            Err(_) => self.fresh(),
        }
    }

    fn next(
        &mut self,
        instance: &mut DatasetInstance,
        at_most: usize,
    ) -> Result<Vec<Conversation>, CallError> {
        self.used.note(|| (instance.next(at_most), instance.memory()))
    }

    /// What a new instance gives in batches of these sizes.
    fn read(&mut self, batches: &[usize]) -> Result<Vec<Conversation>, CallError> {
        let mut instance = self.fresh()?;
        self.read_from(&mut instance, batches)
    }

    fn read_from(
        &mut self,
        instance: &mut DatasetInstance,
        batches: &[usize],
    ) -> Result<Vec<Conversation>, CallError> {
        let mut all = Vec::new();
        for &at_most in batches {
            let batch = self.next(instance, at_most)?;
            if batch.is_empty() {
                break;
            }
            all.extend(batch);
        }
        Ok(all)
    }

    fn ordinary(&self, first: &Result<Vec<Conversation>, CallError>) -> Result<String, String> {
        let first = first.as_ref().map_err(ToString::to_string)?;
        if first.is_empty() {
            return Err("it gives no conversation at all; give one with at least one turn".into());
        }
        let turns: usize = first.iter().map(|conversation| conversation.turns.len()).sum();
        Ok(format!("{} conversations of {turns} turns", first.len()))
    }

    /// Batches of other sizes; that none is too large is checked with every answer.
    fn few(&mut self) -> Result<String, String> {
        for at_most in [0, 1, 2, 16, 1_000] {
            let answer = self.read(&[at_most]);
            answered(answer).map_err(|error| format!("asked for {at_most}: {error}"))?;
        }
        Ok("batches of 0 to 1,000".into())
    }

    fn compare(&mut self, batches: &[usize], first: &[Conversation], what: &str) -> Result<String, String> {
        let other = self.read(batches).map_err(|error| error.to_string())?;
        // A dataset may give fewer than asked for, so that only the common part can be compared.
        let common = first.len().min(other.len());
        match (0..common).find(|&at| first[at] != other[at]) {
            None if common == 0 => Err(format!("{what} gives nothing")),
            None => Ok(format!("{common} conversations are equal")),
            Some(at) => Err(format!(
                "{what} gives another conversation {at}; let everything follow from the seed and the order"
            )),
        }
    }

    fn other_seed(&mut self, run: &RunConfig, first: &[Conversation]) -> Result<String, CallError> {
        let run = RunConfig { seed: run.seed.wrapping_add(1), ..run.clone() };
        let mut instance = self.open_for(&run)?;
        let other = self.read_from(&mut instance, &[first.len().max(1)])?;
        let same = other == first;
        Ok(format!("gives {} conversations", if same { "the same" } else { "other" }))
    }

    fn end(&mut self) -> Result<String, String> {
        let told = |error: CallError| error.to_string();
        let mut instance = self.fresh().map_err(told)?;
        let mut count = 0;
        while count < MANY {
            let batch = self.next(&mut instance, 100).map_err(told)?;
            if batch.is_empty() {
                let after = self.next(&mut instance, 100).map_err(told)?;
                return match after.len() {
                    0 => Ok(format!("after {count} conversations, and it stays there")),
                    more => {
                        Err(format!("it gave {more} conversations after it had said that there are no more"))
                    }
                };
            }
            count += batch.len();
        }
        Ok(format!("not within {count} conversations"))
    }

    /// Files that it cannot have been written for; it may refuse them, and must not crash.
    fn strange_files(&mut self, run: &RunConfig) -> Result<String, String> {
        let folder =
            tempfile::tempdir().map_err(|error| format!("cannot make a temporary folder: {error}"))?;
        let path = |name: &str| folder.path().join(name);
        let noise: Vec<u8> = (0_u32..65_536).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        let files: [(&str, Vec<u8>); 4] = [
            ("an empty file", Vec::new()),
            ("random bytes", noise),
            ("a line of 1 MiB", b"word ".repeat(1 << 18)),
            ("JSON of odd shapes", b"{}\n[]\nnull\n7\n{\"prompt\":7,\"turns\":[null]}\n{\n".to_vec()),
        ];
        let mut runs: Vec<(String, Option<PathBuf>)> =
            vec![("no path".into(), None), ("a folder".into(), Some(folder.path().into()))];
        for (name, bytes) in files {
            std::fs::write(path(name), bytes).map_err(|error| format!("cannot write {name}: {error}"))?;
            runs.push((name.into(), Some(path(name))));
        }
        let mut calls = Vec::new();
        for (name, dataset_path) in runs {
            let run = RunConfig { dataset_path, ..run.clone() };
            let opened = self.open_for(&run);
            let read = opened.and_then(|mut instance| self.read_from(&mut instance, &[1, 16]));
            calls.push((name, read));
        }
        cases(calls, "read")
    }
}
