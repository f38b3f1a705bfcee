//! `tickrate perf`: composes a run from its parts, runs its stages, and sees that everything is
//! written whatever happens.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;

use super::exit::{AppError, Exit};
use super::parts::Parts;
use super::results::{FINDINGS, Results};
use super::stages::Stages;
use super::{connection, folder, gates, outputs, parts, replay, signals, visualize};
use crate::clock::Clock;
use crate::config::Config;
use crate::contract::Transport;
use crate::engine::{self, CancelSpec, EngineError, StageSpec, StopSignal, StopSwitch, run_stage};
use crate::http::{HttpSpec, HttpTransport};
use crate::output::console::Console;
use crate::output::summary;
use crate::output::visualizer::Visualizer;
use crate::output::{FanOut, OutputError, recover};
use crate::record::{Activity, Event, RunHeader, StageEnd, StageHeader};

/// Runs the benchmark that `config` describes and returns how it ended.
pub fn perf(config: Config) -> Result<Exit, AppError> {
    let console = Console::default();
    console
        .stand_aside()
        .map_err(|error| AppError::new(Exit::Failed, format!("the system refused a thread: {error}")))?;
    let ended = run(config, &console);
    console.flush();
    ended
}

fn run(mut config: Config, console: &Console) -> Result<Exit, AppError> {
    let clock = Clock::start();
    connection::complete_url(&mut config, console);
    let http = http_spec(&config);
    HttpTransport::new(&http, clock).map_err(|error| AppError::usage(format!("--headers: {error}")))?;
    for note in config.sla.iter().flat_map(|sla| &sla.notes) {
        console.print(&format!("note: --sla-params: {note}"));
    }
    let parts = parts::open(&config, console)?;
    if let Some(note) = replay::fit(&mut config, parts.dataset.as_ref())? {
        console.print(&format!("note: {note}"));
    }
    gates::have_stages(&config)?;
    gates::can_be_written(&config.gates)?;
    let visualizer = visualize::start(&config)?;
    let abandoned = recover::find_abandoned(&config.output.outputs_dir);
    let folder = folder::create(&config, clock.started_at())?;
    console.log_to(&folder.join("benchmark.log")).map_err(|error| AppError::usage(error.to_string()))?;
    for lost in abandoned {
        let lost = lost.display();
        console.print(&format!(
            "note: a run was cut short; get its records back with: tickrate recover \"{lost}\""
        ));
    }
    let (switch, stop) = signals::listen(console.clone())
        .map_err(|error| AppError::new(Exit::Failed, format!("cannot listen for Ctrl-C: {error}")))?;
    // Without a model there is nothing to ask but what the dataset holds.
    if config.connection.test_connection && !config.model.is_empty() {
        connection::test(&config, parts.test_api.as_ref(), &http, clock, &stop, console)?;
    }
    Run { config, clock, console: console.clone(), folder, http, switch, stop, visualizer }.all_stages(parts)
}

/// A run that is ready to start.
pub(super) struct Run {
    pub(super) config: Config,
    pub(super) clock: Clock,
    pub(super) console: Console,
    pub(super) folder: PathBuf,
    http: HttpSpec,
    switch: Arc<StopSwitch>,
    stop: StopSignal,
    pub(super) visualizer: Option<Visualizer>,
}

