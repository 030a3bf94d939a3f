//! Configurations: from a document to lexemes and their positions.

use std::collections::HashMap;
use std::sync::Arc;

use common::error::{ErrorExt, Severity};
use common::{Oid, PgError, PgResult, pg_err, sqlstate};
use types::textsearch::{POSITION_MAX, WORD_BYTES_MAX};

use crate::families::textsearch::dictionary::{Dictionary, dictionary};
use crate::families::textsearch::lexize::Lexizer;
use crate::families::textsearch::parser::{DefaultParser, Kind};
use crate::framework::context::FnContext;

/// A configuration, ready to use.
#[derive(Debug)]
pub(crate) struct Config {
    oid: Oid,
    /// Dictionaries by kind of token, each with its OID.
    kinds: Vec<Vec<(Oid, Arc<Dictionary>)>>,
    /// Why there is none: said when it is first needed.
    missing: Option<Box<PgError>>,
}

/// A word of a document at its place.
#[derive(Clone, Debug)]
pub(crate) struct ParsedWord {
    pub word: String,
    pub position: u32,
    /// Words of one variant belong together, see `Lexeme::variant`.
    pub variant: u16,
    pub prefix: bool,
}

/// A document on its way to words.
#[derive(Default)]
pub(crate) struct Parsed {
    pub words: Vec<ParsedWord>,
    pub position: u32,
}

impl Config {
    fn open(ctx: &FnContext<'_>, oid: Oid) -> PgResult<Config> {
        let mut opened: HashMap<Oid, Arc<Dictionary>> = HashMap::new();
        let mut kinds = vec![Vec::new(); 24];
        let list = match ctx.session.text_search_config(oid) {
            Ok(list) => list,
            Err(missing) => {
                return Ok(Config {
                    oid,
                    kinds,
                    missing: Some(missing),
                });
            }
        };
        for (kind, oid) in list {
            let found = match opened.get(&oid) {
                Some(found) => found.clone(),
                None => {
                    let made = dictionary(ctx, oid)?;
                    opened.insert(oid, made.clone());
                    made
                }
            };
            if let Some(list) = kinds.get_mut(kind as usize) {
                list.push((oid, found));
            }
        }
        Ok(Config {
            oid,
            kinds,
            missing: None,
        })
    }

    /// The error when there is no such configuration.
    pub fn check(&self) -> PgResult<()> {
        match &self.missing {
            Some(missing) => Err(missing.clone()),
            None => Ok(()),
        }
    }

    /// The dictionaries of a kind of token.
    pub fn dictionaries(&self, kind: Kind) -> &[(Oid, Arc<Dictionary>)] {
        self.kinds.get(kind as usize).map_or(&[], Vec::as_slice)
    }
}

/// The configuration behind an OID, kept by the call site.
pub(crate) fn config(ctx: &mut FnContext<'_>, oid: u32) -> PgResult<Arc<Config>> {
    let oid = Oid(oid);
    // A configuration may change between statements; a call site lives as long as its plan, so the map is asked again there.
    let stamp = ctx.session.statement_timestamp().unwrap_or(0);
    let opened = match ctx.cache.get_or_try_insert::<(i64, Arc<Config>)>(
        |c| c.1.oid == oid && c.0 == stamp,
        || Err(common::internal!("not cached")),
    ) {
        Ok(found) => return Ok(found.1.clone()),
        Err(_) => Arc::new(Config::open(ctx, oid)?),
    };
    ctx.cache
        .get_or_try_insert::<(i64, Arc<Config>)>(|_| false, || Ok((stamp, opened.clone())))?;
    Ok(opened)
}

/// `default_text_search_config`.
pub(crate) fn default_config(ctx: &mut FnContext<'_>) -> PgResult<Arc<Config>> {
    let oid = ctx.session.default_text_search_config()?;
    config(ctx, oid.0)
}

