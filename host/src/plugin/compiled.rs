//! A component's machine code: compiled once, kept, and mapped into memory from then on. A file that
//! has not changed since it was last used is not even read.

use std::fs::{self, File, Metadata};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use sha2::{Digest, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;

use super::cache::Cache;
use super::error::{PluginError, one_line};

/// How old a file must be before its times can be trusted to change with it.
const SETTLED: Duration = Duration::from_secs(2);

/// A component, ready to be linked.
pub(super) struct Compiled {
    /// The component.
    pub(super) component: Component,
    /// SHA-256 of its file, in hexadecimal.
    pub(super) sha256: String,
    /// The size of its file, in bytes.
    pub(super) bytes: u64,
}

/// The component in the file at `path`, compiled or from `cache`.
///
/// # Errors
/// If the file cannot be read, is no component, or cannot be compiled.
pub(super) fn open(engine: &Engine, cache: Option<&Cache>, path: &Path) -> Result<Compiled, PluginError> {
    let shown = path.display().to_string();
    let unreadable =
        |error: std::io::Error| PluginError::Read { path: shown.clone(), reason: error.to_string() };
    let mut file = File::open(path).map_err(unreadable)?;
    let meta = file.metadata().map_err(unreadable)?;
    if let Some(cache) = cache
        && let Some(sha256) = seen(cache, path, &meta)
        && let Some(component) = load(engine, cache, &sha256)
    {
        return Ok(Compiled { component, sha256, bytes: meta.len() });
    }
    let mut bytes = Vec::with_capacity(usize::try_from(meta.len()).unwrap_or(0));
    file.read_to_end(&mut bytes).map_err(unreadable)?;
    if let Some(found) = no_component(&bytes) {
        return Err(PluginError::NotAComponent { path: shown, found: found.into() });
    }
    let sha256 = hex(&Sha256::digest(&bytes));
    let component = match cache.and_then(|cache| load(engine, cache, &sha256)) {
        Some(component) => component,
        None => {
            let component = Component::from_binary(engine, &bytes).map_err(|error| PluginError::Compile {
                path: shown,
                reason: one_line(&error.root_cause().to_string()),
            })?;
            if let Some(cache) = cache {
                save(engine, cache, &sha256, &component);
            }
            component
        }
    };
    if let Some(cache) = cache {
        note(cache, path, &file, &meta, &sha256);
    }
    Ok(Compiled { component, sha256, bytes: bytes.len() as u64 })
}

/// What the bytes are, if they are no component.
pub(super) fn no_component(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        // The version of a core module is 1 and its layer 0; those of a component 13 and 1.
        [b'\0', b'a', b's', b'm', _, _, 1, 0, ..] => None,
        [b'\0', b'a', b's', b'm', _, _, 0, 0, ..] => Some("a core module"),
        [b'\0', b'a', b's', b'm', ..] => Some("a damaged WebAssembly file"),
        [] => Some("an empty file"),
        _ if std::str::from_utf8(bytes).is_ok() => Some("a text file"),
        _ => Some("a file of another kind"),
    }
}

/// Bytes in hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What changes with a file's content: the place, the size and the times. The time of the last
/// change of the file's entry is the system's own and can be set by nobody.
fn stamp(meta: &Metadata) -> String {
    format!(
        "{} {} {} {}.{} {}.{}",
        meta.dev(),
        meta.ino(),
        meta.len(),
        meta.mtime(),
        meta.mtime_nsec(),
        meta.ctime(),
        meta.ctime_nsec()
    )
}

/// The name of what is known of the file at `path`.
fn seen_name(path: &Path) -> Option<String> {
    let real = fs::canonicalize(path).ok()?;
    Some(format!("{}.seen", &hex(&Sha256::digest(real.as_os_str().as_encoded_bytes()))[..32]))
}

/// The SHA-256 of the file, if it is as it was when it was read last.
fn seen(cache: &Cache, path: &Path, meta: &Metadata) -> Option<String> {
    let text = cache.text(&seen_name(path)?)?;
    let (then, sha256) = text.split_once('\n')?;
    (then == stamp(meta) && sha256.len() == 64).then(|| sha256.to_owned())
}

/// Notes the SHA-256 of a file that did not change while it was read, and not a moment before: two
/// changes within one tick of the clock look like one.
fn note(cache: &Cache, path: &Path, file: &File, before: &Metadata, sha256: &str) {
    let stamp = stamp(before);
    let same = file.metadata().is_ok_and(|after| self::stamp(&after) == stamp);
    let changed = before.modified().ok().max(
        u64::try_from(before.ctime())
            .ok()
            .map(|seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)),
    );
    let settled = changed.and_then(|then| then.elapsed().ok()).is_some_and(|age| age > SETTLED);
    if same
        && settled
        && let Some(name) = seen_name(path)
    {
        cache.put(&name, format!("{stamp}\n{sha256}").as_bytes());
    }
}

/// The name of the machine code of the component with that SHA-256, for this engine on this machine.
fn name(engine: &Engine, sha256: &str) -> String {
    let mut hasher = DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut hasher);
    env!("CARGO_PKG_VERSION").hash(&mut hasher);
    format!("{sha256}-{:016x}.cwasm", hasher.finish())
}

