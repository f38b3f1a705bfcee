//! What the stages of a run recommend: where it was best, where to look next, what to be careful
//! with. Each sentence comes with the rule behind it.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::metrics::{Metric, Percentile, StageSummary, knee, load};
use crate::units::decimal;

/// A success rate below this at the highest load is worth a word, in percent.
const LOW_SUCCESS: f64 = 95.0;
/// Latency that grew by more than this from the lowest to the highest load, likewise.
const STEEP: f64 = 3.0;
/// Throughput that grows by less than this share of what the load grows by has levelled off.
const LEVEL: f64 = 0.1;
/// A 99th percentile of TTFT beyond so many medians is a long tail.
const TAIL: f64 = 5.0;
/// Fewer successes than this have no 99th percentile to speak of.
const FEW: u64 = 100;
/// An open loop that completes less than this share of what was asked falls behind.
const BEHIND: f64 = 0.95;
/// Waiting in the client beyond this share of the mean latency is a queue that latency does not show.
const QUEUED: f64 = 0.1;
/// A client that is trusted to more than this share of the median TTFT blurs it.
const BLURRED: f64 = 0.05;

/// A sentence and why it is said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Recommendation {
    /// What to do or to know.
    pub(super) text: String,
    /// The rule behind it.
    pub(super) rule: String,
}

fn say(text: impl Into<String>, rule: impl Into<String>) -> Recommendation {
    Recommendation { text: text.into(), rule: rule.into() }
}

/// Recommendations of a run; its stages are taken in the order of their load, whichever way a search has
/// gone through them.
pub(super) fn recommend(stages: &[StageSummary]) -> Vec<Recommendation> {
    let mut measured: Vec<&StageSummary> = stages.iter().filter(|stage| stage.succeeded > 0).collect();
    let order = |stage: &StageSummary| load(stage).unwrap_or(f64::INFINITY);
    measured.sort_by(|a, b| order(a).total_cmp(&order(b)));
    let mut out: Vec<Recommendation> = nothing(stages).into_iter().collect();
    out.extend(sweep(stages, &measured));
    out.extend(too_few(&measured));
    out.extend(blurred(&measured));
    out.extend(stages.iter().flat_map(of_stage));
    out
}

fn mean(stage: &StageSummary, metric: Metric) -> Option<f64> {
    stage.distribution(metric).map(|distribution| distribution.mean())
}

/// That nothing was measured: every request of the run failed.
fn nothing(stages: &[StageSummary]) -> Option<Recommendation> {
    let total: u64 = stages.iter().map(|stage| stage.total).sum();
    if total == 0 || stages.iter().any(|stage| stage.succeeded > 0) {
        return None;
    }
    let mut kinds = BTreeMap::new();
    for (kind, failures) in stages.iter().flat_map(|stage| &stage.failures) {
        *kinds.entry(kind.name()).or_insert(0) += failures.count;
    }
    let (kind, count) = kinds.into_iter().max_by_key(|(_, count)| *count)?;
    let text = format!(
        "No request succeeded; {count} of {total} failed with {kind}: look at the errors of a stage before anything else."
    );
    Some(say(text, "not one request of the run succeeded"))
}

