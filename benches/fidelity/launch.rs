//! Where processes run, and what they used: cores, priorities, CPU time and memory.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use tickrate::clock::monotonic_ns;

use crate::BenchError;

/// The cores that this process may run on, divided between the server and the clients.
#[derive(Debug, Clone)]
pub struct Cores {
    /// The server's own core, where there is more than one.
    pub server: Option<usize>,
    /// The cores that are left to the client.
    pub client: Vec<usize>,
}

impl Cores {
    /// Gives the last core to the server and the others to the client.
    pub fn divide() -> Cores {
        // SAFETY: an all-zero set is a valid one, and the call fills it.
        let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
        // SAFETY: the set is as large as the size that is given.
        unsafe { libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &mut set) };
        // SAFETY: the index is below the size of the set.
        let mut cores: Vec<usize> =
            (0..libc::CPU_SETSIZE as usize).filter(|&core| unsafe { libc::CPU_ISSET(core, &set) }).collect();
        let server = if cores.len() > 1 { cores.pop() } else { None };
        Cores { server, client: cores }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.client.len() + usize::from(self.server.is_some())
    }
}

/// How a process stands among others that want its cores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// As any other.
    Plain,
    /// Before them, as far as a process can be that is not of a real-time class.
    Favoured,
    /// Of a real-time class: it stands for a machine on which nothing else runs. tickrate's threads
    /// that read keep the class, and its others leave it.
    Shielded,
}

/// The niceness of a favoured process.
const NICE: i32 = -19;
/// The slice that it asks for, the shortest there is: who asks for short ones is let in sooner.
const SLICE_NS: u64 = 100_000;

/// The priority of a shielded process among real-time ones: below the server's.
const PRIORITY: i32 = 10;

/// The parameters of `sched_setattr`.
#[repr(C)]
struct SchedulingAttributes {
    size: u32,
    policy: u32,
    flags: u64,
    nice: i32,
    priority: u32,
    runtime_ns: u64,
    deadline_ns: u64,
    period_ns: u64,
}

/// Lets a command's process run on `cores` alone, with the given standing.
pub fn place(command: &mut Command, cores: &[usize], standing: Standing) {
    // SAFETY: an all-zero set is a valid one.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    for &core in cores {
        // SAFETY: the index came out of such a set.
        unsafe { libc::CPU_SET(core, &mut set) };
    }
    let pinned = !cores.is_empty();
    let set_up = move || {
        // What the system refuses is left as it is: the figures say how good the placement was.
        if pinned {
            // SAFETY: the set is as large as the size that is given.
            unsafe { libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &set) };
        }
        if standing == Standing::Shielded {
            let parameters = libc::sched_param { sched_priority: PRIORITY };
            // SAFETY: the parameters are valid for the call.
            unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &parameters) };
        }
        if standing == Standing::Favoured {
            let attributes = SchedulingAttributes {
                size: size_of::<SchedulingAttributes>() as u32,
                policy: libc::SCHED_OTHER as u32,
                flags: 0,
                nice: NICE,
                priority: 0,
                runtime_ns: SLICE_NS,
                deadline_ns: 0,
                period_ns: 0,
            };
            // SAFETY: the attributes are valid for the call and say their own size.
            unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attributes, 0) };
            lead_session();
        }
        Ok(())
    };
    // SAFETY: the closure makes system calls only, which is allowed between fork and exec.
    unsafe { command.pre_exec(set_up) };
}

/// Where the kernel weighs whole sessions against each other and not processes, a session of its own
/// with the same niceness. It makes system calls only.
fn lead_session() {
    // SAFETY: plain system calls; the texts outlive them, and the path ends with a zero.
    unsafe {
        libc::setsid();
        let file = libc::open(c"/proc/self/autogroup".as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC);
        if file >= 0 {
            libc::write(file, c"-19".as_ptr().cast(), 3);
            libc::close(file);
        }
    }
}

/// What a process used from its start to its end.
#[derive(Debug, Clone, Copy)]
pub struct Usage {
    /// User and system time, in seconds.
    pub cpu_s: f64,
    /// The most memory it had at a time, in MiB.
    pub rss_mib: f64,
    /// When it was started, in nanoseconds of the monotonic clock.
    pub started_ns: i64,
}

/// The first argument of the process that measures another: it is small, and the only child that it
/// waits for is the one to be measured, so the figures of the kernel are that child's alone.
pub const MEASURE: &str = "--measure";

/// Runs a program on the client's cores and says what it used. `folder` takes a scratch file.
pub fn measured(
    program: &Path,
    arguments: &[OsString],
    cores: &Cores,
    standing: Standing,
    folder: &Path,
) -> Result<Usage, BenchError> {
    let out = folder.join("usage.txt");
    let this = std::env::current_exe().map_err(BenchError::system("find this program"))?;
    let mut command = Command::new(this);
    command.arg(MEASURE).arg(&out).arg(program).args(arguments).stdin(Stdio::null());
    place(&mut command, &cores.client, standing);
    let output = command.output().map_err(BenchError::system("start a client"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(BenchError::Client(said.trim().to_string()));
    }
    let text = std::fs::read_to_string(&out).map_err(BenchError::system("read what a client used"))?;
    let mut figures = text.split_whitespace().filter_map(|figure| figure.parse::<f64>().ok());
    match (figures.next(), figures.next(), figures.next()) {
        (Some(cpu_s), Some(rss_mib), Some(started_ns)) => {
            Ok(Usage { cpu_s, rss_mib, started_ns: started_ns as i64 })
        }
        _ => Err(BenchError::Client("it left no word of what it used".into())),
    }
}

/// The measuring process: `--measure FILE PROGRAM ARGUMENTS…`.
pub fn measure(mut arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let (Some(out), Some(program)) = (arguments.next(), arguments.next()) else {
        return ExitCode::from(2);
    };
    let started_ns = monotonic_ns();
    let status = Command::new(&program).args(arguments).stdout(Stdio::null()).status();
    // SAFETY: an all-zero rusage is a valid one, and the call fills it.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is valid for the call.
    unsafe { libc::getrusage(libc::RUSAGE_CHILDREN, &mut usage) };
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    let cpu_s = seconds(usage.ru_utime) + seconds(usage.ru_stime);
    let text = format!("{cpu_s} {} {started_ns}\n", usage.ru_maxrss as f64 / 1024.0);
    match (status, std::fs::write(out, text)) {
        (Ok(status), Ok(())) if status.success() => ExitCode::SUCCESS,
        (Ok(status), _) => {
            eprintln!("it ended with {status}");
            ExitCode::FAILURE
        }
        (Err(error), _) => {
            eprintln!("it could not be started: {error}");
            ExitCode::FAILURE
        }
    }
}
