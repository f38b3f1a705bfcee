//! Plugins that reach for what they were not given. Where the guests are built without WASI there is
//! nothing to reach for, and their own library panics.

use std::net::TcpListener;
use std::time::{SystemTime, UNIX_EPOCH};

use super::{REQUESTS, fails_in, fails_in_next, misdeed, plugged, told_apart};
use crate::grants::has_wasi;

fn refused(at: &str, what: &str, grant: &str) -> String {
    format!(
        "the plugin \"misbehave\" failed in \"{at}\": {what} (it was refused {grant}; grant it with --plugin-allow \
         {grant})"
    )
}

#[test]
fn reads_files() {
    if has_wasi() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().to_str().unwrap();
        fails_in("parse", "reads_files", path, &refused("parse", "no file", "dir=PATH"));
        fails_in("shape", "reads_files", path, &refused("shape", "no file", "dir=PATH"));
        fails_in_next("reads_files", path, &refused("next", "no file", "dir=PATH"));
    }
}

#[test]
fn opens_sockets() {
    if has_wasi() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let place = listener.local_addr().unwrap().to_string();
        let told = |at: &str| refused(at, "no connection", &format!("net={place}"));
        fails_in("parse", "opens_sockets", &place, &told("parse"));
        fails_in("shape", "opens_sockets", &place, &told("shape"));
        fails_in_next("opens_sockets", &place, &told("next"));
        assert!(listener.accept().is_err(), "nobody has called");
    }
}

#[test]
fn reads_environment() {
    if has_wasi() {
        fails_in("parse", "reads_environment", "PATH", &refused("parse", "no variable", "env=NAME"));
        fails_in("shape", "reads_environment", "PATH", &refused("shape", "no variable", "env=NAME"));
        fails_in_next("reads_environment", "PATH", &refused("next", "no variable", "env=NAME"));
    }
}

/// Clocks are given to every plugin, and tell it nothing that matters: a reply comes when it is over, and
/// the times of the record are the host's. To sleep is over at once.
#[test]
fn reads_clocks() {
    if has_wasi() {
        let now_s = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let begun = now_s();
        let run = plugged("api", &misdeed("reads_clocks", "", "parse", 1), REQUESTS).ended(0);
        let (good, bad) = told_apart(&run);
        assert_eq!((good.len(), bad.len()), (REQUESTS, 0));
        for record in &good {
            let label = |name: &str| {
                let found = record.labels.iter().find(|(label, _)| label == name);
                found.unwrap_or_else(|| panic!("no {name}")).1.parse::<u64>().unwrap()
            };
            assert!((begun..=now_s()).contains(&label("unix_s")), "{:?}", record.labels);
            assert!(label("slept_ms") < 1_000, "{:?}", record.labels);
        }
    }
}
