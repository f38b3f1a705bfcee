//! What is done with the records of runs that are over: report on them, and recover them.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::exit::{AppError, Exit};
use super::gates;
use super::results::Results;
use crate::config::{Compat, GateConfig};
use crate::metrics::evalscope::{EvalscopeAccumulator, EvalscopeSummary};
use crate::metrics::{Profile, ProfileAccumulator, StageAccumulator, StageSummary};
use crate::output::console::Console;
use crate::output::export::{self, Format};
use crate::output::table::{self, BasicInformation};
use crate::output::{OutputError, evalscope, html, recover, stored, summary, timeline};
use crate::record::RunHeader;

/// Computes everything that a user reads again from the records in each of `folders`, prints it and
/// rewrites the files; with `compat`, or where a run was asked for it, by those definitions as well;
/// the records also in `formats`.
/// Then the gates are judged.
pub fn report(
    folders: &[PathBuf],
    gates: &GateConfig,
    compat: Option<Compat>,
    formats: &[Format],
) -> Result<Exit, AppError> {
    let console = Console::default();
    gates::can_be_written(gates)?;
    let mut exit = Exit::Success;
    let mut all = Vec::new();
    for folder in folders {
        // The timelines come from the records alone, and are made beside the figures.
        let (results, timelines) = std::thread::scope(|scope| {
            let timelines = scope.spawn(|| write_timelines(folder));
            let results = Results::read(folder);
            let panicked = || OutputError("the thread of the timelines panicked".to_string());
            (results, timelines.join().unwrap_or_else(|_| Err(panicked())))
        });
        let results = results.map_err(|error| AppError::usage(error.to_string()))?;
        let failed = |error: OutputError| AppError::new(Exit::Failed, error.to_string());
        timelines.map_err(failed)?;
        for stage in &results.stages {
            summary::print_stage(&console, stage);
            summary::write_stage(&stage.stage.folder, stage).map_err(failed)?;
            export::write(&stage.stage.folder, formats).map_err(failed)?;
            if let Some(theirs) = by_evalscope(&stage.stage.folder, compat).map_err(failed)? {
                evalscope::show(&console, stage, &theirs);
                evalscope::write(&stage.stage.folder, &theirs).map_err(failed)?;
            }
        }
        if results.stages.len() > 1 {
            let basic =
                BasicInformation { output_path: folder.display().to_string(), ..results.basic.clone() };
            let text = table::run(&basic, &results.stages);
            console.print(&format!("\n{text}"));
            summary::write(&folder.join("performance_summary.txt"), &text).map_err(failed)?;
        }
        results.write_page(folder).map_err(failed)?;
        console.print(&format!("report: {}", folder.join(html::FILE).display()));
        all.push(results);
    }
    let judged = all.iter().map(|results| (results.basic.model.as_str(), results.stages.as_slice()));
    if gates::settle(&|text| console.print(text), gates, &judged.collect::<Vec<_>>())? {
        exit = Exit::GateFailed;
    }
    Ok(exit)
}

/// Writes the timeline of each stage in `folder` and below it.
fn write_timelines(folder: &Path) -> Result<(), OutputError> {
    let files = recover::find_records(folder);
    files.iter().try_for_each(|file| timeline::write(file.parent().unwrap_or(folder)))
}

/// The figures of a stage, computed from its records: `file` is they, or their folder.
pub(super) fn summarise(file: &Path) -> Result<(BasicInformation, StageSummary), OutputError> {
    let digest = digest(file, false)?;
    Ok((digest.basic, digest.summary))
}

/// What the records of a stage come to.
pub(super) struct Digest {
    pub(super) run: RunHeader,
    pub(super) basic: BasicInformation,
    pub(super) summary: StageSummary,
    /// Its course, if that was asked for.
    pub(super) profile: Option<Profile>,
}

/// Reads the records of a stage once: `file` is they, or their folder.
pub(super) fn digest(file: &Path, profiled: bool) -> Result<Digest, OutputError> {
    let stored = stored::read_figures(file)?;
    let mut accumulator = StageAccumulator::new(&stored.stage);
    let mut profile = profiled.then(|| ProfileAccumulator::new(&stored.stage.goodput, stored.end.as_ref()));
    let text = |pointer: &str| {
        stored.run.config.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_string()
    };
    let mut basic = BasicInformation {
        model: text("/model"),
        dataset: text("/prompt/dataset"),
        api: text("/api/api"),
        output_path: String::new(),
    };
    for record in stored.records {
        let record = record?;
        // The names that the parts go by, which a flag need not know: a component has its own.
        if *record.key.dataset != *basic.dataset || *record.key.api != *basic.api {
            (basic.dataset, basic.api) = (record.key.dataset.to_string(), record.key.api.to_string());
        }
        accumulator.push(&record);
        if let Some(profile) = &mut profile {
            profile.push(&record);
        }
    }
    let health = stored.end.map(|end| end.health);
    let summary = accumulator.finish(&stored.stage, health).map_err(|error| {
        OutputError(format!("cannot sum up \"{}\": {error}; free some space in its folder", file.display()))
    })?;
    let profile = profile.map(|profile| profile.finish(&summary));
    Ok(Digest { run: stored.run, basic, summary, profile })
}

/// The figures of the stage in `folder` by the definitions of `evalscope perf`, if they are asked for
/// now or were when it ran.
fn by_evalscope(folder: &Path, compat: Option<Compat>) -> Result<Option<EvalscopeSummary>, OutputError> {
    let stored = stored::read(folder)?;
    let asked = stored.run.config.pointer("/output/compat").and_then(Value::as_str);
    if compat != Some(Compat::Evalscope) && asked != Some("evalscope") {
        return Ok(None);
    }
    let mut accumulator = EvalscopeAccumulator::new(&stored.stage);
    for record in stored.records {
        accumulator.push(&record?);
    }
    let summary = accumulator.finish(&stored.stage).map_err(|error| {
        OutputError(format!("cannot sum up \"{}\": {error}; free some space there", folder.display()))
    })?;
    Ok(Some(summary))
}

/// Brings back the records of runs that were cut short in `folder` or below it.
pub fn recover(folder: &Path) -> Result<Exit, AppError> {
    let console = Console::default();
    let found = recover::recover(folder).map_err(|error| AppError::usage(error.to_string()))?;
    for stage in &found.stages {
        console.print(&format!("recovered {} records: {}", stage.rows, stage.file.display()));
        if stage.torn_bytes > 0 {
            console.print(&format!(
                "  {} bytes at the end were cut off and could not be read",
                stage.torn_bytes
            ));
        }
    }
    for file in &found.replies {
        console.print(&format!("recovered kept replies: {}", file.display()));
    }
    for file in &found.server_metrics {
        console.print(&format!("recovered the server's metrics: {}", file.display()));
    }
    for live in &found.live {
        console.print(&format!("left alone, its run is alive: {}", live.display()));
    }
    if found.stages.is_empty()
        && found.replies.is_empty()
        && found.server_metrics.is_empty()
        && found.live.is_empty()
        && found.failures.is_empty()
    {
        console.print(&format!("nothing to recover in {}", folder.display()));
    }
    if found.failures.is_empty() {
        Ok(Exit::Success)
    } else {
        let lines = found.failures.iter().map(ToString::to_string).collect();
        Err(AppError { exit: Exit::Failed, lines })
    }
}
