//! The Rust files of the workspace, parsed, with what is test code told apart.

use std::collections::BTreeSet;
use std::path::Path;

/// One Rust file.
pub struct SourceFile {
    /// From the root of the workspace, with `/`.
    pub path: String,
    /// The text.
    pub text: String,
    /// The items.
    pub items: syn::File,
    /// Whether it is compiled for tests only, or is a test, example or benchmark.
    pub is_test: bool,
}

/// All Rust files of the workspace.
pub struct Tree {
    /// In order of path.
    pub files: Vec<SourceFile>,
}

/// Where Rust files live.
const ROOTS: [&str; 7] = [
    "src", "crates", "xtask", "regress", "tests", "examples", "benches",
];

impl Tree {
    /// Reads and parses everything.
    pub fn read(root: &Path) -> Result<Self, String> {
        let mut paths = BTreeSet::new();
        for dir in ROOTS {
            collect(root, dir, &mut paths)?;
        }
        let mut files = Vec::new();
        for path in paths {
            let text = std::fs::read_to_string(root.join(&path)).map_err(|e| format!("{path}: {e}"))?;
            let items = syn::parse_file(&text).map_err(|e| format!("{path}: {e}"))?;
            let is_test = in_test_directory(&path);
            files.push(SourceFile {
                path,
                text,
                items,
                is_test,
            });
        }
        let test_modules: Vec<String> = files.iter().flat_map(test_modules_of).collect();
        for file in &mut files {
            let declared = |module: &String| {
                file.path
                    .strip_prefix(module.as_str())
                    .is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
            };
            file.is_test |= test_modules.iter().any(declared);
        }
        Ok(Self { files })
    }
}

impl SourceFile {
    /// Whether a tool writes it.
    pub fn is_generated(&self) -> bool {
        let first = self.text.lines().next().unwrap_or_default();
        first.contains("generated") && first.contains("do not edit")
    }
}

fn collect(root: &Path, dir: &str, paths: &mut BTreeSet<String>) -> Result<(), String> {
    let Ok(entries) = std::fs::read_dir(root.join(dir)) else {
        return Ok(());
    };
    for entry in entries {
        let entry = entry.map_err(|e| format!("{dir}: {e}"))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{dir}/{name}");
        let kind = entry.file_type().map_err(|e| format!("{path}: {e}"))?;
        if kind.is_dir() && name != "target" && !name.starts_with('.') {
            collect(root, &path, paths)?;
        } else if kind.is_file() && name.ends_with(".rs") {
            paths.insert(path);
        }
    }
    Ok(())
}

fn in_test_directory(path: &str) -> bool {
    let mut directories = path.split('/').rev().skip(1);
    directories.any(|part| ["tests", "examples", "benches"].contains(&part))
}

/// Path without `.rs` of every module that the file declares as `#[cfg(test)] mod name;`.
fn test_modules_of(file: &SourceFile) -> Vec<String> {
    let stem = file.path.trim_end_matches(".rs");
    let dir = match stem.rsplit_once('/') {
        Some((parent, "mod" | "lib" | "main")) => parent,
        _ => stem,
    };
    let modules = file.items.items.iter().filter_map(|item| match item {
        syn::Item::Mod(module) if module.content.is_none() && is_cfg_test(&module.attrs) => {
            Some(format!("{dir}/{}", module.ident))
        }
        _ => None,
    });
    modules.collect()
}

/// Whether the attributes say `#[cfg(test)]` in any combination, or `#[test]`.
pub fn is_cfg_test(attrs: &[syn::Attribute]) -> bool {
    attrs.iter().any(|attr| match &attr.meta {
        syn::Meta::Path(path) => path.is_ident("test"),
        syn::Meta::List(list) if list.path.is_ident("cfg") => {
            let words = list.tokens.to_string();
            words
                .split(|c: char| !c.is_alphanumeric())
                .any(|word| word == "test")
                && !words.contains("not")
        }
        _ => false,
    })
}
