//! Configurations: from a document to lexemes and their positions.

use std::collections::HashMap;
use std::sync::Arc;

use common::error::{ErrorExt, Severity};
use common::{Oid, PgError, PgResult, pg_err, sqlstate};
use types::textsearch::{POSITION_MAX, WORD_BYTES_MAX};

use crate::families::textsearch::dictionary::Dictionary;
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

/// A lexeme at its place.
#[derive(Clone, Debug)]
pub(crate) struct Lexeme {
    pub word: String,
    pub position: u32,
}

/// A document on its way to lexemes.
#[derive(Default)]
pub(crate) struct Parsed {
    pub lexemes: Vec<Lexeme>,
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
        for (kind, dictionary) in list {
            let found = match opened.get(&dictionary) {
                Some(found) => found.clone(),
                None => {
                    let row = ctx.session.text_search_dictionary(dictionary)?;
                    let made = Arc::new(Dictionary::open(&row)?);
                    opened.insert(dictionary, made.clone());
                    made
                }
            };
            if let Some(list) = kinds.get_mut(kind as usize) {
                list.push((dictionary, found));
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

    /// What the first dictionary that knows a token makes of it.
    pub fn lexize(&self, kind: Kind, token: &str) -> Option<(Oid, Vec<String>)> {
        let mut all = self.dictionaries(kind).iter();
        all.find_map(|(oid, dictionary)| Some((*oid, dictionary.lexize(token)?)))
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
    /// Adds the lexemes of a text.
    pub fn add(&mut self, ctx: &FnContext<'_>, config: &Config, text: &str) -> PgResult<()> {
        config.check()?;
        for (n, (kind, token)) in DefaultParser::new(text).enumerate() {
            if n % 4096 == 4095 {
                ctx.cancel.check()?;
            }
            if config.dictionaries(kind).is_empty() {
                continue;
            }
            if token.len() >= WORD_BYTES_MAX {
                ctx.session.notice(too_long())?;
                continue;
            }
            if let Some((_, words)) = config.lexize(kind, token) {
                self.position += 1;
                let position = self.position.min(u32::from(POSITION_MAX));
                self.lexemes
                    .extend(words.into_iter().map(|word| Lexeme { word, position }));
            }
        }
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
    if name.trim().is_empty() {
        return Err(pg_err!(INVALID_NAME, "invalid name syntax"));
    }
    let name = if name.contains('"') {
        name.to_owned()
    } else {
        name.to_lowercase()
    };
    if !matches!(name.as_str(), "default" | "pg_catalog.default") {
        if let Some((schema, _)) = name.split_once('.').filter(|(schema, _)| *schema != "pg_catalog") {
            return Err(pg_err!(UNDEFINED_SCHEMA, "schema \"{schema}\" does not exist"));
        }
        return Err(pg_err!(
            UNDEFINED_OBJECT,
            "text search parser \"{name}\" does not exist"
        ));
    }
    Ok(())
}
