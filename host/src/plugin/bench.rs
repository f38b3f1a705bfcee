//! What a plugin costs: `tickrate plugin bench`.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::check::CheckSpec;
use super::part::Source;
use super::replies::{Recorded, known, stretched};
use super::{CallError, Plugin, PluginError, Role, Services};
use crate::contract::{Api, Dataset, Framing, Message, Outcome, PartError, Prompt, RunConfig, TurnInContext};

/// How long each row is measured for, at least one call of it.
const EACH: Duration = Duration::from_millis(400);

/// What a plugin costs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BenchReport {
    /// The plugin's name.
    pub plugin: String,
    /// The dialect of the replies of 1, 128 and 4,096 frames, or the recorded reply that was stretched to
    /// them; `None` if it understood none of them.
    pub dialect: Option<String>,
    /// The rows, in the order they were measured.
    pub rows: Vec<BenchRow>,
}

/// The cost of one thing.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BenchRow {
    /// What was done.
    pub what: String,
    /// How often.
    pub calls: usize,
    /// The fastest call, in microseconds.
    pub best_us: f64,
    /// The call in the middle, in microseconds.
    pub median_us: f64,
    /// The fastest call of the built-in twin, in microseconds.
    pub native_best_us: Option<f64>,
}

/// Calls `call` for [`EACH`], and at least once.
fn measure<E>(what: impl Into<String>, mut call: impl FnMut() -> Result<Duration, E>) -> Result<BenchRow, E> {
    let start = Instant::now();
    let mut times = Vec::new();
    while times.is_empty() || (start.elapsed() < EACH && times.len() < 100_000) {
        times.push(call()?);
    }
    times.sort_unstable();
    let us = |time: Duration| time.as_secs_f64() * 1e6;
    let (best, median) = (times.first().copied(), times.get(times.len() / 2).copied());
    Ok(BenchRow {
        what: what.into(),
        calls: times.len(),
        best_us: us(best.unwrap_or_default()),
        median_us: us(median.unwrap_or_default()),
        native_best_us: None,
    })
}

/// The time that `call` takes, if it succeeds.
fn timed<R, E>(call: impl FnOnce() -> Result<R, E>) -> Result<Duration, E> {
    let start = Instant::now();
    let answer = call()?;
    let time = start.elapsed();
    drop(std::hint::black_box(answer));
    Ok(time)
}

/// Opens the built-in API of a dialect, which a plugin may be the twin of, for the same run; `None` if there
/// is none.
pub type OpenNative<'a> = &'a dyn Fn(&str, &RunConfig) -> Option<Arc<dyn Api>>;

/// Measures `plugin` in all of its roles. An API that understands replies of its dialect as the built-in API
/// of that dialect does is measured against that.
///
/// # Errors
/// If it cannot be opened, or a call fails.
pub fn bench(
    plugin: &Plugin,
    spec: &CheckSpec,
    services: &Services,
    native: OpenNative<'_>,
) -> Result<BenchReport, PartError> {
    let mut report = BenchReport { plugin: plugin.name().to_owned(), dialect: None, rows: Vec::new() };
    let load = || timed(|| Plugin::open(&plugin.runtime, plugin.path()));
    report.rows.push(measure::<PluginError>("load, compiled before", load)?);
    for role in plugin.roles() {
        match role {
            Role::Api => bench_api(plugin, spec, services, native, &mut report)?,
            Role::Dataset => bench_dataset(plugin, spec, services, &mut report)?,
        }
    }
    Ok(report)
}

fn question() -> TurnInContext {
    TurnInContext {
        request_id: "bench-1".into(),
        conversation_id: "bench".into(),
        turn_index: 0,
        history: Default::default(),
        turn: Prompt::Chat(vec![Message::text("user", "word ".repeat(200))]).into(),
    }
}

fn bench_api(
    plugin: &Plugin,
    spec: &CheckSpec,
    services: &Services,
    native: OpenNative<'_>,
    report: &mut BenchReport,
) -> Result<(), PartError> {
    let run = RunConfig { options: spec.api_options.clone(), dataset_path: None, ..spec.run.clone() };
    let source = Source::new(plugin, Role::Api, &run, services)?;
    let Some(exports) = plugin.roles.api.clone() else { return Ok(()) };
    report.rows.push(measure::<CallError>("instantiate and open (api)", || timed(|| source.api(&exports)))?);

    let api = plugin.api(&run, services)?;
    let understood = |reply: &Recorded| {
        let outcome = api.parse(&reply.reply());
        outcome.is_ok_and(|outcome| outcome.failure.is_none() && !outcome.text.is_empty())
    };
    let dialect = known(16).iter().position(understood);
    let twin = dialect.and_then(|at| known(16).into_iter().nth(at)).and_then(|reply| {
        let plain = RunConfig { options: Default::default(), ..run.clone() };
        native(&reply.name, &plain).filter(|native| same(&**native, &*api, &reply))
    });

    let turn = question();
    let mut row = measure("shape, a chat of 1,000 bytes", || timed(|| api.shape(&turn)))?;
    row.native_best_us = against(&twin, |native| native.shape(&turn).map(drop));
    report.rows.push(row);

    // A server that nobody knows is known by what it was recorded to say.
    let recorded = || spec.replies.iter().find_map(|reply| Some((reply, output_of(&*api, reply)?)));
    let of_frames = |count: usize| match dialect {
        Some(dialect) => known(count).into_iter().nth(dialect),
        None => recorded().map(|(reply, output)| stretched(reply, output, count)),
    };
    for count in [1, 128, 4_096] {
        let Some(reply) = of_frames(count) else { continue };
        report.dialect = Some(reply.name.clone());
        let frames = if count == 1 { "1 frame".into() } else { format!("{count} frames") };
        report.rows.push(parse_row(&*api, &twin, &reply, &format!("parse, {frames}"))?);
    }
    for reply in &spec.replies {
        let what = format!("parse, {} ({} frames)", reply.name, reply.framed.frames.len());
        report.rows.push(parse_row(&*api, &None, reply, &what)?);
    }
    Ok(())
}

