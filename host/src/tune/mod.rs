//! SLA auto-tune: finds the highest load that keeps a promise. It asks for stages and is told their
//! summaries; it never runs one.

mod criteria;
mod measured;
mod search;

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

pub use criteria::{Criteria, SlaError};
pub use search::{Kind, Search, Told};

use crate::metrics::{Criterion, Goal, StageSummary};
use measured::Measured;

/// What is varied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum SlaVariable {
    /// Requests in flight at a time.
    Parallel,
    /// Arrivals per second.
    Rate,
}

/// What is searched for, and how.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SlaSpec {
    /// What is varied.
    pub variable: SlaVariable,
    /// The promises: each group is searched for on its own.
    pub groups: Vec<Vec<Criterion>>,
    /// What was read of them in a way that should be said aloud.
    pub notes: Vec<String>,
    /// How often each load is measured.
    pub runs: u32,
    /// The lowest load to try.
    pub lower: u32,
    /// The highest load to try.
    pub upper: u32,
    /// The first load to try.
    pub start: u32,
    /// Requests in flight at a time while the rate is varied.
    pub fixed_parallel: Option<u32>,
    /// Requests of a stage for each unit of load.
    pub number_multiplier: f64,
}

/// A stage to measure.
#[derive(Debug, Clone, PartialEq)]
pub struct Ask {
    /// Its name and folder.
    pub name: String,
    /// Requests in flight at a time; `None` for an open loop.
    pub parallel: Option<u32>,
    /// Arrivals per second, where they are paced.
    pub rate_rps: Option<f64>,
    /// Requests.
    pub number: u64,
}

/// The answer for one group of criteria.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Answer {
    /// The criteria as the user wrote them.
    pub criteria: String,
    /// What was varied.
    pub variable: SlaVariable,
    /// The highest load that satisfies them, or the best one; `None` if none does.
    pub best: Option<u32>,
    /// What should be said of it.
    pub note: String,
}

/// One figure at one load, for the table of the search.
#[derive(Debug, Clone, PartialEq)]
pub struct Tried {
    /// The load.
    pub load: u32,
    /// How often it was measured.
    pub runs: u32,
    /// The lowest share of successful requests of its runs, in percent.
    pub success_percent: f64,
    /// What is asked of the figure.
    pub criterion: Criterion,
    /// Its mean over the runs, in its own unit; `None` if it was not measured.
    pub mean: Option<f64>,
}

/// Drives the searches of all groups and remembers what was measured.
#[derive(Debug, Clone)]
pub struct Tuner {
    spec: SlaSpec,
    searches: Vec<Search>,
    measured: BTreeMap<u32, Measured>,
    /// The loads in the order in which they were measured first.
    order: Vec<u32>,
    asked: Option<u32>,
}

impl Tuner {
    /// A tuner that has measured nothing yet.
    pub fn new(spec: SlaSpec) -> Tuner {
        let search = |group: &Vec<Criterion>| {
            let kind = match optimum(group) {
                Some(_) => Kind::HighestScore,
                None => Kind::HighestPassing,
            };
            Search::new(kind, spec.lower, spec.upper, spec.start)
        };
        let searches = spec.groups.iter().map(search).collect();
        Tuner { searches, spec, measured: BTreeMap::new(), order: Vec::new(), asked: None }
    }

    /// The next stage to measure; `None` once every group has its answer.
    pub fn ask(&mut self) -> Option<Ask> {
        let load = self.searches.iter().find_map(Search::ask)?;
        self.asked = Some(load);
        Some(self.stage(load))
    }

    /// Takes the summary of the stage that was asked for. Returns what it means for the search, line
    /// by line.
    pub fn tell(&mut self, summary: &StageSummary) -> Vec<String> {
        let Some(load) = self.asked.take() else { return Vec::new() };
        if !self.order.contains(&load) {
            self.order.push(load);
        }
        let measured = self.measured.entry(load).or_default();
        measured.add(summary, &self.spec.groups);
        let run = measured.runs();
        let mut figures: Vec<String> = Vec::new();
        for criterion in self.figures() {
            let value = criterion.quantity.of(summary);
            let shown = value.map_or_else(|| "not measured".into(), |value| criterion.quantity.show(value));
            let figure = format!("{} {shown}", criterion.name());
            if !figures.contains(&figure) {
                figures.push(figure);
            }
        }
        let mut lines = vec![format!(
            "{} {load}, run {} of {}: {} of {} requests succeeded; {}",
            self.variable(),
            run,
            self.spec.runs,
            summary.succeeded,
            summary.total,
            figures.join(", ")
        )];
        self.conclude(&mut lines);
        lines
    }

