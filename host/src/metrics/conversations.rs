//! Puts the turns of conversations together.

use std::collections::HashMap;

use crate::record::{ConversationFigures, ConversationTally, RequestRecord};

/// How many conversations of several turns there were.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ConversationCounts {
    /// Those whose turns all succeeded.
    pub finished: u64,
    /// The others.
    pub unfinished: u64,
}

/// The conversations of a stage; only those that are not finished are held.
#[derive(Debug, Default)]
pub(super) struct Conversations {
    open: HashMap<String, ConversationTally>,
    finished: u64,
}

impl Conversations {
    /// Takes a record into account; the figures of its conversation, if that is all of it.
    pub(super) fn push(&mut self, record: &RequestRecord) -> Option<ConversationFigures> {
        if record.key.conversation_turns < 2 {
            return None;
        }
        // A dataset may use a conversation's id again; requests are numbered, and their turns after
        // the number.
        let id = record.key.request_id.split('.').next().unwrap_or_default();
        if !self.open.contains_key(id) {
            self.open.insert(id.to_string(), ConversationTally::default());
        }
        let tally = self.open.get_mut(id)?;
        tally.add(record);
        if tally.turns() < record.key.conversation_turns {
            return None;
        }
        self.finished += 1;
        self.open.remove(id)?.figures()
    }

    /// How many there were; `None` if there were none.
    pub(super) fn counts(&self) -> Option<ConversationCounts> {
        let counts = ConversationCounts { finished: self.finished, unfinished: self.open.len() as u64 };
        (counts != ConversationCounts::default()).then_some(counts)
    }
}
