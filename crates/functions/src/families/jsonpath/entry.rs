//! `jsonb_path_exists`, `jsonb_path_match`, `jsonb_path_query` and their variants, `@?`, `@@`.

use std::sync::Arc;

use common::{PgResult, pg_err};
use types::jsonb::{JsonbBuilder, JsonbRef};
use types::jsonpath::{Path, parse};
use types::{Datum, PhysType};

use crate::families::jsonpath::exec::{Outcome, PathRun, Variables, run};
use crate::families::jsonpath::value::PathValue;
use crate::framework::context::FnContext;
use crate::framework::macros::{builtins, set_functions};
use crate::framework::set::{ScalarRows, SetRows};

/// A parsed path beside its text.
struct Parsed {
    text: Arc<str>,
    path: Arc<Path>,
}

/// The path behind a `jsonpath` datum, parsed once per call site.
pub fn cached_path(ctx: &mut FnContext<'_>, text: &str) -> PgResult<Arc<Path>> {
    let parsed = ctx.cache.get_or_try_insert(
        |p: &Parsed| &*p.text == text,
        || {
            Ok(Parsed {
                text: Arc::from(text),
                path: Arc::new(parse(text)?),
            })
        },
    )?;
    Ok(Arc::clone(&parsed.path))
}

/// The arguments that all functions share.
#[derive(Clone, Copy)]
struct Given<'a> {
    target: &'a [u8],
    path: &'a str,
    vars: Option<&'a [u8]>,
    silent: bool,
    use_tz: bool,
}

/// An empty object, for callers without variables.
fn no_variables() -> Vec<u8> {
    let mut builder = JsonbBuilder::new();
    builder.begin_object();
    match builder.end() {
        Ok(()) => builder.finish(),
        Err(_) => Vec::new(),
    }
}

/// True or false: something was found; `None`: an error that is to be ignored.
fn exists(ctx: &mut FnContext<'_>, g: Given<'_>) -> PgResult<Option<bool>> {
    let path = cached_path(ctx, g.path)?;
    let empty = no_variables();
    let what = PathRun {
        path: &path,
        root: JsonbRef::root(g.target),
        variables: Variables::Object(JsonbRef::root(g.vars.unwrap_or(&empty))),
        use_tz: g.use_tz,
    };
    match run(ctx, what, None)? {
        Outcome::Found(any) => Ok(Some(any)),
        Outcome::Error(_) if g.silent => Ok(None),
        Outcome::Error(e) => Err(e),
    }
}

