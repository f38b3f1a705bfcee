//! Order statistics of more values than fit into memory: the values at given ranks, found exactly
//! by looking at all of them a few times.
//!
//! It is a radix selection. Values are mapped to keys: integers of the same order. The first digit of
//! every key is counted as the values come. Then each pass over the keys counts the next digit of
//! those that share the digits so far with a wanted rank, until they are few enough to be collected
//! and sorted. Of a hundred million intervals that is two passes.

use std::io;

/// Bits of the first digit: of a double the sign, the exponent, and four bits of what follows.
const FIRST_BITS: u32 = 16;
/// Bits that a pass looks at, at most.
const DIGIT_BITS: u32 = 16;
/// The counters that a pass has, 8 bytes each, as long as every group gets a few. More would not fit
/// into a core's own cache, and cost more than they save.
const COUNTERS: usize = 1 << 16;
/// As many values may be collected at the end. Sorting more takes longer than another pass.
const FEW: u64 = 1 << 16;
/// No group: no wanted rank is among the values with these digits.
const NONE: u16 = u16::MAX;

/// How many values have each first digit.
#[derive(Debug)]
pub(super) struct FirstDigits(Vec<u64>);

impl Default for FirstDigits {
    fn default() -> FirstDigits {
        FirstDigits(vec![0; 1 << FIRST_BITS])
    }
}

impl FirstDigits {
    /// Counts one more value.
    pub(super) fn count(&mut self, key: u64) {
        self.0[(key >> (64 - FIRST_BITS)) as usize] += 1;
    }
}

/// The values that share their digits so far with a wanted rank.
struct Group {
    digits: u64,
    /// How many values are smaller than all of these.
    below: u64,
    /// How many these are.
    count: u64,
}

/// One digit of the way from a key to its group.
struct Level {
    shift: u32,
    bits: u32,
    /// The group that a group's keys with a digit are in, or [`NONE`].
    next: Vec<u16>,
}

impl Level {
    fn cell(&self, group: usize, key: u64) -> usize {
        group << self.bits | (key >> self.shift) as usize & ((1 << self.bits) - 1)
    }
}

/// The values at `ranks`, which count from 0 and must rise, among those whose keys `each` shows in
/// blocks of any size; `first` has counted the same values. `each` is called a few times and must
/// show the same keys each time. There may be up to 65,534 ranks; those beyond the values are no numbers.
pub(super) fn select(
    ranks: &[u64],
    first: &FirstDigits,
    mut each: impl FnMut(&mut dyn FnMut(&[u64])) -> io::Result<()>,
) -> io::Result<Vec<f64>> {
    let all = [Group { digits: 0, below: 0, count: u64::MAX }];
    let mut level = Level { shift: 64 - FIRST_BITS, bits: FIRST_BITS, next: Vec::new() };
    let mut groups = narrow(&all, &first.0, ranks, &mut level);
    let mut levels = vec![level];
    let mut unknown = 64 - FIRST_BITS;
    while unknown > 0 && groups.iter().map(|group| group.count).sum::<u64>() > FEW {
        let room = (COUNTERS / groups.len()).max(1 << 8).ilog2();
        let bits = room.min(DIGIT_BITS).min(unknown);
        let mut level = Level { shift: unknown - bits, bits, next: Vec::new() };
        let mut counts = vec![0_u64; groups.len() << bits];
        each(&mut |keys| {
            for &key in keys {
                if let Some(group) = group_of(&levels, key) {
                    counts[level.cell(group, key)] += 1;
                }
            }
        })?;
        groups = narrow(&groups, &counts, ranks, &mut level);
        levels.push(level);
        unknown -= bits;
    }
    let mut collected: Vec<Vec<u64>> = groups.iter().map(|_| Vec::new()).collect();
    if unknown > 0 {
        each(&mut |keys| {
            for &key in keys {
                if let Some(group) = group_of(&levels, key) {
                    collected[group].push(key);
                }
            }
        })?;
    }
    collected.iter_mut().for_each(|keys| keys.sort_unstable());
    let at = |rank: &u64| {
        let group = groups.iter().rposition(|group| group.below <= *rank)?;
        let Group { digits, below, count } = groups[group];
        let rank = rank - below;
        // With all digits known, every value of a group is the same, however often it is there.
        if unknown == 0 {
            (rank < count).then_some(digits)
        } else {
            collected[group].get(rank as usize).copied()
        }
    };
    Ok(ranks.iter().map(|rank| at(rank).map_or(f64::NAN, value)).collect())
}

