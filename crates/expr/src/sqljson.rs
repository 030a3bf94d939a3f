//! Evaluation of SQL/JSON expressions.

use std::sync::Arc;

use common::{PgError, PgResult, internal, pg_err};
use functions::json_construct::{
    BuildOptions, build_array_json, build_array_jsonb, build_object_json, build_object_jsonb,
};
use functions::jsonpath::{cached_path, value_from_sql};
use functions::sqljson::{self, Answer, ItemType, Passing, Query, Wrap};
use functions::{CallInfo, FnContext};
use nodes::json::{
    JsonBehavior, JsonBehaviorKind, JsonBuild, JsonExprKind, JsonItemType, JsonQuery, JsonQueryOp,
    JsonWrapper,
};
use types::settings::TypeRef;
use types::{Datum, PhysType, Selection, Vector, oids};

use crate::eval::{Cx, bool_vector};
use crate::program::Node;

/// An SQL/JSON expression, compiled.
#[derive(Debug)]
pub(crate) struct JsonNode {
    pub kind: JsonExprKind,
    pub args: Vec<Node>,
    /// Types of the arguments and of the result.
    pub info: CallInfo,
    pub site: usize,
}

/// What is known of a row after its query ran.
enum Row {
    Done(Datum),
    OnEmpty,
    OnError,
}

impl Cx<'_, '_> {
    pub(crate) fn json_expr(
        &mut self,
        phys: PhysType,
        j: &JsonNode,
        sel: &Selection,
    ) -> PgResult<Arc<Vector>> {
        match &j.kind {
            JsonExprKind::Object(build) => self.json_build(phys, j, *build, sel),
            JsonExprKind::Array(build) => self.json_build(phys, j, *build, sel),
            JsonExprKind::ParseUnique => self.json_parse(phys, j, sel),
            JsonExprKind::Is { item, unique_keys } => self.is_json(j, (*item, *unique_keys), sel),
            JsonExprKind::Query(q) => self.json_query(phys, j, q, sel),
            JsonExprKind::Table(_) => Err(internal!("JSON_TABLE outside of FROM")),
        }
    }

