//! What is measured: the figures of each reader under each load, and what several rounds come to.

use crate::arrivals::Arrivals;
use crate::truth::{Errors, Spread};

/// Who reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    /// The raw-socket reader.
    Floor,
    /// tickrate with its own API.
    Native,
    /// tickrate with a component for the API.
    Plugin,
}

impl Reader {
    /// All of them, in the order of the tables.
    pub const ALL: [Reader; 3] = [Reader::Floor, Reader::Native, Reader::Plugin];

    /// Its name in the tables.
    pub fn name(self) -> &'static str {
        match self {
            Reader::Floor => "raw reader",
            Reader::Native => "tickrate",
            Reader::Plugin => "tickrate, WASM API",
        }
    }
}

/// What one reader did under one load: for each figure the median, or the best, of the rounds.
#[derive(Debug, Clone, Copy, Default)]
pub struct Figures {
    pub errors: Errors,
    /// Tokens that arrived in a second, as a share of those of a client that loses no time.
    pub delivered: f64,
    pub tokens_per_s: f64,
    /// CPU time a token, in microseconds, beyond what a run of one token takes: the middle one of those that
    /// were taken with this load.
    pub cpu_us: f64,
    /// Tokens that the server wrote.
    pub tokens: f64,
    /// CPU time a token, in microseconds, of the whole run.
    pub cpu_in_all_us: f64,
    pub rss_mib: f64,
    /// What tickrate's own verdict trusts its times to; not a number for the raw reader.
    pub trust_ms: f64,
    /// Whether the verdict, in most rounds, says that the client was a limit.
    pub limited: f64,
}

/// One load, and all readers under it.
#[derive(Debug)]
pub struct Cell {
    pub streams: usize,
    pub itl_ms: u32,
    pub readers: Vec<(Reader, Figures)>,
}

impl Cell {
    /// The load in words.
    pub fn name(&self) -> String {
        format!("{} streams at {} ms", self.streams, self.itl_ms)
    }

    /// The figures of one reader.
    pub fn of(&self, reader: Reader) -> Option<&Figures> {
        self.readers.iter().find(|(of, _)| *of == reader).map(|(_, figures)| figures)
    }
}

/// Four tokens in a frame: the time of one, reported in two ways, and the truth.
#[derive(Debug, Clone, Copy)]
pub struct SeveralTokens {
    pub truth_ms: f64,
    pub time_per_token_ms: f64,
    pub tpot_ms: f64,
}

/// A paced schedule: what was asked and what was sent.
#[derive(Debug, Clone, Copy)]
pub struct Paced {
    pub asked_rps: u32,
    /// The threads that send, where it is said how many.
    pub workers: Option<u32>,
    /// The share of the asked rate that was delivered.
    pub delivered: f64,
    pub lag: Spread,
    /// What it looks like where it arrives.
    pub arrivals: Arrivals,
}

impl Paced {
    /// The schedule in words.
    pub fn name(&self) -> String {
        let workers = self.workers.map(|workers| format!(" from {workers} workers")).unwrap_or_default();
        format!("{} requests/s{workers}", self.asked_rps)
    }
}

/// One request of one token, from the start of the process to its end.
#[derive(Debug, Clone, Copy)]
pub struct StartUp {
    pub reader: Reader,
    /// CPU time in all, in seconds.
    pub cpu_s: f64,
    /// From the start of the process to the request's arrival, in milliseconds.
    pub to_request_ms: f64,
}

/// Everything that was measured.
#[derive(Debug)]
pub struct Results {
    pub cores: usize,
    pub rounds: usize,
    pub best: bool,
    /// Whether the servers that asked for real-time priority had it; `None` if none asked.
    pub realtime: Option<bool>,
    pub shielded: bool,
    /// The load average of the machine, its cores' worth of work, before and after.
    pub load_average: [String; 2],
    pub start_ups: Vec<StartUp>,
    pub cells: Vec<Cell>,
    /// What is sent and what comes back is long; what it is is said in words.
    pub large: Vec<(&'static str, Cell)>,
    pub saturated: Option<Cell>,
    pub several: Option<SeveralTokens>,
    pub paced: Vec<Paced>,
}

impl Results {
    /// A figure of the start-ups of a reader: the middle one of all; `None` where there was none.
    pub fn start_up(&self, reader: Reader, figure: fn(&StartUp) -> f64) -> Option<f64> {
        middle_start_up(&self.start_ups, reader, figure)
    }
}

/// A figure of those of the start-ups that are a reader's: the middle one; `None` where there is none.
pub fn middle_start_up(start_ups: &[StartUp], reader: Reader, figure: fn(&StartUp) -> f64) -> Option<f64> {
    let mut all: Vec<f64> =
        start_ups.iter().filter(|start_up| start_up.reader == reader).map(figure).collect();
    all.sort_unstable_by(f64::total_cmp);
    all.get(all.len() / 2).copied()
}

/// The median of each figure alone, or the best of each. Requests that were reported wrongly are
/// added up.
pub fn put_together(rounds: &[Figures], best: bool) -> Figures {
    let sorted = |of: &dyn Fn(&Figures) -> f64| {
        let mut values: Vec<f64> = rounds.iter().map(of).collect();
        values.sort_unstable_by(f64::total_cmp);
        values
    };
    let lowest_or = |of: &dyn Fn(&Figures) -> f64, best: bool| {
        let values = sorted(of);
        values.get(if best { 0 } else { values.len() / 2 }).copied().unwrap_or(f64::NAN)
    };
    let usual = |of: &dyn Fn(&Figures) -> f64| lowest_or(of, best);
    let highest = |of: &dyn Fn(&Figures) -> f64| -lowest_or(&|figures| -of(figures), best);
    let spread = |of: &dyn Fn(&Figures) -> Spread| Spread {
        p50: usual(&|figures| of(figures).p50),
        p99: usual(&|figures| of(figures).p99),
        max: usual(&|figures| of(figures).max),
    };
    Figures {
        errors: Errors {
            ttft: spread(&|figures| figures.errors.ttft),
            lateness: spread(&|figures| figures.errors.lateness),
            way: spread(&|figures| figures.errors.way),
            itl: spread(&|figures| figures.errors.itl),
            latency: spread(&|figures| figures.errors.latency),
            wrong: rounds.iter().map(|figures| figures.errors.wrong).sum(),
        },
        delivered: highest(&|figures| figures.delivered),
        tokens_per_s: highest(&|figures| figures.tokens_per_s),
        cpu_us: usual(&|figures| figures.cpu_us),
        tokens: usual(&|figures| figures.tokens),
        cpu_in_all_us: usual(&|figures| figures.cpu_in_all_us),
        rss_mib: usual(&|figures| figures.rss_mib),
        trust_ms: usual(&|figures| figures.trust_ms),
        limited: usual(&|figures| figures.limited),
    }
}

/// What goes by while the bench runs.
pub fn line(figures: &Figures) -> String {
    let spread = |spread: Spread| format!("{:.3}/{:.3}/{:.2}", spread.p50, spread.p99, spread.max);
    let Figures { errors, .. } = figures;
    format!(
        "ttft {}  late {}  way {}  itl {}  latency {}  load {:.1} %  {:.0} tok/s  {:.2} µs/tok in all  {:.0} MiB  trust {:.2}  wrong {}",
        spread(errors.ttft),
        spread(errors.lateness),
        spread(errors.way),
        spread(errors.itl),
        spread(errors.latency),
        figures.delivered * 100.0,
        figures.tokens_per_s,
        figures.cpu_in_all_us,
        figures.rss_mib,
        figures.trust_ms,
        errors.wrong
    )
}
