//! Talks to a hub: asks what a repository holds, and downloads a file of it, going on where an
//! earlier download broke off.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::time::Duration;

use reqwest::header::{ACCEPT_ENCODING, AUTHORIZATION, COOKIE, HeaderMap, HeaderValue, RANGE};
use reqwest::{RequestBuilder, Response, StatusCode};

use super::listing::{self, Listing, RemoteFile};
use super::settings::HubSettings;
use super::{Hub, HubError, Kind, Progress, Repository};

/// How often a download that broke off is gone on with, before it is given up.
const TRIES: u32 = 5;
/// The wait before the first of them; each later one is twice as long.
const REST: Duration = Duration::from_millis(200);
/// Entries of a page of ModelScope's listings.
const PAGE: usize = 200;
/// The branches that files are of.
const HF_BRANCH: &str = "main";
const MS_BRANCH: &str = "master";

/// A file that is to be downloaded, and where to.
pub(super) struct Unfinished<'a> {
    pub(super) file: &'a RemoteFile,
    pub(super) commit: &'a str,
    pub(super) path: PathBuf,
}

/// A connection to one hub, for one repository.
pub(super) struct Client<'a> {
    settings: &'a HubSettings,
    repository: Repository<'a>,
    runtime: tokio::runtime::Runtime,
    http: reqwest::Client,
}

/// Why an attempt ended before the file was whole.
enum Broke {
    /// Another attempt may go on from where it is.
    ForNow(String),
    ForGood(HubError),
}

