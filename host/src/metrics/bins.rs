//! Bins for what is drawn: their number does not grow with the number of values. Nothing that is
//! printed as a figure comes from them.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::Serialize;

use crate::units::Nanos;

/// Bits of the mantissa that tell bins apart: 256 bins for each doubling, each 0.2 to 0.4 % wide, so that
/// times which are all nearly the same still have a shape.
const MANTISSA_BITS: u32 = 8;
const SHIFT: u32 = 52 - MANTISSA_BITS;

/// What is less is in the lowest bin: a microsecond, in milliseconds. Frames that came with one read are
/// no time apart.
const LEAST: f64 = 1e-3;
/// What is more is in the highest one: eleven days, in milliseconds.
const MOST: f64 = 1e9;

/// The beginning of a value's bits, which order as positive values do.
fn prefix(value: f64) -> usize {
    (value.to_bits() >> SHIFT) as usize
}

/// The bin of a value.
fn bin_of(value: f64) -> usize {
    prefix(value.clamp(LEAST, MOST)) - prefix(LEAST)
}

/// The lower edge of a bin.
fn edge(bin: usize) -> f64 {
    f64::from_bits(((bin + prefix(LEAST)) as u64) << SHIFT)
}

/// How many values there are in each bin, from the lowest that has any.
#[derive(Debug, Clone, Default)]
struct Counts {
    lowest: usize,
    counts: Vec<u64>,
}

impl Counts {
    fn add(&mut self, bin: usize, count: u64) {
        if self.counts.is_empty() {
            self.lowest = bin;
        } else if bin < self.lowest {
            self.counts.splice(0..0, std::iter::repeat_n(0, self.lowest - bin));
            self.lowest = bin;
        }
        let at = bin - self.lowest;
        if self.counts.len() <= at {
            self.counts.resize(at + 1, 0);
        }
        self.counts[at] += count;
    }

    /// The bins that have values, in order, and how many.
    fn filled(&self) -> impl DoubleEndedIterator<Item = (usize, u64)> {
        let counted = self.counts.iter().copied().enumerate().filter(|(_, count)| *count > 0);
        counted.map(|(at, count)| (self.lowest + at, count))
    }
}

/// Columns of time that get wider as time goes on, so that there are never more than [`Columns::MOST`].
#[derive(Debug, Clone)]
pub struct Columns {
    origin: Nanos,
    width_ns: i64,
    /// The column that was asked for last, from when to when it is: moments come one close after the other.
    last: (usize, Range<i64>),
}

impl Columns {
    /// The most columns that there are.
    pub const MOST: usize = 160;

    /// Columns from `origin` on, 1 ms wide to begin with.
    pub fn new(origin: Nanos) -> Columns {
        Columns { origin, width_ns: 1_000_000, last: (0, 0..0) }
    }

    /// The position of a moment; it may be beyond the last column. What was before the origin is in
    /// the first.
    fn at(&mut self, at: Nanos) -> usize {
        if !self.last.1.contains(&at.0) {
            let column = (at - self.origin).0.max(0) / self.width_ns;
            let from = self.origin.0 + column * self.width_ns;
            self.last =
                (usize::try_from(column).unwrap_or(usize::MAX), from..from.saturating_add(self.width_ns));
        }
        self.last.0
    }

    /// Makes each as wide as two.
    fn widen(&mut self) {
        self.width_ns *= 2;
        self.last.1 = 0..0;
    }
}

/// A number for each column of time, added up.
#[derive(Debug, Clone)]
pub struct Track {
    columns: Columns,
    sums: Vec<f64>,
}

impl Track {
    /// Nothing yet.
    pub fn new(columns: Columns) -> Track {
        Track { columns, sums: Vec::new() }
    }

    /// Adds `amount` at a moment.
    pub fn add(&mut self, at: Nanos, amount: f64) {
        let column = self.reach(at);
        self.sums[column] += amount;
    }