impl Run {
    fn all_stages(mut self, mut parts: Parts) -> Result<Exit, AppError> {
        let mut stages = Stages::new(&self.config, &self.folder);
        let header = Arc::new(self.header(&parts));
        self.write_run_file(&header, &[])?;
        let switch = self.switch.clone();
        let activity = Arc::new(Activity::default());
        let (events, outputs) =
            FanOut::start(outputs::of(&self, &parts, &activity)?, Box::new(move || switch.fail())).map_err(
                |error| AppError::new(Exit::Failed, format!("the system refused a thread: {error}")),
            )?;
        events.emit(Event::RunStarted(header.clone()));

        let secrets = Arc::new(self.config.secrets());
        let mut ended: Vec<(Arc<StageHeader>, StageEnd)> = Vec::new();
        let mut failure: Option<EngineError> = None;
        let mut next_id = 0;
        let (http, clock) = (self.http.clone(), self.clock);
        let transport = move || {
            let transport = HttpTransport::new(&http, clock).map_err(|error| error.to_string())?;
            Ok(Box::new(transport) as Box<dyn Transport>)
        };
        let mut unlearned = None;
        while let Some(stage) = stages.next() {
            if !ended.is_empty() {
                self.rest();
            }
            if self.stop.draining() {
                break;
            }
            if replay::replays(&self.config) && !ended.is_empty() {
                // Each stage replays the recording from its beginning. Where that fails, so does drawing.
                let _ = parts.dataset.rewind();
            }
            let engine_parts = engine::Parts {
                dataset: parts.dataset.as_mut(),
                api: parts.api.clone(),
                counter: parts.counter.clone(),
                transport: &transport,
                events: events.clone(),
                clock: self.clock,
                activity: activity.clone(),
                next_id: &mut next_id,
                secrets: secrets.clone(),
            };
            let (end, failed) = run_stage(engine_parts, &self.stage_spec(&header.run_id, &stage), &self.stop);
            outputs.catch_up();
            // A stage that was cut short says nothing of its load.
            match if self.stop.draining() { Ok(Vec::new()) } else { stages.tell(&stage) } {
                Ok(lines) => lines.iter().for_each(|line| self.console.print(&format!("SLA: {line}"))),
                Err(error) => unlearned = Some(error),
            }
            ended.push((stage, end));
            failure = failed;
            if failure.is_some() || unlearned.is_some() {
                break;
            }
        }
        events.emit(Event::RunFinished);
        drop(events);
        let fallen = outputs.finish();
        let rewritten = self.write_run_file(&header, &ended).and_then(|()| self.tell_findings(&stages));
        let gated = self.report();
        if let Some(problem) = self.visualizer.take().and_then(|shown| shown.finish(&self.folder)) {
            self.console.print(&problem);
        }
        self.say_where(&ended);

        if let Some(error) = failure {
            let line = format!("{error}; the records made until then are in \"{}\"", self.folder.display());
            return Err(AppError::new(Exit::Failed, line));
        }
        if !fallen.is_empty() {
            let lines = fallen.iter().map(|fallen| fallen.error.to_string()).collect();
            return Err(AppError { exit: Exit::Failed, lines });
        }
        if let Some(error) = unlearned {
            return Err(AppError::new(Exit::Failed, error.to_string()));
        }
        rewritten?;
        let gate_failed = gated?;
        Ok(match self.exit(&ended) {
            Exit::Success if gate_failed => Exit::GateFailed,
            exit => exit,
        })
    }

    /// Makes the page of the run from its records, and judges the gates by them. Returns whether one
    /// failed.
    fn report(&self) -> Result<bool, AppError> {
        let failed = |error: OutputError| AppError::new(Exit::Failed, error.to_string());
        let results = match recover::find_records(&self.folder).is_empty() {
            true => None,
            false => Some(Results::read(&self.folder).map_err(failed)?),
        };
        let page =
            results.as_ref().map_or(Ok(()), |results| results.write_page(&self.folder)).map_err(failed);
        let stages = results.as_ref().map_or(&[][..], |results| results.stages.as_slice());
        let gate_failed = gates::settle(
            &|text| self.console.print(text),
            &self.config.gates,
            &[(self.config.model.as_str(), stages)],
        )?;
        page.map(|()| gate_failed)
    }

    fn exit(&self, ended: &[(Arc<StageHeader>, StageEnd)]) -> Exit {
        let settled: u64 = ended.iter().map(|(_, end)| end.settled).sum();
        let succeeded: u64 = ended.iter().map(|(_, end)| end.succeeded).sum();
        if self.stop.draining() {
            Exit::Interrupted
        } else if settled > 0 && succeeded == 0 {
            Exit::AllRequestsFailed
        } else {
            Exit::Success
        }
    }

