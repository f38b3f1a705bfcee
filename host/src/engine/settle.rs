//! What an exchange meant: off the reading path, a timeline is framed, parsed and counted, and
//! becomes a record.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use async_channel::Receiver;

use super::health::LagHistogram;
use super::prepare::{Prepared, Shaper};
use super::worker::Exchanged;
use crate::contract::framing::{self, Framed};
use crate::contract::{
    Api, Ending, Failure, FailureKind, Outcome, OutputKind, Prompt, Reply, Timeline, TokenCounter,
};
use crate::record::{
    CachedSource, Event, EventSender, Meaning, RequestRecord, TokenCounts, TokenFrame, TokenSource, Wire,
};
use crate::units::Nanos;

/// Turns exchanges into records until the workers have handed on their last.
pub(super) struct Settler {
    pub(super) api: Arc<dyn Api>,
    pub(super) shaper: Shaper,
    pub(super) counter: Option<Arc<dyn TokenCounter>>,
    pub(super) events: EventSender,
    pub(super) keep_texts: bool,
    /// How often a failed request is tried again.
    pub(super) may_retry: u32,
    /// Texts that must not appear in a record: keys and tokens.
    pub(super) secrets: Arc<Vec<String>>,
}

/// What one settler saw of the measured phase.
#[derive(Debug, Default)]
pub(super) struct Settled {
    pub(super) dispatch_lag: LagHistogram,
    pub(super) stamp_lag: LagHistogram,
    pub(super) requests: u64,
    pub(super) succeeded: u64,
}

impl Settler {
    pub(super) fn run(&self, queue: &Receiver<Exchanged>) -> Settled {
        let mut seen = Settled::default();
        while let Ok(exchanged) = queue.recv_blocking() {
            let request_id = exchanged.prepared.key.request_id.clone();
            if !exchanged.prepared.key.warmup {
                for &lag in &exchanged.timeline.stamp_lags_ns {
                    seen.stamp_lag.record(Nanos(lag.into()));
                }
            }
            let settled = catch_unwind(AssertUnwindSafe(|| self.settle(exchanged)));
            let Ok(record) = settled else {
                let text = format!(
                    "the reply to {request_id} made tickrate panic and is not in the records; please report it"
                );
                self.events.emit(Event::Warned(text));
                continue;
            };
            if !record.key.warmup {
                seen.requests += 1;
                seen.succeeded += u64::from(record.ok());
                if let Some(sent) = record.sent {
                    seen.dispatch_lag.record(sent - record.due);
                }
            }
            self.events.emit(Event::RequestSettled(Box::new(record)));
        }
        seen
    }

    fn settle(&self, exchanged: Exchanged) -> RequestRecord {
        let Exchanged { prepared, due, worker, bytes_out, mut timeline, next_turn } = exchanged;
        let bytes_in = timeline.body.len() as u64;
        let framed = framing::frames(std::mem::take(&mut timeline.body), &timeline.marks, timeline.framing);
        let mut outcome = understand(self.api.as_ref(), &timeline, &framed);
        if let Some(failure) = &mut outcome.failure {
            failure.message = self.redact(&failure.message);
        }
        let wire = Wire {
            due,
            sent: timeline.sent,
            first_byte: timeline.first_byte,
            closed: timeline.completed,
            framing: timeline.framing,
            frames: framed.frames.len() as u32,
            bytes_in,
            bytes_out,
            connection_reused: timeline.connection_reused,
            stale_connections: timeline.stale_connections,
            status: timeline.status,
        };
        let tokens = self.count(&prepared, &outcome);
        let mut token_frames = token_frames(&outcome, &framed);
        self.attribute_tokens(&mut token_frames, &outcome, tokens.output);
        let answer = outcome.text_of(OutputKind::Content).unwrap_or_default();
        let meaning = Meaning {
            bare_choices: bare_frames(&outcome, &framed, true),
            bare_events: bare_frames(&outcome, &framed, false),
            token_frames,
            tokens,
            failure: outcome.failure,
            finish_reason: outcome.finish_reason,
            labels: prepared.labels.iter().cloned().chain(outcome.labels).collect(),
            prompt: self.keep_texts.then(|| prompt_text(&prepared.turn.turn.prompt)),
            output: self.keep_texts.then_some(outcome.text),
        };
        let record = RequestRecord::new(prepared.key.clone(), worker, wire, meaning);
        if let Some(next_turn) = next_turn {
            let next = if record.ok() {
                self.shaper.next_turn(prepared, answer, record.tokens.context())
            } else if record.key.attempt <= self.may_retry && is_worth_a_retry(&record) {
                Some(self.shaper.retry(prepared))
            } else {
                None
            };
            // A slot that is gone wants no further turn.
            let _ = next_turn.send(next);
        }
        record
    }

