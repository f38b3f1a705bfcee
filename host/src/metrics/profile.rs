//! The course of a stage: what happened when, how figures are distributed, how sure they are. It is
//! what the report draws; its size does not grow with the number of records.

use serde::Serialize;

use super::bins::{Bars, Cells, Columns, HeatMap, Histogram, Track, aligned};
use super::resample::{Interval, RequestSample, wilson_percent};
use super::turns::{ConversationView, Turns};
use super::{Quantity, StageSummary};
use crate::record::{GoodputTarget, RequestRecord, StageEnd};
use crate::units::Nanos;

/// The times of requests that are drawn, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Drawn {
    /// Time to first token, at the moment of the first token.
    Ttft,
    /// Time per output token, at the moment the answer was complete.
    Tpot,
    /// Intervals between frames of output, each at its end.
    Itl,
    /// The whole request, at the moment it was complete.
    Latency,
}

impl Drawn {
    /// All of them.
    pub const ALL: [Drawn; 4] = [Drawn::Ttft, Drawn::Tpot, Drawn::Itl, Drawn::Latency];
}

/// Collects the course of a stage. Warm-up requests are left out.
#[derive(Debug)]
pub struct ProfileAccumulator {
    origin: Nanos,
    histograms: [Histogram; 4],
    maps: [HeatMap; 4],
    tokens: Track,
    in_flight: Track,
    completed: Track,
    failed: Track,
    conversations: Turns,
    sample: RequestSample,
    goodput: Vec<GoodputTarget>,
}

/// The course of a stage, as it is drawn.
#[derive(Debug, Clone)]
pub struct Profile {
    /// The distribution of each time that was measured.
    pub bars: Vec<(Drawn, Bars)>,
    /// The same over time.
    pub cells: Vec<(Drawn, Cells)>,
    /// What went on over time.
    pub course: Course,
    /// The conversations; `None` where none has more than one turn.
    pub conversations: Option<ConversationView>,
    /// How sure figures are, where enough was measured to say.
    pub intervals: Vec<(Quantity, Interval)>,
    /// The requests that intervals come from.
    pub sample: RequestSample,
}

/// What went on over time, in columns of equal width.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Course {
    /// The width of a column, in seconds.
    pub column_s: f64,
    /// Requests in flight, on average over the column.
    pub in_flight: Vec<f64>,
    /// Output tokens per second.
    pub output_tps: Vec<f64>,
    /// Successful requests per second, when they were complete.
    pub completed_rps: Vec<f64>,
    /// Failed requests per second.
    pub failed_rps: Vec<f64>,
}

impl ProfileAccumulator {
    /// Nothing yet of a stage with these goodput targets, that ended with `end`, if it is known.
    pub fn new(goodput: &[GoodputTarget], end: Option<&StageEnd>) -> ProfileAccumulator {
        let origin = end.map_or(Nanos::ZERO, |end| Nanos(end.started_ns));
        let columns = Columns::new(origin);
        let track = || Track::new(columns.clone());
        ProfileAccumulator {
            origin,
            histograms: Default::default(),
            maps: [(); 4].map(|()| HeatMap::new(columns.clone())),
            tokens: track(),
            in_flight: track(),
            completed: track(),
            failed: track(),
            conversations: Turns::default(),
            sample: RequestSample::default(),
            goodput: goodput.to_vec(),
        }
    }

