//! Imports run one way: a module uses only those of a lower rank.

use std::fs;
use std::path::{Path, PathBuf};

/// The rank of each module, by the first part of its path.
const RANKS: [(&str, u32); 25] = [
    ("allocator", 0),
    ("units", 0),
    ("clock", 1),
    ("panics", 1),
    ("priority", 1),
    ("contract", 2),
    ("stamp", 2),
    ("record", 3),
    ("metrics", 4),
    ("tokenizer", 4),
    ("dataset", 5),
    ("api", 5),
    ("plugin", 5),
    ("http", 5),
    ("hub", 5),
    ("engine", 5),
    ("output", 5),
    ("gate", 5),
    ("tune", 5),
    ("sim", 5),
    ("config", 6),
    ("plan", 7),
    ("app", 8),
    ("cli", 9),
    ("lib", 10),
];

fn rank(module: &str) -> u32 {
    let found = RANKS.iter().find(|(name, _)| *name == module);
    found.unwrap_or_else(|| panic!("give `{module}` a rank in host/tests/layering.rs")).1
}

fn sources(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
}

/// The modules that a text names after `crate::`, alone or in a group in braces.
fn imports(text: &str) -> Vec<String> {
    let first = |path: &str| -> String {
        path.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
    };
    let mut out = Vec::new();
    for (at, _) in text.match_indices("crate::") {
        let named_otherwise = text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '$');
        let rest = &text[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            _ if named_otherwise => {}
            None => out.push(first(rest)),
            Some(group) => {
                let (mut depth, mut begin) = (0, 0);
                for (end, letter) in group.char_indices() {
                    if depth == 0 && (letter == ',' || letter == '}') {
                        out.push(first(&group[begin..end]));
                        begin = end + 1;
                    }
                    depth += i32::from(letter == '{') - i32::from(letter == '}');
                    if depth < 0 {
                        break;
                    }
                }
            }
        }
    }
    out.retain(|module| !module.is_empty());
    out
}

#[test]
fn a_module_imports_only_what_is_below_it() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&src, &mut files);
    files.retain(|file| *file != src.join("main.rs"));
    assert!(files.len() > 50, "the sources were not found");
    let (mut wrong, mut seen) = (Vec::new(), 0);
    for file in files {
        let inside = file.strip_prefix(&src).unwrap();
        let first = inside.components().next().unwrap().as_os_str().to_str().unwrap();
        let owner = first.trim_end_matches(".rs");
        let text = fs::read_to_string(&file).unwrap();
        let code: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        for module in imports(&code.join("\n")) {
            seen += 1;
            if module != owner && rank(&module) >= rank(owner) {
                wrong.push(format!("{}: `{owner}` must not import `{module}`", inside.display()));
            }
        }
    }
    assert!(seen > 100, "the imports were not found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn imports_are_found_in_every_form() {
    let text =
        "use crate::a::{b, c};\nuse crate::{d, e::{f, g}, h};\nlet x = crate::i::j();\nother_crate::k;";
    assert_eq!(imports(text), ["a", "d", "e", "h", "i"]);
}