/// The check of machine code against damage by disks and crashes.
fn sum(code: &[u8]) -> String {
    let mut crc = flate2::Crc::new();
    crc.update(code);
    format!("{} {:08x}", code.len(), crc.sum())
}

fn save(engine: &Engine, cache: &Cache, sha256: &str, component: &Component) {
    let Ok(code) = component.serialize() else { return };
    let name = name(engine, sha256);
    cache.put(&format!("{name}.sum"), sum(&code).as_bytes());
    cache.put(&name, &code);
}

fn load(engine: &Engine, cache: &Cache, sha256: &str) -> Option<Component> {
    let name = name(engine, sha256);
    let file = cache.file(&name)?;
    let told = cache.text(&format!("{name}.sum"))?;
    let code = fs::read(&file).ok()?;
    if sum(&code) != told {
        return None;
    }
    // SAFETY: the file is machine code that this program's compiler wrote. Only the user can have
    // written it (`Cache`), it is whole (`sum`), and it is for this very engine (`name`; wasmtime
    // checks that as well). It is replaced and removed by name only, never written to, so that it
    // does not change under the map.
    let component = unsafe { Component::deserialize_file(engine, &file) }.ok()?;
    Cache::touch(&file);
    Some(component)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{guest, runtime};
    use super::*;

    fn names(folder: &Path, end: &str) -> Vec<std::path::PathBuf> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        entries.filter(|path| path.to_string_lossy().ends_with(end)).collect()
    }

    /// A copy of a guest that has not changed for a while.
    fn settled(folder: &Path) -> std::path::PathBuf {
        let path = folder.join("p.wasm");
        fs::copy(guest("arithmetic"), &path).unwrap();
        std::thread::sleep(SETTLED + Duration::from_millis(1_100));
        path
    }

    #[test]
    fn a_component_is_compiled_once_and_then_not_even_read() {
        let dir = tempfile::tempdir().unwrap();
        let (engine, path) = (runtime().engine, settled(dir.path()));
        let folder = dir.path().join("cache");
        let cache = Cache::at(&folder, 1 << 30).unwrap();
        let first = open(&engine, Some(&cache), &path).unwrap();
        let told = Sha256::digest(fs::read(&path).unwrap());
        assert_eq!(
            (first.sha256.as_str(), first.bytes),
            (hex(&told).as_str(), fs::metadata(&path).unwrap().len())
        );
        assert_eq!((names(&folder, ".cwasm").len(), names(&folder, ".seen").len()), (1, 1));
        // What it is known by now is all that is looked at: another hash is believed, and not found.
        let seen = names(&folder, ".seen").remove(0);
        let lie = fs::read_to_string(&seen).unwrap().replace(&first.sha256, &"0".repeat(64));
        assert!(lie.ends_with(&"0".repeat(64)));
        let meta = fs::metadata(&path).unwrap();
        assert_eq!(super::seen(&cache, &path, &meta), Some(first.sha256.clone()));
        assert!(load(&engine, &cache, &first.sha256).is_some());
        // A file that was written since is read again.
        fs::copy(guest("synthetic-chat"), &path).unwrap();
        assert_eq!(super::seen(&cache, &path, &fs::metadata(&path).unwrap()), None);
        assert_ne!(open(&engine, Some(&cache), &path).unwrap().sha256, first.sha256);
        assert_eq!(names(&folder, ".cwasm").len(), 2);
        assert_eq!(names(&folder, ".seen").len(), 1, "too new to be known by its times");
        assert_eq!(super::seen(&cache, &path, &fs::metadata(&path).unwrap()), None);
    }

    #[test]
    fn code_that_is_damaged_or_that_others_could_write_is_compiled_again() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let (engine, path) = (runtime().engine, guest("arithmetic"));
        let folder = dir.path().join("cache");
        let cache = Cache::at(&folder, 1 << 30).unwrap();
        let sha256 = open(&engine, Some(&cache), &path).unwrap().sha256;
        let code = names(&folder, ".cwasm").remove(0);
        let mut bytes = fs::read(&code).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        cache.put(code.file_name().unwrap().to_str().unwrap(), &bytes).unwrap();
        assert!(load(&engine, &cache, &sha256).is_none());
        open(&engine, Some(&cache), &path).unwrap();
        assert!(load(&engine, &cache, &sha256).is_some());
        fs::set_permissions(&code, fs::Permissions::from_mode(0o620)).unwrap();
        assert!(load(&engine, &cache, &sha256).is_none());
    }

    #[test]
    fn files_that_are_no_components_are_told_apart() {
        assert_eq!(no_component(b"\0asm\x0d\0\x01\0"), None);
        assert_eq!(no_component(b"\0asm\x01\0\0\0"), Some("a core module"));
        assert_eq!(no_component(b"\0asm"), Some("a damaged WebAssembly file"));
        assert_eq!(no_component(b""), Some("an empty file"));
        assert_eq!(no_component(b"hello"), Some("a text file"));
        assert_eq!(no_component(b"\xff\xd8"), Some("a file of another kind"));
    }
}
