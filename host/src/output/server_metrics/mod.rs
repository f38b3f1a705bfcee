//! `--server-metrics`: what the server tells Prometheus, asked for again and again during the run, in
//! `server_metrics.parquet` in the run's folder. A server that does not answer costs the run nothing.

mod exposition;
#[cfg(fuzzing)]
pub mod fuzzed;
pub(super) mod journal;

use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use self::journal::Journal;
use super::cells::Cell;
use super::console::Console;
use super::schema::{Column, Kind, MOMENT, always, maybe};
use super::table_file::TableFile;
use super::{Output, OutputError};
use crate::clock::Clock;
use crate::record::Event;
use crate::units::Nanos;

/// The file, in the run's folder.
pub const SERVER_METRICS_FILE: &str = "server_metrics.parquet";

/// The columns, in their order in the file.
pub const SERVER_METRICS_COLUMNS: [Column; 5] = [
    always("at_ns", Kind::Int64, MOMENT, "when the server was asked"),
    maybe("stage", Kind::Text, "", "the stage that was running; null between stages"),
    always("name", Kind::Text, "", "the metric's name, as the server writes it"),
    always("labels", Kind::Labels, "", "its labels"),
    always("value", Kind::Double, "", "its value, in the unit that its name says"),
];

/// The longest that the server may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// The most bytes of an answer.
const MOST_BYTES: usize = 64 << 20;

/// Where the metrics are and how often they are asked for.
#[derive(Clone)]
pub struct ServerMetricsSpec {
    /// The endpoint.
    pub url: String,
    /// The endpoint as it may be shown.
    pub shown_url: String,
    /// Headers for each request.
    pub headers: Vec<(String, String)>,
    /// How often.
    pub every: Duration,
}

/// Asks the server on a thread of its own, from the start of the run until its end.
pub struct ServerMetrics {
    spec: ServerMetricsSpec,
    clock: Clock,
    folder: PathBuf,
    console: Console,
    stage: Arc<Mutex<Option<String>>>,
    running: Option<(Sender<()>, JoinHandle<()>)>,
}

impl ServerMetrics {
    /// An output that writes into the run's `folder` and warns on `console`.
    pub fn new(spec: ServerMetricsSpec, clock: Clock, folder: &Path, console: Console) -> ServerMetrics {
        let folder = folder.to_path_buf();
        ServerMetrics { spec, clock, folder, console, stage: Arc::default(), running: None }
    }

    fn set_stage(&self, stage: Option<String>) {
        *self.stage.lock().unwrap_or_else(PoisonError::into_inner) = stage;
    }
}

