//! How long a server that refuses a request asks to be left alone.

use std::time::Duration;

use chrono::{DateTime, Utc};

/// The longest wait that a server can ask for.
const MOST: Duration = Duration::from_secs(60);

/// The meaning of a `Retry-After` header (RFC 9110, section 10.2.3), which is a number of seconds or a
/// date, at a time on the wall clock; at most a minute. `None` if it is neither.
pub(super) fn parse(value: &str, now: DateTime<Utc>) -> Option<Duration> {
    let value = value.trim();
    let asked = match value.parse::<f64>() {
        Ok(seconds) if seconds.is_finite() => {
            Duration::try_from_secs_f64(seconds.min(MOST.as_secs_f64())).ok()?
        }
        Ok(_) => return None,
        Err(_) => {
            let date = DateTime::parse_from_rfc2822(value).ok()?;
            // A date that is over asks for no wait.
            (date.to_utc() - now).to_std().unwrap_or_default()
        }
    };
    Some(asked.min(MOST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_and_dates_are_understood_and_nothing_else() {
        let now = DateTime::parse_from_rfc3339("2026-11-24T10:00:00Z").unwrap().to_utc();
        let asked = |value| parse(value, now).map(|wait| wait.as_secs_f64());
        assert_eq!(asked(" 7 "), Some(7.0));
        assert_eq!(asked("0.25"), Some(0.25));
        assert_eq!(asked("86400"), Some(60.0));
        assert_eq!(asked("99999999999999999999"), Some(60.0));
        assert_eq!(asked("Tue, 24 Nov 2026 10:00:05 GMT"), Some(5.0));
        assert_eq!(asked("Tue, 24 Nov 2026 09:59:00 GMT"), Some(0.0));
        for nonsense in ["", "-1", "soon", "inf", "NaN", "1e400", "24 Nov"] {
            assert_eq!(asked(nonsense), None, "{nonsense}");
        }
    }
}
