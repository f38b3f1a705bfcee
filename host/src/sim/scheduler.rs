//! Who may generate: a fixed number of slots, a queue in order of arrival, and the prefix cache.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::SimSpec;
use super::prompt::{BLOCK_TOKENS, PromptTokens};

/// The slots and the cache, shared by all serving threads.
pub(super) struct Scheduler {
    slots: Option<Arc<Semaphore>>,
    running: Arc<AtomicU64>,
    waiting: AtomicU64,
    slowdown: f64,
    cache: Option<Mutex<PrefixCache>>,
}

impl Scheduler {
    /// The slots and the cache that `spec` asks for.
    pub fn new(spec: &SimSpec) -> Scheduler {
        Scheduler {
            slots: (spec.slots > 0).then(|| Arc::new(Semaphore::new(spec.slots))),
            running: Arc::default(),
            waiting: AtomicU64::new(0),
            slowdown: spec.batch_slowdown,
            cache: spec.prefix_cache_blocks.map(|blocks| Mutex::new(PrefixCache::new(blocks))),
        }
    }

    /// Waits for a slot, first come, first served. Dropping the wait leaves the queue.
    pub async fn slot(&self) -> Slot {
        let permit = match &self.slots {
            // The semaphore is never closed, so a permit always comes.
            Some(slots) => {
                let _waiting = Waiting::new(&self.waiting);
                Arc::clone(slots).acquire_owned().await.ok()
            }
            None => None,
        };
        self.running.fetch_add(1, Ordering::Relaxed);
        Slot { running: Arc::clone(&self.running), _permit: permit }
    }

    /// Requests that have a slot, and requests that wait for one.
    pub fn load(&self) -> (u64, u64) {
        (self.running.load(Ordering::Relaxed), self.waiting.load(Ordering::Relaxed))
    }

    /// How many times longer a decoding step takes for what is running now; 1 if alone.
    pub fn slowdown(&self) -> f64 {
        if self.slowdown == 0.0 {
            return 1.0;
        }
        let beside = self.running.load(Ordering::Relaxed).saturating_sub(1);
        1.0 + self.slowdown * beside as f64
    }

    /// Whether there is a prefix cache.
    pub fn has_cache(&self) -> bool {
        self.cache.is_some()
    }

    /// How many tokens of the prompt are cached; the prompt is cached from now on. `None` is
    /// no cache.
    pub fn cached_tokens(&self, prompt: &PromptTokens) -> Option<u64> {
        let cache = self.cache.as_ref()?;
        let found = cache.lock().unwrap_or_else(PoisonError::into_inner).look_up(prompt.blocks());
        // The last token is always computed, as it is by real servers: its logits are needed.
        Some(found.min(prompt.count().saturating_sub(1) / BLOCK_TOKENS) * BLOCK_TOKENS)
    }
}

/// A place in the queue, until it is dropped.
struct Waiting<'a>(&'a AtomicU64);

impl Waiting<'_> {
    fn new(count: &AtomicU64) -> Waiting<'_> {
        count.fetch_add(1, Ordering::Relaxed);
        Waiting(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The right to generate, until it is dropped.
pub(super) struct Slot {
    running: Arc<AtomicU64>,
    _permit: Option<OwnedSemaphorePermit>,
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.running.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Blocks of prompts seen before; the least recently used ones go first. A block is known by a
/// hash of itself and of everything before it.
struct PrefixCache {
    capacity: usize,
    last_use: HashMap<u64, u64>,
    by_use: BTreeMap<u64, u64>,
    tick: u64,
}

impl PrefixCache {
    fn new(capacity: usize) -> PrefixCache {
        PrefixCache { capacity, last_use: HashMap::new(), by_use: BTreeMap::new(), tick: 0 }
    }

    /// How many leading blocks are cached. All blocks are cached afterwards, as far as they fit.
    fn look_up(&mut self, blocks: &[u64]) -> u64 {
        let found = blocks.iter().take_while(|block| self.last_use.contains_key(block)).count();
        let kept = &blocks[..blocks.len().min(self.capacity)];
        // From the last to the first, so that the end of a prompt is forgotten before its start.
        for &block in kept.iter().rev() {
            self.tick += 1;
            if let Some(old) = self.last_use.insert(block, self.tick) {
                self.by_use.remove(&old);
            }
            self.by_use.insert(self.tick, block);
        }
        while self.last_use.len() > self.capacity {
            match self.by_use.pop_first() {
                Some((_, block)) => self.last_use.remove(&block),
                None => break,
            };
        }
        found as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_known_prefix_is_found() {
        let mut cache = PrefixCache::new(8);
        assert_eq!(cache.look_up(&[1, 2, 3]), 0);
        assert_eq!(cache.look_up(&[1, 2, 9]), 2);
        assert_eq!(cache.look_up(&[7, 2, 3]), 0);
    }

    #[test]
    fn the_least_recently_used_block_goes_first_and_ends_before_starts() {
        let mut cache = PrefixCache::new(4);
        cache.look_up(&[1, 2]);
        cache.look_up(&[3, 4]);
        cache.look_up(&[1]);
        cache.look_up(&[5]);
        // 2 was the oldest: 1 stayed because it had been used again.
        assert_eq!(cache.look_up(&[1, 2]), 1);
        assert!(cache.last_use.len() <= 4 && cache.by_use.len() == cache.last_use.len());
    }

    #[test]
    fn a_prompt_larger_than_the_cache_keeps_its_start() {
        let mut cache = PrefixCache::new(2);
        cache.look_up(&[1, 2, 3, 4]);
        assert_eq!(cache.look_up(&[1, 2, 3, 4]), 2);
    }

    #[tokio::test]
    async fn a_slot_slows_the_others_down_and_is_given_back() {
        let spec = SimSpec { slots: 2, batch_slowdown: 0.5, ..SimSpec::default() };
        let scheduler = Scheduler::new(&spec);
        let first = scheduler.slot().await;
        assert_eq!(scheduler.slowdown(), 1.0);
        let second = scheduler.slot().await;
        assert_eq!(scheduler.slowdown(), 1.5);
        assert!(tokio::time::timeout(std::time::Duration::from_millis(5), scheduler.slot()).await.is_err());
        drop(first);
        let third = scheduler.slot().await;
        drop((second, third));
    }
}
