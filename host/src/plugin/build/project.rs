//! Plugins in Python and JavaScript: folders with a `plugin.json`, built with the tools of their
//! languages. Nothing is installed here; what is missing is named with the way to get it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;

use super::{BuildError, file, program};
use crate::plugin::wit;

/// The file that makes a folder a project of this kind.
pub(super) const MANIFEST: &str = "plugin.json";

/// The script that calls componentize-js.
const COMPONENTIZE_JS: &str = include_str!("componentize.mjs");

/// Where componentize-js is below a `node_modules`.
const COMPONENTIZE_JS_MAIN: &str = "@bytecodealliance/componentize-js/src/componentize.js";

/// What a `plugin.json` says.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Project {
    /// What the component's file is called.
    pub(super) name: String,
    language: Language,
    world: World,
    /// The module: `app.py` or `plugin.js` where nothing is said.
    entry: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Language {
    Python,
    #[serde(alias = "typescript")]
    JavaScript,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum World {
    ApiPlugin,
    DatasetPlugin,
    Plugin,
}

impl World {
    fn name(self) -> &'static str {
        match self {
            World::ApiPlugin => "api-plugin",
            World::DatasetPlugin => "dataset-plugin",
            World::Plugin => "plugin",
        }
    }
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
    let out = temporary.path().join("plugin.wasm");
    let mut command = match project.language {
        Language::Python => python(project, &folder, &contract, &out)?,
        Language::JavaScript => javascript(project, &folder, &contract, &out)?,
    };
    command.current_dir(&folder).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::inherit());
    let status = command.status().map_err(|error| program(&command, &error))?;
    if !status.success() {
        let tool = match project.language {
            Language::Python => "componentize-py",
            Language::JavaScript => "componentize-js",
        };
        return Err(BuildError::Tool { tool, path: folder.display().to_string() });
    }
    std::fs::read(&out).map_err(|error| file(&out, &error))
}

fn python(project: &Project, folder: &Path, wit: &Path, out: &Path) -> Result<Command, BuildError> {
    let beside = [Some(folder.join(".venv")), std::env::var_os("VIRTUAL_ENV").map(PathBuf::from)];
    let beside = beside.into_iter().flatten().map(|venv| venv.join("bin"));
    let tool = in_folders(beside.chain(search_path()), "componentize-py").ok_or(BuildError::Missing {
        tool: "componentize-py",
        get: "python3 -m venv .venv && .venv/bin/pip install componentize-py==0.25.1",
    })?;
    let entry = project.entry.clone().unwrap_or_else(|| "app.py".into());
    let module = entry.with_extension("");
    let mut command = Command::new(tool);
    command.arg("-d").arg(wit).args(["-w", project.world.name(), "componentize"]);
    command.arg(module).arg("-o").arg(out).env("PYTHONDONTWRITEBYTECODE", "1");
    Ok(command)
}

fn javascript(project: &Project, folder: &Path, wit: &Path, out: &Path) -> Result<Command, BuildError> {
    let node = in_folders(search_path(), "node").ok_or(BuildError::Missing {
        tool: "node",
        get: "apt-get install nodejs npm, or see https://nodejs.org",
    })?;
    let modules = folder.ancestors().map(|folder| folder.join("node_modules"));
    let further = std::env::var_os("NODE_PATH").unwrap_or_default();
    let tool = in_folders(modules.chain(std::env::split_paths(&further)), COMPONENTIZE_JS_MAIN).ok_or(
        BuildError::Missing {
            tool: "componentize-js",
            // The second is what the first needs and does not name.
            get: "npm install --save-dev @bytecodealliance/componentize-js@0.23.0 \
                  @bytecodealliance/preview2-shim@0.25.0",
        },
    )?;
    let entry = folder.join(project.entry.as_deref().unwrap_or(Path::new("plugin.js")));
    let mut command = Command::new(node);
    command.args(["--input-type=module", "-e", COMPONENTIZE_JS, "--"]);
    command.arg(tool).arg(entry).arg(wit).arg(project.world.name()).arg(out);
    Ok(command)
}

fn search_path() -> impl Iterator<Item = PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).collect::<Vec<_>>().into_iter()
}

/// The first `name` in these folders, as an absolute path.
fn in_folders(folders: impl Iterator<Item = PathBuf>, name: &str) -> Option<PathBuf> {
    folders
        .filter(|folder| !folder.as_os_str().is_empty())
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
        .and_then(|path| std::path::absolute(path).ok())
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
        let project = told(r#"{"name": "x", "language": "python", "world": "api-plugin"}"#).unwrap().unwrap();
        assert_eq!((project.name.as_str(), project.language, project.entry), ("x", Language::Python, None));
        assert!(find(tempfile::tempdir().unwrap().path()).unwrap().is_none());
    }

    #[test]
    fn a_bad_manifest_is_named() {
        let text = told(r#"{"name": "../x", "language": "javascript", "world": "plugin"}"#).unwrap_err();
        assert!(text.contains("plugin.json") && text.contains("\"../x\" cannot be the name"), "{text}");
        let text = told(r#"{"name": "x", "language": "cobol", "world": "plugin"}"#).unwrap_err();
        assert!(text.contains("cobol") && !text.contains('\n'), "{text}");
    }

    #[test]
    fn the_first_folder_that_has_a_tool_is_taken() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("b")).unwrap();
        std::fs::write(dir.path().join("b/tool"), "").unwrap();
        let folders =
            ["", "a", "b"].map(|name| if name.is_empty() { "".into() } else { dir.path().join(name) });
        assert_eq!(in_folders(folders.clone().into_iter(), "tool"), Some(dir.path().join("b/tool")));
        assert_eq!(in_folders(folders.into_iter(), "other"), None);
    }
}
