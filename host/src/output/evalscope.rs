//! `--compat evalscope`: the figures by the definitions of `evalscope perf`, beside ours on the console
//! and in its own files.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::console::Console;
use super::{Output, OutputError, summary, table};
use crate::metrics::evalscope::{EvalscopeAccumulator, EvalscopeSummary, WorkloadPoint, round};
use crate::metrics::{Metric, Percentile, StageAccumulator, StageSummary};
use crate::record::Event;
use crate::units::{ABSENT, decimal};

/// Its file of a stage's figures.
const SUMMARY_FILE: &str = "benchmark_summary.json";
/// Its file of a stage's percentiles.
const PERCENTILE_FILE: &str = "benchmark_percentile.json";
/// Its file of how fast tokens were worked off,
const THROUGHPUT_FILE: &str = "workload_throughput.json";
/// that of what this comes from,
const TIMELINE_FILE: &str = "workload_timeline.json";
/// and that of conversations.
const TRACE_FILE: &str = "trace_summary.json";

/// Shows and writes each stage's figures by the other definitions when it ends.
#[derive(Debug)]
pub struct Evalscope {
    console: Console,
    current: Option<(StageAccumulator, EvalscopeAccumulator)>,
}

impl Evalscope {
    /// Prints on `console`.
    pub fn new(console: Console) -> Evalscope {
        Evalscope { console, current: None }
    }
}

impl Output for Evalscope {
    fn name(&self) -> &'static str {
        "evalscope"
    }

    fn on_event(&mut self, event: &Event) -> Result<(), OutputError> {
        match event {
            Event::StageStarted(stage) => {
                self.current = Some((StageAccumulator::new(stage), EvalscopeAccumulator::new(stage)));
            }
            Event::RequestSettled(record) => {
                if let Some((ours, theirs)) = &mut self.current {
                    ours.push(record);
                    theirs.push(record);
                }
            }
            Event::StageFinished(stage, _) => {
                let Some((ours, theirs)) = self.current.take() else { return Ok(()) };
                let failed = |error: std::io::Error| {
                    let folder = stage.folder.display();
                    OutputError(format!(
                        "cannot sum up \"{folder}\": {error}; free some space and use tickrate report --compat evalscope"
                    ))
                };
                let ours = ours.finish(stage, None).map_err(failed)?;
                let theirs = theirs.finish(stage).map_err(failed)?;
                show(&self.console, &ours, &theirs);
                write(&stage.folder, &theirs)?;
            }
            Event::RunStarted(_) | Event::ReplyKept(_) | Event::RunFinished | Event::Warned(_) => {}
        }
        Ok(())
    }
}

/// Shows both tools' figures side by side.
pub fn show(console: &Console, ours: &StageSummary, theirs: &EvalscopeSummary) {
    let rows = rows(ours, theirs).into_iter().map(|(name, ours, theirs)| {
        let shown = |value: Option<f64>| value.map_or_else(|| ABSENT.to_string(), |value| decimal(value, 4));
        let difference = ours.zip(theirs).map(|(ours, theirs)| theirs - ours);
        [name, shown(ours), shown(theirs), shown(difference)]
    });
    let table = table::plain(["Metric", "tickrate", "evalscope", "difference"], rows);
    console.print(&format!("\nBy both definitions: {}\n{table}\n", ours.stage.name));
    let shown = |value: f64| decimal(value, 2);
    if let Some(traces) = &theirs.traces {
        let rows = traces.rows.iter().map(|row| {
            let values = [row.mean, row.min, row.p50, row.p90, row.p95, row.p99, row.max].map(shown);
            let [mean, min, p50, p90, p95, p99, max] = values;
            [row.metric.to_string(), mean, min, p50, p90, p95, p99, max]
        });
        let table = table::plain(["Metric", "mean", "min", "p50", "p90", "p95", "p99", "max"], rows);
        console.print(&format!("Per-trace summary ({} traces):\n{table}\n", traces.n_traces));
    }
    if let Some(workload) = &theirs.workload {
        let rows = workload.rows.iter().map(|row| {
            let [overall, last, steady] = [row.overall, row.last_window, row.steady_state].map(shown);
            [row.metric.to_string(), overall, last, steady]
        });
        let table = table::plain(["Metric (tok/s)", "Overall", "Last 30s", "Steady (drop 20%)"], rows);
        console.print(&format!("Workload throughput ({} samples):\n{table}\n", workload.points.len()));
    }
}

