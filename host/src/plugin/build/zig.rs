//! Zig: the plugin is a module of what the functions of the contract are made by, and its compiler needs
//! neither a C library nor WASI.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::project::{Job, run};
use super::{BuildError, native, search};
use crate::plugin::sdk;

/// The component of a module in Zig.
pub(super) fn zig(job: &Job<'_>) -> Result<Vec<u8>, BuildError> {
    let zig = find(job.folder).ok_or_else(|| {
        search::missing("zig", "python3 -m venv .venv && .venv/bin/pip install ziglang==0.17.1")
    })?;
    let shared = native::sdk_folder(job, sdk::ZIG)?;
    let out = job.temporary.join("plugin.wasm");
    let mut command = Command::new(zig);
    // What goes wrong in a plugin is to end it with a word, so that its checks stay in.
    command.args(["build-exe", "-target", "wasm32-freestanding", "-fno-entry", "-rdynamic", "-OReleaseSafe"]);
    command.args(["-fstrip", "--name", "plugin"]).arg(joined("-femit-bin=", &out));
    command.args(["--dep", "plugin", "--dep", "tickrate"]).arg(joined("-Mroot=", &shared.join("root.zig")));
    command.args(["--dep", "tickrate"]).arg(joined("-Mplugin=", &job.entry("plugin.zig")));
    command.arg(joined("-Mtickrate=", &shared.join("tickrate.zig")));
    keep_apart(&mut command, job);
    run(command, "zig", job)?;
    native::component_of(job, &out, None)
}

/// zig as its own archive has it, or as Python's package `ziglang` does.
pub(super) fn find(project: &Path) -> Option<PathBuf> {
    search::program(project, "zig").or_else(|| search::program(project, "python-zig"))
}

/// zig keeps what it has compiled where it was called, unless it is told otherwise.
pub(super) fn keep_apart(command: &mut Command, job: &Job<'_>) {
    command.env("ZIG_LOCAL_CACHE_DIR", job.temporary.join("zig"));
}

/// A flag with a path in the same word.
fn joined(flag: &str, path: &Path) -> std::ffi::OsString {
    let mut word = std::ffi::OsString::from(flag);
    word.push(path);
    word
}
