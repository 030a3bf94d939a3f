//! XMLTABLE.
//!
//! PG: src/backend/parser/parse_clause.c (`transformRangeTableFunc`).

use std::sync::Arc;

use common::error::ErrorExt;
use common::{Oid, PgError, PgResult, pg_err};
use nodes::Expr;
use nodes::xml::{XmlExpr, XmlExprKind, XmlTable, XmlTableColumn};
use parser::ast;
use types::oids;
use types::settings::TypeRef;

use crate::parse_coerce::{CoerceTo, CoercionContext};
use crate::parse_table_construct::TableConstruct;
use crate::state::{Analyzer, NsItem};

const CONSTRUCT: &str = "XMLTABLE";

impl Analyzer<'_> {
    /// XMLTABLE in FROM.
    pub(crate) fn xml_table(&mut self, t: &ast::RangeTableFunc) -> PgResult<NsItem> {
        let construct = TableConstruct {
            word: CONSTRUCT,
            name: "xmltable",
            alias: &t.alias,
            lateral: t.lateral,
            span: t.span,
        };
        self.table_construct(&construct, |a| {
            let (expr, columns) = a.xml_table_expr(t)?;
            let columns = columns.iter().map(|c| (Arc::from(&*c.name), c.type_ref));
            Ok((expr, columns.collect()))
        })
    }

    fn xml_table_text(&mut self, e: &ast::Expr) -> PgResult<Expr> {
        let expr = self.expr(e)?;
        self.coerce_to_specific_type(expr, oids::TEXT, CONSTRUCT)
    }

    fn xml_table_expr(&mut self, t: &ast::RangeTableFunc) -> PgResult<(Expr, Vec<XmlTableColumn>)> {
        let row = self.xml_table_text(&t.rowexpr)?;
        let document = self.expr(&t.docexpr)?;
        let document = self.coerce_to_specific_type(document, oids::XML, CONSTRUCT)?;
        let mut args = vec![row, document];
        let columns = self.xml_table_columns(t, &mut args)?;
        let mut namespaces: Vec<(Option<Box<str>>, usize)> = Vec::with_capacity(t.namespaces.len());
        for n in &t.namespaces {
            let name: Option<Box<str>> = n.name.as_ref().map(|n| n.as_str().into());
            if namespaces.iter().any(|(known, _)| *known == name) {
                let error = match &name {
                    Some(name) => pg_err!(SYNTAX_ERROR, "namespace name \"{name}\" is not unique"),
                    None => pg_err!(SYNTAX_ERROR, "only one default namespace is allowed"),
                };
                return Err(error.at(n.span));
            }
            if let Some(val) = &n.val {
                let uri = self.xml_table_text(val)?;
                args.push(uri);
                namespaces.push((name, args.len() - 1));
            }
        }
        let kind = XmlExprKind::Table(Box::new(XmlTable {
            namespaces,
            columns: columns.clone(),
        }));
        let expr = Expr::Xml(Box::new(XmlExpr {
            kind,
            args,
            result: TypeRef::plain(oids::RECORD),
            collation: Oid::INVALID,
            span: t.span,
        }));
        Ok((expr, columns))
    }

    fn xml_table_columns(
        &mut self,
        t: &ast::RangeTableFunc,
        args: &mut Vec<Expr>,
    ) -> PgResult<Vec<XmlTableColumn>> {
        let mut columns: Vec<XmlTableColumn> = Vec::with_capacity(t.columns.len());
        for c in &t.columns {
            let mut column = XmlTableColumn {
                name: c.name.as_str().into(),
                type_ref: TypeRef::plain(oids::INT4),
                ordinality: c.for_ordinality,
                path: None,
                default: None,
                not_null: c.is_not_null,
            };
            if column.ordinality && columns.iter().any(|c| c.ordinality) {
                return Err(pg_err!(SYNTAX_ERROR, "only one FOR ORDINALITY column is allowed").at(c.span));
            }
            if let Some(type_name) = &c.type_name {
                if type_name.setof {
                    let name = &column.name;
                    return Err(pg_err!(
                        INVALID_TABLE_DEFINITION,
                        "column \"{name}\" cannot be declared SETOF"
                    )
                    .at(c.span));
                }
                column.type_ref = self.resolve_type(type_name)?;
            }
            if let Some(path) = &c.colexpr {
                let path = self.xml_table_text(path)?;
                args.push(path);
                column.path = Some(args.len() - 1);
            }
            if let Some(default) = &c.coldefexpr {
                let default = self.expr(default)?;
                let default = self.xml_table_default(default, column.type_ref)?;
                args.push(default);
                column.default = Some(args.len() - 1);
            }
            if columns.iter().any(|other| other.name == column.name) {
                let name = &column.name;
                return Err(pg_err!(SYNTAX_ERROR, "column name \"{name}\" is not unique").at(c.span));
            }
            columns.push(column);
        }
        Ok(columns)
    }

    fn xml_table_default(&mut self, default: Expr, target: TypeRef) -> PgResult<Expr> {
        let (from, span) = (default.type_oid(), default.span());
        let to = CoerceTo {
            target,
            context: CoercionContext::Assignment,
            ..CoerceTo::implicit(target.oid)
        };
        let wrong = |a: &Self| -> Box<PgError> {
            let (to, from) = (a.format_type(target.oid), a.format_type(from));
            pg_err!(
                DATATYPE_MISMATCH,
                "argument of {CONSTRUCT} must be type {to}, not type {from}"
            )
            .at(span)
        };
        self.coerce_to_target_type(default, to)?
            .ok_or_else(|| wrong(self))
    }
}