/// Name, our value and theirs; theirs is absent where it says -1.
fn rows(ours: &StageSummary, theirs: &EvalscopeSummary) -> Vec<(String, Option<f64>, Option<f64>)> {
    let figures = ours.figures();
    let mine = |name: &str| figures.iter().find(|figure| figure.name == name).map(|figure| figure.value);
    let measured = |value: Option<f64>| value.filter(|&value| value != -1.0);
    let mut rows: Vec<_> = [
        "Test Duration (s)",
        "Req Throughput (req/s)",
        "Avg Latency (s)",
        "TTFT (ms)",
        "TPOT (ms)",
        "ITL (ms)",
        "Avg Input Tokens",
        "Avg Output Tokens",
        "Output Throughput (tok/s)",
        "Total Throughput (tok/s)",
    ]
    .iter()
    .map(|name| {
        let other = theirs.figure(name).or_else(|| theirs.figure(&format!("Avg {name}")));
        (name.to_string(), mine(name), measured(other))
    })
    .collect();
    let successes = (ours.succeeded as f64, theirs.figure("Success Requests"));
    rows.insert(0, ("Success Requests".to_string(), Some(successes.0), successes.1));
    for metric in [Metric::Latency, Metric::Ttft, Metric::Tpot, Metric::Itl] {
        for percent in [50.0, 99.0] {
            let row = Percentile::At(percent);
            let mine = ours.distribution(metric).map(|distribution| row.of(distribution));
            let name = format!("{} {}", row.label(), metric.label());
            rows.push((name, mine, theirs.percentile(&row.label(), metric.label())));
        }
    }
    rows
}

/// Writes its files into `folder`.
pub fn write(folder: &Path, theirs: &EvalscopeSummary) -> Result<(), OutputError> {
    let figure = |&(name, value): &(&str, f64)| {
        let whole = name == "Concurrency" || name.ends_with(" Requests");
        (name.to_string(), if whole { json!(value as i64) } else { json!(value) })
    };
    let figures: Map<String, Value> = theirs.figures.iter().map(figure).collect();
    let row = |(label, values): &(String, Vec<Option<f64>>)| {
        let cells = EvalscopeSummary::columns().iter().zip(values);
        let cells = cells.map(|(name, value)| (name.to_string(), json!(value)));
        Value::Object([("Percentiles".to_string(), json!(label))].into_iter().chain(cells).collect())
    };
    let percentiles = Value::Array(theirs.percentiles.iter().map(row).collect());
    summary::write(&folder.join(SUMMARY_FILE), &format!("{:#}\n", Value::Object(figures)))?;
    summary::write(&folder.join(PERCENTILE_FILE), &format!("{percentiles:#}\n"))?;
    if let Some(traces) = &theirs.traces {
        summary::write(&folder.join(TRACE_FILE), &format!("{:#}\n", json!(traces)))?;
    }
    let Some(workload) = &theirs.workload else { return Ok(()) };
    let throughput = json!({
        "n_samples": workload.points.len(),
        "wall_time_s": workload.points.last().map(|point| round(point.t, 4)),
        "last_window_s": 30.0,
        "warmup_frac": 0.2,
        "rows": workload.rows,
    });
    let point = |point: &WorkloadPoint| WorkloadPoint { t: round(point.t, 6), ..*point };
    let points: Vec<_> = workload.points.iter().map(point).collect();
    let timeline = json!({ "wall_start": workload.wall_start.as_s(), "points": points });
    summary::write(&folder.join(THROUGHPUT_FILE), &format!("{throughput:#}\n"))?;
    summary::write(&folder.join(TIMELINE_FILE), &format!("{timeline}\n"))
}
