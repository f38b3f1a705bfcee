//! Runs beside each other: which stages go together, what differs between them, and what cannot be
//! compared. The first run is what the others are compared with.

mod page;
mod text;

use serde::Serialize;

use super::table::BasicInformation;
use crate::metrics::{Difference, Metric, Profile, StageSummary, differences};
use crate::units::decimal;

/// A run as it takes part.
pub struct Candidate<'a> {
    /// The name that it goes by: its folder.
    pub name: String,
    /// What it measured.
    pub basic: &'a BasicInformation,
    /// Its stages,
    pub stages: &'a [StageSummary],
    /// and the course of each.
    pub profiles: &'a [Profile],
}

/// Two stages beside each other.
#[derive(Debug, Clone, Serialize)]
pub struct Pair {
    /// The first run's stage.
    pub first: String,
    /// The other run's.
    pub second: String,
    /// Why the two should not be compared; empty if they may be.
    pub not_comparable: Vec<String>,
    /// What to be careful with.
    pub notes: Vec<String>,
    /// What differs.
    pub differences: Vec<Difference>,
}

/// A run beside the first one.
#[derive(Debug, Clone, Serialize)]
pub struct Beside {
    /// The run's name.
    pub name: String,
    /// Why the runs should not be compared as a whole; empty if they may be.
    pub not_comparable: Vec<String>,
    /// The stages that both have.
    pub pairs: Vec<Pair>,
    /// Stages without one to compare them with.
    pub alone: Vec<String>,
}

/// Runs beside each other.
#[derive(Debug, Clone, Serialize)]
pub struct Comparison {
    /// The run that the others are compared with.
    pub first: String,
    /// The others.
    pub others: Vec<Beside>,
}

/// Lengths that differ by more than this share make other work of a request.
const OTHER_LENGTH: f64 = 0.02;

impl Comparison {
    /// Compares every run with the first. `None` if there are fewer than two.
    pub fn of(runs: &[Candidate]) -> Option<Comparison> {
        let (first, others) = runs.split_first()?;
        if others.is_empty() {
            return None;
        }
        Some(Comparison {
            first: first.name.clone(),
            others: others.iter().map(|other| beside(first, other)).collect(),
        })
    }

    /// What is worse by more than `percent` and by more than chance, each in a line.
    pub fn regressions(&self, percent: f64) -> Vec<String> {
        let mut out = Vec::new();
        for other in self.others.iter().filter(|other| other.not_comparable.is_empty()) {
            for pair in other.pairs.iter().filter(|pair| pair.not_comparable.is_empty()) {
                for one in pair.differences.iter().filter(|one| one.is_regression(percent)) {
                    let (quantity, change) = (one.quantity, text::change(one));
                    out.push(format!(
                        "{}, {}: {} went from {} to {}, {change}",
                        other.name,
                        pair.second,
                        quantity.name(),
                        quantity.show(one.first),
                        quantity.show(one.second)
                    ));
                }
            }
        }
        out
    }

    /// Everything that kept runs or stages from being compared, each in a line.
    pub fn not_comparable(&self) -> Vec<String> {
        let mut out = Vec::new();
        for other in &self.others {
            out.extend(other.not_comparable.iter().map(|why| format!("{}: {why}", other.name)));
            out.extend(other.alone.iter().map(|why| format!("{}: {why}", other.name)));
            for pair in &other.pairs {
                out.extend(
                    pair.not_comparable.iter().map(|why| format!("{}, {}: {why}", other.name, pair.second)),
                );
            }
        }
        out
    }
}

