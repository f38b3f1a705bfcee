//! Embeddings and ranks: replies that are not generated but computed at once.

use super::{Dialect, Facts, Usage, Writer, put};

/// The members at the end of a reply that say what it is of.
pub(super) fn heads(facts: &Facts) -> (String, String) {
    (String::new(), format!(",\"model\":{}", serde_json::Value::from(facts.model)))
}

impl Writer {
    /// The reply for `items` texts: the embeddings of each, with so many `dimensions`, or the score
    /// of each.
    pub fn pooled(&self, out: &mut Vec<u8>, items: u64, dimensions: u64, usage: Option<&Usage>) {
        if self.dialect == Dialect::Embeddings {
            out.extend_from_slice(b"{\"object\":\"list\",\"data\":[");
            let vector = vector(dimensions);
            for index in 0..items {
                let comma = if index == 0 { "" } else { "," };
                put(out, format_args!("{comma}{{\"object\":\"embedding\",\"index\":{index},\"embedding\":["));
                out.extend_from_slice(vector.as_bytes());
                out.extend_from_slice(b"]}");
            }
        } else {
            put(out, format_args!("{{\"id\":\"rerank-{:024x}\",\"results\":[", self.id));
            for index in 0..items {
                let comma = if index == 0 { "" } else { "," };
                let score = 1.0 / (index + 1) as f64;
                put(out, format_args!("{comma}{{\"index\":{index},\"relevance_score\":{score:.6}}}"));
            }
        }
        out.push(b']');
        out.extend_from_slice(&self.whole_head);
        if let Some(usage) = usage {
            let prompt = usage.prompt;
            put(out, format_args!(",\"usage\":{{\"prompt_tokens\":{prompt},\"total_tokens\":{prompt}}}"));
        }
        out.push(b'}');
    }
}

/// As many numbers as a vector has dimensions, with commas between them.
fn vector(dimensions: u64) -> String {
    const NUMBERS: [&str; 4] = ["-0.0069293", "0.02500123", "0.00312", "-0.04217001"];
    let numbers: Vec<&str> = NUMBERS.iter().copied().cycle().take(dimensions as usize).collect();
    numbers.join(",")
}
