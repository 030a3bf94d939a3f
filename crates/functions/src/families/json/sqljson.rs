//! What SQL/JSON expressions need of JSON: queries with their cardinality rules, conversion of results, IS JSON.
//!
//! PG: src/backend/executor/execExprInterp.c (`ExecEvalJsonExprPath`), utils/adt/jsonpath_exec.c (`JsonPathQuery`, `JsonPathValue`).

use std::collections::HashSet;
use std::sync::Arc;

use common::cancel::CancelToken;
use common::error::ErrorExt;
use common::{PgError, PgResult, pg_err};
use types::io::{self, UserType};
use types::json_text::{Lexer, Token, TokenKind, Visitor, unescape, visit};
use types::jsonb::{JsonbBuilder, JsonbRef, ParseOptions, parse, to_text};
use types::jsonpath::Path;
use types::settings::TypeRef;
use types::{Datum, builtin, oids};

use crate::families::json::populate::{Target, convert};
use crate::families::json::record;
use crate::families::json::source::Source;
use crate::families::json::text::kind;
use crate::families::json::value::push_json;
use crate::families::jsonpath::{Outcome, PathRun, PathValue, Variables, run};
use crate::framework::context::FnContext;

/// PASSING.
pub type Passing = Vec<(Arc<str>, PathValue<'static>)>;

/// One query of one document.
#[derive(Clone, Copy)]
#[allow(missing_docs)]
pub struct Query<'a> {
    pub item: &'a [u8],
    pub path: &'a Path,
    pub passing: &'a Passing,
    /// The JSON_TABLE column that asks.
    pub column: Option<&'a str>,
}

/// WITH WRAPPER.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Wrap {
    Never,
    IfSeveral,
    Always,
}

/// What came of it.
pub enum Answer {
    /// A value: a boolean, a `jsonb`, or for JSON_VALUE the text of a scalar.
    Value(Datum),
    /// SQL NULL.
    Null,
    /// Nothing was found.
    Empty,
    /// For ON ERROR.
    Error(Box<PgError>),
}

/// Errors that ON ERROR catches.
pub fn is_soft(e: &PgError) -> bool {
    record::is_soft(e)
}

impl<'a> Query<'a> {
    fn run_for(&self) -> PathRun<'a> {
        PathRun {
            path: self.path,
            root: JsonbRef::root(self.item),
            variables: Variables::Named(self.passing),
            use_tz: true,
        }
    }

    fn found(&self, ctx: &FnContext<'_>) -> PgResult<Result<Vec<PathValue<'a>>, Box<PgError>>> {
        let mut found = Vec::new();
        Ok(match run(ctx, self.run_for(), Some(&mut found))? {
            Outcome::Found(_) => Ok(found),
            Outcome::Error(e) => Err(e),
        })
    }

    /// JSON_EXISTS.
    pub fn exists(&self, ctx: &FnContext<'_>) -> PgResult<Answer> {
        Ok(match run(ctx, self.run_for(), None)? {
            Outcome::Found(any) => Answer::Value(Datum::Bool(any)),
            Outcome::Error(e) => Answer::Error(e),
        })
    }

    /// JSON_QUERY.
    pub fn query(&self, wrap: Wrap, ctx: &FnContext<'_>) -> PgResult<Answer> {
        let found = match self.found(ctx)? {
            Ok(found) => found,
            Err(e) => return Ok(Answer::Error(e)),
        };
        let wrapped = wrap == Wrap::Always || (wrap == Wrap::IfSeveral && found.len() > 1);
        match &found[..] {
            [] => Ok(Answer::Empty),
            all if wrapped => {
                let mut builder = JsonbBuilder::new();
                builder.begin_array();
                all.iter().try_for_each(|v| v.put(&mut builder))?;
                builder.end()?;
                Ok(Answer::Value(builder.finish_datum()?))
            }
            [one] => Ok(Answer::Value(one.to_datum()?)),
            _ => {
                let message = match self.column {
                    Some(column) => format!(
                        "JSON path expression for column \"{column}\" must return single item when no wrapper is requested"
                    ),
                    None => "JSON path expression in JSON_QUERY must return single item when no wrapper is requested"
                        .to_owned(),
                };
                Ok(Answer::Error(
                    pg_err!(MORE_THAN_ONE_SQL_JSON_ITEM, "{message}")
                        .hint("Use the WITH WRAPPER clause to wrap SQL/JSON items into an array."),
                ))
            }
        }
    }

    /// JSON_VALUE: the scalar as text, or as `jsonb` when `as_json`.
    pub fn value(&self, as_json: bool, ctx: &FnContext<'_>) -> PgResult<Answer> {
        let found = match self.found(ctx)? {
            Ok(found) => found,
            Err(e) => return Ok(Answer::Error(e)),
        };
        let message = || match self.column {
            Some(column) => {
                format!("JSON path expression for column \"{column}\" must return single scalar item")
            }
            None => "JSON path expression in JSON_VALUE must return single scalar item".to_owned(),
        };
        let one = match &found[..] {
            [] => return Ok(Answer::Empty),
            [one] => one,
            _ => {
                return Ok(Answer::Error(pg_err!(
                    MORE_THAN_ONE_SQL_JSON_ITEM,
                    "{}",
                    message()
                )));
            }
        };
        if one.is_null() {
            return Ok(Answer::Null);
        }
        let datum = one.to_datum()?;
        if !JsonbRef::of_datum(&datum).is_scalar() {
            return Ok(Answer::Error(pg_err!(SQL_JSON_SCALAR_REQUIRED, "{}", message())));
        }
        if as_json {
            return Ok(Answer::Value(datum));
        }
        let text = match one {
            PathValue::DateTime(d) => io::to_text(d.type_oid, &d.value, &ctx.io())?,
            _ => match JsonbRef::of_datum(&datum) {
                JsonbRef::Bool(b) => String::from(if b { "t" } else { "f" }),
                other => other.as_text(ctx.cancel)?.unwrap_or_default(),
            },
        };
        Ok(Answer::Value(Datum::text(text)))
    }

    /// The row pattern of JSON_TABLE: every item found, as documents.
    pub fn items(&self, ctx: &FnContext<'_>) -> PgResult<Result<Vec<Datum>, Box<PgError>>> {
        match self.found(ctx)? {
            Ok(found) => Ok(Ok(found
                .iter()
                .map(PathValue::to_datum)
                .collect::<PgResult<_>>()?)),
            Err(e) => Ok(Err(e)),
        }
    }
}

