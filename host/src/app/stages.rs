//! Which stage comes next: those that were planned, or those that a search asks for.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::stored::summarise;
use crate::config::Config;
use crate::output::OutputError;
use crate::output::table;
use crate::plan;
use crate::record::StageHeader;
use crate::tune::{Answer, Tried, Tuner};
use crate::units::{ABSENT, decimal};

/// Hands out the stages of a run, one after the other.
pub(super) enum Stages {
    Planned(VecDeque<Arc<StageHeader>>),
    Tuned(Box<Tuned>),
}

/// A search in progress.
pub(super) struct Tuned {
    tuner: Tuner,
    config: Config,
    folder: PathBuf,
    asked: usize,
}

impl Stages {
    pub(super) fn new(config: &Config, folder: &Path) -> Stages {
        match &config.sla {
            None => Stages::Planned(plan::stages(config, folder).into()),
            Some(sla) => Stages::Tuned(Box::new(Tuned {
                tuner: Tuner::new(sla.clone()),
                config: config.clone(),
                folder: folder.to_path_buf(),
                asked: 0,
            })),
        }
    }

    /// The next stage; `None` after the last.
    pub(super) fn next(&mut self) -> Option<Arc<StageHeader>> {
        match self {
            Stages::Planned(stages) => stages.pop_front(),
            Stages::Tuned(tuned) => {
                let ask = tuned.tuner.ask()?;
                tuned.asked += 1;
                Some(Arc::new(StageHeader {
                    index: tuned.asked - 1,
                    folder: tuned.folder.join(&ask.name),
                    name: ask.name,
                    parallel: ask.parallel,
                    rate_rps: ask.rate_rps,
                    number: ask.number,
                    warmup: tuned.config.load.warmup.of(ask.number),
                    goodput: tuned.config.load.goodput.clone(),
                    conversations: tuned.config.prompt.multi_turn,
                }))
            }
        }
    }

    /// Learns from the records of a stage that is over. Returns how a search goes on.
    pub(super) fn tell(&mut self, stage: &StageHeader) -> Result<Vec<String>, OutputError> {
        let Stages::Tuned(tuned) = self else { return Ok(Vec::new()) };
        let (_, summary) = summarise(&stage.folder)?;
        Ok(tuned.tuner.tell(&summary))
    }

    /// What a search found: a table for the console, and a report as JSON.
    pub(super) fn findings(&self) -> Option<(String, serde_json::Value)> {
        let Stages::Tuned(tuned) = self else { return None };
        let tried = tuned.tuner.tried().into_iter().map(|tried| {
            let Tried { load, runs, success_percent, criterion, mean } = tried;
            let holds = match (criterion.is_optimum(), criterion.holds(mean)) {
                (true, _) => "",
                (false, true) => "yes",
                (false, false) => "no",
            };
            let mean = mean.map_or_else(|| ABSENT.to_string(), |mean| criterion.quantity.show(mean));
            let numbers = [load.to_string(), runs.to_string(), decimal(success_percent, 1)];
            let [load, runs, success] = numbers;
            [load, runs, success, criterion.text, mean, holds.to_string()]
        });
        let header = [tuned.tuner.variable(), "Runs", "Success (%)", "Criterion", "Mean", "Holds"];
        let search = table::plain(header, tried);
        let row = |answer: Answer| {
            let best = answer.best.map_or_else(|| "None".to_string(), |best| best.to_string());
            [answer.criteria, tuned.tuner.variable().to_string(), best, answer.note]
        };
        let rows = tuned.tuner.answers().into_iter().map(row);
        let answers = table::plain(["Criteria", "Variable", "Max Satisfied", "Note"], rows);
        let text = format!("SLA Auto-tune Search:\n{search}\n\nSLA Auto-tune Summary:\n{answers}");
        Some((text, tuned.tuner.report()))
    }
}
