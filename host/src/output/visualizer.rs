//! What a visualizer is told: the events of a run as JSON lines, into the standard input of a Python process that
//! speaks to the visualizer's own SDK. It runs beside the benchmark, and whatever becomes of it, the run goes on.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, channel, sync_channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Output, OutputError};
use crate::record::{Event, RequestRecord};

/// How often the figures of a running stage are told.
const INTERVAL: Duration = Duration::from_secs(1);
/// Lines that may wait for the process. Beyond that, figures of a running stage are left out.
const QUEUE: usize = 256;

/// Which visualizer, and how its process is started.
#[derive(Debug, Clone)]
pub struct VisualizerSpec {
    /// `wandb`, `swanlab`, `clearml` or `mlflow`.
    pub kind: &'static str,
    /// The interpreter that has the `tickrate` package and the SDK.
    pub python: PathBuf,
    /// How long it may take to start, and to finish after the run.
    pub patience: Duration,
    /// What is added to its environment, keys among it.
    pub environment: Vec<(&'static str, String)>,
    /// The texts that must not appear in anything it writes.
    pub secrets: Vec<String>,
}

/// The process, from its start to its end.
#[derive(Debug)]
pub struct Visualizer {
    kind: &'static str,
    patience: Duration,
    process: Child,
    lines: SyncSender<Value>,
    done: Receiver<()>,
}

impl Visualizer {
    /// Starts the process and waits until it says that it can do its work.
    ///
    /// # Errors
    /// If it cannot: one line that says why.
    pub fn start(spec: &VisualizerSpec) -> Result<Visualizer, String> {
        let python = spec.python.display();
        let mut process = Command::new(&spec.python)
            .args(["-m", "tickrate.visualize", spec.kind])
            .envs(spec.environment.iter().map(|(name, value)| (name, value)))
            .env("TICKRATE_VISUALIZER_SECRETS", json!(spec.secrets).to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            // A Ctrl-C ends the run, and the process ends with it.
            .process_group(0)
            .spawn()
            .map_err(|error| {
                format!("cannot run \"{python}\": {error}; --visualizer-python names another Python")
            })?;
        let (Some(mut stdin), Some(stdout)) = (process.stdin.take(), process.stdout.take()) else {
            return Err(format!("\"{python}\" has no standard input"));
        };
        let (said, answers) = channel();
        let (tell_done, done) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                // Once the answer is there, nobody waits for another.
                let _ = said.send(line);
            }
            let _ = tell_done.send(());
        });
        let (lines, queue) = sync_channel::<Value>(QUEUE);
        std::thread::spawn(move || {
            for line in queue {
                // A process that is gone is told of after the run.
                if writeln!(stdin, "{line}").and_then(|()| stdin.flush()).is_err() {
                    break;
                }
            }
        });
        let visualizer = Visualizer { kind: spec.kind, patience: spec.patience, process, lines, done };
        let missing = format!(
            "\"{python}\" cannot run tickrate.visualize; install the Python package there (pip install \
             'tickrate[{}]'), or give --visualizer-python",
            spec.kind
        );
        match answers.recv_timeout(spec.patience) {
            Ok(line) if line == "ready" => Ok(visualizer),
            Ok(line) => Err(line),
            Err(RecvTimeoutError::Disconnected) => Err(missing),
            Err(RecvTimeoutError::Timeout) => {
                Err(format!("{} did not start within {} s", spec.kind, spec.patience.as_secs()))
            }
        }
    }

    /// The consumer of the run's events. `name` is that of the run, and `folder` where its files are.
    pub fn output(&self, name: &str, folder: &Path) -> VisualizerOutput {
        VisualizerOutput {
            lines: self.lines.clone(),
            name: name.to_string(),
            folder: folder.to_path_buf(),
            stage: None,
        }
    }

    /// Hands over the files of the run and waits for the end of the process, but not for ever. Returns what
    /// the user should know.
    pub fn finish(mut self, folder: &Path) -> Option<String> {
        let kind = self.kind;
        // What hangs is left behind after a while, and what is gone needs nothing.
        let finish = json!({"type": "finish", "folder": folder});
        let mut waited = Duration::ZERO;
        while let Err(TrySendError::Full(_)) = self.lines.try_send(finish.clone()) {
            if waited >= self.patience {
                break;
            }
            std::thread::sleep(INTERVAL / 10);
            waited += INTERVAL / 10;
        }
        let log = folder.join("visualizer.log");
        let problem = match self.done.recv_timeout(self.patience) {
            Err(RecvTimeoutError::Timeout) => {
                Some(format!("was not done {} s after the run", self.patience.as_secs()))
            }
            _ => match self.process.wait() {
                Ok(status) if status.success() => None,
                Ok(status) => Some(format!("failed ({status})")),
                Err(error) => Some(format!("is lost: {error}")),
            },
        };
        problem.map(|problem| {
            format!(
                "warning: --visualizer: {kind} {problem}; the run itself is complete, and \"{}\" has what {kind} said",
                log.display()
            )
        })
    }

    fn end(&mut self) {
        // It may be gone already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Drop for Visualizer {
    fn drop(&mut self) {
        self.end();
    }
}

