//! The folder of a run: made and tried out before the first request is sent.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Local};

use super::exit::AppError;
use crate::config::Config;
use crate::output::recover;

/// Room that must be there before a run begins, in bytes. Records of a longer run need more; a
/// folder that has not even this is full.
const ROOM: usize = 4 << 20;

/// Makes the folder `<outputs-dir>/<time>/<name>` and makes sure that it can be written to and has
/// some room. Of runs that begin in the same second each has its own: the second's time is followed by
/// `_2`.
pub(super) fn create(config: &Config, started_at: DateTime<Local>) -> Result<PathBuf, AppError> {
    let output = &config.output;
    let model = config.model.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let model = if model.is_empty() { config.prompt.dataset.as_str() } else { model };
    let name = file_name(output.name.as_deref().unwrap_or(model));
    let unusable = |folder: &Path, error: std::io::Error| {
        AppError::usage(format!(
            "--outputs-dir: cannot write to \"{}\": {error}; choose a folder with some room that you may write to",
            folder.display()
        ))
    };
    let folder = if output.timestamp {
        let time = started_at.format("%Y%m%d_%H%M%S").to_string();
        fresh(&output.outputs_dir, &time, &name).map_err(|(folder, error)| unusable(&folder, error))?
    } else {
        let folder = output.outputs_dir.join(name);
        fs::create_dir_all(&folder).map_err(|error| unusable(&folder, error))?;
        folder
    };
    if let Some(advice) = occupied(&folder) {
        return Err(AppError::usage(format!(
            "--no-timestamp: \"{}\" holds the records of another run already; {advice}",
            folder.display()
        )));
    }
    let trial = folder.join(".room");
    let written = File::create(&trial).and_then(|mut file| {
        file.write_all(&vec![0; ROOM])?;
        file.sync_all()
    });
    // The trial is in nobody's way if it cannot be removed.
    let _ = fs::remove_file(&trial);
    written.map_err(|error| unusable(&folder, error))?;
    Ok(folder)
}

/// Makes `<outputs-dir>/<time>/<name>`, which nobody has made before: whoever comes second in the same
/// second gets another time. On failure it tells which folder could not be made.
fn fresh(outputs_dir: &Path, time: &str, name: &str) -> Result<PathBuf, (PathBuf, io::Error)> {
    let mut place = 1;
    loop {
        let time = if place == 1 { time.to_string() } else { format!("{time}_{place}") };
        let above = outputs_dir.join(time);
        let folder = above.join(name);
        match fs::create_dir_all(&above).and_then(|()| fs::create_dir(&folder)) {
            Ok(()) => return Ok(folder),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => place += 1,
            Err(error) => return Err((folder, error)),
        }
    }
}

/// What to do about the records in a folder, finished or journalled; `None` if there are none.
fn occupied(folder: &Path) -> Option<String> {
    if !recover::find_records(folder).is_empty() {
        return Some("give another --name or --outputs-dir".to_string());
    }
    let cut_short = !recover::find_abandoned(folder).is_empty();
    cut_short.then(|| {
        let folder = folder.display();
        format!("get them back with: tickrate recover \"{folder}\", or give another --name")
    })
}

/// `name` without what a file name must not hold.
fn file_name(name: &str) -> String {
    let cleaned: String =
        name.chars().map(|c| if c.is_control() || "<>:\"|?*\\/".contains(c) { '_' } else { c }).collect();
    if cleaned.trim_matches('.').is_empty() { "run".to_string() } else { cleaned }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_becomes_one_that_every_file_system_takes() {
        assert_eq!(file_name("Qwen/Qwen2.5:0.5B"), "Qwen_Qwen2.5_0.5B");
        assert_eq!(file_name(".."), "run");
    }

    #[test]
    fn runs_of_the_same_second_have_a_folder_each() {
        let outputs = tempfile::tempdir().unwrap();
        let made = || fresh(outputs.path(), "20260102_030405", "m").unwrap();
        let names = [made(), made(), made()]
            .map(|folder| folder.strip_prefix(outputs.path()).unwrap().to_str().unwrap().to_string());
        assert_eq!(names, ["20260102_030405/m", "20260102_030405_2/m", "20260102_030405_3/m"]);
        assert!(
            fresh(outputs.path(), "20260102_030405", "another").unwrap().ends_with("20260102_030405/another")
        );
    }
}
