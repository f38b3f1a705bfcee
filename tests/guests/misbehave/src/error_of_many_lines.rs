//! Says that it cannot, at length.

use tickrate_guest::PluginError;

use crate::misdeed::{Call, Misdeed};

pub struct ErrorOfManyLines;

impl Misdeed for ErrorOfManyLines {
    fn anywhere(&self, _call: &Call) -> Result<(), PluginError> {
        Err(PluginError::InvalidData(format!("told to\x1b[31m\n{}", "and more\n".repeat(1_000))))
    }
}
