//! The thread that a run's lines and its progress line are shown by. Nothing else of a run waits for
//! the terminal.

use std::collections::VecDeque;
use std::io::{IsTerminal, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// What is asked of the thread.
pub(super) enum Told {
    /// Print a text.
    Text(String),
    /// Show a progress line, or none.
    Watch(Option<ProgressSource>),
    /// Keep texts back from now on, and say when nothing is shown any more.
    Hold(SyncSender<()>),
    /// Print what was kept back, and say when that is done.
    Release(SyncSender<()>),
    /// Say when everything until here was printed.
    Flush(SyncSender<()>),
}

impl std::fmt::Debug for Told {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Told")
    }
}

/// Says what the progress line should show now. It is asked several times a second.
pub type ProgressSource = Box<dyn FnMut() -> ProgressLine + Send>;

/// What a progress line shows.
#[derive(Debug, Clone, PartialEq)]
pub struct ProgressLine {
    /// What it is the progress of.
    pub title: String,
    /// How much is done, from 0 to 1.
    pub done_ratio: f64,
    /// The figures so far.
    pub figures: String,
}

/// How often the progress line is drawn.
const REDRAW: Duration = Duration::from_millis(200);
/// How many texts are kept back while the screen is somebody else's; the log has all of them.
const HELD: usize = 10_000;
/// The steps of the bar.
const STEPS: u64 = 1000;

/// Prints `text` and a newline.
pub(super) fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    // A reader that has gone away, such as `head`, ends the printing and not the run.
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

#[derive(Default)]
struct Screen {
    progress: Option<(ProgressBar, ProgressSource)>,
    held: Option<VecDeque<String>>,
}

/// Does what is asked until nobody is left who could ask.
pub(super) fn run(told: &Receiver<Told>) {
    let mut screen = Screen::default();
    loop {
        let next = match screen.progress {
            Some(_) => told.recv_timeout(REDRAW),
            None => told.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        match next {
            Ok(told) => screen.take(told),
            Err(RecvTimeoutError::Timeout) => screen.redraw(),
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

impl Screen {
    fn take(&mut self, told: Told) {
        match told {
            Told::Text(text) => match (&mut self.held, &self.progress) {
                (Some(held), _) => {
                    if held.len() == HELD {
                        held.pop_front();
                    }
                    held.push_back(text);
                }
                (None, Some((bar, _))) => bar.suspend(|| print(&text)),
                (None, None) => print(&text),
            },
            Told::Watch(source) => {
                self.clear();
                self.progress =
                    source.filter(|_| std::io::stderr().is_terminal()).map(|source| (bar(), source));
                self.redraw();
            }
            Told::Hold(done) => {
                self.clear_line();
                self.held.get_or_insert_default();
                let _ = done.send(());
            }
            Told::Release(done) => {
                self.held.take().into_iter().flatten().for_each(|text| print(&text));
                self.redraw();
                let _ = done.send(());
            }
            Told::Flush(done) => {
                let _ = done.send(());
            }
        }
    }

    fn redraw(&mut self) {
        if self.held.is_some() {
            return;
        }
        if let Some((bar, source)) = &mut self.progress {
            let ProgressLine { title, done_ratio, figures } = source();
            bar.set_prefix(title);
            bar.set_position((done_ratio.clamp(0.0, 1.0) * STEPS as f64) as u64);
            bar.set_message(figures);
            bar.tick();
        }
    }

    fn clear(&mut self) {
        if let Some((bar, _)) = self.progress.take()
            && self.held.is_none()
        {
            bar.finish_and_clear();
        }
    }

    fn clear_line(&self) {
        if let Some((bar, _)) = &self.progress {
            bar.suspend(|| {});
            // What is left is taken away by whoever has the screen next.
            let _ = write!(std::io::stderr(), "\r\x1b[2K");
        }
    }
}

fn bar() -> ProgressBar {
    let bar = ProgressBar::new(STEPS);
    if let Ok(style) = ProgressStyle::with_template("{prefix} {bar:12} {wide_msg}") {
        bar.set_style(style);
    }
    bar
}
