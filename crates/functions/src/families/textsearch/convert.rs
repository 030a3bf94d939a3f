//! From documents and search texts to `tsvector` and `tsquery`, and what the parser and the dictionaries say on the way.

use std::sync::Arc;

use common::cancel::CancelToken;
use common::error::{ErrorExt, Severity};
use common::{PgError, PgResult, pg_err, sqlstate};
use types::json_text::{Lexer, Token, TokenKind, unescape};
use types::jsonb::{self, JsonbRef};
use types::textsearch::parse::{Syntax, parse};
use types::textsearch::query::{self, Item, Operand};
use types::textsearch::vector::{self, Entry, Position};
use types::{ArrayValue, Datum, oids};

use crate::families::textsearch::config::{
    Config, Parsed, ParsedWord, check_parser_name, check_parser_oid, config, default_config,
};
use crate::families::textsearch::dictionary::{Lexeme, dictionary};
use crate::families::textsearch::parser::{DefaultParser, KINDS};
use crate::families::textsearch::query::ts_match_vq;
use crate::framework::context::FnContext;
use crate::framework::macros::{builtins, set_functions};
use crate::framework::set::{SetRows, materialized};

/// The vector of a parsed document.
fn vector_of(parsed: Parsed) -> PgResult<Vec<u8>> {
    let words = parsed.words.into_iter().map(|l| Entry {
        word: l.word,
        positions: vec![Position::new(l.position as u16, 0)],
    });
    vector::build(words.collect())
}

fn to_vector(ctx: &mut FnContext<'_>, config: &Config, text: &str) -> PgResult<Vec<u8>> {
    let mut parsed = Parsed::default();
    parsed.add(ctx, config, text)?;
    vector_of(parsed)
}

fn to_tsvector(ctx: &mut FnContext<'_>, text: &str) -> PgResult<Vec<u8>> {
    let config = default_config(ctx)?;
    to_vector(ctx, &config, text)
}

fn to_tsvector_byid(ctx: &mut FnContext<'_>, id: u32, text: &str) -> PgResult<Vec<u8>> {
    let config = config(ctx, id)?;
    to_vector(ctx, &config, text)
}

/// Which values of a JSON document count.
#[derive(Clone, Copy, Default)]
struct JsonParts {
    strings: bool,
    numbers: bool,
    bools: bool,
    keys: bool,
}

const STRINGS: JsonParts = JsonParts {
    strings: true,
    numbers: false,
    bools: false,
    keys: false,
};

fn json_parts(flags: &[u8]) -> PgResult<JsonParts> {
    const HINT: &str = "Possible values are: \"string\", \"numeric\", \"boolean\", \"key\", and \"all\".";
    let root = JsonbRef::root(flags);
    let list: Vec<JsonbRef<'_>> = match root {
        JsonbRef::Array(a) => a.iter().collect(),
        JsonbRef::Object(_) => {
            return Err(pg_err!(
                INVALID_PARAMETER_VALUE,
                "wrong flag type, only arrays and scalars are allowed"
            ));
        }
        scalar => vec![scalar],
    };
    let mut parts = JsonParts::default();
    for flag in list {
        let JsonbRef::String(name) = flag else {
            if matches!(flag, JsonbRef::Object(_) | JsonbRef::Array(_)) {
                return Err(common::internal!("unexpected end of flag array"));
            }
            return Err(pg_err!(INVALID_PARAMETER_VALUE, "flag array element is not a string").hint(HINT));
        };
        let set: &mut [&mut bool] = match name.to_ascii_lowercase().as_str() {
            "all" => &mut [
                &mut parts.strings,
                &mut parts.numbers,
                &mut parts.bools,
                &mut parts.keys,
            ],
            "key" => &mut [&mut parts.keys],
            "string" => &mut [&mut parts.strings],
            "numeric" => &mut [&mut parts.numbers],
            "boolean" => &mut [&mut parts.bools],
            _ => {
                return Err(
                    pg_err!(INVALID_PARAMETER_VALUE, "wrong flag in flag array: \"{name}\"").hint(HINT),
                );
            }
        };
        set.iter_mut().for_each(|s| **s = true);
    }
    Ok(parts)
}

