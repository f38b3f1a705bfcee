//! The record of one request: built once, when it is over, with the formulas of everything that
//! concerns a single request. What concerns many is in [`crate::metrics`].

mod activity;
mod conversation;
mod evalscope;
mod event;
mod goodput;
mod kept;
#[cfg(test)]
pub(crate) mod testing;
mod tokens;

use std::sync::Arc;

pub use activity::{Activity, InFlight};
pub use event::{
    ClientHealth, Event, EventSender, LagSummary, PluginIdentity, RunHeader, StageEnd, StageHeader,
    StopReason,
};

pub use conversation::{ConversationFigures, ConversationTally};
pub use evalscope::EvalscopeFigures;
pub use goodput::{GoodputError, GoodputMetric, GoodputTarget};
pub use kept::KeptReply;
pub use tokens::{CachedSource, TokenCounts, TokenSource};

use crate::contract::{Failure, Framing};
use crate::units::Nanos;

/// What identifies a request and never changes while it is made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RequestKey {
    /// The run.
    pub run_id: Arc<str>,
    /// The stage's name.
    pub stage: Arc<str>,
    /// Unique within the run.
    pub request_id: String,
    /// 1 for the first attempt.
    pub attempt: u32,
    /// The conversation that the request is a turn of.
    pub conversation_id: String,
    /// The position of the turn, from 0.
    pub turn: u32,
    /// The turns that the conversation has, those to come included.
    pub conversation_turns: u32,
    /// User turns in the context when it was sent, this one included.
    pub input_turns: u32,
    /// The API's name.
    pub api: Arc<str>,
    /// The dataset's name.
    pub dataset: Arc<str>,
    /// The model's name.
    pub model: Arc<str>,
    /// Whether it is part of the warm-up and excluded from all figures.
    pub warmup: bool,
}

/// A frame that carried output, after frames with several kinds of it have been put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenFrame {
    /// When it was read from the socket.
    pub at: Nanos,
    /// Tokens in it, where they are known.
    pub tokens: Option<u32>,
    /// Whether it carried a part of the answer itself, not only reasoning or a tool call.
    pub answer: bool,
}

/// The moments and sizes of an exchange, as the record needs them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wire {
    /// When the schedule wanted the request sent.
    pub due: Nanos,
    /// When it was handed to the socket; `None` if it never was.
    pub sent: Option<Nanos>,
    /// When the head of the reply had come.
    pub first_byte: Option<Nanos>,
    /// When the exchange was over.
    pub closed: Nanos,
    /// How the reply was framed.
    pub framing: Framing,
    /// Frames of any kind.
    pub frames: u32,
    /// Bytes of the reply's body.
    pub bytes_in: u64,
    /// Bytes of the request's body.
    pub bytes_out: u64,
    /// Whether the connection had been used before.
    pub connection_reused: Option<bool>,
    /// Kept connections on which the server had hung up before the request went out on this one.
    pub stale_connections: u32,
    /// The HTTP status.
    pub status: Option<u16>,
}

