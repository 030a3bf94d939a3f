//! JSON_TABLE.
//!
//! PG: src/backend/parser/parse_jsontable.c.

use std::sync::Arc;

use common::error::ErrorExt;
use common::{Oid, PgResult, Span, pg_err};
use nodes::Expr;
use nodes::expr::TypedSlot;
use nodes::json::{JsonExpr, JsonExprKind, JsonQueryOp, JsonTable, JsonTableColumn, JsonTablePath};
use parser::ast::{self, JsonTableColumnType as Kind};
use types::settings::TypeRef;
use types::{Datum, oids};

use crate::parse_coerce::const_expr;
use crate::parse_table_construct::TableConstruct;
use crate::state::{Analyzer, NsItem};

/// The table under construction.
struct Builder<'t> {
    table: &'t ast::JsonTable,
    /// Context item, path, PASSING values, columns.
    args: Vec<Expr>,
    passing: Vec<Box<str>>,
    columns: Vec<JsonTableColumn>,
    /// Names of columns and paths, which must differ.
    names: Vec<Box<str>>,
    next_path: usize,
}

impl Analyzer<'_> {
    /// JSON_TABLE in FROM.
    pub(crate) fn json_table(&mut self, t: &ast::JsonTable) -> PgResult<NsItem> {
        if let Some(b) = &t.on_error {
            use ast::JsonBehaviorType as Raw;
            if !matches!(b.btype, Raw::Error | Raw::Empty | Raw::EmptyArray) {
                return Err(pg_err!(SYNTAX_ERROR, "invalid ON ERROR behavior")
                    .detail("Only EMPTY [ ARRAY ] or ERROR is allowed in the top-level ON ERROR clause.")
                    .at(b.span));
            }
        }
        let construct = TableConstruct {
            word: "JSON_TABLE",
            name: "json_table",
            alias: &t.alias,
            lateral: t.lateral,
            span: t.span,
        };
        self.table_construct(&construct, |a| {
            let (expr, columns) = a.json_table_expr(t)?;
            let columns = columns.iter().map(|c| (Arc::from(&*c.name), c.type_ref));
            Ok((expr, columns.collect()))
        })
    }

    fn json_table_expr(&mut self, t: &ast::JsonTable) -> PgResult<(Expr, Vec<JsonTableColumn>)> {
        let item = self.json_context_item("JSON_TABLE", &t.context_item)?;
        let path = self.json_path(&t.pathspec.string)?;
        let mut args = vec![item, path];
        let passing = self.json_passing(&t.passing, &mut args)?;
        let mut builder = Builder {
            table: t,
            args,
            passing,
            columns: Vec::new(),
            names: Vec::new(),
            next_path: 0,
        };
        let name = builder.path_name(&t.pathspec)?;
        builder.check_names(&t.columns)?;
        let root = self.json_table_path(&mut builder, &t.pathspec, name, &t.columns)?;
        let kind = JsonExprKind::Table(Box::new(JsonTable {
            passing: builder.passing,
            root,
            columns: builder.columns.clone(),
            error_on_error: t
                .on_error
                .as_ref()
                .is_some_and(|b| b.btype == ast::JsonBehaviorType::Error),
        }));
        let expr = Expr::Json(Box::new(JsonExpr {
            kind,
            args: builder.args,
            result: TypeRef::plain(oids::RECORD),
            collation: Oid::INVALID,
            span: t.span,
        }));
        Ok((expr, builder.columns))
    }

    /// A row pattern: its own columns first, then those of nested ones.
    fn json_table_path(
        &mut self,
        b: &mut Builder<'_>,
        spec: &ast::JsonTablePathSpec,
        name: Box<str>,
        columns: &[ast::JsonTableColumn],
    ) -> PgResult<JsonTablePath> {
        let path = self.canonical_path(&spec.string)?;
        let mut own = Vec::new();
        let mut ordinality = false;
        for c in columns.iter().filter(|c| c.coltype != Kind::Nested) {
            if c.coltype == Kind::ForOrdinality && std::mem::replace(&mut ordinality, true) {
                return Err(pg_err!(SYNTAX_ERROR, "only one FOR ORDINALITY column is allowed").at(c.span));
            }
            own.push(b.columns.len());
            let column = self.json_table_column(b, c)?;
            b.columns.push(column);
        }
        let mut nested = Vec::new();
        for c in columns.iter().filter(|c| c.coltype == Kind::Nested) {
            let Some(spec) = &c.pathspec else { continue };
            let name = b.path_name(spec)?;
            nested.push(self.json_table_path(b, spec, name, &c.columns)?);
        }
        Ok(JsonTablePath {
            path,
            name,
            columns: own,
            nested,
        })
    }

    fn canonical_path(&mut self, string: &ast::Expr) -> PgResult<Box<str>> {
        match self.json_path(string)? {
            Expr::Const(c) => match c.value {
                Datum::Text(s) => Ok(Box::from(&*s)),
                _ => Ok(Box::from("$")),
            },
            e => Err(pg_err!(
                FEATURE_NOT_SUPPORTED,
                "only string constants are supported in JSON_TABLE path specification"
            )
            .at(e.span())),
        }
    }

    fn json_table_column(
        &mut self,
        b: &mut Builder<'_>,
        c: &ast::JsonTableColumn,
    ) -> PgResult<JsonTableColumn> {
        let name: Box<str> = c
            .name
            .as_ref()
            .map_or_else(|| Box::from(""), |n| n.as_str().into());
        let Some(type_name) = &c.type_name else {
            return Ok(JsonTableColumn {
                name,
                type_ref: TypeRef::plain(oids::INT4),
                arg: None,
            });
        };
        let type_ref = self.resolve_type(type_name)?;
        let formatted = c.coltype == Kind::Formatted
            || c.wrapper != ast::JsonWrapper::Unspec
            || c.quotes != ast::JsonQuotes::Unspec
            || self.is_json_composite(type_ref.oid)?;
        let op = match c.coltype {
            Kind::Exists => JsonQueryOp::Exists,
            _ if formatted => JsonQueryOp::Query,
            _ => JsonQueryOp::Value,
        };
        let path = match &c.pathspec {
            Some(spec) => self.canonical_path(&spec.string)?,
            None => {
                let mut text = String::from("$.");
                types::json_text::push_string(&name, &mut text);
                text.into()
            }
        };
        let slot = Expr::CaseTest(TypedSlot {
            type_ref: TypeRef::plain(oids::JSONB),
            collation: Oid::INVALID,
            span: Span::NONE,
        });
        let mut args = vec![slot, const_expr(Datum::text(&*path), oids::JSONPATH)];
        args.extend(b.args.iter().skip(2).take(b.passing.len()).cloned());
        let func = column_func(op, b.table, c, type_name);
        let query = self.json_query(op, &func, b.passing.clone(), args)?;
        b.args.push(query);
        Ok(JsonTableColumn {
            name,
            type_ref,
            arg: Some(b.args.len() - 1),
        })
    }

    /// Types whose columns are read by JSON_QUERY.
    fn is_json_composite(&self, type_oid: Oid) -> PgResult<bool> {
        let base = self.base_type(type_oid)?;
        Ok(matches!(base, oids::JSON | oids::JSONB | oids::RECORD)
            || self.ty(base)?.kind == b'c'
            || self.element_type(base)?.is_valid())
    }
}

