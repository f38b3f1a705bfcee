//! How much memory, time and output a plugin may use, and how a call that went over is told.

use std::time::Duration;

use wasmtime::{ResourceLimiter, Trap};

use super::error::{CallError, one_line};

/// The bounds of every plugin of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitsSpec {
    /// Memory of one instance, in bytes.
    pub memory: usize,
    /// Time for one `shape` or `parse`, on the clock.
    pub call: Duration,
    /// Time for `open`, and for instantiation with what `info` says.
    pub open: Duration,
    /// Time for one `next` of a dataset.
    pub next: Duration,
    /// What one answer may hold, in bytes: a request's body, an outcome, a batch of conversations.
    pub answer: usize,
    /// How many instances of an API there may be at once; each serves one call at a time.
    pub instances: usize,
}

impl Default for LimitsSpec {
    fn default() -> LimitsSpec {
        LimitsSpec {
            memory: 256 << 20,
            call: Duration::from_secs(1),
            open: Duration::from_secs(10),
            next: Duration::from_secs(10),
            answer: 64 << 20,
            instances: std::thread::available_parallelism().map_or(4, |n| n.get() + 2),
        }
    }
}

/// Table elements of one instance: functions that it can call indirectly. The largest guests
/// (CPython) have some ten thousand.
const TABLE_ELEMENTS: usize = 1_000_000;

/// Counts the memory of one instance and refuses what goes beyond the bound.
#[derive(Debug)]
pub(super) struct Limiter {
    limit: usize,
    used: usize,
    refused: bool,
}

impl Limiter {
    /// A limiter that lets an instance have `limit` bytes.
    pub(super) fn new(limit: usize) -> Limiter {
        Limiter { limit, used: 0, refused: false }
    }

    /// Bytes of memory that the instance may have.
    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    /// Bytes of memory that the instance has.
    pub(super) fn used(&self) -> usize {
        self.used
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let used = self.used.saturating_add(desired.saturating_sub(current));
        if used > self.limit || maximum.is_some_and(|maximum| desired > maximum) {
            self.refused = true;
            return Ok(false);
        }
        self.used = used;
        Ok(true)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(desired <= TABLE_ELEMENTS && maximum.is_none_or(|maximum| desired <= maximum))
    }
}

/// What a call was, for the text of its failure.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call<'a> {
    /// The plugin's name.
    pub(super) plugin: &'a str,
    /// The function of the contract.
    pub(super) function: &'static str,
    /// The time it had.
    pub(super) time: Duration,
    /// Bytes its answer may have.
    pub(super) answer: usize,
}

impl Call<'_> {
    /// Says what made a call end without an answer. `last_words` is what the plugin wrote last.
    pub(super) fn failed(
        &self,
        error: &wasmtime::Error,
        limiter: &Limiter,
        last_words: Option<&str>,
    ) -> CallError {
        let plugin = self.plugin.to_owned();
        let function = self.function;
        if let Some(Trap::Interrupt) = error.downcast_ref::<Trap>() {
            return CallError::Timeout { plugin, function, limit: self.time };
        }
        if limiter.refused {
            return CallError::Memory { plugin, function, limit: limiter.limit };
        }
        let root = error.root_cause().to_string();
        if root.contains("fuel allocated for hostcalls") {
            return CallError::Output { plugin, function, limit: self.answer };
        }
        let mut reason = one_line(root.strip_prefix("wasm trap: ").unwrap_or(&root));
        if let Some(words) = last_words {
            reason = format!("{reason} (it said: {})", one_line(words));
        }
        CallError::Trap { plugin, function, reason }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_counted_over_all_memories_of_an_instance() {
        let mut limiter = Limiter::new(100);
        assert!(limiter.memory_growing(0, 60, None).unwrap());
        assert!(limiter.memory_growing(0, 40, None).unwrap());
        assert!(!limiter.refused);
        assert!(!limiter.memory_growing(40, 41, None).unwrap());
        assert!(limiter.refused);
        assert_eq!(limiter.used(), 100);
    }

    #[test]
    fn the_bound_that_was_hit_is_the_one_that_is_named() {
        let call =
            Call { plugin: "p", function: "parse", time: Duration::from_millis(500), answer: 64 << 20 };
        let fresh = Limiter::new(256 << 20);
        let told = |error: wasmtime::Error, limiter: &Limiter, words| {
            call.failed(&error, limiter, words).to_string()
        };
        assert_eq!(
            told(Trap::Interrupt.into(), &fresh, None),
            "the plugin \"p\" ran longer than 0.5 s in \"parse\"; raise --plugin-timeout or fix the loop"
        );
        assert_eq!(
            told(Trap::UnreachableCodeReached.into(), &fresh, Some("panicked at lib.rs:1:2:\noh")),
            "the plugin \"p\" crashed in \"parse\": wasm `unreachable` instruction executed (it said: panicked \
             at lib.rs:1:2:); mend the plugin"
        );
        let mut full = Limiter::new(256 << 20);
        full.refused = true;
        assert_eq!(
            told(Trap::UnreachableCodeReached.into(), &full, None),
            "the plugin \"p\" asked for more than 256 MiB of memory in \"parse\"; raise --plugin-memory or fix \
             the leak"
        );
    }
}
