//! Plugins that come over the network: from a URL with a pin, and from a registry.

use std::path::Path;
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::raw_server::{Heard, RawServer, json_reply};
use crate::running::{guest, tickrate};

fn component() -> Vec<u8> {
    std::fs::read(guest("arithmetic")).unwrap()
}

/// SHA-256 as the tool of the system computes it.
pub fn sha256(bytes: &[u8]) -> String {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    let output = Command::new("sha256sum").arg(file.path()).output().unwrap();
    String::from_utf8_lossy(&output.stdout)[..64].to_string()
}

pub fn bytes_reply(body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

fn status_reply(status: &str, header: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\n{header}content-length: 0\r\n\r\n").into()
}

/// `tickrate plugin inspect` with a cache of its own.
fn inspect(cache: &Path, reference: &str) -> Output {
    tickrate(Path::new("."), "plugin inspect --json")
        .arg(reference)
        .env("XDG_CACHE_HOME", cache)
        .output()
        .unwrap()
}

#[track_caller]
fn found(output: &Output) -> Value {
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[track_caller]
fn assert_told(output: &Output, told: &str) {
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), error.lines().count()), (Some(2), 1), "{error}");
    assert!(error.contains(told), "{told}: {error}");
}

#[test]
fn a_plugin_behind_a_url_is_fetched_once_and_only_if_it_is_what_it_is_pinned_to() {
    let (cache, bytes) = (tempfile::tempdir().unwrap(), component());
    let served = bytes.clone();
    let server = RawServer::start(move |heard| match heard.target() {
        "GET /p.wasm" => bytes_reply(&served),
        "GET /text.wasm" => bytes_reply(b"not a component"),
        _ => status_reply("404 Not Found", ""),
    });
    let (url, pin) = (format!("{}/p.wasm", server.url()), sha256(&bytes));
    let pinned = format!("{url}#sha256={pin}");
    for _ in 0..2 {
        let told = found(&inspect(cache.path(), &pinned));
        assert_eq!(
            (told["name"].as_str(), told["sha256"].as_str()),
            (Some("arithmetic"), Some(pin.as_str()))
        );
    }
    assert_eq!(server.heard().len(), 1, "the second time it came from the cache");

    let zeros = "0".repeat(64);
    let told = format!("is not what it was pinned to: its SHA-256 is {pin}, not {zeros}; do not use it");
    assert_told(&inspect(cache.path(), &format!("{url}#sha256={zeros}")), &told);
    assert_told(
        &inspect(cache.path(), &url),
        "has no pin; add the SHA-256 of the component to it: #sha256=…",
    );
    assert_told(&inspect(cache.path(), "http://example.org/p.wasm"), "would be fetched without encryption");
    let missing = format!("{}/missing.wasm#sha256={zeros}", server.url());
    assert_told(&inspect(cache.path(), &missing), "the server says HTTP 404; check the address");
    let nobody = format!("http://127.0.0.1:1/p.wasm#sha256={zeros}");
    assert_told(
        &inspect(cache.path(), &nobody),
        "cannot fetch \"http://127.0.0.1:1/p.wasm\": Connection refused",
    );
    let secret = format!("http://me:pw-secret@{}/p.wasm#sha256={pin}", server.address);
    assert_told(&inspect(cache.path(), &secret), "has a user or a query, which would be kept with the run");
    let text = format!("{}/text.wasm#sha256={}", server.url(), sha256(b"not a component"));
    assert_told(&inspect(cache.path(), &text), "is not a WebAssembly component but a text file");
}

