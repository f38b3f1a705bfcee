//! Records → intervals of time, each of which is handed out as soon as no later record can touch it.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};

use super::exchanges::Exchange;
use crate::metrics::{Distribution, Samples};
use crate::units::Nanos;

/// The quantiles of a metric that a timeline has.
pub(super) const QUANTILES: [f64; 3] = [0.5, 0.9, 0.99];

/// What has to be known of all records before the first can be put into its intervals.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    first: Nanos,
    last: Nanos,
    /// How much earlier than anything seen before it a record may begin.
    lag: Nanos,
}

impl Default for Span {
    fn default() -> Span {
        Span { first: Nanos(i64::MAX), last: Nanos(i64::MIN), lag: Nanos::ZERO }
    }
}

impl Span {
    /// The span that the next request in the file belongs to as well.
    pub(super) fn with(self, began: Nanos, closed: Nanos) -> Span {
        let last = self.last.max(closed);
        Span { first: self.first.min(began), last, lag: self.lag.max(last - began) }
    }

    pub(super) fn length(&self) -> Nanos {
        self.last - self.first
    }
}

/// The intervals that are not complete yet.
pub(super) struct Intervals {
    folder: PathBuf,
    span: Span,
    length: Nanos,
    count: usize,
    /// How many were handed out.
    done: usize,
    open: VecDeque<Interval>,
    seen: Nanos,
    in_flight: i64,
    /// The times between the frames of the request that is being placed, in milliseconds.
    itl_ms: Vec<f64>,
}

/// One interval of a stage.
#[derive(Debug)]
pub(super) struct Interval {
    start: Nanos,
    end: Nanos,
    sent: u64,
    succeeded: u64,
    failed: u64,
    output_tokens: f64,
    /// Moments at which requests were sent and over, as changes of how many are in flight.
    changes: Vec<(Nanos, i64)>,
    in_flight_before: i64,
    latency_ms: Samples,
    ttft_ms: Samples,
    tpot_ms: Samples,
    itl_ms: Samples,
}

/// The figures of an interval. What did not happen in it is `None`.
#[derive(Debug)]
pub(super) struct Figures {
    pub(super) start: Nanos,
    pub(super) end: Nanos,
    pub(super) sent: u64,
    pub(super) succeeded: u64,
    pub(super) failed: u64,
    pub(super) output_tokens: f64,
    pub(super) in_flight: f64,
    pub(super) in_flight_max: u64,
    /// Latency, TTFT, TPOT and ITL, in milliseconds.
    pub(super) times_ms: [Option<Distribution>; 4],
}

impl Intervals {
    /// Intervals of `length` from the beginning of `span` to its end, where the last is cut off.
    pub(super) fn new(folder: &Path, span: &Span, length: Nanos) -> Intervals {
        let count = usize::try_from((span.length().0 + length.0 - 1) / length.0).unwrap_or(1).max(1);
        let folder = folder.to_path_buf();
        let (open, itl_ms, seen) = (VecDeque::new(), Vec::new(), Nanos(i64::MIN));
        Intervals { folder, span: *span, length, count, done: 0, open, seen, in_flight: 0, itl_ms }
    }

    /// Puts what happened to a request where it happened, and returns the intervals that are complete.
    pub(super) fn push(&mut self, exchange: &Exchange<'_>) -> Vec<Interval> {
        if let Some(sent) = exchange.sent {
            self.at(sent).sent += 1;
            self.at(sent).changes.push((sent, 1));
            self.at(exchange.closed).changes.push((exchange.closed, -1));
        }
        let over = self.at(exchange.completed);
        if exchange.ok {
            over.succeeded += 1;
            over.latency_ms.push(exchange.latency_ms);
            over.tpot_ms.push(exchange.tpot_ms);
            if let Some(at) = exchange.first_token {
                self.at(at).ttft_ms.push(exchange.ttft_ms);
            }
            self.place_frames(exchange);
        } else {
            over.failed += 1;
        }
        self.seen = self.seen.max(exchange.closed);
        let untouched = self.seen - self.span.lag;
        let complete = ((untouched - self.span.first).0 / self.length.0).clamp(0, self.count as i64 - 1);
        self.hand_out(complete as usize)
    }

