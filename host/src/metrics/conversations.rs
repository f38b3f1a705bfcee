//! Puts the turns of conversations together.

use std::collections::HashMap;

use crate::record::{ConversationFigures, ConversationTally, RequestRecord};

/// How many conversations there were.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ConversationCounts {
    /// Those whose turns all succeeded.
    pub finished: u64,
    /// The others.
    pub unfinished: u64,
}

/// The conversations of a stage; only those that are not finished are held.
#[derive(Debug)]
pub(super) struct Conversations {
    /// The fewest turns that make one.
    least_turns: u32,
    open: HashMap<String, ConversationTally>,
    finished: u64,
}

impl Conversations {
    /// No conversations yet. `single` tells whether one of a single turn counts.
    pub(super) fn new(single: bool) -> Conversations {
        Conversations { least_turns: if single { 1 } else { 2 }, open: HashMap::new(), finished: 0 }
    }

    /// Takes a record into account; the figures of its conversation, if that is all of it.
    pub(super) fn push(&mut self, record: &RequestRecord) -> Option<ConversationFigures> {
        if record.key.conversation_turns < self.least_turns {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::testing;

    /// A conversation of one turn counts where the stage is of conversations, and nowhere else.
    #[test]
    fn one_turn_is_a_conversation_among_conversations() {
        for (single, finished, unfinished) in [(true, 2, 1), (false, 1, 0)] {
            let mut conversations = Conversations::new(single);
            let mut figures = 0;
            for (id, turn, turns, ok) in
                [("a.0", 0, 1, true), ("b.0", 0, 2, true), ("b.1", 1, 2, true), ("c.0", 0, 1, false)]
            {
                let mut record = if ok { testing::whole(0.0, 1.0) } else { testing::failed(0.0, 1.0) };
                record.key.request_id = id.to_string();
                record.key.turn = turn;
                record.key.conversation_turns = turns;
                figures += u64::from(conversations.push(&record).is_some());
            }
            assert_eq!(conversations.counts(), Some(ConversationCounts { finished, unfinished }));
            assert_eq!(figures, finished);
        }
    }
}