/// A registry that wants a token, with one component under the tag `v1`.
pub fn registry(bytes: Vec<u8>, asked: Arc<Mutex<Vec<String>>>) -> (RawServer, String) {
    let (layer, address) = (sha256(&bytes), Arc::new(Mutex::new(String::new())));
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {"mediaType": "application/vnd.wasm.config.v0+json", "digest": format!("sha256:{}", "1".repeat(64))},
        "layers": [{"mediaType": "application/wasm", "digest": format!("sha256:{layer}"), "size": bytes.len()}],
    })
    .to_string();
    let digest = sha256(manifest.as_bytes());
    let (own, by_digest) = (address.clone(), format!("GET /v2/team/sums/manifests/sha256:{digest}"));
    let blob = format!("GET /v2/team/sums/blobs/sha256:{layer}");
    let server = RawServer::start(move |heard: &Heard| {
        asked.lock().unwrap().push(heard.target().to_string());
        if heard.target().starts_with("GET /token?") {
            assert_eq!(heard.target(), "GET /token?service=tests&scope=repository%3Ateam%2Fsums%3Apull");
            return json_reply(r#"{"token":"t-1"}"#);
        }
        if heard.header("authorization") != Some("Bearer t-1") {
            let realm = format!("http://{}/token", own.lock().unwrap());
            let challenge = format!(
                "www-authenticate: Bearer realm=\"{realm}\",service=\"tests\",scope=\"repository:team/sums:pull\"\r\n"
            );
            return status_reply("401 Unauthorized", &challenge);
        }
        match heard.target() {
            "GET /v2/team/sums/manifests/v1" => json_reply(&manifest),
            target if target == by_digest => json_reply(&manifest),
            "GET /v2/team/sums/manifests/picture" => json_reply(r#"{"layers":[{"mediaType":"image/png"}]}"#),
            target if target == blob => bytes_reply(&bytes),
            _ => status_reply("404 Not Found", ""),
        }
    });
    *address.lock().unwrap() = server.address.to_string();
    (server, digest)
}

#[test]
fn a_plugin_in_a_registry_is_found_by_its_tag_or_its_digest() {
    let (cache, bytes, asked) = (tempfile::tempdir().unwrap(), component(), Arc::default());
    let (server, digest) = registry(bytes.clone(), Arc::clone(&asked));
    let place = format!("oci://{}/team/sums", server.address);
    let told = found(&inspect(cache.path(), &format!("{place}:v1")));
    assert_eq!(told["sha256"], sha256(&bytes));
    let blobs = || asked.lock().unwrap().iter().filter(|target| target.contains("/blobs/")).count();
    assert_eq!(blobs(), 2, "once without a token, once with it");
    let pinned = format!("{place}@sha256:{digest}");
    found(&inspect(cache.path(), &pinned));
    let before = asked.lock().unwrap().len();
    found(&inspect(cache.path(), &pinned));
    let after = asked.lock().unwrap().len();
    assert_eq!((after, blobs()), (before, 2), "what is pinned needs no network again");

    assert_told(&inspect(cache.path(), &format!("{place}:v2")), "the server says HTTP 404");
    assert_told(&inspect(cache.path(), &format!("{place}:picture")), "none of its layers is a component");
    assert_told(&inspect(cache.path(), "oci://nothing"), "is no reference; give oci://REGISTRY/NAME:TAG");
}

/// What a private registry lets in.
#[derive(Clone, Copy, PartialEq)]
enum Door {
    /// A token, for a user and a password.
    Token,
    /// A token, for another token.
    Identity,
    /// A user and a password in each request.
    Basic,
}

/// `me:pw-secret` in Base64.
const LOGIN: &str = "bWU6cHctc2VjcmV0";

/// A registry with one component under the tag `v1` of `team/sums`, which wants to know who asks.
fn private_registry(bytes: Vec<u8>, door: Door) -> RawServer {
    let layer = format!("sha256:{}", sha256(&bytes));
    let manifest = json!({"layers": [{"mediaType": "application/wasm", "digest": layer}]}).to_string();
    let blob = format!("GET /v2/team/sums/blobs/{layer}");
    RawServer::start(move |heard: &Heard| {
        let (known, token) = (format!("Basic {LOGIN}"), json_reply(r#"{"access_token":"t-private"}"#));
        let said = heard.header("authorization");
        let host = heard.header("host").unwrap();
        if heard.target().starts_with("GET /token?service=tests&scope=repository%3Ateam%2Fsums%3Apull") {
            let denied = if said.is_some() { "403 Forbidden" } else { "401 Unauthorized" };
            return if said == Some(&known) { token } else { status_reply(denied, "") };
        }
        if heard.target() == "POST /token" {
            let form = String::from_utf8_lossy(&heard.body).into_owned();
            let good = form
                == "service=tests&scope=repository%3Ateam%2Fsums%3Apull&client_id=tickrate&\
                                grant_type=refresh_token&refresh_token=id.pw-secret%2F1";
            return if good { token } else { status_reply("401 Unauthorized", "") };
        }
        let (wanted, challenge) = match door {
            Door::Basic => (known.as_str(), "www-authenticate: Basic realm=\"tests\"\r\n".to_string()),
            _ => (
                "Bearer t-private",
                format!(
                    "www-authenticate: bearer realm=\"http://{host}/token\",service=\"tests\",scope=\"repository:team/sums:pull\"\r\n"
                ),
            ),
        };
        match heard.target() {
            _ if said != Some(wanted) => status_reply("401 Unauthorized", &challenge),
            "GET /v2/team/sums/manifests/v1" => json_reply(&manifest),
            target if target == blob => bytes_reply(&bytes),
            _ => status_reply("404 Not Found", ""),
        }
    })
}

#[test]
fn a_private_registry_gets_the_login_of_its_own_and_nobody_else_sees_it() {
    for door in [Door::Token, Door::Identity, Door::Basic] {
        let server = private_registry(component(), door);
        let (cache, home) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let file = home.path().join(".docker/config.json");
        let place = format!("oci://{}/team/sums:v1", server.address);
        let told = || {
            let mut inspect = tickrate(Path::new("."), "plugin inspect --json");
            for variable in ["DOCKER_CONFIG", "REGISTRY_AUTH_FILE", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME"] {
                inspect.env_remove(variable);
            }
            inspect.arg(&place).env("HOME", home.path()).env("XDG_CACHE_HOME", cache.path()).output().unwrap()
        };
        let write = |registry: &str, entry: Value| {
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(&file, json!({"auths": {registry: entry}}).to_string()).unwrap();
        };
        let registry = server.address.to_string();
        let none = format!(
            "cannot fetch \"{place}\": the registry wants a login, and there is none for it; make one with: \
             docker login {registry}"
        );
        assert_told(&told(), &none);
        write("another.example", json!({"auth": LOGIN}));
        assert_told(&told(), &none);
        let sent = || {
            server.heard().iter().map(|heard| format!("{}{:?}", heard.head, heard.body)).collect::<String>()
        };
        assert!(!sent().contains(LOGIN), "the login of another registry stays here");

        write(&registry, json!({"auth": "bWU6d3Jvbmc="}));
        let refused = told();
        let shown = file.display();
        let told_of = format!(
            "the registry does not accept the login of \"{shown}\"; renew it with: docker login {registry}"
        );
        assert_told(&refused, &told_of);
        assert!(!String::from_utf8_lossy(&refused.stderr).contains("bWU6d3Jvbmc"));

        let entry = match door {
            Door::Identity => json!({"auth": "YTo=", "identitytoken": "id.pw-secret/1"}),
            _ => json!({"auth": LOGIN}),
        };
        write(&registry, entry);
        assert_eq!(found(&told())["name"], "arithmetic");

        let (folder, chat) = (tempfile::tempdir().unwrap(), RawServer::kind());
        let flags = ["--number", "2", "--no-stream", "--dataset", &place];
        let mut run = crate::running::command(folder.path(), &crate::running::chat(&chat.url()), &flags);
        let output = run.env("HOME", home.path()).env("XDG_CACHE_HOME", cache.path()).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        for file in crate::running::files(folder.path()) {
            let bytes = std::fs::read(&file).unwrap();
            for secret in ["pw-secret", LOGIN, "t-private"] {
                let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
                assert!(!found, "{secret} is in {}", file.display());
            }
        }
    }
}

#[test]
fn a_run_takes_its_dataset_from_a_url() {
    let (cache, bytes) = (tempfile::tempdir().unwrap(), component());
    let pin = sha256(&bytes);
    let plugins = RawServer::start(move |_| bytes_reply(&bytes));
    let server = RawServer::kind();
    let reference = format!("{}/sums.wasm#sha256={pin}", plugins.url());
    let folder = tempfile::tempdir().unwrap();
    let url = crate::running::chat(&server.url());
    let output = crate::running::command(
        folder.path(),
        &url,
        &["--number", "3", "--no-stream", "--dataset", &reference],
    )
    .env("XDG_CACHE_HOME", cache.path())
    .output()
    .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let run = std::fs::read_to_string(folder.path().join("outputs/run/run.json")).unwrap();
    let json: Value = serde_json::from_str(&run).unwrap();
    assert_eq!(
        (json["plugins"][0]["sha256"].as_str(), run.contains("pw-secret")),
        (Some(pin.as_str()), false)
    );
}
