//! How hubs are reached and where their files are kept, as the environment says: in the variables of
//! the hubs' own programs.

use std::fmt;
use std::path::PathBuf;

use super::Hub;

/// How each hub is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    hugging_face: HubSettings,
    model_scope: HubSettings,
}

/// How one hub is reached.
#[derive(Clone, PartialEq, Eq)]
pub struct HubSettings {
    /// Where it is: `https://host`, without a slash at the end.
    pub endpoint: String,
    /// The folder that its files are kept in.
    pub cache: PathBuf,
    /// The variable that forbids the network, if one does.
    pub offline: Option<&'static str>,
    pub(super) token: Option<String>,
}

impl fmt::Debug for HubSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let token = self.token.as_ref().map(|_| "[redacted]");
        let HubSettings { endpoint, cache, offline, .. } = self;
        write!(f, "HubSettings {{ {endpoint}, {cache:?}, offline: {offline:?}, token: {token:?} }}")
    }
}

impl Settings {
    /// The settings in the variables that `variable` knows. A token may also be where
    /// `huggingface-cli login` puts it.
    pub fn new(variable: impl Fn(&str) -> Option<String>) -> Settings {
        let set = |name: &str| variable(name).map(|v| v.trim().to_string()).filter(|v| !v.is_empty());
        let on = |name: &str| {
            set(name).is_some_and(|v| ["1", "on", "yes", "true"].contains(&v.to_lowercase().as_str()))
        };
        let home = PathBuf::from(set("HOME").unwrap_or_else(|| ".".into()));
        let folders = set("XDG_CACHE_HOME").map_or_else(|| home.join(".cache"), PathBuf::from);
        let hf_home = set("HF_HOME").map_or_else(|| folders.join("huggingface"), PathBuf::from);
        let hf_cache = set("HF_HUB_CACHE").or_else(|| set("HUGGINGFACE_HUB_CACHE"));
        let token_file = set("HF_TOKEN_PATH").map_or_else(|| hf_home.join("token"), PathBuf::from);
        let stored = || {
            let text = std::fs::read_to_string(&token_file).ok()?;
            Some(text.trim().to_string()).filter(|token| !token.is_empty())
        };
        let hf_token = match on("HF_HUB_DISABLE_IMPLICIT_TOKEN") {
            true => None,
            false => set("HF_TOKEN").or_else(|| set("HUGGING_FACE_HUB_TOKEN")).or_else(stored),
        };
        let off = |names: &[&'static str]| names.iter().copied().find(|name| on(name));
        Settings {
            hugging_face: HubSettings {
                endpoint: endpoint(set("HF_ENDPOINT"), "https://huggingface.co"),
                cache: hf_cache.map_or_else(|| hf_home.join("hub"), PathBuf::from),
                offline: off(&["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"]),
                token: hf_token,
            },
            model_scope: HubSettings {
                endpoint: endpoint(
                    set("MODELSCOPE_ENDPOINT").or_else(|| set("MODELSCOPE_DOMAIN")),
                    "https://www.modelscope.cn",
                ),
                cache: set("MODELSCOPE_CACHE")
                    .map_or_else(|| home.join(".cache/modelscope/hub"), PathBuf::from),
                offline: off(&["MODELSCOPE_OFFLINE", "HF_HUB_OFFLINE"]),
                token: set("MODELSCOPE_API_TOKEN"),
            },
        }
    }

    /// The settings of a hub.
    pub fn of(&self, hub: Hub) -> &HubSettings {
        match hub {
            Hub::HuggingFace => &self.hugging_face,
            Hub::ModelScope => &self.model_scope,
        }
    }
}

/// An endpoint with its scheme and without a slash at its end.
fn endpoint(given: Option<String>, default: &str) -> String {
    let given = given.unwrap_or_else(|| default.to_string());
    let given = given.trim_end_matches('/');
    if given.contains("://") { given.to_string() } else { format!("https://{given}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(set: &[(&str, &str)]) -> Settings {
        let set: Vec<(String, String)> =
            set.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        Settings::new(move |name| set.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone()))
    }

    #[test]
    fn without_variables_it_is_the_public_hubs_and_their_usual_folders() {
        let got = settings(&[("HOME", "/home/u")]);
        let (hf, ms) = (got.of(Hub::HuggingFace), got.of(Hub::ModelScope));
        assert_eq!(
            (hf.endpoint.as_str(), ms.endpoint.as_str()),
            ("https://huggingface.co", "https://www.modelscope.cn")
        );
        assert_eq!(hf.cache, PathBuf::from("/home/u/.cache/huggingface/hub"));
        assert_eq!(ms.cache, PathBuf::from("/home/u/.cache/modelscope/hub"));
        assert_eq!((hf.offline, ms.offline, &hf.token, &ms.token), (None, None, &None, &None));
    }

    #[test]
    fn variables_say_where_who_and_whether() {
        let got = settings(&[
            ("HF_ENDPOINT", "https://mirror.example/"),
            ("HF_HOME", "/hf"),
            ("HF_TOKEN", " hf_secret\n"),
            ("HF_HUB_OFFLINE", "Yes"),
            ("MODELSCOPE_DOMAIN", "www.modelscope.ai"),
            ("MODELSCOPE_CACHE", "/ms"),
            ("MODELSCOPE_API_TOKEN", "ms-secret"),
        ]);
        let (hf, ms) = (got.of(Hub::HuggingFace), got.of(Hub::ModelScope));
        assert_eq!(
            (hf.endpoint.as_str(), ms.endpoint.as_str()),
            ("https://mirror.example", "https://www.modelscope.ai")
        );
        assert_eq!((hf.cache.clone(), ms.cache.clone()), (PathBuf::from("/hf/hub"), PathBuf::from("/ms")));
        assert_eq!((hf.token.as_deref(), ms.token.as_deref()), (Some("hf_secret"), Some("ms-secret")));
        assert_eq!((hf.offline, ms.offline), (Some("HF_HUB_OFFLINE"), Some("HF_HUB_OFFLINE")));
        assert!(!format!("{got:?}").contains("secret"));
        let without = settings(&[("HF_TOKEN", "hf_secret"), ("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")]);
        assert_eq!(without.of(Hub::HuggingFace).token, None);
    }

    #[test]
    fn a_token_that_was_stored_by_a_login_is_used() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("token"), "hf_stored\n").unwrap();
        let got = settings(&[("HF_HOME", folder.path().to_str().unwrap())]);
        assert_eq!(got.of(Hub::HuggingFace).token.as_deref(), Some("hf_stored"));
    }
}
