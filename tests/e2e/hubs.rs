//! Datasets and tokenizers from a hub: the real downloads, from a server that plays both hubs.

use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use sha2::{Digest, Sha256};

use crate::raw_server::{Heard, RawServer};
use crate::running::{chat, command, data, records};

const TOKEN: &str = "hub-secret-token-42";

/// How the hub behaves.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Mood {
    Kind,
    /// The first reply with a file ends after a third of it, and so does the second.
    Cuts,
    /// Every reply with a file ends so, after the first byte of it is not even there.
    Breaks,
    /// It tells of another checksum than the file has.
    Lies,
    /// It answers nothing but this.
    Status(u16),
}

/// A server that is both hubs and the storage that they lead to.
fn hub(mood: Mood, files: Vec<(&'static str, Vec<u8>)>) -> RawServer {
    let storage = RawServer::closing_after(1, {
        let (files, served) = (files.clone(), AtomicUsize::new(0));
        move |heard| serve_file(heard, &files, mood, served.fetch_add(1, Ordering::SeqCst))
    });
    let (storage, files, served) = (Arc::new(storage), Arc::new(files), AtomicUsize::new(0));
    RawServer::closing_after(1, move |heard| {
        let target = heard.target();
        if let Mood::Status(status) = mood {
            return format!("HTTP/1.1 {status} No\r\ncontent-length: 0\r\n\r\n").into();
        }
        let json = if target.contains("/revision/main") {
            hugging_face(&files, mood)
        } else if target.contains("/repo/tree") || target.contains("/repo/files") {
            model_scope(&files, mood)
        } else if target.contains("/resolve/") {
            // Large files are elsewhere, on another host: another port is one.
            assert_eq!(heard.header("authorization"), Some(format!("Bearer {TOKEN}").as_str()));
            let path = target.split("/resolve/c0ffee/").nth(1).unwrap_or_default();
            let url = format!("{}/signed/{path}?signature=s3cr3t", storage.url());
            return format!("HTTP/1.1 302 Found\r\nlocation: {url}\r\ncontent-length: 0\r\n\r\n").into();
        } else {
            return serve_file(heard, &files, mood, served.fetch_add(1, Ordering::SeqCst));
        };
        let length = json.len();
        format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{json}")
            .into()
    })
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn told_checksum(bytes: &[u8], mood: Mood) -> String {
    if mood == Mood::Lies { "0".repeat(64) } else { sha256(bytes) }
}

fn hugging_face(files: &[(&str, Vec<u8>)], mood: Mood) -> String {
    let sibling = |(path, bytes): &(&str, Vec<u8>)| {
        let lfs =
            serde_json::json!({"sha256": told_checksum(bytes, mood), "size": bytes.len(), "pointerSize": 1});
        serde_json::json!({"rfilename": path, "size": bytes.len(), "blobId": "0", "lfs": lfs})
    };
    let siblings: Vec<_> = files.iter().map(sibling).collect();
    serde_json::json!({"sha": "c0ffee", "siblings": siblings}).to_string()
}

fn model_scope(files: &[(&str, Vec<u8>)], mood: Mood) -> String {
    let entry = |(path, bytes): &(&str, Vec<u8>)| {
        serde_json::json!({
            "Path": path, "Type": "blob", "Size": bytes.len(), "Sha256": told_checksum(bytes, mood),
        })
    };
    let entries: Vec<_> = files.iter().map(entry).collect();
    serde_json::json!({"Code": 200, "Data": {"Files": entries}}).to_string()
}

fn serve_file(heard: &Heard, files: &[(&str, Vec<u8>)], mood: Mood, served: usize) -> Vec<u8> {
    let target = heard.target().replace("%2F", "/");
    let found = files.iter().find(|(path, _)| {
        target.contains(&format!("/signed/{path}?")) || target.ends_with(&format!("FilePath={path}"))
    });
    let Some((_, bytes)) = found else {
        return b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n".to_vec();
    };
    if target.contains("/signed/") {
        assert_eq!(heard.header("authorization"), None, "the storage is no business of the token");
    }
    let from: usize = heard
        .header("range")
        .map_or(0, |range| range.trim_start_matches("bytes=").trim_end_matches('-').parse().unwrap());
    let rest = &bytes[from..];
    let status = if from == 0 { "200 OK" } else { "206 Partial Content" };
    let mut reply = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n", rest.len()).into_bytes();
    let sent = match mood {
        Mood::Cuts if served < 2 => rest.len() / 3,
        Mood::Breaks => 0,
        _ => rest.len(),
    };
    reply.extend_from_slice(&rest[..sent]);
    reply
}

fn questions() -> Vec<(&'static str, Vec<u8>)> {
    let text: String = (0..400).map(|n| format!("{{\"question\": \"Question number {n}?\"}}\n")).collect();
    vec![("README.md", b"# no data".to_vec()), ("open_qa.jsonl", text.into_bytes())]
}

struct Client {
    folder: tempfile::TempDir,
    server: RawServer,
}

impl Client {
    fn new() -> Client {
        Client { folder: tempfile::tempdir().unwrap(), server: RawServer::kind() }
    }

    fn command(&self, hub: &RawServer, flags: &str) -> Command {
        let mut command = command(
            self.folder.path(),
            &chat(&self.server.url()),
            "--no-test-connection --no-stream --number 3",
        );
        for variable in ["HF_HUB_CACHE", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "MODELSCOPE_OFFLINE"] {
            command.env_remove(variable);
        }
        command
            .args(flags.split_whitespace())
            .env("HF_ENDPOINT", hub.url())
            .env("MODELSCOPE_ENDPOINT", hub.url())
            .env("HF_TOKEN", TOKEN)
            .env("MODELSCOPE_API_TOKEN", TOKEN)
            .env("HF_HOME", self.folder.path().join("hf"))
            .env("MODELSCOPE_CACHE", self.folder.path().join("ms"));
        command
    }

    fn run(&self, hub: &RawServer, flags: &str) -> Output {
        let _ = std::fs::remove_dir_all(self.folder.path().join("outputs"));
        let output = self.command(hub, flags).output().unwrap();
        self.without_secrets(&output);
        output
    }

    /// The token, and a signature that a hub puts into a redirection, are nowhere.
    fn without_secrets(&self, output: &Output) {
        let printed = [&output.stdout[..], &output.stderr[..]].concat();
        for secret in [TOKEN, "s3cr3t"] {
            assert!(!String::from_utf8_lossy(&printed).contains(secret), "{output:?}");
            for file in crate::running::files(self.folder.path()) {
                let bytes = std::fs::read(&file).unwrap();
                assert!(
                    !bytes.windows(secret.len()).any(|part| part == secret.as_bytes()),
                    "{}",
                    file.display()
                );
            }
        }
    }

    fn asked(&self) -> usize {
        records(&self.folder.path().join("outputs")).len()
    }
}

fn stdout(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[track_caller]
fn refused(output: &Output, told: &str) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), said.lines().count()), (Some(2), 1), "{said}");
    assert!(said.contains(told), "{said}");
}

