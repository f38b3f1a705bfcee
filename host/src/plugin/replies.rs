//! Replies to try a plugin on: recorded ones from a file, and made-up ones of the dialects that
//! tickrate knows.

use std::ops::Range;
use std::path::Path;

use serde::Deserialize;

use crate::contract::framing::{Framed, frames};
use crate::contract::{Frame, Framing, Mark, Reply};
use crate::units::Nanos;

/// A reply with all that belongs to it.
#[derive(Debug, Clone, PartialEq)]
pub struct Recorded {
    /// What it goes by in a report: `replies.jsonl:3`, `tgi`.
    pub name: String,
    /// The HTTP status.
    pub status: u16,
    /// The `Content-Type`.
    pub content_type: Option<String>,
    /// How it was framed.
    pub framing: Framing,
    /// Whether it was read to its end.
    pub complete: bool,
    /// Bytes of its body; those of its frames where the body itself was not recorded.
    pub bytes: u64,
    /// Its payload and frames; their times are relative to the sending.
    pub framed: Framed,
}

impl Recorded {
    /// A complete, streamed reply of these frames, of which one comes every 10 ms.
    pub fn of_frames<T: AsRef<[u8]>>(name: &str, framing: Framing, data: &[T]) -> Recorded {
        let mut framed = Framed::default();
        for (at, data) in data.iter().enumerate() {
            push(&mut framed, data.as_ref(), None, every_10_ms(at + 1));
        }
        let content_type = match framing {
            Framing::Sse => "text/event-stream",
            Framing::Ndjson => "application/x-ndjson",
            Framing::Raw => "application/octet-stream",
            Framing::Whole => "application/json",
        };
        Recorded {
            name: name.to_owned(),
            status: 200,
            content_type: Some(content_type.into()),
            framing,
            complete: true,
            bytes: framed.payload.len() as u64,
            framed,
        }
    }

    /// The reply as a parser sees it.
    pub fn reply(&self) -> Reply<'_> {
        Reply {
            status: self.status,
            content_type: self.content_type.as_deref(),
            framing: self.framing,
            complete: self.complete,
            sent: Nanos::ZERO,
            payload: &self.framed.payload,
            frames: &self.framed.frames,
        }
    }
}

/// When the `nth` frame of a reply comes that nobody has timed.
fn every_10_ms(nth: usize) -> Nanos {
    Nanos(i64::try_from(nth).unwrap_or(i64::MAX / 10_000_000).saturating_mul(10_000_000))
}

fn push(framed: &mut Framed, data: &[u8], event: Option<String>, at: Nanos) {
    let start = framed.payload.len();
    framed.payload.extend_from_slice(data);
    framed.frames.push(Frame { at, event, range: start..framed.payload.len() });
}

/// Why a file of replies cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RepliesError {
    /// The file cannot be read.
    #[error("cannot read the replies \"{path}\": {reason}; check the path")]
    Read {
        /// The file.
        path: String,
        /// What the system said.
        reason: String,
    },
    /// A folder without files.
    #[error("the folder \"{0}\" holds no replies; put what the server said into files in it")]
    Empty(String),
    /// A line is not a reply.
    #[error(
        "line {line} of \"{path}\" is no reply: {reason}; give {{\"status\", \"content_type\", \"framing\", \
         \"frames\" or \"body\"}} as JSON"
    )]
    Line {
        /// The file.
        path: String,
        /// The line's number, from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    #[serde(default = "ok")]
    status: u16,
    content_type: Option<String>,
    framing: Option<FramingName>,
    #[serde(default = "yes")]
    complete: bool,
    frames: Option<Vec<FrameLine>>,
    body: Option<String>,
}

fn ok() -> u16 {
    200
}

