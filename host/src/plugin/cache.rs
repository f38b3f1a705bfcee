//! What is kept between runs, in folders that only the user can write to.
//!
//! Compiled code is loaded from here and run without being compiled or checked again, so that whoever
//! can write here can run code as the user. That is nobody else: a folder is used only if it belongs
//! to the user of the process and nobody else may write to it, and so is each file. A user who can be
//! made to write here could be made to change the program itself.

use std::fs::{self, DirBuilder, File, Metadata};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// A folder of the user's cache.
#[derive(Debug, Clone)]
pub(super) struct Cache {
    folder: PathBuf,
    most_bytes: u64,
}

impl Cache {
    /// The folder `name` of the user's cache, which is made if need be; `None` if there can be none,
    /// or others could write to it. It is kept below about `most_bytes`.
    pub(super) fn of_user(name: &str, most_bytes: u64) -> Option<Cache> {
        let base = std::env::var_os("XDG_CACHE_HOME")
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
            .or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")))?;
        Cache::at(&base.join("tickrate").join(name), most_bytes)
    }

    /// The cache in `folder`.
    pub(super) fn at(folder: &Path, most_bytes: u64) -> Option<Cache> {
        DirBuilder::new().recursive(true).mode(0o700).create(folder).ok()?;
        let meta = fs::symlink_metadata(folder).ok()?;
        (meta.is_dir() && is_private(&meta)).then(|| Cache { folder: folder.to_owned(), most_bytes })
    }

    /// The file `name`, if it is there and only the user can have written it.
    pub(super) fn file(&self, name: &str) -> Option<PathBuf> {
        let path = self.folder.join(name);
        let meta = fs::symlink_metadata(&path).ok()?;
        (meta.is_file() && is_private(&meta)).then_some(path)
    }

    /// The text of the file `name`.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.file(name)?).ok()
    }

    /// Keeps `bytes` as `name`, all at once or not at all. A cache that is full or cannot be written
    /// is no error. Returns the file.
    pub(super) fn put(&self, name: &str, bytes: &[u8]) -> Option<PathBuf> {
        let path = self.folder.join(name);
        let unnamed = self.folder.join(format!(".{name}.{}", std::process::id()));
        // What a process of the same number left behind is in the way.
        let _ = fs::remove_file(&unnamed);
        let written = File::options()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&unnamed)
            .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_data()))
            .and_then(|()| fs::rename(&unnamed, &path));
        if written.is_err() {
            let _ = fs::remove_file(&unnamed);
            return None;
        }
        self.make_room(&path);
        Some(path)
    }

    /// Says that a file was of use, so that it is among the last to go.
    pub(super) fn touch(path: &Path) {
        // Where that is not possible it goes earlier.
        let _ = File::options().append(true).open(path).and_then(|file| file.set_modified(SystemTime::now()));
    }

    /// Removes what was of no use for longest, until the rest fits.
    fn make_room(&self, but: &Path) {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let mut files: Vec<(SystemTime, u64, PathBuf)> = entries
            .filter_map(|entry| {
                let meta = entry.metadata().ok().filter(Metadata::is_file)?;
                Some((meta.modified().ok()?, meta.len(), entry.path()))
            })
            .collect();
        let mut total: u64 = files.iter().map(|(_, bytes, _)| bytes).sum();
        files.sort();
        for (_, bytes, path) in files.into_iter().filter(|(_, _, path)| path != but) {
            if total <= self.most_bytes {
                return;
            }
            if fs::remove_file(path).is_ok() {
                total -= bytes;
            }
        }
    }
}

/// Whether nobody but the user of this process can have written it.
fn is_private(meta: &Metadata) -> bool {
    // SAFETY: a system call that cannot fail and touches no memory.
    meta.uid() == unsafe { libc::geteuid() } && meta.mode() & 0o022 == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn what_others_could_have_written_is_not_used() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("a/b");
        let cache = Cache::at(&folder, 1 << 20).unwrap();
        assert_eq!(fs::metadata(&folder).unwrap().mode() & 0o777, 0o700);
        let file = cache.put("x", b"hello").unwrap();
        assert_eq!(cache.text("x").as_deref(), Some("hello"));
        fs::set_permissions(&file, fs::Permissions::from_mode(0o666)).unwrap();
        assert_eq!(cache.text("x"), None);
        std::os::unix::fs::symlink("/etc/hostname", folder.join("y")).unwrap();
        assert_eq!(cache.file("y"), None);
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).unwrap();
        assert!(Cache::at(&folder, 1 << 20).is_none());
    }

    #[test]
    fn the_oldest_files_make_room() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::at(&dir.path().join("c"), 250).unwrap();
        for (name, age) in [("a", 30), ("b", 20), ("c", 10)] {
            let file = cache.put(name, &[0; 100]).unwrap();
            let then = SystemTime::now() - std::time::Duration::from_secs(age);
            File::options().append(true).open(file).unwrap().set_modified(then).unwrap();
        }
        cache.put("d", &[0; 100]).unwrap();
        let kept: Vec<_> =
            ["a", "b", "c", "d"].into_iter().filter(|name| cache.file(name).is_some()).collect();
        assert_eq!(kept, ["c", "d"]);
    }
}
