//! The one thing of the machine that a dataset plugin can see: the file or folder given with
//! `--dataset-path`, readable and not writable.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// Where a plugin finds the dataset among its own files.
pub(super) const MOUNT: &str = "/data";

/// Files of a folder that are looked at, at most; a mistaken `--dataset-path /` must end.
const MOST_FILES: usize = 100_000;

/// Bytes of a single file that are copied, where it can be given to WASI in no other way.
const MOST_COPIED: u64 = 1 << 30;

/// The dataset's files.
#[derive(Debug, Default)]
pub(super) struct Files {
    root: Option<PathBuf>,
    found: OnceLock<Result<BTreeMap<String, Found>, String>>,
}

/// A file and its size in bytes.
#[derive(Debug, Clone)]
struct Found {
    path: PathBuf,
    bytes: u64,
}

impl Files {
    /// The files at `root`: of that folder and those below it, or that file alone.
    pub(super) fn new(root: Option<PathBuf>) -> Files {
        Files { root, found: OnceLock::new() }
    }

    /// The path that the plugin is told.
    pub(super) fn guest_path(&self) -> Option<String> {
        let root = self.root.as_deref()?;
        Some(if root.is_dir() { MOUNT.into() } else { format!("{MOUNT}/{}", file_name(root)) })
    }

    /// Names and sizes in bytes, sorted by name.
    pub(super) fn list(&self) -> Result<Vec<(String, u64)>, String> {
        Ok(self.found()?.iter().map(|(name, found)| (name.clone(), found.bytes)).collect())
    }

    /// At most `length` bytes of the file `name`, from `offset`.
    pub(super) fn read(&self, name: &str, offset: u64, length: u32) -> Result<Vec<u8>, String> {
        let found = self.found()?.get(name).ok_or_else(|| format!("the dataset has no file \"{name}\""))?;
        let length = u64::from(length).min(found.bytes.saturating_sub(offset));
        let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
        let mut read = || -> std::io::Result<usize> {
            let mut file = File::open(&found.path)?;
            file.seek(SeekFrom::Start(offset))?;
            file.take(length).read_to_end(&mut bytes)
        };
        read().map_err(|error| format!("cannot read \"{name}\": {error}"))?;
        Ok(bytes)
    }

    fn found(&self) -> Result<&BTreeMap<String, Found>, String> {
        self.found.get_or_init(|| self.look()).as_ref().map_err(Clone::clone)
    }

    fn look(&self) -> Result<BTreeMap<String, Found>, String> {
        let mut found = BTreeMap::new();
        let Some(root) = self.root.as_deref() else { return Ok(found) };
        let failed = |error: std::io::Error| format!("cannot read the dataset: {error}");
        let meta = std::fs::metadata(root).map_err(failed)?;
        if meta.is_file() {
            found.insert(file_name(root), Found { path: root.into(), bytes: meta.len() });
            return Ok(found);
        }
        let mut folders = vec![(root.to_owned(), String::new())];
        while let Some((folder, prefix)) = folders.pop() {
            for entry in std::fs::read_dir(&folder).map_err(failed)? {
                let entry = entry.map_err(failed)?;
                let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
                // Follows links to files: hubs keep a dataset as links into their cache. It does
                // not follow links to folders, which may lead round in circles.
                let Ok(meta) = std::fs::metadata(entry.path()) else { continue };
                if meta.is_file() {
                    found.insert(name, Found { path: entry.path(), bytes: meta.len() });
                } else if entry.file_type().map_err(failed)?.is_dir() {
                    folders.push((entry.path(), format!("{name}/")));
                }
                if found.len() > MOST_FILES {
                    return Err(format!(
                        "the dataset has more than {MOST_FILES} files; give a folder of its own"
                    ));
                }
            }
        }
        Ok(found)
    }

    /// A folder that WASI can open as [`MOUNT`]. WASI opens folders only, so that a single file
    /// is linked, or where the temporary folder is on another disk copied, into one of its own.
    pub(super) fn folder(&self) -> Result<Option<Folder>, String> {
        let Some(root) = self.root.as_deref() else { return Ok(None) };
        if root.is_dir() {
            return Ok(Some(Folder { path: root.to_owned(), ours: false }));
        }
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let unique = format!("tickrate-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(unique);
        let failed = |error: std::io::Error| format!("cannot lay out the dataset for the plugin: {error}");
        let mut builder = std::fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&path).map_err(failed)?;
        let folder = Folder { path, ours: true };
        let inside = folder.path.join(file_name(root));
        let real = root.canonicalize().map_err(failed)?;
        if std::fs::hard_link(&real, &inside).is_err() {
            if std::fs::metadata(&real).map_err(failed)?.len() > MOST_COPIED {
                return Err(
                    "the dataset is too large to be copied for WASI; give its folder as --dataset-path"
                        .into(),
                );
            }
            std::fs::copy(&real, &inside).map_err(failed)?;
        }
        Ok(Some(folder))
    }
}

fn file_name(path: &Path) -> String {
    path.file_name().map_or_else(|| "data".into(), |name| name.to_string_lossy().into_owned())
}

/// A folder that a plugin may read; one that was made for it goes with it.
#[derive(Debug)]
pub(super) struct Folder {
    /// Where it is.
    pub(super) path: PathBuf,
    ours: bool,
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.ours {
            // Nothing can be done about a temporary folder that will not go.
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_listed_with_all_below_it_and_read_in_pieces() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("sub")).unwrap();
        std::fs::write(dir.path().join("sub/b.txt"), "hello").unwrap();
        std::fs::write(dir.path().join("a.txt"), "x").unwrap();
        let files = Files::new(Some(dir.path().into()));
        assert_eq!(files.guest_path().as_deref(), Some("/data"));
        assert_eq!(files.list().unwrap(), [("a.txt".into(), 1), ("sub/b.txt".into(), 5)]);
        assert_eq!(files.read("sub/b.txt", 1, 3).unwrap(), b"ell");
        assert_eq!(files.read("sub/b.txt", 4, u32::MAX).unwrap(), b"o");
        assert_eq!(files.read("sub/b.txt", 9, 1).unwrap(), b"");
    }

    #[test]
    fn nothing_outside_can_be_named() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("in.txt"), "x").unwrap();
        std::fs::write(dir.path().join("out.txt"), "secret").unwrap();
        let files = Files::new(Some(dir.path().join("in.txt")));
        assert_eq!(files.guest_path().as_deref(), Some("/data/in.txt"));
        for name in ["out.txt", "../out.txt", "/etc/hostname", ""] {
            assert_eq!(files.read(name, 0, 9), Err(format!("the dataset has no file \"{name}\"")));
        }
        assert_eq!(Files::new(None).list().unwrap(), []);
    }

    #[test]
    fn a_single_file_gets_a_folder_of_its_own_that_goes_with_its_user() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("in.txt"), "x").unwrap();
        std::fs::write(dir.path().join("out.txt"), "secret").unwrap();
        let files = Files::new(Some(dir.path().join("in.txt")));
        let folder = files.folder().unwrap().unwrap();
        let path = folder.path.clone();
        let names: Vec<_> = std::fs::read_dir(&path).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(names, ["in.txt"]);
        drop(folder);
        assert!(!path.exists());
        assert!(dir.path().join("in.txt").exists());
    }
}
