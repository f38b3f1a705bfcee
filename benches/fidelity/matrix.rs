//! The runs of the bench, and what is taken from each.

use std::path::Path;

use tickrate::record::RequestRecord;

use crate::client::{self, Load, Prompt, Ran};
use crate::launch::{Cores, Standing, Usage};
use crate::server::{Server, ServerSpec};
use crate::truth::{self, Errors, Seen, Spread, Truth};
use crate::{BenchError, Options, floor};

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
    /// CPU time a token, in microseconds, beyond what a run of one token takes.
    pub cpu_us: f64,
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
    /// The share of the asked rate that was delivered.
    pub delivered: f64,
    pub lag: Spread,
}

/// Everything that was measured.
#[derive(Debug)]
pub struct Results {
    pub cores: usize,
    pub rounds: usize,
    pub best: bool,
    pub realtime: bool,
    pub shielded: bool,
    /// The load average of the machine, its cores' worth of work, before and after.
    pub load_average: [String; 2],
    /// What runs of one request of one token took of CPU time, each from the start of the process to its
    /// end, in seconds.
    pub start_ups_s: Vec<(Reader, f64)>,
    pub cells: Vec<Cell>,
    /// What is sent and what comes back is long; what it is is said in words.
    pub large: Vec<(&'static str, Cell)>,
    pub saturated: Option<Cell>,
    pub several: Option<SeveralTokens>,
    pub paced: Vec<Paced>,
}

impl Results {
    /// What a run of one request of one token takes of CPU time, in seconds: the middle one of all; `None`
    /// where there was none.
    pub fn start_up_s(&self, reader: Reader) -> Option<f64> {
        let mut taken: Vec<f64> =
            self.start_ups_s.iter().filter(|(of, _)| *of == reader).map(|(_, seconds)| *seconds).collect();
        taken.sort_unstable_by(f64::total_cmp);
        taken.get(taken.len() / 2).copied()
    }
}

/// The bench, ready to run.
pub struct Bench<'a> {
    pub options: &'a Options,
    pub cores: Cores,
    pub folder: &'a Path,
}

/// Tokens of each reply.
const TOKENS: u32 = 128;
/// The TTFT of the paced server, in milliseconds.
const TTFT_MS: f64 = 50.0;
/// How many times as many rounds a single stream gets. It lets a core sleep between tokens, and what it
/// takes to wake it differs by a factor of three from one run to the next.
pub const ROUNDS_ALONE: usize = 3;

/// What a reader saw, what it used, and its own verdict: how far it trusts itself in ms, and whether
/// (1 or 0) it was a limit.
type Read = (Vec<Seen>, Usage, (f64, f64));

