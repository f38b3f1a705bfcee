//! Gives conversations in which nobody says anything.

use tickrate_guest::Conversation;

use crate::misdeed::{Call, Misdeed};

pub struct ConversationsWithoutTurns;

impl Misdeed for ConversationsWithoutTurns {
    fn to_batch(&self, _call: &Call, batch: &mut Vec<Conversation>) {
        for conversation in batch {
            conversation.turns.clear();
        }
    }
}
