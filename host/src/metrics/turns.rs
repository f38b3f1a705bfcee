//! Conversations of a stage: how turns fare, and which conversations took longest.

use std::collections::HashMap;

use serde::Serialize;

use crate::record::RequestRecord;
use crate::units::Nanos;

/// The most conversations that are followed. A run of more shows the first of them.
const FOLLOWED: usize = 100_000;
/// The most conversations that are drawn with their turns,
const DRAWN: usize = 40;
/// the most turns that each of them is drawn with,
const TURNS: usize = 64;
/// the most positions of turns that have figures of their own,
const POSITIONS: usize = 64;
/// and the most conversations in the list of the slowest.
const SLOWEST: usize = 15;

/// Collects conversations.
#[derive(Debug, Default)]
pub struct Turns {
    /// Whether there were more than are followed.
    more: bool,
    followed: HashMap<String, Followed>,
    positions: Vec<Position>,
}

#[derive(Debug, Default)]
struct Followed {
    order: usize,
    turns: u32,
    failed: u32,
    output_tokens: u64,
    first: Option<Nanos>,
    last: Option<Nanos>,
    busy_ms: f64,
    spans: Vec<Span>,
}

#[derive(Debug, Default)]
struct Position {
    ttft_ms: Vec<f64>,
    requests: u64,
    input_tokens: u64,
    counted: u64,
    cached_tokens: u64,
    cached_counted: bool,
}

/// A turn as it is drawn: moments in seconds since the stage began.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Span {
    /// The turn's position, from 0.
    pub turn: u32,
    /// When it was sent.
    pub from_s: f64,
    /// When its first token came; missing where nothing was streamed.
    pub first_token_s: Option<f64>,
    /// When it was over.
    pub to_s: f64,
    /// Whether it succeeded.
    pub ok: bool,
}

/// The turns at one position of their conversations.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TurnFigures {
    /// The position, from 1.
    pub turn: usize,
    /// Requests that succeeded.
    pub requests: u64,
    /// Time to first token, in milliseconds: the median and the 90th percentile, of at most 4096.
    pub p50_ttft_ms: Option<f64>,
    /// The 90th percentile.
    pub p90_ttft_ms: Option<f64>,
    /// Mean input tokens.
    pub avg_input_tokens: Option<f64>,
    /// Σ cached ÷ Σ input tokens, in percent, where the server reports it.
    pub cached_percent: Option<f64>,
}

/// One conversation.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SlowConversation {
    /// What the ids of its requests begin with.
    pub id: String,
    /// Turns that were sent.
    pub turns: u32,
    /// Those that failed.
    pub failed: u32,
    /// Output tokens of all turns.
    pub output_tokens: u64,
    /// From the first turn's sending to the last one's end, in seconds.
    pub duration_s: f64,
    /// The part of it that the client waited for the server, in seconds.
    pub busy_s: f64,
}

/// The conversations of a stage as they are drawn.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ConversationView {
    /// How many conversations there were, at most as many as are followed.
    pub count: usize,
    /// Whether there were more.
    pub more: bool,
    /// The figures of each position.
    pub turns: Vec<TurnFigures>,
    /// The first conversations with their turns.
    pub lanes: Vec<(String, Vec<Span>)>,
    /// The conversations that took longest.
    pub slowest: Vec<SlowConversation>,
}

impl Turns {
    /// Takes a record into account; `origin` is when the stage began.
    pub(super) fn push(&mut self, record: &RequestRecord, origin: Nanos) {
        if record.key.conversation_turns < 2 {
            return;
        }
        self.count_position(record);
        // A dataset may use a conversation's id again; requests are numbered, and their turns after
        // the number.
        let id = record.key.request_id.split('.').next().unwrap_or_default();
        let order = self.followed.len();
        if order == FOLLOWED && !self.followed.contains_key(id) {
            self.more = true;
            return;
        }
        let fresh = || Followed { order, ..Followed::default() };
        let one = self.followed.entry(id.to_string()).or_insert_with(fresh);
        one.turns += 1;
        one.failed += u32::from(!record.ok());
        one.output_tokens += record.tokens.output.unwrap_or(0);
        let Some(sent) = record.sent else { return };
        one.first = Some(one.first.map_or(sent, |first| first.min(sent)));
        one.last = Some(one.last.map_or(record.closed, |last| last.max(record.closed)));
        one.busy_ms += (record.closed - sent).as_ms();
        if one.order < DRAWN && one.spans.len() < TURNS {
            let since = |at: Nanos| (at - origin).as_s();
            one.spans.push(Span {
                turn: record.key.turn,
                from_s: since(sent),
                first_token_s: record.first_token.map(since),
                to_s: since(record.closed),
                ok: record.ok(),
            });
        }
    }