fn beside(first: &Candidate, other: &Candidate) -> Beside {
    let mut not_comparable = Vec::new();
    let names = [
        ("model", &first.basic.model, &other.basic.model),
        ("API", &first.basic.api, &other.basic.api),
        ("dataset", &first.basic.dataset, &other.basic.dataset),
    ];
    for (what, a, b) in names {
        if a != b {
            not_comparable.push(format!("another {what}: \"{a}\" and \"{b}\""));
        }
    }
    let (mut pairs, mut alone, mut taken) = (Vec::new(), Vec::new(), vec![false; other.stages.len()]);
    for (at, stage) in first.stages.iter().enumerate() {
        let same_load = |candidate: &StageSummary| {
            candidate.stage.parallel == stage.stage.parallel
                && candidate.stage.rate_rps == stage.stage.rate_rps
        };
        let free = |at: &usize| !taken[*at];
        let by_name =
            (0..taken.len()).filter(free).find(|&at| other.stages[at].stage.name == stage.stage.name);
        let partner =
            by_name.or_else(|| (0..taken.len()).filter(free).find(|&at| same_load(&other.stages[at])));
        match partner {
            Some(partner) => {
                taken[partner] = true;
                pairs.push(pair(
                    [&first.name, &other.name],
                    (stage, &first.profiles[at]),
                    (&other.stages[partner], &other.profiles[partner]),
                ));
            }
            None => alone.push(format!("no stage has the load of {} in {}", stage.stage.name, first.name)),
        }
    }
    let left = other.stages.iter().zip(&taken).filter(|(_, taken)| !**taken);
    alone.extend(
        left.map(|(stage, _)| format!("{} has a load that {} has not", stage.stage.name, first.name)),
    );
    Beside { name: other.name.clone(), not_comparable, pairs, alone }
}

fn pair(runs: [&str; 2], first: (&StageSummary, &Profile), second: (&StageSummary, &Profile)) -> Pair {
    let (mut not_comparable, mut notes) = (Vec::new(), Vec::new());
    for (what, metric) in [("prompts", Metric::InputTokens), ("replies", Metric::OutputTokens)] {
        let mean = |stage: &StageSummary| stage.distribution(metric).map(|distribution| distribution.mean());
        if let (Some(a), Some(b)) = (mean(first.0), mean(second.0))
            && (b / a - 1.0).abs() > OTHER_LENGTH
        {
            not_comparable.push(format!(
                "{what} of another length: {} and {} tokens on average",
                decimal(a, 1),
                decimal(b, 1)
            ));
        }
    }
    for (run, stage) in runs.into_iter().zip([first.0, second.0]) {
        let name = &stage.stage.name;
        if stage.succeeded == 0 {
            not_comparable.push(format!("no request of {name} in {run} succeeded"));
        }
        if let Some(health) = stage.health.as_ref().filter(|health| health.client_limited) {
            notes.push(format!("in {run}, {name}, {}", health.verdict));
        }
    }
    Pair {
        first: first.0.stage.name.clone(),
        second: second.0.stage.name.clone(),
        not_comparable,
        notes,
        differences: differences(first, second),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{ProfileAccumulator, StageAccumulator};
    use crate::output::sample;
    use crate::record::testing;

    /// A run of one stage, whose client was a limit.
    fn limited(verdict: &str) -> (Vec<StageSummary>, Vec<Profile>) {
        let header = sample::stage(&std::env::temp_dir());
        let (mut figures, mut profile) = (StageAccumulator::new(&header), ProfileAccumulator::new(&[], None));
        for index in 0..20 {
            let record = testing::streamed(f64::from(index), 10.0, 5.0, 5);
            figures.push(&record);
            profile.push(&record);
        }
        let mut health = sample::end(0.25).health;
        (health.client_limited, health.verdict) = (true, verdict.into());
        let stage = figures.finish(&header, Some(health)).unwrap();
        let profiles = vec![profile.finish(&stage)];
        (vec![stage], profiles)
    }

    #[test]
    fn a_note_names_the_run_that_it_is_about() {
        let basic = BasicInformation {
            model: "m".into(),
            dataset: "d".into(),
            api: "a".into(),
            output_path: String::new(),
        };
        let runs = [("before", limited("was slow")), ("after", limited("was slower"))];
        let candidates = runs.each_ref().map(|(name, (stages, profiles))| Candidate {
            name: (*name).into(),
            basic: &basic,
            stages,
            profiles,
        });
        let comparison = Comparison::of(&candidates).unwrap();
        let stage = &runs[0].1.0[0].stage.name;
        let notes = &comparison.others[0].pairs[0].notes;
        assert_eq!(
            *notes,
            [format!("in before, {stage}, was slow"), format!("in after, {stage}, was slower")]
        );
        assert!(comparison.page().unwrap().contains(">after</a>"), "the navigation has the run's name");
    }
}
