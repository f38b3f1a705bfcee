//! SLA auto-tune: finds the highest load that keeps a promise. It asks for stages and is told their
//! summaries; it never runs one.

mod criteria;
mod search;

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

pub use criteria::{Criteria, SlaError};
pub use search::{Kind, Search, Told};

use crate::metrics::{Criterion, Goal, StageSummary};

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

/// What a load came to, over all of its runs.
#[derive(Debug, Clone, Default, PartialEq)]
struct Measured {
    runs: u32,
    /// The lowest share of successful requests, in percent.
    success_percent: Option<f64>,
    /// The sum of each criterion's figure over the runs that have it, and how many have it.
    sums: BTreeMap<String, (f64, u32)>,
    clearly_failed: bool,
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

/// Drives the searches of all groups and remembers what was measured.
#[derive(Debug, Clone)]
pub struct Tuner {
    spec: SlaSpec,
    searches: Vec<Search>,
    measured: BTreeMap<u32, Measured>,
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
        Tuner { searches, spec, measured: BTreeMap::new(), asked: None }
    }

    /// The next stage to measure; `None` once every group has its answer.
    pub fn ask(&mut self) -> Option<Ask> {
        loop {
            let group = self.searches.iter().position(|search| search.ask().is_some())?;
            let load = self.searches[group].ask()?;
            match self.measured.get(&load).filter(|measured| self.is_done(measured)) {
                Some(measured) => {
                    let told = self.judge(group, measured);
                    self.searches[group].tell(told);
                }
                None => {
                    self.asked = Some(load);
                    return Some(self.stage(load));
                }
            }
        }
    }

    /// Takes the summary of the stage that was asked for.
    pub fn tell(&mut self, summary: &StageSummary) {
        let Some(load) = self.asked.take() else { return };
        let measured = self.measured.entry(load).or_default();
        measured.runs += 1;
        let success = summary.success_percent().unwrap_or(0.0);
        measured.success_percent =
            Some(measured.success_percent.map_or(success, |lowest| lowest.min(success)));
        let mut fails = success < 100.0;
        for criterion in self.spec.groups.iter().flatten() {
            let value = criterion.quantity.of(summary);
            // With several groups, a load that fails one may still answer another.
            fails |= self.spec.groups.len() == 1 && criterion.clearly_fails(value);
            if let Some(value) = value {
                let sum = measured.sums.entry(criterion.text.clone()).or_insert((0.0, 0));
                *sum = (sum.0 + value, sum.1 + 1);
            }
        }
        measured.clearly_failed |= fails;
    }

    /// The answers of all groups.
    pub fn answers(&self) -> Vec<Answer> {
        let answer = |(group, search): (&Vec<Criterion>, &Search)| {
            let texts: Vec<&str> = group.iter().map(|criterion| criterion.text.as_str()).collect();
            let note = match (search.best(), optimum(group), search.best_score()) {
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
            Answer { criteria: texts.join(" and "), variable: self.spec.variable, best: search.best(), note }
        };
        self.spec.groups.iter().zip(&self.searches).map(answer).collect()
    }

    /// Everything that was measured and answered, for `sla_summary.json`.
    pub fn report(&self) -> Value {
        let loads: Vec<Value> = self
            .measured
            .iter()
            .map(|(load, measured)| {
                let figures: serde_json::Map<String, Value> = measured
                    .sums
                    .iter()
                    .map(|(text, (sum, count))| (text.clone(), json!(sum / f64::from(*count))))
                    .collect();
                json!({
                    "load": load,
                    "runs": measured.runs,
                    "success_percent": measured.success_percent,
                    "mean": figures,
                })
            })
            .collect();
        json!({"variable": self.spec.variable, "answers": self.answers(), "measured": loads})
    }

    fn lowest_tried(&self) -> u32 {
        self.measured.keys().next().copied().unwrap_or(self.spec.lower)
    }

    fn is_done(&self, measured: &Measured) -> bool {
        measured.runs >= self.spec.runs || measured.clearly_failed
    }

    fn judge(&self, group: usize, measured: &Measured) -> Told {
        let group = &self.spec.groups[group];
        let mean = |criterion: &Criterion| {
            measured.sums.get(&criterion.text).map(|(sum, count)| sum / f64::from(*count))
        };
        let all_succeeded = measured.success_percent == Some(100.0);
        let score = optimum(group).and_then(|criterion| {
            let value = mean(criterion)?;
            Some(if criterion.goal == Goal::Min { -value } else { value })
        });
        Told {
            passed: all_succeeded && group.iter().all(|criterion| criterion.holds(mean(criterion))),
            score,
        }
    }

    fn stage(&self, load: u32) -> Ask {
        let run = self.measured.get(&load).map_or(0, |measured| measured.runs) + 1;
        let number = (f64::from(load) * self.spec.number_multiplier).round().max(1.0) as u64;
        let (variable, parallel, rate_rps) = match self.spec.variable {
            SlaVariable::Parallel => ("parallel", Some(load), None),
            SlaVariable::Rate => ("rate", self.spec.fixed_parallel, Some(f64::from(load))),
        };
        Ask { name: format!("sla_{variable}_{load}_run_{run}"), parallel, rate_rps, number }
    }
}

/// The figure that a group wants as high or as low as possible.
fn optimum(group: &[Criterion]) -> Option<&Criterion> {
    group.iter().find(|criterion| criterion.is_optimum())
}

#[cfg(test)]
mod tests;
