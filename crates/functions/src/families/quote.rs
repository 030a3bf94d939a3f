//! Quoting: `quote_ident`, `quote_literal`, `format`.

use common::cancel::CancelToken;
use common::error::ErrorExt;
use common::{PgError, PgResult, pg_err};
use types::{Datum, io};

use crate::framework::context::FnContext;
use crate::framework::macros::builtins;
use crate::framework::pieces;

/// Key words that cannot stand unquoted as a name everywhere (all but the unreserved ones), sorted.
#[rustfmt::skip]
static KEYWORDS: &[&str] = &[
    "all", "analyse", "analyze", "and", "any", "array", "as", "asc", "asymmetric", "authorization",
    "between", "bigint", "binary", "bit", "boolean", "both", "case", "cast", "char", "character", "check",
    "coalesce", "collate", "collation", "column", "concurrently", "constraint", "create", "cross",
    "current_catalog", "current_date", "current_role", "current_schema", "current_time",
    "current_timestamp", "current_user", "dec", "decimal", "default", "deferrable", "desc", "distinct",
    "do", "else", "end", "except", "exists", "extract", "false", "fetch", "float", "for", "foreign",
    "freeze", "from", "full", "grant", "greatest", "group", "grouping", "having", "ilike", "in",
    "initially", "inner", "inout", "int", "integer", "intersect", "interval", "into", "is", "isnull",
    "join", "json", "json_array", "json_arrayagg", "json_exists", "json_object", "json_objectagg",
    "json_query", "json_scalar", "json_serialize", "json_table", "json_value", "lateral", "leading",
    "least", "left", "like", "limit", "localtime", "localtimestamp", "merge_action", "national", "natural",
    "nchar", "none", "normalize", "not", "notnull", "null", "nullif", "numeric", "offset", "on", "only",
    "or", "order", "out", "outer", "overlaps", "overlay", "placing", "position", "precision", "primary",
    "real", "references", "returning", "right", "row", "select", "session_user", "setof", "similar",
    "smallint", "some", "substring", "symmetric", "system_user", "table", "tablesample", "then", "time",
    "timestamp", "to", "trailing", "treat", "trim", "true", "union", "unique", "user", "using", "values",
    "varchar", "variadic", "verbose", "when", "where", "window", "with", "xmlattributes", "xmlconcat",
    "xmlelement", "xmlexists", "xmlforest", "xmlnamespaces", "xmlparse", "xmlpi", "xmlroot", "xmlserialize",
    "xmltable",
];

/// An identifier as it must be written in SQL.
pub fn quote_identifier(name: &str) -> String {
    let plain = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        && KEYWORDS.binary_search(&name).is_err();
    if plain {
        name.to_owned()
    } else {
        format!("\"{}\"", name.replace('"', "\"\""))
    }
}

/// A string as a literal: quotes doubled, backslashes in the `E''` form.
pub fn quote_literal_text(s: &str) -> String {
    let escape = if s.contains('\\') { "E" } else { "" };
    format!("{escape}'{}'", doubled(s, &['\'', '\\']))
}

/// A text with some of its characters twice.
fn doubled(s: &str, characters: &[char]) -> String {
    let mut out = String::with_capacity(s.len() + 2);
    let mut rest = s;
    while let Some(at) = rest.find(characters) {
        let (head, tail) = rest.split_at(at + 1);
        out.push_str(head);
        out.push_str(&head[at..]);
        rest = tail;
    }
    out.push_str(rest);
    out
}

/// The same of a text that may be long.
fn quoted(ctx: &FnContext<'_>, s: &str, quote: &str, characters: &[char]) -> PgResult<String> {
    let body = pieces::text(ctx.cancel, s, |piece| doubled(piece, characters))?;
    pieces::concat(ctx.cancel, &[quote, &body, &quote[quote.len() - 1..]])
}

