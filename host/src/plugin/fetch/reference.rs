//! What a plugin is named by: a file, a URL, or a place in a registry.

use std::fmt;
use std::path::PathBuf;

use super::FetchError;

/// Where a plugin is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::plugin) enum Reference {
    /// In a file.
    File(PathBuf),
    /// Behind a URL, which holds a component of that SHA-256.
    Url {
        /// The URL without the pin.
        url: String,
        /// SHA-256 in small hexadecimal digits.
        sha256: String,
    },
    /// In a registry that speaks the OCI distribution API.
    Oci(Place),
}

/// A place in a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::plugin) struct Place {
    /// Host and port.
    pub(super) registry: String,
    /// The repository's name.
    pub(super) name: String,
    /// A tag, or the SHA-256 of a manifest.
    pub(super) version: Version,
}

/// Which of the things in a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Version {
    /// The one that the tag is on now.
    Tag(String),
    /// The one whose manifest has this SHA-256.
    Digest(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.version {
            Version::Tag(tag) => write!(f, "oci://{}/{}:{tag}", self.registry, self.name),
            Version::Digest(digest) => write!(f, "oci://{}/{}@sha256:{digest}", self.registry, self.name),
        }
    }
}

impl Reference {
    /// Reads what the user wrote.
    ///
    /// # Errors
    /// If it is a URL without a pin, one that would be fetched in the clear, or no reference.
    pub(in crate::plugin) fn parse(text: &str) -> Result<Reference, FetchError> {
        if let Some(rest) = text.strip_prefix("oci://") {
            return place(rest).map(Reference::Oci).ok_or_else(|| FetchError::BadReference(text.to_owned()));
        }
        let Some((scheme @ ("http" | "https"), rest)) = text.split_once("://") else {
            return Ok(Reference::File(text.into()));
        };
        let (url, pin) = text.split_once('#').unwrap_or((text, ""));
        if scheme == "http" && !is_loopback(authority(rest)) {
            return Err(FetchError::Plain(shown(url)));
        }
        if url.contains('?') || !rest.starts_with(authority(rest)) {
            return Err(FetchError::Secret(shown(url)));
        }
        let pin = pin.strip_prefix("sha256=").ok_or_else(|| FetchError::NoPin(shown(url)))?;
        let sha256 = sha256(pin).ok_or_else(|| FetchError::BadPin(shown(url)))?;
        Ok(Reference::Url { url: url.to_owned(), sha256 })
    }
}

/// A URL without user, password and query, for messages.
pub(super) fn shown(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let path = rest.find('/').map_or("", |at| &rest[at..]);
    let path = path.split(['?', '#']).next().unwrap_or_default();
    format!("{scheme}://{}{path}", authority(rest))
}

/// Host and port.
fn authority(rest: &str) -> &str {
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    authority.rsplit_once('@').map_or(authority, |(_, host)| host)
}

/// Whether a host is this machine itself.
pub(super) fn is_loopback(authority: &str) -> bool {
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// The 64 digits of a SHA-256, small.
pub(super) fn sha256(text: &str) -> Option<String> {
    (text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())).then(|| text.to_ascii_lowercase())
}

fn place(rest: &str) -> Option<Place> {
    let (registry, path) = rest.split_once('/')?;
    let (name, version) = match path.split_once('@') {
        Some((name, digest)) => {
            let name = name.rsplit_once(':').map_or(name, |(name, _)| name);
            (name, Version::Digest(sha256(digest.strip_prefix("sha256:")?)?))
        }
        None => {
            let (name, tag) = path.rsplit_once(':').unwrap_or((path, "latest"));
            (name, Version::Tag(tag.to_owned()))
        }
    };
    let plain = |text: &str, more: &[u8]| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || more.contains(&byte))
    };
    let tag = !matches!(&version, Version::Tag(tag) if !plain(tag, b"._-"));
    let fits = tag && plain(registry, b".:-[]") && plain(name, b"._-/") && !name.contains("..");
    fits.then(|| Place { registry: registry.to_owned(), name: name.to_owned(), version })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plugin_is_named_by_a_file_a_url_or_a_place() {
        let pin = "AB".repeat(32);
        assert_eq!(Reference::parse("a/b.wasm"), Ok(Reference::File("a/b.wasm".into())));
        assert_eq!(
            Reference::parse(&format!("https://h/p.wasm#sha256={pin}")),
            Ok(Reference::Url { url: "https://h/p.wasm".into(), sha256: "ab".repeat(32) })
        );
        for text in ["oci://h:5000/a/b:v1".to_string(), format!("oci://h/a@sha256:{}", "0".repeat(64))] {
            let Ok(Reference::Oci(place)) = Reference::parse(&text) else { panic!("{text}") };
            assert_eq!(place.to_string(), text);
        }
    }

    #[test]
    fn what_cannot_be_trusted_is_refused_without_its_secrets() {
        let told = |text: &str| Reference::parse(text).unwrap_err().to_string();
        assert_eq!(
            told("https://h/p.wasm"),
            "\"https://h/p.wasm\" has no pin; add the SHA-256 of the component to it: #sha256=…"
        );
        assert!(
            told("https://h/p.wasm#sha256=abc").starts_with("the pin of \"https://h/p.wasm\" is no SHA-256")
        );
        assert!(told("http://example.org/p.wasm#sha256=00").contains("without encryption"));
        for text in ["https://me:pw@h/p.wasm", "https://h/p.wasm?token=t", "https://me:pw@h"] {
            let told = told(text);
            assert!(
                told.contains("would be kept with the run")
                    && !told.contains("pw")
                    && !told.contains("token")
            );
        }
        assert!(told("http://127.0.0.1:80/p.wasm").contains("has no pin"));
        for text in ["oci://h", "oci://h/a@sha256:12", "oci://h/a/../b:c", "oci:///a:b"] {
            assert!(told(text).contains("is no reference"), "{text}");
        }
    }
}
