//! The serving threads: start, hand out connections, stop.

use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::watch;
use tokio::task::{LocalSet, spawn_local};

use super::pacer::Pacer;
use super::scheduler::Scheduler;
use super::serve::{Shared, Worker, serve};
use super::truth::TruthSink;
use super::{SimError, SimSpec};
use crate::stamp;

/// Connections that may wait to be accepted.
const BACKLOG: u32 = 4096;

/// A simulated inference server.
#[derive(Debug, Clone, Copy)]
pub struct Sim;

/// A simulated server that is serving, on threads of its own. Dropping it stops it.
pub struct RunningSim {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    threads: Vec<JoinHandle<()>>,
    truth: Option<JoinHandle<()>>,
}

impl Sim {
    /// Starts a server as `spec` describes it, and returns when it accepts connections.
    ///
    /// # Errors
    /// A figure out of range, an address that cannot be listened on, a ground-truth file that
    /// cannot be made, or no more threads or timers to be had from the system.
    pub fn start(spec: SimSpec) -> Result<RunningSim, SimError> {
        spec.validate()?;
        let address = SocketAddr::new(spec.host, spec.port);
        let (truth, writer) = match &spec.truth {
            Some(path) => TruthSink::create(path).map(|(sink, writer)| (sink, Some(writer)))?,
            None => (TruthSink::none(), None),
        };
        let threads = spec.threads;
        let shared =
            Arc::new(Shared { scheduler: Scheduler::new(&spec), spec, truth, requests: AtomicU64::new(0) });
        let (stop, stopped) = watch::channel(false);
        let mut running = RunningSim { address, stop, threads: Vec::new(), truth: writer };
        let mut others = Vec::new();
        // The accepting thread comes last, when those that it hands connections to are there.
        for index in (0..threads).rev() {
            let (ready, is_ready) = channel();
            let source = if index == 0 {
                Source::Accept(address, std::mem::take(&mut others))
            } else {
                let (sender, receiver) = unbounded_channel();
                others.push(sender);
                Source::Handed(receiver)
            };
            let (shared, stopped) = (Arc::clone(&shared), stopped.clone());
            let thread = std::thread::Builder::new()
                .name(format!("sim-{index}"))
                .spawn(move || thread_main(shared, source, stopped, &ready))
                .map_err(SimError::Thread)?;
            running.threads.push(thread);
            if let Some(bound) = wait_ready(&is_ready)? {
                running.address = bound;
            }
        }
        Ok(running)
    }
}

/// What a thread reports when it is ready: the address, if it listens.
type Ready = Result<Option<SocketAddr>, SimError>;

fn wait_ready(ready: &Receiver<Ready>) -> Ready {
    let gone = || SimError::Thread(std::io::Error::other("the thread ended at once"));
    ready.recv().unwrap_or_else(|_| Err(gone()))
}

impl RunningSim {
    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL without a path: `http://127.0.0.1:8801`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Stops serving, closes all connections and completes the ground-truth file.
    pub fn stop(self) {
        drop(self);
    }
}

impl Drop for RunningSim {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        for thread in self.threads.drain(..).chain(self.truth.take()) {
            // A thread that panicked has said so on standard error.
            let _ = thread.join();
        }
    }
}

/// Where a thread's connections come from.
enum Source {
    /// It accepts them, and deals them to itself and the others in turn.
    Accept(SocketAddr, Vec<UnboundedSender<std::net::TcpStream>>),
    /// Another thread hands them over.
    Handed(UnboundedReceiver<std::net::TcpStream>),
}

fn thread_main(
    shared: Arc<Shared>,
    source: Source,
    mut stopped: watch::Receiver<bool>,
    ready: &Sender<Ready>,
) {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let _ = ready.send(Err(SimError::Thread(error)));
            return;
        }
    };
    LocalSet::new().block_on(&runtime, async move {
        let pacer = Pacer::new();
        let timer = match pacer.timer() {
            Ok(timer) => timer,
            Err(error) => {
                let _ = ready.send(Err(SimError::Thread(error)));
                return;
            }
        };
        spawn_local(pacer.clone().drive(timer));
        let worker = Rc::new(Worker { shared, pacer });
        let take_in = async move {
            match source {
                Source::Accept(address, others) => accept(&worker, address, &others, ready).await,
                Source::Handed(mut handed) => {
                    let _ = ready.send(Ok(None));
                    while let Some(stream) = handed.recv().await {
                        if let Ok(stream) = TcpStream::from_std(stream) {
                            spawn_local(serve(Rc::clone(&worker), stream));
                        }
                    }
                }
            }
        };
        tokio::select! {
            () = take_in => {}
            _ = stopped.wait_for(|stop| *stop) => {}
        }
    });
}

async fn accept(
    worker: &Rc<Worker>,
    address: SocketAddr,
    others: &[UnboundedSender<std::net::TcpStream>],
    ready: &Sender<Ready>,
) {
    let listener = match listen(address, worker.shared.truth.is_kept()) {
        Ok((listener, bound)) => {
            let _ = ready.send(Ok(Some(bound)));
            listener
        }
        Err(source) => {
            let _ = ready.send(Err(SimError::Listen { address, source }));
            return;
        }
    };
    let mut turn = 0;
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of descriptors, or a client that was gone at once: neither ends the server.
            tokio::time::sleep(Duration::from_millis(5)).await;
            continue;
        };
        match others.get(turn) {
            Some(other) => {
                turn += 1;
                if let Ok(stream) = stream.into_std() {
                    // A thread that is gone takes its connections with it.
                    let _ = other.send(stream);
                }
            }
            None => {
                turn = 0;
                spawn_local(serve(Rc::clone(worker), stream));
            }
        }
    }
}

/// Listens; `stamped` if the kernel is to say when requests came in.
fn listen(address: SocketAddr, stamped: bool) -> std::io::Result<(TcpListener, SocketAddr)> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    if stamped {
        stamp::ask(socket.as_fd());
    }
    let listener = socket.listen(BACKLOG)?;
    let bound = listener.local_addr()?;
    Ok((listener, bound))
}
