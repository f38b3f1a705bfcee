//! The languages that plugins are made and built in.

use serde::Deserialize;

/// A language that there are projects for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// A crate, with a copy of `tickrate-guest` beside it.
    Rust,
    /// A module for componentize-py.
    Python,
    /// A module for componentize-js.
    JavaScript,
    /// A module that tsc makes JavaScript of.
    TypeScript,
    /// Sources for clang or zig.
    C,
    /// Sources in C++17 for clang.
    Cpp,
    /// A module for zig.
    Zig,
    /// A package for Go.
    Go,
    /// Modules for asc.
    AssemblyScript,
}

impl Language {
    /// All of them, as they are listed.
    pub const ALL: [Language; 9] = [
        Language::Rust,
        Language::Python,
        Language::JavaScript,
        Language::TypeScript,
        Language::C,
        Language::Cpp,
        Language::Zig,
        Language::Go,
        Language::AssemblyScript,
    ];

    /// Its name in `plugin.json` and after `--lang`.
    pub fn name(self) -> &'static str {
        match self {
            Language::Rust => "rust",
            Language::Python => "python",
            Language::JavaScript => "javascript",
            Language::TypeScript => "typescript",
            Language::C => "c",
            Language::Cpp => "cpp",
            Language::Zig => "zig",
            Language::Go => "go",
            Language::AssemblyScript => "assemblyscript",
        }
    }
}
