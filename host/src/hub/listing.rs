//! What a repository holds, as its hub tells it.

use serde::Deserialize;

use super::checksum::Checksum;

/// The files of a repository at one commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listing {
    /// The commit; the name of the branch where the hub does not tell it.
    pub(super) commit: String,
    pub(super) files: Vec<RemoteFile>,
}

/// A file of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RemoteFile {
    /// Its path in the repository.
    pub(super) path: String,
    /// Its size in bytes.
    pub(super) bytes: Option<u64>,
    pub(super) checksum: Option<Checksum>,
}

#[derive(Deserialize)]
struct HuggingFace {
    sha: String,
    siblings: Vec<Sibling>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Sibling {
    #[serde(rename = "rfilename")]
    path: String,
    size: Option<u64>,
    blob_id: Option<String>,
    lfs: Option<Large>,
}

#[derive(Deserialize)]
struct Large {
    sha256: String,
    size: Option<u64>,
}

/// The answer of Hugging Face to `GET /api/{datasets,models}/ID/revision/main?blobs=true`.
pub(super) fn hugging_face(json: &[u8]) -> Result<Listing, serde_json::Error> {
    let answer: HuggingFace = serde_json::from_slice(json)?;
    let file = |sibling: Sibling| RemoteFile {
        path: sibling.path,
        bytes: sibling.lfs.as_ref().and_then(|large| large.size).or(sibling.size),
        checksum: match (sibling.lfs, sibling.blob_id) {
            (Some(large), _) => Some(Checksum::Sha256(large.sha256.to_lowercase())),
            (None, blob) => blob.map(|blob| Checksum::GitBlob(blob.to_lowercase())),
        },
    };
    Ok(Listing { commit: answer.sha, files: answer.siblings.into_iter().map(file).collect() })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ModelScope {
    data: Option<Tree>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Tree {
    #[serde(default)]
    files: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    path: String,
    r#type: Option<String>,
    size: Option<u64>,
    sha256: Option<String>,
}

/// A page of the answer of ModelScope to `GET /api/v1/datasets/ID/repo/tree` or
/// `…/models/ID/repo/files`, and how many entries it has, folders included.
pub(super) fn model_scope(json: &[u8]) -> Result<(Vec<RemoteFile>, usize), serde_json::Error> {
    let answer: ModelScope = serde_json::from_slice(json)?;
    let entries = answer.data.map_or_else(Vec::new, |tree| tree.files);
    let count = entries.len();
    let files = entries.into_iter().filter(|entry| entry.r#type.as_deref() != Some("tree"));
    let file = |entry: Entry| RemoteFile {
        path: entry.path,
        bytes: entry.size,
        checksum: entry.sha256.filter(|sum| sum.len() == 64).map(|s| Checksum::Sha256(s.to_lowercase())),
    };
    Ok((files.map(file).collect(), count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_hubs_listings_are_understood() {
        let sum = "AB".repeat(32);
        let json = format!(
            r#"{{"id":"a/b","sha":"c0ffee","private":false,"siblings":[
                {{"rfilename":"data/x.jsonl","size":7,"blobId":"11","lfs":{{"sha256":"{sum}","size":9,"pointerSize":130}}}},
                {{"rfilename":"README.md","size":3,"blobId":"DA39"}},{{"rfilename":"bare"}}]}}"#
        );
        let listing = hugging_face(json.as_bytes()).unwrap();
        let file = |path: &str, bytes, checksum| RemoteFile { path: path.into(), bytes, checksum };
        let expected = [
            file("data/x.jsonl", Some(9), Some(Checksum::Sha256(sum.to_lowercase()))),
            file("README.md", Some(3), Some(Checksum::GitBlob("da39".into()))),
            file("bare", None, None),
        ];
        assert_eq!((listing.commit.as_str(), &listing.files[..]), ("c0ffee", &expected[..]));

        let json = format!(
            r#"{{"Code":200,"Data":{{"Files":[{{"Path":"data","Type":"tree","Size":0,"Sha256":""}},
                {{"Path":"data/x.jsonl","Type":"blob","Size":9,"Sha256":"{sum}"}}]}},"Success":true}}"#
        );
        let (files, count) = model_scope(json.as_bytes()).unwrap();
        assert_eq!((&files[..], count), (&expected[..1], 2));
        assert_eq!(model_scope(br#"{"Code":200,"Data":null}"#).unwrap(), (vec![], 0));
        assert!(hugging_face(b"<html>").is_err());
    }
}
