//! The tables that a user reads, as text.

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{Cell, CellAlignment, Table};

use super::recommendations::recommend;
use crate::metrics::{Metric, PERCENTILES, Percentile, StageSummary};
use crate::record::{ClientHealth, LagSummary};
use crate::units::{ABSENT, decimal, grouped};

/// What the top of the run's summary says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BasicInformation {
    /// The model's name.
    pub model: String,
    /// The dataset's name.
    pub dataset: String,
    /// The API's name.
    pub api: String,
    /// Where the run's files are.
    pub output_path: String,
}

/// The summary table of one stage, with what should be known about its figures below it.
pub fn stage(summary: &StageSummary) -> String {
    let mut table = new_table(["Metric", "Value"]);
    let mut section = None;
    let load = [
        ("Concurrency", summary.stage.parallel_label()),
        ("Request Rate (req/s)", summary.stage.rate_label()),
        (
            "Total / Success / Failed",
            format!("{} / {} / {}", summary.total, summary.succeeded, summary.failed()),
        ),
    ];
    let mut load = Some(load);
    for figure in summary.figures() {
        if section != Some(figure.section) {
            section = Some(figure.section);
            table.add_row([format!("── {} ──", figure.section.label()), String::new()]);
        }
        table.add_row([figure.name.to_string(), decimal(figure.value, figure.decimals)]);
        // The load stands between the duration and what came of it.
        for (name, value) in load.take().into_iter().flatten() {
            table.add_row([name.to_string(), value]);
        }
    }
    for (name, value) in load.take().into_iter().flatten() {
        table.add_row([name.to_string(), value]);
    }
    let mut text = format!("Benchmarking summary: {}\n{table}", summary.stage.name);
    for (kind, failures) in &summary.failures {
        text += &format!("\n{} failed ({kind}): {}", grouped(failures.count), failures.example);
    }
    if let Some(sources) = &summary.token_sources {
        text += &format!("\n{sources}");
    }
    text
}

/// The percentile table of one stage; empty if nothing was measured.
pub fn percentiles(summary: &StageSummary) -> String {
    let labels: Vec<String> = PERCENTILES.iter().map(|percentile| percentile.label()).collect();
    let mut table = new_table(std::iter::once("Metric").chain(labels.iter().map(String::as_str)));
    for metric in Metric::ALL {
        let Some(distribution) = summary.distribution(metric) else { continue };
        let values = PERCENTILES.iter().map(|row| decimal(row.of(distribution), metric.decimals()));
        table.add_row(std::iter::once(metric.label().to_string()).chain(values));
    }
    if table.is_empty() {
        String::new()
    } else {
        format!("Percentile results: {}\n{table}", summary.stage.name)
    }
}

/// What the client says of itself.
pub fn health(health: &ClientHealth) -> String {
    let lag = |name: &str, lag: Option<LagSummary>| {
        let figures = lag.map(|lag| [lag.p50_ms, lag.p99_ms, lag.max_ms].map(|ms| decimal(ms, 3)));
        let [p50, p99, max] = figures.unwrap_or_else(|| std::array::from_fn(|_| ABSENT.to_string()));
        format!("  {name}: p50 {p50} ms, p99 {p99} ms, max {max} ms\n")
    };
    let percent = |value: Option<f64>| value.map_or_else(|| ABSENT.to_string(), |value| decimal(value, 1));
    let mut text = format!("Client health: {}\n", health.verdict);
    text += &lag("dispatch lag", health.dispatch_lag);
    text += &lag("event-loop lag", health.loop_lag);
    if health.stamp_lag.is_some() {
        text += &lag("reads after the kernel's stamp", health.stamp_lag);
    }
    text += &format!(
        "  CPU: {} % of a core, busiest worker {} %\n",
        percent(health.cpu_percent),
        percent(health.worker_cpu_percent)
    );
    text += &format!("  starved: {} requests, {} ms", health.starved, decimal(health.starved_ms, 1));
    text
}

/// A table of texts.
pub fn plain<const COLUMNS: usize>(
    header: [&str; COLUMNS],
    rows: impl Iterator<Item = [String; COLUMNS]>,
) -> String {
    let mut table = new_table(header);
    for row in rows {
        table.add_row(row);
    }
    table.to_string()
}