/// The frames of a streamed reply from the first that carried output to the last; none if `api` does not
/// understand it.
fn output_of(api: &dyn Api, reply: &Recorded) -> Option<std::ops::Range<usize>> {
    let outcome = api.parse(&reply.reply()).ok().filter(|outcome| outcome.failure.is_none())?;
    let (first, last) = (outcome.outputs.first()?.frame, outcome.outputs.last()?.frame);
    (reply.framing != Framing::Whole).then_some(first as usize..last as usize + 1)
}

type Native = Arc<dyn Api>;

fn same(native: &dyn Api, api: &dyn Api, reply: &Recorded) -> bool {
    // Which frames had no output a component cannot say.
    let meaning = |api: &dyn Api| {
        let outcome = api.parse(&reply.reply()).ok()?;
        Some(Outcome { bare: Vec::new(), ..outcome })
    };
    meaning(native) == meaning(api)
}

fn parse_row(
    api: &dyn Api,
    twin: &Option<Native>,
    reply: &Recorded,
    what: &str,
) -> Result<BenchRow, PartError> {
    let mut row = measure(what, || timed(|| api.parse(&reply.reply())))?;
    row.native_best_us = against(twin, |native| native.parse(&reply.reply()).map(drop));
    Ok(row)
}

/// The fastest call of the twin, in microseconds.
fn against(twin: &Option<Native>, call: impl Fn(&dyn Api) -> Result<(), PartError>) -> Option<f64> {
    let native = twin.as_deref()?;
    measure("", || timed(|| call(native))).ok().map(|row| row.best_us)
}

fn bench_dataset(
    plugin: &Plugin,
    spec: &CheckSpec,
    services: &Services,
    report: &mut BenchReport,
) -> Result<(), PartError> {
    let run = RunConfig { options: spec.dataset_options.clone(), ..spec.run.clone() };
    let source = Source::new(plugin, Role::Dataset, &run, services)?;
    let Some(exports) = plugin.roles.dataset.clone() else { return Ok(()) };
    report
        .rows
        .push(measure::<CallError>("instantiate and open (dataset)", || timed(|| source.dataset(&exports)))?);
    let mut dataset = plugin.dataset(&run, services)?;
    let row = measure("next, 1,000 conversations", || {
        dataset.rewind()?;
        timed(|| thousand(&mut *dataset))
    })?;
    report.rows.push(row);
    Ok(())
}

/// Reads a thousand conversations as a run does, 16 at a time, from the start again at the end.
fn thousand(dataset: &mut dyn Dataset) -> Result<(), PartError> {
    let mut wanted: usize = 1_000;
    while wanted > 0 {
        let mut batch = dataset.next(wanted.min(16))?;
        if batch.is_empty() {
            dataset.rewind()?;
            batch = dataset.next(wanted.min(16))?;
        }
        if batch.is_empty() {
            let name = dataset.name();
            return Err(PartError::InvalidData(format!("the dataset \"{name}\" is empty; give it one item")));
        }
        wanted = wanted.saturating_sub(batch.len());
    }
    Ok(())
}

impl fmt::Display for BenchReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.plugin)?;
        writeln!(f, "  {:<40} {:>8} {:>12} {:>12} {:>12}", "", "calls", "best", "median", "native")?;
        for row in &self.rows {
            let native = row.native_best_us.map_or_else(|| "—".into(), micros);
            writeln!(
                f,
                "  {:<40} {:>8} {:>12} {:>12} {:>12}",
                row.what,
                row.calls,
                micros(row.best_us),
                micros(row.median_us),
                native
            )?;
        }
        let parses = self.rows.iter().any(|row| row.what.starts_with("shape"));
        match &self.dialect {
            Some(dialect) => writeln!(f, "replies in the dialect of {dialect}")?,
            None if parses => writeln!(
                f,
                "parse was not measured: none of the known dialects is its own; give --replies FILE with some \
                 of its server"
            )?,
            None => {}
        }
        Ok(())
    }
}

/// `84.2 µs`, `1.32 ms`.
fn micros(us: f64) -> String {
    if us < 1_000.0 { format!("{us:.1} µs") } else { format!("{:.2} ms", us / 1_000.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_told_in_units_that_can_be_read() {
        assert_eq!((micros(84.21), micros(1_324.0)), ("84.2 µs".into(), "1.32 ms".into()));
    }

    #[test]
    fn what_is_measured_is_called_at_least_once() {
        let row = measure::<()>("slow", || Ok(EACH * 2)).unwrap();
        assert_eq!((row.best_us, row.native_best_us), (800_000.0, None));
        assert_eq!(measure("bad", || Err::<Duration, _>("no")), Err("no"));
    }
}
