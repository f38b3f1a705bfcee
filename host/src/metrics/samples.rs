//! Raw values and their exact percentiles, in memory that does not grow with the run.
//!
//! Values are kept until there are too many of them, and then go to a file that has no name. The
//! percentiles come from the values themselves, never from buckets: where they are in a file, the
//! few that matter are selected digit by digit.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::select::{FirstDigits, key, select};

/// How many values of a metric are kept in memory.
const IN_MEMORY: usize = 1 << 15;
/// How many values are written or read at a time.
const PIECE: usize = 1 << 13;

/// All values of one metric.
#[derive(Debug)]
pub struct Samples {
    values: Vec<f64>,
    /// Of those that are in the file.
    sum: Sum,
    spill: Spill,
}

/// The file for what is too much for memory. It holds keys, which order as the values do.
#[derive(Debug)]
struct Spill {
    folder: PathBuf,
    count: u64,
    file: Option<(File, FirstDigits)>,
    failed: Option<io::Error>,
}

impl Samples {
    /// No values yet; if there are many, they go into a file without a name in `folder`.
    pub fn new(folder: &Path) -> Samples {
        let spill = Spill { folder: folder.to_path_buf(), count: 0, file: None, failed: None };
        Samples { values: Vec::new(), sum: Sum::default(), spill }
    }

    /// Adds a value, if there is one.
    pub fn push(&mut self, value: Option<f64>) {
        self.extend(value.as_slice());
    }

    /// Adds values.
    pub fn extend(&mut self, mut values: &[f64]) {
        while !values.is_empty() {
            let (now, later) = values.split_at(values.len().min(IN_MEMORY - self.values.len()));
            self.values.extend_from_slice(now);
            if self.values.len() == IN_MEMORY {
                self.sum.add(&self.values);
                self.spill.take(&self.values);
                self.values.clear();
            }
            values = later;
        }
    }

    /// The values at those of their ranks, from 0, that `at` names when it is told how many there
    /// are, and their mean; `None` if there are no values.
    pub(super) fn at_ranks(mut self, at: impl Fn(u64) -> Vec<u64>) -> io::Result<Option<(f64, Vec<f64>)>> {
        if let Some(error) = self.spill.failed {
            return Err(error);
        }
        let count = self.spill.count + self.values.len() as u64;
        if count == 0 {
            return Ok(None);
        }
        self.sum.add(&self.values);
        let asked = at(count);
        let values = match self.spill.file {
            None => {
                put_in_place(&mut self.values, 0, &in_order(&asked));
                asked.iter().map(|&rank| self.values[rank as usize]).collect()
            }
            Some((mut file, mut first)) => {
                write_keys(&mut file, &mut first, &self.values)?;
                let ranks = in_order(&asked);
                let found = select(&ranks, &first, |visit| each_key(&mut file, visit))?;
                let value = |rank| ranks.binary_search(rank).map_or(f64::NAN, |index| found[index]);
                asked.iter().map(value).collect()
            }
        };
        Ok(Some((self.sum.value() / count as f64, values)))
    }

    /// The values' figures at the quantiles `at`, from 0 to 1; `None` if there are no values.
    /// It fails if the file for what is too much for memory could not be written or read.
    pub fn distribution(mut self, at: &[f64]) -> io::Result<Option<Distribution>> {
        if let Some(error) = self.spill.failed {
            return Err(error);
        }
        let count = self.spill.count + self.values.len() as u64;
        if count == 0 {
            return Ok(None);
        }
        self.sum.add(&self.values);
        let asked: Vec<u64> = at.iter().flat_map(|&q| neighbours(q, count)).collect();
        let ranks = in_order(&asked);
        let quantiles = match self.spill.file {
            None => {
                put_in_place(&mut self.values, 0, &ranks);
                at.iter().map(|&q| interpolate(q, count, |rank| self.values[rank as usize])).collect()
            }
            Some((mut file, mut first)) => {
                write_keys(&mut file, &mut first, &self.values)?;
                self.values = Vec::new();
                let found = select(&ranks, &first, |visit| each_key(&mut file, visit))?;
                let value = |rank| ranks.binary_search(&rank).map_or(f64::NAN, |index| found[index]);
                at.iter().map(|&q| interpolate(q, count, value)).collect()
            }
        };
        let at = at.to_vec();
        Ok(Some(Distribution { count, sum: self.sum.value(), at, quantiles }))
    }
}

