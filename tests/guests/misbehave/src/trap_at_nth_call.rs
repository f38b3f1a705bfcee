//! Panics, at each call or with `"every": N` at the n-th.

use tickrate_guest::PluginError;

use crate::misdeed::{Call, Misdeed};

pub struct TrapAtNthCall;

impl Misdeed for TrapAtNthCall {
    fn anywhere(&self, _call: &Call) -> Result<(), PluginError> {
        panic!("told to")
    }
}
