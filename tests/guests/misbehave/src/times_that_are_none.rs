//! Wants a turn to wait, or a conversation to arrive, at what is no time: `nan_think`,
//! `negative_think`, `endless_arrival` or `negative_arrival`, in `"how"`.

use tickrate_guest::Conversation;

use crate::misdeed::{Call, Misdeed};

pub struct TimesThatAreNone;

impl Misdeed for TimesThatAreNone {
    fn to_batch(&self, call: &Call, batch: &mut Vec<Conversation>) {
        for conversation in batch {
            match call.how {
                "nan_think" => conversation.turns[0].think_time_ms = Some(f64::NAN),
                "negative_think" => conversation.turns[0].think_time_ms = Some(-1.0),
                "endless_arrival" => conversation.arrival_ms = Some(f64::INFINITY),
                _ => conversation.arrival_ms = Some(-0.5),
            }
        }
    }
}
