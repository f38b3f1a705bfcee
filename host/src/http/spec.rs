//! How requests are carried, as the run's configuration says it.

use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

/// Which moment counts as the one at which bytes had come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum ReadClock {
    /// When the read from the socket had returned.
    #[default]
    Read,
    /// When the kernel had received the packet that the read ended with (`SO_TIMESTAMPNS`).
    Kernel,
}

/// How requests are carried.
#[derive(Debug, Clone)]
pub struct HttpSpec {
    /// The most time to open a connection.
    pub connect_timeout: Option<Duration>,
    /// The most time between two reads of a reply, and before its first.
    pub read_timeout: Option<Duration>,
    /// The most time for a whole exchange.
    pub total_timeout: Option<Duration>,
    /// The run's headers, secrets among them. They win over those of the API and of the dataset.
    pub headers: Vec<(String, String)>,
    /// The largest body of a reply that is read, in bytes.
    pub max_reply_bytes: usize,
    /// What stamps the bytes of a reply. Only plain `http://` without a proxy has a choice.
    pub clock: ReadClock,
    /// Whether there may be `https://` on the way. The system's certificates, some hundred files, are
    /// read only then.
    pub tls: bool,
    /// Whether the environment names a proxy that plain `http://` goes through.
    pub proxy: bool,
}

impl HttpSpec {
    /// Whether TLS may be needed to reach `url`: for itself, or for a proxy that the environment names.
    pub fn needs_tls(url: &str) -> bool {
        let secure = |url: &str| !url.trim_start().to_ascii_lowercase().starts_with("http://");
        secure(url) || proxies().any(|proxy| secure(&proxy))
    }

    /// Whether the environment names a proxy for plain `http://`.
    pub fn behind_proxy() -> bool {
        proxies().next().is_some()
    }
}

/// The proxies that the environment names for `http://`.
fn proxies() -> impl Iterator<Item = String> {
    let names = ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"];
    names.into_iter().filter_map(|name| std::env::var(name).ok()).filter(|proxy| !proxy.trim().is_empty())
}

impl Default for HttpSpec {
    fn default() -> HttpSpec {
        HttpSpec {
            connect_timeout: None,
            read_timeout: None,
            total_timeout: None,
            headers: Vec::new(),
            max_reply_bytes: 256 << 20,
            clock: ReadClock::Read,
            tls: true,
            proxy: false,
        }
    }
}

/// Why a transport could not be made.
#[derive(Debug, Clone, thiserror::Error)]
pub enum TransportError {
    /// A header is not one.
    #[error("the header \"{name}\" is not valid HTTP; correct its name or its value")]
    Header {
        /// The header's name; its value may be a secret.
        name: String,
    },
    /// The HTTP library refused.
    #[error("the HTTP client cannot be set up: {0}; check the proxy variables and the system's certificates")]
    Setup(String),
}

/// The headers, checked; of two with one name the later one counts.
pub(super) fn header_map(headers: &[(String, String)]) -> Result<HeaderMap, TransportError> {
    let mut map = HeaderMap::with_capacity(headers.len());
    for (name, value) in headers {
        let bad = || TransportError::Header { name: name.clone() };
        let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad())?;
        let mut value = HeaderValue::from_str(value).map_err(|_| bad())?;
        value.set_sensitive(true);
        map.insert(header, value);
    }
    Ok(map)
}