impl Bench<'_> {
    /// Runs everything.
    pub fn run(&self) -> Result<Results, BenchError> {
        let mut results = Results {
            cores: self.cores.count(),
            rounds: self.options.rounds,
            best: self.options.best,
            realtime: true,
            load_average: Default::default(),
            start_ups_s: Vec::new(),
            shielded: self.options.standing == Standing::Shielded,
            cells: Vec::new(),
            large: Vec::new(),
            saturated: None,
            several: None,
            paced: Vec::new(),
        };
        for &itl_ms in &self.options.itls {
            for &streams in &self.options.streams {
                let each = if itl_ms > 10 { 3 } else { 4 };
                let load = self.load(streams, streams as u64 * each, TOKENS);
                let ideal_s = each as f64 * (TTFT_MS + f64::from(itl_ms * (TOKENS - 1))) / 1e3;
                let server = ServerSpec::paced(itl_ms, 1);
                let readers = self.readers(&server, &load, ideal_s, &mut results)?;
                results.cells.push(Cell { streams, itl_ms, readers });
            }
        }
        if self.options.matrix_only {
            return Ok(results);
        }
        results.large = self.large(&mut results)?;
        let load = self.load(16, if self.options.quick { 256 } else { 1024 }, 1024);
        let readers = self.readers(&ServerSpec::unpaced(), &load, f64::NAN, &mut results)?;
        results.saturated = Some(Cell { streams: 16, itl_ms: 0, readers });
        results.several = Some(self.several_tokens()?);
        let seconds = if self.options.quick { 2 } else { 6 };
        for rate in [500, 5000] {
            results.paced.push(self.paced(rate, seconds)?);
        }
        Ok(results)
    }

    fn all_readers(&self) -> Vec<Reader> {
        let plugin = self.options.plugin.is_some();
        Reader::ALL.into_iter().filter(|&reader| plugin || reader != Reader::Plugin).collect()
    }

    /// What a reader uses for one request of one token, in seconds of CPU time.
    fn start_up_s(&self, reader: Reader) -> Result<f64, BenchError> {
        let running = Server::start(&ServerSpec::paced(5, 1), &self.cores, self.folder)?;
        Ok(self.read(reader, &running.url, &self.load(1, 1, 1))?.1.cpu_s)
    }

    fn load(&self, streams: usize, requests: u64, max_tokens: u32) -> Load {
        let program = self.options.program.clone();
        let prompt = Prompt::Short;
        Load { streams, requests, max_tokens, prompt, plugin: None, program, flags: Vec::new() }
    }

    /// Prompts of a quarter of a megabyte, and replies of one.
    fn large(&self, results: &mut Results) -> Result<Vec<(&'static str, Cell)>, BenchError> {
        const STREAMS: usize = 32;
        let mut all = Vec::new();
        for (name, words, tokens, each, itl_ms) in
            [("50,000-word prompts", Some(50_000), TOKENS, 3, 5), ("replies of 1 MB", None, 4_000, 1, 2)]
        {
            let mut load = self.load(STREAMS, STREAMS as u64 * each, tokens);
            load.prompt = words.map_or(Prompt::Short, Prompt::Words);
            let ideal_s = each as f64 * (TTFT_MS + f64::from(itl_ms * (tokens - 1))) / 1e3;
            let readers = self.readers(&ServerSpec::paced(itl_ms, 1), &load, ideal_s, results)?;
            all.push((name, Cell { streams: STREAMS, itl_ms, readers }));
        }
        Ok(all)
    }

    /// All readers under one load, in turn in each round, so that a busy machine meets them alike.
    fn readers(
        &self,
        server: &ServerSpec,
        load: &Load,
        ideal_s: f64,
        results: &mut Results,
    ) -> Result<Vec<(Reader, Figures)>, BenchError> {
        let readers = self.all_readers();
        let mut taken: Vec<Vec<Figures>> = vec![Vec::new(); readers.len()];
        let rounds = if load.streams == 1 { ROUNDS_ALONE } else { 1 } * self.options.rounds;
        for _ in 0..rounds {
            for (reader, taken) in readers.iter().zip(&mut taken) {
                // Taken anew each time: it depends on what the machine did in the minute before.
                let start_up_s = self.start_up_s(*reader)?;
                results.start_ups_s.push((*reader, start_up_s));
                let running = Server::start(server, &self.cores, self.folder)?;
                results.realtime &= running.realtime;
                let (seen, usage, trust) = self.read(*reader, &running.url, load)?;
                let truth = truth::read(&running.stop()?)?;
                let figures = figures(&truth, &seen, usage, start_up_s, trust, ideal_s);
                eprintln!("{:>5} streams  {:<18} {}", load.streams, reader.name(), line(&figures));
                taken.push(figures);
            }
        }
        let best = self.options.best;
        Ok(readers.into_iter().zip(taken.iter().map(|taken| put_together(taken, best))).collect())
    }

    fn read(&self, reader: Reader, url: &str, load: &Load) -> Result<Read, BenchError> {
        let (cores, standing, folder) = (&self.cores, self.options.standing, self.folder);
        let plugin = match reader {
            Reader::Floor => {
                let (seen, usage) = floor::run(url, load, cores, standing, folder)?;
                return Ok((seen, usage, (f64::NAN, 0.0)));
            }
            Reader::Native => None,
            Reader::Plugin => self.options.plugin.clone(),
        };
        let ran = client::run(url, &Load { plugin, ..load.clone() }, cores, standing, folder)?;
        let health = ran.end.as_ref().map(|end| &end.health);
        let trust = health.and_then(|health| health.trust_ms).unwrap_or(f64::NAN);
        let limited = health.is_some_and(|health| health.client_limited);
        Ok((ran.seen(), ran.usage, (trust, f64::from(u8::from(limited)))))
    }

    fn one_run(&self, server: &ServerSpec, load: &Load) -> Result<(Ran, Truth), BenchError> {
        let running = Server::start(server, &self.cores, self.folder)?;
        let ran = client::run(&running.url, load, &self.cores, self.options.standing, self.folder)?;
        Ok((ran, truth::read(&running.stop()?)?))
    }

    fn several_tokens(&self) -> Result<SeveralTokens, BenchError> {
        let mut load = self.load(64, 256, TOKENS);
        let usage = r#"{"stream_options":{"include_usage":true,"continuous_usage_stats":true}}"#;
        load.flags = vec!["--extra-args".into(), usage.into()];
        let (ran, _) = self.one_run(&ServerSpec::paced(20, 4), &load)?;
        Ok(SeveralTokens {
            truth_ms: 5.0,
            time_per_token_ms: ran.median(|record| record.time_per_token_ms),
            tpot_ms: ran.median(|record| record.tpot_ms),
        })
    }

    fn paced(&self, rate: u32, seconds: u32) -> Result<Paced, BenchError> {
        let mut load = self.load(256, u64::from(rate * seconds), 1);
        load.flags = vec!["--no-stream".into(), "--rate".into(), rate.to_string()];
        let (ran, _) = self.one_run(&ServerSpec::unpaced(), &load)?;
        let span = |at: fn(&RequestRecord) -> Option<i64>| {
            let times = || ran.records.iter().filter_map(at);
            times().max().unwrap_or(0) - times().min().unwrap_or(0)
        };
        let due = span(|record| Some(record.due.0)) as f64;
        let sent = span(|record| record.sent.map(|sent| sent.0)) as f64;
        let unsent = ran.records.iter().filter(|record| !record.ok()).count() as f64;
        let share = 1.0 - unsent / ran.records.len().max(1) as f64;
        let lag = Spread::of(ran.records.iter().filter_map(|record| record.dispatch_lag_ms).collect());
        let paced = Paced { asked_rps: rate, delivered: share * due / sent, lag };
        eprintln!("{paced:?}");
        Ok(paced)
    }
}