impl Parsed {
    /// Adds the words of a text.
    pub fn add(&mut self, ctx: &FnContext<'_>, config: &Config, text: &str) -> PgResult<()> {
        config.check()?;
        let mut lexizer = Lexizer::new(config, ctx.cancel);
        for (n, token) in DefaultParser::new(text).enumerate() {
            if n % 4096 == 4095 {
                ctx.cancel.check()?;
            }
            if token.1.len() >= WORD_BYTES_MAX {
                ctx.session.notice(too_long())?;
                continue;
            }
            lexizer.push(token);
            self.take(&mut lexizer)?;
        }
        lexizer.end();
        self.take(&mut lexizer)
    }

    /// Adds what the dictionaries have made up their minds about.
    fn take(&mut self, lexizer: &mut Lexizer<'_, '_>) -> PgResult<()> {
        while let Some(lexemes) = lexizer.next_lexemes()? {
            self.position += 1;
            for lexeme in lexemes {
                self.position += u32::from(lexeme.adds_position);
                self.words.push(ParsedWord {
                    word: lexeme.word,
                    position: self.position.min(u32::from(POSITION_MAX)),
                    variant: lexeme.variant,
                    prefix: lexeme.prefix,
                });
            }
        }
        lexizer.take_used();
        Ok(())
    }
}

fn too_long() -> Box<PgError> {
    PgError::notice(
        Severity::Notice,
        sqlstate::PROGRAM_LIMIT_EXCEEDED,
        "word is too long to be indexed",
    )
    .detail(format!(
        "Words longer than {WORD_BYTES_MAX} characters are ignored."
    ))
}

/// The OID of a parser: there is one.
pub(crate) fn check_parser_oid(oid: u32) -> PgResult<()> {
    const DEFAULT_PARSER: u32 = 3722;
    if oid != DEFAULT_PARSER {
        return Err(common::internal!(
            "cache lookup failed for text search parser {oid}"
        ));
    }
    Ok(())
}

/// The name of a parser.
pub(crate) fn check_parser_name(name: &str) -> PgResult<()> {
    let names = dotted_names(name)
        .filter(|names| !names.is_empty())
        .ok_or_else(|| pg_err!(INVALID_NAME, "invalid name syntax"))?;
    let shown = names.join(".");
    let (schema, parser) = match &names[..] {
        [parser] => ("pg_catalog", parser),
        [schema, parser] => (schema.as_str(), parser),
        [_, _, _] => {
            return Err(pg_err!(
                FEATURE_NOT_SUPPORTED,
                "cross-database references are not implemented: {shown}"
            ));
        }
        _ => {
            return Err(pg_err!(
                SYNTAX_ERROR,
                "improper qualified name (too many dotted names): {shown}"
            ));
        }
    };
    match schema {
        "pg_catalog" if parser == "default" => Ok(()),
        "pg_catalog" | "public" | "information_schema" => Err(pg_err!(
            UNDEFINED_OBJECT,
            "text search parser \"{shown}\" does not exist"
        )),
        _ => Err(pg_err!(UNDEFINED_SCHEMA, "schema \"{schema}\" does not exist")),
    }
}

/// Names between dots, quoted or folded to lower case; `None` where the text is no such list.
///
/// PG: `SplitIdentifierString`.
fn dotted_names(text: &str) -> Option<Vec<String>> {
    let mut names = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let (name, behind) = match rest.strip_prefix('"') {
            Some(inside) => quoted_name(inside)?,
            None => {
                let end = rest.find(|c: char| c == '.' || c.is_ascii_whitespace());
                let (name, behind) = rest.split_at(end.unwrap_or(rest.len()));
                (name.to_ascii_lowercase(), behind)
            }
        };
        if name.is_empty() {
            return None;
        }
        names.push(name);
        let behind = behind.trim_start();
        rest = match behind.strip_prefix('.') {
            Some(next) if next.trim().is_empty() => return None,
            Some(next) => next.trim_start(),
            None if behind.is_empty() => behind,
            None => return None,
        };
    }
    Some(names)
}

/// What stands before the closing quote, and what behind it.
fn quoted_name(inside: &str) -> Option<(String, &str)> {
    let mut name = String::new();
    let mut chars = inside.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if c == '"' && chars.next_if(|(_, next)| *next == '"').is_none() {
            return Some((name, &inside[at + 1..]));
        }
        name.push(c);
    }
    None
}
