//! The text format in which servers tell their metrics to Prometheus, version 0.0.4.

/// One value of a metric.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sample {
    /// The metric's name, with `_bucket`, `_sum` or `_count` where it is a part of one.
    pub(super) name: String,
    /// Its labels, in the order of the text.
    pub(super) labels: Vec<(String, String)>,
    /// Its value; may be infinite or no number.
    pub(super) value: f64,
}

/// The samples of a text. Comments and lines that are none are skipped: a server may tell more than this
/// knows. Returns with them how many lines were not understood.
pub(super) fn parse(text: &str) -> (Vec<Sample>, usize) {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let (mut samples, mut strange) = (Vec::new(), 0);
    for line in lines {
        match sample(line) {
            Some(sample) => samples.push(sample),
            None => strange += 1,
        }
    }
    (samples, strange)
}

/// `name{label="value",…} value [timestamp]`.
fn sample(line: &str) -> Option<Sample> {
    let end = line.find(|c: char| c == '{' || c.is_whitespace())?;
    let (name, rest) = line.split_at(end);
    if name.is_empty() {
        return None;
    }
    let rest = rest.trim_start();
    let (labels, rest) = match rest.strip_prefix('{') {
        Some(inside) => labels(inside)?,
        None => (Vec::new(), rest),
    };
    let value = match rest.split_whitespace().next()? {
        "+Inf" | "Inf" => f64::INFINITY,
        "-Inf" => f64::NEG_INFINITY,
        "NaN" => f64::NAN,
        number => number.parse().ok()?,
    };
    Some(Sample { name: name.to_string(), labels, value })
}

/// Labels as far as their closing brace, and what is behind it.
fn labels(mut rest: &str) -> Option<(Vec<(String, String)>, &str)> {
    let mut out = Vec::new();
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        if let Some(behind) = rest.strip_prefix('}') {
            return Some((out, behind));
        }
        let (name, behind) = rest.split_once('=')?;
        let mut letters = behind.trim_start().strip_prefix('"')?.char_indices();
        let inside = behind.trim_start().get(1..)?;
        let mut value = String::new();
        rest = loop {
            match letters.next()? {
                (at, '"') => break inside.get(at + 1..)?,
                (_, '\\') => value.push(match letters.next()?.1 {
                    'n' => '\n',
                    letter => letter,
                }),
                (_, letter) => value.push(letter),
            }
        };
        out.push((name.trim().to_string(), value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(samples: &[Sample]) -> String {
        let escaped = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        let mut out = String::new();
        for Sample { name, labels, value } in samples {
            out += name;
            if !labels.is_empty() {
                let pairs: Vec<_> =
                    labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
                out += &format!("{{{}}}", pairs.join(","));
            }
            let value = if value.is_infinite() { "+Inf".to_string() } else { value.to_string() };
            out += &format!(" {value}\n");
        }
        out
    }

    fn any_sample() -> impl Strategy<Value = Sample> {
        let labels = proptest::collection::vec(("[a-z_]{1,5}", "[a-z \"\\\\\n{}=,é]{0,6}"), 0..4);
        let value = prop_oneof![any::<i32>().prop_map(f64::from), Just(f64::INFINITY), -1e9..1e9_f64];
        ("[a-z_:][a-z0-9_:]{0,8}", labels, value).prop_map(|(name, labels, value)| Sample {
            name,
            labels,
            value,
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(samples in proptest::collection::vec(any_sample(), 0..8)) {
            prop_assert_eq!(parse(&written(&samples)), (samples, 0));
        }

        #[test]
        fn no_text_makes_it_fail(text in "[a-z{}\"=\\\\,. \n#0-9é]{0,80}") {
            parse(&text);
        }
    }

    #[test]
    fn a_servers_own_words_are_understood() {
        let text = "# HELP vllm:num_requests_running Number of requests.\n# TYPE vllm:num_requests_running gauge\n\
                    vllm:num_requests_running{engine=\"0\",model_name=\"m\"} 3.0\n\
                    http_duration_bucket{le=\"+Inf\"} 12 1700000000000\nup 1\nbroken{ 5\n";
        let (samples, strange) = parse(text);
        assert_eq!((samples.len(), strange), (3, 1));
        assert_eq!(samples[0].labels[1], ("model_name".to_string(), "m".to_string()));
        assert_eq!((samples[0].value, samples[1].value), (3.0, 12.0));
    }
}
