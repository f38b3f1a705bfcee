//! New plugins: small, complete projects that build and pass `tickrate plugin check`. The sources
//! are those of `examples/`, so that what a user starts from is what the tests build and run.

use std::path::{Path, PathBuf};

use super::language::Language;
use super::sdk::{self, Template};
use super::{Role, wit};

/// A project to begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSpec {
    /// The plugin's name.
    pub name: String,
    /// What it is written in.
    pub language: Language,
    /// What it is to be.
    pub kind: Role,
    /// The folder; it must not hold anything yet.
    pub dir: PathBuf,
}

/// Why a project was not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScaffoldError {
    /// The name cannot be that of a crate, a file and a plugin.
    #[error(
        "\"{0}\" cannot be a plugin's name; take small letters, digits and hyphens, and begin with a letter"
    )]
    Name(String),
    /// The folder holds something already.
    #[error("\"{0}\" is not empty; give another folder with --dir")]
    NotEmpty(String),
    /// Something could not be written.
    #[error("cannot write \"{path}\": {reason}; check the folder and its permissions")]
    Write {
        /// The file or folder.
        path: String,
        /// What the system said.
        reason: String,
    },
}

macro_rules! example {
    ($folder:literal: $($file:literal),+ $(,)?) => {
        &[$(($file, include_str!(concat!("../../../examples/", $folder, "/", $file)))),+]
    };
}

/// The name under which a project stands in `examples/`, and its files.
fn example(language: Language, kind: Role) -> (&'static str, &'static [Template]) {
    match (language, kind) {
        (Language::Rust, Role::Api) => {
            ("rust-api", example!("rust-api": "src/lib.rs", "replies.jsonl", "README.md"))
        }
        (Language::Rust, Role::Dataset) => {
            ("rust-dataset", example!("rust-dataset": "src/lib.rs", "README.md"))
        }
        (Language::Python, Role::Api) => (
            "python-api",
            example!("python-api": "app.py", "tickrate.py", "test_app.py", "plugin.json", "replies.jsonl", "README.md"),
        ),
        (Language::Python, Role::Dataset) => (
            "python-dataset",
            example!("python-dataset": "app.py", "tickrate.py", "test_app.py", "plugin.json", "README.md"),
        ),
        (Language::JavaScript, Role::Api) => (
            "javascript-api",
            example!("javascript-api": "plugin.js", "tickrate.js", "plugin.test.js", "package.json", "plugin.json", "replies.jsonl", "README.md"),
        ),
        (Language::JavaScript, Role::Dataset) => (
            "javascript-dataset",
            example!("javascript-dataset": "plugin.js", "questions.js", "tickrate.js", "questions.test.js", "package.json", "plugin.json", "README.md"),
        ),
        (Language::TypeScript, Role::Api) => (
            "typescript-api",
            example!("typescript-api": "plugin.ts", "tickrate.js", "tickrate.d.ts", "host.d.ts", "plugin.test.js", "package.json", "tsconfig.json", "plugin.json", "replies.jsonl", "README.md"),
        ),
        (Language::TypeScript, Role::Dataset) => (
            "typescript-dataset",
            example!("typescript-dataset": "plugin.ts", "questions.ts", "tickrate.js", "tickrate.d.ts", "host.d.ts", "questions.test.js", "package.json", "tsconfig.json", "plugin.json", "README.md"),
        ),
        (Language::C, Role::Api) => (
            "c-api",
            example!("c-api": "plugin.c", "dialect.c", "dialect.h", "test_dialect.c", "plugin.json", "replies.jsonl", "README.md"),
        ),
        (Language::C, Role::Dataset) => (
            "c-dataset",
            example!("c-dataset": "plugin.c", "questions.c", "questions.h", "test_questions.c", "plugin.json", "README.md"),
        ),
        (Language::Cpp, Role::Api) => (
            "cpp-api",
            example!("cpp-api": "plugin.cpp", "dialect.cpp", "dialect.hpp", "test_dialect.cpp", "plugin.json", "replies.jsonl", "README.md"),
        ),
        (Language::Cpp, Role::Dataset) => (
            "cpp-dataset",
            example!("cpp-dataset": "plugin.cpp", "questions.cpp", "questions.hpp", "test_questions.cpp", "plugin.json", "README.md"),
        ),
        (Language::Zig, Role::Api) => {
            ("zig-api", example!("zig-api": "plugin.zig", "plugin.json", "replies.jsonl", "README.md"))
        }
        (Language::Zig, Role::Dataset) => {
            ("zig-dataset", example!("zig-dataset": "plugin.zig", "plugin.json", "README.md"))
        }
        (Language::Go, Role::Api) => (
            "go-api",
            example!("go-api": "plugin.go", "plugin_test.go", "go.mod", "plugin.json", "replies.jsonl", "README.md"),
        ),
        (Language::Go, Role::Dataset) => (
            "go-dataset",
            example!("go-dataset": "plugin.go", "plugin_test.go", "go.mod", "plugin.json", "README.md"),
        ),
        (Language::AssemblyScript, Role::Api) => (
            "assemblyscript-api",
            example!("assemblyscript-api": "plugin.ts", "test_plugin.ts", "plugin.test.js", "package.json", "plugin.json", "replies.jsonl", "README.md"),
        ),
        (Language::AssemblyScript, Role::Dataset) => (
            "assemblyscript-dataset",
            example!("assemblyscript-dataset": "plugin.ts", "test_plugin.ts", "plugin.test.js", "package.json", "plugin.json", "README.md"),
        ),
    }
}

