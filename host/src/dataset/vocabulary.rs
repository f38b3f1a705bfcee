//! What random prompts are made of: the plain part of a vocabulary, and the words in it that stay
//! one token each when they stand in a row.

use std::collections::HashSet;

use rand::RngExt;
use rand::seq::SliceRandom;
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::tokenizer::{Tokenizer, TokenizerError};

/// How many words are enough; more would only take longer to find.
const ENOUGH: usize = 8192;
/// Fewer words than this say too little to be a prompt.
const TOO_FEW: usize = 16;

/// Words of which any number, with a space between them, make exactly as many tokens. It makes the
/// length of a prompt a matter of counting words.
///
/// A word qualifies if it is one token at the start of a text and one after a space. Whether that
/// holds in any company is tested on a text of all of them, each beside random neighbours.
pub(super) fn words(
    tokenizer: &Tokenizer,
    plain_ids: &[u32],
    rng: &mut Xoshiro256PlusPlus,
) -> Result<Option<Vec<String>>, TokenizerError> {
    let mut ids = plain_ids.to_vec();
    ids.shuffle(rng);
    let mut seen = HashSet::new();
    let mut words = Vec::new();
    for id in ids {
        let text = tokenizer.decode(&[id])?;
        let word = text.trim();
        let candidate = !word.is_empty() && word.chars().all(char::is_alphabetic);
        if candidate
            && !seen.contains(word)
            && tokenizer.count(word)? == 1
            && tokenizer.count(&format!("{word} {word}"))? == 2
        {
            seen.insert(word.to_string());
            words.push(word.to_string());
            if words.len() == ENOUGH {
                break;
            }
        }
    }
    let enough = words.len() >= TOO_FEW;
    Ok((enough && tokenizer.count(&words.join(" "))? == words.len()).then_some(words))
}

/// Draws sequences over an alphabet of `size` items that are random and yet all different: the first
/// few items are the digits of the sequence's number, scrambled. Sequences that differ early share
/// nothing in a server's prefix cache.
pub(super) struct Draw {
    size: u64,
    multiplier: u128,
    offset: u128,
}

impl Draw {
    /// For an alphabet of `size` items, at least one.
    pub(super) fn new(size: usize, rng: &mut Xoshiro256PlusPlus) -> Draw {
        let size = (size as u64).max(1);
        let mut multiplier = u128::from(rng.random::<u32>() | 1) + (1 << 40);
        while greatest_common_divisor(multiplier, u128::from(size)) != 1 {
            multiplier += 2 - multiplier % 2;
        }
        Draw { size, multiplier, offset: u128::from(rng.random::<u64>()) }
    }

    /// The sequence number `index`, of `length` items, each below the alphabet's size. Two of the
    /// same length differ as long as there are that many different ones, or four thousand million.
    pub(super) fn sequence(&self, index: u64, length: usize, rng: &mut Xoshiro256PlusPlus) -> Vec<usize> {
        let mut digits = 0;
        let mut different: u128 = 1;
        while digits < length && different < 1 << 32 && self.size > 1 {
            different *= u128::from(self.size);
            digits += 1;
        }
        let mut number = (u128::from(index) * self.multiplier + self.offset) % different;
        let size = u128::from(self.size);
        let mut items = Vec::with_capacity(length);
        for _ in 0..digits {
            items.push((number % size) as usize);
            number /= size;
        }
        items.extend((digits..length).map(|_| rng.random_range(0..self.size) as usize));
        items
    }
}

fn greatest_common_divisor(a: u128, b: u128) -> u128 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}