/// The group that a key is in, if it is in any.
fn group_of(levels: &[Level], key: u64) -> Option<usize> {
    let mut group = 0;
    for level in levels {
        match level.next[level.cell(group, key)] {
            NONE => return None,
            next => group = usize::from(next),
        }
    }
    Some(group)
}

/// The groups one digit further that hold a wanted rank; `level` learns the way to them.
fn narrow(groups: &[Group], counts: &[u64], ranks: &[u64], level: &mut Level) -> Vec<Group> {
    level.next = vec![NONE; counts.len()];
    let mut out: Vec<Group> = Vec::new();
    for (index, group) in groups.iter().enumerate() {
        let mut below = group.below;
        for digit in 0..1_usize << level.bits {
            let cell = index << level.bits | digit;
            let count = counts[cell];
            let wanted = ranks.partition_point(|&rank| rank < below);
            if count > 0 && ranks.get(wanted).is_some_and(|&rank| rank < below + count) {
                level.next[cell] = u16::try_from(out.len()).unwrap_or(NONE);
                out.push(Group { digits: group.digits << level.bits | digit as u64, below, count });
            }
            below += count;
        }
    }
    out
}

/// An integer that orders as the value does: IEEE 754's total order.
pub(super) fn key(value: f64) -> u64 {
    let bits = value.to_bits();
    if bits >> 63 == 1 { !bits } else { bits | 1 << 63 }
}

/// The value that has this key.
fn value(key: u64) -> f64 {
    f64::from_bits(if key >> 63 == 1 { key & !(1 << 63) } else { !key })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn selected(values: &[f64], ranks: &[u64]) -> Vec<f64> {
        let keys: Vec<u64> = values.iter().map(|&value| key(value)).collect();
        let mut first = FirstDigits::default();
        keys.iter().for_each(|&key| first.count(key));
        select(ranks, &first, |visit| {
            keys.chunks(1000).for_each(visit);
            Ok(())
        })
        .unwrap()
    }

    #[test]
    fn many_equal_values_are_told_apart_from_their_neighbours() {
        let mut values = vec![5.0; FEW as usize + 10];
        values.extend([4.999_999_999_999_999, 5.000_000_000_000_001, -1.0]);
        let last = values.len() as u64 - 1;
        assert_eq!(
            selected(&values, &[0, 1, 2, last - 1, last]),
            [-1.0, 4.999_999_999_999_999, 5.0, 5.0, 5.000_000_000_000_001]
        );
    }

    proptest! {
        #[test]
        fn keys_keep_the_order_and_lead_back(a in -1e300_f64..1e300, b in -1e300_f64..1e300) {
            prop_assert_eq!(a.total_cmp(&b), key(a).cmp(&key(b)));
            prop_assert_eq!(value(key(a)).to_bits(), a.to_bits());
        }

        #[test]
        fn the_selected_values_are_those_of_the_sorted_list(
            mut values in proptest::collection::vec(-100.0_f64..100.0, 1..300),
        ) {
            let ranks: Vec<u64> = (0..values.len() as u64).step_by(7).collect();
            let found = selected(&values, &ranks);
            values.sort_unstable_by(f64::total_cmp);
            let expected: Vec<f64> = ranks.iter().map(|&rank| values[rank as usize]).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
