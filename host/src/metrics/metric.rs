//! The metrics: their names, and which of a record's figures each of them is.

use crate::record::RequestRecord;

/// A metric that each request has one value of, or many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metric {
    /// Completed − sent, in seconds.
    Latency,
    /// First token − sent.
    Ttft,
    /// Intervals between frames that carried output, pooled over requests.
    Itl,
    /// The baseline's time per token.
    Tpot,
    /// The time per token that knows frames of several tokens.
    TimePerToken,
    /// Tokens of the prompt.
    InputTokens,
    /// Tokens generated.
    OutputTokens,
    /// Input ÷ latency, of requests that ask for no output.
    InputTps,
    /// Output ÷ latency.
    OutputTps,
    /// (Input + output) ÷ latency.
    TotalTps,
    /// 1 ÷ TPOT.
    DecodeTps,
    /// TTFT without the reasoning before the answer.
    FirstAnswer,
    /// TTFT of the first turns of conversations; only where there are later ones.
    FirstTurnTtft,
    /// TTFT of the turns after the first.
    LaterTurnTtft,
    /// TTFT from the moment the request was due.
    TtftFromDue,
    /// Latency from the moment the request was due, in seconds.
    LatencyFromDue,
    /// Latency ÷ output tokens.
    NormalizedLatency,
    /// Completion of a conversation's last turn − its first send, in seconds.
    ConversationLatency,
    /// First token of a conversation's last turn − its first send, in seconds.
    FinalAnswer,
    /// Turns of a conversation.
    ConversationTurns,
    /// Mean over a conversation's turns of (output − 1) ÷ (latency − TTFT).
    ConversationDecodeTps,
    /// Cached ÷ input tokens of a conversation, in percent.
    ConversationCacheHit,
    /// Cached tokens of a conversation ÷ those that could have been, in percent.
    EligibleCacheHit,
}

impl Metric {
    /// Every metric, in the order of the percentile table: the baseline's columns first.
    pub const ALL: [Metric; 23] = [
        Metric::Latency,
        Metric::Ttft,
        Metric::Itl,
        Metric::Tpot,
        Metric::InputTokens,
        Metric::OutputTokens,
        Metric::InputTps,
        Metric::OutputTps,
        Metric::TotalTps,
        Metric::DecodeTps,
        Metric::TimePerToken,
        Metric::FirstAnswer,
        Metric::FirstTurnTtft,
        Metric::LaterTurnTtft,
        Metric::TtftFromDue,
        Metric::LatencyFromDue,
        Metric::NormalizedLatency,
        Metric::ConversationLatency,
        Metric::FinalAnswer,
        Metric::ConversationTurns,
        Metric::ConversationDecodeTps,
        Metric::ConversationCacheHit,
        Metric::EligibleCacheHit,
    ];

    /// The name in tables and files, with its unit.
    pub fn label(self) -> &'static str {
        match self {
            Metric::Latency => "Latency (s)",
            Metric::Ttft => "TTFT (ms)",
            Metric::Itl => "ITL (ms)",
            Metric::Tpot => "TPOT (ms)",
            Metric::TimePerToken => "Time per token (ms)",
            Metric::InputTokens => "Input tokens",
            Metric::OutputTokens => "Output tokens",
            Metric::InputTps => "Input (tok/s)",
            Metric::OutputTps => "Output (tok/s)",
            Metric::TotalTps => "Total (tok/s)",
            Metric::DecodeTps => "Decode (tok/s)",
            Metric::FirstAnswer => "First answer (ms)",
            Metric::FirstTurnTtft => "First-turn TTFT (ms)",
            Metric::LaterTurnTtft => "Later-turn TTFT (ms)",
            Metric::TtftFromDue => "TTFT from due (ms)",
            Metric::LatencyFromDue => "Latency from due (s)",
            Metric::NormalizedLatency => "Latency per token (ms)",
            Metric::ConversationLatency => "Conversation latency (s)",
            Metric::FinalAnswer => "Time to final answer (s)",
            Metric::ConversationTurns => "Turns per conversation",
            Metric::ConversationDecodeTps => "Conversation decode (tok/s)",
            Metric::ConversationCacheHit => "Conversation cache hit (%)",
            Metric::EligibleCacheHit => "Eligible cache hit (%)",
        }
    }

    /// Decimals in tables.
    pub fn decimals(self) -> usize {
        match self {
            Metric::Latency | Metric::LatencyFromDue | Metric::ConversationLatency | Metric::FinalAnswer => 4,
            Metric::InputTokens | Metric::OutputTokens | Metric::ConversationTurns => 1,
            _ => 2,
        }
    }

    /// Whether it is a conversation that has a value of it, and not a request.
    pub fn is_of_conversations(self) -> bool {
        self as usize >= Metric::ConversationLatency as usize
    }

    pub(super) fn index(self) -> usize {
        self as usize
    }

    /// The value of a metric that each request has one of.
    pub(super) fn of(self, record: &RequestRecord) -> Option<f64> {
        let tokens = |count: Option<u64>| count.map(|count| count as f64);
        match self {
            Metric::Latency => record.latency_ms.map(|ms| ms / 1e3),
            Metric::Ttft => record.ttft_ms,
            Metric::Itl => None,
            Metric::Tpot => record.tpot_ms,
            Metric::TimePerToken => record.time_per_token_ms,
            Metric::InputTokens => tokens(record.tokens.input),
            Metric::OutputTokens => tokens(record.tokens.output),
            Metric::InputTps => record.input_tps(),
            Metric::OutputTps => record.output_tps(),
            Metric::TotalTps => record.total_tps(),
            Metric::DecodeTps => record.decode_tps(),
            Metric::FirstAnswer => record.first_answer_ms(),
            Metric::FirstTurnTtft => record.ttft_ms.filter(|_| record.key.turn == 0),
            Metric::LaterTurnTtft => record.ttft_ms.filter(|_| record.key.turn > 0),
            Metric::TtftFromDue => record.ttft_from_due_ms(),
            Metric::LatencyFromDue => record.latency_from_due_ms().map(|ms| ms / 1e3),
            Metric::NormalizedLatency => record.normalized_latency_ms(),
            // Those that are of conversations.
            _ => None,
        }
    }
}
