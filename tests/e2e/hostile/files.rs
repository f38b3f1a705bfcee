//! Files that are no plugins: refused in one line, before anything is sent.

use std::path::Path;

use crate::running::{guest, perf, root};

/// A run with a file of these bytes as its API, whose error is `told` with the file's path for `FILE`.
#[track_caller]
fn refused(name: &str, bytes: &[u8], told: &str) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(name);
    std::fs::write(&file, bytes).unwrap();
    refused_at(&file, told);
}

#[track_caller]
fn refused_at(file: &Path, told: &str) {
    let file = file.to_str().unwrap();
    let run = perf("http://127.0.0.1:9/v1/chat/completions", &["--api", file, "--prompt", "x"]).ended(2);
    assert_eq!(run.stderr().replace(file, "FILE"), format!("error: --api: {told}\n"));
    assert!(run.records().is_empty());
}

/// Bytes that look like nothing, the same in every run of the test.
fn noise(count: usize) -> Vec<u8> {
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..count).map(|_| next()).collect()
}

#[test]
fn random_bytes() {
    refused(
        "random_bytes.wasm",
        &noise(100_000),
        "\"FILE\" is not a WebAssembly component but a file of another kind; make one with \"tickrate plugin build\"",
    );
    let mut inside = b"\0asm\x0d\0\x01\0".to_vec();
    inside.extend(noise(100_000));
    refused(
        "random_bytes_inside.wasm",
        &inside,
        "\"FILE\" cannot be compiled: invalid leading byte (0x33) for component name (at offset 0xd); build it again",
    );
}

#[test]
fn truncated_component() {
    let whole = std::fs::read(root().join("tests/frozen/0.1/plugin.wasm")).unwrap();
    refused(
        "truncated_component.wasm",
        &whole[..whole.len() / 2],
        "\"FILE\" cannot be compiled: section range 2744..74308 is out of bounds (bound = 43471); build it again",
    );
    refused(
        "none.wasm",
        b"",
        "\"FILE\" is not a WebAssembly component but an empty file; make one with \"tickrate plugin build\"",
    );
}

#[test]
fn other_contract() {
    let bytes = std::fs::read(root().join("tests/frozen/0.1/plugin.wasm")).unwrap();
    let mut later = bytes.clone();
    for at in 0..bytes.len() - 6 {
        if bytes[at..].starts_with(b"@0.1.0") {
            later[at..at + 6].copy_from_slice(b"@0.2.0");
        }
    }
    refused(
        "other_contract.wasm",
        &later,
        "\"FILE\" is built for version 0.2.0 of the plugin contract, and this tickrate speaks 0.1.0; build it against that version, or use another tickrate",
    );
}

#[test]
fn no_component() {
    refused(
        "text.wasm",
        b"not wasm at all",
        "\"FILE\" is not a WebAssembly component but a text file; make one with \"tickrate plugin build\"",
    );
    refused(
        "core.wasm",
        b"\0asm\x01\0\0\0",
        "\"FILE\" is not a WebAssembly component but a core module; make one with \"tickrate plugin build\"",
    );
    let told = "\"FILE\" exports nothing, and a plugin exports \"tickrate:plugin/info\" with \"tickrate:plugin/dataset\" or \
                \"tickrate:plugin/api\" (or both); build it for a world of tickrate's wit folder";
    refused("empty.wasm", b"\0asm\x0d\0\x01\0", told);
    refused_at(
        Path::new("missing.wasm"),
        "cannot read the plugin \"FILE\": No such file or directory (os error 2); check the path",
    );
    refused_at(
        &guest("synthetic-chat"),
        "the plugin \"synthetic-chat\" is no api, only dataset; use it with --dataset",
    );
}