    /// Takes a record into account.
    pub fn push(&mut self, record: &RequestRecord) {
        if record.key.warmup {
            return;
        }
        self.in_flight.occupy(record.sent.unwrap_or(record.closed), record.closed);
        self.conversations.push(record, self.origin);
        if record.failure.is_some() {
            self.failed.add(record.closed, 1.0);
            return;
        }
        self.completed.add(record.completed, 1.0);
        self.sample.push(record, self.goodput.iter().all(|target| target.is_met_by(record)));
        let mut draw = |what: Drawn, at: Nanos, value: f64| {
            self.histograms[what as usize].add(value);
            self.maps[what as usize].add(at, value);
        };
        let mut time = |what, at: Option<Nanos>, value: Option<f64>| {
            if let (Some(at), Some(value)) = (at, value) {
                draw(what, at, value);
            }
        };
        time(Drawn::Ttft, record.first_token, record.ttft_ms);
        time(Drawn::Tpot, Some(record.completed), record.tpot_ms);
        time(Drawn::Latency, Some(record.completed), record.latency_ms);
        let output = record.tokens.output.unwrap_or(0) as f64;
        match record.first_token {
            // The frames have their tokens; where only the sum is known, each has its share.
            Some(first) => {
                let share = output / (record.itl_ms.len() + 1) as f64;
                let mut at = first;
                self.tokens.add(at, share);
                for &itl_ms in &record.itl_ms {
                    at = at + Nanos::from_ms(itl_ms);
                    draw(Drawn::Itl, at, itl_ms);
                    self.tokens.add(at, share);
                }
            }
            None => self.tokens.add(record.completed, output),
        }
    }

    /// The course, and how sure the figures of `stage` are.
    pub fn finish(self, stage: &StageSummary) -> Profile {
        let tracks = [&self.in_flight, &self.tokens, &self.completed, &self.failed];
        let (column_s, [in_flight, output_tps, completed_rps, failed_rps]) =
            aligned(tracks).map_rows(|sum, width_s| if width_s > 0.0 { sum / width_s } else { 0.0 });
        let of = |what: Drawn| what as usize;
        let intervals = intervals(stage, &self.sample);
        Profile {
            bars: Drawn::ALL.into_iter().filter_map(|w| Some((w, self.histograms[of(w)].bars()?))).collect(),
            cells: Drawn::ALL.into_iter().filter_map(|w| Some((w, self.maps[of(w)].cells()?))).collect(),
            course: Course { column_s, in_flight, output_tps, completed_rps, failed_rps },
            conversations: self.conversations.view(),
            intervals,
            sample: self.sample,
        }
    }
}

/// Divides rows by the width of their columns.
trait MapRows {
    fn map_rows(self, of: impl Fn(f64, f64) -> f64) -> Self;
}

impl<const N: usize> MapRows for (f64, [Vec<f64>; N]) {
    fn map_rows(self, of: impl Fn(f64, f64) -> f64) -> Self {
        let (width_s, rows) = self;
        (width_s, rows.map(|row| row.into_iter().map(|sum| of(sum, width_s)).collect()))
    }
}

/// The seed of the intervals: any will do, as long as it is the same for the same stage.
pub(super) const SEED: u64 = 0x7469_636B_7261_7465;

fn intervals(stage: &StageSummary, sample: &RequestSample) -> Vec<(Quantity, Interval)> {
    let drawn = sample.replicates(SEED, stage.stage.parallel, |quantity| quantity.of(stage));
    let mut out: Vec<_> = drawn.iter().map(|figure| (figure.quantity, figure.interval())).collect();
    let counts = [("error_rate", Some(stage.failed())), ("good_rate", stage.good)];
    for (name, hits) in counts {
        let interval = hits.and_then(|hits| wilson_percent(hits, stage.total));
        out.extend(Quantity::named(name).ok().zip(interval));
    }
    if stage.stage.parallel.is_none() {
        out.extend(Quantity::named("goodput").ok().zip(goodput_of_arrivals(stage)));
    }
    out
}

/// Where the goodput of an open loop is thought to be: the arrivals are given, and which of them are good
/// is a share.
fn goodput_of_arrivals(stage: &StageSummary) -> Option<Interval> {
    let Interval { low, high } = wilson_percent(stage.good?, stage.total)?;
    let of = |percent: f64| Some(percent / 100.0 * stage.total as f64 / stage.duration_s?);
    Some(Interval { low: of(low)?, high: of(high)? })
}