fn files_requested(hub: &RawServer) -> usize {
    let files = |heard: &&Heard| heard.target().contains("FilePath=") || heard.target().contains("/resolve/");
    hub.heard().iter().filter(files).count()
}

#[test]
fn a_dataset_is_downloaded_once_from_either_hub_and_found_again_without_a_network() {
    for (source, kept) in [
        ("huggingface", "hf/hub/datasets--Hello-SimpleAI--HC3-Chinese/snapshots/c0ffee/open_qa.jsonl"),
        ("modelscope", "ms/datasets/AI-ModelScope/HC3-Chinese/open_qa.jsonl"),
    ] {
        let (client, hub) = (Client::new(), hub(Mood::Kind, questions()));
        let flags = format!("--data-source {source}");
        let said = stdout(&client.run(&hub, &flags));
        assert!(said.contains("downloading \"open_qa.jsonl\" ("), "{said}");
        assert_eq!((client.asked(), files_requested(&hub)), (3, 1));
        let kept = client.folder.path().join(kept);
        assert_eq!(std::fs::read(&kept).unwrap(), questions()[1].1);
        assert!(!kept.with_file_name("README.md").exists(), "only what is needed");

        let said = stdout(&client.run(&hub, &flags));
        assert!(!said.contains("downloading"), "{said}");
        assert_eq!(files_requested(&hub), 1);

        let heard = hub.heard().len();
        let _ = std::fs::remove_dir_all(client.folder.path().join("outputs"));
        let offline = client.command(&hub, &flags).env("HF_HUB_OFFLINE", "1").output().unwrap();
        assert!(!stdout(&offline).contains("downloading"));
        assert_eq!(hub.heard().len(), heard, "offline, nobody is asked");

        // A hub that is gone is not missed either.
        let _ = std::fs::remove_dir_all(client.folder.path().join("outputs"));
        let mut gone = client.command(&hub, &flags);
        let nowhere = "http://127.0.0.1:1";
        let gone = gone.env("HF_ENDPOINT", nowhere).env("MODELSCOPE_ENDPOINT", nowhere).output().unwrap();
        assert!(stdout(&gone).contains("\"open_qa.jsonl\" is taken from the cache"), "{}", stdout(&gone));
    }
}

#[test]
fn a_download_that_breaks_off_goes_on_where_it_was() {
    for source in ["huggingface", "modelscope"] {
        let (client, hub) = (Client::new(), hub(Mood::Cuts, questions()));
        stdout(&client.run(&hub, &format!("--data-source {source}")));
        assert_eq!((client.asked(), files_requested(&hub)), (3, 3), "two cuts are two more requests");
    }
    // One that an earlier program left is gone on with as well.
    let (client, hub) = (Client::new(), hub(Mood::Kind, questions()));
    let bytes = &questions()[1].1;
    let blobs = client.folder.path().join("hf/hub/datasets--Hello-SimpleAI--HC3-Chinese/blobs");
    let begin = |content: &[u8]| {
        std::fs::create_dir_all(&blobs).unwrap();
        std::fs::write(blobs.join(format!("{}.incomplete", sha256(bytes))), content).unwrap();
    };
    begin(&bytes[..1000]);
    let said = stdout(&client.run(&hub, "--data-source huggingface"));
    assert!(said.contains("from byte 1,000 on"), "{said}");
    // And one whose beginning is of another file is begun again.
    std::fs::remove_dir_all(client.folder.path().join("hf")).unwrap();
    begin(&[b'x'; 1000]);
    stdout(&client.run(&hub, "--data-source huggingface"));
    assert_eq!(std::fs::read(blobs.join(sha256(bytes))).unwrap(), *bytes);
}

