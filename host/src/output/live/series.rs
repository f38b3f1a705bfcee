//! The last minutes of a stage, second by second.

use std::collections::VecDeque;

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::record::RequestRecord;
use crate::units::Nanos;

/// How many seconds are kept.
const KEPT: usize = 600;

/// One second of a stage. What did not happen in it is absent.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Point {
    /// Seconds since the stage began.
    pub at_s: u64,
    /// Requests that succeeded in it.
    pub succeeded: u64,
    /// Requests that failed in it.
    pub failed: u64,
    /// Output tokens that came in it. A request's are known when it is over, so that the last seconds
    /// fill up as requests end.
    pub output_tokens: f64,
    /// Requests in flight at its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_flight: Option<u64>,
    /// Median and 99th percentile of the TTFT of requests whose first token came in it, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttft_ms: Option<[f64; 2]>,
    /// The same of the intervals between frames that ended in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub itl_ms: Option<[f64; 2]>,
    /// The latest that an event loop of the client was in it, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loop_lag_ms: Option<f64>,
}

/// The seconds, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Series {
    first: u64,
    seconds: VecDeque<Second>,
}

#[derive(Debug, Default)]
struct Second {
    succeeded: u64,
    failed: u64,
    output_tokens: f64,
    in_flight: Option<u64>,
    loop_lag_ms: Option<f64>,
    ttft: Times,
    itl: Times,
}

/// Times to one digit, which is finer than a chart; nothing is allocated before the first.
#[derive(Debug, Default)]
struct Times(Option<Histogram<u32>>);

impl Times {
    fn push(&mut self, ms: f64) {
        /// A day in microseconds.
        const HIGHEST_US: u64 = 86_400_000_000;
        if self.0.is_none() {
            self.0 = Histogram::new_with_bounds(1, HIGHEST_US, 1).ok();
        }
        if let Some(histogram) = &mut self.0 {
            histogram.saturating_record((ms.max(0.0) * 1e3) as u64);
        }
    }

    fn quantiles_ms(&self) -> Option<[f64; 2]> {
        let histogram = self.0.as_ref()?;
        Some([0.5, 0.99].map(|q| histogram.value_at_quantile(q) as f64 / 1e3))
    }
}

impl Series {
    /// Puts what happened to a request into the seconds in which it happened; `since` is when the
    /// stage began.
    pub(super) fn push(&mut self, record: &RequestRecord, since: Nanos) {
        let second = |at: Nanos| u64::try_from((at - since).0 / 1_000_000_000).unwrap_or(0);
        let ended = self.at(second(record.closed));
        if !record.ok() {
            if let Some(ended) = ended {
                ended.failed += 1;
            }
            return;
        }
        if let Some(ended) = ended {
            ended.succeeded += 1;
        }
        if let (Some(at), Some(ms)) = (record.first_token, record.ttft_ms)
            && let Some(first) = self.at(second(at))
        {
            first.ttft.push(ms);
        }
        let frames = &record.token_frames;
        let output = record.tokens.output.unwrap_or(0) as f64;
        if frames.is_empty() {
            if let Some(completed) = self.at(second(record.completed)) {
                completed.output_tokens += output;
            }
            return;
        }
        let each = output / frames.len() as f64;
        for (index, frame) in frames.iter().enumerate() {
            let Some(came) = self.at(second(frame.at)) else { continue };
            came.output_tokens += frame.tokens.map_or(each, f64::from);
            if index > 0 {
                came.itl.push(record.itl_ms[index - 1]);
            }
        }
    }

    /// Notes what was seen of the client at a moment.
    pub(super) fn sample(&mut self, at_s: u64, in_flight: u64, loop_lag_ms: Option<f64>) {
        if let Some(second) = self.at(at_s) {
            second.in_flight = Some(in_flight);
            second.loop_lag_ms = loop_lag_ms;
        }
    }

    pub(super) fn points(&self) -> Vec<Point> {
        let point = |(index, second): (usize, &Second)| Point {
            at_s: self.first + index as u64,
            succeeded: second.succeeded,
            failed: second.failed,
            output_tokens: second.output_tokens,
            in_flight: second.in_flight,
            ttft_ms: second.ttft.quantiles_ms(),
            itl_ms: second.itl.quantiles_ms(),
            loop_lag_ms: second.loop_lag_ms,
        };
        self.seconds.iter().enumerate().map(point).collect()
    }

    /// The second `at`; `None` if it is so old that it is not kept any more.
    fn at(&mut self, at: u64) -> Option<&mut Second> {
        let mut index = usize::try_from(at.checked_sub(self.first)?).ok()?;
        if index >= self.seconds.len() {
            let surplus = (index + 1).saturating_sub(KEPT);
            if surplus >= self.seconds.len() {
                self.seconds.clear();
            } else {
                self.seconds.drain(..surplus);
            }
            self.first += surplus as u64;
            index -= surplus;
            self.seconds.resize_with(index + 1, Second::default);
        }
        self.seconds.get_mut(index)
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::sample;
    use super::*;

    #[test]
    fn what_happened_stands_in_its_second() {
        let mut series = Series::default();
        // 120 frames, 20 ms apart: they come from 0.02 to 2.4 s.
        let record = sample::success(0, 120);
        series.push(&record, Nanos::ZERO);
        series.sample(1, 7, Some(0.5));
        let points = series.points();
        assert_eq!(points.iter().map(|point| point.succeeded).collect::<Vec<_>>(), [0, 0, 1]);
        let tokens: Vec<f64> = points.iter().map(|point| point.output_tokens).collect();
        assert_eq!(tokens.iter().sum::<f64>(), 120.0);
        assert!((48.0..=50.0).contains(&tokens[0]), "{tokens:?}");
        assert!(points[0].ttft_ms.is_some() && points[1].ttft_ms.is_none());
        let [p50, p99] = points[1].itl_ms.unwrap();
        assert!((18.0..23.0).contains(&p50) && p99 >= p50, "{p50} {p99}");
        assert_eq!((points[1].in_flight, points[1].loop_lag_ms), (Some(7), Some(0.5)));
    }

    #[test]
    fn the_oldest_seconds_go_and_what_comes_late_for_them_is_dropped() {
        let mut series = Series::default();
        series.sample(0, 1, None);
        series.sample(KEPT as u64 + 4, 2, None);
        assert_eq!((series.first, series.seconds.len()), (5, KEPT));
        series.sample(2, 9, None);
        assert_eq!(series.points()[0].at_s, 5);
        series.sample(10_000_000, 3, None);
        let points = series.points();
        assert_eq!(
            (points.len(), points[KEPT - 1].at_s, points[KEPT - 1].in_flight),
            (KEPT, 10_000_000, Some(3))
        );
    }
}
