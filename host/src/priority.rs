//! How threads stand with the kernel: those that read sockets come first, the others yield to them.
//! Nothing here needs a privilege, and what a system does not offer is left as it is.

/// Gives the calling thread a name that profilers show, and lets it onto a core soon after it is
/// woken: it asks for the shortest slice of time, and a kernel that knows slices (Linux 6.12 and
/// later) lets a short one interrupt a long one. The thread's share of the core stays the same.
pub fn come_first(name: &str) {
    set_name(name);
    /// The least that the kernel accepts.
    const SLICE_NS: u64 = 100_000;
    // SAFETY: a plain system call.
    if unsafe { libc::sched_getscheduler(0) } != libc::SCHED_OTHER {
        // Somebody has given the process a class of its own, and knows why.
        return;
    }
    // SAFETY: a plain system call; it reads the niceness of the calling thread.
    let nice = unsafe { libc::getpriority(libc::PRIO_PROCESS, 0) };
    let attributes = Attributes {
        size: size_of::<Attributes>() as u32,
        policy: libc::SCHED_OTHER as u32,
        flags: 0,
        nice,
        priority: 0,
        runtime_ns: SLICE_NS,
        deadline_ns: 0,
        period_ns: 0,
    };
    // SAFETY: the attributes are valid for the call and say their own size; a kernel that does not
    // know slices takes the rest of them, which changes nothing.
    unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attributes, 0) };
}

/// Gives the calling thread a name that profilers show, and a lower priority than it was started
/// with, so that its work yields to the reading of sockets. It becomes a batch thread, which interrupts
/// nobody when it is woken. Where the process was given a real-time class (`chrt -f 10 tickrate perf …`),
/// the readers keep it and this thread leaves it.
pub fn stand_back(name: &str) {
    set_name(name);
    /// A third of the share of a thread that stands where the process was started.
    const LOWER_BY: libc::c_int = 5;
    lower(LOWER_BY);
}

/// Like [`stand_back`], and as far back as there is: the thread has what the others leave of a core. Once it
/// was let onto one it has it until the kernel's clock ticks, some milliseconds, which with any larger share
/// happens in the middle of a reader's work.
pub fn stand_last(name: &str) {
    set_name(name);
    lower(LOWEST);
}

/// The lowest priority there is.
const LOWEST: libc::c_int = 19;

fn lower(by: libc::c_int) {
    // SAFETY: plain system calls; on Linux they concern the calling thread alone.
    unsafe {
        if libc::sched_getscheduler(0) != libc::SCHED_IDLE {
            let plain = libc::sched_param { sched_priority: 0 };
            libc::sched_setscheduler(0, libc::SCHED_BATCH, &plain);
        }
        let nice = libc::getpriority(libc::PRIO_PROCESS, 0);
        libc::setpriority(libc::PRIO_PROCESS, 0, (nice + by).min(LOWEST));
    }
}

/// The parameters of `sched_setattr`, as the kernel lays them out.
#[repr(C)]
struct Attributes {
    size: u32,
    policy: u32,
    flags: u64,
    nice: i32,
    priority: u32,
    runtime_ns: u64,
    deadline_ns: u64,
    period_ns: u64,
}

fn set_name(name: &str) {
    /// What the kernel keeps of a name, its closing zero included.
    const ROOM: usize = 16;
    let mut text = [0_u8; ROOM];
    for (to, from) in text[..ROOM - 1].iter_mut().zip(name.bytes()) {
        *to = from;
    }
    // SAFETY: the text ends with a zero and outlives the call.
    unsafe { libc::prctl(libc::PR_SET_NAME, text.as_ptr()) };
}

/// The niceness of the calling thread.
#[cfg(test)]
pub(crate) fn nice() -> libc::c_int {
    // SAFETY: a plain system call.
    unsafe { libc::getpriority(libc::PRIO_PROCESS, 0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on_a_thread<T: Send + 'static>(check: impl FnOnce() -> T + Send + 'static) -> T {
        std::thread::spawn(check).join().unwrap()
    }

    #[test]
    fn those_who_stand_back_interrupt_nobody_and_who_comes_first_stays_where_it_was() {
        let before = nice();
        let policy = || {
            // SAFETY: a plain system call.
            unsafe { libc::sched_getscheduler(0) }
        };
        let back = on_a_thread(move || {
            stand_back("a name that is longer than the kernel keeps");
            let name = std::fs::read_to_string("/proc/thread-self/comm").unwrap_or_default();
            (nice(), policy(), name)
        });
        let batch = libc::SCHED_BATCH;
        assert_eq!(back, ((before + 5).min(19), batch, "a name that is \n".to_string()));
        let last = on_a_thread(move || {
            stand_last("last");
            (nice(), policy())
        });
        assert_eq!(last, (19, batch));
        let first = on_a_thread(move || {
            come_first("first");
            (nice(), policy())
        });
        assert_eq!((first, nice()), ((before, policy()), before));
    }
}
