//! The OCI distribution API, as far as a plugin needs it: a manifest, a blob, and the token that a
//! registry gives to anyone, or to whom it knows.

use serde_json::Value;

use super::client::{Answer, Client};
use super::login::{Login, Logins};
use super::reference::{Place, Version, is_loopback, sha256};
use super::{FetchError, check};
use crate::plugin::cache::Cache;
use crate::plugin::compiled::hex;

/// The forms of a manifest that are understood.
const MANIFEST: &str =
    "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json";
/// The types of a layer that is a component.
const COMPONENT: [&str; 2] = ["application/wasm", "application/vnd.wasm.content.layer.v1+wasm"];

/// The SHA-256 of the component at `place`. A tag is looked up each time, a manifest that is pinned
/// only once.
///
/// # Errors
/// If the registry does not have it, or it is no plugin.
pub(super) fn digest(place: &Place, cache: &Cache) -> Result<String, FetchError> {
    let version = match &place.version {
        Version::Tag(tag) => tag.clone(),
        Version::Digest(digest) => {
            let known = cache.text(&format!("{digest}.manifest")).and_then(|text| sha256(text.trim()));
            if let Some(known) = known {
                return Ok(known);
            }
            format!("sha256:{digest}")
        }
    };
    let bytes = fetch(place, &format!("manifests/{version}"), MANIFEST)?;
    if let Version::Digest(digest) = &place.version {
        check(&place.to_string(), &bytes, digest)?;
    }
    let layer = layer(&bytes)
        .map_err(|reason| FetchError::Manifest { from: place.to_string(), reason: reason.to_owned() })?;
    if let Version::Digest(digest) = &place.version {
        cache.put(&format!("{digest}.manifest"), layer.as_bytes());
    }
    Ok(layer)
}

/// The blob of that SHA-256; the caller checks it.
///
/// # Errors
/// If the registry does not have it.
pub(super) fn blob(place: &Place, sha256: &str) -> Result<Vec<u8>, FetchError> {
    fetch(place, &format!("blobs/sha256:{sha256}"), "*/*")
}

/// The SHA-256 of the one layer that is a component.
fn layer(manifest: &[u8]) -> Result<String, &'static str> {
    let manifest: Value =
        serde_json::from_slice(manifest).map_err(|_| "its manifest is no JSON; check the address")?;
    let layers =
        manifest["layers"].as_array().ok_or("its manifest has no layers; push a single component")?;
    let is_component =
        |layer: &&Value| layer["mediaType"].as_str().is_some_and(|kind| COMPONENT.contains(&kind));
    let mut components = layers.iter().filter(is_component);
    match (components.next(), components.next()) {
        (Some(layer), None) => layer["digest"]
            .as_str()
            .and_then(|digest| sha256(digest.strip_prefix("sha256:")?))
            .ok_or("the digest of its layer is no SHA-256; push it again"),
        (None, _) => Err("none of its layers is a component (application/wasm); push a component"),
        _ => Err("several of its layers are components; push a single one"),
    }
}

/// Fetches something of the repository: as nobody, and where the registry wants to know who asks, as it
/// wants to be told.
fn fetch(place: &Place, what: &str, accept: &str) -> Result<Vec<u8>, FetchError> {
    let scheme = if is_loopback(&place.registry) { "http" } else { "https" };
    let url = format!("{scheme}://{}/v2/{}/{what}", place.registry, place.name);
    let client = Client::new(&place.to_string())?;
    let challenges = match client.ask(&url, accept, None)? {
        Answer::Body(body) => return Ok(body),
        Answer::Challenge(challenges) => challenges,
    };
    let logins = Logins::of(place, |name| std::env::var(name).ok())?;
    let told = authorization(&client, place, &challenges, &logins).and_then(|value| match value {
        Some(value) => client.ask(&url, accept, Some(&value)),
        None => Ok(Answer::Challenge(Vec::new())),
    });
    match told {
        Ok(Answer::Body(body)) => Ok(body),
        Ok(Answer::Challenge(_)) | Err(FetchError::Refused { status: 403, .. }) => Err(logins.refused(place)),
        Err(error) => Err(error),
    }
}

