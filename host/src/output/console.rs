//! Where lines for the user go: standard output and `benchmark.log`.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Instant;

use super::OutputError;
use super::screen::{self, ProgressLine, ProgressSource, Told};
use crate::units::decimal;

/// The user's console. Whatever is printed goes into the log as well, without control codes.
/// Cloned freely; clones print to the same places.
#[derive(Debug, Clone, Default)]
pub struct Console {
    log: Arc<Mutex<Log>>,
    screen: Arc<OnceLock<SyncSender<Told>>>,
    /// Bytes of the file that is downloaded.
    downloaded: Arc<AtomicU64>,
}

/// Where the log is.
#[derive(Debug)]
enum Log {
    /// Nowhere yet: the run has no folder, and what was said is kept for it.
    Early(String),
    /// In this file.
    File(File),
}

impl Default for Log {
    fn default() -> Log {
        Log::Early(String::new())
    }
}

/// Bytes that are kept for a log that is not there yet.
const MOST_EARLY: usize = 1 << 20;

/// How many texts may wait for a terminal that is slow, before those who print are held up.
const QUEUE: usize = 1 << 16;

impl Console {
    /// Prints from now on with a thread of its own, so that a terminal that is slow, or stopped,
    /// holds up nobody. [`Console::flush`] must come before the process ends.
    pub fn stand_aside(&self) -> std::io::Result<()> {
        let (sender, receiver) = sync_channel(QUEUE);
        std::thread::Builder::new().name("screen".into()).spawn(move || screen::run(&receiver))?;
        // It is set once: a run has one console.
        let _ = self.screen.set(sender);
        Ok(())
    }

    /// Begins to keep what is printed in the file at `path`, with what was printed before.
    pub fn log_to(&self, path: &Path) -> Result<(), OutputError> {
        let refuse = |error| {
            OutputError(format!(
                "cannot write \"{}\": {error}; choose another folder with --outputs-dir",
                path.display()
            ))
        };
        let mut file = File::create(path).map_err(refuse)?;
        let mut log = self.lock();
        if let Log::Early(said) = &*log {
            file.write_all(said.as_bytes()).map_err(refuse)?;
        }
        *log = Log::File(file);
        Ok(())
    }

    /// Prints `text`, which may have several lines, and ends it with a newline.
    pub fn print(&self, text: &str) {
        match self.screen.get() {
            Some(screen) => {
                let _ = screen.send(Told::Text(text.to_string()));
            }
            None => screen::print(text),
        }
        self.note(text);
    }

    /// Keeps `text` in the log only.
    pub fn note(&self, text: &str) {
        match &mut *self.lock() {
            Log::Early(said) if said.len() + text.len() < MOST_EARLY => {
                said.push_str(text);
                said.push('\n');
            }
            Log::Early(_) => {}
            Log::File(file) => {
                let _ = writeln!(file, "{text}");
            }
        }
    }

    /// Shows a progress line below what is printed and asks `source` for it again and again, if
    /// somebody is looking; until [`Console::end_progress`].
    pub fn start_progress(&self, source: ProgressSource) {
        self.tell(Told::Watch(Some(source)));
    }

    /// Shows a bar for the bytes of a file that is downloaded, if somebody is looking.
    pub fn start_download(&self, file: &str, bytes: Option<u64>, have: u64) {
        self.downloaded.store(have, Ordering::Relaxed);
        let (title, done, begun) = (file.to_string(), self.downloaded.clone(), Instant::now());
        self.start_progress(Box::new(move || {
            let done = done.load(Ordering::Relaxed);
            let mb = |bytes: u64| decimal(bytes as f64 / 1e6, 1);
            let of = bytes.map(|all| format!("/{}", mb(all))).unwrap_or_default();
            let mbps = done.saturating_sub(have) as f64 / 1e6 / begun.elapsed().as_secs_f64().max(0.001);
            ProgressLine {
                title: title.clone(),
                done_ratio: bytes.map_or(0.0, |all| done as f64 / all.max(1) as f64),
                figures: format!("{}{of} MB  {} MB/s", mb(done), decimal(mbps, 1)),
            }
        }));
    }

    /// Moves the bar on by so many bytes.
    pub fn advance_download(&self, bytes: u64) {
        self.downloaded.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Takes the progress line away, if there is one.
    pub fn end_progress(&self) {
        self.tell(Told::Watch(None));
    }

    /// Keeps what is printed back until [`Console::release`], for as long as the screen is somebody
    /// else's. It returns when the screen is free.
    pub fn hold(&self) {
        self.tell_and_wait(Told::Hold);
    }

    /// Prints what was kept back, and goes on.
    pub fn release(&self) {
        self.tell_and_wait(Told::Release);
    }

    /// Waits until everything that was printed can be seen.
    pub fn flush(&self) {
        self.tell_and_wait(Told::Flush);
    }

    fn tell(&self, told: Told) {
        if let Some(screen) = self.screen.get() {
            let _ = screen.send(told);
        }
    }

    fn tell_and_wait(&self, told: impl FnOnce(SyncSender<()>) -> Told) {
        let (done, is_done) = sync_channel(1);
        self.tell(told(done));
        // Without a thread there is nothing to wait for: the other end is gone at once.
        let _ = is_done.recv();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
