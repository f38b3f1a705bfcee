//! What is done with the records of runs that are over: report on them, and recover them.

use std::path::Path;

use serde_json::Value;

use super::exit::{AppError, Exit};
use crate::metrics::{StageAccumulator, StageSummary};
use crate::output::console::Console;
use crate::output::export::{self, Format};
use crate::output::table::{self, BasicInformation};
use crate::output::{OutputError, recover, stored, summary, timeline};

/// Computes everything that a user reads again from the records in `folder`, prints it and rewrites
/// the files.
pub fn report(folder: &Path, formats: &[Format]) -> Result<Exit, AppError> {
    let console = Console::default();
    let files = recover::find_records(folder);
    if files.is_empty() {
        let folder = folder.display();
        return Err(AppError::usage(format!(
            "there are no records in \"{folder}\"; name the folder of a run"
        )));
    }
    let mut stages: Vec<(BasicInformation, StageSummary)> = Vec::new();
    for file in files {
        stages.push(summarise(&file).map_err(|error| AppError::usage(error.to_string()))?);
    }
    stages.sort_by_key(|(_, stage)| stage.stage.index);
    let failed = |error: OutputError| AppError::new(Exit::Failed, error.to_string());
    for (_, stage) in &stages {
        summary::print_stage(&console, stage);
        summary::write_stage(&stage.stage.folder, stage).map_err(failed)?;
        timeline::write(&stage.stage.folder).map_err(failed)?;
        export::write(&stage.stage.folder, formats).map_err(failed)?;
    }
    if stages.len() > 1 {
        let basic = BasicInformation { output_path: folder.display().to_string(), ..stages[0].0.clone() };
        let stages: Vec<StageSummary> = stages.into_iter().map(|(_, stage)| stage).collect();
        let text = table::run(&basic, &stages);
        console.print(&format!("\n{text}"));
        summary::write(&folder.join("performance_summary.txt"), &text).map_err(failed)?;
    }
    Ok(Exit::Success)
}

/// The figures of a stage, computed from its records: `file` is they, or their folder.
pub(super) fn summarise(file: &Path) -> Result<(BasicInformation, StageSummary), OutputError> {
    let stored = stored::read_figures(file)?;
    let mut accumulator = StageAccumulator::new(&stored.stage);
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
    }
    let health = stored.end.map(|end| end.health);
    let summary = accumulator.finish(&stored.stage, health).map_err(|error| {
        OutputError(format!("cannot sum up \"{}\": {error}; free some space in its folder", file.display()))
    })?;
    Ok((basic, summary))
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
    for live in &found.live {
        console.print(&format!("left alone, its run is alive: {}", live.display()));
    }
    if found.stages.is_empty() && found.live.is_empty() && found.failures.is_empty() {
        console.print(&format!("nothing to recover in {}", folder.display()));
    }
    if found.failures.is_empty() {
        Ok(Exit::Success)
    } else {
        let lines = found.failures.iter().map(ToString::to_string).collect();
        Err(AppError { exit: Exit::Failed, lines })
    }
}
