//! Where a dataset's files are, and reading them whatever they are compressed with.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use crate::contract::PartError;
use crate::dataset::DatasetSpec;

/// Where the files of a dataset can be had: for the error of who has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The repository on a hub, with the hub's name: `AI-ModelScope/HC3-Chinese on modelscope.cn`.
    pub repository: &'static str,
    /// The file in it that a folder given with `--dataset-path` is looked through for.
    pub file: &'static str,
}

/// The files that `--dataset-path` names: the file itself; of a folder that which `place` names, or
/// else all Parquet files in it, in the order of their paths.
pub(in crate::dataset) fn find(spec: &DatasetSpec, place: Option<Place>) -> Result<Vec<PathBuf>, PartError> {
    let name = &spec.name;
    let fail = |text: String| Err(PartError::InvalidConfig(text));
    let Some(given) = spec.path.as_deref() else {
        return fail(match place {
            None => format!("the dataset \"{name}\" reads a file and none is given; pass --dataset-path"),
            Some(Place { repository, file }) => format!(
                "the dataset \"{name}\" reads a file and none is given; fetch \"{file}\" from {repository} and pass it with --dataset-path"
            ),
        });
    };
    if !given.is_dir() {
        return Ok(vec![given.to_path_buf()]);
    }
    let Some(Place { file, .. }) = place else {
        return fail(format!(
            "the dataset \"{name}\" reads a file and \"{}\" is a folder; give --dataset-path a file",
            given.display()
        ));
    };
    let named = given.join(file);
    if named.is_file() {
        return Ok(vec![named]);
    }
    let parquet = below(given, &["parquet"]);
    if parquet.is_empty() {
        return fail(format!(
            "the folder \"{}\" holds neither \"{file}\" nor a Parquet file; check --dataset-path",
            given.display()
        ));
    }
    Ok(parquet)
}

/// The files below a folder, three levels deep, whose names end so; sorted.
pub(in crate::dataset) fn below(folder: &Path, endings: &[&str]) -> Vec<PathBuf> {
    fn walk(folder: &Path, endings: &[&str], depth: usize, found: &mut Vec<PathBuf>) {
        let Ok(entries) = std::fs::read_dir(folder) else { return };
        for path in entries.flatten().map(|entry| entry.path()) {
            let ending = path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
            if path.is_dir() && depth > 0 {
                walk(&path, endings, depth - 1, found);
            } else if path.is_file() && endings.contains(&ending.as_str()) {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(folder, endings, 3, &mut found);
    found.sort();
    found
}

/// Opens a file. The error says what to do.
pub(in crate::dataset) fn open(path: &Path) -> Result<File, PartError> {
    File::open(path).map_err(|error| {
        let path = path.display();
        PartError::InvalidConfig(match error.kind() {
            std::io::ErrorKind::NotFound => {
                format!("the dataset file \"{path}\" does not exist; check --dataset-path")
            }
            _ => format!("the dataset file \"{path}\" cannot be opened: {error}; check --dataset-path"),
        })
    })
}

/// Opens a file and decompresses it if it begins as gzip or zstd do.
pub(in crate::dataset) fn reader(path: &Path) -> Result<Box<dyn BufRead + Send>, PartError> {
    const BUFFER: usize = 1 << 16;
    let mut plain = BufReader::with_capacity(BUFFER, open(path)?);
    let wrong = |error: &std::io::Error| PartError::InvalidData(unreadable(path, error));
    let start = plain.fill_buf().map_err(|error| wrong(&error))?;
    if start.starts_with(&[0x1f, 0x8b]) {
        let inner = flate2::bufread::MultiGzDecoder::new(plain);
        return Ok(Box::new(BufReader::with_capacity(BUFFER, inner)));
    }
    if start.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        let inner = zstd::stream::read::Decoder::with_buffer(plain).map_err(|error| wrong(&error))?;
        return Ok(Box::new(BufReader::with_capacity(BUFFER, inner)));
    }
    Ok(Box::new(plain))
}

/// What is wrong with a file that was opened and cannot be read on.
pub(in crate::dataset) fn unreadable(path: &Path, error: &std::io::Error) -> String {
    format!("the dataset file \"{}\" cannot be read: {error}; check --dataset-path", path.display())
}
