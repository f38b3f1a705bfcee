//! A dataset that tries what a plugin could want of the machine, and says in one conversation for
//! each try what came of it: the label `try`, and the answer as the prompt.

use std::fmt::Debug;

use tickrate_guest::{Conversation, Dataset, PluginError, RunConfig, export_dataset, host};

struct Reach {
    found: Vec<(&'static str, String)>,
}

impl Dataset for Reach {
    fn open(config: RunConfig) -> Result<Self, PluginError> {
        let mut found = Vec::new();
        let mut note = |what, answer| found.push((what, answer));
        let path = config.dataset_path.unwrap_or_default();

        note("path", path.clone());
        note("wasi", cfg!(target_os = "wasi").to_string());
        note("arguments", std::env::args().count().to_string());
        // Where there is no WASI, even asking panics.
        let environment = if cfg!(target_os = "wasi") { std::env::vars().count() } else { 0 };
        note("environment", environment.to_string());
        note("std read", said(std::fs::read_to_string(&path)));
        note("std write", granted(std::fs::write(&path, "overwritten")));
        note("std create", granted(std::fs::write("/data/new", "created")));
        note("std remove", granted(std::fs::remove_file(&path)));
        note("std neighbour", granted(std::fs::read("/data/neighbour.txt")));
        note("std outside", granted(std::fs::read("/data/../etc/hostname")));
        note("std root", granted(std::fs::read_dir("/")));
        note("network", granted(std::net::TcpStream::connect("127.0.0.1:1")));
        note("listen", granted(std::net::TcpListener::bind("127.0.0.1:0")));

        let files = host::files();
        note("files", said(files.as_ref().map(|files| names(files))));
        let first = files.ok().and_then(|files| Some(files.first()?.name.clone())).unwrap_or_default();
        let read = host::read(&first, 1, 3).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        note("read", said(read));
        note("read outside", said(host::read("../neighbour.txt", 0, 9)));

        note("count", said(host::count("one two three")));
        note("encode", said(host::encode("one two")));
        note("decode", said(host::decode(&[1, 2])));
        note("random", host::random().to_string());
        Ok(Reach { found })
    }

    fn next(&mut self, at_most: u32) -> Result<Vec<Conversation>, PluginError> {
        let batch = self.found.drain(..self.found.len().min(at_most as usize));
        let conversation = |(what, answer): (&str, String)| {
            let mut conversation = Conversation::ask(answer);
            conversation.labels.push(("try".into(), what.into()));
            conversation
        };
        Ok(batch.map(conversation).collect())
    }
}

fn names(files: &[host::File]) -> String {
    let names: Vec<String> = files.iter().map(|file| format!("{} {}", file.name, file.bytes)).collect();
    names.join(", ")
}

/// What came of it, in words that do not depend on the system.
fn granted<T, E>(result: Result<T, E>) -> String {
    if result.is_ok() { "granted" } else { "denied" }.into()
}

fn said<T: Debug, E: Debug>(result: Result<T, E>) -> String {
    match result {
        Ok(value) => format!("{value:?}"),
        Err(error) => format!("error {error:?}"),
    }
}

export_dataset!(Reach);
