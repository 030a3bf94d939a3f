//! Names in `docs/ARCHITECTURE.md` exist in the code, and every crate has a README that it lists.
//!
//! A name is text in backticks of the form `crate::Name` or `crate::module::Name`. Every part after the crate must be declared in
//! that crate (item, method, variant or module).

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use syn::visit::{self, Visit};

use crate::tidy::Report;
use crate::tidy::source::Tree;

/// Checks the documents.
pub fn check(root: &Path, tree: &Tree, report: &mut Report) -> Result<(), String> {
    let declared = declared_names(tree);
    let path = "docs/ARCHITECTURE.md";
    let text = std::fs::read_to_string(root.join(path)).map_err(|e| format!("{path}: {e}"))?;
    for (index, line) in text.lines().enumerate() {
        for name in quoted_paths(line) {
            if let Some(problem) = judge(name, &declared) {
                report.add(&format!("{path}:{}", index + 1), &problem);
            }
        }
    }
    for name in declared
        .keys()
        .filter(|name| !["pglite", "xtask", "regress"].contains(&name.as_str()))
    {
        if !root.join("crates").join(name).join("README.md").is_file() && !is_placeholder(tree, name) {
            report.add(&format!("crates/{name}"), "has no README.md");
        }
        if !text.contains(&format!("crates/{name}")) {
            report.add(path, &format!("the code map does not name crates/{name}"));
        }
    }
    Ok(())
}

/// A crate that has not begun.
fn is_placeholder(tree: &Tree, name: &str) -> bool {
    let prefix = format!("crates/{name}/src/");
    tree.files
        .iter()
        .filter(|file| file.path.starts_with(&prefix))
        .count()
        < 2
}

fn judge(name: &str, declared: &BTreeMap<String, BTreeSet<String>>) -> Option<String> {
    let mut parts = name.split("::");
    let krate = parts.next()?;
    // Names of the standard library and of outside crates are not ours to check.
    let names = declared.get(krate)?;
    let unknown = parts.find(|part| !names.contains(*part))?;
    Some(format!("`{name}`: {krate} declares no `{unknown}`"))
}

/// Paths in backticks; a call's parentheses and a generic's brackets are cut off.
fn quoted_paths(line: &str) -> Vec<&str> {
    let quoted = line.split('`').skip(1).step_by(2);
    let paths = quoted.map(|text| text.split(['(', '<', ' ', '{']).next().unwrap_or_default());
    paths.filter(|path| path.contains("::")).collect()
}

/// Everything that each crate declares, by the name that code uses for the crate.
fn declared_names(tree: &Tree) -> BTreeMap<String, BTreeSet<String>> {
    let mut declared: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for file in tree.files.iter().filter(|file| !file.is_test) {
        let krate = match file.path.split('/').collect::<Vec<_>>()[..] {
            ["crates", name, "src", ..] => name,
            ["src", ..] => "pglite",
            ["xtask", ..] => "xtask",
            ["regress", ..] => "regress",
            _ => continue,
        };
        let mut names = Names(declared.entry(krate.to_owned()).or_default());
        names.visit_file(&file.items);
    }
    declared
}

struct Names<'a>(&'a mut BTreeSet<String>);

impl Names<'_> {
    fn add(&mut self, ident: &syn::Ident) {
        self.0.insert(ident.to_string());
    }
}

impl<'ast> Visit<'ast> for Names<'_> {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        match item {
            syn::Item::Struct(item) => self.add(&item.ident),
            syn::Item::Enum(item) => self.add(&item.ident),
            syn::Item::Trait(item) => self.add(&item.ident),
            syn::Item::Type(item) => self.add(&item.ident),
            syn::Item::Const(item) => self.add(&item.ident),
            syn::Item::Static(item) => self.add(&item.ident),
            syn::Item::Mod(item) => self.add(&item.ident),
            syn::Item::Macro(item) => item.ident.iter().for_each(|ident| self.add(ident)),
            _ => {}
        }
        visit::visit_item(self, item);
    }

    fn visit_signature(&mut self, signature: &'ast syn::Signature) {
        self.add(&signature.ident);
    }

    fn visit_variant(&mut self, variant: &'ast syn::Variant) {
        self.add(&variant.ident);
    }
}
