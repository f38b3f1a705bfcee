//! Raw values and their exact percentiles, in memory that does not grow with the run.
//!
//! Values are kept until there are too many of them, and then go to a file that has no name. The
//! percentiles come from the values themselves, never from buckets: where they are in a file, the
//! few that matter are selected digit by digit.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::select::select;

/// How many values of a metric are kept in memory.
const IN_MEMORY: usize = 1 << 17;

/// All values of one metric.
#[derive(Debug)]
pub struct Samples {
    values: Vec<f64>,
    count: u64,
    sum: Sum,
    spill: Spill,
}

/// The file for what is too much for memory.
#[derive(Debug)]
struct Spill {
    folder: PathBuf,
    file: Option<File>,
    failed: Option<io::Error>,
}

impl Samples {
    /// No values yet; if there are many, they go into a file without a name in `folder`.
    pub fn new(folder: &Path) -> Samples {
        let spill = Spill { folder: folder.to_path_buf(), file: None, failed: None };
        Samples { values: Vec::new(), count: 0, sum: Sum::default(), spill }
    }

    /// Adds a value, if there is one.
    pub fn push(&mut self, value: Option<f64>) {
        self.extend(value);
    }

    /// Adds values.
    pub fn extend(&mut self, values: impl IntoIterator<Item = f64>) {
        for value in values {
            self.values.push(value);
            self.count += 1;
            self.sum.add(value);
            if self.values.len() >= IN_MEMORY {
                self.spill.take(&mut self.values);
            }
        }
    }

    /// The values' figures at the quantiles `at`, from 0 to 1; `None` if there are no values.
    /// It fails if the file for what is too much for memory could not be written or read.
    pub fn distribution(mut self, at: &[f64]) -> io::Result<Option<Distribution>> {
        if let Some(error) = self.spill.failed {
            return Err(error);
        }
        if self.count == 0 {
            return Ok(None);
        }
        let quantiles = match self.spill.file {
            None => {
                self.values.sort_unstable_by(f64::total_cmp);
                at.iter().map(|&q| interpolate(q, self.count, |rank| self.values[rank as usize])).collect()
            }
            Some(mut file) => {
                write_values(&mut file, &self.values)?;
                self.values = Vec::new();
                let mut ranks: Vec<u64> = at.iter().flat_map(|&q| neighbours(q, self.count)).collect();
                ranks.sort_unstable();
                ranks.dedup();
                let found = select(&ranks, |visit| each_value(&mut file, visit))?;
                let value = |rank| ranks.binary_search(&rank).map_or(f64::NAN, |index| found[index]);
                at.iter().map(|&q| interpolate(q, self.count, value)).collect()
            }
        };
        let at = at.to_vec();
        Ok(Some(Distribution { count: self.count, sum: self.sum.value(), at, quantiles }))
    }
}

impl Spill {
    /// Moves the values to the file. Once that has failed, they are dropped: memory stays bounded,
    /// and the failure is told at the end.
    fn take(&mut self, values: &mut Vec<f64>) {
        if self.failed.is_none() {
            let written = match &mut self.file {
                Some(file) => write_values(file, values),
                None => tempfile::tempfile_in(&self.folder)
                    .and_then(|mut file| write_values(&mut file, values).map(|()| self.file = Some(file))),
            };
            self.failed = written.err();
        }
        values.clear();
    }
}

fn write_values(file: &mut File, values: &[f64]) -> io::Result<()> {
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_ne_bytes()).collect();
    file.write_all(&bytes)
}

/// Shows every value in the file to `visit`.
fn each_value(file: &mut File, visit: &mut dyn FnMut(f64)) -> io::Result<()> {
    file.seek(SeekFrom::Start(0))?;
    let mut reader = BufReader::with_capacity(1 << 20, file);
    let mut bytes = [0; 8];
    loop {
        match reader.read_exact(&mut bytes) {
            Ok(()) => visit(f64::from_ne_bytes(bytes)),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            Err(error) => return Err(error),
        }
    }
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

/// A sum that does not lose small values beside large ones (Neumaier 1974).
#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    total: f64,
    lost: f64,
}

impl Sum {
    fn add(&mut self, value: f64) {
        let total = self.total + value;
        self.lost += if self.total.abs() >= value.abs() {
            (self.total - total) + value
        } else {
            (value - total) + self.total
        };
        self.total = total;
    }

    fn value(self) -> f64 {
        self.total + self.lost
    }
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
        samples.extend(values.iter().copied());
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
        samples.extend((0..IN_MEMORY * 3).map(|i| i as f64));
        assert!(samples.values.len() < IN_MEMORY);
        assert!(samples.distribution(&[0.5]).is_err());
    }

    proptest! {
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