/// True for a domain, whose constraints a conversion must check.
pub fn is_domain(target: TypeRef, ctx: &FnContext<'_>) -> PgResult<bool> {
    if let Some(row) = builtin::type_row(target.oid) {
        return Ok(row.typbasetype.is_valid());
    }
    Ok(matches!(
        ctx.io().names().user_type(target.oid)?,
        Some(UserType::Domain { .. })
    ))
}

/// A `jsonb` (`None`: NULL) as a value of any type.
pub fn populate(
    document: Option<&[u8]>,
    target: TypeRef,
    omit_quotes: bool,
    ctx: &FnContext<'_>,
) -> PgResult<Datum> {
    if let Some(base) = domain_base(target, ctx)? {
        let value = populate(document, base, omit_quotes, ctx)?;
        ctx.io().names().check_domain(target.oid, &value)?;
        return Ok(value);
    }
    let Some(document) = document else {
        return Ok(Datum::Null);
    };
    let root = JsonbRef::root(document);
    let to = Target {
        type_oid: target.oid,
        typmod: target.typmod,
    };
    if omit_quotes {
        let text = match root {
            JsonbRef::String(s) => s.to_owned(),
            other => to_text(other, ctx.cancel)?,
        };
        return io::input(target.oid, target.typmod, &text, &ctx.io());
    }
    match (target.oid, root) {
        (oids::JSONB, _) => Ok(Datum::Bytes(document.into())),
        (oids::JSON, _) => Ok(Datum::text(to_text(root, ctx.cancel)?)),
        // A lone scalar keeps its quotes, so it is no array and no row either.
        (_, scalar) if scalar.is_scalar() && !is_container_type(target, ctx)? => io::input(
            target.oid,
            target.typmod,
            &to_text(scalar, ctx.cancel)?,
            &ctx.io(),
        ),
        (_, JsonbRef::String(_)) => convert(
            Some(Source::Jsonb(JsonbRef::Bool(true))),
            to,
            None,
            &Datum::Null,
            ctx,
        ),
        (_, JsonbRef::Null) => convert(
            Some(Source::Jsonb(JsonbRef::Bool(true))),
            to,
            None,
            &Datum::Null,
            ctx,
        ),
        _ => convert(Some(Source::Jsonb(root)), to, None, &Datum::Null, ctx),
    }
}

