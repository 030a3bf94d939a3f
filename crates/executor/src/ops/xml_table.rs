//! XMLTABLE: rows of a document by a path, columns by paths from each row.

use std::sync::Arc;

use common::error::ErrorExt;
use common::{Oid, PgResult, internal, pg_err};
use expr::ExprProgram;
use functions::xml::path::{self, Namespaces, column_text};
use functions::{CallInfo, FnCache, FnContext};
use nodes::expr::Expr;
use nodes::xml::{XmlExpr, XmlExprKind, XmlTable};
use types::xml::Tree;
use types::{Datum, Rows, oids};
use xml::xpath::{Value, XNode, XPath};

use crate::compile::{Compiler, ScanMap};
use crate::cx::Cx;
use crate::node::Eval;

/// An XMLTABLE, compiled.
pub(crate) struct XmlTableCall {
    table: XmlTable,
    /// All its arguments, as the table's positions count them.
    args: Vec<Arc<ExprProgram>>,
    info: CallInfo,
    /// Which columns are numbers.
    numeric: Vec<bool>,
}

/// A document with its row path and the paths of its columns.
struct Opened {
    tree: Tree,
    namespaces: Namespaces,
    rows: XPath,
    /// `None`: FOR ORDINALITY.
    columns: Vec<Option<XPath>>,
}

fn is_numeric(type_oid: Oid) -> bool {
    types::builtin::type_row(type_oid).is_some_and(|r| r.typcategory == b'N')
}

impl XmlTableCall {
    pub fn compile(c: &Compiler<'_>, e: &XmlExpr) -> PgResult<XmlTableCall> {
        let XmlExprKind::Table(table) = &e.kind else {
            return Err(internal!("function in FROM is no XMLTABLE"));
        };
        Ok(XmlTableCall {
            args: c.programs(&e.args, ScanMap::None)?,
            info: CallInfo {
                args: e.args.iter().map(Expr::type_ref).collect(),
                ..CallInfo::new(Oid::INVALID, &[], oids::RECORD)
            },
            numeric: table.columns.iter().map(|c| is_numeric(c.type_ref.oid)).collect(),
            table: (**table).clone(),
        })
    }

    fn value(&self, cx: &mut Cx<'_>, arg: usize) -> PgResult<Datum> {
        match self.args.get(arg) {
            Some(program) => Eval::new(program).value(cx),
            None => Err(internal!("XMLTABLE without argument {arg}")),
        }
    }

    /// All rows of the table.
    pub fn rows(&self, cx: &mut Cx<'_>) -> PgResult<Rows> {
        let Datum::Text(text) = self.value(cx, 1)? else {
            return Ok(Rows::default());
        };
        let opened = self.open(cx, &text)?;
        let mut cache = FnCache::default();
        let found = {
            let ctx = cx.fn_context(&self.info, &mut cache);
            path::evaluate(
                &opened.rows,
                &opened.tree.document,
                &opened.namespaces,
                None,
                &ctx,
            )?
        };
        let Value::Nodes(nodes) = found else {
            return Ok(Rows::default());
        };
        let mut out = Rows::default();
        for (k, node) in nodes.into_iter().enumerate() {
            cx.check()?;
            let mut row = Vec::with_capacity(self.table.columns.len());
            for at in 0..self.table.columns.len() {
                row.push(self.column(cx, &opened, at, (k, node))?);
            }
            out.push(row);
        }
        Ok(out)
    }

    /// Parses the document, and compiles the paths, which may differ from one document to the next.
    fn open(&self, cx: &mut Cx<'_>, text: &str) -> PgResult<Opened> {
        let mut cache = FnCache::default();
        let tree = path::document(text, &cx.fn_context(&self.info, &mut cache))?;
        let mut namespaces = Namespaces::new();
        for (name, uri) in &self.table.namespaces {
            let Datum::Text(uri) = self.value(cx, *uri)? else {
                return Err(pg_err!(NULL_VALUE_NOT_ALLOWED, "namespace URI must not be null"));
            };
            let Some(name) = name else {
                return Err(common::unsupported!("DEFAULT namespace is not supported"));
            };
            namespaces.push((name.to_string(), uri.to_string()));
        }
        let Datum::Text(rows) = self.value(cx, 0)? else {
            return Err(pg_err!(
                NULL_VALUE_NOT_ALLOWED,
                "row filter expression must not be null"
            ));
        };
        let rows = compile(&rows, "row", &cx.fn_context(&self.info, &mut cache))?;
        let mut columns = Vec::with_capacity(self.table.columns.len());
        for c in &self.table.columns {
            if c.ordinality {
                columns.push(None);
                continue;
            }
            let filter = match c.path {
                None => Datum::text(&*c.name),
                Some(arg) => self.value(cx, arg)?,
            };
            let Datum::Text(filter) = filter else {
                return Err(pg_err!(
                    NULL_VALUE_NOT_ALLOWED,
                    "column filter expression must not be null"
                )
                .detail(format!("Filter for column \"{}\" is null.", c.name)));
            };
            columns.push(Some(compile(
                &filter,
                "column",
                &cx.fn_context(&self.info, &mut cache),
            )?));
        }
        Ok(Opened {
            tree,
            namespaces,
            rows,
            columns,
        })
    }

    fn column(&self, cx: &mut Cx<'_>, o: &Opened, at: usize, (k, node): (usize, XNode)) -> PgResult<Datum> {
        let Some(column) = self.table.columns.get(at) else {
            return Err(internal!("XMLTABLE has no column {at}"));
        };
        let Some(Some(filter)) = o.columns.get(at) else {
            return Ok(Datum::Int4(k as i32 + 1));
        };
        let numeric = self.numeric.get(at).copied().unwrap_or(false);
        let mut cache = FnCache::default();
        let mut value = Datum::Null;
        {
            let ctx = cx.fn_context(&self.info, &mut cache);
            let found = path::evaluate(filter, &o.tree.document, &o.namespaces, Some(node), &ctx)?;
            if let Some(text) = column_text(&o.tree.document, &found, column.type_ref.oid, numeric)? {
                value = types::io::input(column.type_ref.oid, column.type_ref.typmod, &text, &ctx.io())?;
            }
        }
        if value.is_null()
            && let Some(default) = column.default
        {
            value = self.value(cx, default)?;
        }
        if value.is_null() && column.not_null {
            return Err(pg_err!(
                NULL_VALUE_NOT_ALLOWED,
                "null is not allowed in column \"{}\"",
                column.name
            ));
        }
        Ok(value)
    }
}

fn compile(text: &str, what: &str, ctx: &FnContext<'_>) -> PgResult<XPath> {
    if text.is_empty() {
        return Err(pg_err!(
            INVALID_ARGUMENT_FOR_XQUERY,
            "{what} path filter must not be empty string"
        ));
    }
    path::compile(text, ctx)
}
