//! Order statistics of more values than fit into memory: the values at given ranks, found exactly
//! by looking at all of them a few times.
//!
//! It is a radix selection. Values are mapped to integers of the same order. Each pass counts the
//! values by their next 16 bits, within the prefixes that the wanted ranks were found to have, until
//! the values with such a prefix are few enough to be collected and sorted.

use std::io;

/// Bits that a pass looks at.
const DIGIT_BITS: u32 = 16;
const DIGITS: usize = 1 << DIGIT_BITS;
/// As many values may be collected at the end.
const FEW: u64 = 1 << 20;

/// The values that share a prefix which some of the ranks fall into.
struct Group {
    prefix: u64,
    /// How many values are smaller than all with this prefix.
    below: u64,
    /// How many have this prefix.
    count: u64,
}

/// The values at `ranks`, which count from 0 and must rise, among those that `each` shows. `each` is
/// called several times and must show the same values each time, at least as many as the largest rank.
pub(super) fn select(
    ranks: &[u64],
    mut each: impl FnMut(&mut dyn FnMut(f64)) -> io::Result<()>,
) -> io::Result<Vec<f64>> {
    let mut groups = vec![Group { prefix: 0, below: 0, count: u64::MAX }];
    let mut known_bits = 0;
    while known_bits < 64 && groups.iter().map(|group| group.count).fold(0, u64::saturating_add) > FEW {
        let mut counts = vec![vec![0_u64; DIGITS]; groups.len()];
        each(&mut |value| {
            let key = key(value);
            if let Some(group) = group_of(&groups, key, known_bits) {
                let digit = (key >> (64 - known_bits - DIGIT_BITS)) as usize & (DIGITS - 1);
                counts[group][digit] += 1;
            }
        })?;
        groups = narrow(&groups, &counts, ranks);
        known_bits += DIGIT_BITS;
    }
    if known_bits == 64 {
        // Every group is a single value, however often it is there.
        let value =
            |rank: &u64| groups.iter().rfind(|group| group.below <= *rank).map(|group| value(group.prefix));
        return Ok(ranks.iter().map(|rank| value(rank).unwrap_or(f64::NAN)).collect());
    }
    let mut collected: Vec<Vec<f64>> = groups.iter().map(|_| Vec::new()).collect();
    each(&mut |value| {
        if let Some(group) = group_of(&groups, key(value), known_bits) {
            collected[group].push(value);
        }
    })?;
    for values in &mut collected {
        values.sort_unstable_by(f64::total_cmp);
    }
    let value = |rank: &u64| {
        let group = groups.iter().rposition(|group| group.below <= *rank)?;
        collected[group].get((rank - groups[group].below) as usize).copied()
    };
    Ok(ranks.iter().map(|rank| value(rank).unwrap_or(f64::NAN)).collect())
}

/// The group that a key falls into, if it is in any. Groups are sorted by prefix.
fn group_of(groups: &[Group], key: u64, known_bits: u32) -> Option<usize> {
    let prefix = if known_bits == 0 { 0 } else { key >> (64 - known_bits) };
    groups.binary_search_by_key(&prefix, |group| group.prefix).ok()
}

/// The groups one digit further that hold a wanted rank.
fn narrow(groups: &[Group], counts: &[Vec<u64>], ranks: &[u64]) -> Vec<Group> {
    let mut out = Vec::new();
    for (group, counts) in groups.iter().zip(counts) {
        let mut below = group.below;
        for (digit, &count) in counts.iter().enumerate() {
            if count > 0 && ranks.iter().any(|rank| (below..below + count).contains(rank)) {
                out.push(Group { prefix: group.prefix << DIGIT_BITS | digit as u64, below, count });
            }
            below += count;
        }
    }
    out
}

/// An integer that orders as the value does: IEEE 754's total order.
fn key(value: f64) -> u64 {
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
        select(ranks, |visit| {
            values.iter().copied().for_each(visit);
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
