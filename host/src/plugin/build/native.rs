//! C and C++: a compiler makes a core module, and the contract is put around it here.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::component::World;
use super::project::{Job, run, sources};
use super::{BuildError, component, file, search, zig};
use crate::plugin::sdk::Template;
use crate::plugin::{Role, sdk};

/// Where Debian's package `wasi-libc` has its headers.
const DEBIAN_HEADERS: &str = "/usr/include/wasm32-wasi";

/// Flags for a library whose functions are called from outside.
const LIBRARY: [&str; 2] = ["-mexec-model=reactor", "-Wl,--strip-all,--gc-sections"];

/// What is to be compiled.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    C,
    Cpp,
}

/// A compiler of C and C++ for WebAssembly.
enum Compiler {
    /// clang of a WASI SDK, which knows where its headers are.
    WasiSdk(PathBuf),
    /// clang with the headers of Debian's packages.
    Debian(PathBuf),
    /// `zig cc`, for C alone.
    Zig(PathBuf),
}

impl Compiler {
    fn find(job: &Job<'_>, wanted: Wanted) -> Result<Compiler, BuildError> {
        if let Some(sdk) = std::env::var_os("WASI_SDK_PATH").filter(|path| !path.is_empty()) {
            let clang = PathBuf::from(&sdk).join("bin/clang");
            let missing = || BuildError::NoWasiSdk(sdk.to_string_lossy().into_owned());
            return if clang.is_file() { Ok(Compiler::WasiSdk(clang)) } else { Err(missing()) };
        }
        let (headers, missing) = match wanted {
            Wanted::C => (
                "stdlib.h",
                search::missing(
                    "clang for WebAssembly",
                    "apt-get install clang lld wasi-libc libclang-rt-dev-wasm32, \
                     or python3 -m venv .venv && .venv/bin/pip install ziglang==0.17.1",
                ),
            ),
            Wanted::Cpp => (
                "c++/v1",
                search::missing(
                    "clang++ for WebAssembly",
                    "apt-get install clang lld wasi-libc libclang-rt-dev-wasm32 libc++-dev-wasm32, \
                     or set WASI_SDK_PATH to a WASI SDK",
                ),
            ),
        };
        if let Some(clang) = search::program(job.folder, "clang")
            && Path::new(DEBIAN_HEADERS).join(headers).exists()
            && search::program(job.folder, "wasm-ld").is_some()
        {
            return Ok(Compiler::Debian(clang));
        }
        // The C++ library of zig writes to a stream before it gives up, which needs WASI.
        let zig = if wanted == Wanted::C { zig::find(job.folder) } else { None };
        zig.map(Compiler::Zig).ok_or(missing)
    }

    fn name(&self) -> &'static str {
        match self {
            Compiler::WasiSdk(_) | Compiler::Debian(_) => "clang",
            Compiler::Zig(_) => "zig",
        }
    }

    /// A command that compiles sources of `wanted`, and links as its programs are linked.
    fn command(&self, job: &Job<'_>, wanted: Wanted) -> Command {
        let cpp = wanted == Wanted::Cpp;
        let mut command = match self {
            Compiler::WasiSdk(clang) => {
                let mut command = Command::new(clang);
                command.arg("--target=wasm32-wasip1");
                command
            }
            Compiler::Debian(clang) => {
                let mut command = Command::new(clang);
                command.args(["--target=wasm32-wasi", "--sysroot=/"]);
                if cpp {
                    command.arg("-isystem").arg(Path::new(DEBIAN_HEADERS).join("c++/v1"));
                }
                command.args(["-isystem", DEBIAN_HEADERS]);
                command
            }
            Compiler::Zig(zig) => {
                let mut command = Command::new(zig);
                command.args(["cc", "-target", "wasm32-wasi"]);
                zig::keep_apart(&mut command, job);
                command
            }
        };
        command.arg("-O2");
        if cpp {
            command.args(["--driver-mode=g++", "-std=c++17", "-fno-exceptions", "-fno-rtti"]);
        }
        command
    }
}

/// The component of the sources in C of a project.
pub(super) fn c(job: &Job<'_>) -> Result<Vec<u8>, BuildError> {
    let compiler = Compiler::find(job, Wanted::C)?;
    let sdk = sdk_of(job)?;
    let mut command = compiler.command(job, Wanted::C);
    command.arg("-I").arg(&sdk).args(sources(job.folder, "c")?).args(sources(&sdk, "c")?);
    linked(&compiler, command, job)
}

/// The component of the sources in C++ of a project, and of those in C that it shares with others.
pub(super) fn cpp(job: &Job<'_>) -> Result<Vec<u8>, BuildError> {
    let compiler = Compiler::find(job, Wanted::Cpp)?;
    let sdk = sdk_of(job)?;
    let mut objects = Vec::new();
    for source in sources(job.folder, "c")?.into_iter().chain(sources(&sdk, "c")?) {
        let object = job.temporary.join(format!("{}.o", objects.len()));
        let mut command = compiler.command(job, Wanted::C);
        command.arg("-I").arg(&sdk).arg("-c").arg(source).arg("-o").arg(&object);
        run(command, compiler.name(), job)?;
        objects.push(object);
    }
    let mut command = compiler.command(job, Wanted::Cpp);
    command.arg("-I").arg(&sdk).args(sources(job.folder, "cpp")?).args(objects);
    linked(&compiler, command, job)
}

/// Links what `command` compiles into a module, and makes a component of it.
fn linked(compiler: &Compiler, mut command: Command, job: &Job<'_>) -> Result<Vec<u8>, BuildError> {
    let out = job.temporary.join("plugin.wasm");
    command.args(LIBRARY).arg("-o").arg(&out);
    run(command, compiler.name(), job)?;
    component_of(job, &out, None)
}

/// The folder of the bindings in C and of the module that goes with them.
fn sdk_of(job: &Job<'_>) -> Result<PathBuf, BuildError> {
    let roles: &[Role] = match job.world {
        World::ApiPlugin => &[Role::Api],
        World::DatasetPlugin => &[Role::Dataset],
        World::Plugin => &[Role::Api, Role::Dataset],
    };
    sdk_folder(job, sdk::c(roles))
}

/// The folder of what plugins in a language share: the project's own, or one with these files of this
/// version of tickrate.
pub(super) fn sdk_folder(
    job: &Job<'_>,
    files: impl IntoIterator<Item = Template>,
) -> Result<PathBuf, BuildError> {
    let own = job.folder.join(sdk::FOLDER);
    if own.is_dir() {
        return Ok(own);
    }
    let folder = job.temporary.join(sdk::FOLDER);
    for (name, text) in files {
        let path = folder.join(name);
        std::fs::create_dir_all(&folder)
            .and_then(|()| std::fs::write(&path, text))
            .map_err(|error| file(&path, &error))?;
    }
    Ok(folder)
}

/// The component of a module whose exports are named as the contract has them.
pub(super) fn component_of(job: &Job<'_>, module: &Path, wasi: Option<&[u8]>) -> Result<Vec<u8>, BuildError> {
    let bytes = std::fs::read(module).map_err(|error| file(module, &error))?;
    component::encode_as(job.world, bytes, wasi).map_err(|reason| BuildError::Componentize {
        name: job.name.to_owned(),
        reason: crate::plugin::error::one_line(&reason),
    })
}
