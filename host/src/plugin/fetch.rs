//! Plugins from elsewhere: a URL with the SHA-256 of what it must hold, or a reference to an OCI
//! registry. What was fetched is kept under its SHA-256 and not fetched again.

mod client;
mod login;
mod oci;
mod reference;

use std::path::PathBuf;

use super::cache::Cache;
use super::compiled::hex;
use client::Client;
pub(super) use reference::Reference;

/// How much of what was fetched is kept, in bytes.
const MOST_KEPT: u64 = 2 << 30;

/// Why a plugin could not be fetched, in one line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// The URL does not say what it must hold.
    #[error("\"{0}\" has no pin; add the SHA-256 of the component to it: #sha256=…")]
    NoPin(String),
    /// The pin is none.
    #[error("the pin of \"{0}\" is no SHA-256; give its 64 hexadecimal digits: #sha256=…")]
    BadPin(String),
    /// Plain HTTP over a network.
    #[error("\"{0}\" would be fetched without encryption; give an https:// URL")]
    Plain(String),
    /// The URL may hold something secret.
    #[error("\"{0}\" has a user or a query, which would be kept with the run; give a URL without them")]
    Secret(String),
    /// The reference to a registry is none.
    #[error("\"{0}\" is no reference; give oci://REGISTRY/NAME:TAG or oci://REGISTRY/NAME@sha256:…")]
    BadReference(String),
    /// There is no answer.
    #[error("cannot fetch \"{from}\": {reason}; check the address and the network")]
    Unreachable {
        /// What was asked for.
        from: String,
        /// What happened.
        reason: String,
    },
    /// The server does not give it.
    #[error("cannot fetch \"{from}\": the server says HTTP {status}; check the address")]
    Refused {
        /// What was asked for.
        from: String,
        /// The status.
        status: u16,
    },
    /// The registry does not let us in.
    #[error("cannot fetch \"{from}\": {reason}")]
    Login {
        /// What was asked for.
        from: String,
        /// Why, and what to do.
        reason: String,
    },
    /// A file of logins is none.
    #[error("cannot use the logins in \"{file}\": {reason}; mend the file or make it anew with docker login")]
    Logins {
        /// The file.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
    /// It is not what it should be.
    #[error("\"{from}\" is not what it was pinned to: its SHA-256 is {found}, not {wanted}; do not use it")]
    Pin {
        /// What was asked for.
        from: String,
        /// The SHA-256 of what came.
        found: String,
        /// The SHA-256 that it should have.
        wanted: String,
    },
    /// It is larger than any plugin.
    #[error("\"{0}\" is larger than 1 GiB, which no plugin is; check the address")]
    TooLarge(String),
    /// The registry's answer is not understood.
    #[error("\"{from}\" holds no plugin: {reason}")]
    Manifest {
        /// What was asked for.
        from: String,
        /// What is wrong.
        reason: String,
    },
    /// There is no place to keep it.
    #[error("there is no private folder to keep \"{0}\" in; set XDG_CACHE_HOME to one of yours")]
    NoCache(String),
}

/// The file that a reference stands for, fetched if need be, and the SHA-256 that it must have, where
/// the reference says so.
pub(super) fn resolve(reference: &Reference) -> Result<(PathBuf, Option<String>), FetchError> {
    match reference {
        Reference::File(path) => Ok((path.clone(), None)),
        Reference::Url { url, sha256 } => {
            let shown = reference::shown(url);
            let cache = cache(&shown)?;
            let file = match cache.file(&format!("{sha256}.wasm")) {
                Some(file) => file,
                None => {
                    let bytes = Client::new(&shown)?.get(url)?;
                    keep(&cache, &shown, &bytes, sha256)?
                }
            };
            Ok((file, Some(sha256.clone())))
        }
        Reference::Oci(place) => {
            let cache = cache(&place.to_string())?;
            let sha256 = oci::digest(place, &cache)?;
            let file = match cache.file(&format!("{sha256}.wasm")) {
                Some(file) => file,
                None => keep(&cache, &place.to_string(), &oci::blob(place, &sha256)?, &sha256)?,
            };
            Ok((file, Some(sha256)))
        }
    }
}

fn cache(shown: &str) -> Result<Cache, FetchError> {
    Cache::of_user("plugins", MOST_KEPT).ok_or_else(|| FetchError::NoCache(shown.to_owned()))
}

/// Keeps what was fetched, if it is what it must be.
fn keep(cache: &Cache, from: &str, bytes: &[u8], wanted: &str) -> Result<PathBuf, FetchError> {
    check(from, bytes, wanted)?;
    cache.put(&format!("{wanted}.wasm"), bytes).ok_or_else(|| FetchError::NoCache(from.to_owned()))
}

fn check(from: &str, bytes: &[u8], wanted: &str) -> Result<(), FetchError> {
    use sha2::{Digest, Sha256};
    let found = hex(&Sha256::digest(bytes));
    if found == wanted {
        return Ok(());
    }
    Err(FetchError::Pin { from: from.to_owned(), found, wanted: wanted.to_owned() })
}
