//! What the stages of a run suggest: where it was best, and where to look next.

use crate::metrics::{Metric, StageSummary};
use crate::units::decimal;

/// A success rate below this at the highest load is worth a word, in percent.
const LOW_SUCCESS: f64 = 95.0;
/// Latency that grew by more than this from the lowest to the highest load, likewise.
const STEEP: f64 = 3.0;

/// Sentences about a run of several stages, which are taken in the order of their load.
pub(super) fn suggest(stages: &[StageSummary]) -> Vec<String> {
    let measured: Vec<&StageSummary> = stages.iter().filter(|stage| stage.succeeded > 0).collect();
    let (Some(first), Some(last)) = (measured.first(), measured.last()) else {
        return Vec::new();
    };
    let mut out = Vec::new();
    let throughput = |stage: &StageSummary| stage.request_throughput_rps().unwrap_or(0.0);
    let latency =
        |stage: &StageSummary| stage.distribution(Metric::Latency).map_or(f64::INFINITY, |d| d.mean());
    let fastest = measured.iter().enumerate().max_by(|a, b| throughput(a.1).total_cmp(&throughput(b.1)));
    let quickest = measured.iter().min_by(|a, b| latency(a).total_cmp(&latency(b)));
    if let Some((_, stage)) = fastest {
        out.push(format!(
            "Best throughput: {} with {} req/s",
            stage.stage.name,
            decimal(throughput(stage), 2)
        ));
    }
    if let Some(stage) = quickest {
        out.push(format!(
            "Best latency: {} with {} s on average",
            stage.stage.name,
            decimal(latency(stage), 3)
        ));
    }
    if measured.len() > 1
        && let Some((at, stage)) = fastest
    {
        out.push(if at == measured.len() - 1 {
            "Throughput was still growing at the highest load: test higher ones to find the limit."
                .to_string()
        } else if at == 0 {
            "Throughput was best at the lowest load: test lower ones, the server may be overloaded."
                .to_string()
        } else {
            format!("The best load seems to be near {}: test closer steps around it.", stage.stage.name)
        });
        let growth = latency(last) / latency(first);
        if growth > STEEP {
            out.push(format!(
                "Latency grew {} times from the lowest to the highest load: requests are queueing.",
                decimal(growth, 1)
            ));
        }
    }
    if let Some(percent) = last.success_percent().filter(|&percent| percent < LOW_SUCCESS) {
        out.push(format!(
            "Only {} % of the requests succeeded at the highest load: look at the errors before trusting its figures.",
            decimal(percent, 1)
        ));
    }
    for stage in stages {
        if let Some(health) = stage.health.as_ref().filter(|health| health.client_limited) {
            out.push(format!("In {} {}.", stage.stage.name, health.verdict));
        }
    }
    out
}
