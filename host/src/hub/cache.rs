//! Where downloaded files are kept. For Hugging Face that is the layout of `huggingface_hub`: blobs
//! under their checksums, and a folder of links for each commit. For ModelScope it is a folder for
//! each repository, as `modelscope` has it, with each file's checksum beside it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::listing::RemoteFile;
use super::settings::HubSettings;
use super::{Fetched, Hub, HubError, Kind, Repository};

/// The cache of one repository.
pub(super) struct Cache {
    hub: Hub,
    folder: PathBuf,
}

/// The branch that files are of.
const HF_BRANCH: &str = "main";

impl Cache {
    pub(super) fn new(settings: &HubSettings, repository: Repository<'_>) -> Cache {
        let Repository { hub, kind, id } = repository;
        let kinds = match kind {
            Kind::Dataset => "datasets",
            Kind::Model => "models",
        };
        let folder = match hub {
            Hub::HuggingFace => settings.cache.join(format!("{kinds}--{}", id.replace('/', "--"))),
            Hub::ModelScope => settings.cache.join(kinds).join(id),
        };
        Cache { hub, folder }
    }

    /// The repository's own folder.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The folder that the files of a commit are in.
    pub(super) fn snapshot(&self, commit: &str) -> PathBuf {
        match self.hub {
            Hub::HuggingFace => self.folder.join("snapshots").join(commit),
            Hub::ModelScope => self.folder.clone(),
        }
    }

    /// A file, if it is there as the hub has it.
    pub(super) fn find(&self, commit: &str, file: &RemoteFile) -> Option<PathBuf> {
        let path = self.snapshot(commit).join(&file.path);
        let bytes = fs::metadata(&path).ok().filter(fs::Metadata::is_file)?.len();
        if file.bytes.is_some_and(|expected| expected != bytes) {
            return None;
        }
        match (self.hub, &file.checksum) {
            // What a commit's folder holds was checked when it was put there, and commits do not change.
            (Hub::HuggingFace, _) => Some(path),
            (Hub::ModelScope, None) => file.bytes.map(|_| path),
            (Hub::ModelScope, Some(checksum)) => {
                let noted = fs::read_to_string(noted(&path)).ok();
                if noted.as_deref() == Some(checksum.digits()) {
                    return Some(path);
                }
                // It may have been put there by another program.
                let same = checksum.of_file(&path).is_ok_and(|sum| sum == checksum.digits());
                same.then(|| {
                    let _ = fs::write(self::noted(&path), checksum.digits());
                    path
                })
            }
        }
    }

    /// The files that are wanted, of the commit that was current when the hub was asked last.
    pub(super) fn newest(&self, wanted: &dyn Fn(&str) -> bool) -> Option<Fetched> {
        let commit = match self.hub {
            Hub::HuggingFace => fs::read_to_string(self.folder.join("refs").join(HF_BRANCH)).ok()?,
            Hub::ModelScope => String::new(),
        };
        let folder = self.snapshot(commit.trim());
        let mut files = Vec::new();
        walk(&folder, &mut files);
        let name = |path: &PathBuf| path.strip_prefix(&folder).ok().map(|name| name.display().to_string());
        files.retain(|path| name(path).is_some_and(|name| wanted(&name)));
        files.sort();
        (!files.is_empty()).then_some(Fetched { folder, files, note: None })
    }

    /// Where a file is put while it is downloaded.
    pub(super) fn unfinished(&self, file: &RemoteFile) -> PathBuf {
        let folder = match self.hub {
            Hub::HuggingFace => self.folder.join("blobs"),
            Hub::ModelScope => self.folder.join("._____temp"),
        };
        folder.join(format!("{}.incomplete", blob(file)))
    }

    /// Gives a file that was downloaded and checked its place.
    pub(super) fn keep(&self, commit: &str, file: &RemoteFile) -> Result<PathBuf, HubError> {
        let path = self.snapshot(commit).join(&file.path);
        let kept = match self.hub {
            Hub::HuggingFace => self.link(commit, file, &path),
            Hub::ModelScope => make_room(&path)
                .and_then(|()| fs::rename(self.unfinished(file), &path))
                .and_then(|()| match &file.checksum {
                    Some(checksum) => fs::write(noted(&path), checksum.digits()),
                    None => Ok(()),
                }),
        };
        kept.map(|()| path).map_err(|error| self.full(&file.path, &error))
    }

    fn link(&self, commit: &str, file: &RemoteFile, path: &Path) -> io::Result<()> {
        let name = blob(file);
        let kept = self.folder.join("blobs").join(&name);
        fs::rename(self.unfinished(file), &kept)?;
        make_room(path)?;
        // From the file's folder up to that of the repository, and down to the blob.
        let depth = file.path.split('/').count() + 1;
        let target: PathBuf = std::iter::repeat_n("..", depth).collect();
        match std::os::unix::fs::symlink(target.join("blobs").join(&name), path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            // A file system without links.
            Err(_) if self.snapshot(commit).is_dir() => fs::copy(&kept, path).map(|_| ()),
            linked => linked,
        }
    }

    /// Notes that a commit is the current one.
    pub(super) fn remember(&self, commit: &str) -> Result<(), HubError> {
        if self.hub == Hub::ModelScope {
            return Ok(());
        }
        let file = self.folder.join("refs").join(HF_BRANCH);
        make_room(&file)
            .and_then(|()| fs::write(&file, commit))
            .map_err(|error| self.full("refs/main", &error))
    }

    fn full(&self, file: &str, error: &io::Error) -> HubError {
        HubError::Cache(file.to_string(), error.to_string(), self.hub.cache_variable())
    }
}

/// The name of a file's bytes.
fn blob(file: &RemoteFile) -> String {
    match &file.checksum {
        Some(checksum) => checksum.digits().chars().filter(char::is_ascii_alphanumeric).collect(),
        None => file.path.replace('/', "--"),
    }
}

/// Where a file's checksum is noted.
fn noted(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_os_string();
    name.push(".sha256");
    name.into()
}

fn make_room(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), fs::create_dir_all)
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
    for path in fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()) {
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("._____"));
        match path.is_dir() {
            true if !hidden => walk(&path, files),
            true => {}
            false => files.push(path),
        }
    }
}
