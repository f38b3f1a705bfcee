//! Reads a file that it was not given: the one at the path in `"how"`.

use tickrate_guest::PluginError;

use crate::misdeed::{Call, Misdeed};

pub struct ReadsFiles;

impl Misdeed for ReadsFiles {
    fn anywhere(&self, call: &Call) -> Result<(), PluginError> {
        let read = std::fs::read(call.how);
        read.map(drop).map_err(|_| PluginError::Internal("no file".into()))
    }
}