/// A column as the query function that it stands for; path and PASSING values are analyzed already.
fn column_func(
    op: JsonQueryOp,
    table: &ast::JsonTable,
    c: &ast::JsonTableColumn,
    type_name: &ast::TypeName,
) -> ast::JsonFuncExpr {
    ast::JsonFuncExpr {
        op: match op {
            JsonQueryOp::Exists => ast::JsonExprOp::Exists,
            JsonQueryOp::Query => ast::JsonExprOp::Query,
            JsonQueryOp::Value => ast::JsonExprOp::Value,
        },
        column_name: c.name.as_ref().map(|n| n.name.clone()),
        context_item: table.context_item.clone(),
        pathspec: table.pathspec.string.clone(),
        passing: Vec::new(),
        output: Some(Box::new(ast::JsonOutput {
            type_name: type_name.clone(),
            format: if op == JsonQueryOp::Value {
                ast::JsonFormat {
                    explicit: false,
                    ..c.format
                }
            } else {
                c.format
            },
        })),
        on_empty: c.on_empty.clone(),
        on_error: c.on_error.clone(),
        wrapper: c.wrapper,
        quotes: c.quotes,
        span: c.span,
    }
}

impl Builder<'_> {
    fn add_name(&mut self, name: &str, span: Span) -> PgResult<()> {
        if self.names.iter().any(|n| &**n == name) {
            return Err(pg_err!(
                DUPLICATE_ALIAS,
                "duplicate JSON_TABLE column or path name: {name}"
            )
            .at(span));
        }
        self.names.push(name.into());
        Ok(())
    }

    /// The name of a path, given or made up.
    fn path_name(&mut self, spec: &ast::JsonTablePathSpec) -> PgResult<Box<str>> {
        match &spec.name {
            Some(name) => {
                // Nested paths were registered with the columns.
                if !self.names.iter().any(|n| &**n == name.as_str()) {
                    self.names.push(name.as_str().into());
                }
                Ok(name.as_str().into())
            }
            None => {
                let name = format!("json_table_path_{}", self.next_path);
                self.next_path += 1;
                Ok(name.into())
            }
        }
    }

    fn check_names(&mut self, columns: &[ast::JsonTableColumn]) -> PgResult<()> {
        for c in columns {
            if c.coltype == Kind::Nested {
                if let Some(name) = c.pathspec.as_ref().and_then(|p| p.name.as_ref()) {
                    self.add_name(name.as_str(), name.span)?;
                }
                self.check_names(&c.columns)?;
            } else if let Some(name) = &c.name {
                self.add_name(name.as_str(), c.span)?;
            }
        }
        Ok(())
    }
}