    /// The best count there is of each side: the server's, else the tokenizer's, else none.
    fn count(&self, prepared: &Prepared, outcome: &Outcome) -> TokenCounts {
        let usage = outcome.usage;
        let failed = outcome.failure.is_some();
        let counter = self.counter.as_deref();
        let output = usage.output_tokens.or_else(|| {
            // What a failed request produced counts as well. No output is nothing to count: it may
            // be that none was asked for.
            (!outcome.text.is_empty()).then(|| counter?.count_text(&outcome.text).ok()).flatten()
        });
        let input = usage
            .input_tokens
            .or_else(|| (!failed).then(|| counter?.count_prompt(&prepared.turn).ok().flatten()).flatten());
        let counted = |reported: Option<u64>, known: Option<u64>| known.is_some() && reported.is_none();
        let source = match (
            counted(usage.input_tokens, input) || counted(usage.output_tokens, output),
            usage.input_tokens.is_some() || usage.output_tokens.is_some(),
        ) {
            (false, false) => None,
            (false, true) => Some(TokenSource::Server),
            (true, false) => Some(TokenSource::Tokenizer),
            (true, true) => Some(TokenSource::Mixed),
        };
        let estimated = || {
            let seen = prepared.seen_tokens.filter(|_| prepared.key.conversation_turns > 1 && !failed)?;
            Some((seen.min(input?), CachedSource::Estimated))
        };
        let reported = usage.cached_tokens.map(|cached| (cached, CachedSource::Server));
        let (cached, cached_source) = reported.or_else(estimated).unzip();
        TokenCounts { input, output, reasoning: usage.reasoning_tokens, cached, cached_source, source }
    }

    /// Says how many tokens each frame brought, where the server did not: one each, if there are as
    /// many frames as tokens; else as the tokenizer divides the text.
    fn attribute_tokens(&self, frames: &mut [TokenFrame], outcome: &Outcome, output: Option<u64>) {
        if frames.iter().all(|frame| frame.tokens.is_some()) {
            return;
        }
        if output == Some(frames.len() as u64) {
            for frame in frames {
                frame.tokens = Some(1);
            }
            return;
        }
        let Some(counter) = self.counter.as_deref() else { return };
        let mut outputs = outcome.outputs.iter().peekable();
        let mut text = outcome.text.as_str();
        for frame in frames {
            let Some(first) = outputs.next() else { return };
            let mut bytes = first.text_bytes as usize;
            while let Some(more) = outputs.next_if(|more| more.frame == first.frame) {
                bytes += more.text_bytes as usize;
            }
            let Some((piece, rest)) = text.split_at_checked(bytes) else { return };
            text = rest;
            frame.tokens = counter.count_text(piece).ok().and_then(|tokens| u32::try_from(tokens).ok());
        }
    }

    fn redact(&self, message: &str) -> String {
        self.secrets
            .iter()
            .fold(message.to_string(), |text, secret| text.replace(secret.as_str(), "[redacted]"))
    }
}

/// Whether another attempt may end better: the network or the load failed, not what was asked.
fn is_worth_a_retry(record: &RequestRecord) -> bool {
    let overloaded = record.status.is_some_and(|status| status == 429 || status >= 500);
    match record.failure.as_ref().map(|failure| failure.kind) {
        Some(FailureKind::HttpStatus) => overloaded,
        Some(
            FailureKind::Connect
            | FailureKind::ConnectTimeout
            | FailureKind::ReadTimeout
            | FailureKind::TotalTimeout
            | FailureKind::Truncated
            | FailureKind::StreamError
            | FailureKind::EmptyReply,
        ) => true,
        _ => false,
    }
}

