//! What the user allows plugins beyond what every plugin gets, with `--plugin-allow`: folders,
//! environment variables and servers. Nothing of it is granted unless it is named.

use std::collections::BTreeSet;
use std::fmt;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::str::FromStr;

/// One thing that plugins may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Grant {
    /// A folder and all below it, under its own absolute path.
    Dir {
        /// The folder as it was named.
        path: PathBuf,
        /// Whether it may be written to.
        write: bool,
    },
    /// An environment variable.
    Env(String),
    /// Connections to a server.
    Net {
        /// A name or an address.
        host: String,
        /// One port; any if there is none.
        port: Option<u16>,
    },
}

/// Why a grant makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is none of dir=PATH, dir=PATH:rw, env=NAME, net=HOST and net=HOST:PORT")]
pub struct GrantError(String);

impl FromStr for Grant {
    type Err = GrantError;

    fn from_str(text: &str) -> Result<Grant, GrantError> {
        // What follows a second "=" may be a value that is nobody's business.
        let shown = || GrantError(text.splitn(3, '=').take(2).collect::<Vec<_>>().join("="));
        match text.split_once('=').filter(|(_, rest)| !rest.is_empty()) {
            Some(("dir", path)) => {
                let (path, write) = path.strip_suffix(":rw").map_or((path, false), |path| (path, true));
                Ok(Grant::Dir { path: path.into(), write })
            }
            Some(("env", name)) if !name.contains('=') => Ok(Grant::Env(name.to_owned())),
            Some(("net", place)) => {
                let parsed = match place.rsplit_once(':') {
                    // An IPv6 address without a port has colons of its own.
                    Some((host, _)) if host.contains(':') && !host.ends_with(']') => Ok((place, None)),
                    Some((host, port)) => port.parse().map(|port| (host, Some(port))),
                    None => Ok((place, None)),
                };
                let (host, port) = parsed.map_err(|_| shown())?;
                let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
                if host.is_empty() { Err(shown()) } else { Ok(Grant::Net { host, port }) }
            }
            _ => Err(shown()),
        }
    }
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Grant::Dir { path, write } => {
                write!(f, "dir={}{}", path.display(), if *write { ":rw" } else { "" })
            }
            Grant::Env(name) => write!(f, "env={name}"),
            Grant::Net { host, port: None } => write!(f, "net={host}"),
            Grant::Net { host, port: Some(port) } if host.contains(':') => write!(f, "net=[{host}]:{port}"),
            Grant::Net { host, port: Some(port) } => write!(f, "net={host}:{port}"),
        }
    }
}

impl serde::Serialize for Grant {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The grants of a run, looked up: the folders are there, the variables are set, the names are known.
#[derive(Debug, Default)]
pub(super) struct Granted {
    /// Folders: where they are, and whether they may be written to.
    pub(super) dirs: Vec<(PathBuf, bool)>,
    /// Variables and their values.
    pub(super) env: Vec<(String, String)>,
    /// Addresses, each with a port or all ports.
    addresses: Vec<(IpAddr, Option<u16>)>,
    names: BTreeSet<String>,
}

impl Granted {
    /// Looks up what is granted.
    ///
    /// # Errors
    /// In one line, if something that is granted is not there.
    pub(super) fn look_up(grants: &[Grant]) -> Result<Granted, String> {
        let mut granted = Granted::default();
        for grant in grants {
            match grant {
                Grant::Dir { path, write } => {
                    let real = path.canonicalize().map_err(|error| format!("\"{grant}\": {error}"))?;
                    if !real.is_dir() {
                        return Err(format!("\"{grant}\" is no folder; name the folder that it is in"));
                    }
                    granted.dirs.push((real, *write));
                }
                Grant::Env(name) => {
                    let value = std::env::var(name)
                        .map_err(|_| format!("\"{grant}\": the variable is not set, or is no text"))?;
                    granted.env.push((name.clone(), value));
                }
                Grant::Net { host, port } => {
                    let found = (host.as_str(), 0)
                        .to_socket_addrs()
                        .map_err(|error| format!("\"{grant}\": {error}; check the name"))?;
                    granted.addresses.extend(found.map(|address| (address.ip().to_canonical(), *port)));
                    granted.names.insert(host.to_ascii_lowercase());
                }
            }
        }
        Ok(granted)
    }

    /// Whether plugins may talk to `address`.
    pub(super) fn reaches(&self, address: SocketAddr) -> bool {
        let ip = address.ip().to_canonical();
        let fits = |(granted, port): &(IpAddr, Option<u16>)| {
            *granted == ip && port.is_none_or(|port| port == address.port())
        };
        self.addresses.iter().any(fits)
    }

    /// Whether plugins may ask for the addresses of `name`.
    pub(super) fn resolves(&self, name: &str) -> bool {
        self.names.contains(&name.to_ascii_lowercase())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grants_are_read_and_shown_as_they_are_written() {
        for text in [
            "dir=/a b",
            "dir=/a:rw",
            "env=HOME",
            "net=example.org",
            "net=10.0.0.1:80",
            "net=[::1]:80",
            "net=::1",
        ] {
            assert_eq!(text.parse::<Grant>().unwrap().to_string(), text);
        }
        for text in ["", "dir=", "file=/a", "net=:80", "net=a:b", "HOME"] {
            let told = text.parse::<Grant>().unwrap_err().to_string();
            assert!(told.starts_with(&format!("\"{text}\" is none of dir=PATH")), "{told}");
        }
        let told = "env=KEY=hush".parse::<Grant>().unwrap_err().to_string();
        assert!(told.starts_with("\"env=KEY\" is none of"), "{told}");
    }

    #[test]
    fn a_server_is_reached_at_its_port_only_and_by_its_name() {
        let grants = ["net=localhost:80".parse().unwrap(), "net=10.0.0.1".parse().unwrap()];
        let granted = Granted::look_up(&grants).unwrap();
        let reaches = |address: &str| granted.reaches(address.parse().unwrap());
        assert!(reaches("127.0.0.1:80") && reaches("10.0.0.1:1") && reaches("[::ffff:10.0.0.1]:1"));
        assert!(!reaches("127.0.0.1:81") && !reaches("10.0.0.2:1"));
        assert!(granted.resolves("LocalHost") && !granted.resolves("example.org"));
    }

    #[test]
    fn what_is_granted_must_be_there() {
        let told = |text: &str| Granted::look_up(&[text.parse().unwrap()]).unwrap_err();
        assert!(told("dir=/nowhere/at/all").starts_with("\"dir=/nowhere/at/all\": No such file"));
        assert!(told("env=TICKRATE_NOT_SET_AT_ALL").ends_with("the variable is not set, or is no text"));
        assert!(told("dir=/proc/self/status").contains("is no folder"));
    }
}
