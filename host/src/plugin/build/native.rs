//! C: a compiler makes a core module, and the contract is put around it here.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::component::World;
use super::project::{Job, MANIFEST, run, sources};
use super::{BuildError, component, file, search};
use crate::plugin::{Role, sdk};

/// Where Debian's package `wasi-libc` has its headers.
const DEBIAN_HEADERS: &str = "/usr/include/wasm32-wasi";

/// Flags for a library whose functions are called from outside.
const LIBRARY: [&str; 3] = ["-O2", "-mexec-model=reactor", "-Wl,--strip-all,--gc-sections"];

/// A compiler of C for WebAssembly.
enum Compiler {
    /// clang of a WASI SDK, which knows where its headers are.
    WasiSdk(PathBuf),
    /// clang with the headers of Debian's packages.
    Debian(PathBuf),
    /// `zig cc`.
    Zig(PathBuf),
}

impl Compiler {
    fn find(job: &Job<'_>) -> Result<Compiler, BuildError> {
        let sdk = std::env::var_os("WASI_SDK_PATH").map(|path| PathBuf::from(path).join("bin/clang"));
        if let Some(clang) = sdk.filter(|clang| clang.is_file()) {
            return Ok(Compiler::WasiSdk(clang));
        }
        if let Some(clang) = search::program(job.folder, "clang")
            && Path::new(DEBIAN_HEADERS).join("stdlib.h").exists()
            && search::program(job.folder, "wasm-ld").is_some()
        {
            return Ok(Compiler::Debian(clang));
        }
        find_zig(job).map(Compiler::Zig).ok_or_else(|| {
            search::missing(
                "clang for WebAssembly",
                "apt-get install clang lld wasi-libc libclang-rt-dev-wasm32, \
                 or python3 -m venv .venv && .venv/bin/pip install ziglang==0.17.1",
            )
        })
    }

    fn name(&self) -> &'static str {
        match self {
            Compiler::WasiSdk(_) | Compiler::Debian(_) => "clang",
            Compiler::Zig(_) => "zig",
        }
    }

    fn command(&self, job: &Job<'_>) -> Command {
        match self {
            Compiler::WasiSdk(clang) => {
                let mut command = Command::new(clang);
                command.arg("--target=wasm32-wasip1");
                command
            }
            Compiler::Debian(clang) => {
                let mut command = Command::new(clang);
                command.args(["--target=wasm32-wasi", "--sysroot=/", "-isystem", DEBIAN_HEADERS]);
                command
            }
            Compiler::Zig(zig) => {
                let mut command = Command::new(zig);
                command.args(["cc", "-target", "wasm32-wasi"]);
                // It keeps what it has compiled where it was called, unless it is told otherwise.
                command.env("ZIG_LOCAL_CACHE_DIR", job.temporary.join("zig"));
                command
            }
        }
    }
}

/// The component of the sources in C of a project.
pub(super) fn c(job: &Job<'_>) -> Result<Vec<u8>, BuildError> {
    let compiler = Compiler::find(job)?;
    let sdk = sdk_of(job)?;
    let out = job.temporary.join("plugin.wasm");
    let mut command = compiler.command(job);
    command.args(LIBRARY).arg("-I").arg(&sdk).arg("-o").arg(&out).args(sources(job.folder, "c")?);
    command.args(sources(&sdk, "c")?);
    run(command, compiler.name(), job)?;
    component_of(job, &out)
}

/// zig as its own archive has it, or as Python's package `ziglang` does.
fn find_zig(job: &Job<'_>) -> Option<PathBuf> {
    search::program(job.folder, "zig").or_else(|| search::program(job.folder, "python-zig"))
}

/// The folder of the bindings and of the module that goes with them: the project's own, or the one of
/// this version of tickrate.
fn sdk_of(job: &Job<'_>) -> Result<PathBuf, BuildError> {
    let own = job.folder.join(sdk::FOLDER);
    if own.is_dir() {
        return Ok(own);
    }
    let role = match job.world {
        World::ApiPlugin => Role::Api,
        World::DatasetPlugin => Role::Dataset,
        World::Plugin => {
            let reason =
                format!("there are no bindings for the world \"plugin\" in a folder \"{}\"", sdk::FOLDER);
            return Err(BuildError::Manifest {
                path: job.folder.join(MANIFEST).display().to_string(),
                reason,
            });
        }
    };
    let folder = job.temporary.join(sdk::FOLDER);
    for (name, text) in sdk::c(role) {
        let path = folder.join(name);
        std::fs::create_dir_all(&folder)
            .and_then(|()| std::fs::write(&path, text))
            .map_err(|error| file(&path, &error))?;
    }
    Ok(folder)
}

fn component_of(job: &Job<'_>, module: &Path) -> Result<Vec<u8>, BuildError> {
    let bytes = std::fs::read(module).map_err(|error| file(module, &error))?;
    component::encode_as(job.world, bytes).map_err(|reason| BuildError::Componentize {
        name: job.name.to_owned(),
        reason: crate::plugin::error::one_line(&reason),
    })
}
