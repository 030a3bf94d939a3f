//! SQL/XML: constructors, XMLPARSE, XMLSERIALIZE, IS DOCUMENT.
//!
//! PG: src/backend/parser/parse_expr.c (`transformXmlExpr`).

use common::error::ErrorExt;
use common::{Oid, PgResult, Span, internal, pg_err};
use nodes::Expr;
use nodes::xml::{XmlExpr, XmlExprKind, XmlStandalone};
use parser::ast::{self, XmlExprOp};
use types::oids;
use types::settings::TypeRef;
use types::xml::XmlOption;
use xml::names::{Escape, from_identifier};

use crate::parse_coerce::CoerceTo;
use crate::state::Analyzer;

/// The default collation, which text made of XML has.
const DEFAULT_COLLATION: Oid = Oid(100);

fn xml_option(option: ast::XmlOptionType) -> XmlOption {
    match option {
        ast::XmlOptionType::Document => XmlOption::Document,
        ast::XmlOptionType::Content => XmlOption::Content,
    }
}

/// What the column of an XML expression is called; `None`: nothing of its own.
pub(crate) fn column_name(x: &ast::XmlExpr) -> Option<&'static str> {
    match x.op {
        XmlExprOp::Concat => Some("xmlconcat"),
        XmlExprOp::Element => Some("xmlelement"),
        XmlExprOp::Forest => Some("xmlforest"),
        XmlExprOp::Parse => Some("xmlparse"),
        XmlExprOp::Pi => Some("xmlpi"),
        XmlExprOp::Root => Some("xmlroot"),
        XmlExprOp::Document => None,
    }
}

fn xml(kind: XmlExprKind, args: Vec<Expr>, result: Oid, span: Span) -> Expr {
    let collation = if result == oids::TEXT {
        DEFAULT_COLLATION
    } else {
        Oid::INVALID
    };
    Expr::Xml(Box::new(XmlExpr {
        kind,
        args,
        result: TypeRef::plain(result),
        collation,
        span,
    }))
}

/// A constant that the grammar put there.
fn constant(e: Option<&ast::Expr>) -> i64 {
    match e {
        Some(ast::Expr::AConst(c)) => match &c.value {
            ast::ConstValue::Integer(n) => i64::from(*n),
            ast::ConstValue::Boolean(b) => i64::from(*b),
            _ => 0,
        },
        Some(ast::Expr::TypeCast(c)) => constant(Some(&c.arg)),
        _ => 0,
    }
}

impl Analyzer<'_> {
    pub(crate) fn xml_expr(&mut self, x: &ast::XmlExpr) -> PgResult<Expr> {
        let name = x.name.as_ref().map_or_else(Box::default, |n| {
            from_identifier(n.as_str(), Escape::Partly).into_boxed_str()
        });
        let (names, mut args) = self.xml_named_args(x)?;
        let wanted: &[(Oid, &str)] = match x.op {
            XmlExprOp::Parse => &[(oids::TEXT, "XMLPARSE")],
            XmlExprOp::Pi => &[(oids::TEXT, "XMLPI")],
            XmlExprOp::Root => &[(oids::XML, "XMLROOT"), (oids::TEXT, "XMLROOT")],
            XmlExprOp::Document => &[(oids::XML, "IS DOCUMENT")],
            _ => &[],
        };
        for (k, arg) in x.args.iter().enumerate() {
            // What follows are constants that say how.
            if !wanted.is_empty() && k >= wanted.len() {
                break;
            }
            let value = self.expr(arg)?;
            args.push(match (x.op, wanted.get(k)) {
                (XmlExprOp::Concat, _) => self.coerce_to_specific_type(value, oids::XML, "XMLCONCAT")?,
                (_, Some((type_oid, construct))) => {
                    self.coerce_to_specific_type(value, *type_oid, construct)?
                }
                (_, None) => value,
            });
        }
        let kind = match x.op {
            XmlExprOp::Concat => XmlExprKind::Concat,
            XmlExprOp::Element => XmlExprKind::Element {
                name,
                attributes: names,
            },
            XmlExprOp::Forest => XmlExprKind::Forest(names),
            XmlExprOp::Parse => XmlExprKind::Parse {
                option: x.xmloption.map_or(XmlOption::Content, xml_option),
                preserve: constant(x.args.get(1)) != 0,
            },
            XmlExprOp::Pi => XmlExprKind::Pi(name),
            XmlExprOp::Root => XmlExprKind::Root(match constant(x.args.get(2)) {
                0 => XmlStandalone::Yes,
                1 => XmlStandalone::No,
                2 => XmlStandalone::NoValue,
                _ => XmlStandalone::Omitted,
            }),
            XmlExprOp::Document => XmlExprKind::IsDocument,
        };
        let result = if x.op == XmlExprOp::Document {
            oids::BOOL
        } else {
            oids::XML
        };
        Ok(xml(kind, args, result, x.span))
    }

    /// XMLATTRIBUTES or the values of XMLFOREST, with their names.
    fn xml_named_args(&mut self, x: &ast::XmlExpr) -> PgResult<(Vec<Box<str>>, Vec<Expr>)> {
        let mut names: Vec<Box<str>> = Vec::with_capacity(x.named_args.len());
        let mut args = Vec::with_capacity(x.named_args.len() + x.args.len());
        for target in &x.named_args {
            let Some(val) = &target.val else {
                return Err(internal!("XML argument without a value"));
            };
            let expr = self.expr(val)?;
            let name = match (&target.name, val) {
                (Some(name), _) => from_identifier(name.as_str(), Escape::Partly),
                (None, ast::Expr::ColumnRef(c)) => {
                    let column = c.fields.last().map_or("?column?", |f| f.as_str());
                    from_identifier(column, Escape::Fully)
                }
                (None, _) => {
                    let what = if x.op == XmlExprOp::Element {
                        "attribute"
                    } else {
                        "element"
                    };
                    return Err(pg_err!(
                        SYNTAX_ERROR,
                        "unnamed XML {what} value must be a column reference"
                    )
                    .at(val.span()));
                }
            };
            if x.op == XmlExprOp::Element && names.iter().any(|n| **n == *name) {
                return Err(pg_err!(
                    SYNTAX_ERROR,
                    "XML attribute name \"{name}\" appears more than once"
                )
                .at(target.span));
            }
            names.push(name.into());
            args.push(expr);
        }
        Ok((names, args))
    }

    pub(crate) fn xml_serialize(&mut self, x: &ast::XmlSerialize) -> PgResult<Expr> {
        let value = self.expr(&x.expr)?;
        let value = self.coerce_to_specific_type(value, oids::XML, "XMLSERIALIZE")?;
        let target = self.resolve_type(&x.type_name)?;
        let kind = XmlExprKind::Serialize {
            option: xml_option(x.xmloption),
            indent: x.indent,
            target,
        };
        let expr = xml(kind, vec![value], oids::TEXT, x.span);
        let to = CoerceTo {
            target,
            ..CoerceTo::implicit(target.oid)
        };
        match self.coerce_to_target_type(expr, to)? {
            Some(e) => Ok(e),
            None => Err(pg_err!(
                CANNOT_COERCE,
                "cannot cast XMLSERIALIZE result to {}",
                self.format_type(target.oid)
            )
            .at(x.span)),
        }
    }
}