/// All results, handed to `use_them` while the document is at hand.
fn query<T>(
    ctx: &mut FnContext<'_>,
    g: Given<'_>,
    use_them: impl Fn(&[PathValue<'_>]) -> PgResult<T>,
) -> PgResult<T> {
    let path = cached_path(ctx, g.path)?;
    let empty = no_variables();
    let what = PathRun {
        path: &path,
        root: JsonbRef::root(g.target),
        variables: Variables::Object(JsonbRef::root(g.vars.unwrap_or(&empty))),
        use_tz: g.use_tz,
    };
    let mut found = Vec::new();
    match run(ctx, what, Some(&mut found))? {
        Outcome::Found(_) => {}
        // What was found before the error stands.
        Outcome::Error(_) if g.silent => {}
        Outcome::Error(e) => return Err(e),
    }
    use_them(&found)
}

fn predicate(ctx: &mut FnContext<'_>, g: Given<'_>) -> PgResult<Option<bool>> {
    query(ctx, g, |found| match found {
        [one] if one.is_null() => Ok(None),
        [one] if one.as_bool().is_some() => Ok(one.as_bool()),
        _ if g.silent => Ok(None),
        _ => Err(pg_err!(
            SINGLETON_SQL_JSON_ITEM_REQUIRED,
            "single boolean result is expected"
        )),
    })
}

fn array(ctx: &mut FnContext<'_>, g: Given<'_>) -> PgResult<Vec<u8>> {
    query(ctx, g, |found| {
        let mut builder = JsonbBuilder::new();
        builder.begin_array();
        found.iter().try_for_each(|v| v.put(&mut builder))?;
        builder.end()?;
        Ok(builder.finish())
    })
}

fn first(ctx: &mut FnContext<'_>, g: Given<'_>) -> PgResult<Option<Arc<[u8]>>> {
    query(ctx, g, |found| match found.first().map(PathValue::to_datum) {
        Some(Ok(Datum::Bytes(document))) => Ok(Some(document)),
        Some(Err(e)) => Err(e),
        _ => Ok(None),
    })
}

fn rows(ctx: &mut FnContext<'_>, args: &[Datum], use_tz: bool) -> PgResult<Box<dyn SetRows>> {
    let [
        Datum::Bytes(target),
        Datum::Text(path),
        Datum::Bytes(vars),
        Datum::Bool(silent),
    ] = args
    else {
        return Err(common::internal!("jsonb_path_query called with wrong arguments"));
    };
    let g = Given {
        target,
        path,
        vars: Some(vars),
        silent: *silent,
        use_tz,
    };
    let found = query(ctx, g, |found| {
        found
            .iter()
            .map(PathValue::to_datum)
            .collect::<PgResult<Vec<Datum>>>()
    })?;
    Ok(Box::new(ScalarRows {
        phys: PhysType::Bytes,
        iter: found.into_iter().map(Ok),
    }))
}

fn jsonb_path_query(ctx: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Box<dyn SetRows>> {
    rows(ctx, args, false)
}

fn jsonb_path_query_tz(ctx: &mut FnContext<'_>, args: &[Datum]) -> PgResult<Box<dyn SetRows>> {
    rows(ctx, args, true)
}

/// The plain and the `_tz` form of a function of four arguments.
macro_rules! forms {
    ($($plain:ident, $tz:ident => $run:ident -> $ret:ty;)*) => {$(
        fn $plain(ctx: &mut FnContext<'_>, target: &[u8], path: &str, vars: &[u8], silent: bool) -> PgResult<$ret> {
            let vars = Some(vars);
            $run(ctx, Given { target, path, vars, silent, use_tz: false })
        }
        fn $tz(ctx: &mut FnContext<'_>, target: &[u8], path: &str, vars: &[u8], silent: bool) -> PgResult<$ret> {
            let vars = Some(vars);
            $run(ctx, Given { target, path, vars, silent, use_tz: true })
        }
    )*};
}

forms! {
    jsonb_path_exists, jsonb_path_exists_tz => exists -> Option<bool>;
    jsonb_path_match, jsonb_path_match_tz => predicate -> Option<bool>;
    jsonb_path_query_array, jsonb_path_query_array_tz => array -> Vec<u8>;
    jsonb_path_query_first, jsonb_path_query_first_tz => first -> Option<Arc<[u8]>>;
}

fn operator<'a>(target: &'a [u8], path: &'a str) -> Given<'a> {
    Given {
        target,
        path,
        vars: None,
        silent: true,
        use_tz: false,
    }
}

fn jsonb_path_exists_opr(ctx: &mut FnContext<'_>, target: &[u8], path: &str) -> PgResult<Option<bool>> {
    exists(ctx, operator(target, path))
}

fn jsonb_path_match_opr(ctx: &mut FnContext<'_>, target: &[u8], path: &str) -> PgResult<Option<bool>> {
    predicate(ctx, operator(target, path))
}

builtins! {
    jsonb_path_exists(ctx, target: jsonb, path: jsonpath, vars: jsonb, silent: bool) -> bool;
    jsonb_path_exists_tz(ctx, target: jsonb, path: jsonpath, vars: jsonb, silent: bool) -> bool;
    jsonb_path_match(ctx, target: jsonb, path: jsonpath, vars: jsonb, silent: bool) -> bool;
    jsonb_path_match_tz(ctx, target: jsonb, path: jsonpath, vars: jsonb, silent: bool) -> bool;
    jsonb_path_query_array(ctx, target: jsonb, path: jsonpath, vars: jsonb, silent: bool) -> jsonb;
    jsonb_path_query_array_tz(ctx, target: jsonb, path: jsonpath, vars: jsonb, silent: bool) -> jsonb;
    jsonb_path_query_first(ctx, target: jsonb, path: jsonpath, vars: jsonb, silent: bool) -> jsonb;
    jsonb_path_query_first_tz(ctx, target: jsonb, path: jsonpath, vars: jsonb, silent: bool) -> jsonb;
    jsonb_path_exists_opr(ctx, target: jsonb, path: jsonpath) -> bool;
    jsonb_path_match_opr(ctx, target: jsonb, path: jsonpath) -> bool;
}

set_functions! {
    jsonb_path_query(jsonb, jsonpath, jsonb, bool) -> jsonb = jsonb_path_query;
    jsonb_path_query_tz(jsonb, jsonpath, jsonb, bool) -> jsonb = jsonb_path_query_tz;
}
