//! What plugins in C, C++, Zig, Go and AssemblyScript share, as text: the files of `examples/sdk`, which go into new projects and to the
//! compiler where a project does not bring its own.

use super::Role;

/// A file: its path below the folder that it belongs to, and its text.
pub(super) type Template = (&'static str, &'static str);

/// The folder of a project that has these files.
pub(super) const FOLDER: &str = "tickrate";

macro_rules! files {
    ($folder:literal: $($file:literal),+ $(,)?) => {
        [$(($file, include_str!(concat!("../../../examples/sdk/", $folder, $file)))),+]
    };
}

const SHARED: [Template; 5] = files!("c/": "tickrate.h", "tickrate.c", "json.c", "files.c", "utf8.h");
const CPP: [Template; 1] = files!("cpp/": "tickrate.hpp");
/// What `wit-bindgen c` makes of the contract's world for APIs.
const API: [Template; 2] = files!("c/api/": "tickrate_plugin.h", "tickrate_plugin.c");
/// And of the one for datasets.
const DATASET: [Template; 2] = files!("c/dataset/": "tickrate_plugin.h", "tickrate_plugin.c");
/// And of the one for what is both.
const BOTH: [Template; 2] = files!("c/plugin/": "tickrate_plugin.h", "tickrate_plugin.c");

/// The module for a plugin in Zig, and the contract in its words.
pub(super) const ZIG: [Template; 6] =
    files!("zig/": "tickrate.zig", "types.zig", "abi.zig", "host.zig", "json.zig", "root.zig");

/// The package for a plugin in Go.
pub(super) const GO: [Template; 10] = files!(
    "go/": "types.go", "tickrate.go", "plugin.go", "abi.go", "host.go", "imports.go", "native.go", "exports.go",
    "exports_api.go", "exports_dataset.go",
);

/// The modules for a plugin in AssemblyScript.
pub(super) const ASSEMBLYSCRIPT: [Template; 10] = files!(
    "assemblyscript/": "types.ts", "tickrate.ts", "json.ts", "host.ts", "memory.ts", "open.ts", "info.ts", "api.ts",
    "dataset.ts", "exports.mjs",
);

/// The module and the bindings for a plugin in C or C++ that has these roles.
pub(super) fn c(roles: &[Role]) -> impl Iterator<Item = Template> + use<> {
    let bindings = match roles {
        [Role::Api] => API,
        [Role::Dataset] => DATASET,
        _ => BOTH,
    };
    SHARED.into_iter().chain(CPP).chain(bindings)
}
