//! Calls that go round `common::env`, and printing in libraries.
//!
//! All nondeterminism comes through one door, so that the simulator owns it: clock, randomness, files and threads belong to
//! `common::env`. Libraries do not print; they raise notices or errors.

use syn::spanned::Spanned;
use syn::visit::{self, Visit};

use crate::tidy::Report;
use crate::tidy::source::{SourceFile, Tree, is_cfg_test};

/// Paths that engine code must not name, and what to use.
const PATHS: [(&str, &str); 7] = [
    ("std::fs", "use `common::env::FileSystem`"),
    ("std::thread", "use `common::env::Env`"),
    ("std::time::Instant", "use the clock of `common::env::Env`"),
    ("std::time::SystemTime", "use the clock of `common::env::Env`"),
    ("std::env", "settings come from the caller, not from the process"),
    ("std::net", "sockets belong to the server"),
    ("std::process", "the engine starts and ends no process"),
];

/// Macros that library code must not call.
const MACROS: [&str; 5] = ["print", "println", "eprint", "eprintln", "dbg"];

/// Where the rule does not hold, and why.
const EXEMPT: [(&str, &str); 5] = [
    ("crates/common/src/env/", "this is the door"),
    ("crates/server/", "a process with sockets and threads of its own"),
    ("regress/", "a test harness"),
    ("xtask/", "a tool"),
    (
        "crates/kv/src/conformance/",
        "checks for backends, run by tests only",
    ),
];

/// Looks through all product code.
pub fn check(tree: &Tree, report: &mut Report) {
    for file in &tree.files {
        let exempt = EXEMPT.iter().any(|(prefix, _)| file.path.starts_with(prefix));
        if !exempt && !file.is_test {
            Calls { file, report }.visit_file(&file.items);
        }
    }
}

struct Calls<'a> {
    file: &'a SourceFile,
    report: &'a mut Report,
}

impl Calls<'_> {
    fn judge_path(&mut self, path: &str, line: usize) {
        let banned = PATHS.iter().find(|(banned, _)| {
            path.strip_prefix(banned)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
        });
        if let Some((_, instead)) = banned {
            self.report.add(
                &format!("{}:{line}", self.file.path),
                &format!("`{path}`: {instead}"),
            );
        }
    }

    fn judge_use(&mut self, prefix: &str, tree: &syn::UseTree) {
        let join = |ident: &syn::Ident| match prefix {
            "" => ident.to_string(),
            _ => format!("{prefix}::{ident}"),
        };
        let line = tree.span().start().line;
        match tree {
            syn::UseTree::Path(path) => self.judge_use(&join(&path.ident), &path.tree),
            syn::UseTree::Name(name) if name.ident == "self" => self.judge_path(prefix, line),
            syn::UseTree::Name(name) => self.judge_path(&join(&name.ident), line),
            syn::UseTree::Rename(rename) => self.judge_path(&join(&rename.ident), line),
            syn::UseTree::Glob(_) => self.judge_path(prefix, line),
            syn::UseTree::Group(group) => group.items.iter().for_each(|item| self.judge_use(prefix, item)),
        }
    }
}

impl<'ast> Visit<'ast> for Calls<'_> {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        let attrs = match item {
            syn::Item::Mod(module) => &module.attrs[..],
            syn::Item::Fn(function) => &function.attrs,
            syn::Item::Use(import) => &import.attrs,
            syn::Item::Impl(block) => &block.attrs,
            _ => &[],
        };
        if !is_cfg_test(attrs) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_use(&mut self, import: &'ast syn::ItemUse) {
        self.judge_use("", &import.tree);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let names: Vec<String> = path.segments.iter().map(|part| part.ident.to_string()).collect();
        self.judge_path(&names.join("::"), path.span().start().line);
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        if let Some(name) = MACROS.iter().find(|name| call.path.is_ident(name)) {
            let place = format!("{}:{}", self.file.path, call.path.span().start().line);
            self.report.add(
                &place,
                &format!("`{name}!`: libraries do not print; raise a notice or an error"),
            );
        }
        visit::visit_macro(self, call);
    }
}