    /// An interval between two frames is where it ends. The output tokens come with their frames: as many as
    /// each is known to have brought, or else an equal share; without frames, when the answer is complete.
    /// Their sum is the request's count.
    fn place_frames(&mut self, exchange: &Exchange<'_>) {
        let output = exchange.output_tokens.map(|tokens| tokens as f64);
        let times = exchange.frame_ns;
        if let Some(output) = output.filter(|_| times.is_empty()) {
            self.at(exchange.completed).output_tokens += output;
        }
        let sum_of = |counts: &[i32]| counts.iter().map(|&tokens| i64::from(tokens)).sum::<i64>();
        let known = exchange.frame_tokens.map(|counts| (counts, sum_of(counts))).filter(|(_, sum)| *sum > 0);
        let each = output.unwrap_or(0.0) / known.map_or(times.len() as f64, |(_, sum)| sum as f64);
        let mut itl_ms = std::mem::take(&mut self.itl_ms);
        itl_ms.clear();
        itl_ms.extend(times.windows(2).map(|pair| Nanos(pair[1] - pair[0]).as_ms()));
        let mut placed = 0;
        // Many frames after each other are in the same interval.
        while let Some(&first) = times.get(placed) {
            let interval = self.at(Nanos(first));
            let within = interval.start.0..interval.end.0;
            let many = times[placed..].iter().take_while(|at| within.contains(at)).count().max(1);
            let until = placed + many;
            interval.itl_ms.extend(&itl_ms[placed.max(1) - 1..until - 1]);
            match known {
                Some((counts, _)) => {
                    counts[placed..until]
                        .iter()
                        .for_each(|&tokens| interval.output_tokens += each * f64::from(tokens));
                }
                None => (0..many).for_each(|_| interval.output_tokens += each),
            }
            placed = until;
        }
        self.itl_ms = itl_ms;
    }

    /// The intervals that are left.
    pub(super) fn finish(mut self) -> Vec<Interval> {
        self.hand_out(self.count)
    }

    fn hand_out(&mut self, until: usize) -> Vec<Interval> {
        let mut out = Vec::new();
        while self.done < until {
            let mut interval = match self.open.pop_front() {
                Some(interval) => interval,
                None => self.interval(self.done),
            };
            interval.in_flight_before = self.in_flight;
            self.in_flight += interval.changes.iter().map(|(_, change)| change).sum::<i64>();
            self.done += 1;
            out.push(interval);
        }
        out
    }

    /// The interval that a moment is in.
    fn at(&mut self, at: Nanos) -> &mut Interval {
        let index = usize::try_from((at - self.span.first).0 / self.length.0).unwrap_or(0);
        let index = index.min(self.count - 1).saturating_sub(self.done);
        while self.open.len() <= index {
            let next = self.interval(self.done + self.open.len());
            self.open.push_back(next);
        }
        &mut self.open[index]
    }

    fn interval(&self, index: usize) -> Interval {
        let start = self.span.first + Nanos(self.length.0 * index as i64);
        let samples = || Samples::new(&self.folder);
        Interval {
            start,
            end: (start + self.length).min(self.span.last),
            sent: 0,
            succeeded: 0,
            failed: 0,
            output_tokens: 0.0,
            changes: Vec::new(),
            in_flight_before: 0,
            latency_ms: samples(),
            ttft_ms: samples(),
            tpot_ms: samples(),
            itl_ms: samples(),
        }
    }
}

