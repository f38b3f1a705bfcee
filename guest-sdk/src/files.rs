//! The files of a dataset, as a whole and as lines.

use crate::{PluginError, host};

/// Bytes that are read of a file at a time.
const PIECE: u32 = 1 << 20;

/// All bytes of a file of the dataset.
///
/// # Errors
/// [`PluginError::InvalidData`] if it cannot be read.
pub fn content(file: &host::File) -> Result<Vec<u8>, PluginError> {
    let mut bytes = Vec::new();
    while (bytes.len() as u64) < file.bytes {
        let piece = host::read(&file.name, bytes.len() as u64, PIECE).map_err(PluginError::InvalidData)?;
        if piece.is_empty() {
            break;
        }
        bytes.extend(piece);
    }
    Ok(bytes)
}

/// The lines of all files of the dataset that say something, without white space around them. Bytes
/// that are no UTF-8 are replaced.
///
/// # Errors
/// [`PluginError::InvalidData`] if a file cannot be read.
pub fn lines() -> Result<Vec<String>, PluginError> {
    let mut all = Vec::new();
    for file in host::files().map_err(PluginError::InvalidData)? {
        all.extend(lines_of(&content(&file)?));
    }
    Ok(all)
}

/// The lines in `data` that say something, without white space around them.
///
/// ```
/// assert_eq!(tickrate_guest::lines_of(b"Why?\n\n  How? \r\n\xff\n"), ["Why?", "How?", "\u{fffd}"]);
/// ```
pub fn lines_of(data: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(data);
    text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()
}