    /// Adds the time, in seconds, that something from `from` to `to` spent in each column.
    pub fn occupy(&mut self, from: Nanos, to: Nanos) {
        let (from, to) = (from.max(self.columns.origin), to);
        if to <= from {
            return;
        }
        let last = self.reach(to);
        for column in self.columns.at(from)..=last {
            let begin = self.columns.origin.0 + column as i64 * self.columns.width_ns;
            let overlap = to.0.min(begin + self.columns.width_ns) - from.0.max(begin);
            self.sums[column] += overlap as f64 / 1e9;
        }
    }

    /// Makes room for a moment, and returns its column.
    fn reach(&mut self, at: Nanos) -> usize {
        let mut column = self.columns.at(at);
        while column >= Columns::MOST {
            self.columns.widen();
            self.sums = self.sums.chunks(2).map(|pair| pair.iter().sum()).collect();
            column = self.columns.at(at);
        }
        if self.sums.len() <= column {
            self.sums.resize(column + 1, 0.0);
        }
        column
    }

    /// The width of the columns, in seconds, and the amount in each.
    pub fn columns(&self) -> (f64, &[f64]) {
        (self.columns.width_ns as f64 / 1e9, &self.sums)
    }

    /// The same in columns of `width_s`, a doubling of its own; `length` of them.
    fn widened(&self, width_s: f64, length: usize) -> Vec<f64> {
        let (own_s, sums) = self.columns();
        let step = ((width_s / own_s).round() as usize).max(1);
        let mut wide: Vec<f64> = sums.chunks(step).map(|chunk| chunk.iter().sum()).collect();
        wide.resize(length, 0.0);
        wide
    }
}

/// Brings tracks of one origin to the same columns: their width in seconds, and a row for each track.
pub fn aligned<const N: usize>(tracks: [&Track; N]) -> (f64, [Vec<f64>; N]) {
    let width_s = tracks.iter().map(|track| track.columns().0).fold(0.0, f64::max);
    let lengths = tracks.iter().map(|track| {
        let (own_s, sums) = track.columns();
        sums.len().div_ceil(((width_s / own_s).round() as usize).max(1))
    });
    let length = lengths.max().unwrap_or(0);
    (width_s, tracks.map(|track| track.widened(width_s, length)))
}

/// How many values there are in each bin.
#[derive(Debug, Clone, Default)]
pub struct Histogram {
    counts: Counts,
}

/// A histogram as it is drawn.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Bars {
    /// Whether the bars are equally wide on a logarithmic axis rather than a linear one.
    pub log: bool,
    /// The edges of the bars: one more than there are bars.
    pub edges: Vec<f64>,
    /// How many values are in each bar.
    pub counts: Vec<u64>,
}

impl Histogram {
    /// The most bars.
    const BARS: usize = 48;
    /// From this ratio of the largest to the smallest value on, the axis is logarithmic.
    const WIDE: f64 = 30.0;

    /// Counts a value. What is not positive is in the lowest bin.
    pub fn add(&mut self, value: f64) {
        self.counts.add(bin_of(value), 1);
    }

    /// At most 48 bars over all values, and fewer of few; `None` if there are none.
    pub fn bars(&self) -> Option<Bars> {
        let (first, last) = (self.counts.filled().next()?.0, self.counts.filled().next_back()?.0);
        let (low, high) = (edge(first), edge(last + 1));
        let log = high / low > Histogram::WIDE;
        // No bar is narrower than two bins: one between two of them would look empty.
        let bins = ((high - low) / (edge(last + 1) - edge(last))) as usize / 2;
        let bins = if log { (last + 1 - first) / 2 } else { bins };
        // Few values in many bars would be a comb.
        let values: u64 = self.counts.filled().map(|(_, count)| count).sum();
        let enough = (1.5 * (values as f64).sqrt()).ceil() as usize;
        let bars = bins.clamp(1, Histogram::BARS.min(enough));
        let at = |step: usize| {
            let share = step as f64 / bars as f64;
            if log { low * (high / low).powf(share) } else { low + (high - low) * share }
        };
        let edges: Vec<f64> = (0..=bars).map(at).collect();
        let mut counts = vec![0; bars];
        for (bin, count) in self.counts.filled() {
            let middle = (edge(bin) + edge(bin + 1)) / 2.0;
            let bar = edges.partition_point(|&edge| edge <= middle).clamp(1, bars) - 1;
            counts[bar] += count;
        }
        Some(Bars { log, edges, counts })
    }
}