/// One attempt at one request: a row of `requests.parquet`. Times are relative to the start of the
/// run; what was not measured is `None`.
#[derive(Debug, Clone, PartialEq)]
pub struct RequestRecord {
    /// What identifies it.
    pub key: RequestKey,
    /// The worker thread that made it, from 0.
    pub worker: u32,
    /// When it was due.
    pub due: Nanos,
    /// When it was handed to the socket.
    pub sent: Option<Nanos>,
    /// When the head of the reply had come.
    pub first_byte: Option<Nanos>,
    /// When the first frame that carried output had come; only where the reply was streamed.
    pub first_token: Option<Nanos>,
    /// When the first frame that carried a part of the answer had come, after any reasoning.
    pub first_answer: Option<Nanos>,
    /// When the last frame that carried output had come; only where the reply was streamed.
    pub last_token: Option<Nanos>,
    /// When the answer was complete: the last token of a streamed reply that succeeded, else the
    /// end of the exchange. An end-of-stream marker that comes late is not part of the answer.
    pub completed: Nanos,
    /// When the exchange was over.
    pub closed: Nanos,
    /// Sent − due.
    pub dispatch_lag_ms: Option<f64>,
    /// First token − sent.
    pub ttft_ms: Option<f64>,
    /// Completed − sent.
    pub latency_ms: Option<f64>,
    /// (Latency − TTFT) ÷ (output tokens − 1), only where there is more than one token: the formula
    /// of `evalscope perf`.
    pub tpot_ms: Option<f64>,
    /// (Last token − first token) ÷ (output tokens − tokens of the first frame): the time of a token
    /// that stays right when a frame brings several. Where nobody says how many the first frame
    /// brought, it is taken for as many as a frame brings on average.
    pub time_per_token_ms: Option<f64>,
    /// The intervals between successive frames that carried output.
    pub itl_ms: Vec<f64>,
    /// The frames that carried output; empty unless the reply was streamed.
    pub token_frames: Vec<TokenFrame>,
    /// When messages came that had a choice in them and no output: a role, a finish reason. Nothing
    /// here is computed from these, nor from the next ones; [`EvalscopeFigures`] is.
    pub bare_choices: Vec<Nanos>,
    /// When messages came that had not even a choice: usage alone.
    pub bare_events: Vec<Nanos>,
    /// The token counts.
    pub tokens: TokenCounts,
    /// Frames of any kind.
    pub frames: u32,
    /// Bytes of the reply's body.
    pub bytes_in: u64,
    /// Bytes of the request's body.
    pub bytes_out: u64,
    /// Whether the connection had been used before.
    pub connection_reused: Option<bool>,
    /// Kept connections on which the server had hung up before the request went out on this one.
    pub stale_connections: u32,
    /// The HTTP status.
    pub status: Option<u16>,
    /// What went wrong; `None` for a success.
    pub failure: Option<Failure>,
    /// Why the server stopped.
    pub finish_reason: Option<String>,
    /// Labels from the dataset and the API.
    pub labels: Vec<(String, String)>,
    /// The prompt as it was sent, where texts are kept.
    pub prompt: Option<String>,
    /// The output, where texts are kept.
    pub output: Option<String>,
}

/// What a record is made of besides its key and its wire: what the reply meant.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Meaning {
    /// The frames that carried output, in order.
    pub token_frames: Vec<TokenFrame>,
    /// Messages with a choice and no output.
    pub bare_choices: Vec<Nanos>,
    /// Messages without a choice.
    pub bare_events: Vec<Nanos>,
    /// The token counts.
    pub tokens: TokenCounts,
    /// What went wrong.
    pub failure: Option<Failure>,
    /// Why the server stopped.
    pub finish_reason: Option<String>,
    /// Labels from the dataset and the API.
    pub labels: Vec<(String, String)>,
    /// The prompt, where texts are kept.
    pub prompt: Option<String>,
    /// The output, where texts are kept.
    pub output: Option<String>,
}

impl RequestRecord {
    /// The record of an exchange, with every figure of a single request computed.
    pub fn new(key: RequestKey, worker: u32, wire: Wire, meaning: Meaning) -> RequestRecord {
        let streamed = wire.framing != Framing::Whole;
        let only_streamed = |frames: Vec<Nanos>| if streamed { frames } else { Vec::new() };
        let token_frames = if streamed { meaning.token_frames } else { Vec::new() };
        let first_token = token_frames.first().map(|frame| frame.at);
        let last_token = token_frames.last().map(|frame| frame.at);
        let first_answer = token_frames.iter().find(|frame| frame.answer).map(|frame| frame.at);
        let completed = match (&meaning.failure, last_token) {
            (None, Some(last_token)) => last_token,
            _ => wire.closed,
        };
        let since_sent = |at: Option<Nanos>| Some((at? - wire.sent?).as_ms());
        let ttft_ms = since_sent(first_token);
        let latency_ms = since_sent(Some(completed));
        let output = meaning.tokens.output;
        RequestRecord {
            key,
            worker,
            due: wire.due,
            sent: wire.sent,
            first_byte: wire.first_byte,
            first_token,
            first_answer,
            last_token,
            completed,
            closed: wire.closed,
            dispatch_lag_ms: wire.sent.map(|sent| (sent - wire.due).as_ms()),
            ttft_ms,
            latency_ms,
            tpot_ms: tpot_ms(latency_ms, ttft_ms, output),
            time_per_token_ms: time_per_token_ms(&token_frames, output),
            itl_ms: token_frames.windows(2).map(|pair| (pair[1].at - pair[0].at).as_ms()).collect(),
            token_frames,
            bare_choices: only_streamed(meaning.bare_choices),
            bare_events: only_streamed(meaning.bare_events),
            tokens: meaning.tokens,
            frames: wire.frames,
            bytes_in: wire.bytes_in,
            bytes_out: wire.bytes_out,
            connection_reused: wire.connection_reused,
            stale_connections: wire.stale_connections,
            status: wire.status,
            failure: meaning.failure,
            finish_reason: meaning.finish_reason,
            labels: meaning.labels,
            prompt: meaning.prompt,
            output: meaning.output,
        }
    }