fn yes() -> bool {
    true
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum FramingName {
    Sse,
    Ndjson,
    Raw,
    Whole,
}

impl From<FramingName> for Framing {
    fn from(name: FramingName) -> Framing {
        match name {
            FramingName::Sse => Framing::Sse,
            FramingName::Ndjson => Framing::Ndjson,
            FramingName::Raw => Framing::Raw,
            FramingName::Whole => Framing::Whole,
        }
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum FrameLine {
    Data(String),
    Full { data: String, event: Option<String>, at_ms: Option<f64> },
}

/// Reads a file of replies, or all files of a folder in the order of their names; hidden ones are left
/// out. A file holds JSON lines, or, if its first line is no JSON object with `frames` or `body`, the
/// one body of a reply as `curl` saves it. A body is framed as `asked` for by the plugin, unless its
/// line says how.
///
/// # Errors
/// If a file cannot be read, or one of its lines is not a reply, or the folder has no files.
pub fn read(path: &Path, asked: Framing) -> Result<Vec<Recorded>, RepliesError> {
    if !path.is_dir() {
        return read_file(path, asked);
    }
    let shown = path.display().to_string();
    let entries = std::fs::read_dir(path)
        .map_err(|error| RepliesError::Read { path: shown.clone(), reason: error.to_string() })?;
    let is_hidden =
        |path: &Path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
    let mut files: Vec<_> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.is_file() && !is_hidden(path))
        .collect();
    files.sort();
    if files.is_empty() {
        return Err(RepliesError::Empty(shown));
    }
    let replies: Result<Vec<_>, _> = files.iter().map(|file| read_file(file, asked)).collect();
    replies.map(|replies| replies.into_iter().flatten().collect())
}

fn read_file(path: &Path, asked: Framing) -> Result<Vec<Recorded>, RepliesError> {
    let shown = path.display().to_string();
    let bytes = std::fs::read(path)
        .map_err(|error| RepliesError::Read { path: shown.clone(), reason: error.to_string() })?;
    let short = path.file_name().map_or_else(|| shown.clone(), |name| name.to_string_lossy().into_owned());
    let text = std::str::from_utf8(&bytes).ok().filter(|text| {
        let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
        serde_json::from_str::<serde_json::Map<_, serde_json::Value>>(first)
            .is_ok_and(|object| object.contains_key("frames") || object.contains_key("body"))
    });
    let Some(text) = text else {
        return Ok(vec![body(short, bytes, asked)]);
    };
    let mut replies = Vec::new();
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let bad = |reason: String| RepliesError::Line { path: shown.clone(), line: index + 1, reason };
        let line: Line = serde_json::from_str(line).map_err(|error| bad(error.to_string()))?;
        let framing = line.framing.map_or(asked, Framing::from);
        let name = format!("{short}:{}", index + 1);
        let reply = match (line.frames, line.body) {
            (Some(frames), None) => {
                let mut reply = Recorded::of_frames::<&str>(&name, framing, &[]);
                for (at, frame) in frames.into_iter().enumerate() {
                    let (data, event, at_ms) = match frame {
                        FrameLine::Data(data) => (data, None, None),
                        FrameLine::Full { data, event, at_ms } => (data, event, at_ms),
                    };
                    let at = at_ms.map_or_else(|| every_10_ms(at + 1), Nanos::from_ms);
                    push(&mut reply.framed, data.as_bytes(), event, at);
                }
                reply.bytes = reply.framed.payload.len() as u64;
                reply
            }
            (None, Some(text)) => body(name, text.into_bytes(), framing),
            _ => return Err(bad("it needs either \"frames\" or \"body\"".into())),
        };
        let content_type = line.content_type.or(reply.content_type);
        replies.push(Recorded { status: line.status, content_type, complete: line.complete, ..reply });
    }
    Ok(replies)
}

/// The reply of this body, which came in one read.
fn body(name: String, bytes: Vec<u8>, framing: Framing) -> Recorded {
    let length = bytes.len();
    let marks = [Mark { at: every_10_ms(1), end: length }];
    let empty = Recorded::of_frames::<&str>(&name, framing, &[]);
    Recorded { bytes: length as u64, framed: frames(bytes, &marks, framing), ..empty }
}

/// Replies of `count` frames in the dialects that tickrate knows, each with words as its output.
pub fn known(count: usize) -> Vec<Recorded> {
    let words = count.saturating_sub(1).max(1);
    let made = |name, framing, frame: &dyn Fn(usize) -> String, last: &[String]| {
        let all: Vec<String> = (0..words).map(frame).chain(last.iter().cloned()).collect();
        Recorded::of_frames(name, framing, &all)
    };
    let chat = |i: usize| {
        format!(
            r#"{{"id":"chatcmpl-8f1c","object":"chat.completion.chunk","created":1760000000,"model":"m","choices":[{{"index":0,"delta":{{"content":" word{i}"}},"logprobs":null,"finish_reason":null}}]}}"#
        )
    };
    let chat_end = format!(
        r#"{{"choices":[{{"index":0,"delta":{{}},"finish_reason":"stop"}}],"usage":{{"prompt_tokens":5,"completion_tokens":{words}}}}}"#
    );
    let ollama =
        |i: usize| format!(r#"{{"message":{{"role":"assistant","content":" word{i}"}},"done":false}}"#);
    let ollama_end = format!(
        r#"{{"message":{{"role":"assistant","content":""}},"done":true,"done_reason":"stop","prompt_eval_count":5,"eval_count":{words}}}"#
    );
    let tgi = |i: usize| {
        format!(
            r#"{{"index":{},"token":{{"id":{i},"text":" word{i}","logprob":-0.5,"special":false}},"generated_text":null,"details":null}}"#,
            i + 1
        )
    };
    let tgi_end = format!(
        r#"{{"index":{0},"token":{{"id":2,"text":"</s>","special":true}},"generated_text":"words","details":{{"finish_reason":"eos_token","generated_tokens":{0},"input_length":5}}}}"#,
        words + 1
    );
    let claude = |i: usize| {
        format!(
            r#"{{"type":"content_block_delta","index":0,"delta":{{"type":"text_delta","text":" word{i}"}}}}"#
        )
    };
    let claude_end = [
        format!(
            r#"{{"type":"message_delta","delta":{{"stop_reason":"end_turn"}},"usage":{{"input_tokens":5,"output_tokens":{words}}}}}"#
        ),
        r#"{"type":"message_stop"}"#.into(),
    ];
    let pebble = |i: usize| format!(r#"{{"text":" word{i}","tokens":1}}"#);
    let pebble_end = format!(r#"{{"reason":"stop","prompt_tokens":5,"output_tokens":{words}}}"#);
    let mut pebble = made("pebble", Framing::Sse, &pebble, &[pebble_end]);
    for (at, frame) in pebble.framed.frames.iter_mut().enumerate() {
        frame.event = Some(if at < words { "piece" } else { "close" }.into());
    }
    vec![
        made("openai", Framing::Sse, &chat, &[chat_end, "[DONE]".into()]),
        made("ollama", Framing::Ndjson, &ollama, &[ollama_end]),
        made("tgi", Framing::Sse, &tgi, &[tgi_end]),
        made("anthropic", Framing::Sse, &claude, &claude_end),
        pebble,
    ]
}

/// `reply` with its frames that carried output, `from..to`, over and over until it has about `count`
/// frames: what a longer reply of the same server looks like.
pub fn stretched(reply: &Recorded, output: Range<usize>, count: usize) -> Recorded {
    let all = &reply.framed;
    let (before, after) = (output.start, all.frames.len() - output.end);
    let middle = count.saturating_sub(before + after).max(1);
    let chosen = (0..before).chain(output.clone().cycle().take(middle)).chain(output.end..all.frames.len());
    let mut framed = Framed::default();
    for (at, frame) in chosen.map(|at| &all.frames[at]).enumerate() {
        push(&mut framed, &all.payload[frame.range.clone()], frame.event.clone(), every_10_ms(at + 1));
    }
    Recorded { bytes: framed.payload.len() as u64, framed, ..reply.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> Result<Vec<Recorded>, RepliesError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("r.jsonl");
        std::fs::write(&path, text).unwrap();
        read(&path, Framing::Sse)
    }

    #[test]
    fn lines_are_replies_of_frames_or_bodies() {
        let replies = read_text(
            "{\"frames\":[\"a\",{\"data\":\"bc\",\"event\":\"error\",\"at_ms\":2.5}],\"status\":201}\n\n\
             {\"body\":\"{}\\n{}\\n\",\"framing\":\"ndjson\",\"complete\":false}\n",
        )
        .unwrap();
        let [one, two] = &replies[..] else { panic!("{replies:?}") };
        assert_eq!(
            (one.status, one.framing, one.framed.payload.as_slice()),
            (201, Framing::Sse, &b"abc"[..])
        );
        assert_eq!(
            one.framed.frames[1],
            Frame { at: Nanos(2_500_000), event: Some("error".into()), range: 1..3 }
        );
        assert_eq!((two.name.as_str(), two.complete, two.framed.frames.len()), ("r.jsonl:3", false, 2));
        assert_eq!((one.bytes, two.bytes), (3, 6), "of the frames, and of the body");
    }

    #[test]
    fn a_folder_is_all_of_its_files() {
        let dir = tempfile::tempdir().unwrap();
        let told = read(dir.path(), Framing::Sse).unwrap_err().to_string();
        assert!(told.ends_with("holds no replies; put what the server said into files in it"), "{told}");
        for (name, text) in [("b.txt", "data: x\n\n"), ("a.jsonl", "{\"body\":\"\"}\n"), (".c", "{")] {
            std::fs::write(dir.path().join(name), text).unwrap();
        }
        std::fs::create_dir(dir.path().join("folder")).unwrap();
        let replies = read(dir.path(), Framing::Sse).unwrap();
        assert_eq!(
            replies.iter().map(|reply| reply.name.as_str()).collect::<Vec<_>>(),
            ["a.jsonl:1", "b.txt"]
        );
    }

    #[test]
    fn a_file_that_is_no_json_lines_is_one_body() {
        let replies = read_text("data: {\"a\":1}\n\ndata: [DONE]\n\n").unwrap();
        assert_eq!((replies.len(), replies[0].framed.frames.len()), (1, 2));
    }

    #[test]
    fn a_bad_line_is_named() {
        let told = read_text("{\"frames\":[]}\n{\"frames\":[],\"body\":\"\"}\n").unwrap_err().to_string();
        assert!(told.starts_with("line 2 of \"") && told.contains("either \"frames\" or \"body\""), "{told}");
    }

    #[test]
    fn a_reply_is_stretched_by_its_output() {
        let reply = Recorded::of_frames("r", Framing::Sse, &["open", "a", "b", "close"]);
        let data = |count| {
            let long = stretched(&reply, 1..3, count);
            assert_eq!(long.bytes, long.framed.payload.len() as u64);
            let frames = long.framed.frames.iter();
            frames
                .map(|frame| String::from_utf8_lossy(&long.framed.payload[frame.range.clone()]).into_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(data(7), ["open", "a", "b", "a", "b", "a", "close"]);
        assert_eq!(data(1), ["open", "a", "close"]);
    }

    #[test]
    fn the_known_dialects_have_as_many_frames_as_asked_for() {
        for reply in known(128) {
            assert!((128..=129).contains(&reply.framed.frames.len()), "{}", reply.name);
        }
    }
}