/// What the reply says, and what the transport knows better: a status that is no success and a
/// broken connection are failures whatever the parser makes of the bytes.
pub(super) fn understand(api: &dyn Api, timeline: &Timeline, framed: &Framed) -> Outcome {
    let broken = match &timeline.ending {
        Ending::Complete => None,
        Ending::Failed(failure) => Some(failure.clone()),
    };
    let Some(status) = timeline.status else {
        return Outcome { failure: broken, ..Outcome::default() };
    };
    if !(200..300).contains(&status) {
        let said = excerpt(&framed.payload);
        let message =
            if said.is_empty() { format!("HTTP {status}") } else { format!("HTTP {status}: {said}") };
        return Outcome {
            failure: Some(Failure::new(FailureKind::HttpStatus, message)),
            ..Outcome::default()
        };
    }
    let reply = Reply {
        status,
        content_type: timeline.content_type.as_deref(),
        framing: timeline.framing,
        complete: broken.is_none(),
        sent: timeline.sent.unwrap_or(Nanos::ZERO),
        payload: &framed.payload,
        frames: &framed.frames,
    };
    let mut outcome = api.parse(&reply).unwrap_or_else(|error| {
        let failure = Failure::new(FailureKind::Plugin, error.to_string());
        Outcome { failure: Some(failure), ..Outcome::default() }
    });
    // An error that the server put into the stream explains the broken connection after it.
    let explained = outcome.failure.as_ref().is_some_and(|failure| failure.kind == FailureKind::StreamError);
    if broken.is_some() && !explained {
        outcome.failure = broken;
    }
    outcome
}

/// The frames that carried output; one that carried several kinds of it counts once.
fn token_frames(outcome: &Outcome, framed: &Framed) -> Vec<TokenFrame> {
    let mut out: Vec<TokenFrame> = Vec::with_capacity(outcome.outputs.len());
    let mut last = None;
    for output in &outcome.outputs {
        let answer = output.kind == OutputKind::Content;
        match out.last_mut() {
            Some(frame) if last == Some(output.frame) => {
                frame.answer |= answer;
                frame.tokens = match (frame.tokens, output.tokens) {
                    (Some(a), Some(b)) => Some(a + b),
                    (a, b) => a.or(b),
                };
            }
            _ => {
                let Some(frame) = framed.frames.get(output.frame as usize) else { break };
                out.push(TokenFrame { at: frame.at, tokens: output.tokens, answer });
            }
        }
        last = Some(output.frame);
    }
    out
}

/// When the frames without output came, with a choice in them or without.
fn bare_frames(outcome: &Outcome, framed: &Framed, choice: bool) -> Vec<Nanos> {
    let bare = outcome.bare.iter().filter(|bare| bare.choice == choice);
    bare.filter_map(|bare| Some(framed.frames.get(bare.frame as usize)?.at)).collect()
}

/// The beginning of an error's body, on one line: the message of a JSON error, the text of a page.
fn excerpt(body: &[u8]) -> String {
    const MOST: usize = 300;
    let text = String::from_utf8_lossy(&body[..body.len().min(64 << 10)]);
    let json = serde_json::from_str::<serde_json::Value>(&text).ok();
    let message = json.as_ref().and_then(|json| {
        let error = json.get("error").unwrap_or(json);
        let named = |key: &str| error.get(key).and_then(serde_json::Value::as_str);
        error.as_str().or_else(|| named("message")).or_else(|| named("detail"))
    });
    let plain = match message {
        Some(message) => message.to_string(),
        None if text.trim_start().starts_with('<') => without_tags(&text),
        None => text.into_owned(),
    };
    let mut line = plain.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((cut, _)) = line.char_indices().nth(MOST) {
        line.truncate(cut);
        line.push('…');
    }
    line
}

fn without_tags(page: &str) -> String {
    let mut out = String::new();
    let mut inside = false;
    for letter in page.chars() {
        match letter {
            '<' => inside = true,
            '>' => {
                inside = false;
                out.push(' ');
            }
            _ if !inside => out.push(letter),
            _ => {}
        }
    }
    out
}

fn prompt_text(prompt: &Prompt) -> String {
    match prompt {
        Prompt::Text(text) => text.clone(),
        Prompt::Tokens(ids) => ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
        Prompt::Body(body) => String::from_utf8_lossy(body).into_owned(),
        Prompt::Chat(messages) => {
            messages.iter().flat_map(|message| &message.content).fold(String::new(), |mut text, part| {
                if let crate::contract::Part::Text(piece) | crate::contract::Part::Json(piece) = part {
                    text.push_str(piece);
                }
                text
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_of_an_error_is_found_in_json_and_in_a_page() {
        assert_eq!(excerpt(br#"{"error":{"message":"no such\nmodel","code":404}}"#), "no such model");
        assert_eq!(excerpt(br#"{"error":"overloaded"}"#), "overloaded");
        assert_eq!(excerpt(br#"{"detail":"Not Found"}"#), "Not Found");
        assert_eq!(excerpt(b"<html><body><h1>500</h1>Internal   error</body></html>"), "500 Internal error");
        assert_eq!(excerpt(b""), "");
        assert_eq!(excerpt("é".repeat(400).as_bytes()).chars().count(), 301);
    }
}