    /// Whether the request succeeded.
    pub fn ok(&self) -> bool {
        self.failure.is_none()
    }

    /// TTFT from the moment the request was due: what a user who does not know of queues waits.
    pub fn ttft_from_due_ms(&self) -> Option<f64> {
        self.first_token.map(|at| (at - self.due).as_ms())
    }

    /// Latency from the moment the request was due.
    pub fn latency_from_due_ms(&self) -> Option<f64> {
        self.sent.map(|_| (self.completed - self.due).as_ms())
    }

    /// First frame of the answer − sent, where other output, such as reasoning, came before it.
    /// Without that it is the TTFT.
    pub fn first_answer_ms(&self) -> Option<f64> {
        let first_answer = self.first_answer.filter(|_| self.first_answer != self.first_token)?;
        Some((first_answer - self.sent?).as_ms())
    }

    /// Latency ÷ output tokens.
    pub fn normalized_latency_ms(&self) -> Option<f64> {
        positive_ratio(self.latency_ms?, self.tokens.output? as f64)
    }

    /// Output tokens ÷ latency, in tokens per second.
    pub fn output_tps(&self) -> Option<f64> {
        positive_ratio(self.tokens.output? as f64, self.latency_ms? / 1e3)
    }

    /// (Input + output tokens) ÷ latency, in tokens per second.
    pub fn total_tps(&self) -> Option<f64> {
        positive_ratio((self.tokens.input? + self.tokens.output?) as f64, self.latency_ms? / 1e3)
    }

    /// Input tokens ÷ latency, in tokens per second, of a request that asked for no output: one to
    /// embed or to rank.
    pub fn input_tps(&self) -> Option<f64> {
        match self.tokens.output {
            None => positive_ratio(self.tokens.input? as f64, self.latency_ms? / 1e3),
            Some(_) => None,
        }
    }

    /// 1 ÷ TPOT, in tokens per second.
    pub fn decode_tps(&self) -> Option<f64> {
        positive_ratio(1e3, self.tpot_ms?)
    }

    /// (Output tokens − 1) ÷ (output frames − 1): above 1 where a step of the server brings several
    /// tokens, as speculative decoding does.
    pub fn decoded_tokens_per_iter(&self) -> Option<f64> {
        let output = self.tokens.output?;
        // Between two frames there is one interval.
        let intervals = self.itl_ms.len();
        (output > 1 && intervals > 0).then(|| (output - 1) as f64 / intervals as f64)
    }
}

fn tpot_ms(latency_ms: Option<f64>, ttft_ms: Option<f64>, output: Option<u64>) -> Option<f64> {
    let output = output.filter(|&output| output > 1)?;
    Some((latency_ms? - ttft_ms?) / (output - 1) as f64)
}

fn time_per_token_ms(frames: &[TokenFrame], output: Option<u64>) -> Option<f64> {
    let (first, last) = (frames.first()?, frames.last()?);
    let output = output? as f64;
    let in_first = first.tokens.map_or(output / frames.len() as f64, f64::from);
    if frames.len() < 2 || output <= in_first {
        return None;
    }
    Some((last.at - first.at).as_ms() / (output - in_first))
}

/// `a / b`, where `b` is something to divide by.
fn positive_ratio(a: f64, b: f64) -> Option<f64> {
    (b > 0.0).then(|| a / b)
}

#[cfg(test)]
mod tests;
