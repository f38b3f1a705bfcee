//! AssemblyScript: a compiler of its own makes a small module, without an interpreter and without WASI.

use std::process::Command;

use super::component::World;
use super::project::{Job, run, sources};
use super::{BuildError, file, native, scripted, search};
use crate::plugin::sdk;

/// Where the compiler is below a `node_modules`.
const ASC: &str = "assemblyscript/bin/asc.js";

/// The component of a project's modules, of which one is called `plugin.ts`. They are compiled in a folder of their
/// own, with what they share beside them.
pub(super) fn assemblyscript(job: &Job<'_>) -> Result<Vec<u8>, BuildError> {
    let node = scripted::node(job)?;
    let asc = search::node_module(job.folder, ASC)
        .ok_or_else(|| search::missing("assemblyscript", "npm install --save-dev assemblyscript@0.28.20"))?;
    let shared = native::sdk_folder(job, sdk::ASSEMBLYSCRIPT)?;
    let folder = job.temporary.join("assemblyscript");
    let beside = folder.join(sdk::FOLDER);
    std::fs::create_dir_all(&beside).map_err(|error| file(&beside, &error))?;
    let modules = sources(job.folder, "ts")?.into_iter().map(|path| (path, &folder));
    let with_them = [sources(&shared, "ts")?, sources(&shared, "mjs")?].concat();
    for (path, to) in modules.chain(with_them.into_iter().map(|path| (path, &beside))) {
        if let Some(name) = path.file_name() {
            std::fs::copy(&path, to.join(name)).map_err(|error| file(&path, &error))?;
        }
    }
    let out = job.temporary.join("plugin.wasm");
    let mut command = Command::new(node);
    command.arg(asc).arg("--baseDir").arg(&folder).args(entries(job.world)).arg("-O3");
    command.args(["--runtime", "incremental", "--use", "abort=tickrate/host/stopped"]);
    command.args(["--transform", "./tickrate/exports.mjs", "-o"]).arg(&out);
    run(command, "asc", job)?;
    native::component_of(job, &out, None)
}

/// The modules that export what a world has.
fn entries(world: World) -> &'static [&'static str] {
    match world {
        World::ApiPlugin => &["tickrate/info.ts", "tickrate/api.ts"],
        World::DatasetPlugin => &["tickrate/info.ts", "tickrate/dataset.ts"],
        World::Plugin => &["tickrate/info.ts", "tickrate/api.ts", "tickrate/dataset.ts"],
    }
}