/// The header that answers one of the challenges, if there is an answer.
fn authorization(
    client: &Client,
    place: &Place,
    challenges: &[String],
    logins: &Logins,
) -> Result<Option<String>, FetchError> {
    let login = logins.found.as_ref().map(|(login, _)| login);
    let of_scheme = |wanted: &str| {
        let parts = challenges.iter().filter_map(|challenge| challenge.split_once(' '));
        parts.into_iter().find(|(scheme, _)| scheme.eq_ignore_ascii_case(wanted)).map(|(_, rest)| rest)
    };
    if let Some(challenge) = of_scheme("bearer") {
        let token = token(client, place, challenge, login)?;
        return Ok(token.map(|token| format!("Bearer {token}")));
    }
    match (of_scheme("basic"), login) {
        (Some(_), Some(Login::Basic(login))) => Ok(Some(format!("Basic {login}"))),
        _ => Ok(None),
    }
}

/// The token that the challenge `realm="…",service="…",scope="…"` leads to. A login is told to a server of
/// tokens only over a connection that nobody else can read.
fn token(
    client: &Client,
    place: &Place,
    challenge: &str,
    login: Option<&Login>,
) -> Result<Option<String>, FetchError> {
    let value = |name: &str| {
        let after = challenge.split(&format!("{name}=\"")).nth(1)?;
        after.split('"').next().map(str::to_owned)
    };
    let Some(realm) = value("realm") else { return Ok(None) };
    let here = |rest: &str| is_loopback(rest.split('/').next().unwrap_or(""));
    let local = is_loopback(&place.registry) && realm.strip_prefix("http://").is_some_and(here);
    if !realm.starts_with("https://") && !local {
        return Ok(None);
    }
    let mut pairs: Vec<String> = ["service", "scope"]
        .into_iter()
        .filter_map(|name| Some(format!("{name}={}", encoded(&value(name)?))))
        .collect();
    let answer = match login {
        Some(Login::Identity(identity)) => {
            pairs.push("client_id=tickrate&grant_type=refresh_token".into());
            pairs.push(format!("refresh_token={}", encoded(identity)));
            client.post_form(&realm, pairs.join("&"))?
        }
        Some(Login::Basic(login)) => {
            client.ask(&format!("{realm}?{}", pairs.join("&")), "*/*", Some(&format!("Basic {login}")))?
        }
        None => client.ask(&format!("{realm}?{}", pairs.join("&")), "*/*", None)?,
    };
    let Answer::Body(body) = answer else { return Ok(None) };
    let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
    Ok(["token", "access_token"].iter().find_map(|name| answer[*name].as_str().map(str::to_owned)))
}

/// A text as a part of a query.
fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            _ => format!("%{}", hex(&[byte]).to_uppercase()),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_one_layer_that_is_a_component_is_found() {
        let digest = "0".repeat(64);
        let of = |kind: &str| serde_json::json!({"mediaType": kind, "digest": format!("sha256:{digest}")});
        let told = |layers: Value| layer(serde_json::json!({ "layers": layers }).to_string().as_bytes());
        assert_eq!(told(serde_json::json!([of("text/plain"), of("application/wasm")])), Ok(digest.clone()));
        assert!(told(serde_json::json!([of("text/plain")])).unwrap_err().starts_with("none of its layers"));
        assert!(
            told(serde_json::json!([of(COMPONENT[0]), of(COMPONENT[1])])).unwrap_err().starts_with("several")
        );
        assert!(layer(b"{}").is_err() && layer(b"<html>").is_err());
        assert_eq!(encoded("repository:a/b:pull"), "repository%3Aa%2Fb%3Apull");
    }
}