/// The summary of a whole run: `performance_summary.txt`.
pub fn run(basic: &BasicInformation, stages: &[StageSummary]) -> String {
    let mut ordered: Vec<&StageSummary> = stages.iter().collect();
    // Without a limit on what is in flight comes last; a search goes up and down.
    let order = |stage: &StageSummary| {
        (stage.stage.parallel.unwrap_or(u32::MAX), stage.stage.rate_rps.unwrap_or(0.0))
    };
    ordered.sort_by(|a, b| order(a).partial_cmp(&order(b)).unwrap_or(std::cmp::Ordering::Equal));
    let mut text = String::from("Performance Test Summary Report\n\nBasic Information:\n");
    let tokens = sum(stages.iter().map(StageSummary::output_tokens));
    let duration_s = sum(stages.iter().map(|stage| stage.duration_s));
    let rate = tokens.zip(duration_s).map(|(tokens, duration_s)| tokens / duration_s);
    let or_absent = |text: Option<String>| text.unwrap_or_else(|| ABSENT.to_string());
    let rows = [
        ("Model", basic.model.clone()),
        ("Test Dataset", basic.dataset.clone()),
        ("API Type", basic.api.clone()),
        ("Total Generated", or_absent(tokens.map(|tokens| format!("{} tokens", grouped(tokens as u64))))),
        ("Avg Output Rate", or_absent(rate.map(|rate| format!("{} tokens/s", decimal(rate, 2))))),
        ("Total Test Time", or_absent(duration_s.map(|duration_s| format!("{} s", decimal(duration_s, 2))))),
        ("Output Path", basic.output_path.clone()),
    ];
    for (name, value) in rows {
        text += &format!("  {name:<16} {value}\n");
    }
    text += &format!("\nPerformance Overview:\n{}\n", overview(&ordered));
    if stages.iter().any(|stage| stage.succeeded > 0) {
        text += &format!("\nPer-Request Metrics:\n{}\n", per_request(&ordered));
    }
    let recommendations = recommend(stages);
    if !recommendations.is_empty() {
        text += "\nTest Suggestions:\n";
        for recommendation in recommendations {
            text += &format!("  • {}\n", recommendation.text);
        }
    }
    text
}

fn overview(stages: &[&StageSummary]) -> Table {
    let mut table = new_table([
        "Conc.",
        "Rate",
        "Num",
        "RPS",
        "Avg Lat.(s)",
        "P99 Lat.(s)",
        "Avg TTFT(ms)",
        "P99 TTFT(ms)",
        "Avg TPOT(ms)",
        "P99 TPOT(ms)",
        "Gen. tok/s",
        "Success",
    ]);
    for stage in stages {
        let shown =
            |value: Option<f64>, places| value.map_or_else(|| ABSENT.to_string(), |v| decimal(v, places));
        let mean = |metric| stage.distribution(metric).map(|d| d.mean());
        let p99 = |metric| stage.distribution(metric).map(|d| Percentile::At(99.0).of(d));
        table.add_row([
            stage.stage.parallel_label(),
            stage.stage.rate_label(),
            stage.total.to_string(),
            shown(stage.request_throughput_rps(), 2),
            shown(mean(Metric::Latency), 3),
            shown(p99(Metric::Latency), 3),
            shown(mean(Metric::Ttft), 2),
            shown(p99(Metric::Ttft), 2),
            shown(mean(Metric::Tpot), 2),
            shown(p99(Metric::Tpot), 2),
            shown(stage.output_throughput_tps(), 2),
            stage.success_percent().map_or_else(|| ABSENT.to_string(), |v| format!("{} %", decimal(v, 1))),
        ]);
    }
    table
}

fn per_request(stages: &[&StageSummary]) -> Table {
    let mut table = new_table(["Conc.", "Rate", "Metric", "avg", "p50", "p99", "max"]);
    for stage in stages {
        for metric in [
            Metric::Latency,
            Metric::Ttft,
            Metric::Tpot,
            Metric::Itl,
            Metric::InputTokens,
            Metric::OutputTokens,
        ] {
            let Some(distribution) = stage.distribution(metric) else { continue };
            let shown = |value| decimal(value, metric.decimals());
            table.add_row([
                stage.stage.parallel_label(),
                stage.stage.rate_label(),
                metric.label().to_string(),
                shown(distribution.mean()),
                shown(Percentile::At(50.0).of(distribution)),
                shown(Percentile::At(99.0).of(distribution)),
                shown(Percentile::Max.of(distribution)),
            ]);
        }
    }
    table
}

/// The sum of what is there; `None` if nothing is.
fn sum(values: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    values.flatten().reduce(|a, b| a + b)
}

fn new_table<'a>(header: impl IntoIterator<Item = &'a str>) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    let header: Vec<Cell> = header.into_iter().map(Cell::new).collect();
    let columns = header.len();
    table.set_header(header);
    for index in 1..columns {
        if let Some(column) = table.column_mut(index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}
