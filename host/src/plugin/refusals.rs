//! What plugins asked for and were refused: said once in the log, and in the error of the call that
//! could not do without it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

/// Refusals that are remembered, at most.
const MOST: usize = 100;

/// What all instances of a plugin were refused, and what one call was.
#[derive(Debug, Clone, Default)]
pub(super) struct Refusals {
    told: Arc<Mutex<BTreeSet<String>>>,
    of_call: Arc<Mutex<Vec<String>>>,
    /// What was looked for in a function, folders and variables: a guest's library asks once and
    /// remembers the answer.
    looked_for: Arc<Mutex<BTreeMap<&'static str, Vec<String>>>>,
}

impl Refusals {
    /// Refusals of a further instance.
    pub(super) fn of_another(&self) -> Refusals {
        Refusals { told: Arc::clone(&self.told), ..Refusals::default() }
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

    /// What was refused in the call of `function` that has ended, in the order that it was asked for
    /// last; before it the folders and variables that earlier calls of `function` looked for.
    pub(super) fn take(&self, function: &'static str) -> Vec<String> {
        let now = std::mem::take(&mut *self.of_call.lock().unwrap_or_else(PoisonError::into_inner));
        let mut all = self.looked_for.lock().unwrap_or_else(PoisonError::into_inner);
        let before = all.entry(function).or_default();
        let mut refused: Vec<String> = before.iter().filter(|what| !now.contains(what)).cloned().collect();
        refused.extend(now);
        *before = refused.iter().filter(|what| !what.starts_with("net=")).cloned().collect();
        refused
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
