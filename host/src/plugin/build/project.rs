//! Plugins in other languages than Rust: folders with a `plugin.json`, built with the tools of their
//! languages. Nothing is installed here; what is missing is named with the way to get it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;

use super::component::World;
use super::{BuildError, assemblyscript, file, go, native, program, scripted, zig};
use crate::plugin::language::Language;
use crate::plugin::wit;

/// The file that makes a folder a project of this kind.
pub(super) const MANIFEST: &str = "plugin.json";

/// What a `plugin.json` says.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Project {
    /// What the component's file is called.
    pub(super) name: String,
    language: Language,
    world: World,
    /// The module: `app.py`, `plugin.js`, `plugin.ts` or `plugin.zig` where nothing is said.
    entry: Option<PathBuf>,
}

/// A project that is being built.
#[derive(Clone, Copy)]
pub(super) struct Job<'a> {
    /// The project's name.
    pub(super) name: &'a str,
    /// Its folder, as an absolute path.
    pub(super) folder: &'a Path,
    pub(super) world: World,
    /// The folder of the contract.
    pub(super) contract: &'a Path,
    /// A folder for what the tools make.
    pub(super) temporary: &'a Path,
    entry: Option<&'a Path>,
}

impl Job<'_> {
    /// The module to begin with, below the folder.
    pub(super) fn entry(&self, usual: &str) -> PathBuf {
        self.entry.map_or_else(|| usual.into(), Path::to_path_buf)
    }
}

/// The files in `folder` with this ending, sorted, and those left out whose names begin with `test_`: they
/// are a project's own tests.
pub(super) fn sources(folder: &Path, ending: &str) -> Result<Vec<PathBuf>, BuildError> {
    let entries = std::fs::read_dir(folder).map_err(|error| file(folder, &error))?;
    let is_test =
        |path: &Path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("test_"));
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|it| it == ending) && !is_test(path))
        .collect();
    files.sort();
    Ok(files)
}

/// The project in `folder`; `None` if it has no `plugin.json`.
pub(super) fn find(folder: &Path) -> Result<Option<Project>, BuildError> {
    let path = folder.join(MANIFEST);
    if !path.exists() {
        return Ok(None);
    }
    let text = std::fs::read_to_string(&path).map_err(|error| file(&path, &error))?;
    let bad = |reason: String| BuildError::Manifest { path: path.display().to_string(), reason };
    let project: Project = serde_json::from_str(&text).map_err(|error| bad(error.to_string()))?;
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if project.name.is_empty() || project.name.starts_with('.') || !project.name.bytes().all(fits) {
        return Err(bad(format!("\"{}\" cannot be the name of a file", project.name)));
    }
    if project.language == Language::Rust {
        return Err(bad("a plugin in Rust is a crate and has no plugin.json".into()));
    }
    Ok(Some(project))
}

/// Builds the project in `folder`; the component's bytes.
pub(super) fn build(project: &Project, folder: &Path) -> Result<Vec<u8>, BuildError> {
    let temporary = tempfile::tempdir().map_err(|error| file(&std::env::temp_dir(), &error))?;
    let folder = std::path::absolute(folder).map_err(|error| file(folder, &error))?;
    // A project may bring the contract that it was written against; it is the same within 0.1.
    let mut contract = folder.join("wit");
    if !contract.is_dir() {
        contract = temporary.path().join("wit");
        wit::write(&contract).map_err(|error| file(&contract, &error))?;
    }
    let job = Job {
        name: &project.name,
        folder: &folder,
        world: project.world,
        contract: &contract,
        temporary: temporary.path(),
        entry: project.entry.as_deref(),
    };
    match project.language {
        Language::Rust => Err(BuildError::NoCrate(folder.display().to_string())),
        Language::Python => scripted::python(&job),
        Language::JavaScript => scripted::javascript(&job),
        Language::TypeScript => scripted::typescript(&job),
        Language::C => native::c(&job),
        Language::Cpp => native::cpp(&job),
        Language::Zig => zig::zig(&job),
        Language::Go => go::go(&job),
        Language::AssemblyScript => assemblyscript::assemblyscript(&job),
    }
}

/// Runs a tool in the project's folder; its errors go to the standard error stream, its chatter nowhere.
pub(super) fn run(mut command: Command, tool: &'static str, job: &Job<'_>) -> Result<(), BuildError> {
    command.stdout(Stdio::null());
    finish(command, tool, job)
}

/// The same for a tool that writes its errors to the standard output: they go where all others do.
pub(super) fn run_aloud(mut command: Command, tool: &'static str, job: &Job<'_>) -> Result<(), BuildError> {
    command.stdout(std::io::stderr());
    finish(command, tool, job)
}

fn finish(mut command: Command, tool: &'static str, job: &Job<'_>) -> Result<(), BuildError> {
    command.current_dir(job.folder).stdin(Stdio::null()).stderr(Stdio::inherit());
    let status = command.status().map_err(|error| program(&command, &error))?;
    if status.success() {
        return Ok(());
    }
    Err(BuildError::Tool { tool, path: job.folder.display().to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(manifest: &str) -> Result<Option<Project>, String> {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(MANIFEST), manifest).unwrap();
        find(dir.path()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_manifest_says_what_is_built_how() {
        for language in Language::ALL.into_iter().filter(|language| *language != Language::Rust) {
            let text =
                format!(r#"{{"name": "x", "language": "{}", "world": "api-plugin"}}"#, language.name());
            let project = told(&text).unwrap().unwrap();
            assert_eq!((project.name.as_str(), project.language, project.entry), ("x", language, None));
        }
        assert!(find(tempfile::tempdir().unwrap().path()).unwrap().is_none());
    }

    #[test]
    fn a_bad_manifest_is_named() {
        let text = told(r#"{"name": "../x", "language": "javascript", "world": "plugin"}"#).unwrap_err();
        assert!(text.contains("plugin.json") && text.contains("\"../x\" cannot be the name"), "{text}");
        let text = told(r#"{"name": "x", "language": "cobol", "world": "plugin"}"#).unwrap_err();
        assert!(text.contains("cobol") && !text.contains('\n'), "{text}");
        let text = told(r#"{"name": "x", "language": "rust", "world": "plugin"}"#).unwrap_err();
        assert!(text.contains("is a crate"), "{text}");
    }

    #[test]
    fn tests_are_no_sources() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["b.c", "a.c", "test_a.c", "a.h"] {
            std::fs::write(dir.path().join(name), "").unwrap();
        }
        assert_eq!(sources(dir.path(), "c").unwrap(), ["a.c", "b.c"].map(|name| dir.path().join(name)));
    }
}
