//! Bytes → frames: where the events of a reply begin and end, and when each one was there.
//! It knows no JSON and no API. It runs after the exchange, never while one is being read:
//! a frame's time follows from the read that brought its last byte.

use memchr::{memchr, memchr2};

use super::exchange::{Frame, Framing, Mark, Timeline};
use crate::units::Nanos;

/// A reply's payloads, put together, and the frames that point into them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Framed {
    /// The payloads of all frames, one after another.
    pub payload: Vec<u8>,
    /// The frames in order; their ranges lie within `payload`.
    pub frames: Vec<Frame>,
}

impl Timeline {
    /// Takes the body out of the timeline, divided into frames.
    pub fn take_frames(&mut self) -> Framed {
        let (body, marks) = (std::mem::take(&mut self.body), std::mem::take(&mut self.marks));
        frames(body.into_vec(), &marks.into_vec(), self.framing)
    }
}

/// Divides `body`, which arrived in the reads that `marks` names, into frames.
///
/// SSE follows the WHATWG rules that matter here: lines end with CRLF, LF or CR; comments and
/// unknown fields are dropped; several `data` lines of one event are joined with a newline; an
/// event is complete at its blank line. Unlike a browser it keeps an event that the end of the
/// body left without one, since servers forget it.
pub fn frames(body: Vec<u8>, marks: &[Mark], framing: Framing) -> Framed {
    match framing {
        Framing::Sse => sse(&body, marks),
        Framing::Ndjson => ndjson(body, marks),
        Framing::Raw => raw(body, marks),
        Framing::Whole => whole(body, marks),
    }
}

/// Finds, for rising positions in the body, the time of the read that brought each.
struct Times<'a> {
    marks: &'a [Mark],
    at: usize,
}

impl Times<'_> {
    /// When byte `end - 1` had been read. Positions must not fall between calls.
    fn of(&mut self, end: usize) -> Nanos {
        while self.at + 1 < self.marks.len() && self.marks[self.at].end < end {
            self.at += 1;
        }
        self.marks.get(self.at).map_or(Nanos::ZERO, |mark| mark.at)
    }
}

fn whole(body: Vec<u8>, marks: &[Mark]) -> Framed {
    if body.is_empty() {
        return Framed::default();
    }
    let at = marks.last().map_or(Nanos::ZERO, |mark| mark.at);
    Framed { frames: vec![Frame { at, event: None, range: 0..body.len() }], payload: body }
}

fn raw(body: Vec<u8>, marks: &[Mark]) -> Framed {
    let mut frames = Vec::with_capacity(marks.len());
    let mut start = 0;
    for mark in marks {
        let end = mark.end.min(body.len());
        if end > start {
            frames.push(Frame { at: mark.at, event: None, range: start..end });
            start = end;
        }
    }
    Framed { payload: body, frames }
}

fn ndjson(body: Vec<u8>, marks: &[Mark]) -> Framed {
    let mut times = Times { marks, at: 0 };
    let mut frames = Vec::with_capacity(marks.len());
    let mut start = 0;
    while start < body.len() {
        let newline = memchr(b'\n', &body[start..]).map(|offset| start + offset);
        let end = newline.unwrap_or(body.len());
        let mut line = start..end;
        if !line.is_empty() && body[line.end - 1] == b'\r' {
            line.end -= 1;
        }
        if !body[line.clone()].iter().all(u8::is_ascii_whitespace) {
            let read_to = newline.map_or(body.len(), |newline| newline + 1);
            frames.push(Frame { at: times.of(read_to), event: None, range: line });
        }
        start = end + 1;
    }
    Framed { payload: body, frames }
}

fn sse(body: &[u8], marks: &[Mark]) -> Framed {
    let mut times = Times { marks, at: 0 };
    let mut out = Framed { payload: Vec::with_capacity(body.len()), frames: Vec::with_capacity(marks.len()) };
    let mut event = Event::default();
    let mut position = if body.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    while position < body.len() {
        let (line, next) = line_at(body, position);
        position = next;
        if line.is_empty() {
            event.dispatch(&mut out, &mut times, position);
            continue;
        }
        let (field, value) = match line.iter().position(|&byte| byte == b':') {
            Some(colon) => (&line[..colon], &line[colon + 1..]),
            None => (line, &line[line.len()..]),
        };
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match field {
            b"data" => event.push_data(&mut out, value),
            b"event" => event.name = Some(String::from_utf8_lossy(value).into_owned()),
            _ => {}
        }
    }
    event.dispatch(&mut out, &mut times, body.len());
    out
}

/// The line that starts at `start`, without its ending, and where the next one starts.
fn line_at(body: &[u8], start: usize) -> (&[u8], usize) {
    match memchr2(b'\n', b'\r', &body[start..]) {
        None => (&body[start..], body.len()),
        Some(offset) => {
            let end = start + offset;
            let crlf = body[end] == b'\r' && body.get(end + 1) == Some(&b'\n');
            (&body[start..end], end + if crlf { 2 } else { 1 })
        }
    }
}

/// The event that is being put together; its data is at the end of the payload already.
#[derive(Default)]
struct Event {
    name: Option<String>,
    data_start: Option<usize>,
}

impl Event {
    fn push_data(&mut self, out: &mut Framed, value: &[u8]) {
        match self.data_start {
            None => self.data_start = Some(out.payload.len()),
            Some(_) => out.payload.push(b'\n'),
        }
        out.payload.extend_from_slice(value);
    }

