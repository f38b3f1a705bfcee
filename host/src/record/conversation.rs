//! The figures of a conversation, from the records of its turns.

use super::RequestRecord;
use crate::units::Nanos;

/// What a conversation was like as a whole. What was not measured is `None`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ConversationFigures {
    /// How many turns it had.
    pub turns: u32,
    /// Completion of the last turn − first send, in seconds: the waits before turns are in it.
    pub latency_s: f64,
    /// First token of the last turn − first send, in seconds.
    pub final_answer_s: Option<f64>,
    /// Mean over the turns of (output tokens − 1) ÷ (latency − TTFT), in tokens per second.
    pub decode_tps: Option<f64>,
    /// Σ cached ÷ Σ input tokens × 100, where the server reports the cached tokens of every turn.
    pub cached_percent: Option<f64>,
    /// Σ cached tokens × 100 ÷ Σ tokens of the turns before (input + output), likewise.
    pub eligible_cached_percent: Option<f64>,
}

/// The turns of a conversation so far. They may come in any order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ConversationTally {
    first_sent: Option<Nanos>,
    turns: Vec<Turn>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Turn {
    turn: u32,
    first_token: Option<Nanos>,
    completed: Nanos,
    decode_tps: Option<f64>,
    input: Option<u64>,
    output: Option<u64>,
    cached: Option<u64>,
}

impl ConversationTally {
    /// Takes an attempt at a turn into account. One that failed only counts as having been sent.
    pub fn add(&mut self, record: &RequestRecord) {
        self.first_sent = self.first_sent.into_iter().chain(record.sent).min();
        if !record.ok() {
            return;
        }
        let (latency_ms, ttft_ms) = (record.latency_ms, record.ttft_ms);
        let decoding_s = latency_ms.zip(ttft_ms).map(|(latency, ttft)| (latency - ttft) / 1e3);
        let decoded = record.tokens.output.filter(|&output| output > 1);
        self.turns.push(Turn {
            turn: record.key.turn,
            first_token: record.first_token,
            completed: record.completed,
            decode_tps: decoding_s
                .filter(|&seconds| seconds > 0.0)
                .and_then(|seconds| Some((decoded? - 1) as f64 / seconds)),
            input: record.tokens.input,
            output: record.tokens.output,
            cached: record.tokens.reported_cached(),
        });
    }

    /// How many turns have succeeded.
    pub fn turns(&self) -> u32 {
        self.turns.len() as u32
    }

    /// The figures, as far as the conversation has come; `None` if no turn has succeeded.
    pub fn figures(mut self) -> Option<ConversationFigures> {
        self.turns.sort_by_key(|turn| turn.turn);
        let last = self.turns.last()?;
        let start = self.first_sent?;
        let speeds: Vec<f64> = self.turns.iter().filter_map(|turn| turn.decode_tps).collect();
        let sum = |of: fn(&Turn) -> Option<u64>| self.turns.iter().map(of).sum::<Option<u64>>();
        let cached = sum(|turn| turn.cached);
        let before = &self.turns[..self.turns.len() - 1];
        let eligible = before.iter().map(|turn| Some(turn.input? + turn.output?)).sum::<Option<u64>>();
        let percent_of = |whole: Option<u64>| {
            let whole = whole.filter(|&tokens| tokens > 0)?;
            Some(cached? as f64 / whole as f64 * 100.0)
        };
        Some(ConversationFigures {
            turns: self.turns(),
            latency_s: (last.completed - start).as_s(),
            final_answer_s: last.first_token.map(|at| (at - start).as_s()),
            decode_tps: (!speeds.is_empty()).then(|| speeds.iter().sum::<f64>() / speeds.len() as f64),
            cached_percent: percent_of(sum(|turn| turn.input)),
            eligible_cached_percent: percent_of(eligible),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::{Failure, FailureKind, Framing};
    use crate::record::{CachedSource, Meaning, RequestKey, TokenCounts, TokenFrame, TokenSource, Wire};

    /// A turn: sent and completed, TTFT, in seconds; input, output and cached tokens.
    type Given = (f64, f64, f64, u64, u64, u64);

    fn record(turn: u32, (sent, completed, ttft, input, output, cached): Given) -> RequestRecord {
        let key = RequestKey {
            run_id: "r".into(),
            stage: "s".into(),
            request_id: format!("r-0.{turn}"),
            attempt: 1,
            conversation_id: "0".into(),
            turn,
            conversation_turns: 3,
            input_turns: turn + 1,
            api: "a".into(),
            dataset: "d".into(),
            model: "m".into(),
            warmup: false,
        };
        let wire = Wire {
            due: Nanos::from_s(sent),
            sent: Some(Nanos::from_s(sent)),
            first_byte: None,
            closed: Nanos::from_s(completed),
            framing: Framing::Sse,
            frames: 2,
            bytes_in: 0,
            bytes_out: 0,
            connection_reused: None,
            stale_connections: 0,
            status: Some(200),
        };
        let frame = |at| TokenFrame { at: Nanos::from_s(at), tokens: None, answer: true };
        let tokens = TokenCounts {
            input: Some(input),
            output: Some(output),
            cached: Some(cached),
            cached_source: Some(CachedSource::Server),
            source: Some(TokenSource::Server),
            reasoning: None,
        };
        let meaning = Meaning {
            token_frames: vec![frame(sent + ttft), frame(completed)],
            tokens,
            ..Meaning::default()
        };
        RequestRecord::new(key, 0, wire, meaning)
    }

    /// The turns of the baseline's own test, `test_trace_metrics.py`, and what it expects of them.
    const TURNS: [Given; 3] =
        [(0.0, 2.0, 0.5, 100, 51, 0), (3.0, 4.5, 0.3, 200, 21, 130), (5.0, 7.0, 0.4, 400, 31, 200)];

    fn figures(turns: impl Iterator<Item = RequestRecord>) -> ConversationFigures {
        let mut tally = ConversationTally::default();
        turns.for_each(|record| tally.add(&record));
        tally.figures().unwrap()
    }

    fn close(a: Option<f64>, b: f64) {
        assert!((a.unwrap() - b).abs() < 1e-9, "{a:?} {b}");
    }

    #[test]
    fn the_figures_are_those_of_the_baseline_in_whatever_order_the_turns_come() {
        let turns: Vec<_> = TURNS.iter().enumerate().map(|(at, &turn)| record(at as u32, turn)).collect();
        for order in [[0, 1, 2], [2, 0, 1]] {
            let got = figures(order.into_iter().map(|at| turns[at].clone()));
            assert_eq!((got.turns, got.latency_s), (3, 7.0));
            close(got.final_answer_s, 5.4);
            close(got.decode_tps, (50.0 / 1.5 + 20.0 / 1.2 + 30.0 / 1.6) / 3.0);
            close(got.cached_percent, 330.0 / 700.0 * 100.0);
            close(got.eligible_cached_percent, 330.0 / 372.0 * 100.0);
        }
    }

    #[test]
    fn estimates_are_no_hits_and_an_attempt_that_failed_only_began_it() {
        let mut first = record(0, TURNS[0]);
        let mut failed = first.clone();
        failed.failure = Some(Failure::new(FailureKind::HttpStatus, "HTTP 503"));
        (failed.sent, first.sent) = (Some(Nanos::ZERO), Some(Nanos::from_s(0.5)));
        first.tokens.cached_source = Some(CachedSource::Estimated);
        let got = figures([failed, first].into_iter());
        assert_eq!((got.turns, got.latency_s, got.cached_percent), (1, 2.0, None));
        assert_eq!(ConversationTally::default().figures(), None);
    }
}