/// The result of JSON_EXISTS as a value of any type: integers by cast, everything else by way of `jsonb`.
pub fn exists_value(value: bool, target: TypeRef, ctx: &FnContext<'_>) -> PgResult<Datum> {
    match target.oid {
        oids::BOOL => return Ok(Datum::Bool(value)),
        oids::INT4 => return Ok(Datum::Int4(i32::from(value))),
        _ => {}
    }
    if let Some(base) = domain_base(target, ctx)? {
        let value = exists_value(value, base, ctx)?;
        ctx.io().names().check_domain(target.oid, &value)?;
        return Ok(value);
    }
    let document = JsonbRef::Bool(value).to_document();
    populate(Some(&document), target, false, ctx)
}

fn domain_base(target: TypeRef, ctx: &FnContext<'_>) -> PgResult<Option<TypeRef>> {
    Ok(match ctx.io().names().user_type(target.oid)? {
        Some(UserType::Domain { base, typmod }) => Some(TypeRef { oid: base, typmod }),
        _ => None,
    })
}

fn is_container_type(target: TypeRef, ctx: &FnContext<'_>) -> PgResult<bool> {
    if let Some(row) = builtin::type_row(target.oid) {
        return Ok(row.is_array() || row.typtype == b'c');
    }
    Ok(matches!(
        ctx.io().names().user_type(target.oid)?,
        Some(UserType::Array { .. } | UserType::Composite { .. })
    ))
}

/// What IS JSON may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum ItemType {
    Any,
    Object,
    Array,
    Scalar,
}

/// Looks for keys that come twice.
#[derive(Default)]
struct UniqueKeys {
    open: Vec<HashSet<String>>,
    repeated: Option<String>,
}

impl Visitor for UniqueKeys {
    fn begin(&mut self, _: bool, _: Token) -> PgResult<()> {
        self.open.push(HashSet::new());
        Ok(())
    }
    fn key(&mut self, token: &str) -> PgResult<()> {
        let key = unescape(token)?;
        if let Some(seen) = self.open.last_mut() {
            if !seen.insert(key.clone()) && self.repeated.is_none() {
                self.repeated = Some(key);
            }
        }
        Ok(())
    }
    fn scalar(&mut self, _: TokenKind, _: &str) -> PgResult<()> {
        Ok(())
    }
    fn end(&mut self, _: bool, _: Token) -> PgResult<()> {
        self.open.pop();
        Ok(())
    }
}

/// `text IS JSON`.
pub fn text_is_json(text: &str, item: ItemType, unique_keys: bool, cancel: &CancelToken) -> PgResult<bool> {
    let mut unique = UniqueKeys::default();
    let checked = if unique_keys {
        visit(&mut Lexer::convertible(text).until(cancel), &mut unique)
    } else {
        types::json_text::validate(text, cancel)
    };
    match checked {
        Err(e) if is_soft(&e) => return Ok(false),
        other => other?,
    }
    let found = kind(text)?;
    let fits = match item {
        ItemType::Any => true,
        ItemType::Object => found == TokenKind::ObjectStart,
        ItemType::Array => found == TokenKind::ArrayStart,
        ItemType::Scalar => !matches!(found, TokenKind::ObjectStart | TokenKind::ArrayStart),
    };
    Ok(fits && unique.repeated.is_none())
}

/// `jsonb IS JSON`: keys are unique already.
pub fn jsonb_is_json(document: &[u8], item: ItemType) -> bool {
    match (item, JsonbRef::root(document)) {
        (ItemType::Any, _) => true,
        (ItemType::Object, JsonbRef::Object(_)) => true,
        (ItemType::Array, JsonbRef::Array(_)) => true,
        (ItemType::Scalar, value) => value.is_scalar(),
        _ => false,
    }
}

/// `JSON(text WITH UNIQUE KEYS)`.
pub fn parse_unique(text: &str, jsonb: bool, cancel: &CancelToken) -> PgResult<Datum> {
    if jsonb {
        let mut builder = JsonbBuilder::new();
        parse(text, ParseOptions { unique_keys: true }, cancel, &mut builder)?;
        return builder.finish_datum();
    }
    let mut unique = UniqueKeys::default();
    visit(&mut Lexer::new(text).until(cancel), &mut unique)?;
    match unique.repeated {
        Some(_) => Err(pg_err!(
            DUPLICATE_JSON_OBJECT_KEY_VALUE,
            "duplicate JSON object key value"
        )),
        None => Ok(Datum::text(text)),
    }
}

/// JSON_SCALAR.
pub fn scalar_json(value: &Datum, type_oid: common::Oid, ctx: &FnContext<'_>) -> PgResult<Datum> {
    let mut out = String::new();
    push_json(value, type_oid, ctx, &mut out)?;
    Ok(Datum::text(out))
}