/// Every token of a JSON text, with whether it is a key.
pub(crate) fn json_tokens(
    json: &str,
    cancel: &CancelToken,
    visit: &mut dyn FnMut(Token, &str, bool) -> PgResult<()>,
) -> PgResult<()> {
    let mut lexer = Lexer::new(json).until(cancel);
    let mut token = lexer.next_token()?;
    while token.kind != TokenKind::End {
        let next = lexer.next_token()?;
        visit(
            token,
            &json[token.start..token.end],
            next.kind == TokenKind::Colon,
        )?;
        token = next;
    }
    Ok(())
}

fn json_vector(ctx: &mut FnContext<'_>, config: &Config, json: &str, parts: JsonParts) -> PgResult<Vec<u8>> {
    let mut parsed = Parsed::default();
    json_tokens(json, ctx.cancel, &mut |token, text, key| {
        let wanted = match token.kind {
            TokenKind::String if key => parts.keys,
            TokenKind::String => parts.strings,
            TokenKind::Number => parts.numbers,
            TokenKind::True | TokenKind::False => parts.bools,
            _ => false,
        };
        if !wanted {
            return Ok(());
        }
        let before = parsed.words.len();
        if token.kind == TokenKind::String {
            parsed.add(ctx, config, &unescape(text)?)?;
        } else {
            parsed.add(ctx, config, text)?;
        }
        // Phrases do not reach from one value into the next.
        if parsed.words.len() > before {
            parsed.position += 1;
        }
        Ok(())
    })?;
    vector_of(parsed)
}

/// The text of a `jsonb`.
pub(crate) fn jsonb_text(ctx: &FnContext<'_>, document: &[u8]) -> PgResult<String> {
    let mut out = String::new();
    jsonb::push_text(JsonbRef::root(document), ctx.cancel, &mut out)?;
    Ok(out)
}

fn json_string_to_tsvector(ctx: &mut FnContext<'_>, json: &str) -> PgResult<Vec<u8>> {
    let config = default_config(ctx)?;
    json_vector(ctx, &config, json, STRINGS)
}

fn json_string_to_tsvector_byid(ctx: &mut FnContext<'_>, id: u32, json: &str) -> PgResult<Vec<u8>> {
    let config = config(ctx, id)?;
    json_vector(ctx, &config, json, STRINGS)
}

fn jsonb_string_to_tsvector(ctx: &mut FnContext<'_>, json: &[u8]) -> PgResult<Vec<u8>> {
    json_string_to_tsvector(ctx, &jsonb_text(ctx, json)?)
}

fn jsonb_string_to_tsvector_byid(ctx: &mut FnContext<'_>, id: u32, json: &[u8]) -> PgResult<Vec<u8>> {
    json_string_to_tsvector_byid(ctx, id, &jsonb_text(ctx, json)?)
}

fn json_to_tsvector(ctx: &mut FnContext<'_>, json: &str, flags: &[u8]) -> PgResult<Vec<u8>> {
    let config = default_config(ctx)?;
    json_vector(ctx, &config, json, json_parts(flags)?)
}

fn json_to_tsvector_byid(ctx: &mut FnContext<'_>, id: u32, json: &str, flags: &[u8]) -> PgResult<Vec<u8>> {
    let config = config(ctx, id)?;
    json_vector(ctx, &config, json, json_parts(flags)?)
}

fn jsonb_to_tsvector(ctx: &mut FnContext<'_>, json: &[u8], flags: &[u8]) -> PgResult<Vec<u8>> {
    json_to_tsvector(ctx, &jsonb_text(ctx, json)?, flags)
}

fn jsonb_to_tsvector_byid(ctx: &mut FnContext<'_>, id: u32, json: &[u8], flags: &[u8]) -> PgResult<Vec<u8>> {
    json_to_tsvector_byid(ctx, id, &jsonb_text(ctx, json)?, flags)
}

