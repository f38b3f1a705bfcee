//! Where a dataset's files are, and reading them whatever they are compressed with.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use crate::contract::PartError;
use crate::dataset::DatasetSpec;

/// Where the files of a dataset can be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The repository on ModelScope: `AI-ModelScope/HC3-Chinese`.
    pub model_scope: &'static str,
    /// The repository on Hugging Face.
    pub hugging_face: &'static str,
    /// The file in it; with a `*`, which stands for anything but a slash, the files.
    pub file: &'static str,
}

impl Place {
    /// The repositories in words.
    pub fn repositories(&self) -> String {
        let Place { model_scope, hugging_face, .. } = self;
        match model_scope == hugging_face {
            true => format!("{model_scope} on modelscope.cn or huggingface.co"),
            false => format!("{model_scope} on modelscope.cn or {hugging_face} on huggingface.co"),
        }
    }

    /// Whether a file of the repository, by its path there, is of the dataset. A single file may be in
    /// any folder.
    pub fn holds(&self, path: &str) -> bool {
        match self.file.split_once('*') {
            Some((begin, end)) => {
                let any = path.strip_prefix(begin).and_then(|rest| rest.strip_suffix(end));
                any.is_some_and(|any| !any.contains('/'))
            }
            None => path.strip_suffix(self.file).is_some_and(|rest| rest.is_empty() || rest.ends_with('/')),
        }
    }
}

/// The files that `--dataset-path` names: the file itself; of a folder that which `place` names, or
/// else all Parquet files in it, in the order of their paths.
pub(in crate::dataset) fn find(spec: &DatasetSpec, place: Option<Place>) -> Result<Vec<PathBuf>, PartError> {
    let name = &spec.name;
    let fail = |text: String| Err(PartError::InvalidConfig(text));
    let Some(given) = spec.path.as_deref() else {
        return fail(match place {
            None => format!("the dataset \"{name}\" reads a file and none is given; pass --dataset-path"),
            Some(place) => format!(
                "the dataset \"{name}\" reads a file and none is given; fetch \"{}\" from {} and pass it with --dataset-path",
                place.file,
                place.repositories()
            ),
        });
    };
    if !given.is_dir() {
        return Ok(vec![given.to_path_buf()]);
    }
    let Some(place) = place else {
        return fail(format!(
            "the dataset \"{name}\" reads a file and \"{}\" is a folder; give --dataset-path a file",
            given.display()
        ));
    };
    let file = place.file;
    let named = given.join(file);
    if named.is_file() {
        return Ok(vec![named]);
    }
    if let Some((_, ending)) = file.rsplit_once("*.") {
        let mut several = below(given, &[ending]);
        let name = |path: &PathBuf| path.strip_prefix(given).ok().map(|name| name.display().to_string());
        several.retain(|path| name(path).is_some_and(|name| place.holds(&name)));
        if !several.is_empty() {
            return Ok(several);
        }
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