impl Spill {
    /// Writes the values to the file. Once that has failed, they are dropped: memory stays bounded,
    /// and the failure is told at the end. Never inlined: its buffer would be probed, page by page, for
    /// every value that is added.
    #[cold]
    #[inline(never)]
    fn take(&mut self, values: &[f64]) {
        self.count += values.len() as u64;
        if self.failed.is_some() {
            return;
        }
        if self.file.is_none() {
            match tempfile::tempfile_in(&self.folder) {
                Ok(file) => self.file = Some((file, FirstDigits::default())),
                Err(error) => self.failed = Some(error),
            }
        }
        if let Some((file, first)) = &mut self.file {
            self.failed = write_keys(file, first, values).err();
        }
    }
}

fn write_keys(file: &mut File, first: &mut FirstDigits, values: &[f64]) -> io::Result<()> {
    let mut bytes = [0; PIECE * 8];
    for piece in values.chunks(PIECE) {
        let bytes = &mut bytes[..piece.len() * 8];
        for (&value, bytes) in piece.iter().zip(bytes.as_chunks_mut().0) {
            let key = key(value);
            first.count(key);
            *bytes = key.to_ne_bytes();
        }
        file.write_all(bytes)?;
    }
    Ok(())
}

/// Shows every key in the file to `visit`.
fn each_key(file: &mut File, visit: &mut dyn FnMut(&[u64])) -> io::Result<()> {
    file.seek(SeekFrom::Start(0))?;
    let mut bytes = [0; PIECE * 8];
    let mut keys = [0; PIECE];
    let mut filled = 0;
    loop {
        let read = match file.read(&mut bytes[filled..]) {
            Ok(0) => return Ok(()),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        filled += read;
        let (whole, rest) = bytes[..filled].as_chunks();
        for (key, bytes) in keys.iter_mut().zip(whole) {
            *key = u64::from_ne_bytes(*bytes);
        }
        visit(&keys[..whole.len()]);
        let (start, left) = (filled - rest.len(), rest.len());
        bytes.copy_within(start..filled, 0);
        filled = left;
    }
}

/// The ranks in order, each once.
fn in_order(ranks: &[u64]) -> Vec<u64> {
    let mut ranks = ranks.to_vec();
    ranks.sort_unstable();
    ranks.dedup();
    ranks
}

/// Moves values so that those of `ranks`, which must rise, stand where they would if all were sorted.
/// `before` is how many values there are before these.
fn put_in_place(values: &mut [f64], before: usize, ranks: &[u64]) {
    let middle = ranks.len() / 2;
    let Some(&rank) = ranks.get(middle) else { return };
    let at = rank as usize - before;
    let (left, _, right) = values.select_nth_unstable_by(at, f64::total_cmp);
    put_in_place(left, before, &ranks[..middle]);
    put_in_place(right, before + at + 1, &ranks[middle + 1..]);
}

/// The ranks, from 0, that the quantile `q` of `count` values lies between.
fn neighbours(q: f64, count: u64) -> [u64; 2] {
    let position = q.clamp(0.0, 1.0) * (count - 1) as f64;
    [position.floor() as u64, position.ceil() as u64]
}

/// The quantile `q`, interpolated linearly between the two nearest values: definition 7 of Hyndman
/// and Fan (1996), the default of numpy, pandas and DuckDB's `quantile_cont`.
fn interpolate(q: f64, count: u64, value: impl Fn(u64) -> f64) -> f64 {
    let position = q.clamp(0.0, 1.0) * (count - 1) as f64;
    let [below, above] = neighbours(q, count);
    let (low, high) = (value(below), value(above));
    low + (high - low) * (position - below as f64)
}

/// A sum that does not lose small values beside large ones (Neumaier 1974). It is several sums that
/// take the values in turn, so that a processor adds to all of them at once.
#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    totals: [f64; SUMS],
    lost: [f64; SUMS],
}

/// How many sums one is. Blocks of values but the last must be a multiple of it, so that the result
/// does not depend on how the values were put together.
const SUMS: usize = 8;
const _: () = assert!(IN_MEMORY.is_multiple_of(SUMS));

impl Sum {
    fn add(&mut self, values: &[f64]) {
        let (eights, rest) = values.as_chunks::<SUMS>();
        let sums = |sum: &mut Sum, values: &[f64]| {
            for ((total, lost), &value) in sum.totals.iter_mut().zip(&mut sum.lost).zip(values) {
                (*total, *lost) = neumaier(*total, *lost, value);
            }
        };
        eights.iter().for_each(|values| sums(self, values));
        sums(self, rest);
    }

    fn value(self) -> f64 {
        let (total, lost) = self
            .totals
            .into_iter()
            .chain(self.lost)
            .fold((0.0, 0.0), |(total, lost), value| neumaier(total, lost, value));
        total + lost
    }
}

/// A total with one more value, and what it has lost until then.
fn neumaier(total: f64, lost: f64, value: f64) -> (f64, f64) {
    let more = total + value;
    let (large, small) = if total.abs() >= value.abs() { (total, value) } else { (value, total) };
    (more, lost + ((large - more) + small))
}

