//! What the allocator does with memory that is given back while a long journal becomes a file.

/// While it lives, memory that was freed stays with the process for the next allocation. The buffers of a row
/// group are as large as those of the one before, and to fetch every page of them anew from the system is a
/// fifth of the work. Dropping it gives back what nobody uses. With an allocator other than glibc's it does
/// nothing.
#[derive(Debug)]
pub(super) struct KeepFreed(());

impl KeepFreed {
    pub(super) fn new() -> KeepFreed {
        #[cfg(target_env = "gnu")]
        // SAFETY: plain calls that set two numbers of the allocator.
        unsafe {
            libc::mallopt(libc::M_MMAP_THRESHOLD, 32 << 20);
            libc::mallopt(libc::M_TRIM_THRESHOLD, 64 << 20);
        }
        KeepFreed(())
    }
}

impl Drop for KeepFreed {
    fn drop(&mut self) {
        #[cfg(target_env = "gnu")]
        // SAFETY: as above; the last one returns pages that hold nothing.
        unsafe {
            // What glibc itself comes to once a block of 1 MB was freed.
            libc::mallopt(libc::M_MMAP_THRESHOLD, 1 << 20);
            libc::mallopt(libc::M_TRIM_THRESHOLD, 2 << 20);
            libc::malloc_trim(0);
        }
    }
}
