//! Which known name somebody meant who wrote another one.

/// The candidate that differs least from `name`: in no more than a third of its letters.
pub(super) fn nearest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let (distance, best) = candidates
        .map(|candidate| (distance(name, candidate), candidate))
        .min_by_key(|&(distance, _)| distance)?;
    (distance <= name.chars().count().div_ceil(3)).then_some(best)
}

/// How many letters have to be put in, left out or replaced to make `a` into `b`: the distance of
/// Levenshtein, row by row.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (at, letter) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = at + 1;
        for (column, other) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(letter != *other);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_its_name_and_nonsense_does_not() {
        let names = ["parallel", "number", "max-tokens", "min-tokens"];
        assert_eq!(nearest("paralel", names.into_iter()), Some("parallel"));
        assert_eq!(nearest("max-token", names.into_iter()), Some("max-tokens"));
        assert_eq!(nearest("colour", names.into_iter()), None);
        assert_eq!((distance("kitten", "sitting"), distance("", "abc"), distance("a", "a")), (3, 3, 0));
    }
}
