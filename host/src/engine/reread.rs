//! A reply that was kept, parsed once more: a record with the original times and a new meaning.

use std::sync::Arc;

use super::bare::bare_frames;
use super::meaning::{Arrived, count_tokens, token_frames, understand};
use super::settle::redact;
use crate::contract::{Api, TokenCounter};
use crate::record::{CachedSource, KeptReply, Meaning, RequestRecord, TokenSource, Wire};

/// The record that `api` makes of `kept`, the reply that belongs to `record`. Everything that the
/// transport measured stays as it was. Tokens of the prompt that no server reports stay as the run
/// counted them.
pub fn reread(
    api: &dyn Api,
    counter: Option<&dyn TokenCounter>,
    secrets: &[String],
    record: RequestRecord,
    kept: &KeptReply,
) -> RequestRecord {
    let arrived = Arrived {
        status: Some(kept.status),
        content_type: kept.content_type.as_deref(),
        framing: kept.framing,
        sent: kept.sent,
        broken: kept.broken.as_ref(),
        framed: &kept.framed,
    };
    let mut outcome = understand(api, &arrived);
    if let Some(failure) = &mut outcome.failure {
        failure.message = redact(&failure.message, secrets);
    }
    let counted = record.tokens.input.filter(|_| record.tokens.source != Some(TokenSource::Server));
    let seen = record.tokens.cached.filter(|_| record.tokens.cached_source == Some(CachedSource::Estimated));
    let tokens = count_tokens(&outcome, counter, || counted, seen);
    let token_frames = token_frames(&outcome, &kept.framed, tokens.output, counter);
    let wire = Wire {
        due: record.due,
        sent: record.sent,
        first_byte: record.first_byte,
        closed: record.closed,
        framing: kept.framing,
        frames: kept.framed.frames.len() as u32,
        bytes_in: record.bytes_in,
        bytes_out: record.bytes_out,
        connection_reused: record.connection_reused,
        stale_connections: record.stale_connections,
        status: record.status,
    };
    let (bare_choices, bare_events) = bare_frames(&outcome, &kept.framed, kept.framing);
    let meaning = Meaning {
        bare_choices,
        bare_events,
        token_frames,
        tokens,
        failure: outcome.failure,
        finish_reason: outcome.finish_reason,
        labels: kept.labels.iter().cloned().chain(outcome.labels).collect(),
        prompt: record.prompt,
        output: record.output.map(|_| outcome.text),
    };
    let key = crate::record::RequestKey { api: Arc::from(api.name()), ..record.key };
    RequestRecord::new(key, record.worker, wire, meaning)
}
