//! `--progress-file`: what goes on, for programs. Each line is a JSON object, written whole;
//! `docs/live.md` documents them.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use super::live::Board;
use super::{Output, OutputError};
use crate::record::Event;

/// The version of the lines' format. It grows when a field changes its meaning or goes, not when one
/// is added.
const VERSION: u32 = 1;
/// How many lines may wait for a file that is slow. There are three for each stage; progress itself is
/// asked for when it can be written.
const QUEUE: usize = 4096;

/// Writes lines on a thread of its own.
#[derive(Debug)]
pub struct ProgressFile {
    board: Arc<Board>,
    path: PathBuf,
    lines: Option<SyncSender<Value>>,
    thread: Option<JoinHandle<Result<(), OutputError>>>,
}

impl ProgressFile {
    /// Begins the file at `path` anew and writes to it what stands on `board`, every `every`.
    /// Fails if there is no such file to be had, or no thread.
    pub fn create(board: Arc<Board>, path: &Path, every: Duration) -> Result<ProgressFile, OutputError> {
        let failed = |error: std::io::Error| {
            OutputError(format!(
                "cannot write \"{}\": {error}; name a file that can be written",
                path.display()
            ))
        };
        let file = File::create(path).map_err(failed)?;
        let (sender, lines) = sync_channel(QUEUE);
        let mut writer = Writer { file, path: path.to_path_buf(), board: board.clone(), every };
        let thread = std::thread::Builder::new()
            .name("progress-file".into())
            .spawn(move || writer.run(&lines))
            .map_err(failed)?;
        Ok(ProgressFile { board, path: path.to_path_buf(), lines: Some(sender), thread: Some(thread) })
    }

    fn tell(&self, line: Value) {
        if let Some(lines) = &self.lines {
            // It fails when thousands of lines wait, or the thread is gone, which the end tells.
            let _ = lines.try_send(line);
        }
    }
}

impl Output for ProgressFile {
    fn name(&self) -> &'static str {
        "progress file"
    }

    fn on_event(&mut self, event: &Event) -> Result<(), OutputError> {
        match event {
            Event::RunStarted(run) => self.tell(json!({
                "event": "run_started",
                "version": VERSION,
                "tickrate_version": run.tickrate_version,
                "started_at": run.started_at,
                "run_id": run.run_id,
                "stages": self.board.snapshot().stages,
            })),
            Event::StageStarted(stage) => {
                let mut line = json!({"event": "stage_started", "folder": stage.folder});
                merge(&mut line, json!(stage.as_ref()));
                self.tell(line);
            }
            Event::StageFinished(stage, end) => {
                let mut line = json!({
                    "event": "stage_finished",
                    "reason": end.reason,
                    "folder": stage.folder,
                    "verdict": end.health.verdict,
                    "client_limited": end.health.client_limited,
                });
                merge(&mut line, json!(self.board.snapshot()));
                self.tell(line);
            }
            Event::Warned(text) => self.tell(json!({"event": "warning", "text": text})),
            Event::RunFinished => {
                self.tell(json!({"event": "run_finished"}));
                self.lines = None;
                let Some(thread) = self.thread.take() else { return Ok(()) };
                return thread.join().unwrap_or_else(|_| {
                    let path = self.path.display();
                    Err(OutputError(format!("the thread that writes \"{path}\" panicked")))
                });
            }
            Event::RequestSettled(_) | Event::ReplyKept(_) => {}
        }
        Ok(())
    }
}

struct Writer {
    file: File,
    path: PathBuf,
    board: Arc<Board>,
    every: Duration,
}

impl Writer {
    /// Writes lines as they come, and the progress in between while a stage runs.
    fn run(&mut self, lines: &Receiver<Value>) -> Result<(), OutputError> {
        let mut next = Instant::now() + self.every;
        let mut running = false;
        loop {
            match lines.recv_timeout(next.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    running = match line["event"].as_str() {
                        Some("stage_started") => {
                            next = Instant::now() + self.every;
                            true
                        }
                        Some("stage_finished") => false,
                        _ => running,
                    };
                    self.write(line)?;
                }
                Err(RecvTimeoutError::Timeout) => {
                    next = Instant::now() + self.every;
                    if running {
                        let mut line = json!({"event": "progress"});
                        merge(&mut line, json!(self.board.snapshot()));
                        self.write(line)?;
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
        }
    }

    /// Appends a line with a single call, so that a reader finds whole lines or none.
    fn write(&mut self, mut line: Value) -> Result<(), OutputError> {
        line["at"] = json!(chrono::Local::now().to_rfc3339());
        let text = format!("{line}\n");
        self.file
            .write_all(text.as_bytes())
            .map_err(|error| OutputError(format!("cannot write \"{}\": {error}", self.path.display())))
    }
}

/// Adds the members of `more` to `line`.
fn merge(line: &mut Value, more: Value) {
    if let (Value::Object(line), Value::Object(more)) = (line, more) {
        let more: Map<String, Value> = more;
        line.extend(more);
    }
}
