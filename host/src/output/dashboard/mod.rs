//! `--dashboard` and `--prometheus`: the run on a local web page, and as metrics for Prometheus.
//!
//! Each connection has a thread of its own, which copies a picture from the board when it gets to it. A
//! browser that does not read is given up after a while; nobody else notices.

mod http;
mod prometheus;

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use self::http::serve;
use super::live::Board;
use super::{Output, OutputError};
use crate::record::Event;

/// What is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pages {
    /// The page, its events, and the metrics.
    All,
    /// The metrics alone.
    Metrics,
}

/// How many connections are served at a time; a further one is closed at once.
const MOST: usize = 32;
/// How long the last picture may take to reach those who watch, once the run is over.
const LAST_PICTURE: Duration = Duration::from_millis(500);

/// Serves what stands on a board, from the start of the run until its end.
#[derive(Debug)]
pub struct Dashboard {
    listener: Option<TcpListener>,
    address: SocketAddr,
    shared: Arc<Shared>,
}

/// What the threads of a server share.
#[derive(Debug)]
struct Shared {
    board: Arc<Board>,
    pages: Pages,
    over: AtomicBool,
    connections: AtomicUsize,
}

impl Dashboard {
    /// Listens on `address`. Fails if somebody else does already, or nobody may.
    pub fn bind(board: Arc<Board>, address: SocketAddr, pages: Pages) -> Result<Dashboard, OutputError> {
        let failed = |error: io::Error| {
            OutputError(format!(
                "cannot listen on {address}: {error}; give another port, or 0 for any that is free"
            ))
        };
        let listener = TcpListener::bind(address).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let (over, connections) = (AtomicBool::new(false), AtomicUsize::new(0));
        let shared = Arc::new(Shared { board, pages, over, connections });
        Ok(Dashboard { listener: Some(listener), address, shared })
    }

    /// Where it can be looked at.
    pub fn url(&self) -> String {
        match self.shared.pages {
            Pages::All => format!("http://{}/", self.address),
            Pages::Metrics => format!("http://{}/metrics", self.address),
        }
    }
}

impl Output for Dashboard {
    fn name(&self) -> &'static str {
        "dashboard"
    }

    fn on_event(&mut self, event: &Event) -> Result<(), OutputError> {
        match event {
            Event::RunStarted(_) => {
                let Some(listener) = self.listener.take() else { return Ok(()) };
                let shared = self.shared.clone();
                let thread = std::thread::Builder::new().name("dashboard".into());
                thread
                    .spawn(move || accept(&listener, &shared))
                    .map_err(|error| OutputError(format!("no thread for the dashboard: {error}")))?;
            }
            Event::RunFinished => {
                self.shared.over.store(true, Ordering::Release);
                // It wakes the thread that waits for connections.
                let _ = TcpStream::connect_timeout(&self.address, Duration::from_millis(100));
                let until = Instant::now() + LAST_PICTURE;
                while self.shared.connections.load(Ordering::Acquire) > 0 && Instant::now() < until {
                    std::thread::sleep(Duration::from_millis(10));
                }
            }
            _ => {}
        }
        Ok(())
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming() {
        if shared.over.load(Ordering::Acquire) {
            return;
        }
        let Ok(stream) = stream else {
            // Too many open files, for one: it is no reason to spin.
            std::thread::sleep(Duration::from_millis(100));
            continue;
        };
        let connection = Connection::of(shared);
        if shared.connections.load(Ordering::Acquire) > MOST {
            continue;
        }
        let thread = std::thread::Builder::new().name("dashboard-page".into());
        // Whoever gets no thread is not served.
        let _ = thread.spawn(move || {
            // A browser that went away is told to nobody.
            let _ = serve(&connection.0, stream);
        });
    }
}

/// Counts a connection for as long as it lives.
struct Connection(Arc<Shared>);

impl Connection {
    fn of(shared: &Arc<Shared>) -> Connection {
        shared.connections.fetch_add(1, Ordering::AcqRel);
        Connection(shared.clone())
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::AcqRel);
    }
}
