//! Conversations put together from turns, and how many of them there may be.

use super::DatasetSpec;
use crate::contract::{Conversation, Message, PartError, Prompt, Turn};

/// A conversation whose turns add these messages, one turn after the other.
pub(super) fn conversation(turns: impl Iterator<Item = Vec<Message>>) -> Conversation {
    let turns = turns.map(|messages| Turn::from(Prompt::Chat(messages))).collect();
    Conversation { id: None, turns, arrival_ms: None, labels: Vec::new() }
}

/// The most turns of a conversation that a file gives; checks the bounds.
pub(super) fn most(spec: &DatasetSpec) -> Result<usize, PartError> {
    Ok(bounds(spec)?.1.unwrap_or(u32::MAX) as usize)
}

/// The fewest and the most turns: `--min-turns`, and `--max-turns` where it is given.
pub(super) fn bounds(spec: &DatasetSpec) -> Result<(u32, Option<u32>), PartError> {
    let invalid = |text: String| Err(PartError::InvalidConfig(text));
    if spec.tokenize_prompt {
        return invalid(format!(
            "--tokenize-prompt does not go with the conversations of \"{}\"; leave it out",
            spec.name
        ));
    }
    if spec.min_turns == 0 {
        return invalid("--min-turns must be at least 1; raise it".into());
    }
    if let Some(most) = spec.max_turns
        && most < spec.min_turns
    {
        return invalid(format!(
            "--max-turns ({most}) must be >= --min-turns ({}); raise it",
            spec.min_turns
        ));
    }
    Ok((spec.min_turns, spec.max_turns))
}
