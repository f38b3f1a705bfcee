//! What every page is in: the template, the style and the script, and a policy that lets the page
//! use these and reach nothing else.

use minijinja::value::Serde;
use minijinja::{Environment, Value as TemplateValue, context};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::super::OutputError;

const STYLE: &str = include_str!("style.css");
const SCRIPTS: [(&str, &str); 2] = [
    ("report.html", concat!(include_str!("core.js"), include_str!("charts.js"), include_str!("page.js"))),
    ("compare.html", concat!(include_str!("core.js"), include_str!("page.js"))),
];
const TEMPLATES: [(&str, &str); 3] = [
    ("shell.html", include_str!("shell.html")),
    ("report.html", include_str!("report.html")),
    ("compare.html", include_str!("compare.html")),
];

/// Fills the template `name` with `page`. Every value is escaped but those that are marked safe:
/// the page's own style and script, and data that went through [`data`].
pub(in crate::output) fn render(name: &str, page: Value) -> Result<String, OutputError> {
    let told = |error: minijinja::Error| OutputError(format!("cannot make \"{name}\": {error}"));
    let mut environment = Environment::new();
    for (name, source) in TEMPLATES {
        environment.add_template(name, source).map_err(told)?;
    }
    let script = SCRIPTS.iter().find(|(of, _)| *of == name).map_or("", |(_, script)| *script);
    let policy = format!(
        "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; img-src data:; base-uri 'none'; \
         form-action 'none'",
        hash(script),
        hash(STYLE)
    );
    let page = TemplateValue::from(Serde(page));
    let template = environment.get_template(name).map_err(told)?;
    template.render(context! { page, policy, script, style => STYLE }).map_err(told)
}

/// JSON as it may stand in a script element: nothing in it can end the element or begin a comment.
pub(super) fn data(value: &Value) -> String {
    let mut out = String::new();
    for letter in value.to_string().chars() {
        match letter {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => out.push_str(&format!("\\u{:04x}", letter as u32)),
            _ => out.push(letter),
        }
    }
    out
}

/// The SHA-256 of a text in base64, as a policy names what may run.
fn hash(text: &str) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digest = Sha256::digest(text.as_bytes());
    let mut out = String::new();
    for group in digest.chunks(3) {
        let bytes = [0, 1, 2].map(|at| u32::from(group.get(at).copied().unwrap_or(0)));
        let bits = bytes[0] << 16 | bytes[1] << 8 | bytes[2];
        for at in 0..4 {
            let letter = ALPHABET[(bits >> (18 - 6 * at)) as usize & 63];
            out.push(if at <= group.len() { char::from(letter) } else { '=' });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn data_cannot_leave_its_element() {
        let text = data(&json!({"model": "</script><script>alert(1)</script><!--"}));
        assert!(!text.contains('<') && !text.contains('>'), "{text}");
        let back: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(back["model"], "</script><script>alert(1)</script><!--");
    }

    #[test]
    fn a_hash_is_as_a_policy_wants_it() {
        // printf '' | openssl dgst -sha256 -binary | base64
        assert_eq!(hash(""), "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
    }
}
