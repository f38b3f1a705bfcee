//! What an instance can reach: its limits, the log, the tokenizer, and a WASI that is empty but for
//! what was granted.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use rand::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};
use wasmtime_wasi::sockets::SocketAddrUse;
use wasmtime_wasi::{FsPerms, WasiCtx, WasiCtxView, WasiView};

use super::error::one_line;
use super::files::{Files, Folder, MOUNT};
use super::grants::Granted;
use super::limits::Limiter;
use super::log_rate::{Line, LogRate};
use super::refusals::Refusals;
use super::{Services, error::CallError};

/// Bytes of the standard error stream that are kept until the call ends.
const MOST_STDERR: usize = 8 << 10;

/// The data of one instance's store.
pub(super) struct Sandbox {
    wasi: WasiCtx,
    table: ResourceTable,
    /// Memory of the instance.
    pub(super) limiter: Limiter,
    /// What the host's functions offer.
    pub(super) services: Services,
    /// The dataset's files; none for an API.
    pub(super) files: Arc<Files>,
    plugin: Arc<str>,
    random: u64,
    log_rate: LogRate,
    last_words: Option<String>,
    stderr: Stderr,
    granted: Arc<Granted>,
    refusals: Refusals,
    /// Whether it has a folder of any kind.
    has_folder: bool,
    /// When the call that is made must be over.
    deadline: Instant,
    _folder: Option<Folder>,
}

/// What a new instance starts with.
#[derive(Clone)]
pub(super) struct Seed {
    /// The plugin's name.
    pub(super) plugin: Arc<str>,
    /// Bytes of memory that it may have.
    pub(super) memory: usize,
    /// The seed of all its random numbers.
    pub(super) seed: u64,
    /// What the host's functions offer.
    pub(super) services: Services,
    /// The dataset's files.
    pub(super) files: Arc<Files>,
    /// Whether it reads files by way of WASI.
    pub(super) wasi_files: bool,
    /// What the user allows beyond what every plugin gets.
    pub(super) granted: Arc<Granted>,
    /// What its instances were refused.
    pub(super) refusals: Refusals,
    /// How much its instances may write to the log.
    pub(super) log_rate: LogRate,
}

impl Sandbox {
    /// A sandbox in which nothing has happened yet.
    pub(super) fn new(seed: &Seed) -> Result<Sandbox, CallError> {
        let stderr = Stderr::default();
        let refusals = seed.refusals.of_another();
        let failed = |reason: String| CallError::Trap {
            plugin: seed.plugin.to_string(),
            function: "open",
            reason: one_line(&reason),
        };
        let mut builder = WasiCtx::builder();
        builder
            .allow_blocking_current_thread(true)
            .allow_tcp(true)
            .allow_udp(true)
            .allow_ip_name_lookup(true)
            .socket_addr_check(check_of(&seed.granted, &refusals))
            .envs(&seed.granted.env)
            .secure_random(Xoshiro256PlusPlus::seed_from_u64(seed.seed))
            .insecure_random(Xoshiro256PlusPlus::seed_from_u64(seed.seed))
            .insecure_random_seed(seed.seed.into())
            .stdout(stderr.clone())
            .stderr(stderr.clone());
        // A plugin that reads by way of `host` needs no folder, so that it is no error to lack one.
        let laid_out = if seed.wasi_files { seed.files.folder() } else { Ok(None) };
        let folder = laid_out.unwrap_or_else(|reason| {
            (seed.services.log)("warn", &format!("plugin \"{}\": {}", seed.plugin, one_line(&reason)));
            None
        });
        if let Some(folder) = &folder {
            let opened = builder.preopened_dir(&folder.path, MOUNT, FsPerms::ReadOnly);
            opened.map_err(|error| failed(format!("{error:#}")))?;
        }
        for (path, write) in &seed.granted.dirs {
            let permissions = if *write { FsPerms::ReadWrite } else { FsPerms::ReadOnly };
            let opened = builder.preopened_dir(path, path.to_string_lossy(), permissions);
            opened.map_err(|error| failed(format!("{}: {error:#}", path.display())))?;
        }
        Ok(Sandbox {
            wasi: builder.build(),
            table: ResourceTable::new(),
            limiter: Limiter::new(seed.memory),
            services: seed.services.clone(),
            files: Arc::clone(&seed.files),
            plugin: Arc::clone(&seed.plugin),
            random: seed.seed,
            log_rate: seed.log_rate.clone(),
            last_words: None,
            stderr,
            has_folder: folder.is_some() || !seed.granted.dirs.is_empty(),
            granted: Arc::clone(&seed.granted),
            refusals,
            deadline: Instant::now(),
            _folder: folder,
        })
    }

    /// The next of the instance's random numbers: SplitMix64 (Steele, Lea and Flood 2014).
    pub(super) fn random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Writes one line to the run's log, unless the plugin writes too many.
    pub(super) fn log(&mut self, level: &str, text: &str) {
        if level == "error" {
            self.last_words = Some(one_line(text));
        }
        let plugin = &self.plugin;
        let log = &self.services.log;
        match self.log_rate.line(Instant::now()) {
            Line::Written { dropped } => {
                if dropped > 0 {
                    log("warn", &format!("plugin \"{plugin}\": {dropped} lines were dropped"));
                }
                log(level, &format!("plugin \"{plugin}\": {}", one_line(text)));
            }
            Line::FirstDropped => {
                let bound = LogRate::bound();
                log("warn", &format!("plugin \"{plugin}\" writes too much: what exceeds {bound} is dropped"));
            }
            Line::Dropped => {}
        }
    }