impl Output for ServerMetrics {
    fn name(&self) -> &'static str {
        "server metrics"
    }

    fn on_event(&mut self, event: &Event) -> Result<(), OutputError> {
        match event {
            Event::RunStarted(_) => {
                let (stop, stopped) = channel();
                let scraper = Scraper {
                    spec: self.spec.clone(),
                    clock: self.clock,
                    stage: self.stage.clone(),
                    asked: 0,
                    failed: 0,
                    strange: 0,
                    first_failure: None,
                };
                let (path, console) = (self.folder.join(SERVER_METRICS_FILE), self.console.clone());
                let thread = std::thread::Builder::new().name("server-metrics".into()).spawn(move || {
                    let mut scraper = scraper;
                    let mut more = |wait| stopped.recv_timeout(wait) == Err(RecvTimeoutError::Timeout);
                    if let Err(error) = scraper.run(&path, &mut more) {
                        console.print(&format!("warning: --server-metrics: {error}"));
                    }
                    if let Some(told) = scraper.told() {
                        console.print(&format!("warning: --server-metrics: {told}"));
                    }
                });
                match thread {
                    Ok(thread) => self.running = Some((stop, thread)),
                    Err(error) => {
                        self.console.print(&format!("warning: --server-metrics: no thread: {error}"))
                    }
                }
            }
            Event::StageStarted(stage) => self.set_stage(Some(stage.name.clone())),
            Event::StageFinished(..) => self.set_stage(None),
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

fn begin(path: &Path) -> Result<TableFile, OutputError> {
    TableFile::create(path, &SERVER_METRICS_COLUMNS, &[])
}

/// Appends what the server answered. Returns how many lines were not understood.
fn push(file: &mut TableFile, at: Nanos, stage: Option<&str>, answer: &str) -> Result<usize, OutputError> {
    let (samples, strange) = exposition::parse(answer);
    for sample in &samples {
        file.push([
            Cell::Int(at.0),
            Cell::maybe(stage, Cell::Text),
            Cell::Text(&sample.name),
            Cell::Labels(&sample.labels),
            Cell::Double(sample.value),
        ])?;
    }
    Ok(strange)
}

struct Scraper {
    spec: ServerMetricsSpec,
    clock: Clock,
    stage: Arc<Mutex<Option<String>>>,
    asked: u64,
    failed: u64,
    strange: usize,
    first_failure: Option<String>,
}

impl Scraper {
    /// Asks until `more` says that it is enough; the time until the next question is given to it.
    fn run(&mut self, path: &Path, more: &mut dyn FnMut(Duration) -> bool) -> Result<(), String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| format!("no event loop: {error}"))?;
        let client = self.client()?;
        let mut file = begin(path).map_err(|error| error.to_string())?;
        let unwritable = |error: std::io::Error| {
            format!("could not write a journal beside \"{}\": {error}", path.display())
        };
        let mut journal = Journal::create(path.parent().unwrap_or(Path::new("."))).map_err(unwritable)?;
        let mut next = Instant::now();
        loop {
            let (at, stage) =
                (self.clock.now(), self.stage.lock().unwrap_or_else(PoisonError::into_inner).clone());
            self.asked += 1;
            match runtime.block_on(self.ask(&client)) {
                Ok(text) => {
                    journal.push(at, stage.as_deref(), &text).map_err(unwritable)?;
                    let pushed = push(&mut file, at, stage.as_deref(), &text);
                    self.strange += pushed.map_err(|error| error.to_string())?;
                }
                Err(error) => {
                    self.failed += 1;
                    self.first_failure.get_or_insert(error);
                }
            }
            // A server that answers late is not asked the more often for it.
            next = (next + self.spec.every).max(Instant::now());
            if !more(next.saturating_duration_since(Instant::now())) {
                file.finish().map_err(|error| error.to_string())?;
                return journal
                    .remove()
                    .map_err(|error| format!("its journal could not be removed: {error}"));
            }
        }
    }

    fn client(&self) -> Result<reqwest::Client, String> {
        // An error says that a provider is installed already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = reqwest::Client::builder().http1_only().timeout(PATIENCE);
        if !self.spec.url.starts_with("https:") {
            builder = builder.tls_certs_only([]);
        }
        builder.build().map_err(|error| error.without_url().to_string())
    }

    async fn ask(&self, client: &reqwest::Client) -> Result<String, String> {
        let told = |error: reqwest::Error| error.without_url().to_string();
        let mut request = client.get(&self.spec.url);
        for (name, value) in &self.spec.headers {
            request = request.header(name, value);
        }
        let mut reply = request.send().await.map_err(told)?;
        if !reply.status().is_success() {
            return Err(format!("HTTP {}", reply.status().as_u16()));
        }
        let mut body = Vec::new();
        while let Some(piece) = reply.chunk().await.map_err(told)? {
            body.extend_from_slice(&piece);
            if body.len() > MOST_BYTES {
                return Err(format!("the answer is larger than {MOST_BYTES} bytes"));
            }
        }
        Ok(String::from_utf8_lossy(&body).into_owned())
    }

    /// What the user should know; `None` if all went well.
    fn told(&self) -> Option<String> {
        let url = &self.spec.shown_url;
        if let Some(first) = &self.first_failure {
            let (failed, asked) = (self.failed, self.asked);
            return Some(format!(
                "{failed} of {asked} requests to \"{url}\" failed, the first with: {first}"
            ));
        }
        (self.strange > 0).then(|| format!("{} lines of \"{url}\" were not understood", self.strange))
    }
}
