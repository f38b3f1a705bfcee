//! The OCI distribution API, as far as a plugin needs it: a manifest, a blob, and the token that a
//! public registry gives to anyone.

use serde_json::Value;

use super::client::{Answer, Client};
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

/// Fetches something of the repository, with a token if the registry wants one.
fn fetch(place: &Place, what: &str, accept: &str) -> Result<Vec<u8>, FetchError> {
    let scheme = if is_loopback(&place.registry) { "http" } else { "https" };
    let url = format!("{scheme}://{}/v2/{}/{what}", place.registry, place.name);
    let client = Client::new(&place.to_string())?;
    let challenge = match client.ask(&url, accept, None)? {
        Answer::Body(body) => return Ok(body),
        Answer::Challenge(challenge) => challenge,
    };
    let refused = || FetchError::Refused { from: place.to_string(), status: 401 };
    let token = token(&client, &challenge)?.ok_or_else(refused)?;
    match client.ask(&url, accept, Some(&token))? {
        Answer::Body(body) => Ok(body),
        Answer::Challenge(_) => Err(refused()),
    }
}

/// The token that the challenge `Bearer realm="…",service="…",scope="…"` leads to.
fn token(client: &Client, challenge: &str) -> Result<Option<String>, FetchError> {
    let Some(rest) = challenge.strip_prefix("Bearer ") else { return Ok(None) };
    let value = |name: &str| {
        let after = rest.split(&format!("{name}=\"")).nth(1)?;
        after.split('"').next().map(str::to_owned)
    };
    let Some(realm) = value("realm") else { return Ok(None) };
    let local =
        realm.strip_prefix("http://").is_some_and(|rest| is_loopback(rest.split('/').next().unwrap_or("")));
    if !realm.starts_with("https://") && !local {
        return Ok(None);
    }
    let query: Vec<String> = ["service", "scope"]
        .into_iter()
        .filter_map(|name| Some(format!("{name}={}", encoded(&value(name)?))))
        .collect();
    let body = client.get(&format!("{realm}?{}", query.join("&")))?;
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
