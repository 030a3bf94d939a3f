//! `pg_get_functiondef`: the statement that would make a routine.
//!
//! PG: src/backend/utils/adt/ruleutils.c (`pg_get_functiondef`).

use std::fmt::Write as _;
use std::sync::Arc;

use catalog::CatalogView;
use catalog::deparse::{self, Deparse};
use catalog::desc::FunctionDesc;
use catalog::names::{quote_identifier, quote_qualified};
use catalog::oids;
use common::{Oid, PgResult, pg_err};
use types::io::IoContext;

use crate::session::names::Names;

/// Settings whose values are lists of names.
const LISTS: [&str; 6] = [
    "search_path",
    "temp_tablespaces",
    "session_preload_libraries",
    "shared_preload_libraries",
    "local_preload_libraries",
    "unix_socket_directories",
];

impl Names {
    /// The body of a routine written in SQL's own syntax.
    pub fn function_body(&self, f: &FunctionDesc) -> PgResult<Option<String>> {
        let Some(body) = &f.sql_body else { return Ok(None) };
        let body = nodes::serial::decode_body(body)?;
        let settings = self.settings();
        let ctx = Deparse {
            view: &*self.view,
            relation: None,
            io: IoContext {
                settings: &settings,
                resolver: Some(self),
                cancel: common::cancel::CancelToken::never(),
            },
        };
        let is_input =
            |i: usize| f.arg_modes.is_empty() || matches!(f.arg_modes.get(i), Some(b'i' | b'b' | b'v'));
        let names = f.arg_names.iter().enumerate().filter(|(i, _)| is_input(*i));
        let params: Vec<Arc<str>> = names.map(|(_, n)| n.clone()).collect();
        deparse::routine_body(&ctx, &f.name, &params, &body).map(Some)
    }

    /// CREATE OR REPLACE FUNCTION ...; `None` when there is no such function.
    pub fn function_definition(&self, oid: Oid) -> PgResult<Option<String>> {
        let Some(f) = self.view.function(oid)? else {
            return Ok(None);
        };
        if f.kind == b'a' {
            return Err(pg_err!(
                WRONG_OBJECT_TYPE,
                "\"{}\" is an aggregate function",
                f.name
            ));
        }
        let word = if f.kind == b'p' { "PROCEDURE" } else { "FUNCTION" };
        let schema = self.view.namespace_name(f.namespace)?;
        let mut out = format!(
            "CREATE OR REPLACE {word} {}({})\n",
            quote_qualified(schema.as_deref(), &f.name),
            self.function_arguments(oid, true)?.unwrap_or_default()
        );
        if let Some(result) = self.function_result(oid)? {
            let _ = writeln!(out, " RETURNS {result}");
        }
        let language = match f.language {
            oids::INTERNAL_LANGUAGE => "internal",
            oids::C_LANGUAGE => "c",
            oids::SQL_LANGUAGE => "sql",
            _ => "plpgsql",
        };
        let _ = writeln!(out, " LANGUAGE {language}");
        let attributes = attributes(&f);
        if !attributes.is_empty() {
            let _ = writeln!(out, "{attributes}");
        }
        for setting in &f.config {
            if let Some((name, value)) = setting.split_once('=') {
                let _ = writeln!(
                    out,
                    " SET {} TO {}",
                    quote_identifier(name),
                    setting_value(name, value)
                );
            }
        }
        match self.function_body(&f)? {
            Some(body) => out.push_str(&body),
            None => push_source(&mut out, &f, &word.to_ascii_lowercase()),
        }
        out.push('\n');
        Ok(Some(out))
    }
}

fn attributes(f: &FunctionDesc) -> String {
    let mut out = String::new();
    if f.kind == b'w' {
        out.push_str(" WINDOW");
    }
    out.push_str(match f.volatility {
        b'i' => " IMMUTABLE",
        b's' => " STABLE",
        _ => "",
    });
    out.push_str(match f.parallel {
        b's' => " PARALLEL SAFE",
        b'r' => " PARALLEL RESTRICTED",
        _ => "",
    });
    if f.strict {
        out.push_str(" STRICT");
    }
    if f.security_definer {
        out.push_str(" SECURITY DEFINER");
    }
    if f.leakproof {
        out.push_str(" LEAKPROOF");
    }
    let usual = match f.language {
        oids::INTERNAL_LANGUAGE | oids::C_LANGUAGE => 1.0,
        _ => 100.0,
    };
    if f.cost != usual {
        let _ = write!(out, " COST {}", f.cost);
    }
    if f.rows > 0.0 && f.rows != 1000.0 {
        let _ = write!(out, " ROWS {}", f.rows);
    }
    out
}

fn setting_value(name: &str, value: &str) -> String {
    let quoted = deparse::quote_literal;
    if !LISTS.contains(&name.to_ascii_lowercase().as_str()) {
        return quoted(value);
    }
    // Whoever cancels this waits for the next look.
    match commands::guc::value::split_identifiers(value).ok().flatten() {
        Some(items) => items.iter().map(|i| quoted(i)).collect::<Vec<_>>().join(", "),
        None => quoted(value),
    }
}

/// `AS $function$...$function$`, with a tag that does not occur in the source.
fn push_source(out: &mut String, f: &FunctionDesc, word: &str) {
    let mut tag = format!("${word}");
    while f.source.contains(&tag) {
        tag.push('x');
    }
    tag.push('$');
    let _ = write!(out, "AS {tag}{}{tag}", f.source);
}
