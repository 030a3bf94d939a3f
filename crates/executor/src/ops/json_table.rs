//! JSON_TABLE: rows of a document by row patterns, nested ones joined to the item they belong to.
//!
//! # How it works
//! The items that a pattern finds make one column of `jsonb`; the pattern's columns are programs over it, evaluated for all
//! items at once. Rows of nested patterns repeat the columns of their item; the rows of several nested patterns follow each
//! other, and an item without nested rows makes one row with NULLs.

use std::sync::Arc;

use common::{AttrNumber, Oid, PgResult, Span, internal};
use expr::{ExprProgram, Inputs};
use functions::jsonpath::value_from_sql;
use functions::sqljson::{Passing, Query};
use functions::{CallInfo, FnCache};
use nodes::expr::{Expr, ReturningKind, Var, VarSource};
use nodes::json::{JsonExpr, JsonExprKind, JsonTable, JsonTablePath};
use types::jsonpath::Path;
use types::settings::TypeRef;
use types::{BATCH_ROWS, Datum, PhysType, Rows, Selection, Vector, oids};

use crate::compile::{Compiler, ScanMap};
use crate::cx::Cx;
use crate::node::Eval;

/// A row pattern with its path parsed.
struct Pattern {
    path: Path,
    columns: Vec<usize>,
    nested: Vec<Pattern>,
}

/// A JSON_TABLE, compiled.
pub(crate) struct JsonTableCall {
    root: Pattern,
    table: JsonTable,
    item: Arc<ExprProgram>,
    passing: Vec<Arc<ExprProgram>>,
    /// Types of the PASSING values.
    info: CallInfo,
    /// `None`: FOR ORDINALITY.
    columns: Vec<Option<Arc<ExprProgram>>>,
}

fn pattern(p: &JsonTablePath) -> PgResult<Pattern> {
    Ok(Pattern {
        path: types::jsonpath::parse(&p.path)?,
        columns: p.columns.clone(),
        nested: p.nested.iter().map(pattern).collect::<PgResult<_>>()?,
    })
}

/// A column's query over the items, which are column 1 of its input.
fn over_items(e: &Expr) -> Expr {
    let mut e = e.clone();
    if let Expr::Json(j) = &mut e {
        if let Some(item) = j.args.first_mut() {
            *item = Expr::Var(Var {
                source: VarSource::Scan,
                attno: 1 as AttrNumber,
                type_ref: TypeRef::plain(oids::JSONB),
                collation: Oid::INVALID,
                nulling_rels: nodes::RelIds::empty(),
                returning: ReturningKind::Default,
                span: Span::NONE,
            });
        }
    }
    e
}

impl JsonTableCall {
    pub fn compile(c: &Compiler<'_>, e: &JsonExpr) -> PgResult<JsonTableCall> {
        let JsonExprKind::Table(table) = &e.kind else {
            return Err(internal!("function in FROM is no JSON_TABLE"));
        };
        let (Some(item), Some(passing)) = (e.args.first(), e.args.get(2..2 + table.passing.len())) else {
            return Err(internal!("JSON_TABLE without a context item"));
        };
        let column = |k: &Option<usize>| -> PgResult<Option<Arc<ExprProgram>>> {
            match k.map(|k| e.args.get(k)) {
                None => Ok(None),
                Some(Some(query)) => Ok(Some(c.program(&over_items(query), ScanMap::Positions)?)),
                Some(None) => Err(internal!("JSON_TABLE column without an expression")),
            }
        };
        Ok(JsonTableCall {
            root: pattern(&table.root)?,
            item: c.program(item, ScanMap::None)?,
            passing: c.programs(passing, ScanMap::None)?,
            info: CallInfo {
                args: passing.iter().map(Expr::type_ref).collect(),
                ..CallInfo::new(Oid::INVALID, &[], oids::RECORD)
            },
            columns: table
                .columns
                .iter()
                .map(|c| column(&c.arg))
                .collect::<PgResult<_>>()?,
            table: (**table).clone(),
        })
    }

    /// All rows of the table.
    pub fn rows(&self, cx: &mut Cx<'_>) -> PgResult<Rows> {
        let item = Eval::new(&self.item).value(cx)?;
        let Datum::Bytes(document) = &item else {
            return Ok(Rows::default());
        };
        let mut values = Vec::with_capacity(self.passing.len());
        for program in &self.passing {
            values.push(Eval::new(program).value(cx)?);
        }
        let mut cache = FnCache::default();
        let mut passing: Passing = Vec::with_capacity(values.len());
        {
            let ctx = cx.fn_context(&self.info, &mut cache);
            for (k, (name, value)) in self.table.passing.iter().zip(&values).enumerate() {
                let value = value_from_sql(value, self.info.arg_type(k), &ctx)?;
                passing.push((Arc::from(&**name), value));
            }
        }
        let mut columns: Vec<Option<Eval>> = self.columns.iter().map(|c| c.as_ref().map(Eval::new)).collect();
        let mut out = Rows::default();
        self.scan(cx, &self.root, (document, &passing), &mut columns, &mut out)?;
        Ok(out)
    }

    fn scan(
        &self,
        cx: &mut Cx<'_>,
        p: &Pattern,
        (document, passing): (&[u8], &Passing),
        columns: &mut [Option<Eval>],
        out: &mut Rows,
    ) -> PgResult<()> {
        cx.check()?;
        let query = Query {
            item: document,
            path: &p.path,
            passing,
            column: None,
        };
        let mut cache = FnCache::default();
        let found = query.items(&cx.fn_context(&self.info, &mut cache))?;
        let items = match found {
            Ok(items) => items,
            Err(e) if self.table.error_on_error => return Err(e),
            Err(_) => return Ok(()),
        };
        let mut ordinal = 0;
        for chunk in items.chunks(BATCH_ROWS) {
            let mut rows = vec![vec![Datum::Null; self.columns.len()]; chunk.len()];
            let input = [Arc::new(Vector::from_datums(PhysType::Bytes, chunk))];
            for &k in &p.columns {
                match columns.get_mut(k) {
                    Some(Some(eval)) => {
                        let inputs = Inputs::scan(&input, chunk.len());
                        let values = eval.vector(cx, inputs, &Selection::All(chunk.len()))?;
                        for (i, row) in rows.iter_mut().enumerate() {
                            row[k] = values.datum(i);
                        }
                    }
                    _ => {
                        for (i, row) in rows.iter_mut().enumerate() {
                            row[k] = Datum::Int4(ordinal + i as i32 + 1);
                        }
                    }
                }
            }
            ordinal += chunk.len() as i32;
            for (row, item) in rows.into_iter().zip(chunk) {
                self.join(cx, p, (row, item), passing, columns, out)?;
            }
        }
        Ok(())
    }

    /// A row with those nested in its item.
    fn join(
        &self,
        cx: &mut Cx<'_>,
        p: &Pattern,
        (row, item): (Vec<Datum>, &Datum),
        passing: &Passing,
        columns: &mut [Option<Eval>],
        out: &mut Rows,
    ) -> PgResult<()> {
        let first = out.len();
        if let Datum::Bytes(document) = item {
            for nested in &p.nested {
                self.scan(cx, nested, (document, passing), columns, out)?;
            }
        }
        if out.len() == first {
            out.push(row);
            return Ok(());
        }
        for made in out.iter_mut().skip(first) {
            for &k in &p.columns {
                made[k] = row[k].clone();
            }
        }
        Ok(())
    }
}