/// The manifest of a new crate. Those of `examples/` belong to the workspace of this repository.
const CARGO_TOML: &str = include_str!("../../templates/rust/Cargo.toml");

/// What no version control should keep.
const GITIGNORE: &str = include_str!("../../templates/gitignore");

/// The crate that plugins in Rust are written with. It is not on crates.io, so that a new project
/// gets it as files.
const SDK: &[Template] = &[
    ("tickrate-guest/Cargo.toml", include_str!("../../templates/rust/tickrate-guest.toml")),
    ("tickrate-guest/src/lib.rs", include_str!("../../../guest-sdk/src/lib.rs")),
    ("tickrate-guest/src/bindings.rs", include_str!("../../../guest-sdk/src/bindings.rs")),
    ("tickrate-guest/src/build.rs", include_str!("../../../guest-sdk/src/build.rs")),
    ("tickrate-guest/src/chat.rs", include_str!("../../../guest-sdk/src/chat.rs")),
    ("tickrate-guest/src/files.rs", include_str!("../../../guest-sdk/src/files.rs")),
    ("tickrate-guest/src/json.rs", include_str!("../../../guest-sdk/src/json.rs")),
    ("tickrate-guest/src/stream.rs", include_str!("../../../guest-sdk/src/stream.rs")),
    ("tickrate-guest/src/export.rs", include_str!("../../../guest-sdk/src/export.rs")),
];

/// Makes the project, and returns its files in the order they were written, those of the contract
/// and of the SDK left out.
///
/// # Errors
/// If the name cannot be one, the folder is not empty, or something cannot be written.
pub fn create(spec: &NewSpec) -> Result<Vec<PathBuf>, ScaffoldError> {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let begins = spec.name.starts_with(|first: char| first.is_ascii_lowercase());
    if !begins || spec.name.len() > 64 || spec.name.ends_with('-') || !spec.name.bytes().all(fits) {
        return Err(ScaffoldError::Name(spec.name.clone()));
    }
    if std::fs::read_dir(&spec.dir).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(ScaffoldError::NotEmpty(spec.dir.display().to_string()));
    }
    let (stands_for, files) = example(spec.language, spec.kind);
    let mut made = Vec::new();
    let own = |text: &str| text.replace(stands_for, &spec.name);
    for (name, text) in files {
        made.push(put(&spec.dir.join(name), &own(text))?);
    }
    made.push(put(&spec.dir.join(".gitignore"), GITIGNORE)?);
    if spec.language == Language::Rust {
        made.push(put(&spec.dir.join("Cargo.toml"), &CARGO_TOML.replace("{name}", &spec.name))?);
        for (name, text) in SDK {
            put(&spec.dir.join(name), text)?;
        }
    }
    let shared: Vec<Template> = match spec.language {
        Language::C | Language::Cpp => sdk::c(&[spec.kind]).collect(),
        Language::Zig => sdk::ZIG.to_vec(),
        Language::Go => sdk::GO.to_vec(),
        Language::AssemblyScript => sdk::ASSEMBLYSCRIPT.to_vec(),
        Language::Rust | Language::Python | Language::JavaScript | Language::TypeScript => Vec::new(),
    };
    for (name, text) in shared {
        put(&spec.dir.join(sdk::FOLDER).join(name), text)?;
    }
    let contract = spec.dir.join("wit");
    wit::write(&contract).map_err(|error| failed(&contract, &error))?;
    Ok(made)
}

fn put(path: &Path, text: &str) -> Result<PathBuf, ScaffoldError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::write(path, text))
        .map_err(|error| failed(path, &error))?;
    Ok(path.to_owned())
}

fn failed(path: &Path, error: &std::io::Error) -> ScaffoldError {
    ScaffoldError::Write { path: path.display().to_string(), reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(language: Language, kind: Role) -> Vec<String> {
        let dir = tempfile::tempdir().unwrap();
        let spec = NewSpec { name: "my-own".into(), language, kind, dir: dir.path().join("p") };
        let files = create(&spec).unwrap();
        for file in &files {
            let text = std::fs::read_to_string(file).unwrap();
            assert!(!text.contains("-api\"") && !text.contains("../"), "{file:?}");
        }
        assert!(spec.dir.join("wit/types.wit").exists());
        assert_eq!(create(&spec).unwrap_err(), ScaffoldError::NotEmpty(spec.dir.display().to_string()));
        files.iter().map(|file| file.strip_prefix(&spec.dir).unwrap().display().to_string()).collect()
    }

    #[test]
    fn every_project_is_complete_and_goes_by_its_own_name() {
        for language in Language::ALL {
            for kind in [Role::Api, Role::Dataset] {
                let files = made(language, kind);
                let has = |name: &str| files.iter().any(|file| file == name);
                assert!(has("README.md") && has(".gitignore"), "{files:?}");
                assert_eq!(has("Cargo.toml"), language == Language::Rust);
                assert_eq!(has("plugin.json"), language != Language::Rust);
            }
        }
    }

    #[test]
    fn names_are_those_of_crates() {
        let told = |name: &str| {
            let spec = NewSpec {
                name: name.into(),
                language: Language::Python,
                kind: Role::Api,
                dir: "no/such/folder".into(),
            };
            create(&spec).unwrap_err().to_string()
        };
        for name in ["", "My", "1x", "a b", "../x", "x-", &"x".repeat(65)] {
            assert!(told(name).contains("cannot be a plugin's name"), "{name}");
        }
    }
}