/// Puts the lexemes of an operand into a query, joined by `joint`; stop words between them count for distances.
fn push_lexemes(
    ctx: &FnContext<'_>,
    config: &Config,
    operand: &Operand,
    joint: &Item,
    out: &mut Vec<Item>,
) -> PgResult<()> {
    let mut parsed = Parsed::default();
    parsed.add(ctx, config, &operand.word)?;
    if parsed.words.is_empty() {
        out.push(Item::Stop);
        return Ok(());
    }
    let (mut position, mut pushed) = (0, false);
    let mut join = |out: &mut Vec<Item>| {
        if pushed {
            out.push(joint.clone());
        }
        pushed = true;
    };
    for words in parsed.words.chunk_by(|a, b| a.position == b.position) {
        let here = words.first().map_or(0, |w| w.position);
        while position > 0 && position + 1 < here {
            out.push(Item::Stop);
            join(out);
            position += 1;
        }
        position = here;
        push_variants(words, operand, out);
        join(out);
    }
    Ok(())
}

/// The words of one position: those of a variant must all be there, one of the variants must be.
fn push_variants(words: &[ParsedWord], operand: &Operand, out: &mut Vec<Item>) {
    for (n, variant) in words.chunk_by(|a, b| a.variant == b.variant).enumerate() {
        for (k, word) in variant.iter().enumerate() {
            out.push(Item::Word(Operand {
                word: word.word.clone(),
                prefix: operand.prefix || word.prefix,
                ..operand.clone()
            }));
            if k > 0 {
                out.push(Item::And);
            }
        }
        if n > 0 {
            out.push(Item::Or);
        }
    }
}

#[cold]
fn notice(text: impl Into<String>) -> Box<PgError> {
    PgError::notice(Severity::Notice, sqlstate::SUCCESSFUL_COMPLETION, text)
}

fn to_query(
    ctx: &FnContext<'_>,
    config: &Config,
    text: &str,
    syntax: Syntax,
    joint: &Item,
) -> PgResult<Vec<u8>> {
    let items = parse(text, syntax, &mut |operand, out| {
        push_lexemes(ctx, config, &operand, joint, out)
    })?;
    if items.is_empty() {
        ctx.session.notice(query::no_lexemes(text))?;
        return Ok(query::encode(&items));
    }
    if !items.contains(&Item::Stop) {
        return Ok(query::encode(&items));
    }
    let left = without_stop_words(items);
    if left.is_empty() {
        ctx.session.notice(notice(
            "text-search query contains only stop words or doesn't contain lexemes, ignored",
        ))?;
    }
    Ok(query::encode(&left))
}

/// A part of a query with what the stop words around it add to distances on its left and right.
struct Cleaned {
    items: Vec<Item>,
    left: u16,
    right: u16,
}

fn without_stop_words(items: Vec<Item>) -> Vec<Item> {
    let mut stack: Vec<Cleaned> = Vec::new();
    for item in items {
        let cleaned = match item {
            Item::Stop => Cleaned {
                items: Vec::new(),
                left: 0,
                right: 0,
            },
            Item::Word(_) => Cleaned {
                items: vec![item],
                left: 0,
                right: 0,
            },
            Item::Not => {
                let Some(mut inner) = stack.pop() else { break };
                if !inner.items.is_empty() {
                    inner.items.push(Item::Not);
                }
                inner
            }
            operator => {
                let (Some(right), Some(left)) = (stack.pop(), stack.pop()) else {
                    break;
                };
                join_cleaned(left, right, operator)
            }
        };
        stack.push(cleaned);
    }
    stack.pop().map_or(Vec::new(), |c| c.items)
}

