//! Builds plugins: crates and projects in, components out.

mod adapter;
mod assemblyscript;
mod component;
mod go;
mod native;
mod project;
mod scripted;
mod search;
mod toolchain;
mod zig;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;
pub use toolchain::Choice;
use toolchain::Toolchain;

/// What is to be built, how, and where to.
#[derive(Debug, Clone)]
pub struct BuildSpec {
    /// Folders of crates, of workspaces, whose crates of the type `cdylib` are then all built, or
    /// of projects in other languages, which have a `plugin.json`.
    pub paths: Vec<PathBuf>,
    /// The folder that the components go to; by default `guests` in the target folder.
    pub out: Option<PathBuf>,
    /// What to build crates with.
    pub toolchain: Choice,
}

/// A component that was built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Built {
    /// The name of the crate, with `-`, or of the project.
    pub name: String,
    /// The file.
    pub path: PathBuf,
    /// Its size in bytes.
    pub bytes: u64,
}

/// Why nothing was built.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// The path holds no plugin.
    #[error(
        "\"{0}\" has no Cargo.toml and no plugin.json; give the folder of a plugin or of a workspace of them"
    )]
    NoCrate(String),
    /// There is nothing to make a component of.
    #[error(
        "\"{0}\" has no crate that can be a component; put crate-type = [\"cdylib\"] below [lib] in Cargo.toml"
    )]
    NoLibrary(String),
    /// No toolchain can build for WebAssembly.
    #[error(
        "no Rust toolchain for WebAssembly ({0}); run \"rustup target add wasm32-wasip2\", or on Debian \
         \"apt-get install rustc-web cargo-web rust-web-src lld-22\""
    )]
    NoToolchain(String),
    /// The environment names a toolchain that there is not.
    #[error("TICKRATE_PLUGIN_TOOLCHAIN is \"{0}\"; set it to auto, rustup or debian")]
    UnknownToolchain(String),
    /// A `plugin.json` does not say what it should.
    #[error(
        "cannot read \"{path}\": {reason}; give it \"name\", \"language\" (python, javascript, typescript, c, \
         cpp, zig, go or assemblyscript) and \"world\" (api-plugin, dataset-plugin or plugin)"
    )]
    Manifest {
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A tool that the language needs is not there.
    #[error("\"{tool}\" is not installed; get it with: {get}")]
    Missing {
        /// The tool.
        tool: &'static str,
        /// The command that installs it.
        get: &'static str,
    },
    /// The environment names a WASI SDK that there is not.
    #[error(
        "WASI_SDK_PATH is \"{0}\", which has no bin/clang; set it to the folder of a WASI SDK, or unset it"
    )]
    NoWasiSdk(String),
    /// A tool failed; what it had to say is on the standard error stream.
    #[error("{tool} could not build \"{path}\"; see its messages above and correct the plugin")]
    Tool {
        /// The tool.
        tool: &'static str,
        /// The project.
        path: String,
    },
    /// Cargo failed; what it had to say is on the standard error stream.
    #[error("cargo could not build \"{0}\"; see its messages above and correct the crate")]
    Cargo(String),
    /// A program could not be run, or did not say what was expected.
    #[error("cannot run \"{program}\": {reason}; check that it is installed")]
    Program {
        /// The program.
        program: String,
        /// What went wrong.
        reason: String,
    },
    /// The module does not fit the contract.
    #[error(
        "\"{name}\" cannot become a component: {reason}; see docs/plugins.md for what a component may need"
    )]
    Componentize {
        /// The crate.
        name: String,
        /// What does not fit.
        reason: String,
    },
    /// A file could not be read or written.
    #[error("cannot use the file \"{path}\": {reason}; check the folder and its permissions")]
    File {
        /// The file.
        path: String,
        /// What the system said.
        reason: String,
    },
}

/// Builds all plugins of `spec`, the crates of one workspace in one call of cargo, and returns the
/// components sorted by name. The tools write their progress to the standard error stream.
///
/// # Errors
/// If a path holds no plugin, a tool is not there, or a plugin does not build.
pub fn build(spec: &BuildSpec) -> Result<Vec<Built>, BuildError> {
    let target = target_folder()?;
    let out = spec.out.clone().unwrap_or_else(|| target.join("guests"));
    let (mut folders, mut built) = (Vec::new(), Vec::new());
    for path in &spec.paths {
        match project::find(path)? {
            None => folders.push(path),
            Some(project) => built.push(write(project.name.clone(), &project::build(&project, path)?, &out)?),
        }
    }
    if let Some(missing) = folders.iter().find(|path| !path.join("Cargo.toml").exists()) {
        return Err(BuildError::NoCrate(missing.display().to_string()));
    }
    if !folders.is_empty() {
        let toolchain = toolchain::find(spec.toolchain)?;
        let mut workspaces: BTreeMap<PathBuf, Vec<String>> = BTreeMap::new();
        for path in folders {
            let (root, crates) = crates(&toolchain, path)?;
            workspaces.entry(root).or_default().extend(crates);
        }
        for (root, crates) in &workspaces {
            for (name, module) in compile(&toolchain, root, crates, &target.join("guest-build"))? {
                built.push(place(name, &module, &out)?);
            }
        }
    }
    built.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(built)
}

fn file(path: &Path, error: &std::io::Error) -> BuildError {
    BuildError::File { path: path.display().to_string(), reason: error.to_string() }
}

