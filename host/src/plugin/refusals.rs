//! What plugins asked for and were refused: said once in the log, and in the error of the call that
//! could not do without it.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

/// Refusals that are remembered, at most.
const MOST: usize = 100;

/// What all instances of a plugin were refused, and what one call was.
#[derive(Debug, Clone, Default)]
pub(super) struct Refusals {
    told: Arc<Mutex<BTreeSet<String>>>,
    of_call: Arc<Mutex<Vec<String>>>,
}

impl Refusals {
    /// Refusals of a further instance.
    pub(super) fn of_another(&self) -> Refusals {
        Refusals { told: Arc::clone(&self.told), of_call: Arc::default() }
    }

    /// Notes that `what`, in the words of `--plugin-allow`, was refused.
    pub(super) fn note(&self, what: impl Into<String>) {
        let what = what.into();
        let mut of_call = self.of_call.lock().unwrap_or_else(PoisonError::into_inner);
        of_call.retain(|before| *before != what);
        // A plugin that tries all ports must not fill the memory of the host.
        if of_call.len() >= MOST {
            of_call.remove(0);
        }
        of_call.push(what);
    }

    /// What was refused since the last call ended, in the order that it was asked for last.
    pub(super) fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.of_call.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether `what` is refused for the first time.
    pub(super) fn is_news(&self, what: &str) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.len() < MOST && told.insert(what.to_owned())
    }
}

/// The way out, for an error: what was refused last is most likely its reason. A server was asked for
/// by its address; folders and variables are asked for on many occasions.
pub(super) fn advice(refused: &[String]) -> Option<String> {
    let last = refused.iter().rfind(|what| what.starts_with("net=")).or(refused.last())?;
    Some(format!("it was refused {last}; grant it with --plugin-allow {last}"))
}