fn join_cleaned(left: Cleaned, right: Cleaned, operator: Item) -> Cleaned {
    let distance = match operator {
        Item::Phrase(d) => Some(d),
        _ => None,
    };
    match (left.items.is_empty(), right.items.is_empty(), distance) {
        (true, true, Some(d)) => {
            let sum = left.left.saturating_add(d).saturating_add(right.left);
            Cleaned {
                items: Vec::new(),
                left: sum,
                right: sum,
            }
        }
        (true, true, None) => {
            let most = left.left.max(right.left);
            Cleaned {
                items: Vec::new(),
                left: most,
                right: most,
            }
        }
        (true, false, Some(d)) => Cleaned {
            left: left.left.saturating_add(d).saturating_add(right.left),
            ..right
        },
        (true, false, None) => right,
        (false, true, Some(d)) => Cleaned {
            right: left.right.saturating_add(d).saturating_add(right.right),
            ..left
        },
        (false, true, None) => left,
        (false, false, distance) => {
            let mut items = left.items;
            items.extend(right.items);
            match distance {
                Some(d) => {
                    let wider = d.saturating_add(left.right).saturating_add(right.left);
                    items.push(Item::Phrase(wider));
                    Cleaned {
                        items,
                        left: left.left,
                        right: right.right,
                    }
                }
                None => {
                    items.push(operator);
                    Cleaned {
                        items,
                        left: 0,
                        right: 0,
                    }
                }
            }
        }
    }
}

/// The functions of one syntax, with and without a configuration.
macro_rules! conversions {
    ($($name:ident $by_id:ident $syntax:ident $joint:expr;)*) => {$(
        fn $name(ctx: &mut FnContext<'_>, text: &str) -> PgResult<Vec<u8>> {
            let config = default_config(ctx)?;
            to_query(ctx, &config, text, Syntax::$syntax, &$joint)
        }
        fn $by_id(ctx: &mut FnContext<'_>, id: u32, text: &str) -> PgResult<Vec<u8>> {
            let config = config(ctx, id)?;
            to_query(ctx, &config, text, Syntax::$syntax, &$joint)
        }
    )*};
}

conversions! {
    to_tsquery to_tsquery_byid Operators Item::Phrase(1);
    plainto_tsquery plainto_tsquery_byid Plain Item::And;
    phraseto_tsquery phraseto_tsquery_byid Plain Item::Phrase(1);
    websearch_to_tsquery websearch_to_tsquery_byid Web Item::Phrase(1);
}

fn ts_match_tt(ctx: &mut FnContext<'_>, document: &str, text: &str) -> PgResult<bool> {
    let document = to_tsvector(ctx, document)?;
    let query = plainto_tsquery(ctx, text)?;
    Ok(ts_match_vq(&document, &query))
}

fn ts_match_tq(ctx: &mut FnContext<'_>, document: &str, query: &[u8]) -> PgResult<bool> {
    Ok(ts_match_vq(&to_tsvector(ctx, document)?, query))
}

fn get_current_ts_config(ctx: &mut FnContext<'_>) -> PgResult<u32> {
    Ok(ctx.session.default_text_search_config()?.0)
}

fn texts(lexemes: Vec<Lexeme>) -> ArrayValue {
    let words = lexemes.into_iter().map(|l| Datum::text(l.word));
    ArrayValue::from_elements(oids::TEXT, words.collect())
}

fn ts_lexize(ctx: &mut FnContext<'_>, id: u32, token: &str) -> PgResult<Option<ArrayValue>> {
    let dictionary = dictionary(ctx, common::Oid(id))?;
    Ok(dictionary.lexize_alone(token, ctx.cancel)?.map(texts))
}

fn arg_text(args: &[Datum], at: usize) -> &str {
    args.get(at).and_then(Datum::as_str).unwrap_or("")
}

fn check_parser(parser: Option<&Datum>) -> PgResult<()> {
    match parser {
        Some(Datum::Oid(oid)) => check_parser_oid(*oid),
        Some(name) => check_parser_name(name.as_str().unwrap_or("")),
        None => Ok(()),
    }
}