impl<'a> Client<'a> {
    pub(super) fn new(settings: &'a HubSettings, repository: Repository<'a>) -> Result<Client<'a>, HubError> {
        // An error says that one is installed already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let failed = |error: String| {
            HubError::Unreachable(repository.to_string(), error, repository.hub.endpoint_variable())
        };
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        if let Some(token) = &settings.token {
            let mut secret = |name, text: String| {
                let mut value = HeaderValue::from_str(&text).map_err(|_| {
                    let variable = repository.hub.token_variable();
                    failed(format!("{variable} holds characters that no token has"))
                })?;
                value.set_sensitive(true);
                headers.insert(name, value);
                Ok(())
            };
            secret(AUTHORIZATION, format!("Bearer {token}"))?;
            if repository.hub == Hub::ModelScope {
                secret(COOKIE, format!("m_session_id={token}"))?;
            }
        }
        // A redirection to another host gets none of these headers but the encoding: the library
        // takes away what is secret.
        let http = reqwest::Client::builder()
            .user_agent(concat!("tickrate/", env!("CARGO_PKG_VERSION")))
            .default_headers(headers)
            .connect_timeout(Duration::from_secs(10))
            .read_timeout(Duration::from_secs(60))
            // One that the hub closes just when it is used again would cost a try.
            .pool_max_idle_per_host(0)
            .build()
            .map_err(|error| failed(error.without_url().to_string()))?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| failed(error.to_string()))?;
        Ok(Client { settings, repository, runtime, http })
    }

    /// What the repository holds.
    pub(super) fn list(&self) -> Result<Listing, HubError> {
        let endpoint = &self.settings.endpoint;
        let (id, kinds) = (self.repository.id, self.kinds());
        if self.repository.hub == Hub::HuggingFace {
            let url = format!("{endpoint}/api/{kinds}/{id}/revision/{HF_BRANCH}?blobs=true");
            let json = self.get_whole(&url)?;
            return listing::hugging_face(&json).map_err(|error| self.nonsense(&error));
        }
        let what = match self.repository.kind {
            Kind::Dataset => "tree",
            Kind::Model => "files",
        };
        let mut files = Vec::new();
        for page in 1.. {
            let url = format!(
                "{endpoint}/api/v1/{kinds}/{id}/repo/{what}?Revision={MS_BRANCH}&Recursive=True&PageNumber={page}&PageSize={PAGE}"
            );
            let json = self.get_whole(&url)?;
            let (more, entries) = listing::model_scope(&json).map_err(|error| self.nonsense(&error))?;
            files.extend(more);
            if entries < PAGE || self.repository.kind == Kind::Model {
                break;
            }
        }
        Ok(Listing { commit: MS_BRANCH.to_string(), files })
    }

    /// Downloads a file to its unfinished path, where it may have been begun, and checks it.
    pub(super) fn download(
        &self,
        unfinished: &Unfinished<'_>,
        progress: &mut dyn Progress,
    ) -> Result<(), HubError> {
        let mut file = self.open(unfinished)?;
        let begun = self.length(unfinished, &file)? > 0;
        self.fill(unfinished, &mut file, progress)?;
        match self.check(unfinished) {
            // What an earlier program left may be of another file; it is given one more chance.
            Err(HubError::Checksum(..)) if begun => {
                let mut file = self.open(unfinished)?;
                self.fill(unfinished, &mut file, progress)?;
                self.check(unfinished)
            }
            checked => checked,
        }
    }

    /// The unfinished file, locked against others who would write to it.
    fn open(&self, unfinished: &Unfinished<'_>) -> Result<File, HubError> {
        let open = || {
            if let Some(folder) = unfinished.path.parent() {
                fs::create_dir_all(folder)?;
            }
            let mut options = OpenOptions::new();
            let file = options.create(true).truncate(false).read(true).write(true).open(&unfinished.path)?;
            match file.lock() {
                Err(error) if error.kind() != io::ErrorKind::Unsupported => Err(error),
                _ => Ok(file),
            }
        };
        open().map_err(|error| self.full(unfinished, &error))
    }

    fn fill(
        &self,
        unfinished: &Unfinished<'_>,
        file: &mut File,
        progress: &mut dyn Progress,
    ) -> Result<(), HubError> {
        let mut have = self.length(unfinished, file)?;
        progress.begin(&unfinished.file.path, unfinished.file.bytes, have);
        let mut tries = 0;
        let filled = loop {
            if unfinished.file.bytes.is_some_and(|bytes| bytes == have) {
                break Ok(());
            }
            let before = have;
            let attempt = self.runtime.block_on(self.attempt(unfinished, file, &mut have, progress));
            match attempt {
                Ok(()) => break Ok(()),
                Err(Broke::ForGood(error)) => break Err(error),
                Err(Broke::ForNow(reason)) => {
                    // One that brought something does not count.
                    tries = if have > before { 1 } else { tries + 1 };
                    if tries >= TRIES {
                        break Err(HubError::Broken(unfinished.file.path.clone(), reason, have));
                    }
                    std::thread::sleep(REST * 2_u32.pow(tries - 1));
                }
            }
        };
        progress.end();
        filled
    }

    /// One request for what is missing, written to the file as it comes.
    async fn attempt(
        &self,
        unfinished: &Unfinished<'_>,
        file: &mut File,
        have: &mut u64,
        progress: &mut dyn Progress,
    ) -> Result<(), Broke> {
        let full = |error: io::Error| Broke::ForGood(self.full(unfinished, &error));
        let mut request = self.http.get(self.file_url(unfinished));
        if *have > 0 {
            request = request.header(RANGE, format!("bytes={have}-"));
        }
        let mut reply = request.send().await.map_err(|error| Broke::ForNow(plain(error)))?;
        let status = reply.status();
        if *have > 0 && status != StatusCode::PARTIAL_CONTENT {
            // The server does not go on from the middle, or what is here is longer than what it has.
            (*have, _) = (0, file.set_len(0).map_err(full)?);
            progress.begin(&unfinished.file.path, unfinished.file.bytes, 0);
            if status == StatusCode::RANGE_NOT_SATISFIABLE {
                return Err(Broke::ForNow("the server has less than was here".into()));
            }
        }
        if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
            return Err(Broke::ForNow(format!("HTTP {}", status.as_u16())));
        }
        self.accept(&reply, Some(&unfinished.file.path)).map_err(Broke::ForGood)?;
        file.seek(SeekFrom::Start(*have)).map_err(full)?;
        loop {
            match reply.chunk().await {
                Ok(Some(bytes)) => {
                    file.write_all(&bytes).map_err(full)?;
                    *have += bytes.len() as u64;
                    progress.advance(bytes.len() as u64);
                }
                Ok(None) => break,
                Err(error) => return Err(Broke::ForNow(plain(error))),
            }
        }
        match unfinished.file.bytes {
            Some(bytes) if *have < bytes => Err(Broke::ForNow(format!("{have} of {bytes} bytes had come"))),
            _ => file.sync_all().map_err(full),
        }
    }

    /// Deletes the file if it is not what the hub says it is.
    fn check(&self, unfinished: &Unfinished<'_>) -> Result<(), HubError> {
        let Some(expected) = &unfinished.file.checksum else { return Ok(()) };
        let found = expected.of_file(&unfinished.path).map_err(|error| self.full(unfinished, &error))?;
        if found == expected.digits() {
            return Ok(());
        }
        let _ = fs::remove_file(&unfinished.path);
        Err(HubError::Checksum(unfinished.file.path.clone(), found, expected.digits().to_string()))
    }

    fn file_url(&self, unfinished: &Unfinished<'_>) -> String {
        let (endpoint, id, kinds) = (&self.settings.endpoint, self.repository.id, self.kinds());
        let path = &unfinished.file.path;
        match (self.repository.hub, self.repository.kind) {
            (Hub::ModelScope, _) => {
                let path = escaped(path, false);
                format!("{endpoint}/api/v1/{kinds}/{id}/repo?Source=SDK&Revision={MS_BRANCH}&FilePath={path}")
            }
            (Hub::HuggingFace, Kind::Dataset) => {
                format!("{endpoint}/datasets/{id}/resolve/{}/{}", unfinished.commit, escaped(path, true))
            }
            (Hub::HuggingFace, Kind::Model) => {
                format!("{endpoint}/{id}/resolve/{}/{}", unfinished.commit, escaped(path, true))
            }
        }
    }

    fn get_whole(&self, url: &str) -> Result<Vec<u8>, HubError> {
        let unreachable = |error: reqwest::Error| {
            let at = format!("{} ({})", self.repository, host(&self.settings.endpoint));
            HubError::Unreachable(at, plain(error), self.repository.hub.endpoint_variable())
        };
        self.runtime.block_on(async {
            let request: RequestBuilder = self.http.get(url);
            let reply = request.send().await.map_err(unreachable)?;
            self.accept(&reply, None)?;
            Ok(reply.bytes().await.map_err(unreachable)?.to_vec())
        })
    }

    /// Whether the hub gives what was asked for: the repository, or a file of it.
    fn accept(&self, reply: &Response, file: Option<&str>) -> Result<(), HubError> {
        let repository = self.repository.to_string();
        match reply.status().as_u16() {
            200..300 => Ok(()),
            status @ (401 | 403) => {
                Err(HubError::Refused(repository, status, self.repository.hub.token_variable()))
            }
            404 => Err(match file {
                None => HubError::NoRepository(repository),
                Some(file) => HubError::NoFile(repository, file.to_string()),
            }),
            status => Err(HubError::Answer(repository, format!("HTTP {status}"))),
        }
    }

    fn nonsense(&self, error: &serde_json::Error) -> HubError {
        HubError::Answer(self.repository.to_string(), format!("the listing makes no sense: {error}"))
    }

    fn length(&self, unfinished: &Unfinished<'_>, file: &File) -> Result<u64, HubError> {
        file.metadata().map(|metadata| metadata.len()).map_err(|error| self.full(unfinished, &error))
    }

    fn full(&self, unfinished: &Unfinished<'_>, error: &io::Error) -> HubError {
        let variable = self.repository.hub.cache_variable();
        HubError::Cache(unfinished.file.path.clone(), error.to_string(), variable)
    }

    fn kinds(&self) -> &'static str {
        match self.repository.kind {
            Kind::Dataset => "datasets",
            Kind::Model => "models",
        }
    }
}

/// What went wrong with a request, down to its cause, on one line and without the URL: a redirection's
/// may hold a signature.
fn plain(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut cause: &dyn std::error::Error = &error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The host of an endpoint, without what may be secret in it.
fn host(endpoint: &str) -> &str {
    let rest = endpoint.split_once("://").map_or(endpoint, |(_, rest)| rest);
    let authority = rest.split('/').next().unwrap_or_default();
    authority.rsplit('@').next().unwrap_or_default()
}

/// A path as it may stand in a URL.
fn escaped(path: &str, slashes: bool) -> String {
    let mut out = String::with_capacity(path.len());
    for &byte in path.as_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(byte as char),
            b'/' if slashes => out.push('/'),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_escaped_and_hosts_are_shown_bare() {
        assert_eq!(escaped("data/a b+ü.jsonl", true), "data/a%20b%2B%C3%BC.jsonl");
        assert_eq!(escaped("data/a", false), "data%2Fa");
        assert_eq!(host("https://user:pw@hub.example:81/x"), "hub.example:81");
    }
}