    /// Runs `f` with the function context of the expression's site.
    fn with_site<T>(
        &mut self,
        j: &JsonNode,
        f: impl FnOnce(&mut FnContext<'_>) -> PgResult<T>,
    ) -> PgResult<T> {
        self.with_call_site(&j.info, j.site, f)
    }

    fn json_build(
        &mut self,
        phys: PhysType,
        j: &JsonNode,
        build: JsonBuild,
        sel: &Selection,
    ) -> PgResult<Arc<Vector>> {
        let values = self.args(&j.args, sel)?;
        let mut out = self.output(phys);
        let options = BuildOptions {
            absent_on_null: build.absent_on_null,
            unique_keys: build.unique_keys,
        };
        let object = matches!(j.kind, JsonExprKind::Object(_));
        self.with_site(j, |ctx| {
            let types: Vec<_> = ctx.call.args.iter().map(|t| t.oid).collect();
            let type_of = |k: usize| types.get(k).copied().unwrap_or(oids::UNKNOWN);
            sel.try_for_each(|i| {
                let row: Vec<Datum> = values.iter().map(|v| v.datum(i)).collect();
                let made = match (object, build.jsonb) {
                    (true, true) => build_object_jsonb(ctx, &row, &type_of, options)?,
                    (true, false) => build_object_json(ctx, &row, &type_of, options)?,
                    (false, true) => build_array_jsonb(ctx, &row, &type_of, options)?,
                    (false, false) => build_array_json(ctx, &row, &type_of, options)?,
                };
                out.set(i, &made);
                Ok::<_, Box<PgError>>(())
            })
        })?;
        Ok(Arc::new(out))
    }

    fn first_arg(&mut self, j: &JsonNode, sel: &Selection) -> PgResult<Arc<Vector>> {
        match j.args.first() {
            Some(arg) => self.eval(arg, sel),
            None => Err(internal!("SQL/JSON expression without an argument")),
        }
    }

    fn json_parse(&mut self, phys: PhysType, j: &JsonNode, sel: &Selection) -> PgResult<Arc<Vector>> {
        let v = self.first_arg(j, sel)?;
        let mut out = self.output(phys);
        let jsonb = j.info.result.oid == oids::JSONB;
        let cancel = self.rt.parts().cancel;
        sel.try_for_each(|i| {
            let value = match v.datum(i) {
                Datum::Text(text) => sqljson::parse_unique(&text, jsonb, cancel)?,
                other => other,
            };
            out.set(i, &value);
            Ok::<_, Box<PgError>>(())
        })?;
        Ok(Arc::new(out))
    }

    fn is_json(
        &mut self,
        j: &JsonNode,
        (item, unique): (JsonItemType, bool),
        sel: &Selection,
    ) -> PgResult<Arc<Vector>> {
        let v = self.first_arg(j, sel)?;
        let item = match item {
            JsonItemType::Any => ItemType::Any,
            JsonItemType::Object => ItemType::Object,
            JsonItemType::Array => ItemType::Array,
            JsonItemType::Scalar => ItemType::Scalar,
        };
        let mut failure = None;
        let cancel = self.rt.parts().cancel;
        let out = bool_vector(self.inputs.rows, sel, |i| match v.datum(i) {
            Datum::Text(text) => match sqljson::text_is_json(&text, item, unique, cancel) {
                Ok(truth) => Some(truth),
                Err(e) => {
                    failure = Some(e);
                    None
                }
            },
            Datum::Bytes(document) => Some(sqljson::jsonb_is_json(&document, item)),
            _ => Some(false).filter(|_| !v.is_null(i)),
        });
        failure.map_or(Ok(out), Err)
    }

    fn json_query(
        &mut self,
        phys: PhysType,
        j: &JsonNode,
        q: &JsonQuery,
        sel: &Selection,
    ) -> PgResult<Arc<Vector>> {
        let inputs = j.args.get(..2 + q.passing.len()).unwrap_or(&[]);
        let (operands, passing) = inputs.split_at(inputs.len().min(2));
        let mut values = self.args(operands, sel)?;
        let mut out = self.output(phys);
        // Without a document or a path there is nothing to pass.
        let (mut asked, mut null) = (Vec::new(), Vec::new());
        for i in sel.iter() {
            let rows = if values.iter().any(|v| v.is_null(i)) {
                &mut null
            } else {
                &mut asked
            };
            rows.push(i as u16);
        }
        null.iter().for_each(|i| out.set_null(*i as usize));
        let sel = &Selection::Rows(asked.into());
        values.extend(self.args(passing, sel)?);
        let (mut on_empty, mut on_error) = (Vec::new(), Vec::new());
        self.with_site(j, |ctx| {
            sel.try_for_each(|i| {
                let row: Vec<Datum> = values.iter().map(|v| v.datum(i)).collect();
                match query_row(ctx, q, &row)? {
                    Row::Done(value) => out.set(i, &value),
                    Row::OnEmpty => on_empty.push(i as u16),
                    Row::OnError => on_error.push(i as u16),
                }
                Ok::<_, Box<PgError>>(())
            })
        })?;
        if let Some(behavior) = q.on_empty {
            self.behavior(j, q, (behavior, "ON EMPTY"), on_empty, &mut out)?;
        }
        self.behavior(j, q, (q.on_error, "ON ERROR"), on_error, &mut out)?;
        Ok(Arc::new(out))
    }

    /// Fills the rows for which a behaviour decides.
    fn behavior(
        &mut self,
        j: &JsonNode,
        q: &JsonQuery,
        (behavior, clause): (JsonBehavior, &str),
        rows: Vec<u16>,
        out: &mut Vector,
    ) -> PgResult<()> {
        if rows.is_empty() {
            return Ok(());
        }
        let Some(arg) = behavior.arg.and_then(|k| j.args.get(k)) else {
            rows.iter().for_each(|i| out.set_null(*i as usize));
            return Ok(());
        };
        let sel = Selection::Rows(rows.into());
        let throws = q.on_error.kind == JsonBehaviorKind::Error;
        let failed = |e: Box<PgError>| {
            if throws || !sqljson::is_soft(&e) {
                return e;
            }
            let mut outer = pg_err!(
                DATATYPE_MISMATCH,
                "could not coerce {clause} expression ({}) to the RETURNING type",
                behavior.kind.words()
            );
            outer.detail = Some(e.message);
            outer
        };
        // A cast that was found by the analyzer raises its own errors, but for constraints of domains.
        let v = self.eval(arg, &sel).map_err(|e| {
            if &e.sqlstate.class() == b"23" {
                failed(e)
            } else {
                e
            }
        })?;
        self.with_site(j, |ctx| {
            let target = ctx.call.result;
            sel.try_for_each(|i| {
                let value = v.datum(i);
                let value = match (&value, behavior.coerce) {
                    (Datum::Bytes(document), true) => {
                        sqljson::populate(Some(document), target, q.omit_quotes, ctx).map_err(failed)?
                    }
                    (Datum::Null, true) => {
                        sqljson::populate(None, target, q.omit_quotes, ctx).map_err(failed)?
                    }
                    _ => value,
                };
                out.set(i, &value);
                Ok::<_, Box<PgError>>(())
            })
        })
    }
}

fn passing(ctx: &FnContext<'_>, names: &[Box<str>], values: &[Datum]) -> PgResult<Passing> {
    let mut out = Vec::with_capacity(names.len());
    for (k, (name, value)) in names.iter().zip(values).enumerate() {
        out.push((
            Arc::from(&**name),
            value_from_sql(value, ctx.call.arg_type(2 + k), ctx)?,
        ));
    }
    Ok(out)
}

/// The context item, the path and the PASSING values of a row, queried and converted.
fn query_row(ctx: &mut FnContext<'_>, q: &JsonQuery, row: &[Datum]) -> PgResult<Row> {
    let (Some(Datum::Bytes(item)), Some(Datum::Text(path))) = (row.first(), row.get(1)) else {
        return Ok(Row::Done(Datum::Null));
    };
    let path = cached_path(ctx, path)?;
    let passing = passing(ctx, &q.passing, row.get(2..).unwrap_or(&[]))?;
    let query = Query {
        item,
        path: &path,
        passing: &passing,
        column: q.column.as_deref(),
    };
    let target = ctx.call.result;
    let throws = q.on_error.kind == JsonBehaviorKind::Error;
    let answer = match q.op {
        JsonQueryOp::Exists => query.exists(ctx)?,
        JsonQueryOp::Query => {
            let wrap = match q.wrapper {
                JsonWrapper::None => Wrap::Never,
                JsonWrapper::Conditional => Wrap::IfSeveral,
                JsonWrapper::Unconditional => Wrap::Always,
            };
            query.query(wrap, ctx)?
        }
        JsonQueryOp::Value => {
            let as_json = matches!(target.oid, oids::JSON | oids::JSONB) || sqljson::is_domain(target, ctx)?;
            query.value(as_json, ctx)?
        }
    };
    let value = match answer {
        Answer::Value(value) => value,
        Answer::Null => Datum::Null,
        Answer::Error(e) if throws => return Err(e),
        Answer::Error(_) => return Ok(Row::OnError),
        Answer::Empty => return empty(q, throws),
    };
    match convert(ctx, q, value, target) {
        Ok(value) => Ok(Row::Done(value)),
        Err(e) if throws || !sqljson::is_soft(&e) => Err(e),
        Err(_) => Ok(Row::OnError),
    }
}

fn empty(q: &JsonQuery, throws: bool) -> PgResult<Row> {
    match q.on_empty {
        Some(b) if b.kind != JsonBehaviorKind::Error => return Ok(Row::OnEmpty),
        None if !throws => return Ok(Row::OnError),
        _ => {}
    }
    Err(match &q.column {
        Some(column) => pg_err!(
            NO_SQL_JSON_ITEM,
            "no SQL/JSON item found for specified path of column \"{column}\""
        ),
        None => pg_err!(NO_SQL_JSON_ITEM, "no SQL/JSON item found for specified path"),
    })
}

/// The result of a query as a value of the RETURNING type.
fn convert(ctx: &FnContext<'_>, q: &JsonQuery, value: Datum, target: TypeRef) -> PgResult<Datum> {
    match (q.op, &value) {
        (JsonQueryOp::Exists, Datum::Bool(b)) => sqljson::exists_value(*b, target, ctx),
        (JsonQueryOp::Query, Datum::Bytes(document)) => {
            if target.oid == oids::JSONB && !q.omit_quotes {
                return Ok(value);
            }
            sqljson::populate(Some(document), target, q.omit_quotes, ctx)
        }
        (JsonQueryOp::Value, Datum::Bytes(document)) if sqljson::is_domain(target, ctx)? => {
            sqljson::populate(Some(document), target, true, ctx)
        }
        (JsonQueryOp::Value, Datum::Bytes(document)) => sqljson::populate(Some(document), target, false, ctx),
        (JsonQueryOp::Value, Datum::Text(_)) if target == TypeRef::plain(oids::TEXT) => Ok(value),
        (JsonQueryOp::Value, Datum::Text(text)) => {
            types::io::input(target.oid, target.typmod, text, &ctx.io())
        }
        (_, Datum::Null) if sqljson::is_domain(target, ctx)? => sqljson::populate(None, target, true, ctx),
        _ => Ok(value),
    }
}