    fn dispatch(&mut self, out: &mut Framed, times: &mut Times<'_>, read_to: usize) {
        let name = self.name.take();
        if let Some(start) = self.data_start.take() {
            out.frames.push(Frame { at: times.of(read_to), event: name, range: start..out.payload.len() });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The body in reads of the given sizes, one nanosecond apart, and what comes of it.
    fn framed(pieces: &[&[u8]], framing: Framing) -> Vec<(i64, Option<String>, String)> {
        let mut body = Vec::new();
        let mut marks = Vec::new();
        for (i, piece) in pieces.iter().enumerate() {
            body.extend_from_slice(piece);
            marks.push(Mark { at: Nanos(i as i64), end: body.len() });
        }
        let out = frames(body, &marks, framing);
        out.frames
            .iter()
            .map(|f| {
                let data = String::from_utf8_lossy(&out.payload[f.range.clone()]).into_owned();
                (f.at.0, f.event.clone(), data)
            })
            .collect()
    }

    fn plain(at: i64, data: &str) -> (i64, Option<String>, String) {
        (at, None, data.into())
    }

    #[test]
    fn an_event_is_stamped_by_the_read_that_completes_it() {
        let got = framed(&[b"data: a\n\nda", b"ta: b\n", b"\ndata: c\n\n"], Framing::Sse);
        assert_eq!(got, [plain(0, "a"), plain(2, "b"), plain(2, "c")]);
    }

    #[test]
    fn crlf_split_between_reads_comments_and_foreign_fields_change_nothing() {
        let got = framed(&[b": hi\r\nid: 7\r\ndata:a\r", b"\n\r\n", b"retry: 5\r\n\r\n"], Framing::Sse);
        assert_eq!(got, [plain(1, "a")]);
    }

    #[test]
    fn several_data_lines_are_joined_and_the_event_name_is_kept() {
        let got = framed(&[b"event: error\ndata: {\"a\": 1,\ndata: \"b\": 2}\n\n"], Framing::Sse);
        assert_eq!(got, [(0, Some("error".into()), "{\"a\": 1,\n\"b\": 2}".into())]);
    }

    #[test]
    fn an_event_without_data_is_no_frame_and_does_not_lend_its_name() {
        let got = framed(&[b"event: ping\n\ndata: x\n\n"], Framing::Sse);
        assert_eq!(got, [plain(0, "x")]);
    }

    #[test]
    fn an_event_that_the_end_cut_off_is_kept() {
        assert_eq!(framed(&[b"data: [DONE]"], Framing::Sse), [plain(0, "[DONE]")]);
    }

    #[test]
    fn ndjson_lines_are_frames_and_blank_lines_are_not() {
        let got = framed(&[b"{\"a\":1}\r\n\n{\"b\"", b":2}\n{\"c\":3}"], Framing::Ndjson);
        assert_eq!(got, [plain(0, "{\"a\":1}"), plain(1, "{\"b\":2}"), plain(1, "{\"c\":3}")]);
    }

    #[test]
    fn raw_frames_are_reads_and_a_whole_reply_is_one() {
        assert_eq!(framed(&[b"ab", b"", b"c"], Framing::Raw), [plain(0, "ab"), plain(2, "c")]);
        assert_eq!(framed(&[b"ab", b"c"], Framing::Whole), [plain(1, "abc")]);
        assert_eq!(framed(&[], Framing::Whole), []);
    }

    proptest! {
        /// However a network cuts a stream, the same events come out, and their times never fall.
        #[test]
        fn cuts_do_not_change_the_frames(
            lines in proptest::collection::vec("(data: ?|event:|:|id: |)[a-zé\\r\\n]{0,6}(\n|\r\n|\n\n)", 0..12),
            cuts in proptest::collection::vec(0_usize..200, 0..12),
            framing in prop_oneof![Just(Framing::Sse), Just(Framing::Ndjson)],
        ) {
            let body = lines.concat().into_bytes();
            let mut ends: Vec<usize> = cuts.into_iter().map(|cut| cut.min(body.len())).collect();
            ends.push(body.len());
            ends.sort_unstable();
            let marks: Vec<Mark> =
                ends.iter().enumerate().map(|(i, &end)| Mark { at: Nanos(i as i64), end }).collect();
            let one = [Mark { at: Nanos(0), end: body.len() }];
            let cut = frames(body.clone(), &marks, framing);
            let uncut = frames(body.clone(), &one, framing);
            prop_assert_eq!(&cut.payload, &uncut.payload);
            prop_assert_eq!(
                cut.frames.iter().map(|f| (f.event.clone(), f.range.clone())).collect::<Vec<_>>(),
                uncut.frames.iter().map(|f| (f.event.clone(), f.range.clone())).collect::<Vec<_>>()
            );
            prop_assert!(cut.frames.is_sorted_by_key(|f| f.at));
            for frame in &cut.frames {
                prop_assert!(cut.payload.get(frame.range.clone()).is_some());
            }
        }

        /// No bytes can make it panic.
        #[test]
        fn any_bytes_are_framed(body in proptest::collection::vec(any::<u8>(), 0..300)) {
            let marks = [Mark { at: Nanos(1), end: body.len() }];
            for framing in [Framing::Sse, Framing::Ndjson, Framing::Raw, Framing::Whole] {
                frames(body.clone(), &marks, framing);
            }
        }
    }
}