impl Profile {
    /// How sure a figure is; `None` where there was too little to say.
    pub fn interval(&self, quantity: Quantity) -> Option<Interval> {
        self.intervals.iter().find(|(other, _)| *other == quantity).map(|(_, interval)| *interval)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::StageAccumulator;
    use crate::record::{StageHeader, testing};

    #[test]
    fn the_course_adds_up_to_the_stage() {
        let header = StageHeader {
            index: 0,
            name: "parallel_2".into(),
            parallel: Some(2),
            rate_rps: None,
            number: 40,
            warmup: 0,
            goodput: Vec::new(),
            conversations: false,
            folder: std::env::temp_dir(),
        };
        let (mut figures, mut profile) = (StageAccumulator::new(&header), ProfileAccumulator::new(&[], None));
        for index in 0..40 {
            let sent_ms = f64::from(index / 2) * 100.0;
            let record = match index {
                7 => testing::failed(sent_ms, 50.0),
                _ => testing::streamed(sent_ms, 20.0, 5.0, 11),
            };
            figures.push(&record);
            profile.push(&record);
        }
        let stage = figures.finish(&header, None).unwrap();
        let profile = profile.finish(&stage);
        let course = &profile.course;
        let total = |row: &[f64]| row.iter().sum::<f64>() * course.column_s;
        assert!((total(&course.output_tps) - 39.0 * 11.0).abs() < 1e-6);
        assert!((total(&course.completed_rps) - 39.0).abs() < 1e-6);
        assert!((total(&course.failed_rps) - 1.0).abs() < 1e-6);
        assert!((total(&course.in_flight) - (39.0 * 0.07 + 0.05)).abs() < 1e-6);
        let counts: Vec<u64> = profile.bars.iter().map(|(_, bars)| bars.counts.iter().sum()).collect();
        assert_eq!(counts, [39, 39, 390, 39]);
        assert!(profile.conversations.is_none());
        assert!(profile.interval(Quantity::named("goodput").unwrap()).is_none(), "nobody asked");
        let error_rate = profile.interval(Quantity::named("error_rate").unwrap()).unwrap();
        assert!(error_rate.low < 2.5 && 2.5 < error_rate.high, "{error_rate:?}");
    }

    #[test]
    fn goodput_is_as_sure_as_its_share_in_either_loop() {
        for (parallel, rate_rps) in [(Some(1), None), (None, Some(10.0))] {
            let header = StageHeader {
                index: 0,
                name: "stage".into(),
                parallel,
                rate_rps,
                number: 200,
                warmup: 0,
                goodput: vec!["ttft:50".parse().unwrap()],
                conversations: false,
                folder: std::env::temp_dir(),
            };
            let mut figures = StageAccumulator::new(&header);
            let mut profile = ProfileAccumulator::new(&header.goodput, None);
            for index in 0..200 {
                // Every fourth is slow to begin, and as long as the others.
                let ttft_ms = if index % 4 == 3 { 80.0 } else { 20.0 };
                let record =
                    testing::streamed(f64::from(index) * 100.0, ttft_ms, (100.0 - ttft_ms) / 10.0, 11);
                figures.push(&record);
                profile.push(&record);
            }
            let stage = figures.finish(&header, None).unwrap();
            let profile = profile.finish(&stage);
            let (goodput, all) = (stage.goodput_rps().unwrap(), stage.request_throughput_rps().unwrap());
            assert!((goodput / all - 0.75).abs() < 1e-9);
            let Interval { low, high } = profile.interval(Quantity::named("goodput").unwrap()).unwrap();
            assert!(low < goodput && goodput < high && high < all, "{low} {goodput} {high} {all}");
            // 1.96 standard deviations of a share of three quarters of 200: 6 % to either side. In the order
            // in which they came, the slow ones are spread evenly, and blocks of them vary less.
            assert!((0.01..0.13).contains(&((high - low) / all)), "{low} {high}");
        }
    }
}
