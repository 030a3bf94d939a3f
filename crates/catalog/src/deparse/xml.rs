//! SQL/XML expressions as text.

use common::PgResult;
use nodes::Expr;
use nodes::xml::{XmlExpr, XmlExprKind, XmlStandalone, XmlTable};
use types::xml::XmlOption;
use xml::names::to_identifier;

use crate::deparse::paren::Parent;
use crate::deparse::{Implicit, Writer};
use crate::format_type::format_type;
use crate::names::quote_identifier;

fn option_word(option: XmlOption) -> &'static str {
    match option {
        XmlOption::Document => "DOCUMENT ",
        XmlOption::Content => "CONTENT ",
    }
}

impl Writer<'_> {
    pub(super) fn xml(&mut self, x: &XmlExpr) -> PgResult<()> {
        match &x.kind {
            XmlExprKind::Concat => self.named_list("XMLCONCAT", &x.args),
            XmlExprKind::Element { name, attributes } => self.xml_element(x, name, attributes),
            XmlExprKind::Forest(names) => {
                self.push("XMLFOREST(");
                self.xml_named(&x.args, names)?;
                self.push(")");
                Ok(())
            }
            XmlExprKind::Parse { option, preserve } => {
                self.push("XMLPARSE(");
                self.push(option_word(*option));
                self.list(&x.args)?;
                self.push(if *preserve {
                    " PRESERVE WHITESPACE)"
                } else {
                    " STRIP WHITESPACE)"
                });
                Ok(())
            }
            XmlExprKind::Pi(name) => {
                self.push("XMLPI(NAME ");
                self.xml_name(name);
                if !x.args.is_empty() {
                    self.push(", ");
                    self.list(&x.args)?;
                }
                self.push(")");
                Ok(())
            }
            XmlExprKind::Root(standalone) => self.xml_root(x, *standalone),
            XmlExprKind::Serialize {
                option,
                indent,
                target,
            } => {
                self.push("XMLSERIALIZE(");
                self.push(option_word(*option));
                self.list(&x.args)?;
                let to = format_type(self.ctx.view, target.oid, target.typmod)?;
                let layout = if *indent { "INDENT" } else { "NO INDENT" };
                self.push(&format!(" AS {to} {layout})"));
                Ok(())
            }
            XmlExprKind::IsDocument => {
                self.open();
                if let Some(arg) = x.args.first() {
                    self.operand(arg, Implicit::Shown, Parent::Other)?;
                }
                self.push(" IS DOCUMENT");
                self.close();
                Ok(())
            }
            XmlExprKind::Table(table) => self.xml_table(x, table),
        }
    }

    fn xml_element(&mut self, x: &XmlExpr, name: &str, attributes: &[Box<str>]) -> PgResult<()> {
        self.push("XMLELEMENT(NAME ");
        self.xml_name(name);
        let (values, content) = x.args.split_at(attributes.len().min(x.args.len()));
        if !values.is_empty() {
            self.push(", XMLATTRIBUTES(");
            self.xml_named(values, attributes)?;
            self.push(")");
        }
        if !content.is_empty() {
            self.push(", ");
            self.list(content)?;
        }
        self.push(")");
        Ok(())
    }

    fn xml_name(&mut self, name: &str) {
        let ident = to_identifier(name);
        self.push(&quote_identifier(&ident));
    }

    /// `value AS name` for each.
    fn xml_named(&mut self, values: &[Expr], names: &[Box<str>]) -> PgResult<()> {
        for (k, (value, name)) in values.iter().zip(names).enumerate() {
            self.push(if k > 0 { ", " } else { "" });
            self.expr(value, Implicit::Shown)?;
            self.push(" AS ");
            self.xml_name(name);
        }
        Ok(())
    }

    fn xml_root(&mut self, x: &XmlExpr, standalone: XmlStandalone) -> PgResult<()> {
        self.push("XMLROOT(");
        if let Some(value) = x.args.first() {
            self.expr(value, Implicit::Shown)?;
        }
        self.push(", VERSION ");
        match x.args.get(1) {
            Some(Expr::Const(c)) if c.value.is_null() => self.push("NO VALUE"),
            Some(version) => self.expr(version, Implicit::Hidden)?,
            None => self.push("NO VALUE"),
        }
        self.push(match standalone {
            XmlStandalone::Yes => ", STANDALONE YES",
            XmlStandalone::No => ", STANDALONE NO",
            XmlStandalone::NoValue => ", STANDALONE NO VALUE",
            XmlStandalone::Omitted => "",
        });
        self.push(")");
        Ok(())
    }

    /// `word(argument)`, nothing where there is no such argument.
    fn xml_clause(&mut self, word: &str, arg: Option<&Expr>) -> PgResult<()> {
        let Some(arg) = arg else { return Ok(()) };
        self.push(word);
        self.push("(");
        self.expr(arg, Implicit::Shown)?;
        self.push(")");
        Ok(())
    }

    fn xml_table(&mut self, x: &XmlExpr, table: &XmlTable) -> PgResult<()> {
        self.push("XMLTABLE(");
        for (k, (name, uri)) in table.namespaces.iter().enumerate() {
            self.push(if k == 0 { "XMLNAMESPACES (" } else { ", " });
            self.push(if name.is_none() { "DEFAULT " } else { "" });
            if let Some(uri) = x.args.get(*uri) {
                self.expr(uri, Implicit::Shown)?;
            }
            if let Some(name) = name {
                self.push(" AS ");
                self.push(&quote_identifier(name));
            }
        }
        self.push(if table.namespaces.is_empty() { "" } else { "), " });
        self.xml_clause("", x.args.first())?;
        self.xml_clause(" PASSING ", x.args.get(1))?;
        for (k, c) in table.columns.iter().enumerate() {
            self.push(if k == 0 { " COLUMNS " } else { ", " });
            self.push(&quote_identifier(&c.name));
            if c.ordinality {
                self.push(" FOR ORDINALITY");
                continue;
            }
            let of = format_type(self.ctx.view, c.type_ref.oid, c.type_ref.typmod)?;
            self.push(" ");
            self.push(&of);
            self.xml_clause(" DEFAULT ", c.default.and_then(|k| x.args.get(k)))?;
            self.xml_clause(" PATH ", c.path.and_then(|k| x.args.get(k)))?;
            self.push(if c.not_null { " NOT NULL" } else { "" });
        }
        self.push(")");
        Ok(())
    }
}