/// Where everything that is built goes, as cargo has it: `CARGO_TARGET_DIR`, else `target` here.
fn target_folder() -> Result<PathBuf, BuildError> {
    let folder = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from);
    std::path::absolute(&folder).map_err(|error| file(&folder, &error))
}

/// The part of `cargo metadata` that matters here.
#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    workspace_root: PathBuf,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    manifest_path: PathBuf,
    targets: Vec<Target>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

impl Target {
    fn is_component(&self) -> bool {
        self.kind.iter().any(|kind| kind == "cdylib")
    }
}

/// The workspace that `path` belongs to, and the crates of it that are asked for, as cargo's `-p` takes them.
fn crates(toolchain: &Toolchain, path: &Path) -> Result<(PathBuf, Vec<String>), BuildError> {
    let shown = path.display().to_string();
    let manifest = path.join("Cargo.toml").canonicalize().map_err(|_| BuildError::NoCrate(shown.clone()))?;
    let mut command = toolchain.cargo();
    command.args(["metadata", "--no-deps", "--format-version", "1", "--manifest-path"]).arg(&manifest);
    let output = command.stderr(Stdio::inherit()).output().map_err(|error| program(&command, &error))?;
    if !output.status.success() {
        return Err(BuildError::Cargo(shown));
    }
    let metadata: Metadata =
        serde_json::from_slice(&output.stdout).map_err(|error| program(&command, &error))?;
    let alone = metadata.packages.iter().any(|package| package.manifest_path == manifest);
    let crates: Vec<String> = metadata
        .packages
        .into_iter()
        .filter(|package| !alone || package.manifest_path == manifest)
        .filter(|package| package.targets.iter().any(Target::is_component))
        // Something that it depends on may go by the same name, so that the version is said as well.
        .map(|package| format!("{}@{}", package.name, package.version))
        .collect();
    if crates.is_empty() {
        return Err(BuildError::NoLibrary(shown));
    }
    Ok((metadata.workspace_root, crates))
}

fn program(command: &Command, error: &dyn std::fmt::Display) -> BuildError {
    BuildError::Program {
        program: command.get_program().to_string_lossy().into_owned(),
        reason: super::error::one_line(&error.to_string()),
    }
}

/// A message of cargo about something that it made.
#[derive(Deserialize)]
struct Artifact {
    reason: String,
    target: Option<Target>,
    #[serde(default)]
    filenames: Vec<PathBuf>,
}

/// Compiles crates of one workspace; returns their names and modules.
fn compile(
    toolchain: &Toolchain,
    root: &Path,
    crates: &[String],
    target: &Path,
) -> Result<Vec<(String, PathBuf)>, BuildError> {
    let mut command = toolchain.cargo();
    command
        .current_dir(root)
        .args(["build", "--release", "--message-format=json-render-diagnostics", "--target-dir"])
        .arg(target)
        .args(toolchain.flags());
    for one in crates {
        command.args(["-p", one]);
    }
    let output = command.stderr(Stdio::inherit()).output().map_err(|error| program(&command, &error))?;
    if !output.status.success() {
        return Err(BuildError::Cargo(crates.join("\", \"")));
    }
    let mut modules = Vec::new();
    for line in output.stdout.split(|&byte| byte == b'\n') {
        // Cargo may print what is no message of its own; whatever cannot be read is not an artifact.
        let Ok(Artifact { reason, target: Some(target), filenames }) = serde_json::from_slice(line) else {
            continue;
        };
        if reason == "compiler-artifact" && target.is_component() {
            let module = filenames.into_iter().find(|path| path.extension().is_some_and(|e| e == "wasm"));
            modules.extend(module.map(|path| (target.name.replace('_', "-"), path)));
        }
    }
    Ok(modules)
}

/// Makes a component of the module, if it is not one, and puts it where it belongs.
fn place(name: String, module: &Path, out: &Path) -> Result<Built, BuildError> {
    let mut bytes = std::fs::read(module).map_err(|error| file(module, &error))?;
    if component::is_module(&bytes) {
        bytes = component::encode(&bytes).map_err(|reason| BuildError::Componentize {
            name: name.clone(),
            reason: super::error::one_line(&reason),
        })?;
    }
    write(name, &bytes, out)
}

/// Puts a component where it belongs; it is there as a whole, or as it was before.
fn write(name: String, bytes: &[u8], out: &Path) -> Result<Built, BuildError> {
    std::fs::create_dir_all(out).map_err(|error| file(out, &error))?;
    let path = out.join(format!("{name}.wasm"));
    let unfinished = out.join(format!(".{name}.wasm.{}", std::process::id()));
    std::fs::write(&unfinished, bytes)
        .and_then(|()| std::fs::rename(&unfinished, &path))
        .map_err(|error| file(&path, &error))?;
    Ok(Built { name, path, bytes: bytes.len() as u64 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_without_a_crate_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let spec = BuildSpec { paths: vec![dir.path().into()], out: None, toolchain: Choice::Auto };
        let toolchain = Toolchain::Rustup;
        let text = crates(&toolchain, &spec.paths[0]).unwrap_err().to_string();
        assert!(text.ends_with(
            "has no Cargo.toml and no plugin.json; give the folder of a plugin or of a workspace of them"
        ));
    }
}
