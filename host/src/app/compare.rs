//! `tickrate compare`: runs that are over, beside each other.

use std::io::Write;
use std::path::PathBuf;

use super::exit::{AppError, Exit};
use super::gates;
use super::results::Results;
use crate::config::GateConfig;
use crate::output::comparison::{Candidate, Comparison};
use crate::output::console::Console;

/// How a comparison is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Tables for a terminal.
    Text,
    /// Tables for a pull request.
    Markdown,
    /// Everything, for a program.
    Json,
    /// A page that needs no network.
    Html,
}

/// What is compared, and how.
#[derive(Debug, Clone)]
pub struct CompareSpec {
    /// The folders of the runs; the first is what the others are compared with.
    pub folders: Vec<PathBuf>,
    /// How it is shown,
    pub format: Format,
    /// and where; on the standard output if there is no file.
    pub output: Option<PathBuf>,
    /// The most that a figure may be worse, in percent.
    pub fail_if_regressed_percent: Option<f64>,
    /// Gates; they are judged by every run but the first.
    pub gates: GateConfig,
}

/// Compares runs.
pub fn compare(spec: &CompareSpec) -> Result<Exit, AppError> {
    if spec.folders.len() < 2 {
        return Err(AppError::usage("compare: there must be at least two runs; name their folders"));
    }
    gates::can_be_written(&spec.gates)?;
    let read = |folder: &PathBuf| Results::read(folder).map_err(|error| AppError::usage(error.to_string()));
    let runs = spec.folders.iter().map(read).collect::<Result<Vec<Results>, AppError>>()?;
    let candidates: Vec<Candidate> = spec
        .folders
        .iter()
        .zip(&runs)
        .map(|(folder, run)| Candidate {
            name: folder.display().to_string(),
            basic: &run.basic,
            stages: &run.stages,
            profiles: &run.profiles,
        })
        .collect();
    let comparison = Comparison::of(&candidates)
        .ok_or_else(|| AppError::usage("compare: there must be at least two runs; name their folders"))?;
    let text = match spec.format {
        Format::Text => comparison.text(),
        Format::Markdown => comparison.markdown(),
        // A tree of plain values always has a text.
        Format::Json => format!("{:#}\n", serde_json::json!(comparison)),
        Format::Html => comparison.page().map_err(|error| AppError::new(Exit::Failed, error.to_string()))?,
    };
    // What is told beside the comparison must not get into it.
    let shown = Console::default();
    match &spec.output {
        Some(file) => gates::write(file, &text, false)?,
        None => shown.print(text.trim_end()),
    }
    let tell = |line: &str| drop(writeln!(std::io::stderr(), "{line}"));
    let judged: Vec<_> =
        runs[1..].iter().map(|run| (run.basic.model.as_str(), run.stages.as_slice())).collect();
    let gate_failed = gates::settle(&tell, &spec.gates, &judged)?;
    if let Some(percent) = spec.fail_if_regressed_percent {
        let regressions = comparison.regressions(percent);
        regressions.iter().for_each(|line| tell(&format!("regressed: {line}")));
        if !regressions.is_empty() {
            return Ok(Exit::Regressed);
        }
        let not_comparable = comparison.not_comparable();
        not_comparable.iter().for_each(|line| tell(&format!("not comparable: {line}")));
        if !not_comparable.is_empty() {
            return Ok(Exit::NotComparable);
        }
    }
    Ok(if gate_failed { Exit::GateFailed } else { Exit::Success })
}
