//! One plugin that is an API and a dataset at once, made of the two examples of a language.

use std::path::Path;

use serde_json::Value;

use crate::languages::{checked, example, plugin, run, succeeded};
use crate::running::{files, guest};

/// Builds the project in `folder` for the world of both roles, and uses it as both: each has options of its own.
fn does_what_those_in_rust_do(language: &str, folder: &Path) {
    let manifest = format!(r#"{{"name": "both", "language": "{language}", "world": "plugin"}}"#);
    std::fs::write(folder.join("plugin.json"), manifest).unwrap();
    succeeded(&plugin(folder, &["build", "--out", "."]));
    let both = folder.join("both.wasm");
    let role = |check: &Value| check["role"].as_str().unwrap().to_string();
    let checked = checked(&both, &[]);
    let mut roles: Vec<String> = checked["checks"].as_array().unwrap().iter().map(role).collect();
    roles.dedup();
    roles.sort();
    assert_eq!(roles, ["api", "dataset"], "{language}");
    let (api, dataset) = (guest("rust-api"), guest("rust-dataset"));
    let turns = ["--dataset-args", r#"{"turns":2}"#];
    let asked = run(&both, &both, 6, &turns);
    assert!(asked.iter().any(|(prompt, ..)| prompt == "Are you sure?"), "{asked:?}");
    assert_eq!(asked, run(&api, &dataset, 6, &turns), "{language}");
}

/// The files of the two examples of a language, each changed in these ways, and `own` beside them.
fn joined(
    language: &str,
    taken: &[(&str, &str)],
    changed: &[(&str, &[(&str, &str)])],
    own: &[(&str, &str)],
) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (from, to) in taken {
        let mut text = std::fs::read_to_string(example(from)).unwrap();
        for (from, to) in changed.iter().filter(|(file, _)| file == to).flat_map(|(_, changes)| *changes) {
            assert!(text.contains(from), "{language}: {from}");
            text = text.replace(from, to);
        }
        std::fs::write(folder.path().join(to), text).unwrap();
    }
    for (file, text) in own {
        std::fs::write(folder.path().join(file), text).unwrap();
    }
    folder
}

#[test]
fn a_plugin_in_zig_is_an_api_and_a_dataset_at_once() {
    let taken = [("zig-api/plugin.zig", "api.zig"), ("zig-dataset/plugin.zig", "dataset.zig")];
    let own = "const api = @import(\"api.zig\");\nconst dataset = @import(\"dataset.zig\");\n\
               pub const name = \"both\";\npub const version = \"0.1.0\";\n\
               pub const options_schema = api.options_schema;\n\
               pub const dataset_options_schema = dataset.options_schema;\n\
               pub const Api = api.Api;\npub const Dataset = dataset.Dataset;\n";
    let folder = joined("zig", &taken, &[], &[("plugin.zig", own)]);
    does_what_those_in_rust_do("zig", folder.path());
}

#[test]
fn a_plugin_in_go_is_an_api_and_a_dataset_at_once() {
    let taken = [
        ("go-api/go.mod", "go.mod"),
        ("go-api/plugin.go", "plugin.go"),
        ("go-dataset/plugin.go", "dataset.go"),
    ];
    let once: &[(&str, &str)] = &[
        ("go-dataset", "go-api"),
        ("const options ", "const datasetOptions "),
        ("OptionsSchema: options}, open)", "OptionsSchema: datasetOptions}, openQuestions)"),
        ("func open(", "func openQuestions("),
        ("func main() {}", ""),
    ];
    let folder = joined("go", &taken, &[("dataset.go", once)], &[]);
    does_what_those_in_rust_do("go", folder.path());
}

#[test]
fn a_plugin_in_assemblyscript_is_an_api_and_a_dataset_at_once() {
    let taken =
        [("assemblyscript-api/plugin.ts", "api.ts"), ("assemblyscript-dataset/plugin.ts", "dataset.ts")];
    let own = "export { NAME, VERSION, OPTIONS, open, shape, parse } from './api';\n\
               export { OPTIONS as DATASET_OPTIONS, open as openDataset, next } from './dataset';\n";
    let folder = joined("assemblyscript", &taken, &[], &[("plugin.ts", own)]);
    does_what_those_in_rust_do("assemblyscript", folder.path());
}

#[test]
fn a_plugin_in_python_is_an_api_and_a_dataset_at_once() {
    let taken = [
        ("python-api/app.py", "api.py"),
        ("python-dataset/app.py", "dataset.py"),
        ("sdk/python/tickrate.py", "tickrate.py"),
    ];
    let own = "import api\nimport dataset\nimport tickrate\n\n\
               Info, Api, Dataset = tickrate.export_plugin(api.Plugin, dataset.Questions)\n";
    let folder = joined("python", &taken, &[], &[("app.py", own)]);
    does_what_those_in_rust_do("python", folder.path());
}

#[test]
fn a_plugin_in_javascript_is_an_api_and_a_dataset_at_once() {
    let taken = [
        ("javascript-api/plugin.js", "api.js"),
        ("javascript-dataset/plugin.js", "dataset.js"),
        ("javascript-dataset/questions.js", "questions.js"),
        ("sdk/javascript/tickrate.js", "tickrate.js"),
    ];
    let shared: &[(&str, &str)] = &[("const OPTIONS ", "export const OPTIONS ")];
    let own = "import { api, OPTIONS } from './api.js';\n\
               import { dataset, OPTIONS as DATASET_OPTIONS } from './dataset.js';\n\
               import { describe } from './tickrate.js';\n\
               export { api, dataset };\n\
               export const info = describe('both', '0.1.0', OPTIONS, DATASET_OPTIONS);\n";
    let changed = [("api.js", shared), ("dataset.js", shared)];
    let folder = joined("javascript", &taken, &changed, &[("plugin.js", own)]);
    does_what_those_in_rust_do("javascript", folder.path());
}

#[test]
fn a_plugin_in_c_or_cpp_is_an_api_and_a_dataset_at_once() {
    const ROLE: &str = "exports_tickrate_plugin_info_role_t";
    const DATASET: &str = "EXPORTS_TICKRATE_PLUGIN_INFO_ROLE_DATASET";
    const SCHEMA: &str = "dataset_options_schema";
    for language in ["c", "cpp"] {
        let folder = tempfile::tempdir().unwrap();
        for kind in ["api", "dataset"] {
            let own = example(&format!("{language}-{kind}"));
            for file in files(&own).iter().filter(|file| !file.to_string_lossy().contains("test_")) {
                let called = file.file_name().unwrap().to_str().unwrap();
                let text = std::fs::read_to_string(file).unwrap();
                // Who the plugin is, is said once, and the schema is that of the role.
                let text = match (called.strip_prefix("plugin."), kind) {
                    (Some("json"), _) => continue,
                    (Some(_), "dataset") => {
                        let (head, rest) = text.split_once("void exports_tickrate_plugin_info_name").unwrap();
                        let own = rest.split_once("// What --dataset-args").unwrap().1;
                        let own = own.replace("exports_tickrate_plugin_info_options_schema", SCHEMA);
                        format!("{head}// What --dataset-args{own}")
                    }
                    (Some(_), _) => {
                        let asked = format!("if (role == {DATASET}) {{ {SCHEMA}(role, schema); return; }}");
                        let declared = format!("\nvoid {SCHEMA}({ROLE} role, tr_text *schema);\n");
                        let (head, rest) = text.split_once("\n\n").unwrap();
                        let rest = rest.replacen("\n\n", &format!("\n{declared}\n"), 1);
                        format!("{head}\n\n{rest}").replace("(void)role;", &asked)
                    }
                    _ => text,
                };
                let called = called.replace("plugin.", &format!("{kind}."));
                std::fs::write(folder.path().join(called), text).unwrap();
            }
        }
        does_what_those_in_rust_do(language, folder.path());
    }
}
