//! What a component is, and what it would need, without a run: `tickrate plugin inspect`.

use std::fmt;

use serde::Serialize;
use serde_json::Value;

use super::Plugin;
use crate::units::grouped;

/// All that is known of a component before it is used.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Inspection {
    /// The file, as it was named.
    pub file: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// Its SHA-256 in hexadecimal.
    pub sha256: String,
    /// The name it gives itself.
    pub name: String,
    /// The version it gives itself.
    pub version: String,
    /// The version of the contract that it was built for.
    pub contract: String,
    /// What it can be used for.
    pub roles: Vec<RoleInspection>,
    /// The interfaces that it exports, sorted.
    pub exports: Vec<String>,
    /// The interfaces that it imports, in the component's order.
    pub imports: Vec<Import>,
}

/// One use of a component.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RoleInspection {
    /// `dataset` or `api`.
    pub role: String,
    /// The flag of `tickrate perf` that takes its options.
    pub options_flag: String,
    /// The JSON Schema of the options; a text if it is no JSON.
    pub options_schema: Value,
}

/// An interface that a component imports.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Import {
    /// Its name.
    pub name: String,
    /// What it would need of the machine or the run.
    pub needs: &'static str,
    /// What the sandbox gives.
    pub gets: &'static str,
}

/// Looks at an open plugin.
pub fn inspect(plugin: &Plugin) -> Inspection {
    let role = |(role, schema): &(super::Role, String)| RoleInspection {
        role: role.to_string(),
        options_flag: format!("--{role}-args"),
        options_schema: serde_json::from_str(schema).unwrap_or_else(|_| Value::String(schema.clone())),
    };
    Inspection {
        file: plugin.path().display().to_string(),
        bytes: plugin.bytes(),
        sha256: plugin.sha256().to_owned(),
        name: plugin.name().to_owned(),
        version: plugin.version().to_owned(),
        contract: plugin.contract().to_owned(),
        roles: plugin.info().schemas.iter().map(role).collect(),
        exports: plugin.exports().to_vec(),
        imports: plugin.imports().iter().map(|name| import(name)).collect(),
    }
}

/// Interfaces by the beginning of their names: what they would need, and what they get.
const IMPORTS: &[(&str, &str, &str)] = &[
    ("tickrate:plugin/types@", "nothing", "the contract's records"),
    (
        "tickrate:plugin/host@",
        "the log, the tokenizer, the dataset's files, random numbers",
        "all of it; the tokenizer with --tokenizer-path, files with --dataset-path",
    ),
    ("wasi:filesystem/", "files", "the dataset below /data, to read, and what --plugin-allow dir= names"),
    ("wasi:sockets/", "the network", "connections to what --plugin-allow net= names; nothing else"),
    ("wasi:http/", "the network", "nothing: such a component cannot be used"),
    ("wasi:clocks/", "the time", "the clocks; every sleep is over at once"),
    ("wasi:random/", "random numbers", "numbers that follow from --seed"),
    ("wasi:cli/environment@", "environment variables and arguments", "what --plugin-allow env= names"),
    ("wasi:cli/exit@", "to end the process", "the end of the one call"),
    ("wasi:cli/stdin@", "the standard input", "an empty one"),
    ("wasi:cli/stdout@", "the standard output", "lines in the run's log"),
    ("wasi:cli/stderr@", "the standard error stream", "lines in the run's log"),
    ("wasi:cli/terminal-", "to know of a terminal", "no terminal"),
    ("wasi:io/", "streams and waiting", "those of what is granted"),
];

fn import(name: &str) -> Import {
    let known = IMPORTS.iter().find(|(start, ..)| name.starts_with(start));
    let (needs, gets) = known.map_or(("something unknown", "nothing"), |(_, needs, gets)| (*needs, *gets));
    Import { name: name.to_owned(), needs, gets }
}

impl fmt::Display for Inspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} {}", self.name, self.version)?;
        writeln!(f, "  file      {}", self.file)?;
        writeln!(f, "  size      {} bytes", grouped(self.bytes))?;
        writeln!(f, "  sha256    {}", self.sha256)?;
        writeln!(f, "  contract  {}", self.contract)?;
        for role in &self.roles {
            writeln!(f, "  used as   --{} {}", role.role, self.file)?;
        }
        for role in &self.roles {
            writeln!(f, "\noptions ({})", role.options_flag)?;
            write_schema(f, &role.options_schema)?;
        }
        writeln!(f, "\nexports")?;
        for name in &self.exports {
            writeln!(f, "  {name}")?;
        }
        writeln!(f, "\nimports")?;
        if self.imports.is_empty() {
            writeln!(f, "  none")?;
        }
        for import in &self.imports {
            writeln!(f, "  {}\n      wants {}; gets {}", import.name, import.needs, import.gets)?;
        }
        Ok(())
    }
}

fn write_schema(f: &mut fmt::Formatter<'_>, schema: &Value) -> fmt::Result {
    if schema.as_object().is_some_and(serde_json::Map::is_empty) {
        return writeln!(f, "  any: the plugin publishes no schema");
    }
    let text = serde_json::to_string_pretty(schema).map_err(|_| fmt::Error)?;
    text.lines().try_for_each(|line| writeln!(f, "  {line}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_import_is_explained() {
        assert_eq!(import("wasi:sockets/tcp@0.2.6").needs, "the network");
        assert_eq!(import("tickrate:plugin/host@0.1.0").name, "tickrate:plugin/host@0.1.0");
        assert_eq!(import("acme:gpu/run").gets, "nothing");
    }
}