    fn count_position(&mut self, record: &RequestRecord) {
        let turn = record.key.turn as usize;
        if !record.ok() || turn >= POSITIONS {
            return;
        }
        if self.positions.len() <= turn {
            self.positions.resize_with(turn + 1, Position::default);
        }
        let position = &mut self.positions[turn];
        position.requests += 1;
        if position.ttft_ms.len() < 4096 {
            position.ttft_ms.extend(record.ttft_ms);
        }
        if let Some(input) = record.tokens.input {
            position.input_tokens += input;
            position.counted += 1;
            if let Some(cached) = record.tokens.cached {
                position.cached_counted = true;
                position.cached_tokens += cached;
            }
        }
    }

    /// The view; `None` where no conversation has more than one turn.
    pub(super) fn view(self) -> Option<ConversationView> {
        if self.followed.is_empty() {
            return None;
        }
        let mut all: Vec<(String, Followed)> = self.followed.into_iter().collect();
        all.sort_by_key(|(_, one)| one.order);
        let lanes = all.iter().take(DRAWN).map(|(id, one)| {
            let mut spans = one.spans.clone();
            spans.sort_by(|a, b| a.from_s.total_cmp(&b.from_s));
            (id.clone(), spans)
        });
        let lanes = lanes.collect();
        let mut slowest: Vec<SlowConversation> = all.iter().map(|(id, one)| one.figures(id)).collect();
        let count = slowest.len();
        slowest.sort_by(|a, b| b.duration_s.total_cmp(&a.duration_s));
        slowest.truncate(SLOWEST);
        let turns = self.positions.iter().enumerate().map(|(turn, position)| position.figures(turn + 1));
        Some(ConversationView { count, more: self.more, turns: turns.collect(), lanes, slowest })
    }
}

impl Followed {
    fn figures(&self, id: &str) -> SlowConversation {
        let duration = self.first.zip(self.last).map_or(Nanos::ZERO, |(first, last)| last - first);
        SlowConversation {
            id: id.to_string(),
            turns: self.turns,
            failed: self.failed,
            output_tokens: self.output_tokens,
            duration_s: duration.as_s(),
            busy_s: self.busy_ms / 1e3,
        }
    }
}

impl Position {
    fn figures(&self, turn: usize) -> TurnFigures {
        let mut ttft_ms = self.ttft_ms.clone();
        ttft_ms.sort_unstable_by(f64::total_cmp);
        let at = |q: f64| {
            let position = q * ttft_ms.len().checked_sub(1)? as f64;
            let (below, above) = (ttft_ms[position.floor() as usize], ttft_ms[position.ceil() as usize]);
            Some(below + (above - below) * position.fract())
        };
        let share = self.cached_tokens as f64 / self.input_tokens as f64 * 100.0;
        TurnFigures {
            turn,
            requests: self.requests,
            p50_ttft_ms: at(0.5),
            p90_ttft_ms: at(0.9),
            avg_input_tokens: (self.counted > 0).then(|| self.input_tokens as f64 / self.counted as f64),
            cached_percent: (self.cached_counted && self.input_tokens > 0).then_some(share),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::testing;

    #[test]
    fn turns_are_put_together_by_conversation_and_by_position() {
        let mut conversations = Turns::default();
        for (conversation, turn, sent_ms, ttft_ms) in
            [("a", 0, 0.0, 30.0), ("b", 0, 5.0, 50.0), ("a", 1, 100.0, 10.0), ("b", 1, 90.0, 20.0)]
        {
            let mut record = testing::streamed(sent_ms, ttft_ms, 1.0, 11);
            record.key.request_id = format!("{conversation}.{turn}");
            record.key.turn = turn;
            record.key.conversation_turns = 2;
            record.tokens.cached = Some(if turn == 0 { 0 } else { 75 });
            conversations.push(&record, Nanos::ZERO);
        }
        let view = conversations.view().unwrap();
        assert_eq!((view.count, view.more, view.turns.len()), (2, false, 2));
        assert_eq!((view.turns[0].p50_ttft_ms, view.turns[1].p90_ttft_ms), (Some(40.0), Some(19.0)));
        assert_eq!((view.turns[0].cached_percent, view.turns[1].cached_percent), (Some(0.0), Some(75.0)));
        assert_eq!(view.slowest[0].id, "a");
        assert!((view.slowest[0].duration_s - 0.12).abs() < 1e-9, "{:?}", view.slowest[0]);
        assert!((view.slowest[0].busy_s - 0.06).abs() < 1e-9);
        assert_eq!(view.lanes[1].1.len(), 2);
    }

    #[test]
    fn single_requests_are_no_conversations() {
        let mut conversations = Turns::default();
        conversations.push(&testing::whole(0.0, 1.0), Nanos::ZERO);
        assert_eq!(conversations.view(), None);
    }
}
