//! What `tickrate plugin new` makes in each language: it builds, passes its own tests and the checks, and what is
//! wrong with it is told.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::languages::{checked, example, plugin, succeeded, tools};
use crate::running::tickrate;

#[test]
fn a_new_project_in_rust_builds_outside_of_the_repository_and_passes() {
    let folder = tempfile::tempdir().unwrap();
    let said = plugin(folder.path(), &["new", "--lang", "rust", "--kind", "api", "my-server"]);
    assert!(succeeded(&said).contains("my-server/src/lib.rs"));
    let project = folder.path().join("my-server");
    let out = project.join("target/guests");
    succeeded(&plugin(&project, &["build", "--out", out.to_str().unwrap()]));
    let recorded = project.join("replies.jsonl");
    let report = checked(&out.join("my-server.wasm"), &["--replies", recorded.to_str().unwrap()]);
    assert_eq!(
        (report["plugin"].as_str(), report["replies"][0]["outcome"]["text"].as_str()),
        (Some("my-server"), Some("hmHéllo"))
    );
}

/// A crate that it depends on is called so, and a package of Go's own.
#[test]
fn a_name_may_be_taken_elsewhere() {
    for (language, name) in [("rust", "serde"), ("go", "plugin")] {
        let folder = tempfile::tempdir().unwrap();
        succeeded(&plugin(folder.path(), &["new", "--lang", language, "--kind", "dataset", name]));
        let project = folder.path().join(name);
        assert!(succeeded(&plugin(&project, &["build", "--out", "."])).starts_with(&format!("{name} ")));
    }
}