/// How many values there are in each bin and column of time.
#[derive(Debug, Clone)]
pub struct HeatMap {
    columns: Columns,
    counts: Vec<Counts>,
}

/// A heat map as it is drawn.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Cells {
    /// The width of a column, in seconds.
    pub column_s: f64,
    /// The number of columns.
    pub columns: usize,
    /// The edges of the rows, equally far apart on a logarithmic axis: one more than there are rows.
    pub edges: Vec<f64>,
    /// Column, row and count of each cell that has any.
    pub cells: Vec<(usize, usize, u64)>,
}

impl HeatMap {
    /// The most rows that are drawn,
    const ROWS: usize = 28;
    /// and the most columns.
    const DRAWN: usize = 80;

    /// Nothing yet.
    pub fn new(columns: Columns) -> HeatMap {
        HeatMap { columns, counts: Vec::new() }
    }

    /// Counts a value at a moment.
    pub fn add(&mut self, at: Nanos, value: f64) {
        let mut column = self.columns.at(at);
        while column >= Columns::MOST {
            self.columns.widen();
            self.counts = self.counts.chunks_mut(2).map(merged).collect();
            column = self.columns.at(at);
        }
        if self.counts.len() <= column {
            self.counts.resize(column + 1, Counts::default());
        }
        self.counts[column].add(bin_of(value), 1);
    }

    /// At most 28 rows and 80 columns; `None` if there are no values.
    pub fn cells(&self) -> Option<Cells> {
        let bins = || self.counts.iter().flat_map(|column| column.filled().map(|(bin, _)| bin));
        let (first, last) = (bins().min()?, bins().max()?);
        // As with bars, no row is lower than two bins.
        let rows = ((last + 1 - first) / 2).clamp(1, HeatMap::ROWS);
        let (low, high) = (edge(first), edge(last + 1));
        let edges: Vec<f64> =
            (0..=rows).map(|row| low * (high / low).powf(row as f64 / rows as f64)).collect();
        let step = self.counts.len().div_ceil(HeatMap::DRAWN);
        let mut cells: BTreeMap<(usize, usize), u64> = BTreeMap::new();
        for (column, counts) in self.counts.iter().enumerate() {
            for (bin, count) in counts.filled() {
                let middle = (edge(bin) + edge(bin + 1)) / 2.0;
                let row = edges.partition_point(|&edge| edge <= middle).clamp(1, rows) - 1;
                *cells.entry((column / step, row)).or_default() += count;
            }
        }
        let cells = cells.into_iter().map(|((column, row), count)| (column, row, count)).collect();
        let column_s = self.columns.width_ns as f64 / 1e9 * step as f64;
        Some(Cells { column_s, columns: self.counts.len().div_ceil(step), edges, cells })
    }
}