fn quote_ident(ctx: &mut FnContext<'_>, s: &str) -> PgResult<String> {
    match s.len() > pieces::PIECE_BYTES {
        true => quoted(ctx, s, "\"", &['"']),
        false => Ok(quote_identifier(s)),
    }
}
fn quote_literal(ctx: &mut FnContext<'_>, s: &str) -> PgResult<String> {
    let quote = if s.contains('\\') { "E'" } else { "'" };
    quoted(ctx, s, quote, &['\'', '\\'])
}
fn quote_nullable(ctx: &mut FnContext<'_>, s: Option<&str>) -> PgResult<String> {
    s.map_or_else(|| Ok("NULL".to_owned()), |s| quote_literal(ctx, s))
}

/// One `%` of a format string.
#[derive(Default)]
struct Directive {
    /// `n$`.
    argument: Option<usize>,
    left: bool,
    width: Option<i64>,
    /// Width from an argument: the next one, or by number.
    width_argument: Option<Option<usize>>,
    conversion: char,
}

#[cold]
fn unterminated() -> Box<PgError> {
    pg_err!(INVALID_PARAMETER_VALUE, "unterminated format() type specifier")
        .hint("For a single \"%\" use \"%%\".")
}

struct Format<'a> {
    chars: std::iter::Peekable<std::str::Chars<'a>>,
}

impl Format<'_> {
    fn number(&mut self) -> PgResult<Option<i64>> {
        let mut value = None;
        while let Some(d) = self.chars.peek().and_then(|c| c.to_digit(10)) {
            self.chars.next();
            let n = value.unwrap_or(0i64) * 10 + i64::from(d);
            if n > i64::from(i32::MAX) {
                return Err(pg_err!(NUMERIC_VALUE_OUT_OF_RANGE, "number is out of range"));
            }
            value = Some(n);
        }
        if value.is_some() && self.chars.peek().is_none() {
            return Err(unterminated());
        }
        Ok(value)
    }

    fn position(n: i64) -> PgResult<usize> {
        if n == 0 {
            return Err(pg_err!(
                INVALID_PARAMETER_VALUE,
                "format specifies argument 0, but arguments are numbered from 1"
            ));
        }
        Ok(n as usize)
    }

    fn directive(&mut self) -> PgResult<Directive> {
        let mut d = Directive::default();
        let mut number = self.number()?;
        if let (Some(n), Some('$')) = (number, self.chars.peek()) {
            self.chars.next();
            d.argument = Some(Self::position(n)?);
            number = None;
        }
        if number.is_some() {
            d.width = number;
        } else {
            while self.chars.peek() == Some(&'-') {
                self.chars.next();
                d.left = true;
            }
            if self.chars.peek() == Some(&'*') {
                self.chars.next();
                d.width_argument = Some(match self.number()? {
                    Some(n) => {
                        if self.chars.next() != Some('$') {
                            return Err(pg_err!(
                                INVALID_PARAMETER_VALUE,
                                "width argument position must be ended by \"$\""
                            ));
                        }
                        Some(Self::position(n)?)
                    }
                    None => None,
                });
            } else {
                d.width = self.number()?;
            }
        }
        d.conversion = self.chars.next().ok_or_else(unterminated)?;
        Ok(d)
    }
}

/// PostgreSQL's `MaxAllocSize`.
pub(crate) const STRING_BYTES_MAX: usize = 0x3fff_ffff;

/// What a string under construction says that has so many bytes and would get more than there may be.
#[cold]
pub(crate) fn string_too_long(bytes: usize, more: usize) -> Box<PgError> {
    pg_err!(
        PROGRAM_LIMIT_EXCEEDED,
        "string buffer exceeds maximum allowed length ({STRING_BYTES_MAX} bytes)"
    )
    .detail(format!(
        "Cannot enlarge string buffer containing {bytes} bytes by {more} more bytes."
    ))
}

#[cold]
fn too_few_arguments() -> Box<PgError> {
    pg_err!(INVALID_PARAMETER_VALUE, "too few arguments for format()")
}