#[test]
fn what_a_hub_refuses_or_breaks_is_told_in_one_line() {
    for source in ["huggingface", "modelscope"] {
        let flags = format!("--data-source {source}");
        let refuse = |mood, told: &str| {
            let (client, hub) = (Client::new(), hub(mood, questions()));
            refused(&client.run(&hub, &flags), told);
            assert_eq!(client.server.heard().len(), 0, "nothing was sent");
            (client, hub)
        };
        refuse(Mood::Status(401), "is not for everybody (HTTP 401): set");
        refuse(Mood::Status(403), "is not for everybody (HTTP 403): set");
        refuse(Mood::Status(404), "(HTTP 404), or it is private: check its name");
        refuse(Mood::Status(500), "cannot be had: HTTP 500; try again later");
        let (client, _) = refuse(Mood::Lies, "\"open_qa.jsonl\" is damaged: its checksum is");
        let left = crate::running::files(client.folder.path());
        assert!(!left.iter().any(|file| file.display().to_string().contains("incomplete")), "{left:?}");
        let (client, hub) = refuse(Mood::Breaks, "the download of \"open_qa.jsonl\" broke off");
        assert_eq!(files_requested(&hub), 5, "it is tried a few times");
        drop(client);
    }
    let client = Client::new();
    let other = hub(Mood::Kind, vec![("README.md", b"# no data".to_vec())]);
    refused(
        &client.run(&other, ""),
        "\"AI-ModelScope/HC3-Chinese\" on ModelScope holds no \"open_qa.jsonl\"",
    );
    let offline =
        client.command(&other, "--data-source huggingface").env("HF_HUB_OFFLINE", "1").output().unwrap();
    refused(&offline, "HF_HUB_OFFLINE forbids to download it");
    let nowhere =
        client.command(&other, "").env("MODELSCOPE_ENDPOINT", "http://127.0.0.1:1").output().unwrap();
    refused(&nowhere, "(127.0.0.1:1) cannot be reached: ");
    let local = client.run(&other, "--data-source local");
    refused(&local, "fetch \"open_qa.jsonl\" from AI-ModelScope/HC3-Chinese on modelscope.cn");
}

/// An archive of files, as `tar` makes it.
fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, bytes) in files {
        let mut header = [0_u8; 512];
        header[..name.len()].copy_from_slice(name.as_bytes());
        header[100..108].copy_from_slice(b"0000644\0");
        header[124..136].copy_from_slice(format!("{:011o}\0", bytes.len()).as_bytes());
        header[148..156].copy_from_slice(b"        ");
        header[156] = b'0';
        header[257..265].copy_from_slice(b"ustar\x0000");
        let sum: u32 = header.iter().map(|&byte| u32::from(byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        out.extend_from_slice(&header);
        out.extend_from_slice(bytes);
        out.resize(out.len().next_multiple_of(512), 0);
    }
    out.resize(out.len() + 1024, 0);
    out
}

fn read(path: PathBuf) -> Vec<u8> {
    std::fs::read(path).unwrap()
}

#[test]
fn a_tokenizer_is_named_by_its_repository_and_a_dataset_may_be_of_several_files() {
    let tokenizer = data("tokenizer");
    let mut files = vec![
        ("config.json", b"{}".to_vec()),
        ("model.safetensors", vec![0; 100]),
        ("tokenizer.json", read(tokenizer.join("tokenizer.json"))),
    ];
    if tokenizer.join("tokenizer_config.json").exists() {
        files.push(("tokenizer_config.json", read(tokenizer.join("tokenizer_config.json"))));
    }
    for source in ["huggingface", "modelscope"] {
        let (client, hub) = (Client::new(), hub(Mood::Kind, files.clone()));
        let flags = format!(
            "--data-source {source} --tokenizer-path Some/Model-1.5B --dataset random --min-prompt-length 60 --max-prompt-length 60"
        );
        stdout(&client.run(&hub, &flags));
        assert_eq!((client.asked(), files_requested(&hub)), (3, files.len() - 2), "weights are not fetched");
    }
    let picture = |name: &str| {
        tar(&[(&format!("{name}.jpg"), b"\xff\xd8\xff\xe0JFIF"), (&format!("{name}.txt"), b"A dog.")])
    };
    let archives = vec![("test/0.tar", picture("0")), ("test/1.tar", picture("1")), ("train/0.tar", vec![1])];
    let (client, hub) = (Client::new(), hub(Mood::Kind, archives));
    stdout(&client.run(&hub, "--data-source huggingface --dataset flickr8k"));
    assert_eq!((client.asked(), files_requested(&hub)), (3, 2));
}
