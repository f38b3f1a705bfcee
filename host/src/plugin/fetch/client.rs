//! Fetches whole bodies over HTTP.

use std::time::Duration;

use reqwest::RequestBuilder;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, WWW_AUTHENTICATE};

use super::FetchError;

/// The most that is fetched, in bytes.
const MOST: usize = 1 << 30;

/// A client for what goes by one name in messages.
pub(super) struct Client {
    from: String,
    http: reqwest::Client,
    runtime: tokio::runtime::Runtime,
}

/// An answer that is no success, and how to be let in.
pub(super) enum Answer {
    /// The body.
    Body(Vec<u8>),
    /// The headers that say how to ask.
    Challenge(Vec<String>),
}

impl Client {
    /// A client.
    ///
    /// # Errors
    /// If the system refuses one.
    pub(super) fn new(from: &str) -> Result<Client, FetchError> {
        // An error says that one is installed already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let failed = |reason: String| FetchError::Unreachable { from: from.to_owned(), reason };
        let http = reqwest::Client::builder()
            .user_agent(concat!("tickrate/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(Duration::from_secs(10))
            .read_timeout(Duration::from_secs(60))
            .build()
            .map_err(|error| failed(reason(error)))?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| failed(error.to_string()))?;
        Ok(Client { from: from.to_owned(), http, runtime })
    }

    /// The body at `url`.
    ///
    /// # Errors
    /// If there is none, or it is too large.
    pub(super) fn get(&self, url: &str) -> Result<Vec<u8>, FetchError> {
        match self.ask(url, "*/*", None)? {
            Answer::Body(body) => Ok(body),
            Answer::Challenge(_) => Err(FetchError::Refused { from: self.from.clone(), status: 401 }),
        }
    }

    /// The body at `url` in a form that `accept` names, or the challenge of a server that was not told who
    /// asks. `authorization` is a header's value; it goes to no other host.
    ///
    /// # Errors
    /// If there is none, or it is too large.
    pub(super) fn ask(
        &self,
        url: &str,
        accept: &str,
        authorization: Option<&str>,
    ) -> Result<Answer, FetchError> {
        let request = self.http.get(url).header(ACCEPT, accept);
        self.send(match authorization {
            Some(value) => request.header(AUTHORIZATION, self.secret(value)?),
            None => request,
        })
    }

    /// What a server answers to a form, whose names and values are encoded already.
    ///
    /// # Errors
    /// If there is none, or it is too large.
    pub(super) fn post_form(&self, url: &str, form: String) -> Result<Answer, FetchError> {
        let kind = "application/x-www-form-urlencoded";
        self.send(self.http.post(url).header(CONTENT_TYPE, kind).body(form))
    }

    fn secret(&self, value: &str) -> Result<HeaderValue, FetchError> {
        let mut value = HeaderValue::from_str(value).map_err(|_| FetchError::Login {
            from: self.from.clone(),
            reason: "the token for it holds characters that no token has; log in anew".into(),
        })?;
        value.set_sensitive(true);
        Ok(value)
    }

    fn send(&self, request: RequestBuilder) -> Result<Answer, FetchError> {
        let failed = |error: reqwest::Error| FetchError::Unreachable {
            from: self.from.clone(),
            reason: reason(error),
        };
        self.runtime.block_on(async {
            let mut reply = request.send().await.map_err(failed)?;
            let status = reply.status().as_u16();
            if status == 401 {
                return Ok(Answer::Challenge(challenges(reply.headers())));
            }
            if !(200..300).contains(&status) {
                return Err(FetchError::Refused { from: self.from.clone(), status });
            }
            let mut body = Vec::new();
            while let Some(chunk) = reply.chunk().await.map_err(failed)? {
                if body.len() + chunk.len() > MOST {
                    return Err(FetchError::TooLarge(self.from.clone()));
                }
                body.extend_from_slice(&chunk);
            }
            Ok(Answer::Body(body))
        })
    }
}

fn challenges(headers: &HeaderMap) -> Vec<String> {
    let values = headers.get_all(WWW_AUTHENTICATE).into_iter();
    values.filter_map(|value| value.to_str().ok().map(str::to_owned)).collect()
}

/// What lies at the bottom of an error, in one line and without the URL.
fn reason(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut deepest: &dyn std::error::Error = &error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    deepest.to_string().replace('\n', " ")
}