/// The figures of a metric that was measured at least once.
#[derive(Debug, Clone, PartialEq)]
pub struct Distribution {
    count: u64,
    sum: f64,
    at: Vec<f64>,
    quantiles: Vec<f64>,
}

impl Distribution {
    /// The arithmetic mean.
    pub fn mean(&self) -> f64 {
        self.sum / self.count as f64
    }

    /// How many values there are; at least one.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The sum of the values.
    pub fn sum(&self) -> f64 {
        self.sum
    }

    /// The quantile at `q`, one of those that were asked for; not a number for any other.
    pub fn quantile(&self, q: f64) -> f64 {
        self.at.iter().position(|&at| at == q).map_or(f64::NAN, |index| self.quantiles[index])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(values: &[f64], at: &[f64]) -> Distribution {
        let mut samples = Samples::new(&std::env::temp_dir());
        samples.extend(values);
        samples.distribution(at).unwrap().unwrap()
    }

    #[test]
    fn quantiles_interpolate_as_numpy_does() {
        // numpy.percentile([4, 1, 3, 2], [0, 25, 50, 90, 99, 100])
        let at = [0.0, 0.25, 0.5, 0.9, 0.99, 1.0];
        let d = of(&[4.0, 1.0, 3.0, 2.0], &at);
        for (q, expected) in at.into_iter().zip([1.0, 1.75, 2.5, 3.7, 3.97, 4.0]) {
            assert!((d.quantile(q) - expected).abs() < 1e-12, "{q}: {}", d.quantile(q));
        }
        assert_eq!((d.mean(), d.count(), d.sum()), (2.5, 4, 10.0));
    }

    #[test]
    fn one_value_is_every_quantile_and_no_value_is_no_distribution() {
        assert_eq!(of(&[7.0], &[0.99]).quantile(0.99), 7.0);
        assert_eq!(Samples::new(&std::env::temp_dir()).distribution(&[0.5]).unwrap(), None);
    }

    #[test]
    fn small_values_are_not_lost_beside_large_ones() {
        assert_eq!(of(&[1e16, 1.0, -1e16], &[0.5]).sum(), 1.0);
    }

    #[test]
    fn what_does_not_fit_into_memory_has_the_same_percentiles() {
        let at = [0.0, 0.01, 0.5, 0.99, 0.999, 1.0];
        let count = IN_MEMORY * 2 + 77;
        // A permutation of 0 to count − 1, scaled; and all of it once more as one repeated value.
        let values: Vec<f64> = (0..count).map(|i| (i * 7919 % count) as f64 * 0.37).collect();
        let spilled = of(&values, &at);
        for q in at {
            let position = q * (count - 1) as f64;
            assert!((spilled.quantile(q) - position * 0.37).abs() < 1e-6, "{q}: {}", spilled.quantile(q));
        }
        assert_eq!(of(&vec![5.0; count], &at).quantile(0.99), 5.0);
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_told_of_at_the_end() {
        let mut samples = Samples::new(Path::new("/nowhere/at/all"));
        (0..IN_MEMORY * 3).for_each(|i| samples.push(Some(i as f64)));
        assert!(samples.values.len() < IN_MEMORY);
        assert!(samples.distribution(&[0.5]).is_err());
    }

    proptest! {
        #[test]
        fn values_stand_where_sorting_would_put_them(
            mut values in proptest::collection::vec(-1e9_f64..1e9, 1..200),
            ranks in proptest::collection::vec(0_u64..200, 0..20),
        ) {
            let ranks: Vec<u64> = ranks.into_iter().filter(|&rank| rank < values.len() as u64).collect();
            let mut sorted = values.clone();
            sorted.sort_unstable_by(f64::total_cmp);
            put_in_place(&mut values, 0, &in_order(&ranks));
            for rank in ranks {
                prop_assert_eq!(values[rank as usize], sorted[rank as usize]);
            }
        }

        #[test]
        fn quantiles_rise_and_stay_within_the_values(
            values in proptest::collection::vec(-1e9_f64..1e9, 1..200),
            a in 0.0_f64..=1.0,
            b in 0.0_f64..=1.0,
        ) {
            let (low, high) = (a.min(b), a.max(b));
            let d = of(&values, &[low, high, 0.0, 1.0]);
            prop_assert!(d.quantile(low) <= d.quantile(high));
            prop_assert!(d.quantile(0.0) == values.iter().copied().fold(f64::MAX, f64::min));
            prop_assert!(d.quantile(1.0) == values.iter().copied().fold(f64::MIN, f64::max));
        }
    }
}
