//! The allocator of the process.

use std::alloc::{GlobalAlloc, Layout};

use tikv_jemallocator::Jemalloc;

/// jemalloc, but for large zeroed memory.
///
/// What is allocated for a request is freed on another thread, which costs the system's allocator more:
/// with tiny replies a core sends a tenth more requests with jemalloc.
///
/// Where jemalloc is asked for large zeroed memory, it gives the pages back to the kernel and takes new
/// ones. That interrupts every core that runs a thread of the process, reading threads too, and costs a
/// page fault for every page; to fill memory that is there with zeros is a fifth of the work.
#[derive(Debug, Clone, Copy)]
pub struct Allocator;

/// jemalloc's settings, for the static by which it finds them. The threads of a run take turns on few cores
/// and hand on what they allocate, so that one arena serves them all, and in less memory than several.
pub const SETTINGS: &[u8] = b"narenas:1,dirty_decay_ms:500,muzzy_decay_ms:0\0";

/// The sizes that are filled. Smaller ones are of jemalloc's small classes, where it does the same itself;
/// more may be meant to stay untouched.
const FILLED: std::ops::RangeInclusive<usize> = (14 << 10) + 1..=(8 << 20);

// SAFETY: all calls go to jemalloc, which keeps the contract; memory that is filled was allocated for the
// whole layout.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises are passed on.
        unsafe { Jemalloc.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if !FILLED.contains(&layout.size()) {
            // SAFETY: the caller's promises are passed on.
            return unsafe { Jemalloc.alloc_zeroed(layout) };
        }
        // SAFETY: the caller's promises are passed on.
        let memory = unsafe { Jemalloc.alloc(layout) };
        if !memory.is_null() {
            // SAFETY: it was just allocated with this size.
            unsafe { memory.write_bytes(0, layout.size()) };
        }
        memory
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are passed on.
        unsafe { Jemalloc.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller's promises are passed on.
        unsafe { Jemalloc.realloc(memory, layout, size) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeroed_memory_is_zeroed_where_it_was_used_before() {
        let sizes = [8, 14 << 10, (14 << 10) + 1, 1 << 20, 8 << 20, (8 << 20) + 1];
        for (size, align) in sizes.into_iter().flat_map(|size| [(size, 8), (size, 128)]) {
            let layout = Layout::from_size_align(size, align).unwrap();
            // So that the second round gets what the first has used.
            for _ in 0..2 {
                // SAFETY: the size is not zero; what is read and written was just allocated, and with
                // zeros; it is freed with its own layout.
                unsafe {
                    let memory = Allocator.alloc_zeroed(layout);
                    assert!(!memory.is_null() && memory.addr().is_multiple_of(align));
                    let bytes = std::slice::from_raw_parts_mut(memory, size);
                    assert!(bytes.iter().all(|&byte| byte == 0), "{size} bytes");
                    bytes.fill(0xa5);
                    Allocator.dealloc(memory, layout);
                }
            }
        }
    }
}
