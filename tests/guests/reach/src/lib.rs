//! A dataset that tries what a plugin could want of the machine, and says in one conversation for
//! each try what came of it: the label `try`, and the answer as the prompt.

use std::fmt::Debug;

use tickrate_guest::{Conversation, Dataset, PluginError, RunConfig, export_dataset, host};

/// What to try besides, and whether it is an error that it is refused.
#[derive(serde::Deserialize)]
#[serde(default)]
#[derive(Default)]
struct Options {
    /// A server to talk to: `127.0.0.1:80`.
    connect: Option<String>,
    /// A variable of the environment.
    variable: Option<String>,
    /// A file to read.
    file: Option<String>,
    /// A file to write.
    written: Option<String>,
    /// Whether to go on without.
    optional: bool,
}

impl Options {
    fn try_all(&self, found: &mut Vec<(&'static str, String)>) -> Result<(), PluginError> {
        let tries: [(&'static str, Option<std::io::Result<String>>); 4] = [
            ("connect", self.connect.as_ref().map(|place| talk(place))),
            (
                "variable",
                self.variable.as_ref().map(|name| std::env::var(name).map_err(std::io::Error::other)),
            ),
            ("file", self.file.as_ref().map(std::fs::read_to_string)),
            ("written", self.written.as_ref().map(|path| std::fs::write(path, "mine").map(|()| "done".into()))),
        ];
        for (what, tried) in tries {
            match tried {
                None => {}
                Some(Ok(answer)) => found.push((what, answer)),
                Some(Err(_)) if self.optional => found.push((what, "denied".into())),
                Some(Err(error)) => return Err(PluginError::Internal(format!("no {what}: {error}"))),
            }
        }
        Ok(())
    }
}

/// Says hello and returns the answer.
fn talk(place: &str) -> std::io::Result<String> {
    use std::io::{Read, Write};
    let mut stream = std::net::TcpStream::connect(place)?;
    stream.write_all(b"hello")?;
    stream.shutdown(std::net::Shutdown::Write)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

struct Reach {
    found: Vec<(&'static str, String)>,
}

impl Dataset for Reach {
    fn open(config: RunConfig) -> Result<Self, PluginError> {
        let mut found = Vec::new();
        let options: Options =
            serde_json::from_str(&config.options).map_err(|error| PluginError::InvalidConfig(error.to_string()))?;
        options.try_all(&mut found)?;
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
