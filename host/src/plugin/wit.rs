//! The contract as text: the files of `wit/`, which go into new projects and to the tools that
//! build plugins in other languages.

use std::path::Path;

/// The files of the contract: their names and contents.
pub(super) const FILES: [(&str, &str); 3] = [
    ("host.wit", include_str!("../../../wit/host.wit")),
    ("plugin.wit", include_str!("../../../wit/plugin.wit")),
    ("types.wit", include_str!("../../../wit/types.wit")),
];

/// The contract as one text.
pub(super) fn whole() -> String {
    // One file names the package, and only the first lines of a text may.
    let names_the_package = |text: &str| text.contains("\npackage ");
    let first = FILES.iter().filter(|(_, text)| names_the_package(text));
    let others = FILES.iter().filter(|(_, text)| !names_the_package(text));
    first.chain(others).map(|(_, text)| *text).collect::<Vec<&str>>().join("\n")
}

/// Writes the contract into `folder`, which is made if there is none.
///
/// # Errors
/// If the folder or a file cannot be written.
pub(super) fn write(folder: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    FILES.iter().try_for_each(|(name, text)| std::fs::write(folder.join(name), text))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The contract that plugins in the world were built against. It changes with the version of
    /// its package and never without: a plugin of 0.1.0 must go on working.
    #[test]
    fn the_contract_of_a_released_version_is_frozen() {
        let wit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit");
        let types = std::fs::read_to_string(wit.join("types.wit")).unwrap();
        let version = types.split("package tickrate:plugin@").nth(1).and_then(|rest| rest.split(';').next());
        let Some("0.1.0") = version else { return };
        let files = |folder: &Path| {
            let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
            let mut files: Vec<_> = entries
                .filter(|path| path.extension().is_some_and(|e| e == "wit"))
                .map(|path| (path.file_name().unwrap().to_owned(), std::fs::read_to_string(&path).unwrap()))
                .collect();
            files.sort();
            files
        };
        let (now, frozen) = (files(&wit), files(&wit.join("frozen/0.1")));
        assert_eq!(now.len(), FILES.len(), "every file of the contract is in FILES");
        assert_eq!(now, frozen, "the contract 0.1.0 is frozen: a change needs a new version of the package");
    }
}
