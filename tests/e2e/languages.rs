//! Plugins in other languages: built with the real tools of their languages, checked, run, and
//! compared with the same plugins in Rust.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Mutex, OnceLock, PoisonError};

use serde_json::Value;
use tickrate::sim::SimSpec;

use crate::python::python;
use crate::raw_server::RawServer;
use crate::running::{files, guest, perf, root, sim, tickrate};

/// Where the tools of the languages are: the folder of componentize-py, and a `node_modules`.
pub fn tools() -> &'static (PathBuf, PathBuf) {
    static TOOLS: OnceLock<(PathBuf, PathBuf)> = OnceLock::new();
    TOOLS.get_or_init(|| {
        let interpreter = python(&["tests/languages/requirements.txt", "plugin-venv"]);
        let folder = root().join("target/plugin-node");
        let wanted = std::fs::read(root().join("tests/languages/package.json")).unwrap();
        let done = folder.join("installed.json");
        if std::fs::read(&done).ok().as_ref() != Some(&wanted) {
            // npm may leave a package out when it changes what is there, so that it begins anew.
            let _ = std::fs::remove_dir_all(&folder);
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(folder.join("package.json"), &wanted).unwrap();
            let install = Command::new("npm")
                .args(["install", "--no-audit", "--no-fund"])
                .current_dir(&folder)
                .output();
            let install =
                install.unwrap_or_else(|error| panic!("this test needs npm, which cannot be run: {error}"));
            let told = String::from_utf8_lossy(&install.stderr);
            assert!(install.status.success(), "componentize-js cannot be had from npm:\n{told}");
            std::fs::write(&done, &wanted).unwrap();
        }
        (interpreter.parent().unwrap().to_owned(), folder.join("node_modules"))
    })
}

pub fn example(name: &str) -> PathBuf {
    root().join("examples").join(name)
}

/// `tickrate plugin …` with the tools of the languages in reach.
pub fn plugin(folder: &Path, words: &[&str]) -> Output {
    let (python, node) = tools();
    let path = std::env::join_paths(
        std::iter::once(python.clone()).chain(std::env::split_paths(&std::env::var_os("PATH").unwrap())),
    );
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    tickrate(folder, "plugin")
        .args(words)
        .env("PATH", path.unwrap())
        .env("NODE_PATH", node)
        .env("CARGO_TARGET_DIR", target)
        .output()
        .unwrap()
}

