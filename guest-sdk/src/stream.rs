//! A reply frame by frame, and the outcome that is made of it.

use crate::{Failure, FailureKind, Framing, Outcome, OutputFrame, OutputKind, Reply};

/// One frame of a reply. It comes from [`Reply::events`] alone, so that an output that is noted with
/// it belongs to a frame that there is.
#[derive(Debug, Clone, Copy)]
pub struct Event<'a> {
    index: usize,
    name: &'a str,
    data: &'a [u8],
    may_be_cut: bool,
}

impl<'a> Event<'a> {
    /// The index of the frame in the reply, from 0.
    pub fn index(&self) -> usize {
        self.index
    }

    /// The name of the SSE event; empty where it has none.
    pub fn name(&self) -> &'a str {
        self.name
    }

    /// The frame's bytes: the data of an event, a line, or the whole body.
    pub fn data(&self) -> &'a [u8] {
        self.data
    }

    /// Whether this is the last frame of a reply that broke off, and so may be half a frame.
    pub fn may_be_cut(&self) -> bool {
        self.may_be_cut
    }
}

impl Reply {
    /// The frames, in order, each with its name and its bytes.
    pub fn events(&self) -> impl Iterator<Item = Event<'_>> {
        let last = self.frames.len().saturating_sub(1);
        self.frames.iter().enumerate().map(move |(index, frame)| Event {
            index,
            name: frame.event.as_deref().unwrap_or_default(),
            data: self.data(frame),
            may_be_cut: !self.complete && index == last,
        })
    }

    /// Whether it was streamed: framed into events, lines or reads, and not one body.
    pub fn is_streamed(&self) -> bool {
        self.framing != Framing::Whole
    }
}

impl Outcome {
    /// Notes that the frame of `event` brought `text` of `kind`, of so many tokens where the server says
    /// so. A text that is empty is no output, and nothing is noted. Events must come in order.
    ///
    /// ```
    /// use tickrate_guest::{FrameMark, Framing, Outcome, OutputKind, Reply};
    /// let mark = |start, end| FrameMark { at_ns: 0, event: None, start, end };
    /// let reply = Reply {
    ///     status: 200,
    ///     content_type: None,
    ///     framing: Framing::Ndjson,
    ///     complete: true,
    ///     payload: b"one two".to_vec(),
    ///     frames: vec![mark(0, 3), mark(3, 7)],
    /// };
    /// let mut outcome = Outcome::default();
    /// for event in reply.events() {
    ///     let text = std::str::from_utf8(event.data()).unwrap();
    ///     outcome.add(&event, OutputKind::Content, text, Some(1));
    /// }
    /// outcome.end(&reply, true);
    /// assert_eq!((outcome.text.as_str(), outcome.outputs.len()), ("one two", 2));
    /// assert!(outcome.failure.is_none());
    /// ```
    pub fn add(&mut self, event: &Event<'_>, kind: OutputKind, text: &str, tokens: Option<u32>) {
        if text.is_empty() {
            return;
        }
        self.text.push_str(text);
        let bytes = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
        let text_bytes = bytes(text.len());
        self.outputs.push(OutputFrame { frame: bytes(event.index), kind, text_bytes, tokens });
    }

    /// Notes a failure of the server's.
    pub fn fail(&mut self, kind: FailureKind, message: impl Into<String>) {
        self.failure = Some(Failure::new(kind, message));
    }

    /// Notes that a frame is not what it should be, unless it may be half a frame: how far a reply came
    /// that broke off is known without it. Read no further in either case.
    pub fn unreadable(&mut self, event: &Event<'_>) {
        if !event.may_be_cut {
            let index = event.index;
            self.fail(FailureKind::InvalidReply, format!("frame {index} is not what the server should send"));
        }
    }

    /// Notes what is wrong with a reply as a whole: a stream that was read to its end without the server
    /// having `closed` it, or a reply without any output. Call it when all frames have been read.
    pub fn end(&mut self, reply: &Reply, closed: bool) {
        if !reply.complete || self.failure.is_some() {
            return;
        }
        if reply.is_streamed() && !closed {
            self.fail(FailureKind::Truncated, "the stream ended before the server had closed it");
        } else if self.outputs.is_empty() {
            self.fail(FailureKind::EmptyReply, "the reply carried no output");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FrameMark;

    fn reply(framing: Framing, complete: bool) -> Reply {
        let frames = vec![FrameMark { at_ns: 1, event: Some("piece".into()), start: 0, end: 2 }];
        Reply { status: 200, content_type: None, framing, complete, payload: b"{}".to_vec(), frames }
    }

    fn kind(outcome: Outcome) -> Option<FailureKind> {
        outcome.failure.map(|failure| failure.kind)
    }

    #[test]
    fn only_the_end_of_a_broken_reply_may_be_half_a_frame() {
        for (complete, expected) in [(true, Some(FailureKind::InvalidReply)), (false, None)] {
            let mut outcome = Outcome::default();
            let reply = reply(Framing::Sse, complete);
            let event = reply.events().next().unwrap();
            assert_eq!((event.name(), event.data()), ("piece", &b"{}"[..]));
            outcome.unreadable(&event);
            assert_eq!(kind(outcome), expected);
        }
    }

    #[test]
    fn a_reply_ends_well_or_for_a_reason() {
        let ended = |framing, complete, closed| {
            let mut outcome = Outcome::default();
            outcome.end(&reply(framing, complete), closed);
            kind(outcome)
        };
        assert_eq!(ended(Framing::Sse, true, false), Some(FailureKind::Truncated));
        assert_eq!(ended(Framing::Sse, true, true), Some(FailureKind::EmptyReply));
        assert_eq!(ended(Framing::Whole, true, false), Some(FailureKind::EmptyReply));
        assert_eq!(ended(Framing::Sse, false, false), None);
    }

    #[test]
    fn an_empty_text_is_no_output() {
        let reply = reply(Framing::Sse, true);
        let event = reply.events().next().unwrap();
        let mut outcome = Outcome::default();
        outcome.add(&event, OutputKind::Content, "", Some(1));
        outcome.add(&event, OutputKind::Content, "né", Some(1));
        assert_eq!((outcome.outputs.len(), outcome.outputs[0].text_bytes), (1, 3));
    }
}