/// Of the sweep as a whole; empty unless there are several stages.
fn sweep(stages: &[StageSummary], measured: &[&StageSummary]) -> Vec<Recommendation> {
    let mut out = Vec::new();
    let (Some(first), Some(last)) = (measured.first(), measured.last()) else { return out };
    if stages.len() < 2 {
        return out;
    }
    let throughput = |stage: &StageSummary| stage.request_throughput_rps().unwrap_or(0.0);
    let latency = |stage: &StageSummary| mean(stage, Metric::Latency).unwrap_or(f64::INFINITY);
    let fastest = measured.iter().enumerate().max_by(|a, b| throughput(a.1).total_cmp(&throughput(b.1)));
    let quickest = measured.iter().min_by(|a, b| latency(a).total_cmp(&latency(b)));
    if let Some((_, stage)) = fastest {
        let text =
            format!("Best throughput: {} with {} req/s", stage.stage.name, decimal(throughput(stage), 2));
        out.push(say(text, "the stage with the most successful requests ÷ its duration"));
    }
    if let Some(stage) = quickest {
        let text =
            format!("Best latency: {} with {} s on average", stage.stage.name, decimal(latency(stage), 3));
        out.push(say(text, "the stage with the lowest mean latency"));
    }
    if measured.len() > 1
        && let Some((at, stage)) = fastest
    {
        out.push(if let Some(levelled) = (at == measured.len() - 1).then(|| levelled(measured)).flatten() {
            levelled
        } else if at == measured.len() - 1 {
            let text =
                "Throughput was still growing at the highest load: test higher ones to find the limit.";
            say(text, "throughput is highest in the stage with the highest load")
        } else if at == 0 {
            let text =
                "Throughput was best at the lowest load: test lower ones, the server may be overloaded.";
            say(text, "throughput is highest in the stage with the lowest load")
        } else {
            let name = &stage.stage.name;
            let text = format!("The best load seems to be near {name}: test closer steps around it.");
            say(text, "throughput is highest between the lowest and the highest load")
        });
        if let Some(knee) = knee(stages) {
            let name = &stages[knee].stage.name;
            let text = format!("The knee is at {name}: beyond it latency grows faster than throughput.");
            out.push(say(
                text,
                "throughput ÷ mean latency (Kleinrock's power) is highest there, of at least three loads",
            ));
        }
        let growth = latency(last) / latency(first);
        if growth > STEEP {
            out.push(steep(growth, first, last));
        }
    }
    if let Some(percent) = last.success_percent().filter(|&percent| percent < LOW_SUCCESS) {
        let text = format!(
            "Only {} % of the requests succeeded at the highest load: look at the errors before trusting its figures.",
            decimal(percent, 1)
        );
        out.push(say(
            text,
            format!("fewer than {} % of the requests of the last stage succeeded", decimal(LOW_SUCCESS, 0)),
        ));
    }
    out
}

/// That the last step of the load brought next to nothing; `None` if it brought something.
fn levelled(measured: &[&StageSummary]) -> Option<Recommendation> {
    let [.., before, last] = measured else { return None };
    let load_times = load(last)? / load(before)?;
    let gain = last.request_throughput_rps()? / before.request_throughput_rps()? - 1.0;
    let text = format!(
        "Throughput has levelled off: {} has {} % more than {}, at {} times its load.",
        last.stage.name,
        decimal(gain * 100.0, 1),
        before.stage.name,
        decimal(load_times, 2)
    );
    let rule = format!(
        "from the last load but one to the highest, throughput grew by less than {} % of what the load grew by",
        decimal(LEVEL * 100.0, 0)
    );
    (gain < LEVEL * (load_times - 1.0)).then(|| say(text, rule))
}

/// Latency that grew, and which part of it did.
fn steep(growth: f64, first: &StageSummary, last: &StageSummary) -> Recommendation {
    let grew = |metric| Some(mean(last, metric)? / mean(first, metric)?);
    let why = match (grew(Metric::Ttft), grew(Metric::Tpot)) {
        (Some(ttft), Some(tpot)) if ttft > 2.0 * tpot => "requests are queueing before their first token",
        (Some(ttft), Some(tpot)) if tpot > 2.0 * ttft => "decoding slows down as the batch grows",
        _ => "requests are queueing",
    };
    let text =
        format!("Latency grew {} times from the lowest to the highest load: {why}.", decimal(growth, 1));
    let rule = format!(
        "mean latency grew more than {} times; of TTFT and TPOT, the one that grew more than twice as much as the other is named",
        decimal(STEEP, 0)
    );
    say(text, rule)
}

/// Of the stages whose client blurs what it measures, one sentence.
fn blurred(measured: &[&StageSummary]) -> Option<Recommendation> {
    let blur = |stage: &&StageSummary| {
        let trust_ms = stage.health.as_ref()?.trust_ms?;
        let share = trust_ms / Percentile::At(50.0).of(stage.distribution(Metric::Ttft)?);
        (share > BLURRED).then(|| (share, trust_ms, stage.stage.name.clone()))
    };
    let all: Vec<_> = measured.iter().filter_map(blur).collect();
    let (share, trust_ms, name) = all.iter().max_by(|a, b| a.0.total_cmp(&b.0))?;
    let told = format!("± {} ms, {} % of the median TTFT", decimal(*trust_ms, 3), decimal(share * 100.0, 0));
    let text = match all.len() {
        1 => format!("The client of {name} is trusted to {told}: give it quieter cores."),
        stages => {
            format!(
                "In {stages} stages the client blurs the TTFT, most of all in {name} ({told}): give it quieter cores."
            )
        }
    };
    let least = decimal(BLURRED * 100.0, 0);
    Some(say(text, format!("the client's own error is more than {least} % of the median TTFT")))
}