pub fn succeeded(output: &Output) -> String {
    let [out, error] =
        [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    assert_eq!(output.status.code(), Some(0), "{out}{error}");
    out
}

/// The component of an example in another language. It is built anew only if the example, the
/// contract or what builds it has changed: each build is another file, and to compile it takes long.
fn built(name: &str) -> PathBuf {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _lock = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let mut hasher = DefaultHasher::new();
    // C, C++, Zig, Go and AssemblyScript get what they share from the tool; the others have it in their folders.
    let shared = example(if name.starts_with(['c', 'z', 'g', 'a']) { "sdk" } else { name });
    for source in [example(name), shared, root().join("wit"), root().join("host/src/plugin/build")] {
        for file in files(&source).iter().filter(|file| !file.to_string_lossy().contains("__pycache__")) {
            std::fs::read(file).unwrap().hash(&mut hasher);
        }
    }
    std::fs::read(root().join("tests/languages/package.json")).unwrap().hash(&mut hasher);
    let out = root().join("target/languages");
    let (component, stamp) = (out.join(format!("{name}.wasm")), out.join(format!("{name}.stamp")));
    let wanted = hasher.finish().to_string();
    if !component.exists() || std::fs::read_to_string(&stamp).ok().as_ref() != Some(&wanted) {
        let folder = example(name);
        let said = plugin(&root(), &["build", folder.to_str().unwrap(), "--out", out.to_str().unwrap()]);
        assert!(succeeded(&said).contains(name));
        std::fs::write(stamp, wanted).unwrap();
    }
    component
}

/// What `plugin check` reports of a component that passes it.
pub fn checked(component: &Path, flags: &[&str]) -> Value {
    let words = [&["check", component.to_str().unwrap(), "--json", "--plugin-timeout", "20"], flags].concat();
    let report: Value = serde_json::from_str(&succeeded(&plugin(&root(), &words))).unwrap();
    assert_eq!(report["passed"], true);
    report
}

/// What came of recorded replies: each answer and each record, in which only the name of the API differs
/// between languages.
fn of_replies(component: &Path, replies: &Path) -> Vec<Value> {
    let report = checked(component, &["--replies", replies.to_str().unwrap()]);
    let plugin = report["plugin"].clone();
    let without_name = |mut reply: Value| {
        assert_eq!(reply["record"].as_object_mut().unwrap().remove("api").as_ref(), Some(&plugin));
        reply
    };
    report["replies"].as_array().unwrap().iter().cloned().map(without_name).collect()
}

/// Prompts, texts and token counts of a run with these two plugins, with such a number of requests.
pub fn run(
    api: &Path,
    dataset: &Path,
    number: usize,
    flags: &[&str],
) -> Vec<(String, String, Option<u64>, Option<u64>)> {
    let server = sim(SimSpec {
        ttft: "2".parse().unwrap(),
        itl: "1".parse().unwrap(),
        reasoning_tokens: 2,
        ..SimSpec::default()
    });
    let (api, dataset) = (api.to_str().unwrap(), dataset.to_str().unwrap());
    let number = number.to_string();
    let words = [
        &[
            "--api",
            api,
            "--dataset",
            dataset,
            "--api-args",
            r#"{"system":"Be brief."}"#,
            "--number",
            &number,
            "--max-tokens",
            "5",
            "--seed",
            "9",
            "--save-text",
            "--plugin-timeout",
            "20",
        ][..],
        flags,
    ]
    .concat();
    let run = perf(&format!("{}/pebble/talk", server.url()), words.as_slice()).ended(0);
    let records = run.records().into_iter().map(|record| {
        assert!(record.ok(), "{:?}", record.failure);
        assert_eq!(record.token_frames.len(), 5);
        (record.prompt.unwrap(), record.output.unwrap(), record.tokens.input, record.tokens.output)
    });
    records.collect()
}

/// What a server hears of a run with these two plugins, in order: where each request goes, its headers but
/// those of this run alone, and its body, byte by byte.
fn heard(api: &Path, dataset: &Path) -> Vec<(String, Vec<String>, String)> {
    const REPLY: &str = "event: piece\ndata: {\"text\":\"na\\u00efve \\\"\\ud83e\\udd80\\\"\\n\",\"tokens\":3}\n\n\
         event: close\ndata: {\"reason\":\"stop\"}\n\n";
    let server = RawServer::start(|_| {
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length:";
        format!("{head} {}\r\n\r\n{REPLY}", REPLY.len()).into()
    });
    let lines = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(
        lines.path(),
        "Who?\nA \"quoted\" \\ path\nTab\t, bell \u{7} and \u{8} \u{c} \u{7f}\nné 🦀 </x>\n",
    )
    .unwrap();
    let of = |path: &Path| path.to_str().unwrap().to_string();
    let files =
        ["--api".into(), of(api), "--dataset".into(), of(dataset), "--dataset-path".into(), of(lines.path())];
    let more = "--no-test-connection --parallel 1 --number 4 --max-tokens 5 --temperature 0.5 --seed 9 --plugin-timeout 20";
    let options = ["--api-args", "{\"system\":\"Be\\nbrief.\"}", "--dataset-args", "{\"turns\":2}"];
    let words = more.split_whitespace().chain(options).map(String::from).chain(files).collect::<Vec<_>>();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    perf(&format!("{}/pebble/talk", server.url()), &words[..]).ended(0);
    let of_this_run = ["host: ", "x-request-id: "];
    let heard = server.heard().into_iter().map(|heard| {
        let headers = heard.head.lines().skip(1).map(String::from);
        let headers =
            headers.filter(|line| !of_this_run.iter().any(|name| line.to_lowercase().starts_with(name)));
        (heard.target().to_string(), headers.collect(), String::from_utf8(heard.body).unwrap())
    });
    heard.collect()
}

/// The same two plugins in a language give the same as in Rust, for the same seed and replies.
fn as_in_rust(language: &str) {
    let [api, dataset] = ["api", "dataset"].map(|kind| built(&format!("{language}-{kind}")));
    let recorded = example("rust-api").join("replies.jsonl");
    let rust = of_replies(&guest("rust-api"), &recorded);
    let ours = of_replies(&api, &recorded);
    assert_eq!((rust.len(), ours.len()), (13, 13));
    for (ours, rust) in ours.iter().zip(&rust) {
        assert_eq!(ours, rust, "{language}");
    }
    checked(&dataset, &[]);
    let (rust_api, rust_dataset) = (guest("rust-api"), guest("rust-dataset"));
    assert_eq!(run(&api, &dataset, 6, &[]), run(&rust_api, &rust_dataset, 6, &[]));
    // Half a character, white space of two bytes, and a line that ends as on Windows.
    let lines = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&lines, b"Why?\n\n \xc2\xa0 How? \r\n\xe2\x82 caf\xc3\xa9\n\xff\xff").unwrap();
    let file = ["--dataset-path", lines.path().to_str().unwrap()];
    let asked = run(&api, &dataset, 4, &file);
    assert_eq!(asked, run(&rust_api, &rust_dataset, 4, &file));
    assert!(asked.iter().any(|(prompt, ..)| prompt.contains("\u{fffd} café")), "{asked:?}");
    let (ours, theirs) = (heard(&api, &dataset), heard(&rust_api, &rust_dataset));
    assert_eq!(theirs.len(), 8, "four conversations of two turns");
    assert!(theirs[3].2.contains(r#""says":"A \"quoted\" \\ path""#), "{}", theirs[3].2);
    assert_eq!(ours, theirs);
}

#[test]
fn the_examples_in_python_do_what_those_in_rust_do() {
    as_in_rust("python");
}

#[test]
fn the_examples_in_javascript_do_what_those_in_rust_do() {
    as_in_rust("javascript");
}

#[test]
fn the_examples_in_typescript_do_what_those_in_rust_do() {
    as_in_rust("typescript");
}

#[test]
fn the_examples_in_c_do_what_those_in_rust_do() {
    as_in_rust("c");
}

#[test]
fn the_examples_in_cpp_do_what_those_in_rust_do() {
    as_in_rust("cpp");
}

#[test]
fn the_examples_in_zig_do_what_those_in_rust_do() {
    as_in_rust("zig");
}

#[test]
fn the_examples_in_go_do_what_those_in_rust_do() {
    as_in_rust("go");
}

#[test]
fn the_examples_in_assemblyscript_do_what_those_in_rust_do() {
    as_in_rust("assemblyscript");
}

#[test]
fn what_is_written_in_c_can_be_built_with_zig_as_well() {
    let (python, _) = tools();
    let out = tempfile::tempdir().unwrap();
    let mut build = tickrate(&example("c-api"), "plugin build --out");
    build.arg(out.path()).env("PATH", python).env_remove("WASI_SDK_PATH");
    succeeded(&build.output().unwrap());
    let recorded = example("rust-api").join("replies.jsonl");
    let ours = of_replies(&out.path().join("c-api.wasm"), &recorded);
    assert_eq!(ours, of_replies(&guest("rust-api"), &recorded));
}

/// A folder laid out as a WASI SDK is, with Debian's compiler and libraries in it; none where those are
/// not. Its clang finds the libraries itself, below the name that newer SDKs have for the target.
fn wasi_sdk() -> Option<tempfile::TempDir> {
    let folder = tempfile::tempdir().unwrap();
    let said = Command::new("clang").arg("-print-resource-dir").output().ok()?;
    let resources = PathBuf::from(String::from_utf8_lossy(&said.stdout).trim());
    for (inside, there) in [
        ("share/wasi-sysroot/include/wasm32-wasip1", PathBuf::from("/usr/include/wasm32-wasi")),
        ("share/wasi-sysroot/lib/wasm32-wasip1", PathBuf::from("/usr/lib/wasm32-wasi")),
        ("lib/clang/include", resources.join("include")),
        ("lib/clang/lib/wasip1", resources.join("lib/wasi")),
    ] {
        let link = folder.path().join(inside);
        std::fs::create_dir_all(link.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(there.canonicalize().ok()?, link).unwrap();
    }
    let clang = folder.path().join("bin/clang");
    std::fs::create_dir_all(clang.parent().unwrap()).unwrap();
    let script = "#!/bin/sh\nhere=${0%/bin/clang}\necho \"$@\" >> $here/calls\n\
                  exec clang --sysroot=$here/share/wasi-sysroot -resource-dir $here/lib/clang \"$@\"\n";
    std::fs::write(&clang, script).unwrap();
    std::fs::set_permissions(&clang, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    Some(folder)
}

#[test]
fn a_wasi_sdk_builds_c_and_cpp() {
    let Some(sdk) = wasi_sdk() else { return };
    let out = tempfile::tempdir().unwrap();
    let build = |example_of: &str, sdk: &Path| {
        let mut build = tickrate(&example(example_of), "plugin build --out");
        build.arg(out.path()).env("WASI_SDK_PATH", sdk).output().unwrap()
    };
    let recorded = example("rust-api").join("replies.jsonl");
    for name in ["c-api", "cpp-api"] {
        succeeded(&build(name, sdk.path()));
        let ours = of_replies(&out.path().join(format!("{name}.wasm")), &recorded);
        assert_eq!(ours, of_replies(&guest("rust-api"), &recorded), "{name}");
    }
    let calls = std::fs::read_to_string(sdk.path().join("calls")).unwrap();
    assert!(
        calls.lines().count() >= 3 && calls.lines().all(|line| line.starts_with("--target=wasm32-wasip1 "))
    );

    let refused = build("c-api", out.path());
    let told = format!(
        "error: WASI_SDK_PATH is \"{}\", which has no bin/clang; set it to the folder of a WASI SDK, or unset it\n",
        out.path().display()
    );
    assert_eq!((refused.status.code(), String::from_utf8_lossy(&refused.stderr).as_ref()), (Some(1), &*told));
}

#[test]
fn the_examples_have_the_module_that_stands_in_sdk() {
    for (language, sdk, module) in [
        ("python", "python", "tickrate.py"),
        ("javascript", "javascript", "tickrate.js"),
        ("typescript", "javascript", "tickrate.js"),
        ("typescript", "javascript", "tickrate.d.ts"),
        ("typescript", "javascript", "host.d.ts"),
    ] {
        let read = |folder: String| std::fs::read_to_string(example(&folder).join(module)).unwrap();
        for kind in ["api", "dataset"] {
            assert_eq!(read(format!("{language}-{kind}")), read(format!("sdk/{sdk}")));
        }
    }
}

#[test]
fn the_examples_pass_their_own_tests() {
    let (python, _) = tools();
    for kind in ["api", "dataset"] {
        let bindings = tempfile::tempdir().unwrap();
        let mut generate = Command::new(python.join("componentize-py"));
        generate.arg("-d").arg(root().join("wit")).args(["-w", &format!("{kind}-plugin"), "bindings"]);
        succeeded(&generate.arg(bindings.path().join("b")).output().unwrap());
        let mut unittest = Command::new(python.join("python"));
        unittest.args(["-B", "-m", "unittest"]).current_dir(example(&format!("python-{kind}")));
        unittest.env("PYTHONPATH", bindings.path().join("b"));
        let mut node = Command::new("node");
        node.arg("--test").current_dir(example(&format!("javascript-{kind}")));
        for mut tests in [unittest, node] {
            succeeded(&tests.output().unwrap());
        }
    }
    let mut zig = Command::new(python.join("python-zig"));
    succeeded(&zig.args(["test", "tickrate.zig"]).current_dir(example("sdk/zig")).output().unwrap());
}
