//! `speed_benchmark` and `speed_benchmark_long`: one character over and over, at a few lengths, each
//! twice, as plain prompts. Any tokenizer makes about as many tokens of them.

use std::sync::Arc;

use super::{DatasetSpec, NoOptions, options};
use crate::contract::{Conversation, Dataset, PartError, Prompt};
use crate::tokenizer::Tokenizer;

const LENGTHS: [usize; 4] = [1, 6144, 14_336, 30_720];
const LONG_LENGTHS: [usize; 2] = [63_488, 129_024];
/// How often each length comes.
const TIMES: usize = 2;

struct SpeedBenchmark {
    name: String,
    lengths: &'static [usize],
    next: usize,
}

pub(super) fn open(spec: &DatasetSpec, _: Option<Arc<Tokenizer>>) -> Result<Box<dyn Dataset>, PartError> {
    let NoOptions {} = options(spec)?;
    let lengths: &[usize] = if spec.name == "speed_benchmark_long" { &LONG_LENGTHS } else { &LENGTHS };
    Ok(Box::new(SpeedBenchmark { name: spec.name.clone(), lengths, next: 0 }))
}

impl Dataset for SpeedBenchmark {
    fn name(&self) -> &str {
        &self.name
    }

    fn next(&mut self, at_most: usize) -> Result<Vec<Conversation>, PartError> {
        let rest = self.lengths.iter().flat_map(|length| [*length; TIMES]).skip(self.next).take(at_most);
        let prompts: Vec<Conversation> =
            rest.map(|length| Prompt::Text("熵".repeat(length)).into()).collect();
        self.next += prompts.len();
        Ok(prompts)
    }

    fn rewind(&mut self) -> Result<(), PartError> {
        self.next = 0;
        Ok(())
    }
}
