//! The ground truth: what the server did and when, written beside the timing path.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use serde::Serialize;

use super::SimError;
use super::http1::Request;
use crate::clock::monotonic_ns;

/// What the server did for one request. Times are nanoseconds of `CLOCK_MONOTONIC`; what did not
/// happen is null.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct TruthLine {
    /// The value of the `X-Request-ID` header.
    pub request_id: Option<String>,
    /// The path asked for.
    pub path: String,
    /// When the last packet of the request was there, by the kernel's stamp of it. It may wait in its socket
    /// until the server gets to it.
    pub arrived_ns: Option<i64>,
    /// When the whole request had been read.
    pub received_ns: i64,
    /// When it left the queue.
    pub started_ns: Option<i64>,
    /// For each frame with output, the moment before it was handed to the socket.
    pub frame_ns: Vec<i64>,
    /// The tokens in each of those frames.
    pub frame_tokens: Vec<u32>,
    /// When the reply had been written, or the request was given up.
    pub finished_ns: i64,
    /// Tokens of the prompt by the simulator's own rule.
    pub input_tokens: Option<u64>,
    /// Those of them that were cached, where there is a cache.
    pub cached_tokens: Option<u64>,
    /// Tokens that were sent.
    pub output_tokens: u64,
    /// The status that was sent.
    pub status: Option<u16>,
    /// The fault that was chosen.
    pub fault: Option<&'static str>,
    /// Whether the client went away before the reply was complete.
    pub client_closed: bool,
}

/// Where the lines go: nowhere, or to the writing thread.
#[derive(Clone)]
pub(super) struct TruthSink(Option<Sender<TruthLine>>);

impl TruthSink {
    /// A sink that forgets.
    pub fn none() -> TruthSink {
        TruthSink(None)
    }

    /// A new file, and the thread that writes it until every copy of the sink is gone.
    pub fn create(path: &Path) -> Result<(TruthSink, JoinHandle<()>), SimError> {
        let file =
            File::create(path).map_err(|source| SimError::Truth { path: path.to_path_buf(), source })?;
        let (sender, receiver) = channel();
        let name = path.to_path_buf();
        let writer = std::thread::Builder::new()
            .name("sim-truth".to_string())
            .spawn(move || {
                if let Err(error) = write_lines(&receiver, BufWriter::new(file)) {
                    eprintln!(
                        "tickrate sim: cannot write {name:?} ({error}): the ground truth is incomplete"
                    );
                }
            })
            .map_err(SimError::Thread)?;
        Ok((TruthSink(Some(sender)), writer))
    }

    /// Whether anybody reads what is recorded.
    pub fn is_kept(&self) -> bool {
        self.0.is_some()
    }
}

/// Writes lines until no sink is left, and flushes whenever there is nothing more to write.
fn write_lines(lines: &Receiver<TruthLine>, mut file: BufWriter<File>) -> std::io::Result<()> {
    while let Ok(first) = lines.recv() {
        let mut next = Some(first);
        while let Some(line) = next {
            serde_json::to_writer(&mut file, &line)?;
            file.write_all(b"\n")?;
            next = lines.try_recv().ok();
        }
        file.flush()?;
    }
    Ok(())
}

/// A line in the making. It is sent when it is dropped, however the request ends.
pub(super) struct TruthRecord {
    sink: TruthSink,
    /// What is known so far.
    pub line: TruthLine,
}

impl TruthRecord {
    /// The record of a request that has just been read.
    pub fn new(sink: &TruthSink, request: &Request) -> TruthRecord {
        let line = TruthLine {
            path: request.path.clone(),
            request_id: request.request_id.clone(),
            arrived_ns: request.arrived_ns,
            received_ns: monotonic_ns(),
            ..TruthLine::default()
        };
        TruthRecord { sink: sink.clone(), line }
    }

    /// Makes room for so many frames, so that none is an allocation on the timing path.
    pub fn reserve(&mut self, frames: usize) {
        if self.sink.is_kept() {
            self.line.frame_ns.reserve(frames);
            self.line.frame_tokens.reserve(frames);
        }
    }

    /// A frame with output is about to be written.
    #[inline]
    pub fn frame(&mut self, tokens: u32) {
        self.line.output_tokens += u64::from(tokens);
        if self.sink.is_kept() {
            self.line.frame_ns.push(monotonic_ns());
            self.line.frame_tokens.push(tokens);
        }
    }
}

impl Drop for TruthRecord {
    fn drop(&mut self) {
        if let Some(sender) = &self.sink.0 {
            if self.line.finished_ns == 0 {
                self.line.finished_ns = monotonic_ns();
            }
            // The writer is gone only if the file cannot be written, and that has been said.
            let _ = sender.send(std::mem::take(&mut self.line));
        }
    }
}