/// Pads to a width; a negative one means left-justified.
fn push_padded(
    text: &str,
    mut width: i64,
    mut left: bool,
    cancel: &CancelToken,
    out: &mut String,
) -> PgResult<()> {
    if width < 0 {
        (width, left) = (-width, true);
    }
    let missing = (width as usize).saturating_sub(text.chars().count());
    let (first, second) = match left {
        true => (text.len(), missing),
        false => (missing, text.len()),
    };
    // Room is asked for twice, for the blanks and for the text, but before any gigabyte is filled.
    for (bytes, more) in [(out.len(), first), (out.len() + first, second)] {
        if bytes + more >= STRING_BYTES_MAX {
            return Err(string_too_long(bytes, more));
        }
    }
    if left {
        pieces::append(cancel, text, out)?;
    }
    pieces::append(cancel, &pieces::cycled(cancel, " ", missing)?, out)?;
    if !left {
        pieces::append(cancel, text, out)?;
    }
    cancel.check()
}

/// The width that an argument names: an integer, or text that reads as one.
fn width_of(ctx: &FnContext<'_>, value: &Datum, type_oid: common::Oid) -> PgResult<i32> {
    match value {
        Datum::Null => Ok(0),
        Datum::Int4(width) if type_oid == types::oids::INT4 => Ok(*width),
        Datum::Int2(width) if type_oid == types::oids::INT2 => Ok(i32::from(*width)),
        value => {
            let text = io::to_text(type_oid, value, &ctx.io())?;
            let width = io::input(types::oids::INT4, -1, &text, &ctx.io())?;
            Ok(width.as_i64().unwrap_or(0) as i32)
        }
    }
}

/// Bytes of text between two looks at the cancel flag.
const FORMAT_UNCHECKED: usize = 1 << 16;

fn text_format(ctx: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Datum> {
    let Some(Datum::Text(format)) = args.first() else {
        return Ok(Datum::Null);
    };
    let (values, type_of) = super::concat::variadic(ctx, args, 1);
    let io = ctx.io();
    let mut out = String::new();
    let mut scan = Format {
        chars: format.chars().peekable(),
    };
    let mut next = 0usize;
    while let Some(c) = scan.chars.next() {
        if out.len() % FORMAT_UNCHECKED == 0 || c == '%' {
            ctx.cancel.check()?;
        }
        if c != '%' {
            out.push(c);
            continue;
        }
        match scan.chars.peek() {
            None => return Err(unterminated()),
            Some('%') => {
                scan.chars.next();
                out.push('%');
                continue;
            }
            Some(_) => {}
        }
        let d = scan.directive()?;
        if !matches!(d.conversion, 's' | 'I' | 'L') {
            return Err(pg_err!(
                INVALID_PARAMETER_VALUE,
                "unrecognized format() type specifier \"{}\"",
                d.conversion
            )
            .hint("For a single \"%\" use \"%%\"."));
        }
        let mut take = |explicit: Option<usize>| {
            let at = explicit.map_or(next, |n| n - 1);
            next = at + 1;
            values.get(at).map(|v| (at, v)).ok_or_else(too_few_arguments)
        };
        let mut width = d.width.unwrap_or(0);
        if let Some(position) = d.width_argument {
            let (at, value) = take(position)?;
            width = i64::from(width_of(ctx, value, type_of(at))?);
            if width == i64::from(i32::MIN) {
                return Err(pg_err!(NUMERIC_VALUE_OUT_OF_RANGE, "number is out of range"));
            }
        }
        let (at, value) = take(d.argument)?;
        let text = match value {
            Datum::Null => None,
            value => Some(io::to_text(type_of(at), value, &io)?),
        };
        let text = match (d.conversion, text) {
            ('s', text) => text.unwrap_or_default(),
            ('I', Some(text)) => quote_ident(ctx, &text)?,
            ('I', None) => {
                return Err(pg_err!(
                    NULL_VALUE_NOT_ALLOWED,
                    "null values cannot be formatted as an SQL identifier"
                ));
            }
            (_, text) => quote_nullable(ctx, text.as_deref())?,
        };
        push_padded(&text, width, d.left, ctx.cancel, &mut out)?;
    }
    Ok(Datum::text(out))
}

builtins! {
    quote_ident(ctx, s: text) -> text;
    quote_literal(ctx, s: text) -> text;
    quote_nullable(ctx, s: text) -> text;
    text_format[general](text, any) -> text;
    text_format_nv = text_format[general](text) -> text;
}
