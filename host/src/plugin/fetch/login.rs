//! Who asks a registry: the logins that `docker login`, `podman login` and `oras login` leave in files.
//! tickrate reads them, and neither keeps nor shows them.

use std::fmt;
use std::path::PathBuf;

use serde_json::Value;

use super::FetchError;
use super::reference::Place;

/// A login at one registry.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Login {
    /// A user and a password, as the header of HTTP's Basic scheme has them: in Base64.
    Basic(String),
    /// A token that the registry's own server changes into another.
    Identity(String),
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Login::Basic(_) => "Basic([redacted])",
            Login::Identity(_) => "Identity([redacted])",
        })
    }
}

/// What the files say of one registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Logins {
    registry: String,
    /// The login, and the file that it is in.
    pub(super) found: Option<(Login, PathBuf)>,
    /// The program that a file leaves the login to.
    helper: Option<String>,
}

impl Logins {
    /// Looks `place` up in the files that the variables name.
    ///
    /// # Errors
    /// If a file is there and cannot be understood.
    pub(super) fn of(place: &Place, variable: impl Fn(&str) -> Option<String>) -> Result<Logins, FetchError> {
        let mut logins = Logins { registry: place.registry.clone(), found: None, helper: None };
        for file in files(variable) {
            let Ok(bytes) = std::fs::read(&file) else { continue };
            let bad = |reason: String| FetchError::Logins { file: file.display().to_string(), reason };
            let json: Value = serde_json::from_slice(&bytes).map_err(|error| bad(error.to_string()))?;
            if let Some(entry) = entry(&json["auths"], place)
                && let Some(login) = login(entry).map_err(|reason| bad(reason.to_owned()))?
            {
                logins.found = Some((login, file));
                return Ok(logins);
            }
            let helper =
                json["credHelpers"][&place.registry].as_str().or_else(|| json["credsStore"].as_str());
            logins.helper = logins.helper.or_else(|| helper.map(str::to_owned));
        }
        Ok(logins)
    }

    /// Why the registry does not let in whoever has these.
    pub(super) fn refused(&self, from: &Place) -> FetchError {
        let registry = &self.registry;
        let reason = match (&self.found, &self.helper) {
            (Some((_, file)), _) => format!(
                "the registry does not accept the login of \"{}\"; renew it with: docker login {registry}",
                file.display()
            ),
            (None, Some(helper)) => format!(
                "the registry wants a login, and the one for it is with the program docker-credential-{helper}, \
                 which tickrate does not call; put one into a file with: podman login {registry}"
            ),
            (None, None) => {
                format!(
                    "the registry wants a login, and there is none for it; make one with: docker login {registry}"
                )
            }
        };
        FetchError::Login { from: from.to_string(), reason }
    }
}

/// Where logins may be, in the order in which they count.
fn files(variable: impl Fn(&str) -> Option<String>) -> Vec<PathBuf> {
    let set = |name: &str| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let home = set("HOME");
    let below_home = |path: &str| home.as_ref().map(|home| home.join(path));
    let docker = set("DOCKER_CONFIG").or_else(|| below_home(".docker"));
    let config = set("XDG_CONFIG_HOME").or_else(|| below_home(".config"));
    let podman = |folder: PathBuf| folder.join("containers/auth.json");
    let all = [
        set("REGISTRY_AUTH_FILE"),
        docker.map(|folder| folder.join("config.json")),
        set("XDG_RUNTIME_DIR").map(podman),
        config.map(podman),
    ];
    all.into_iter().flatten().collect()
}

/// The entry of the registry, or of the part of it that the place is in: the closest one.
fn entry<'a>(auths: &'a Value, place: &Place) -> Option<&'a Value> {
    let whole = format!("{}/{}", place.registry, place.name);
    let covers = |key: &str| {
        whole.strip_prefix(key).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            && !key.is_empty()
    };
    let named = auths.as_object()?.iter().map(|(key, entry)| (plain(key), entry));
    named.filter(|(key, _)| covers(key)).max_by_key(|(key, _)| key.len()).map(|(_, entry)| entry)
}

/// A registry without the scheme and the path that docker once wrote around it.
fn plain(key: &str) -> &str {
    let key = key.strip_prefix("https://").or_else(|| key.strip_prefix("http://")).unwrap_or(key);
    let key = key.trim_end_matches('/');
    key.strip_suffix("/v1").or_else(|| key.strip_suffix("/v2")).unwrap_or(key)
}

