//! Which outputs a run has, and in which order they hear of its events.

use std::sync::Arc;
use std::time::Duration;

use super::exit::AppError;
use super::parts::Parts;
use super::perf::Run;
use crate::config::{Config, OtlpConfig, WatchConfig, redact_url};
use crate::output::Output;
use crate::output::dashboard::{Dashboard, Pages};
use crate::output::export::Export;
use crate::output::frames::FramesOutput;
use crate::output::live::{Board, Follower, Live};
use crate::output::otlp::{Otlp, OtlpSpec, Subject};
use crate::output::parquet::ParquetOutput;
use crate::output::progress::Progress;
use crate::output::progress_file::ProgressFile;
use crate::output::server_metrics::{ServerMetrics, ServerMetricsSpec};
use crate::output::summary::Summary;
use crate::output::table::BasicInformation;
use crate::output::timeline::Timeline;
use crate::record::Activity;

/// The outputs of `run`. The records come first: they have to be safe before anything is said about them.
pub(super) fn of(
    run: &Run,
    parts: &Parts,
    activity: &Arc<Activity>,
) -> Result<Vec<Box<dyn Output>>, AppError> {
    let basic = BasicInformation {
        model: run.config.model.clone(),
        dataset: parts.dataset.name().to_string(),
        api: parts.api.name().to_string(),
        output_path: run.folder.display().to_string(),
    };
    let Config { output, load, watch, sla, .. } = &run.config;
    let stages = sla.is_none().then(|| load.stages().len());
    let board = Arc::new(Board::new(run.clock, activity.clone(), stages, load.duration_s));
    let progress = Progress::new(run.console.clone(), board.clone(), output.debug, output.log_every_n_query);
    let mut outputs: Vec<Box<dyn Output>> = vec![
        Box::new(ParquetOutput::new()),
        Box::new(Timeline),
        Box::new(Follower::new(board.clone())),
        Box::new(progress),
        Box::new(Summary::new(run.console.clone(), run.folder.clone(), basic)),
    ];
    if output.save_frames {
        outputs.push(Box::new(FramesOutput::new()));
    }
    if !output.formats.is_empty() {
        outputs.push(Box::new(Export::new(output.formats.clone())));
    }
    watching(run, watch, &board, &mut outputs)?;
    // At the end of the run it may wait for a collector, which keeps nobody else waiting.
    if let Some(otlp) = &watch.otlp {
        let spec = otlp_spec(&run.config, otlp, parts.api.name());
        outputs.push(Box::new(Otlp::new(spec, run.clock, board, run.console.clone())));
    }
    // It reads the files of a stage, and so comes after those who write them.
    if let Some(visualizer) = &run.visualizer {
        let model = run.folder.file_name().map_or_else(String::new, |name| name.to_string_lossy().into());
        let name = output.name.clone().unwrap_or(model);
        outputs.push(Box::new(visualizer.output(&name, &run.folder)));
    }
    Ok(outputs)
}

/// Adds those that show the run while it goes on.
fn watching(
    run: &Run,
    watch: &WatchConfig,
    board: &Arc<Board>,
    outputs: &mut Vec<Box<dyn Output>>,
) -> Result<(), AppError> {
    for (flag, address, pages) in
        [("--dashboard", watch.dashboard, Pages::All), ("--prometheus", watch.prometheus, Pages::Metrics)]
    {
        let Some(address) = address else { continue };
        let dashboard = Dashboard::bind(board.clone(), address, pages)
            .map_err(|error| AppError::usage(format!("{flag}: {error}")))?;
        run.console.print(&format!("{}: {}", flag.trim_start_matches('-'), dashboard.url()));
        outputs.push(Box::new(dashboard));
    }
    if let Some(url) = &watch.server_metrics {
        let headers = watch.server_metrics_headers.iter();
        let spec = ServerMetricsSpec {
            url: url.clone(),
            shown_url: redact_url(url),
            headers: headers.map(|header| (header.name().to_string(), header.expose().to_string())).collect(),
            every: Duration::from_secs_f64(watch.server_metrics_interval_s),
        };
        outputs.push(Box::new(ServerMetrics::new(spec, run.clock, &run.folder, run.console.clone())));
    }
    if watch.live {
        let live = Live::new(run.console.clone(), board.clone())
            .map_err(|error| AppError::usage(format!("--live: {error}")))?;
        outputs.push(Box::new(live));
    }
    if let Some(path) = &watch.progress_file {
        let every = Duration::from_secs_f64(watch.progress_interval_s);
        let file = ProgressFile::create(board.clone(), path, every)
            .map_err(|error| AppError::usage(format!("--progress-file: {error}")))?;
        outputs.push(Box::new(file));
    }
    Ok(())
}

fn otlp_spec(config: &Config, otlp: &OtlpConfig, api: &str) -> OtlpSpec {
    let connection = &config.connection;
    let urls = std::iter::once(&connection.url).chain(&connection.more_urls);
    let urls: Vec<&str> = urls.map(String::as_str).collect();
    let headers = otlp.headers.iter();
    OtlpSpec {
        url: otlp.url.clone(),
        shown_url: redact_url(&otlp.url),
        headers: headers.map(|header| (header.name().to_string(), header.expose().to_string())).collect(),
        every: Duration::from_secs_f64(otlp.interval_s),
        traces: otlp.traces,
        subject: Subject::new(api, &config.model, &urls),
    }
}
