//! The values of a JSON file, one at a time: the items of an array at its top, or values that follow
//! one another. Only the value at hand is in memory.

use std::io::BufRead;
use std::path::PathBuf;

use super::{LONGEST, Payload, Record, files};

/// The values as their own text, each with the number of the item. Whether the text is a JSON value
/// is left to whoever parses it; where it ends is found by its brackets and quotes. With `member`
/// they are the items of the array of that name in the object at the top.
pub(super) fn values(
    path: PathBuf,
    reader: Box<dyn BufRead + Send>,
    member: Option<&'static str>,
) -> impl Iterator<Item = Result<Record, String>> {
    let mut scanner = Scanner { reader, member, in_array: false, started: false, over: false };
    let mut at = 0;
    let mut over = false;
    std::iter::from_fn(move || {
        if over {
            return None;
        }
        let value = match scanner.value() {
            Ok(Some(value)) => String::from_utf8(value)
                .map_err(|_| Wrong::Json("is not valid UTF-8; convert the file to UTF-8")),
            Ok(None) => return None,
            Err(wrong) => Err(wrong),
        };
        at += 1;
        Some(match value {
            Ok(text) => Ok(Record { at, payload: Payload::Text(text), blobs: Vec::new() }),
            Err(wrong) => {
                over = true;
                Err(match wrong {
                    Wrong::Read(error) => files::unreadable(&path, &error),
                    Wrong::Json(reason) => {
                        format!("item {at} of the dataset file \"{}\" {reason}", path.display())
                    }
                })
            }
        })
    })
}

enum Wrong {
    Read(std::io::Error),
    Json(&'static str),
}

impl From<std::io::Error> for Wrong {
    fn from(error: std::io::Error) -> Wrong {
        Wrong::Read(error)
    }
}

struct Scanner {
    reader: Box<dyn BufRead + Send>,
    member: Option<&'static str>,
    in_array: bool,
    started: bool,
    over: bool,
}

impl Scanner {
    /// The next value's text; `None` at the end.
    fn value(&mut self) -> Result<Option<Vec<u8>>, Wrong> {
        if self.over {
            return Ok(None);
        }
        if !self.started {
            self.started = true;
            if self.reader.fill_buf()?.starts_with(b"\xef\xbb\xbf") {
                self.reader.consume(3);
            }
            if let Some(member) = self.member {
                self.skip_to_member(member)?;
            }
            if self.skip_to_value()? == Some(b'[') {
                self.reader.consume(1);
                self.in_array = true;
            }
        }
        match (self.skip_to_value()?, self.in_array) {
            (None, false) => return Ok(None),
            (None, true) => {
                return Err(Wrong::Json("is missing: the file ends within its array; get it whole again"));
            }
            (Some(b']'), true) => {
                self.reader.consume(1);
                self.over = true;
                return match self.skip_to_value()? {
                    None => Ok(None),
                    Some(_) if self.member.is_some() => Ok(None),
                    Some(_) => Err(Wrong::Json("comes after the end of the array; correct the file")),
                };
            }
            (Some(_), _) => {}
        }
        self.one().map(Some)
    }

    /// Passes over an object's members until the value of the one wanted comes.
    fn skip_to_member(&mut self, member: &str) -> Result<(), Wrong> {
        const NONE: Wrong =
            Wrong::Json("is missing: the object at the top lacks the list looked for; check --dataset-path");
        if self.skip_to_value()? != Some(b'{') {
            return Err(NONE);
        }
        self.reader.consume(1);
        loop {
            if self.skip_to_value()? != Some(b'"') {
                return Err(NONE);
            }
            let name = self.one()?;
            let found = serde_json::from_slice::<String>(&name).is_ok_and(|name| name == member);
            if found {
                return match self.skip_to_value()? {
                    Some(b'[') => Ok(()),
                    _ => Err(NONE),
                };
            }
            self.skip_to_value()?;
            self.one()?;
        }
    }

    /// The text of the value that begins here.
    fn one(&mut self) -> Result<Vec<u8>, Wrong> {
        let mut text = Vec::new();
        let mut scan = Extent::default();
        loop {
            let bytes = self.reader.fill_buf()?;
            if bytes.is_empty() {
                return match scan.depth == 0 && !scan.in_string {
                    true => Ok(text),
                    false => Err(Wrong::Json("ends within itself; get the file whole again")),
                };
            }
            let taken = bytes.iter().position(|&byte| scan.ends_before(byte));
            let length = taken.unwrap_or(bytes.len());
            text.extend_from_slice(&bytes[..length]);
            self.reader.consume(length);
            if taken.is_some() {
                // A bracket that closes nothing is no value, and staying at it leads nowhere.
                if text.is_empty() {
                    return Err(Wrong::Json("is not JSON: a bracket closes nothing; correct the file"));
                }
                return Ok(text);
            }
            if text.len() as u64 > LONGEST {
                return Err(Wrong::Json("is longer than 1 GiB; check --dataset-path"));
            }
        }
    }

    /// Passes over white space, commas and colons; the first byte of what follows.
    fn skip_to_value(&mut self) -> Result<Option<u8>, Wrong> {
        loop {
            let bytes = self.reader.fill_buf()?;
            if bytes.is_empty() {
                return Ok(None);
            }
            let skipped =
                bytes.iter().position(|byte| !byte.is_ascii_whitespace() && !matches!(byte, b',' | b':'));
            match skipped {
                Some(at) => {
                    let byte = bytes[at];
                    self.reader.consume(at);
                    return Ok(Some(byte));
                }
                None => {
                    let length = bytes.len();
                    self.reader.consume(length);
                }
            }
        }
    }
}

/// How far a value goes, found byte by byte.
#[derive(Default)]
struct Extent {
    depth: usize,
    in_string: bool,
    escaped: bool,
    done: bool,
}

impl Extent {
    /// Whether the value was over before this byte.
    fn ends_before(&mut self, byte: u8) -> bool {
        if self.done {
            return true;
        }
        if self.in_string {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
                b'"' => {
                    self.in_string = false;
                    self.done = self.depth == 0;
                }
                _ => {}
            }
            return false;
        }
        match byte {
            b'"' => self.in_string = true,
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => {
                if self.depth == 0 {
                    return true;
                }
                self.depth -= 1;
                self.done = self.depth == 0;
            }
            b',' | b':' if self.depth == 0 => return true,
            _ if self.depth == 0 && byte.is_ascii_whitespace() => return true,
            _ => {}
        }
        false
    }
}
