//! Quantities with their units, and the one way each of them is printed.

use std::fmt;
use std::ops::{Add, Sub};

/// A point in time or a span, in nanoseconds. Points are relative to the start of the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Nanos(pub i64);

impl Nanos {
    /// The start of the run, and the empty span.
    pub const ZERO: Nanos = Nanos(0);

    /// A span of `ms` milliseconds, rounded to the nearest nanosecond.
    pub fn from_ms(ms: f64) -> Nanos {
        Nanos((ms * 1e6).round() as i64)
    }

    /// A span of `s` seconds, rounded to the nearest nanosecond.
    pub fn from_s(s: f64) -> Nanos {
        Nanos((s * 1e9).round() as i64)
    }

    /// The span in milliseconds.
    pub fn as_ms(self) -> f64 {
        self.0 as f64 / 1e6
    }

    /// The span in seconds.
    pub fn as_s(self) -> f64 {
        self.0 as f64 / 1e9
    }

    /// The span as a [`std::time::Duration`]; a negative span becomes zero.
    pub fn as_duration(self) -> std::time::Duration {
        std::time::Duration::from_nanos(u64::try_from(self.0).unwrap_or(0))
    }
}

impl Add for Nanos {
    type Output = Nanos;
    fn add(self, other: Nanos) -> Nanos {
        Nanos(self.0 + other.0)
    }
}

impl Sub for Nanos {
    type Output = Nanos;
    fn sub(self, other: Nanos) -> Nanos {
        Nanos(self.0 - other.0)
    }
}

impl fmt::Display for Nanos {
    /// Prints the span in the largest unit that keeps it at or above one: `1.5 s`, `20 ms`, `7 µs`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ns = self.0 as f64;
        let (value, unit) = match self.0.unsigned_abs() {
            0..1_000 => (ns, "ns"),
            1_000..1_000_000 => (ns / 1e3, "µs"),
            1_000_000..1_000_000_000 => (ns / 1e6, "ms"),
            _ => (ns / 1e9, "s"),
        };
        write!(f, "{} {unit}", decimal(value, 2))
    }
}

/// A figure with at most `places` decimals, trailing zeros dropped: `90`, `0.25`, `1234.5`.
/// What is not finite prints as [`ABSENT`].
pub fn decimal(value: f64, places: usize) -> String {
    if !value.is_finite() {
        return ABSENT.to_string();
    }
    let text = format!("{value:.places$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    if text == "-0" { "0".to_string() } else { text.to_string() }
}

/// What stands in a table where nothing was measured.
pub const ABSENT: &str = "—";

/// An integer with its thousands grouped: `12,345`.
pub fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_drop_trailing_zeros_and_never_print_minus_zero() {
        assert_eq!(decimal(90.0, 2), "90");
        assert_eq!(decimal(0.25, 2), "0.25");
        assert_eq!(decimal(100.0, 0), "100");
        assert_eq!(decimal(-0.001, 2), "0");
        assert_eq!(decimal(f64::NAN, 2), ABSENT);
    }

    #[test]
    fn spans_print_in_their_largest_unit() {
        assert_eq!(Nanos(1_500_000_000).to_string(), "1.5 s");
        assert_eq!(Nanos(20_000_000).to_string(), "20 ms");
        assert_eq!(Nanos(7_000).to_string(), "7 µs");
        assert_eq!(Nanos(999).to_string(), "999 ns");
    }

    #[test]
    fn thousands_are_grouped() {
        assert_eq!(grouped(7), "7");
        assert_eq!(grouped(1234), "1,234");
        assert_eq!(grouped(1234567), "1,234,567");
    }
}
