//! Where the tools of other languages are: beside the project, or in the search path.

use std::path::{Path, PathBuf};

use super::BuildError;

/// A program in the project's `.venv`, in `$VIRTUAL_ENV` or in the search path.
pub(super) fn program(project: &Path, name: &str) -> Option<PathBuf> {
    let beside = [Some(project.join(".venv")), std::env::var_os("VIRTUAL_ENV").map(PathBuf::from)];
    let beside = beside.into_iter().flatten().map(|venv| venv.join("bin"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    in_folders(beside.chain(std::env::split_paths(&path)), name)
}

/// A file of a package in a `node_modules` of the project, further up, or in `$NODE_PATH`.
pub(super) fn node_module(project: &Path, file: &str) -> Option<PathBuf> {
    let modules = project.ancestors().map(|folder| folder.join("node_modules"));
    let further = std::env::var_os("NODE_PATH").unwrap_or_default();
    in_folders(modules.chain(std::env::split_paths(&further)), file)
}

/// The error of a tool that is not there, with the command that installs it.
pub(super) fn missing(tool: &'static str, get: &'static str) -> BuildError {
    BuildError::Missing { tool, get }
}

/// The first `name` in these folders, as an absolute path.
fn in_folders(folders: impl Iterator<Item = PathBuf>, name: &str) -> Option<PathBuf> {
    folders
        .filter(|folder| !folder.as_os_str().is_empty())
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
        .and_then(|path| std::path::absolute(path).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_folder_that_has_a_tool_is_taken() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("b")).unwrap();
        std::fs::write(dir.path().join("b/tool"), "").unwrap();
        let folders =
            ["", "a", "b"].map(|name| if name.is_empty() { "".into() } else { dir.path().join(name) });
        assert_eq!(in_folders(folders.clone().into_iter(), "tool"), Some(dir.path().join("b/tool")));
        assert_eq!(in_folders(folders.into_iter(), "other"), None);
    }
}
