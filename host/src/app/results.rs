//! The results of a run, read from its records: what reports, gates and comparisons are made of.

use std::io::ErrorKind;
use std::path::Path;

use serde_json::Value;

use super::stored::digest;
use crate::metrics::{Profile, StageSummary};
use crate::output::html::Promise;
use crate::output::table::BasicInformation;
use crate::output::{OutputError, html, recover, summary};
use crate::record::RunHeader;

/// The results of a run.
pub(super) struct Results {
    pub(super) run: RunHeader,
    pub(super) basic: BasicInformation,
    /// The stages in the order that they were run,
    pub(super) stages: Vec<StageSummary>,
    /// and the course of each.
    pub(super) profiles: Vec<Profile>,
    /// What a search has found, if it was one.
    promises: Vec<Promise>,
}

impl Results {
    /// Reads the records in `folder` and below it.
    pub(super) fn read(folder: &Path) -> Result<Results, OutputError> {
        let none = || {
            let folder = folder.display();
            OutputError(format!("there are no records in \"{folder}\"; name the folder of a run"))
        };
        let files = recover::find_records(folder);
        let mut digests = files.iter().map(|file| digest(file, true)).collect::<Result<Vec<_>, _>>()?;
        digests.sort_by_key(|digest| digest.summary.stage.index);
        let first = digests.first().ok_or_else(none)?;
        let (run, basic) = (first.run.clone(), first.basic.clone());
        let (stages, profiles) =
            digests.into_iter().filter_map(|digest| Some((digest.summary, digest.profile?))).unzip();
        Ok(Results { run, basic, stages, profiles, promises: promises(folder)? })
    }

    /// Writes `report.html` into the run's folder.
    pub(super) fn write_page(&self, folder: &Path) -> Result<(), OutputError> {
        let page = html::report(&self.run, &self.basic, &self.stages, &self.profiles, &self.promises)?;
        summary::write(&folder.join(html::FILE), &page)
    }
}

/// The file that a search leaves its findings in.
pub(super) const FINDINGS: &str = "sla_summary.json";

/// The answers among the findings of a search in `folder`; none if there was no search.
fn promises(folder: &Path) -> Result<Vec<Promise>, OutputError> {
    let path = folder.join(FINDINGS);
    let wrong = |why: String| OutputError(format!("cannot read \"{}\": {why}; remove it", path.display()));
    let text = match std::fs::read_to_string(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        read => read.map_err(|error| wrong(error.to_string()))?,
    };
    let mut findings: Value = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
    serde_json::from_value(findings["answers"].take()).map_err(|error| wrong(error.to_string()))
}