#[test]
fn new_projects_in_c_cpp_zig_and_go_pass_their_own_tests_and_the_checks() {
    let (python, _) = tools();
    for (language, kind, test) in [
        ("c", "api", "cc "),
        ("c", "dataset", "cc "),
        ("cpp", "api", "cc "),
        ("cpp", "dataset", "cc "),
        ("zig", "api", "zig test "),
        ("zig", "dataset", "zig test "),
        ("go", "api", "go test"),
        ("go", "dataset", "go test"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        succeeded(&plugin(folder.path(), &["new", "--lang", language, "--kind", kind, "my-own"]));
        let project = folder.path().join("my-own");
        let readme = std::fs::read_to_string(project.join("README.md")).unwrap();
        let compile = readme.lines().find(|line| line.starts_with(test)).unwrap();
        let tool = |name: &str| format!("{} ", python.join(name).display());
        let compile = compile.replace("zig ", &tool("python-zig")).replace("go ", &tool("go"));
        let ran = Command::new("sh").args(["-c", &compile]).current_dir(&project).output().unwrap();
        let told = succeeded(&ran) + &String::from_utf8_lossy(&ran.stderr);
        let passed = if language == "go" { "ok  \texample.com/my-own\t" } else { "tests passed" };
        assert!(told.to_lowercase().contains(passed), "{language} {kind}: {told}");
        succeeded(&plugin(&project, &["build", "--out", "."]));
        assert_eq!(checked(&project.join("my-own.wasm"), &[])["plugin"], "my-own");
    }
}

/// A new project in a language of npm's, whose own tests pass, so many of them.
fn tested_with_npm(folder: &Path, language: &str, kind: &str, tests: usize) -> PathBuf {
    let (_, node) = tools();
    let path = std::env::var_os("PATH").unwrap();
    let path =
        std::env::join_paths(std::iter::once(node.join(".bin")).chain(std::env::split_paths(&path))).unwrap();
    succeeded(&plugin(folder, &["new", "--lang", language, "--kind", kind, "my-own"]));
    let project = folder.join("my-own");
    let npm = Command::new("npm").arg("test").current_dir(&project).env("PATH", &path).output().unwrap();
    assert!(succeeded(&npm).contains(&format!("# pass {tests}\n")));
    project
}

#[test]
fn new_projects_in_assemblyscript_pass_their_own_tests_and_the_checks() {
    for (kind, tests) in [("api", 3), ("dataset", 2)] {
        let folder = tempfile::tempdir().unwrap();
        let project = tested_with_npm(folder.path(), "assemblyscript", kind, tests);
        succeeded(&plugin(&project, &["build", "--out", "."]));
        assert_eq!(checked(&project.join("my-own.wasm"), &[])["plugin"], "my-own");
    }
}

#[test]
fn new_projects_in_typescript_pass_their_own_tests_and_their_types_count() {
    for kind in ["api", "dataset"] {
        let folder = tempfile::tempdir().unwrap();
        let project = tested_with_npm(folder.path(), "typescript", kind, 3);
        let source = project.join("plugin.ts");
        let text = std::fs::read_to_string(&source).unwrap();
        let (right, wrong) =
            if kind == "api" { ("'whole';", "'hole';") } else { ("turns ?? 1", "turns ?? '1'") };
        std::fs::write(&source, text.replace(right, wrong)).unwrap();
        let output = plugin(&project, &["build", "--out", "."]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("plugin.ts") && said.contains("is not assignable to type"), "{said}");
    }
}

#[test]
fn a_module_in_c_that_needs_more_than_tickrate_offers_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    succeeded(&plugin(folder.path(), &["new", "--lang", "c", "--kind", "dataset", "my-own"]));
    let source = folder.path().join("my-own/plugin.c");
    let text = std::fs::read_to_string(&source).unwrap();
    let prints = text.replace("  (void)error;\n", "  (void)error;\n  puts(\"next\");\n");
    std::fs::write(&source, format!("#include <stdio.h>\n{prints}")).unwrap();
    let output = plugin(&folder.path().join("my-own"), &["build", "--out", "."]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!((output.status.code(), said.lines().count()), (Some(1), 1), "{said}");
    assert!(said.contains("my-own") && said.contains("wasi_snapshot_preview1"), "{said}");
}

/// What is written of a dataset in `source` that is changed in this way, and crashes.
fn crashed(language: &str, source: &str, (from, to): (&str, &str)) -> String {
    let folder = tempfile::tempdir().unwrap();
    succeeded(&plugin(folder.path(), &["new", "--lang", language, "--kind", "dataset", "my-own"]));
    let project = folder.path().join("my-own");
    let source = project.join(source);
    let text = std::fs::read_to_string(&source).unwrap();
    assert!(text.contains(from));
    std::fs::write(&source, text.replace(from, to)).unwrap();
    succeeded(&plugin(&project, &["build", "--out", "."]));
    let output = plugin(&project, &["check", "my-own.wasm", "--log"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    said
}

#[test]
fn what_stops_a_plugin_in_zig_go_or_assemblyscript_is_a_line_in_its_log() {
    let question = "const question = if";
    let sure = format!("const sure = turns[self.given];\n    _ = sure;\n    {question}");
    let said = crashed("zig", "plugin.zig", (question, &sure));
    assert!(said.contains("index out of bounds: index 1, len 1"), "{said}");
    let said = crashed("go", "plugin.go", ("question = sum(number, q.random)", "question = q.lines[7]"));
    assert!(said.contains("panic: runtime error: index out of range [7] with length 0"), "{said}");
    let said = crashed(
        "assemblyscript",
        "plugin.ts",
        ("ask(all !== null ? all[given] : sum(given))", "ask(all![7])"),
    );
    assert!(said.contains("stopped at plugin.ts:") && said.contains("Unexpected 'null'"), "{said}");
}

#[test]
fn a_tool_that_is_missing_is_named_with_the_way_to_get_it() {
    for (name, told) in [
        ("python-api", "error: \"componentize-py\" is not installed; get it with: python3 -m venv .venv && "),
        ("javascript-api", "error: \"node\" is not installed; get it with: apt-get install nodejs npm"),
        ("go-api", "error: \"go\" is not installed; get it with: python3 -m venv .venv && "),
        ("zig-api", "error: \"zig\" is not installed; get it with: python3 -m venv .venv && "),
        (
            "c-api",
            "error: \"clang for WebAssembly\" is not installed; get it with: apt-get install clang lld ",
        ),
    ] {
        let out = tempfile::tempdir().unwrap();
        let output = tickrate(&example(name), "plugin build --out")
            .arg(out.path())
            .env("PATH", "nowhere")
            .env_remove("VIRTUAL_ENV")
            .env_remove("WASI_SDK_PATH")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!((output.status.code(), said.lines().count()), (Some(1), 1), "{said}");
        assert!(said.starts_with(told), "{said}");
    }
}