/// Tells the process what happens. It never waits for it.
#[derive(Debug)]
pub struct VisualizerOutput {
    lines: SyncSender<Value>,
    name: String,
    folder: PathBuf,
    stage: Option<Running>,
}

/// What is known of a stage while it runs.
#[derive(Debug)]
struct Running {
    name: String,
    started: Instant,
    told: Instant,
    requests: u64,
    failed: u64,
    output_tokens: u64,
    latency_ms: Mean,
    ttft_ms: Mean,
    tpot_ms: Mean,
}

#[derive(Debug, Default)]
struct Mean {
    sum: f64,
    count: u64,
}

impl Mean {
    fn add(&mut self, value: Option<f64>) {
        self.sum += value.unwrap_or(0.0);
        self.count += u64::from(value.is_some());
    }

    fn value(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / self.count as f64)
    }
}

impl Running {
    fn new(name: &str) -> Running {
        let now = Instant::now();
        Running {
            name: name.to_string(),
            started: now,
            told: now,
            requests: 0,
            failed: 0,
            output_tokens: 0,
            latency_ms: Mean::default(),
            ttft_ms: Mean::default(),
            tpot_ms: Mean::default(),
        }
    }

    fn add(&mut self, record: &RequestRecord) {
        self.requests += 1;
        if !record.ok() {
            self.failed += 1;
            return;
        }
        self.output_tokens += record.tokens.output.unwrap_or(0);
        self.latency_ms.add(record.latency_ms);
        self.ttft_ms.add(record.ttft_ms);
        self.tpot_ms.add(record.tpot_ms);
    }

    fn line(&self) -> Value {
        let elapsed_s = self.started.elapsed().as_secs_f64();
        let rate = |count: u64| (elapsed_s > 0.0).then(|| count as f64 / elapsed_s);
        json!({"type": "progress", "stage": self.name, "elapsed_s": elapsed_s, "metrics": {
            "requests": self.requests,
            "failed": self.failed,
            "requests_per_s": rate(self.requests),
            "output_tokens_per_s": rate(self.output_tokens),
            "latency_ms": self.latency_ms.value(),
            "ttft_ms": self.ttft_ms.value(),
            "tpot_ms": self.tpot_ms.value(),
        }})
    }
}

impl Output for VisualizerOutput {
    fn name(&self) -> &'static str {
        "visualizer"
    }

    fn on_event(&mut self, event: &Event) -> Result<(), OutputError> {
        let line = match event {
            Event::RunStarted(header) => Some(
                json!({"type": "run", "name": self.name, "folder": self.folder, "header": header.as_ref()}),
            ),
            Event::StageStarted(stage) => {
                self.stage = Some(Running::new(&stage.name));
                None
            }
            Event::RequestSettled(record) if !record.key.warmup => self.stage.as_mut().and_then(|stage| {
                stage.add(record);
                (stage.told.elapsed() >= INTERVAL).then(|| {
                    stage.told = Instant::now();
                    stage.line()
                })
            }),
            Event::StageFinished(stage, _) => {
                if let Some(last) = self.stage.take() {
                    let _ = self.lines.try_send(last.line());
                }
                Some(json!({"type": "stage", "stage": stage.name, "folder": stage.folder}))
            }
            Event::RequestSettled(_) | Event::ReplyKept(_) | Event::Warned(_) | Event::RunFinished => None,
        };
        // A process that hangs or is gone loses lines; it is told of after the run.
        if let Some(line) = line {
            let _ = self.lines.try_send(line);
        }
        Ok(())
    }
}