/// One column out of two.
fn merged(pair: &mut [Counts]) -> Counts {
    let mut out = std::mem::take(&mut pair[0]);
    for (bin, count) in pair.iter().skip(1).flat_map(Counts::filled) {
        out.add(bin, count);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_bin_holds_its_lower_edge_and_is_less_than_half_a_percent_wide() {
        for value in [1e-3, 0.99, 1.0, 20.0, 1e6] {
            let bin = bin_of(value);
            assert!(edge(bin) <= value && value < edge(bin + 1));
            let width = edge(bin + 1) / edge(bin) - 1.0;
            assert!((0.0019..0.004).contains(&width), "{value}: {width}");
        }
    }

    #[test]
    fn values_within_a_tenth_of_each_other_are_many_bars_and_rows() {
        let (mut histogram, mut map) = (Histogram::default(), HeatMap::new(Columns::new(Nanos(0))));
        for step in 0..1000 {
            let value = 560.0 + 0.056 * f64::from(step);
            histogram.add(value);
            map.add(Nanos(i64::from(step)), value);
        }
        let bars = histogram.bars().unwrap();
        assert!(
            (12..=48).contains(&bars.counts.len()) && bars.counts.iter().all(|&count| count > 0),
            "{bars:?}"
        );
        let mut few = Histogram::default();
        (0..16).for_each(|step| few.add(560.0 + 3.5 * f64::from(step)));
        assert!(few.bars().unwrap().counts.len() <= 6, "{few:?}");
        let cells = map.cells().unwrap();
        assert!((12..=28).contains(&cells.cells.len()), "a row for each of them: {cells:?}");
    }

    #[test]
    fn a_lower_value_that_comes_later_is_counted_in_its_own_bin() {
        let mut counts = Counts::default();
        [40, 90, 7, 40].into_iter().for_each(|bin| counts.add(bin, 1));
        assert_eq!(counts.filled().collect::<Vec<_>>(), [(7, 1), (40, 2), (90, 1)]);
    }

    #[test]
    fn values_that_are_close_together_have_an_axis_of_their_own() {
        let mut histogram = Histogram::default();
        (0..1000).for_each(|step| histogram.add(10.0 + f64::from(step) / 100.0));
        let bars = histogram.bars().unwrap();
        assert!(!bars.log && bars.edges[0] <= 10.0 && *bars.edges.last().unwrap() >= 19.99, "{bars:?}");
        let (least, most) = (bars.counts.iter().min().unwrap(), bars.counts.iter().max().unwrap());
        assert!(*least > 0, "no bar between two bins is empty: {bars:?}");
        assert!(most / least <= 3, "{bars:?}");
    }

    #[test]
    fn occupancy_is_the_time_spent_in_each_column() {
        let mut track = Track::new(Columns::new(Nanos(0)));
        track.occupy(Nanos(500_000), Nanos(3_250_000));
        let (width_s, sums) = track.columns();
        assert_eq!(width_s, 1e-3);
        let expected = [0.5e-3, 1e-3, 1e-3, 0.25e-3];
        assert!(sums.iter().zip(expected).all(|(sum, expected)| (sum - expected).abs() < 1e-12), "{sums:?}");
    }

    proptest! {
        #[test]
        fn nothing_is_lost_however_long_it_takes(
            values in proptest::collection::vec((0_i64..10_000_000_000_000, 1e-3_f64..1e6), 1..200),
        ) {
            let columns = Columns::new(Nanos(0));
            let (mut map, mut histogram) = (HeatMap::new(columns.clone()), Histogram::default());
            let (mut ones, mut twos) = (Track::new(columns.clone()), Track::new(columns));
            for &(at, value) in &values {
                map.add(Nanos(at), value);
                histogram.add(value);
                ones.add(Nanos(at), 1.0);
            }
            twos.add(Nanos(values[0].0), 2.0);
            let cells = map.cells().unwrap();
            prop_assert_eq!(cells.cells.iter().map(|cell| cell.2).sum::<u64>(), values.len() as u64);
            prop_assert!(cells.columns <= 80 && cells.edges.len() <= 29);
            prop_assert!(cells.cells.iter().all(|&(column, row, _)| column < cells.columns && row + 1 < cells.edges.len()));
            let bars = histogram.bars().unwrap();
            prop_assert_eq!(bars.counts.iter().sum::<u64>(), values.len() as u64);
            prop_assert!(bars.edges.is_sorted() && bars.edges.len() == bars.counts.len() + 1);
            let (_, [ones, twos]) = aligned([&ones, &twos]);
            prop_assert_eq!(ones.len(), twos.len());
            prop_assert!(ones.len() <= Columns::MOST);
            prop_assert_eq!((ones.iter().sum::<f64>(), twos.iter().sum::<f64>()), (values.len() as f64, 2.0));
        }
    }
}
