//! Python, JavaScript and TypeScript: an interpreter goes into the component with the plugin.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::project::{Job, run, run_aloud, sources};
use super::{BuildError, file, search};

/// The script that calls componentize-js.
const COMPONENTIZE_JS: &str = include_str!("componentize.mjs");

/// Where componentize-js is below a `node_modules`.
const COMPONENTIZE_JS_MAIN: &str = "@bytecodealliance/componentize-js/src/componentize.js";

/// Where the compiler of TypeScript is below a `node_modules`.
const TSC: &str = "typescript/bin/tsc";

/// The component of a module in Python.
pub(super) fn python(job: &Job<'_>) -> Result<Vec<u8>, BuildError> {
    let tool = search::program(job.folder, "componentize-py").ok_or_else(|| {
        search::missing(
            "componentize-py",
            "python3 -m venv .venv && .venv/bin/pip install componentize-py==0.25.1",
        )
    })?;
    let out = job.temporary.join("plugin.wasm");
    let mut command = Command::new(tool);
    command.arg("-d").arg(job.contract).args(["-w", job.world.name(), "componentize"]);
    command.arg(job.entry("app.py").with_extension("")).arg("-o").arg(&out);
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    run(command, "componentize-py", job)?;
    std::fs::read(&out).map_err(|error| file(&out, &error))
}

/// The component of a module in JavaScript.
pub(super) fn javascript(job: &Job<'_>) -> Result<Vec<u8>, BuildError> {
    componentize(job, &job.folder.join(job.entry("plugin.js")))
}

/// The component of a module in TypeScript, by way of JavaScript. Modules in JavaScript beside it are
/// taken along.
pub(super) fn typescript(job: &Job<'_>) -> Result<Vec<u8>, BuildError> {
    let node = node(job)?;
    let tsc = search::node_module(job.folder, TSC)
        .ok_or_else(|| search::missing("typescript", "npm install --save-dev typescript@7.0.2"))?;
    let out = job.temporary.join("js");
    std::fs::create_dir_all(&out).map_err(|error| file(&out, &error))?;
    for path in sources(job.folder, "js")? {
        if let Some(name) = path.file_name() {
            std::fs::copy(&path, out.join(name)).map_err(|error| file(&path, &error))?;
        }
    }
    let mut command = Command::new(node);
    command.arg(tsc).args(["--project", ".", "--noEmit", "false", "--outDir"]).arg(&out);
    run_aloud(command, "tsc", job)?;
    componentize(job, &out.join(job.entry("plugin.ts").with_extension("js")))
}

pub(super) fn node(job: &Job<'_>) -> Result<PathBuf, BuildError> {
    search::program(job.folder, "node")
        .ok_or_else(|| search::missing("node", "apt-get install nodejs npm, or see https://nodejs.org"))
}

fn componentize(job: &Job<'_>, entry: &Path) -> Result<Vec<u8>, BuildError> {
    let node = node(job)?;
    let tool = search::node_module(job.folder, COMPONENTIZE_JS_MAIN).ok_or_else(|| {
        search::missing(
            "componentize-js",
            // The second is what the first needs and does not name.
            "npm install --save-dev @bytecodealliance/componentize-js@0.23.0 \
             @bytecodealliance/preview2-shim@0.25.0",
        )
    })?;
    let out = job.temporary.join("plugin.wasm");
    let mut command = Command::new(node);
    command.args(["--input-type=module", "-e", COMPONENTIZE_JS, "--"]);
    command.arg(tool).arg(entry).arg(job.contract).arg(job.world.name()).arg(&out);
    run(command, "componentize-js", job)?;
    std::fs::read(&out).map_err(|error| file(&out, &error))
}
