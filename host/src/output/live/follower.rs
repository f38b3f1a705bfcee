//! The output that keeps the board up to date.

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::super::{Output, OutputError};
use super::Board;
use crate::clock::cpu_time;
use crate::record::Event;

/// How often the client itself is looked at.
const SAMPLE_EVERY: Duration = Duration::from_secs(1);

/// Tells every event to a board, and samples the client once a second on a thread of its own.
#[derive(Debug)]
pub struct Follower {
    board: Arc<Board>,
    sampler: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Follower {
    /// An output that keeps `board` up to date.
    pub fn new(board: Arc<Board>) -> Follower {
        Follower { board, sampler: None }
    }
}

impl Output for Follower {
    fn name(&self) -> &'static str {
        "board"
    }

    fn on_event(&mut self, event: &Event) -> Result<(), OutputError> {
        self.board.tell(event);
        match event {
            Event::RunStarted(_) => {
                let (stop, stopped) = channel();
                let board = self.board.clone();
                let thread = std::thread::Builder::new().name("sampler".into()).spawn(move || {
                    let mut before = (Instant::now(), cpu_time(libc::CLOCK_PROCESS_CPUTIME_ID));
                    while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(SAMPLE_EVERY) {
                        let now = (Instant::now(), cpu_time(libc::CLOCK_PROCESS_CPUTIME_ID));
                        let (wall_s, used_s) = ((now.0 - before.0).as_secs_f64(), (now.1 - before.1).as_s());
                        board.sample((wall_s > 0.0).then(|| used_s / wall_s * 100.0));
                        before = now;
                    }
                });
                // Without the thread the client is not looked at, and everything else goes on.
                self.sampler = thread.ok().map(|thread| (stop, thread));
            }
            Event::RunFinished => {
                if let Some((stop, thread)) = self.sampler.take() {
                    drop(stop);
                    let _ = thread.join();
                }
            }
            _ => {}
        }
        Ok(())
    }
}
