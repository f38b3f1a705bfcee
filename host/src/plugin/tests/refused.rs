//! What is refused before anything runs.

use serde_json::json;

use super::*;

#[test]
fn files_that_are_no_plugins_are_refused_in_one_line() {
    let dir = tempfile::tempdir().unwrap();
    let told = |name: &str, bytes: &[u8]| {
        let path = dir.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let text = Plugin::open(&runtime(), &path).unwrap_err().to_string();
        assert!(!text.contains('\n'), "{text}");
        text.replace(&*dir.path().to_string_lossy(), "DIR")
    };
    assert_eq!(
        told("a.wasm", b"hello"),
        "\"DIR/a.wasm\" is not a WebAssembly component but a text file; make one with \"tickrate plugin build\""
    );
    assert!(told("b.wasm", b"\0asm\x01\0\0\0").contains("but a core module"));
    assert!(told("c.wasm", b"\0asm\x0d\0\x01\0").starts_with("\"DIR/c.wasm\" exports nothing, and a plugin"));
    assert!(told("d.wasm", b"\0asm\x0d\0\x01\0\xff\xff").contains("cannot be compiled"));
    let text = Plugin::open(&runtime(), &dir.path().join("no.wasm")).unwrap_err().to_string();
    assert!(text.starts_with("cannot read the plugin"), "{text}");
}

#[test]
fn components_that_do_not_fit_are_refused_in_one_line() {
    let dir = tempfile::tempdir().unwrap();
    let bytes = std::fs::read(guest("openai-chat")).unwrap();
    let told = |from: &str, to: &str| {
        let path = dir.path().join("p.wasm");
        std::fs::write(&path, replaced(&bytes, from.as_bytes(), to.as_bytes())).unwrap();
        let text = Plugin::open(&runtime(), &path).unwrap_err().to_string();
        assert!(!text.contains('\n') && text.len() < 700, "{text}");
        text.replace(&*dir.path().to_string_lossy(), "DIR")
    };
    assert_eq!(
        told("@0.1.0", "@0.2.0"),
        "\"DIR/p.wasm\" is built for version 0.2.0 of the plugin contract, and this tickrate speaks 0.1.0; build \
         it against that version, or use another tickrate"
    );
    let text = told("tickrate:plugin/api@", "tickrate:plugin/ipa@");
    let start =
        "\"DIR/p.wasm\" exports \"tickrate:plugin/info@0.1.0\" and \"tickrate:plugin/ipa@0.1.0\", and a";
    assert!(text.starts_with(start), "{text}");
    let text = told("tickrate:plugin/host@", "tickrate:plugin/hast@");
    let start =
        "\"DIR/p.wasm\" does not fit this tickrate: it imports \"tickrate:plugin/hast@0.1.0\", which this";
    assert!(text.starts_with(start), "{text}");
    let text = told("\x05at-ns", "\x05at-us");
    assert!(
        text.starts_with("\"DIR/p.wasm\" does not fit this tickrate: ") && text.contains("at-us"),
        "{text}"
    );
}

/// `bytes` with all of `from` replaced by `to`, which has the same length.
fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut out = bytes.to_vec();
    for at in 0..=bytes.len() - from.len() {
        if bytes[at..].starts_with(from) {
            out[at..at + to.len()].copy_from_slice(to);
        }
    }
    out
}

#[test]
fn a_plugin_says_who_it_is_and_what_it_can_be() {
    let plugin = open("misbehave");
    assert_eq!((plugin.name(), plugin.version(), plugin.contract()), ("misbehave", "0.1.0", "0.1.0"));
    assert_eq!(plugin.roles(), [Role::Dataset, Role::Api]);
    assert_eq!(plugin.sha256().len(), 64);
    assert_eq!(plugin.identity(Role::Api).role, "api");
    assert_eq!(open("openai-chat").roles(), [Role::Api]);
    assert_eq!(open("synthetic-chat").roles(), [Role::Dataset]);
    assert_eq!(
        open("openai-chat").dataset(&config(json!({})), &Services::none()).err().map(|e| e.to_string()),
        Some("the plugin \"openai-chat\" is no dataset, only api; use it with --api".into())
    );
}

#[test]
fn options_are_checked_before_anything_runs() {
    let told = |options| {
        open("synthetic-chat").dataset(&config(options), &Services::none()).err().map(|e| e.to_string())
    };
    assert_eq!(told(json!({ "turns": 1 })), None);
    assert_eq!(
        told(json!({ "turns": 0 })).as_deref(),
        Some(
            "the plugin \"synthetic-chat\" does not accept --dataset-args: at \"/turns\": 0 is less than the \
             minimum of 1; correct the options"
        )
    );
    assert_eq!(
        told(json!({ "min_words": 9, "max_words": 2 })).as_deref(),
        Some("the plugin \"synthetic-chat\" could not be opened: min_words is 9 and max_words 2; swap them")
    );
}