    /// Begins a call that may take `time`.
    pub(super) fn begin_call(&mut self, time: Duration) {
        self.deadline = Instant::now() + time.min(Duration::from_secs(1 << 30));
    }

    /// How long the call may still wait.
    pub(super) fn time_left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// What its WASI keeps.
    pub(super) fn table(&mut self) -> &mut ResourceTable {
        &mut self.table
    }

    /// The variables that it may see.
    pub(super) fn environment(&self) -> Vec<(String, String)> {
        self.granted.env.clone()
    }

    /// It looked for variables, of which there are none.
    pub(super) fn looked_for_environment(&mut self) {
        if self.granted.env.is_empty() {
            self.refusals.note("env=NAME");
        }
    }

    /// It looked for folders, of which there are none.
    pub(super) fn looked_for_folders(&mut self) {
        if !self.has_folder {
            self.refusals.note("dir=PATH");
        }
    }

    /// Whether it may ask for the addresses of `name`.
    pub(super) fn may_resolve(&mut self, name: &str) -> bool {
        let granted = self.granted.resolves(name);
        if !granted {
            self.refusals.note(format!("net={}", one_line(name)));
        }
        granted
    }

    /// What the call of `function` was refused. A server goes to the log; that there is no environment is nothing
    /// that a plugin need know of, and many ask for it in vain.
    pub(super) fn refused(&mut self, function: &'static str) -> Vec<String> {
        let refused = self.refusals.take(function);
        for what in refused.iter().filter(|what| what.starts_with("net=")) {
            if self.refusals.is_news(what) {
                self.log("warn", &format!("was refused {what}; grant it with --plugin-allow {what}"));
            }
        }
        refused
    }

    /// Ends a call: what the plugin wrote to its standard streams goes to the log.
    /// Returns its last words, if it had any.
    pub(super) fn end_call(&mut self) -> Option<String> {
        let written = self.stderr.take();
        if !written.is_empty() {
            let text = String::from_utf8_lossy(&written).into_owned();
            for line in text.lines().filter(|line| !line.trim().is_empty()) {
                self.log("info", line);
            }
            if self.last_words.is_none() {
                self.last_words = last_words(&text).map(one_line);
            }
        }
        self.last_words.take()
    }
}

/// What decides about each address that an instance uses: servers that are granted, and no server of
/// its own.
fn check_of(
    granted: &Arc<Granted>,
    refusals: &Refusals,
) -> impl Fn(SocketAddr, SocketAddrUse) -> Decision + Send + Sync + 'static {
    let (granted, refusals) = (Arc::clone(granted), refusals.clone());
    move |address, used| {
        let allowed = match used {
            // What the system binds on its own before it connects.
            SocketAddrUse::TcpBind | SocketAddrUse::UdpBind => {
                address.ip().is_unspecified() && address.port() == 0
            }
            SocketAddrUse::TcpListen | SocketAddrUse::TcpAccept => false,
            SocketAddrUse::TcpConnect | SocketAddrUse::UdpSend | SocketAddrUse::UdpReceive => {
                let granted = granted.reaches(address);
                if !granted {
                    refusals.note(format!("net={address}"));
                }
                granted
            }
        };
        Box::pin(async move { allowed })
    }
}

/// Whether an address may be used.
type Decision = Pin<Box<dyn Future<Output = bool> + Send + Sync>>;

/// Why a plugin crashed, in what it wrote: the exception below a traceback of Python, else the line
/// with a panic of Rust or an uncaught error of JavaScript.
fn last_words(text: &str) -> Option<&str> {
    let mut lines = text.lines();
    let mut exception = None;
    while lines.any(|line| line.starts_with("Traceback (most recent call last)")) {
        exception = lines.by_ref().find(|line| !line.starts_with(char::is_whitespace)).or(exception);
    }
    exception.or_else(|| text.lines().find(|line| line.contains("panicked") || line.contains("Error: ")))
}

impl WasiView for Sandbox {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

/// The standard streams: kept up to a bound, then swallowed.
#[derive(Debug, Clone, Default)]
struct Stderr(Arc<Mutex<Vec<u8>>>);

impl Stderr {
    fn keep(&self, bytes: &[u8]) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let room = MOST_STDERR.saturating_sub(kept.len()).min(bytes.len());
        kept.extend_from_slice(&bytes[..room]);
    }

    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl IsTerminal for Stderr {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Stderr {
    fn async_stream(&self) -> Box<dyn tokio::io::AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Stderr {
    async fn ready(&mut self) {}
}

impl OutputStream for Stderr {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.keep(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(MOST_STDERR)
    }
}

impl tokio::io::AsyncWrite for Stderr {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        self.keep(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_words_say_what_went_wrong() {
        let python = "Traceback (most recent call last):\n  File \"a.py\", line 1\n    x\nKeyError: 'x'\n\n\
                      During handling of it:\n\nTraceback (most recent call last):\n  File \"a.py\"\n\
                      ValueError: no\nthread '<unnamed>' panicked at runtime/src/lib.rs\n";
        assert_eq!(last_words(python), Some("ValueError: no"));
        assert_eq!(last_words("hello\nthread panicked at x\n"), Some("thread panicked at x"));
        assert_eq!(last_words("TypeError: no\n    at f"), Some("TypeError: no"));
        assert_eq!(last_words("hello\n"), None);
    }
}