/// Of the stages that are too short for a 99th percentile, one sentence.
fn too_few(measured: &[&StageSummary]) -> Option<Recommendation> {
    let short: Vec<_> = measured.iter().filter(|stage| stage.succeeded < FEW).collect();
    let fewest = short.iter().min_by_key(|stage| stage.succeeded)?;
    let (name, count) = (&fewest.stage.name, fewest.succeeded);
    let requests = if count == 1 { "request" } else { "requests" };
    let text = match short.len() {
        1 => format!(
            "{name} has {count} successful {requests}: its p99 is hardly more than its slowest one. Raise --number."
        ),
        stages => format!(
            "{stages} stages have too few successful requests, {name} the fewest ({count}): a p99 of theirs is \
             hardly more than the slowest one. Raise --number."
        ),
    };
    Some(say(text, format!("fewer than {FEW} successful requests")))
}

/// Of one stage.
fn of_stage(stage: &StageSummary) -> Vec<Recommendation> {
    let mut out = Vec::new();
    let name = &stage.stage.name;
    if let Some(health) = stage.health.as_ref().filter(|health| health.client_limited) {
        let rule = "a reading thread above 90 % of a core, an event loop more than 5 ms late, or more than 1 % of requests starved";
        out.push(say(format!("In {name} {}.", health.verdict), rule));
    }
    let at = |metric, percent| {
        stage.distribution(metric).map(|distribution| Percentile::At(percent).of(distribution))
    };
    if let (Some(median), Some(tail)) = (at(Metric::Ttft, 50.0), at(Metric::Ttft, 99.0))
        && stage.succeeded >= FEW
        && tail > TAIL * median
    {
        let text = format!(
            "The slowest TTFTs of {name} are {} times the median: look at the heat map for when they happened.",
            decimal(tail / median, 1)
        );
        out.push(say(text, format!("p99 TTFT is more than {} times p50 TTFT", decimal(TAIL, 0))));
    }
    if let (None, Some(asked), Some(done)) =
        (stage.stage.parallel, stage.stage.rate_rps.and(load(stage)), stage.request_throughput_rps())
        && done < BEHIND * asked
        && stage.total >= FEW
    {
        let text = format!(
            "{name} completed {} of the {} req/s that arrived: the server falls behind at this rate.",
            decimal(done, 2),
            decimal(asked, 2)
        );
        out.push(say(
            text,
            format!("an open loop completed less than {} % of the asked rate", decimal(BEHIND * 100.0, 0)),
        ));
    }
    if let (Some(sent), Some(due)) = (mean(stage, Metric::Latency), mean(stage, Metric::LatencyFromDue))
        && due > sent * (1.0 + QUEUED)
    {
        let text = format!(
            "Requests of {name} waited {} s on average before they were sent: compare the figures from due.",
            decimal(due - sent, 3)
        );
        out.push(say(
            text,
            format!("mean latency from due is more than {} % above mean latency", decimal(QUEUED * 100.0, 0)),
        ));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::StageAccumulator;
    use crate::output::sample;
    use crate::record::{StageHeader, testing};

    fn stage(parallel: u32, number: u32, ttft_ms: impl Fn(u32) -> f64) -> StageSummary {
        let header = StageHeader {
            index: parallel as usize,
            name: format!("parallel_{parallel}"),
            parallel: Some(parallel),
            rate_rps: None,
            number: u64::from(number),
            warmup: 0,
            goodput: Vec::new(),
            conversations: false,
            folder: std::env::temp_dir(),
        };
        let mut figures = StageAccumulator::new(&header);
        for index in 0..number {
            figures.push(&testing::streamed(f64::from(index), ttft_ms(index), 5.0, 5));
        }
        figures.finish(&header, None).unwrap()
    }

    fn texts(stages: &[StageSummary]) -> String {
        let lines = recommend(stages).into_iter().map(|one| {
            assert!(!one.rule.is_empty());
            one.text
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn what_grew_is_named() {
        let text = texts(&[stage(1, 200, |_| 10.0), stage(2, 200, |_| 400.0)]);
        assert!(text.contains("requests are queueing before their first token"), "{text}");
    }

    #[test]
    fn throughput_that_the_last_step_hardly_raised_is_not_growing() {
        // A request each `1000 / rps` ms.
        let at = |parallel, rps: f64| {
            let header = stage(parallel, 1, |_| 10.0).stage;
            let mut figures = StageAccumulator::new(&header);
            for index in 0..1000 {
                figures.push(&testing::streamed(f64::from(index) * 1000.0 / rps, 10.0, 5.0, 5));
            }
            figures.finish(&header, None).unwrap()
        };
        let flat = texts(&[at(8, 50.0), at(16, 100.0), at(32, 104.0)]);
        assert!(
            flat.contains("levelled off: parallel_32 has 4 % more than parallel_16, at 2 times"),
            "{flat}"
        );
        assert!(!flat.contains("still growing"), "{flat}");
        // A small step of the load may bring no more than that.
        let steady = texts(&[at(8, 50.0), at(30, 100.0), at(32, 104.0)]);
        assert!(steady.contains("still growing") && !steady.contains("levelled"), "{steady}");
    }

    #[test]
    fn the_highest_load_is_that_whenever_it_was_measured() {
        let stages = [1, 50, 10].map(|parallel| stage(parallel, 200, |_| 10.0 * f64::from(parallel)));
        let text = texts(&stages);
        assert!(
            text.contains("Latency grew") && text.contains("from the lowest to the highest load"),
            "{text}"
        );
    }

    #[test]
    fn a_long_tail_and_too_few_requests_are_told_apart() {
        let tail = texts(&[stage(1, 200, |index| if index % 20 == 0 { 900.0 } else { 10.0 })]);
        assert!(tail.contains("are 90 times the median") && !tail.contains("--number"), "{tail}");
        let few = texts(&[stage(1, 20, |index| if index == 0 { 900.0 } else { 10.0 })]);
        assert!(few.contains("20 successful requests") && !few.contains("the median"), "{few}");
    }

    #[test]
    fn stages_are_taken_by_their_load_and_short_ones_together() {
        // As a search goes: up, and back between the last two.
        let text =
            texts(&[1, 4, 2].map(|parallel| stage(parallel, 20 * parallel, |_| f64::from(10 * parallel))));
        assert!(text.contains("parallel_1 the fewest (20)"), "{text}");
        assert_eq!(text.matches("--number").count(), 1, "{text}");
        let grown = texts(&[1, 16, 2].map(|parallel| stage(parallel, 200, |_| f64::from(100 * parallel))));
        assert!(grown.contains("from the lowest to the highest load"), "{grown}");
    }

    #[test]
    fn a_client_that_blurs_several_stages_is_told_once() {
        let blurred = |parallel, trust_ms| {
            let mut stage = stage(parallel, 200, |_| 10.0);
            stage.health = Some(sample::end(trust_ms).health);
            stage
        };
        let one = texts(&[blurred(1, 0.1), blurred(2, 2.0)]);
        assert!(one.contains("The client of parallel_2 is trusted to ± 2 ms, 20 % of"), "{one}");
        let two = texts(&[blurred(1, 1.0), blurred(2, 2.0)]);
        assert!(two.contains("In 2 stages") && two.contains("in parallel_2 (± 2 ms, 20 %"), "{two}");
        assert_eq!(two.matches("quieter cores").count(), 1, "{two}");
    }

    #[test]
    fn a_run_without_a_success_says_so_first() {
        let header = stage(4, 1, |_| 10.0).stage;
        let mut figures = StageAccumulator::new(&header);
        (0..6).for_each(|index| figures.push(&testing::failed(f64::from(index), 10.0)));
        let failed = figures.finish(&header, None).unwrap();
        let text = texts(&[failed.clone(), failed]);
        assert_eq!(
            text,
            "No request succeeded; 12 of 12 failed with truncated: look at the errors of a stage before anything else."
        );
    }

    #[test]
    fn one_good_stage_recommends_nothing() {
        assert_eq!(texts(&[stage(1, 200, |_| 10.0)]), "");
        assert_eq!(texts(&[]), "");
    }
}
