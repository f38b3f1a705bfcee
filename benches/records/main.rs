//! What the records of a long run cost: `cargo bench --bench records -- [ROWS [FRAMES]]` journals
//! ROWS records of FRAMES frames each, turns the journal into `requests.parquet`, reads it back and
//! computes the figures of the stage, and prints the time and the peak memory of each step.
//!
//! It writes into a folder below the system's temporary one (`TMPDIR`), and needs some 20 bytes of
//! room for each frame there. A word that is no number is a folder to keep the records in, for
//! `tickrate report`.

#[path = "../stored.rs"]
mod stored;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tickrate::metrics::{Metric, StageAccumulator};
use tickrate::output::Output;
use tickrate::output::parquet::ParquetOutput;
use tickrate::output::stored as files;
use tickrate::record::Event;

use stored::{end, record, run, stage};

/// The allocator that `tickrate` has.
#[global_allocator]
static ALLOCATOR: tickrate::allocator::Allocator = tickrate::allocator::Allocator;

/// Its settings, as in `tickrate`.
#[unsafe(export_name = "_rjem_malloc_conf")]
#[allow(non_upper_case_globals)]
pub static malloc_conf: &[u8] = tickrate::allocator::SETTINGS;

type Failed = Box<dyn std::error::Error>;

/// Records that are made at a time, outside of what is measured.
const BATCH: u64 = 4096;

fn main() -> ExitCode {
    // Cargo hands on `--bench`; what is left are the sizes.
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let sizes: Vec<u64> = words.iter().filter_map(|word| word.parse().ok()).collect();
    let kept = words.iter().find(|word| word.parse::<u64>().is_err());
    let rows = sizes.first().copied().unwrap_or(100_000);
    let variants: Vec<usize> = match sizes.get(1) {
        Some(&frames) => vec![frames as usize],
        None => vec![16, 128],
    };
    for frames in variants {
        if let Err(error) = measure(rows, frames, kept.map(Path::new)) {
            eprintln!("records: {error}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn measure(rows: u64, frames: usize, kept: Option<&Path>) -> Result<(), Failed> {
    println!("{rows} records of {frames} frames");
    let temporary = tempfile::tempdir()?;
    let folder = match kept {
        Some(kept) => kept.join(format!("frames_{frames}")),
        None => temporary.path().to_path_buf(),
    };
    let stage = stage(&folder, rows);
    let mut output = ParquetOutput::new();
    output.on_event(&Event::RunStarted(Arc::new(run())))?;
    output.on_event(&Event::StageStarted(Arc::new(stage.clone())))?;
    let mut journal = Step::new("journal");
    for first in (0..rows).step_by(BATCH as usize) {
        let batch: Vec<Event> = (first..rows.min(first + BATCH))
            .map(|index| Event::RequestSettled(Box::new(record(index, frames))))
            .collect();
        journal.time(|| batch.iter().try_for_each(|event| output.on_event(event)))?;
    }
    journal.print(rows);

    let mut convert = Step::new("journal to Parquet");
    let finished = Event::StageFinished(Arc::new(stage.clone()), Box::new(end(rows)));
    convert.time(|| output.on_event(&finished))?;
    convert.print(rows);
    let bytes = std::fs::metadata(folder.join("requests.parquet"))?.len();
    println!("  {:<24} {:>8.1} bytes a record", "size", bytes as f64 / rows as f64);

    let mut reading = Step::new("read every column");
    let read = reading.time(|| -> Result<usize, Failed> {
        Ok(files::read(&folder)?.records.filter(Result::is_ok).count())
    })?;
    reading.print(rows);

    let mut report = Step::new("report");
    let summary = report.time(|| -> Result<_, Failed> {
        let stored = files::read_figures(&folder)?;
        let mut accumulator = StageAccumulator::new(&stage);
        for record in stored.records {
            accumulator.push(&record?);
        }
        Ok(accumulator.finish(&stage, None)?)
    })?;
    report.print(rows);
    let intervals = summary.distribution(Metric::Itl).map_or(0, |itl| itl.count());
    if read as u64 != rows || summary.total != rows || intervals != rows * (frames as u64 - 1) {
        return Err(format!("{read} records came back, with {intervals} intervals").into());
    }
    Ok(())
}

/// A step that is measured, in one piece or in several.
struct Step {
    name: &'static str,
    took: Duration,
    cpu: Duration,
}

impl Step {
    fn new(name: &'static str) -> Step {
        // Where this is refused, peaks are those of the whole process.
        let _ = std::fs::write("/proc/self/clear_refs", "5");
        Step { name, took: Duration::ZERO, cpu: Duration::ZERO }
    }

    fn time<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let (started, cpu) = (Instant::now(), process_cpu());
        let done = work();
        self.took += started.elapsed();
        self.cpu += process_cpu().saturating_sub(cpu);
        done
    }

    fn print(&self, rows: u64) {
        let seconds = self.took.as_secs_f64();
        println!(
            "  {:<24} {seconds:>8.3} s  {:>8.3} s CPU  {:>10.0} records/s  peak {:>5.0} MB",
            self.name,
            self.cpu.as_secs_f64(),
            rows as f64 / seconds,
            peak_mb()
        );
    }
}

/// The largest resident size since the step began, in MB.
fn peak_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap_or_default();
    let kib: f64 = line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).unwrap_or(f64::NAN);
    kib * 1024.0 / 1e6
}

/// CPU time of all threads so far.
fn process_cpu() -> Duration {
    let mut spent = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: it writes into the structure that it is given and nowhere else.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut spent) };
    Duration::new(spent.tv_sec as u64, spent.tv_nsec as u32)
}
