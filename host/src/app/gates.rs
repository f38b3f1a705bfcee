//! Gates of a command: found out to be possible before anything is measured, judged after it, and
//! told on the console, in a JUnit file and in a step summary.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

use super::exit::{AppError, Exit};
use crate::config::{Config, GateConfig};
use crate::gate::junit::junit;
use crate::gate::step_summary::step_summary;
use crate::gate::{self, Verdict};
use crate::metrics::StageSummary;
use crate::plan;

/// Makes sure that the files can be written, so that nothing is measured in vain.
pub(super) fn can_be_written(gates: &GateConfig) -> Result<(), AppError> {
    for (flag, file) in [("--junit", &gates.junit), ("--step-summary", &gates.step_summary)] {
        let Some(file) = file else { continue };
        OpenOptions::new().create(true).append(true).open(file).map_err(|error| {
            AppError::usage(format!(
                "{flag}: cannot write \"{}\": {error}; name a file that you may write",
                file.display()
            ))
        })?;
    }
    Ok(())
}

/// Makes sure that the stages that gates name will be run. A search finds its stages on the way.
pub(super) fn have_stages(config: &Config) -> Result<(), AppError> {
    if config.sla.is_some() {
        return Ok(());
    }
    let stages = plan::stages(config, Path::new(""));
    for gate in &config.gates.fail_if {
        if !stages.iter().any(|stage| gate.is_about(&stage.name)) {
            let names: Vec<&str> = stages.iter().map(|stage| stage.name.as_str()).collect();
            let (named, names) = (gate.stage().unwrap_or_default(), names.join(", "));
            return Err(AppError::usage(format!(
                "--fail-if: \"{gate}\" is about the stage \"{named}\", which is not among those of the run: {names}"
            )));
        }
    }
    Ok(())
}

/// Judges the gates of runs, each a title and its stages, and tells the verdicts wherever they are
/// asked for, and by `tell`. Returns whether one failed.
pub(super) fn settle(
    tell: &dyn Fn(&str),
    gates: &GateConfig,
    runs: &[(&str, &[StageSummary])],
) -> Result<bool, AppError> {
    let stages: Vec<StageSummary> = runs.iter().flat_map(|(_, stages)| stages.iter().cloned()).collect();
    let verdicts: Vec<Verdict> =
        runs.iter().flat_map(|(_, stages)| gate::judge(&gates.fail_if, stages)).collect();
    if !verdicts.is_empty() {
        tell(&format!("\n{}", gate::told(&verdicts)));
    }
    if let Some(file) = &gates.junit {
        let text = junit(&stages, &verdicts).map_err(|error| AppError::new(Exit::Failed, error))?;
        write(file, &text, false)?;
    }
    if let Some(file) = &gates.step_summary {
        for (title, stages) in runs {
            let page =
                step_summary(&format!("tickrate: {title}"), stages, &gate::judge(&gates.fail_if, stages));
            write(file, &format!("{page}\n"), true)?;
        }
    }
    Ok(verdicts.iter().any(|verdict| verdict.failed))
}

/// Writes a file anew, or adds to it.
pub(super) fn write(file: &PathBuf, text: &str, add: bool) -> Result<(), AppError> {
    let mut options = OpenOptions::new();
    options.create(true).write(true).append(add).truncate(!add);
    options.open(file).and_then(|mut file| file.write_all(text.as_bytes())).map_err(|error| {
        let file = file.display();
        AppError::new(
            Exit::Failed,
            format!("cannot write \"{file}\": {error}; free some space and try again"),
        )
    })
}
