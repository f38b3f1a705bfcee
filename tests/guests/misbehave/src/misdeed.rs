//! What a misdeed is: something done in whichever function it is asked of, or to a function's answer.

use tickrate_guest::{Conversation, HttpRequest, Outcome, PluginError, Reply};

/// The call that a misdeed is done in.
pub struct Call<'a> {
    /// How many calls of this function the instance has had, this one included.
    pub number: u32,
    /// Which way of doing it, in words of the misdeed's own.
    pub how: &'a str,
}

/// Each function does nothing unless the misdeed says otherwise.
pub trait Misdeed {
    /// Done in any function, before it answers.
    fn anywhere(&self, _call: &Call) -> Result<(), PluginError> {
        Ok(())
    }

    /// Done to the request that `shape` answers with.
    fn to_request(&self, _call: &Call, _request: &mut HttpRequest) {}

    /// Done to the outcome that `parse` answers with.
    fn to_outcome(&self, _call: &Call, _reply: &Reply, _outcome: &mut Outcome) {}

    /// Done to the conversations that `next` answers with.
    fn to_batch(&self, _call: &Call, _batch: &mut Vec<Conversation>) {}
}
