//! The runs of the bench, and what is taken from each.

use std::path::Path;

use tickrate::record::RequestRecord;

use crate::arrivals::Arrivals;
use crate::client::{self, Load, Prompt, Ran};
use crate::launch::{Cores, Standing, Usage};
use crate::results::{
    Cell, Figures, Paced, Reader, Results, SeveralTokens, StartUp, line, middle_start_up, put_together,
};
use crate::server::{Server, ServerSpec};
use crate::truth::{self, Seen, Spread, Truth};
use crate::{BenchError, Options, Part, floor};

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
            realtime: None,
            load_average: Default::default(),
            start_ups: Vec::new(),
            shielded: self.options.standing == Standing::Shielded,
            cells: Vec::new(),
            large: Vec::new(),
            saturated: None,
            several: None,
            paced: Vec::new(),
        };
        for &part in &self.options.parts {
            match part {
                Part::Matrix => results.cells = self.matrix(&mut results)?,
                Part::Large => results.large = self.large(&mut results)?,
                Part::Saturated => results.saturated = Some(self.saturated(&mut results)?),
                Part::Several => results.several = Some(self.several_tokens()?),
                Part::Paced => results.paced = self.schedules()?,
            }
        }
        Ok(results)
    }

    fn all_readers(&self) -> Vec<Reader> {
        let plugin = self.options.plugin.is_some();
        Reader::ALL.into_iter().filter(|&reader| plugin || reader != Reader::Plugin).collect()
    }

    /// One request of one token.
    fn start_up(&self, reader: Reader) -> Result<StartUp, BenchError> {
        let running = Server::start(&ServerSpec::paced(5, 1), &self.cores, self.folder)?;
        let (_, usage, _) = self.read(reader, &running.url, &self.load(1, 1, 1))?;
        let truth = truth::read(&running.stop()?)?;
        let arrived_ns = truth::first_arrival_ns(&truth).ok_or(BenchError::NothingArrived)?;
        let to_request_ms = (arrived_ns - usage.started_ns) as f64 / 1e6;
        Ok(StartUp { reader, cpu_s: usage.cpu_s, to_request_ms })
    }

    fn load(&self, streams: usize, requests: u64, max_tokens: u32) -> Load {
        let program = self.options.program.clone();
        let prompt = Prompt::Short;
        Load { streams, requests, max_tokens, prompt, plugin: None, program, flags: Vec::new() }
    }

    /// Each number of streams, of a server that keeps time.
    fn matrix(&self, results: &mut Results) -> Result<Vec<Cell>, BenchError> {
        let mut cells = Vec::new();
        for &itl_ms in &self.options.itls {
            for &streams in &self.options.streams {
                let each = if itl_ms > 10 { 3 } else { 4 };
                let load = self.load(streams, streams as u64 * each, TOKENS);
                let ideal_s = each as f64 * (TTFT_MS + f64::from(itl_ms * (TOKENS - 1))) / 1e3;
                let server = ServerSpec::paced(itl_ms, 1);
                let readers = self.readers(&server, &load, ideal_s, results)?;
                cells.push(Cell { streams, itl_ms, readers });
            }
        }
        Ok(cells)
    }

    /// A server that knows no pace.
    fn saturated(&self, results: &mut Results) -> Result<Cell, BenchError> {
        const STREAMS: usize = 16;
        let load = self.load(STREAMS, if self.options.quick { 256 } else { 1024 }, 1024);
        let readers = self.readers(&ServerSpec::unpaced(), &load, f64::NAN, results)?;
        Ok(Cell { streams: STREAMS, itl_ms: 0, readers })
    }

    /// Prompts of a quarter of a megabyte, and replies of one.
    fn large(&self, results: &mut Results) -> Result<Vec<(&'static str, Cell)>, BenchError> {
        const STREAMS: usize = 32;
        let mut all = Vec::new();
        for (name, words, tokens, each, itl_ms) in
            [("50,000-word prompts", Some(50_000), TOKENS, 8, 5), ("replies of 1 MB", None, 4_000, 1, 2)]
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
        let earlier = results.start_ups.len();
        let rounds = if load.streams == 1 { ROUNDS_ALONE } else { 1 } * self.options.rounds;
        for _ in 0..rounds {
            for (reader, taken) in readers.iter().zip(&mut taken) {
                // Taken anew each time: it depends on what the machine did in the minute before.
                results.start_ups.push(self.start_up(*reader)?);
                let running = Server::start(server, &self.cores, self.folder)?;
                if server.realtime {
                    results.realtime = Some(running.realtime && results.realtime.unwrap_or(true));
                }
                let (seen, usage, trust) = self.read(*reader, &running.url, load)?;
                let truth = truth::read(&running.stop()?)?;
                let figures = figures(&truth, &seen, usage, trust, ideal_s);
                eprintln!("{:>5} streams  {:<18} {}", load.streams, reader.name(), line(&figures));
                taken.push(figures);
            }
        }
        for (reader, taken) in readers.iter().zip(&mut taken) {
            let start_up_s = middle_start_up(&results.start_ups[earlier..], *reader, |it| it.cpu_s);
            let start_up_us = start_up_s.unwrap_or(f64::NAN) * 1e6;
            for Figures { cpu_us, cpu_in_all_us, tokens, .. } in taken {
                *cpu_us = (*cpu_in_all_us * *tokens - start_up_us) / (*tokens - 1.0);
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

    /// Arrivals at two rates, from as many workers as tickrate takes and from several.
    fn schedules(&self) -> Result<Vec<Paced>, BenchError> {
        let seconds = if self.options.quick { 2 } else { 6 };
        let schedules = [(500, None), (5000, None), (500, Some(4)), (5000, Some(4))];
        schedules.into_iter().map(|(rate, workers)| self.paced(rate, workers, seconds)).collect()
    }

    fn paced(&self, rate: u32, workers: Option<u32>, seconds: u32) -> Result<Paced, BenchError> {
        let mut load = self.load(256, u64::from(rate * seconds), 1);
        load.flags = vec!["--no-stream".into(), "--rate".into(), rate.to_string()];
        load.flags.extend(workers.into_iter().flat_map(|workers| ["--workers".into(), workers.to_string()]));
        let (ran, truth) = self.one_run(&ServerSpec::unpaced(), &load)?;
        let span = |at: fn(&RequestRecord) -> Option<i64>| {
            let times = || ran.records.iter().filter_map(at);
            times().max().unwrap_or(0) - times().min().unwrap_or(0)
        };
        let due = span(|record| Some(record.due.0)) as f64;
        let sent = span(|record| record.sent.map(|sent| sent.0)) as f64;
        let unsent = ran.records.iter().filter(|record| !record.ok()).count() as f64;
        let share = 1.0 - unsent / ran.records.len().max(1) as f64;
        let lag = Spread::of(ran.records.iter().filter_map(|record| record.dispatch_lag_ms).collect());
        let arrived_ns = truth.values().map(|served| served.arrived_ns).collect();
        let arrivals = Arrivals::of(arrived_ns, f64::from(rate));
        let paced = Paced { asked_rps: rate, workers, delivered: share * due / sent, lag, arrivals };
        eprintln!("{paced:?}");
        Ok(paced)
    }
}

fn figures(truth: &Truth, seen: &[Seen], usage: Usage, trust: (f64, f64), ideal_s: f64) -> Figures {
    let (elapsed_s, tokens) = (truth::elapsed_s(truth), truth::tokens(truth) as f64);
    Figures {
        errors: truth::compare(truth, seen),
        delivered: ideal_s / elapsed_s,
        tokens_per_s: tokens / elapsed_s,
        cpu_us: f64::NAN,
        tokens,
        cpu_in_all_us: usage.cpu_s * 1e6 / tokens,
        rss_mib: usage.rss_mib,
        trust_ms: trust.0,
        limited: trust.1,
    }
}
