//! The built-in summary: tables on the console, `summary.json`, `percentiles.json` and
//! `performance_summary.txt`. It is a consumer like any other.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::console::Console;
use super::evalscope::Evalscope;
use super::table::{self, BasicInformation};
use super::{Output, OutputError};
use crate::metrics::{Metric, PERCENTILES, StageAccumulator, StageSummary};
use crate::record::Event;

/// Summarises each stage when it ends, and the run when it ends.
#[derive(Debug)]
pub struct Summary {
    console: Console,
    folder: PathBuf,
    basic: BasicInformation,
    current: Option<StageAccumulator>,
    finished: Vec<StageSummary>,
    /// The figures by another tool's definitions, if the run asks for them.
    compat: Option<Evalscope>,
}

impl Summary {
    /// Prints on `console` and writes below the run's `folder`.
    pub fn new(console: Console, folder: PathBuf, basic: BasicInformation) -> Summary {
        Summary { console, folder, basic, current: None, finished: Vec::new(), compat: None }
    }
}

impl Output for Summary {
    fn name(&self) -> &'static str {
        "summary"
    }

    fn on_event(&mut self, event: &Event) -> Result<(), OutputError> {
        match event {
            Event::StageStarted(stage) => self.current = Some(StageAccumulator::new(stage)),
            Event::RequestSettled(record) => {
                if let Some(current) = &mut self.current {
                    current.push(record);
                }
            }
            Event::StageFinished(stage, end) => {
                let Some(current) = self.current.take() else { return Ok(()) };
                let summary = current.finish(stage, Some(end.health.clone())).map_err(|error| {
                    let folder = stage.folder.display();
                    OutputError(format!(
                        "cannot sum up \"{folder}\": {error}; free some space and use tickrate report"
                    ))
                })?;
                print_stage(&self.console, &summary);
                let written = write_stage(&stage.folder, &summary);
                self.finished.push(summary);
                written?;
            }
            Event::RunFinished if self.finished.len() > 1 => {
                let text = table::run(&self.basic, &self.finished);
                self.console.print(&format!("\n{text}"));
                write(&self.folder.join("performance_summary.txt"), &text)?;
            }
            Event::RunStarted(run) => {
                let asked = run.config.pointer("/output/compat").and_then(Value::as_str);
                self.compat = (asked == Some("evalscope")).then(|| Evalscope::new(self.console.clone()));
            }
            Event::ReplyKept(_) | Event::RunFinished | Event::Warned(_) => {}
        }
        self.compat.as_mut().map_or(Ok(()), |compat| compat.on_event(event))
    }
}

/// Shows a stage's tables.
pub fn print_stage(console: &Console, summary: &StageSummary) {
    console.print(&format!("\n{}", table::stage(summary)));
    let percentiles = table::percentiles(summary);
    if !percentiles.is_empty() {
        console.print(&format!("\n{percentiles}"));
    }
    if let Some(health) = &summary.health {
        console.print(&format!("\n{}\n", table::health(health)));
    }
}

/// Writes a stage's `summary.json` and `percentiles.json` into `folder`.
pub fn write_stage(folder: &Path, summary: &StageSummary) -> Result<(), OutputError> {
    write(&folder.join("summary.json"), &pretty(&summary_json(summary)))?;
    write(&folder.join("percentiles.json"), &pretty(&percentiles_json(summary)))
}

/// The figures under the names of the table, in full precision; what was not measured is not there.
pub fn summary_json(summary: &StageSummary) -> Value {
    let mut out = Map::new();
    out.insert("Stage".into(), json!(summary.stage.name));
    out.insert("Concurrency".into(), json!(summary.stage.parallel));
    out.insert("Request Rate (req/s)".into(), json!(summary.stage.rate_rps));
    out.insert("Total Requests".into(), json!(summary.total));
    out.insert("Success Requests".into(), json!(summary.succeeded));
    out.insert("Failed Requests".into(), json!(summary.failed()));
    for figure in summary.figures() {
        out.insert(figure.name.into(), json!(figure.value));
    }
    let failures: Map<String, Value> = summary
        .failures
        .iter()
        .map(|(kind, failures)| {
            (kind.name().to_string(), json!({"count": failures.count, "example": failures.example}))
        })
        .collect();
    out.insert("Errors".into(), Value::Object(failures));
    if let Some(sources) = &summary.token_sources {
        out.insert("Token Sources".into(), json!(sources));
    }
    if let Some(health) = &summary.health {
        out.insert("Client Health".into(), json!(health));
    }
    Value::Object(out)
}

/// One object for each row of the percentile table, in full precision; `null` where a metric was
/// not measured.
pub fn percentiles_json(summary: &StageSummary) -> Value {
    let row = |percentile: &crate::metrics::Percentile| {
        let mut out = Map::new();
        out.insert("Percentiles".into(), json!(percentile.label()));
        for metric in Metric::ALL {
            let value = summary.distribution(metric).map(|distribution| percentile.of(distribution));
            out.insert(metric.label().into(), json!(value));
        }
        Value::Object(out)
    };
    Value::Array(PERCENTILES.iter().map(row).collect())
}

/// Writes a text file, or says which one could not be written.
pub fn write(path: &Path, text: &str) -> Result<(), OutputError> {
    std::fs::write(path, text).map_err(|error| {
        OutputError(format!(
            "cannot write \"{}\": {error}; free some space and rebuild it with tickrate report",
            path.display()
        ))
    })
}

fn pretty(value: &Value) -> String {
    // A tree of plain values always has a text.
    format!("{value:#}\n")
}
