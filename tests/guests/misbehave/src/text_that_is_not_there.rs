//! Claims that frames brought text, and gives none.

use tickrate_guest::{Outcome, Reply};

use crate::misdeed::{Call, Misdeed};

pub struct TextThatIsNotThere;

impl Misdeed for TextThatIsNotThere {
    fn to_outcome(&self, _call: &Call, _reply: &Reply, outcome: &mut Outcome) {
        outcome.text.clear();
    }
}