    fn header(&self, parts: &Parts) -> RunHeader {
        let started_at = self.clock.started_at();
        let unique = self.clock.origin_ns() as u64 ^ (u64::from(std::process::id()) << 40);
        RunHeader {
            run_id: format!(
                "{}-{:08x}",
                started_at.format("%Y%m%d-%H%M%S"),
                (unique ^ (unique >> 32)) as u32
            ),
            tickrate_version: env!("CARGO_PKG_VERSION").to_string(),
            started_at: started_at.to_rfc3339(),
            clock_origin_ns: self.clock.origin_ns(),
            // A configuration is plain data under text keys, which JSON can always hold.
            config: serde_json::to_value(&self.config).unwrap_or_default(),
            plugins: parts.plugins.clone(),
        }
    }

    fn stage_spec(&self, run_id: &str, stage: &Arc<StageHeader>) -> StageSpec {
        let load = &self.config.load;
        let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u32);
        StageSpec {
            run_id: run_id.into(),
            model: self.config.model.as_str().into(),
            header: stage.clone(),
            arrivals: load.arrivals(stage.rate_rps),
            max_concurrency: load.max_concurrency,
            retries: load.retries,
            cancel: (load.cancel_rate > 0.0).then(|| CancelSpec {
                rate: load.cancel_rate,
                after: Duration::from_secs_f64(load.cancel_after_s),
            }),
            targets: self.config.connection.targets().into(),
            duration: load.duration_s.map(Duration::from_secs_f64),
            seed: self.config.seed.wrapping_add(stage.index as u64),
            workers: load.workers.unwrap_or((cores / 2).clamp(1, 8)),
            settlers: (cores / 2).clamp(1, 8),
            keep_texts: self.config.output.save_text,
            keep_replies: self.config.output.save_frames,
        }
    }

    /// Rests between two stages, unless the user wants the run to end.
    fn rest(&self) {
        let until = Instant::now() + Duration::from_secs_f64(self.config.load.sleep_interval_s);
        while !self.stop.draining() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(20).min(until - Instant::now()));
        }
    }

    fn write_run_file(
        &self,
        header: &RunHeader,
        ended: &[(Arc<StageHeader>, StageEnd)],
    ) -> Result<(), AppError> {
        let stages: Vec<_> =
            ended.iter().map(|(stage, end)| json!({"stage": stage.as_ref(), "end": end})).collect();
        let mut file = json!(header);
        file["stages"] = json!(stages);
        summary::write(&self.folder.join("run.json"), &format!("{file:#}\n"))
            .map_err(|error| AppError::new(Exit::Failed, error.to_string()))
    }

    /// Shows and writes what a search has found.
    fn tell_findings(&self, stages: &Stages) -> Result<(), AppError> {
        let Some((table, report)) = stages.findings() else { return Ok(()) };
        self.console.print(&format!("\n{table}\n"));
        summary::write(&self.folder.join(FINDINGS), &format!("{report:#}\n"))
            .map_err(|error| AppError::new(Exit::Failed, error.to_string()))
    }

    fn say_where(&self, ended: &[(Arc<StageHeader>, StageEnd)]) {
        if ended.is_empty() {
            return;
        }
        let folder = self.folder.display();
        self.console.print(&format!(
            "results: {folder}\nreport: {folder}/report.html\nrecords: {folder}/*/requests.parquet; look into them with:\n  \
             duckdb -c \"SELECT stage, count(*) AS requests, quantile_cont(ttft_ms, 0.99) AS p99_ttft_ms \
             FROM '{folder}/*/requests.parquet' WHERE ok AND NOT warmup GROUP BY stage ORDER BY stage\""
        ));
    }
}

fn http_spec(config: &Config) -> HttpSpec {
    let connection = &config.connection;
    HttpSpec {
        connect_timeout: connection.connect_timeout_s.map(Duration::from_secs_f64),
        read_timeout: connection.read_timeout_s.map(Duration::from_secs_f64),
        total_timeout: Some(Duration::from_secs_f64(connection.total_timeout_s)),
        headers: connection
            .headers
            .iter()
            .map(|header| (header.name().to_string(), header.expose().to_string()))
            .collect(),
        tls: std::iter::once(&connection.url)
            .chain(&connection.more_urls)
            .any(|url| HttpSpec::needs_tls(url)),
        clock: connection.clock,
        proxy: HttpSpec::behind_proxy(),
        ..HttpSpec::default()
    }
}