impl Interval {
    /// The interval's figures. It fails if values that were too many for memory cannot be read back.
    pub(super) fn finish(mut self) -> io::Result<Figures> {
        // Of a slot that begins one request at the moment it ends another, only one is in flight.
        self.changes.sort_unstable();
        let (mut now, mut most, mut area, mut since) =
            (self.in_flight_before, self.in_flight_before, 0.0, self.start);
        for (at, change) in self.changes {
            area += now as f64 * (at - since).as_s();
            (now, since) = (now + change, at);
            most = most.max(now);
        }
        area += now as f64 * (self.end - since).as_s();
        let length_s = (self.end - self.start).as_s();
        let times = [self.latency_ms, self.ttft_ms, self.tpot_ms, self.itl_ms];
        let [latency, ttft, tpot, itl] = times.map(|samples| samples.distribution(&QUANTILES));
        Ok(Figures {
            start: self.start,
            end: self.end,
            sent: self.sent,
            succeeded: self.succeeded,
            failed: self.failed,
            output_tokens: self.output_tokens,
            in_flight: if length_s > 0.0 { area / length_s } else { now as f64 },
            in_flight_max: u64::try_from(most).unwrap_or(0),
            times_ms: [latency?, ttft?, tpot?, itl?],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::rows::Rows;
    use super::super::super::sample;
    use super::super::exchanges::{Exchanges, Requests};
    use super::*;
    use crate::record::RequestRecord;
    use proptest::prelude::*;

    fn figures(records: &[RequestRecord], length: Nanos) -> (Vec<Figures>, usize) {
        let folder = tempfile::tempdir().unwrap();
        let mut rows = Rows::new();
        records.iter().for_each(|record| rows.push(record));
        let batch = rows.finish().unwrap();
        let requests = Requests::new(&batch).unwrap();
        let span = requests.began_and_closed().fold(Span::default(), |span, (b, c)| span.with(b, c));
        let mut intervals = Intervals::new(folder.path(), &span, length);
        let (mut out, mut most_open) = (Vec::new(), 0);
        for exchange in Exchanges::new(&batch).unwrap().iter() {
            out.extend(intervals.push(&exchange.unwrap()));
            most_open = most_open.max(intervals.open.len());
        }
        out.extend(intervals.finish());
        (out.into_iter().map(|interval| interval.finish().unwrap()).collect(), most_open)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// However the time is divided, all that happened is somewhere in it, once.
        #[test]
        fn nothing_is_lost_and_nothing_counts_twice(
            frames in proptest::collection::vec(1..40_usize, 1..30),
            length_ms in 1..3000_i64,
        ) {
            let records: Vec<_> = frames
                .iter()
                .enumerate()
                .map(|(index, &frames)| sample::success(index as u64 * 100, frames))
                .collect();
            let (intervals, _) = figures(&records, Nanos(length_ms * 1_000_000));
            let sum = |of: &dyn Fn(&Figures) -> f64| intervals.iter().map(of).sum::<f64>();
            let count = records.len() as f64;
            prop_assert_eq!(sum(&|i| i.sent as f64), count);
            prop_assert_eq!(sum(&|i| i.succeeded as f64), count);
            let tokens: usize = frames.iter().sum();
            prop_assert!((sum(&|i| i.output_tokens) - tokens as f64).abs() < 1e-6);
            let values = |which: usize| sum(&|i| i.times_ms[which].as_ref().map_or(0.0, |d| d.count() as f64));
            prop_assert_eq!(values(1), count);
            prop_assert_eq!(values(3), (tokens - records.len()) as f64);
            // Little's law: the time in flight is the sum of the exchanges.
            let in_flight = sum(&|i| i.in_flight * (i.end - i.start).as_s());
            let exchanges: f64 = records.iter().map(|r| (r.closed - r.sent.unwrap()).as_s()).sum();
            prop_assert!((in_flight / exchanges - 1.0).abs() < 1e-6);
            for pair in intervals.windows(2) {
                prop_assert_eq!(pair[0].end, pair[1].start);
            }
        }
    }

    #[test]
    fn only_what_later_records_may_touch_is_kept() {
        // Each takes about half a second, and begins a tenth of a second after the one before it.
        let records: Vec<_> = (0..2000).map(|index| sample::success(index * 100, 25)).collect();
        let (intervals, most_open) = figures(&records, Nanos::from_ms(100.0));
        assert!(intervals.len() > 1900, "{}", intervals.len());
        assert!(most_open < 15, "{most_open}");
        let middle = &intervals[1000];
        assert!((4.5..6.5).contains(&middle.in_flight), "{}", middle.in_flight);
    }

    #[test]
    fn frames_share_the_tokens_equally_where_one_does_not_know_its_own() {
        let mut known = sample::success(0, 4);
        let of = |record: &RequestRecord| {
            let (intervals, _) = figures(std::slice::from_ref(record), Nanos::from_ms(1.0));
            let tokens =
                intervals.iter().map(|interval| interval.output_tokens).filter(|&tokens| tokens > 0.0);
            tokens.collect::<Vec<f64>>()
        };
        known.tokens.output = Some(8);
        known.token_frames.iter_mut().zip([1, 2, 4, 1]).for_each(|(frame, n)| frame.tokens = Some(n));
        assert_eq!(of(&known), [1.0, 2.0, 4.0, 1.0]);
        known.token_frames[2].tokens = None;
        assert_eq!(of(&known), [2.0; 4]);
    }
}
