//! What a load came to, over all of its runs, and what that means to each group of criteria.

use std::collections::BTreeMap;

use super::{Told, optimum};
use crate::metrics::{Criterion, Goal, StageSummary};

/// The runs of one load.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Measured {
    runs: u32,
    /// The lowest share of successful requests, in percent.
    success_percent: Option<f64>,
    /// The sum of each criterion's figure over the runs that have it, and how many have it.
    sums: BTreeMap<String, (f64, u32)>,
    /// For each group whether a run failed it so clearly that no other run can change that.
    clearly_failed: Vec<bool>,
}

impl Measured {
    /// Takes the summary of one more run.
    pub(super) fn add(&mut self, summary: &StageSummary, groups: &[Vec<Criterion>]) {
        self.runs += 1;
        let success = summary.success_percent().unwrap_or(0.0);
        self.success_percent = Some(self.success_percent.map_or(success, |lowest| lowest.min(success)));
        self.clearly_failed.resize(groups.len(), false);
        for (failed, group) in self.clearly_failed.iter_mut().zip(groups) {
            let clearly = |criterion: &Criterion| criterion.clearly_fails(criterion.quantity.of(summary));
            *failed |= success < 100.0 || group.iter().any(clearly);
        }
        // A criterion that several groups have counts once.
        let figures: BTreeMap<&str, &Criterion> =
            groups.iter().flatten().map(|criterion| (criterion.text.as_str(), criterion)).collect();
        for (text, criterion) in figures {
            let Some(value) = criterion.quantity.of(summary) else { continue };
            let sum = self.sums.entry(text.to_string()).or_insert((0.0, 0));
            *sum = (sum.0 + value, sum.1 + 1);
        }
    }

    /// How often it was measured.
    pub(super) fn runs(&self) -> u32 {
        self.runs
    }

    /// The lowest share of successful requests of its runs, in percent.
    pub(super) fn success_percent(&self) -> f64 {
        self.success_percent.unwrap_or(0.0)
    }

    /// The mean of a criterion's figure over the runs that have it, in its own unit.
    pub(super) fn mean(&self, criterion: &Criterion) -> Option<f64> {
        self.sums.get(&criterion.text).map(|(sum, count)| sum / f64::from(*count))
    }

    /// Whether a group needs no more runs than there were, of `runs` at most.
    pub(super) fn is_done(&self, group: usize, runs: u32) -> bool {
        self.runs >= runs || self.clearly_failed.get(group) == Some(&true)
    }

    /// How it went for a group.
    pub(super) fn judge(&self, group: &[Criterion]) -> Told {
        let score = optimum(group).and_then(|criterion| {
            let value = self.mean(criterion)?;
            Some(if criterion.goal == Goal::Min { -value } else { value })
        });
        let passed =
            self.all_succeeded() && group.iter().all(|criterion| criterion.holds(self.mean(criterion)));
        Told { passed, score }
    }

    /// The same in words. `improved` says that there is no better load for the group so far.
    pub(super) fn found(&self, group: &[Criterion], improved: bool) -> String {
        let value = |criterion: &Criterion| {
            let shown = self.mean(criterion).map(|mean| criterion.quantity.show(mean));
            format!("{} {}", criterion.name(), shown.as_deref().unwrap_or("was not measured"))
        };
        let missed: Vec<String> =
            group.iter().filter(|criterion| !criterion.holds(self.mean(criterion))).map(value).collect();
        match (self.all_succeeded(), &missed[..], optimum(group)) {
            (false, ..) => "fails, as requests failed".to_string(),
            (true, [], None) => "holds".to_string(),
            (true, [], Some(criterion)) if improved => format!("is the best so far ({})", value(criterion)),
            (true, [], Some(criterion)) => format!("is no better ({})", value(criterion)),
            (true, missed, _) => format!("fails ({})", missed.join(", ")),
        }
    }

    fn all_succeeded(&self) -> bool {
        self.success_percent == Some(100.0)
    }
}
