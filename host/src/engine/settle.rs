//! What an exchange meant: off the reading path, a timeline is framed, parsed and counted, and
//! becomes a record.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use async_channel::Receiver;

use super::bare::bare_frames;
use super::health::LagHistogram;
use super::meaning::{Arrived, count_tokens, token_frames, understand};
use super::prepare::Shaper;
use super::relief::Relief;
use super::worker::Exchanged;
use crate::contract::framing::Framed;
use crate::contract::{Api, Failure, FailureKind, OutputKind, Prompt, Timeline, TokenCounter};
use crate::record::{Event, EventSender, KeptReply, Meaning, RequestKey, RequestRecord, Wire};
use crate::units::Nanos;

/// Turns exchanges into records until the workers have handed on their last.
pub(super) struct Settler {
    pub(super) api: Arc<dyn Api>,
    pub(super) shaper: Shaper,
    pub(super) counter: Option<Arc<dyn TokenCounter>>,
    pub(super) events: EventSender,
    /// Who is told what is taken out of the queue.
    pub(super) relief: Arc<Relief>,
    pub(super) keep_texts: bool,
    /// Whether replies are kept beside their records.
    pub(super) keep_replies: bool,
    /// How often a failed request is tried again.
    pub(super) may_retry: u32,
    /// Whether the stage is of conversations, of which some may have a single turn.
    pub(super) conversations: bool,
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
    /// Settles what `next` brings until it brings nothing more; returns what was seen, if it brought anything.
    /// It is told whether a conversation that goes on awaited the last one.
    pub(super) fn run(&self, mut next: impl FnMut(bool) -> Option<Box<Exchanged>>) -> Option<Settled> {
        let mut settled = None;
        let mut awaited = false;
        while let Some(exchanged) = next(awaited) {
            let seen = settled.get_or_insert_with(Settled::default);
            awaited = exchanged.next_turn.is_some();
            self.relief.taken(exchanged.bytes_in(), awaited);
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
            self.events.emit(Event::RequestSettled(record));
        }
        settled
    }

    fn settle(&self, exchanged: Box<Exchanged>) -> Box<RequestRecord> {
        let Exchanged { mut prepared, due, worker, bytes_out, mut timeline, next_turn } = *exchanged;
        let (bytes_in, retry_after) = (timeline.body.len() as u64, timeline.retry_after);
        let framed = timeline.take_frames();
        let mut outcome = understand(self.api.as_ref(), &Arrived::new(&timeline, &framed));
        if let Some(failure) = &mut outcome.failure {
            failure.message = redact(&failure.message, &self.secrets);
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
        let counter = self.counter.as_deref();
        let of_prompt = || counter?.count_prompt(&prepared.turn).ok().flatten();
        let seen = prepared.seen_tokens.filter(|_| self.conversations || prepared.key.conversation_turns > 1);
        let tokens = count_tokens(&outcome, counter, of_prompt, seen);
        let token_frames = token_frames(&outcome, &framed, tokens.output, counter);
        let answer = outcome.text_of(OutputKind::Content).unwrap_or_default();
        let (bare_choices, bare_events) = bare_frames(&outcome, &framed, timeline.framing);
        let meaning = Meaning {
            bare_choices,
            bare_events,
            token_frames,
            tokens,
            failure: outcome.failure,
            finish_reason: outcome.finish_reason,
            labels: prepared.labels.iter().cloned().chain(outcome.labels).collect(),
            prompt: self.keep_texts.then(|| prompt_text(&prepared.turn.turn.prompt)),
            output: self.keep_texts.then_some(outcome.text),
        };
        let key = match next_turn {
            Some(_) => prepared.key.clone(),
            None => std::mem::take(&mut prepared.key),
        };
        let record = Box::new(RequestRecord::new(key, worker, wire, meaning));
        if self.keep_replies {
            self.keep(&record.key, &prepared.labels, timeline, framed);
        }
        if let Some(next_turn) = next_turn {
            let next = if record.ok() {
                self.shaper.next_turn(prepared, answer, record.tokens.context())
            } else if record.key.attempt <= self.may_retry && is_worth_a_retry(&record) {
                Some(self.shaper.retry(prepared, retry_after))
            } else {
                None
            };
            // A slot that is gone wants no further turn.
            let _ = next_turn.send(next);
        }
        record
    }

    /// Tells of a reply that is to be kept, if there was one.
    fn keep(&self, key: &RequestKey, labels: &[(String, String)], timeline: Timeline, framed: Framed) {
        let Some(status) = timeline.status else { return };
        let broken = timeline.ending.failure();
        let mut kept = KeptReply {
            request_id: key.request_id.clone(),
            attempt: key.attempt,
            status,
            content_type: timeline.content_type.clone(),
            framing: timeline.framing,
            sent: timeline.sent.unwrap_or(Nanos::ZERO),
            broken: broken.map(|failure| Failure::new(failure.kind, redact(&failure.message, &self.secrets))),
            labels: labels.to_vec(),
            framed,
        };
        kept.hide(&self.secrets);
        self.events.emit(Event::ReplyKept(Box::new(kept)));
    }
}

/// `message` without the secrets.
pub(super) fn redact(message: &str, secrets: &[String]) -> String {
    secrets.iter().fold(message.to_string(), |text, secret| text.replace(secret.as_str(), "[redacted]"))
}

/// How long a settler rests when there is nothing to do: replies that come meanwhile need nobody woken.
const REST: Duration = Duration::from_micros(200);

/// The next exchange, once there is one; none when there will be no more. There is no rest where the
/// last one was `awaited` by a conversation that goes on.
pub(super) fn next_exchange(queue: &Receiver<Box<Exchanged>>, awaited: bool) -> Option<Box<Exchanged>> {
    queue.try_recv().ok().or_else(|| {
        if !awaited {
            std::thread::sleep(REST);
        }
        queue.recv_blocking().ok()
    })
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