fn figures(
    truth: &Truth,
    seen: &[Seen],
    usage: Usage,
    start_up_s: f64,
    trust: (f64, f64),
    ideal_s: f64,
) -> Figures {
    let (elapsed_s, tokens) = (truth::elapsed_s(truth), truth::tokens(truth) as f64);
    Figures {
        errors: truth::compare(truth, seen),
        delivered: ideal_s / elapsed_s,
        tokens_per_s: tokens / elapsed_s,
        cpu_us: (usage.cpu_s - start_up_s) * 1e6 / (tokens - 1.0),
        cpu_in_all_us: usage.cpu_s * 1e6 / tokens,
        rss_mib: usage.rss_mib,
        trust_ms: trust.0,
        limited: trust.1,
    }
}

/// The median of each figure alone, or the best of each. Requests that were reported wrongly are
/// added up.
fn put_together(rounds: &[Figures], best: bool) -> Figures {
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
        cpu_in_all_us: usual(&|figures| figures.cpu_in_all_us),
        rss_mib: usual(&|figures| figures.rss_mib),
        trust_ms: usual(&|figures| figures.trust_ms),
        limited: usual(&|figures| figures.limited),
    }
}

/// What goes by while the bench runs.
fn line(figures: &Figures) -> String {
    let spread = |spread: Spread| format!("{:.3}/{:.3}/{:.2}", spread.p50, spread.p99, spread.max);
    let Figures { errors, .. } = figures;
    format!(
        "ttft {}  late {}  way {}  itl {}  latency {}  load {:.1} %  {:.0} tok/s  {:.2} µs/tok  {:.0} MiB  trust {:.2}  wrong {}",
        spread(errors.ttft),
        spread(errors.lateness),
        spread(errors.way),
        spread(errors.itl),
        spread(errors.latency),
        figures.delivered * 100.0,
        figures.tokens_per_s,
        figures.cpu_us,
        figures.rss_mib,
        figures.trust_ms,
        errors.wrong
    )
}
