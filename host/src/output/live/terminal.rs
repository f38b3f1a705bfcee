//! `--live`: the whole screen of a terminal for the run, drawn by a thread of its own.

use std::io::{IsTerminal, Stderr, stderr, stdin};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::cursor::Show;
use ratatui::crossterm::event::{self, Event as Input, KeyCode, KeyEventKind, KeyModifiers};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};

use super::super::console::Console;
use super::super::{Output, OutputError};
use super::{Board, Picture, view};
use crate::panics::is_contained;
use crate::record::Event;

/// How often the screen is drawn, and how long a key may wait.
const REDRAW: Duration = Duration::from_millis(250);

/// Shows the run on the whole screen, from its start until its end or until somebody presses `q`.
/// What is printed meanwhile is kept back, and printed then.
#[derive(Debug)]
pub struct Live {
    console: Console,
    board: Arc<Board>,
    running: Option<(SyncSender<()>, JoinHandle<()>)>,
}

impl Live {
    /// A view of what stands on `board`. Fails, in one line, where there is no terminal to show it on.
    pub fn new(console: Console, board: Arc<Board>) -> Result<Live, OutputError> {
        if !stderr().is_terminal() || !stdin().is_terminal() {
            let told = "needs a terminal: standard input and standard error are not both one; leave it out, \
                        or use --dashboard or --progress-file";
            return Err(OutputError(told.to_string()));
        }
        Ok(Live { console, board, running: None })
    }
}

impl Output for Live {
    fn name(&self) -> &'static str {
        "live view"
    }

    fn on_event(&mut self, event: &Event) -> Result<(), OutputError> {
        match event {
            Event::RunStarted(_) => {
                let (stop, stopped) = sync_channel(0);
                let (console, board) = (self.console.clone(), self.board.clone());
                let thread = std::thread::Builder::new().name("live".into()).spawn(move || {
                    if let Err(error) = show(&console, &board, &stopped) {
                        console.print(&format!("warning: --live ended: {error}"));
                    }
                });
                let thread = thread.map_err(|error| OutputError(format!("no thread for --live: {error}")))?;
                self.running = Some((stop, thread));
            }
            Event::RunFinished => {
                if let Some((stop, thread)) = self.running.take() {
                    drop(stop);
                    let _ = thread.join();
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// The screen while it is ours. However it is given up, the terminal is as it was before.
struct Screen<'a> {
    console: &'a Console,
    terminal: Terminal<CrosstermBackend<Stderr>>,
}

impl<'a> Screen<'a> {
    fn take(console: &'a Console) -> std::io::Result<Screen<'a>> {
        console.hold();
        // Whichever thread panics, its words must not be lost on a screen that goes away.
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !is_contained() {
                restore();
            }
            before(panic);
        }));
        let begin = || {
            enable_raw_mode()?;
            execute!(stderr(), EnterAlternateScreen)?;
            Terminal::new(CrosstermBackend::new(stderr()))
        };
        match begin() {
            Ok(terminal) => Ok(Screen { console, terminal }),
            Err(error) => {
                restore();
                console.release();
                Err(error)
            }
        }
    }
}

impl Drop for Screen<'_> {
    fn drop(&mut self) {
        restore();
        self.console.release();
    }
}

fn restore() {
    // There is nobody to tell if the terminal is gone.
    let _ = execute!(stderr(), LeaveAlternateScreen, Show);
    let _ = disable_raw_mode();
}

fn show(console: &Console, board: &Board, stopped: &Receiver<()>) -> std::io::Result<()> {
    let mut screen = Screen::take(console)?;
    loop {
        let picture = Picture::of(board);
        screen.terminal.draw(|frame| view::draw(frame, &picture))?;
        if event::poll(REDRAW)?
            && let Input::Key(key) = event::read()?
            && key.kind == KeyEventKind::Press
        {
            match key.code {
                KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => {
                    // A raw terminal makes no signal of it. It is what it would be without the view.
                    // SAFETY: a plain system call.
                    unsafe { libc::kill(libc::getpid(), libc::SIGINT) };
                }
                KeyCode::Char('q') | KeyCode::Esc => return Ok(()),
                _ => {}
            }
        }
        if stopped.try_recv() == Err(TryRecvError::Disconnected) {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Read;
    use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    #[ignore = "run by another test"]
    fn panics_in_the_view() {
        let console = Console::default();
        let screen = Screen::take(&console).unwrap();
        assert!(std::thread::spawn(|| panic!("of another thread")).join().is_err());
        // What is never dropped gives nothing back: it is the panic that has to.
        std::mem::forget(screen);
    }

    #[test]
    fn a_panic_gives_the_terminal_back_and_can_be_read_on_it() {
        let (mut ours, mut theirs) = (-1, -1);
        let none = std::ptr::null_mut();
        // SAFETY: it writes the two descriptors, which then are nobody else's.
        let (ours, theirs) = unsafe {
            assert_eq!(libc::openpty(&mut ours, &mut theirs, none, none.cast(), none.cast()), 0);
            (OwnedFd::from_raw_fd(ours), OwnedFd::from_raw_fd(theirs))
        };
        let end = || Stdio::from(theirs.try_clone().unwrap());
        let status = Command::new(std::env::current_exe().unwrap())
            .args([
                "--ignored",
                "--exact",
                "--nocapture",
                "output::live::terminal::tests::panics_in_the_view",
            ])
            .stdin(end())
            .stdout(end())
            .stderr(end())
            .status()
            .unwrap();
        assert!(status.success(), "{status}");
        // SAFETY: it is written by the call, which is checked.
        let mut mode: libc::termios = unsafe { std::mem::zeroed() };
        // SAFETY: the descriptor is open, and `mode` is its own.
        assert_eq!(unsafe { libc::tcgetattr(theirs.as_raw_fd(), &mut mode) }, 0);
        assert_ne!(mode.c_lflag & libc::ECHO, 0, "what is typed is shown again");
        drop(theirs);
        let mut said = Vec::new();
        // With nobody at the other end, reading fails once everything is read.
        let _ = File::from(ours).read_to_end(&mut said);
        let said = String::from_utf8_lossy(&said);
        let at = |text: &str| said.find(text).unwrap_or_else(|| panic!("no {text:?} in {said:?}"));
        let (begun, ended, told) = (at("\u{1b}[?1049h"), at("\u{1b}[?1049l"), at("of another thread"));
        assert!(begun < ended && ended < told, "{said:?}");
    }
}
