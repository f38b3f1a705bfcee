//! From the JSON of a frame to an event of the stream, and from that to a chunk of the body.

use super::faults::Fault;
use super::http1::{LAST_CHUNK, write_chunk};
use super::protocol::Dialect;

/// The bytes of a reply that are to be written next, and the buffers that frames are made in.
pub(super) struct Sink {
    /// What is to be written.
    pub out: Vec<u8>,
    sse: bool,
    fault: Option<Fault>,
    frames: u64,
    json: Vec<u8>,
    event: Vec<u8>,
}

impl Sink {
    /// A sink for a streamed reply.
    pub fn new(dialect: Dialect, fault: Option<Fault>) -> Sink {
        let sse = dialect != Dialect::Ollama;
        Sink { out: Vec::new(), sse, fault, frames: 0, json: Vec::new(), event: Vec::new() }
    }

    /// The type of the reply's content.
    pub fn content_type(&self) -> &'static str {
        if self.sse { "text/event-stream; charset=utf-8" } else { "application/x-ndjson" }
    }

    /// How many frames there have been.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// Appends a frame whose JSON `write` makes. The event has a name unless that is empty.
    pub fn frame(&mut self, name: &str, write: impl FnOnce(&mut Vec<u8>)) {
        let mut json = std::mem::take(&mut self.json);
        json.clear();
        write(&mut json);
        self.data(name, &json);
        self.json = json;
    }

    /// Appends a frame with this data.
    pub fn data(&mut self, name: &str, data: &[u8]) {
        self.frames += 1;
        let event = &mut self.event;
        event.clear();
        let end: &[u8] = if self.fault == Some(Fault::Crlf) { b"\r\n" } else { b"\n" };
        if self.sse {
            if self.fault == Some(Fault::Comments) {
                write_chunk(&mut self.out, b": keep-alive\n\n");
                event.extend_from_slice(b": a comment within the event\n");
            }
            if !name.is_empty() {
                event.extend_from_slice(b"event: ");
                event.extend_from_slice(name.as_bytes());
                event.extend_from_slice(end);
            }
            event.extend_from_slice(b"data: ");
            match data {
                // A line break is white space to JSON after the first brace and before the last.
                [b'{', inner @ .., b'}'] if self.fault == Some(Fault::MultilineData) => {
                    event.extend_from_slice(b"{\ndata: ");
                    event.extend_from_slice(inner);
                    event.extend_from_slice(b"\ndata: }");
                }
                _ => event.extend_from_slice(data),
            }
            event.extend_from_slice(end);
        } else {
            event.extend_from_slice(data);
        }
        event.extend_from_slice(end);
        write_chunk(&mut self.out, event);
    }

    /// Appends the end of the body.
    pub fn close(&mut self) {
        self.out.extend_from_slice(LAST_CHUNK);
    }
}