/// The login of an entry; none if the entry is empty, as it is where a program keeps the login.
fn login(entry: &Value) -> Result<Option<Login>, &'static str> {
    let text = |name: &str| entry[name].as_str().filter(|text| !text.is_empty());
    let token = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
    match (text("identitytoken"), text("auth")) {
        (Some(identity), _) if token(identity) => Ok(Some(Login::Identity(identity.to_owned()))),
        (None, Some(auth)) if token(auth) => Ok(Some(Login::Basic(auth.to_owned()))),
        (None, None) => Ok(None),
        _ => Err("a login in it is none"),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::reference::Reference;
    use super::*;

    fn found_in(logins: &Logins) -> Option<&Path> {
        logins.found.as_ref().map(|(_, file)| file.as_path())
    }

    fn place(text: &str) -> Place {
        match Reference::parse(text) {
            Ok(Reference::Oci(place)) => place,
            other => panic!("{other:?}"),
        }
    }

    /// What is found for `wanted` where these files have these texts.
    fn found(files: &[(&str, &str)], wanted: &str) -> Result<Logins, FetchError> {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let of = |name: &str| Some(folder.path().join(name).display().to_string());
        Logins::of(&place(wanted), |name| match name {
            "HOME" => of("home"),
            "DOCKER_CONFIG" => of("docker").filter(|path| Path::new(path).exists()),
            "REGISTRY_AUTH_FILE" => of("auth.json"),
            "XDG_RUNTIME_DIR" => of("run"),
            _ => None,
        })
    }

    #[test]
    fn a_login_is_found_by_its_registry_and_the_closest_counts() {
        let text = r#"{"auths":{"https://r.example/v1/":{"auth":"b25l"},"r.example/team":{"auth":"dHdv"},
            "r.example:5000":{"auth":"dGhyZWU="},"empty.example":{},"id.example":{"auth":"YTo=","identitytoken":"x.y"}}}"#;
        let login =
            |wanted| found(&[("home/.docker/config.json", text)], wanted).unwrap().found.map(|it| it.0);
        let basic = |text: &str| Some(Login::Basic(text.into()));
        assert_eq!(login("oci://r.example/other:1"), basic("b25l"));
        assert_eq!(login("oci://r.example/team/sums:1"), basic("dHdv"));
        assert_eq!(login("oci://r.example/teams:1"), basic("b25l"));
        assert_eq!(login("oci://r.example:5000/team:1"), basic("dGhyZWU="));
        assert_eq!(login("oci://id.example/a:1"), Some(Login::Identity("x.y".into())));
        for none in ["oci://empty.example/a:1", "oci://example/a:1", "oci://r.example.org/a:1"] {
            assert_eq!(login(none), None, "{none}");
        }
    }

    #[test]
    fn files_count_in_their_order_and_show_nothing_of_what_they_hold() {
        let of = |auth: &str| format!(r#"{{"auths":{{"r":{{"auth":"{auth}"}}}}}}"#);
        let (docker, podman, named) = (of("c2VjcmV0"), of("cG9k"), of("bmFtZWQ="));
        let both =
            [("home/.docker/config.json", docker.as_str()), ("run/containers/auth.json", podman.as_str())];
        let logins = found(&both, "oci://r/a:1").unwrap();
        assert!(found_in(&logins).unwrap().ends_with("home/.docker/config.json"));
        let told = format!("{logins:?} {}", logins.refused(&place("oci://r/a:1")));
        assert!(!told.contains("c2VjcmV0") && told.contains("renew it with: docker login r"), "{told}");
        let all = [both[0], both[1], ("auth.json", named.as_str())];
        assert!(found_in(&found(&all, "oci://r/a:1").unwrap()).unwrap().ends_with("auth.json"));
        assert!(
            found_in(&found(&[both[1]], "oci://r/a:1").unwrap())
                .unwrap()
                .ends_with("run/containers/auth.json")
        );
        let other = [both[0], ("docker/config.json", "{}")];
        assert_eq!(found(&other, "oci://r/a:1").unwrap().found, None, "DOCKER_CONFIG is another folder");
        let broken =
            found(&[("auth.json", "{\"auths\": \"c2VjcmV0\"")], "oci://r/a:1").unwrap_err().to_string();
        assert!(broken.contains("auth.json") && !broken.contains("c2VjcmV0"), "{broken}");
        let odd = found(&[("auth.json", r#"{"auths":{"r":{"auth":"c2Vj\ncmV0"}}}"#)], "oci://r/a:1");
        assert!(odd.unwrap_err().to_string().contains("a login in it is none; mend"));
    }

    #[test]
    fn a_login_that_a_program_keeps_is_told_of() {
        let text = r#"{"auths":{"r":{}},"credsStore":"desktop","credHelpers":{"q":"ecr-login"}}"#;
        let told = |wanted: &str| {
            let logins = found(&[("home/.docker/config.json", text)], wanted).unwrap();
            logins.refused(&place(wanted)).to_string()
        };
        assert!(
            told("oci://r/a:1")
                .contains("the program docker-credential-desktop, which tickrate does not call")
        );
        assert!(told("oci://q/a:1").contains("docker-credential-ecr-login"));
    }
}
