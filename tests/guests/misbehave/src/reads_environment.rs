//! Reads a variable that it was not given: the one named in `"how"`.

use tickrate_guest::PluginError;

use crate::misdeed::{Call, Misdeed};

pub struct ReadsEnvironment;

impl Misdeed for ReadsEnvironment {
    fn anywhere(&self, call: &Call) -> Result<(), PluginError> {
        let found = std::env::var(call.how);
        found.map(drop).map_err(|_| PluginError::Internal("no variable".into()))
    }
}
