//! Files and functions over the limits may only shrink.
//!
//! What is over a limit today stands in `xtask/data/size_ratchet.tsv` with its size. A new entry or a larger one is an error;
//! `cargo xtask tidy --update` takes over what became smaller. Exempt: generated tables, functions under an attribute that names
//! `clippy::too_many_lines` with a reason, and functions of tests.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use syn::visit::{self, Visit};

use crate::tidy::source::{SourceFile, Tree, is_cfg_test};
use crate::tidy::{Mode, Report};

const FILE_LINES_MAX: usize = 700;
const FUNCTION_LINES_MAX: usize = 70;

/// Sizes over the limits: `path` or `path::function` to lines.
type Sizes = BTreeMap<String, usize>;

/// The committed table.
pub struct Ratchet {
    path: PathBuf,
}

impl Ratchet {
    /// The table of this workspace.
    pub fn at(root: &Path) -> Self {
        Self {
            path: root.join("xtask/data/size_ratchet.tsv"),
        }
    }

    /// Compares the code with the table, or rewrites the table.
    pub fn check(&self, tree: &Tree, mode: Mode, report: &mut Report) -> Result<(), String> {
        let now = measure(tree);
        let allowed = self.read()?;
        if mode == Mode::Accept {
            return self.write(&now);
        }
        for (name, &lines) in &now {
            match allowed.get(name) {
                Some(&most) if lines <= most => {}
                Some(&most) => report.add(name, &format!("grew from {most} to {lines} lines; split it")),
                None => report.add(name, &format!("has {lines} lines, over the limit; split it")),
            }
        }
        if mode == Mode::Tighten {
            let least = |(name, &most): (&String, &usize)| Some((name.clone(), most.min(*now.get(name)?)));
            self.write(&allowed.iter().filter_map(least).collect())?;
        }
        Ok(())
    }

    fn read(&self) -> Result<Sizes, String> {
        let text = std::fs::read_to_string(&self.path).unwrap_or_default();
        let mut sizes = Sizes::new();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let entry = line
                .split_once('\t')
                .and_then(|(lines, name)| Some((name, lines.parse().ok()?)));
            let (name, lines) = entry.ok_or_else(|| format!("size_ratchet.tsv: bad line {line:?}"))?;
            sizes.insert(name.to_owned(), lines);
        }
        Ok(sizes)
    }

    fn write(&self, sizes: &Sizes) -> Result<(), String> {
        let mut text =
            String::from("# Lines of what is over the limits; may only shrink: cargo xtask tidy --update\n");
        for (name, lines) in sizes {
            text.push_str(&format!("{lines}\t{name}\n"));
        }
        std::fs::write(&self.path, text).map_err(|e| format!("{}: {e}", self.path.display()))
    }
}

fn measure(tree: &Tree) -> Sizes {
    let mut sizes = Sizes::new();
    for file in tree.files.iter().filter(|file| !file.is_generated()) {
        let lines = file.text.lines().count();
        if lines > FILE_LINES_MAX {
            sizes.insert(file.path.clone(), lines);
        }
        if !file.is_test {
            Functions {
                file,
                sizes: &mut sizes,
            }
            .visit_file(&file.items);
        }
    }
    sizes
}

struct Functions<'a> {
    file: &'a SourceFile,
    sizes: &'a mut Sizes,
}

impl Functions<'_> {
    fn note(&mut self, attrs: &[syn::Attribute], name: &syn::Ident, block: &syn::Block) {
        let first = name.span().start().line;
        let lines = block.brace_token.span.close().end().line + 1 - first;
        if lines > FUNCTION_LINES_MAX && !attrs.iter().any(is_flat) {
            // Functions of one name in one file share an entry, the longest counts.
            let entry = self
                .sizes
                .entry(format!("{}::{name}", self.file.path))
                .or_default();
            *entry = lines.max(*entry);
        }
    }
}

fn is_flat(attr: &syn::Attribute) -> bool {
    let text = match &attr.meta {
        syn::Meta::List(list) => list.tokens.to_string(),
        _ => return false,
    };
    text.contains("too_many_lines") && text.contains("reason")
}

impl<'ast> Visit<'ast> for Functions<'_> {
    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        if !is_cfg_test(&module.attrs) {
            visit::visit_item_mod(self, module);
        }
    }

    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        self.note(&function.attrs, &function.sig.ident, &function.block);
        visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        self.note(&function.attrs, &function.sig.ident, &function.block);
        visit::visit_impl_item_fn(self, function);
    }

    fn visit_trait_item_fn(&mut self, function: &'ast syn::TraitItemFn) {
        if let Some(block) = &function.default {
            self.note(&function.attrs, &function.sig.ident, block);
        }
        visit::visit_trait_item_fn(self, function);
    }
}
