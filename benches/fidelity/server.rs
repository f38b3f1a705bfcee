//! The server under load: `tickrate sim` in a process of its own, alone on a core.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::BenchError;
use crate::launch::{self, Cores, Standing};

/// What the server is to do.
#[derive(Debug, Clone)]
pub struct ServerSpec {
    /// Flags of `tickrate sim`.
    pub flags: Vec<String>,
    /// Whether it goes before everything else on its core. Not for a server that never sleeps:
    /// the kernel takes such a thread off its core for a while every second.
    pub realtime: bool,
}

impl ServerSpec {
    /// A first token after 50 ms and then one frame every `itl_ms`.
    pub fn paced(itl_ms: u32, tokens_per_frame: u32) -> ServerSpec {
        let flags = format!("--ttft 50 --itl {itl_ms} --tokens-per-frame {tokens_per_frame}");
        ServerSpec { flags: flags.split(' ').map(String::from).collect(), realtime: true }
    }

    /// As fast as it can.
    pub fn unpaced() -> ServerSpec {
        ServerSpec { flags: vec!["--max-speed".into()], realtime: false }
    }
}

/// A server that runs. Dropping it ends it.
pub struct Server {
    child: Child,
    truth: PathBuf,
    /// Without a path: `http://127.0.0.1:8801`.
    pub url: String,
    /// Whether it was given real-time priority.
    pub realtime: bool,
}

/// The server's priority among real-time threads.
const PRIORITY: i32 = 50;

impl Server {
    /// Starts one that writes its truth into `folder`.
    pub fn start(spec: &ServerSpec, cores: &Cores, folder: &Path) -> Result<Server, BenchError> {
        let truth = folder.join("truth.jsonl");
        let mut command = Command::new(env!("CARGO_BIN_EXE_tickrate"));
        command.args(["sim", "--port", "0", "--truth"]).arg(&truth).args(&spec.flags);
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        launch::place(&mut command, cores.server.as_slice(), Standing::Favoured);
        let mut child = command.spawn().map_err(BenchError::system("start the server"))?;
        let mut line = String::new();
        if let Some(stdout) = child.stdout.take() {
            BufReader::new(stdout)
                .read_line(&mut line)
                .map_err(BenchError::system("read from the server"))?;
        }
        let url = line.trim().rsplit(' ').next().filter(|word| word.starts_with("http://"));
        let url = url.ok_or(BenchError::Server)?.to_string();
        let realtime = spec.realtime && cores.server.is_some() && go_first(child.id());
        Ok(Server { child, truth, url, realtime })
    }

    /// Ends it and returns the file with its ground truth.
    pub fn stop(mut self) -> Result<PathBuf, BenchError> {
        // SAFETY: a plain system call on a child that has not been waited for.
        unsafe { libc::kill(self.child.id() as libc::pid_t, libc::SIGTERM) };
        let patience = Instant::now() + Duration::from_secs(20);
        while self.child.try_wait().map_err(BenchError::system("wait for the server"))?.is_none() {
            if Instant::now() > patience {
                return Err(BenchError::Server);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(std::mem::take(&mut self.truth))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It has ended already unless something went wrong.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Gives the serving threads real-time priority, and only them: the thread that writes the truth
/// is to wait for them. Returns whether the system allowed it.
fn go_first(process: u32) -> bool {
    let Ok(threads) = std::fs::read_dir(format!("/proc/{process}/task")) else { return false };
    let mut done = 0;
    for thread in threads.flatten() {
        let name = std::fs::read_to_string(thread.path().join("comm")).unwrap_or_default();
        let number = name.trim().strip_prefix("sim-").is_some_and(|rest| rest.parse::<u32>().is_ok());
        let Some(id) = thread.file_name().to_str().and_then(|id| id.parse::<i32>().ok()) else { continue };
        if number {
            let parameters = libc::sched_param { sched_priority: PRIORITY };
            // SAFETY: the parameters are valid for the call.
            if unsafe { libc::sched_setscheduler(id, libc::SCHED_FIFO, &parameters) } != 0 {
                return false;
            }
            done += 1;
        }
    }
    done > 0
}