    /// Tells each search how the loads went that it asked for, as far as they are measured.
    fn conclude(&mut self, lines: &mut Vec<String>) {
        for (index, group) in self.spec.groups.iter().enumerate() {
            while let Some(load) = self.searches[index].ask() {
                let Some(measured) = self.measured.get(&load) else { break };
                if !measured.is_done(index, self.spec.runs) {
                    break;
                }
                let best = self.searches[index].best();
                self.searches[index].tell(measured.judge(group));
                let search = &self.searches[index];
                let found = measured.found(group, search.best() != best);
                let again =
                    if measured.runs() < self.spec.runs { ", clearly: it is not measured again" } else { "" };
                let variable = self.variable();
                let next = match (search.ask(), search.best()) {
                    (Some(next), _) => format!("next is {variable} {next}"),
                    (None, Some(best)) => format!("the answer is {variable} {best}"),
                    (None, None) => "there is no answer".to_string(),
                };
                lines.push(format!("{}: {variable} {load} {found}{again}; {next}", texts(group)));
            }
        }
    }

    /// What was measured, load by load: one entry for each figure that is asked for.
    pub fn tried(&self) -> Vec<Tried> {
        let mut out = Vec::new();
        for (&load, measured) in &self.measured {
            let (runs, success_percent) = (measured.runs(), measured.success_percent());
            out.extend(self.figures().into_iter().map(|criterion| {
                let mean = measured.mean(criterion);
                Tried { load, runs, success_percent, criterion: criterion.clone(), mean }
            }));
        }
        out
    }

    /// The criteria of all groups, each once.
    fn figures(&self) -> Vec<&Criterion> {
        let mut out: Vec<&Criterion> = Vec::new();
        for criterion in self.spec.groups.iter().flatten() {
            if out.iter().all(|known| known.text != criterion.text) {
                out.push(criterion);
            }
        }
        out
    }

    /// The answers of all groups.
    pub fn answers(&self) -> Vec<Answer> {
        let answer = |(group, search): (&Vec<Criterion>, &Search)| {
            let note = match (search.best(), optimum(group), search.best_score()) {
                _ if search.ask().is_some() => "the run ended before the answer was known".to_string(),
                (None, ..) => format!("failed at {} and all below", self.lowest_tried()),
                (Some(best), None, _) if best == self.spec.upper => {
                    "satisfied at the upper bound; raise --sla-upper-bound to look further".to_string()
                }
                (Some(_), None, _) => "satisfied".to_string(),
                (Some(_), Some(criterion), Some(score)) => {
                    let score = if criterion.goal == Goal::Min { -score } else { score };
                    format!("best: {}", criterion.quantity.show(score))
                }
                (Some(_), Some(_), None) => "best".to_string(),
            };
            Answer { criteria: texts(group), variable: self.spec.variable, best: search.best(), note }
        };
        self.spec.groups.iter().zip(&self.searches).map(answer).collect()
    }

    /// Everything that was measured and answered, for `sla_summary.json`.
    pub fn report(&self) -> Value {
        let load = |(load, measured): (&u32, &Measured)| {
            let criteria = self.figures().into_iter().map(|criterion| {
                let mean = measured.mean(criterion);
                json!({
                    "criterion": criterion.text,
                    "mean": mean,
                    "unit": criterion.quantity.unit().symbol(),
                    "holds": (!criterion.is_optimum()).then(|| criterion.holds(mean)),
                })
            });
            json!({
                "load": load,
                "runs": measured.runs(),
                "success_percent": measured.success_percent(),
                "criteria": criteria.collect::<Vec<_>>(),
            })
        };
        json!({
            "variable": self.spec.variable,
            "answers": self.answers(),
            "order": self.order,
            "measured": self.measured.iter().map(load).collect::<Vec<_>>(),
        })
    }

    /// The name of what is varied.
    pub fn variable(&self) -> &'static str {
        match self.spec.variable {
            SlaVariable::Parallel => "parallel",
            SlaVariable::Rate => "rate",
        }
    }

    fn lowest_tried(&self) -> u32 {
        self.measured.keys().next().copied().unwrap_or(self.spec.lower)
    }

    fn stage(&self, load: u32) -> Ask {
        let run = self.measured.get(&load).map_or(0, |measured| measured.runs()) + 1;
        let number = (f64::from(load) * self.spec.number_multiplier).round().max(1.0) as u64;
        let (parallel, rate_rps) = match self.spec.variable {
            SlaVariable::Parallel => (Some(load), None),
            SlaVariable::Rate => (self.spec.fixed_parallel, Some(f64::from(load))),
        };
        Ask { name: format!("sla_{}_{load}_run_{run}", self.variable()), parallel, rate_rps, number }
    }
}

/// The criteria of a group as the user wrote them.
fn texts(group: &[Criterion]) -> String {
    let texts: Vec<&str> = group.iter().map(|criterion| criterion.text.as_str()).collect();
    texts.join(" and ")
}

/// The figure that a group wants as high or as low as possible.
fn optimum(group: &[Criterion]) -> Option<&Criterion> {
    group.iter().find(|criterion| criterion.is_optimum())
}

#[cfg(test)]
mod tests;