fn ts_parse(_: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Box<dyn SetRows>> {
    check_parser(args.first())?;
    let tokens = DefaultParser::new(arg_text(args, 1));
    let rows = tokens.map(|(kind, token)| vec![Datum::Int4(kind as i32), Datum::text(token)]);
    Ok(materialized(&[oids::INT4, oids::TEXT], rows.collect()))
}

fn ts_token_type(_: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Box<dyn SetRows>> {
    check_parser(args.first())?;
    let rows = KINDS.iter().map(|(number, alias, description)| {
        vec![
            Datum::Int4(*number),
            Datum::text(*alias),
            Datum::text(*description),
        ]
    });
    Ok(materialized(
        &[oids::INT4, oids::TEXT, oids::TEXT],
        rows.collect(),
    ))
}

fn ts_debug(ctx: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Box<dyn SetRows>> {
    let (config, text) = match args {
        [Datum::Oid(id), text] => (config(ctx, *id)?, text),
        [text] => (default_config(ctx)?, text),
        _ => return Err(common::internal!("ts_debug called with other arguments")),
    };
    let mut rows = Vec::new();
    // A configuration that does not exist has no parser.
    let text = text.as_str().filter(|_| config.check().is_ok());
    for (kind, token) in DefaultParser::new(text.unwrap_or("")) {
        let (_, alias, description) = KINDS[kind as usize - 1];
        let dictionaries = config.dictionaries(kind);
        let all = dictionaries.iter().map(|(oid, _)| Datum::Oid(oid.0)).collect();
        // The first that knows the token; if none does, the first.
        let mut chosen = dictionaries
            .first()
            .map_or(Datum::Null, |(oid, _)| Datum::Oid(oid.0));
        let mut lexemes = Datum::Null;
        for (oid, dictionary) in dictionaries {
            if let Some(found) = dictionary.lexize_alone(token, ctx.cancel)? {
                chosen = Datum::Oid(oid.0);
                lexemes = Datum::Array(Arc::new(texts(found)));
                break;
            }
        }
        rows.push(vec![
            Datum::text(alias),
            Datum::text(description),
            Datum::text(token),
            Datum::Array(Arc::new(ArrayValue::from_elements(oids::REGDICTIONARY, all))),
            chosen,
            lexemes,
        ]);
    }
    let columns = [
        oids::TEXT,
        oids::TEXT,
        oids::TEXT,
        oids::REGDICTIONARY_ARRAY,
        oids::REGDICTIONARY,
        oids::TEXT_ARRAY,
    ];
    Ok(materialized(&columns, rows))
}

builtins! {
    to_tsvector(ctx, text: text) -> tsvector;
    to_tsvector_byid(ctx, config: regconfig, text: text) -> tsvector;
    json_string_to_tsvector(ctx, json: json) -> tsvector;
    json_string_to_tsvector_byid(ctx, config: regconfig, json: json) -> tsvector;
    jsonb_string_to_tsvector(ctx, json: jsonb) -> tsvector;
    jsonb_string_to_tsvector_byid(ctx, config: regconfig, json: jsonb) -> tsvector;
    json_to_tsvector(ctx, json: json, flags: jsonb) -> tsvector;
    json_to_tsvector_byid(ctx, config: regconfig, json: json, flags: jsonb) -> tsvector;
    jsonb_to_tsvector(ctx, json: jsonb, flags: jsonb) -> tsvector;
    jsonb_to_tsvector_byid(ctx, config: regconfig, json: jsonb, flags: jsonb) -> tsvector;
    to_tsquery(ctx, text: text) -> tsquery;
    to_tsquery_byid(ctx, config: regconfig, text: text) -> tsquery;
    plainto_tsquery(ctx, text: text) -> tsquery;
    plainto_tsquery_byid(ctx, config: regconfig, text: text) -> tsquery;
    phraseto_tsquery(ctx, text: text) -> tsquery;
    phraseto_tsquery_byid(ctx, config: regconfig, text: text) -> tsquery;
    websearch_to_tsquery(ctx, text: text) -> tsquery;
    websearch_to_tsquery_byid(ctx, config: regconfig, text: text) -> tsquery;
    ts_match_tt(ctx, document: text, text: text) -> bool;
    ts_match_tq(ctx, document: text, query: tsquery) -> bool;
    get_current_ts_config(ctx) -> regconfig;
    ts_lexize(ctx, id: regdictionary, token: text) -> text_array;
}

set_functions! {
    ts_parse_byid(oid, text) -> record = ts_parse;
    ts_parse_byname(text, text) -> record = ts_parse;
    ts_token_type_byid(oid) -> record = ts_token_type;
    ts_token_type_byname(text) -> record = ts_token_type;
    ts_debug(regconfig, text) -> record = ts_debug;
    ts_debug(text) -> record = ts_debug;
}
