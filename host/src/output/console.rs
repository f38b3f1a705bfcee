//! Where lines for the user go: standard output and `benchmark.log`.

use std::fs::File;
use std::io::{IsTerminal, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};

use indicatif::{ProgressBar, ProgressStyle};

use super::OutputError;

/// The user's console. Whatever is printed goes into the log as well, without control codes.
/// Cloned freely; clones print to the same places.
#[derive(Debug, Clone, Default)]
pub struct Console {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug, Default)]
struct Inner {
    log: Option<File>,
    progress: Option<ProgressBar>,
}

impl Console {
    /// Begins to keep what is printed in the file at `path`.
    pub fn log_to(&self, path: &Path) -> Result<(), OutputError> {
        let file = File::create(path).map_err(|error| {
            OutputError(format!(
                "cannot write \"{}\": {error}; choose another folder with --outputs-dir",
                path.display()
            ))
        })?;
        self.lock().log = Some(file);
        Ok(())
    }

    /// Prints `text`, which may have several lines, and ends it with a newline.
    pub fn print(&self, text: &str) {
        let mut inner = self.lock();
        let show = || {
            let mut out = std::io::stdout().lock();
            // A reader that has gone away, such as `head`, ends the printing and not the run.
            let _ = writeln!(out, "{text}").and_then(|()| out.flush());
        };
        match &inner.progress {
            Some(bar) => bar.suspend(show),
            None => show(),
        }
        if let Some(log) = &mut inner.log {
            let _ = writeln!(log, "{text}");
        }
    }

    /// Keeps `text` in the log only.
    pub fn note(&self, text: &str) {
        if let Some(log) = &mut self.lock().log {
            let _ = writeln!(log, "{text}");
        }
    }

    /// Shows a bar for `total` requests under `title`, if somebody is looking.
    pub fn start_progress(&self, title: &str, total: u64) {
        if !std::io::stderr().is_terminal() {
            return;
        }
        let bar = ProgressBar::new(total);
        let template = "{prefix} [{elapsed_precise}] {bar:30} {pos}/{len} {msg} ETA {eta}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_prefix(title.to_string());
        self.lock().progress = Some(bar);
    }

    /// Shows a bar for the bytes of a file that is downloaded, if somebody is looking.
    pub fn start_download(&self, file: &str, bytes: Option<u64>, have: u64) {
        self.end_progress();
        if !std::io::stderr().is_terminal() {
            return;
        }
        let bar = bytes.map_or_else(ProgressBar::no_length, ProgressBar::new);
        let template = "{prefix} {bar:30} {bytes}/{total_bytes} {bytes_per_sec} ETA {eta}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_prefix(file.to_string());
        bar.set_position(have);
        bar.reset_eta();
        self.lock().progress = Some(bar);
    }

    /// Moves the bar on by so many bytes.
    pub fn advance_download(&self, bytes: u64) {
        if let Some(bar) = &self.lock().progress {
            bar.inc(bytes);
        }
    }

    /// Moves the bar on by one request and shows `message` beside it.
    pub fn advance_progress(&self, message: String) {
        if let Some(bar) = &self.lock().progress {
            bar.set_message(message);
            bar.inc(1);
        }
    }

    /// Takes the bar away, if there is one.
    pub fn end_progress(&self) {
        if let Some(bar) = self.lock().progress.take() {
            bar.finish_and_clear();
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
