//! A record read by the definitions of `evalscope perf`, where they are not ours: the first message
//! with a choice is its first token, even if there is only a role in it; every message with a choice
//! ends an interval; the reply ends with its last message, be it the usage; and a stream that was
//! read to its end is a success, whatever it said.

use super::{RequestRecord, TokenCounts};
use crate::contract::{CUT_SHORT, FailureKind};
use crate::units::Nanos;

/// The figures of a request by those definitions.
#[derive(Debug, Clone, PartialEq)]
pub struct EvalscopeFigures {
    /// Whether the reply was a stream.
    pub streamed: bool,
    /// When the request was sent.
    pub started: Nanos,
    /// When the last message but `[DONE]` had come.
    pub completed: Nanos,
    /// Completed − started, in seconds.
    pub latency_s: f64,
    /// First message with a choice − started, in seconds; of a whole reply the latency.
    pub ttft_s: f64,
    /// (Latency − TTFT) ÷ (output tokens − 1), in seconds; 0 where there is no more than one.
    pub tpot_s: f64,
    /// From each message with a choice but the first back to the message before it, in seconds.
    pub itl_s: Vec<f64>,
    /// Tokens of the prompt; 0 where nobody counted them.
    pub input_tokens: u64,
    /// Tokens generated, likewise.
    pub output_tokens: u64,
}

impl EvalscopeFigures {
    /// The figures of a record; `None` if the baseline takes it for a failure.
    pub fn of(record: &RequestRecord) -> Option<EvalscopeFigures> {
        let unfinished = record.failure.as_ref().is_some_and(|failure| {
            failure.kind == FailureKind::Truncated && !failure.message.starts_with(CUT_SHORT)
        });
        let heard_out = match &record.failure {
            None => true,
            Some(failure) => {
                record.status == Some(200)
                    && (unfinished
                        || matches!(failure.kind, FailureKind::StreamError | FailureKind::EmptyReply))
            }
        };
        let started = record.sent.filter(|_| heard_out)?;
        let messages = messages(record);
        let streamed = unfinished || !messages.is_empty();
        let completed = match messages.last() {
            Some(&(at, _)) => at,
            // A stream of nothing took no time.
            None if streamed => started,
            None => record.completed,
        };
        let latency_s = (completed - started).as_s();
        let first_choice = messages.iter().position(|&(_, choice)| choice);
        let ttft_s = match first_choice {
            Some(first) => (messages[first].0 - started).as_s(),
            None if streamed => 0.0,
            None => latency_s,
        };
        let mut itl_s = Vec::new();
        for pair in messages[first_choice.unwrap_or(0)..].windows(2) {
            let [(before, _), (at, choice)] = *pair else { continue };
            if choice {
                itl_s.push((at - before).as_s());
            }
        }
        let TokenCounts { input, output, .. } = record.tokens;
        let (input_tokens, output_tokens) = (input.unwrap_or(0), output.unwrap_or(0));
        let tpot_s = match output_tokens {
            0 | 1 => 0.0,
            tokens => (latency_s - ttft_s) / (tokens - 1) as f64,
        };
        Some(EvalscopeFigures {
            streamed,
            started,
            completed,
            latency_s,
            ttft_s,
            tpot_s,
            itl_s,
            input_tokens,
            output_tokens,
        })
    }

    /// (Output tokens − 1) ÷ (messages with a choice − 1), where that is above 1.
    pub fn decoded_tokens_per_iter(&self) -> Option<f64> {
        let intervals = self.itl_s.len();
        let tokens = (self.output_tokens > 1 && intervals > 0)
            .then(|| (self.output_tokens - 1) as f64 / intervals as f64);
        tokens.filter(|&tokens| tokens > 1.0)
    }
}

/// When each message of a stream came, and whether it had a choice in it.
fn messages(record: &RequestRecord) -> Vec<(Nanos, bool)> {
    let mut messages: Vec<(Nanos, bool)> = record.token_frames.iter().map(|frame| (frame.at, true)).collect();
    messages.extend(record.bare_choices.iter().map(|&at| (at, true)));
    messages.extend(record.bare_events.iter().map(|&at| (at, false)));
    // Of several that came with one read, those without a choice come last, as usage does.
    messages.sort_by_key(|&(at, choice)| (at, !choice));
    messages
}
