//! SQL/XML: constructors, XMLEXISTS and XMLTABLE.

use common::{PgError, PgResult, Span};

use crate::ast::{
    Expr, Ident, RangeTableFunc, RangeTableFuncCol, ResTarget, XmlExpr, XmlExprOp, XmlOptionType,
    XmlSerialize,
};
use crate::grammar::expr::{Mode, bool_const, int_const, syntax_call};
use crate::keywords::Keyword as K;
use crate::parser::Parser;
use crate::token::Tok;

type R<T> = PgResult<T>;

/// PostgreSQL's XmlStandaloneType.
mod standalone {
    pub const YES: i32 = 0;
    pub const NO: i32 = 1;
    pub const NO_VALUE: i32 = 2;
    pub const OMITTED: i32 = 3;
}

fn xml_node(op: XmlExprOp) -> XmlExpr {
    XmlExpr {
        op,
        name: None,
        named_args: Vec::new(),
        args: Vec::new(),
        xmloption: None,
        span: Span::NONE,
    }
}

impl Parser<'_> {
    /// The XML functions; `word` is the current token and a parenthesis follows.
    pub fn xml_expr(&mut self, word: K) -> R<Expr> {
        let start = self.take().start;
        self.expect('(')?;
        let mut node = match word {
            K::Xmlconcat => {
                let mut node = xml_node(XmlExprOp::Concat);
                node.args = self.expr_list()?;
                node
            }
            K::Xmlelement => self.xml_element()?,
            K::Xmlforest => {
                let mut node = xml_node(XmlExprOp::Forest);
                node.named_args = self.comma_list(|p| p.labeled_expr())?;
                node
            }
            K::Xmlparse => self.xml_parse()?,
            K::Xmlpi => self.xml_pi()?,
            K::Xmlroot => self.xml_root()?,
            K::Xmlserialize => return self.xml_serialize(start),
            _ => return self.xml_exists(start),
        };
        self.expect(')')?;
        node.span = self.span_from(start);
        Ok(Expr::XmlExpr(Box::new(node)))
    }

    fn xml_element(&mut self) -> R<XmlExpr> {
        let mut node = xml_node(XmlExprOp::Element);
        self.expect(K::Name)?;
        node.name = Some(self.col_label()?);
        if !self.eat(',') {
            return Ok(node);
        }
        if self.at2(K::Xmlattributes, '(') {
            self.bump();
            node.named_args = self.paren_list(|p| p.labeled_expr())?;
            if !self.eat(',') {
                return Ok(node);
            }
        }
        node.args = self.expr_list()?;
        Ok(node)
    }

    fn labeled_expr(&mut self) -> R<ResTarget> {
        let start = self.start();
        let val = Some(self.a_expr()?);
        let name = if self.eat(K::As) {
            Some(self.col_label()?)
        } else {
            None
        };
        Ok(ResTarget {
            name,
            indirection: Vec::new(),
            val,
            span: self.span_from(start),
        })
    }

    fn document_or_content(&mut self) -> R<XmlOptionType> {
        if self.eat(K::Document) {
            return Ok(XmlOptionType::Document);
        }
        self.expect(K::Content)?;
        Ok(XmlOptionType::Content)
    }

    fn xml_parse(&mut self) -> R<XmlExpr> {
        let mut node = xml_node(XmlExprOp::Parse);
        node.xmloption = Some(self.document_or_content()?);
        let text = self.a_expr()?;
        let preserve = self.eat(K::Preserve);
        if preserve || self.eat(K::Strip) {
            self.expect(K::Whitespace)?;
        }
        node.args = vec![text, bool_const(preserve, Span::NONE)];
        Ok(node)
    }

    fn xml_pi(&mut self) -> R<XmlExpr> {
        let mut node = xml_node(XmlExprOp::Pi);
        self.expect(K::Name)?;
        node.name = Some(self.col_label()?);
        if self.eat(',') {
            node.args.push(self.a_expr()?);
        }
        Ok(node)
    }

    fn xml_root(&mut self) -> R<XmlExpr> {
        let mut node = xml_node(XmlExprOp::Root);
        let xml = self.a_expr()?;
        self.expect(',')?;
        self.expect(K::Version)?;
        let version = if self.eat2(K::No, K::Value) {
            Expr::AConst(crate::ast::AConst {
                value: crate::ast::ConstValue::Null,
                span: Span::NONE,
            })
        } else {
            self.a_expr()?
        };
        let mut kind = standalone::OMITTED;
        if self.eat(',') {
            self.expect(K::Standalone)?;
            kind = if self.eat(K::Yes) {
                standalone::YES
            } else {
                self.expect(K::No)?;
                if self.eat(K::Value) {
                    standalone::NO_VALUE
                } else {
                    standalone::NO
                }
            };
        }
        node.args = vec![xml, version, int_const(kind, Span::NONE)];
        Ok(node)
    }

    fn xml_serialize(&mut self, start: u32) -> R<Expr> {
        let xmloption = self.document_or_content()?;
        let expr = self.a_expr()?;
        self.expect(K::As)?;
        let type_name = self.simple_typename()?;
        let indent = self.eat(K::Indent);
        if !indent && self.eat(K::No) {
            self.expect(K::Indent)?;
        }
        self.expect(')')?;
        let span = self.span_from(start);
        Ok(Expr::XmlSerialize(Box::new(XmlSerialize {
            xmloption,
            expr,
            type_name,
            indent,
            span,
        })))
    }

    fn xml_exists(&mut self, start: u32) -> R<Expr> {
        let path = self.c_expr(Mode::A)?;
        let document = self.xmlexists_argument()?;
        self.expect(')')?;
        Ok(syntax_call(
            "xmlexists",
            vec![path, document],
            self.span_from(start),
        ))
    }

    fn xmlexists_argument(&mut self) -> R<Expr> {
        self.expect(K::Passing)?;
        if matches!(self.peek(1), Tok::Kw(K::Ref | K::Value)) {
            self.xml_passing_mech()?;
        }
        let document = self.c_expr(Mode::A)?;
        self.xml_passing_mech()?;
        Ok(document)
    }

    fn xml_passing_mech(&mut self) -> R<()> {
        if self.eat(K::By) && !self.eat(K::Ref) {
            self.expect(K::Value)?;
        }
        Ok(())
    }

    // ---- XMLTABLE -----------------------------------------------------------------------------------------------

    /// `XMLTABLE (...)` without alias.
    pub fn xmltable(&mut self) -> R<RangeTableFunc> {
        let start = self.start();
        self.expect(K::Xmltable)?;
        self.expect('(')?;
        let mut namespaces = Vec::new();
        if self.at2(K::Xmlnamespaces, '(') {
            self.bump();
            namespaces = self.paren_list(|p| p.xml_namespace())?;
            self.expect(',')?;
        }
        let rowexpr = self.c_expr(Mode::A)?;
        let docexpr = self.xmlexists_argument()?;
        self.expect(K::Columns)?;
        let columns = self.comma_list(|p| p.xmltable_column())?;
        self.expect(')')?;
        let span = self.span_from(start);
        Ok(RangeTableFunc {
            lateral: false,
            docexpr,
            rowexpr,
            namespaces,
            columns,
            alias: None,
            span,
        })
    }

    fn xml_namespace(&mut self) -> R<ResTarget> {
        let start = self.start();
        let default = self.eat(K::Default);
        let val = Some(self.b_expr()?);
        let mut name = None;
        if !default {
            self.expect(K::As)?;
            name = Some(self.col_label()?);
        }
        Ok(ResTarget {
            name,
            indirection: Vec::new(),
            val,
            span: self.span_from(start),
        })
    }

    fn xmltable_column(&mut self) -> R<RangeTableFuncCol> {
        let name = self.col_id()?;
        let start = name.span.start;
        let mut column = RangeTableFuncCol {
            name,
            type_name: None,
            for_ordinality: false,
            is_not_null: false,
            colexpr: None,
            coldefexpr: None,
            span: Span::NONE,
        };
        if self.eat(K::For) {
            self.expect(K::Ordinality)?;
            column.for_ordinality = true;
        } else {
            column.type_name = Some(self.typename()?);
            let mut nullability_seen = false;
            // PostgreSQL looks at the options only when it has read them all.
            let mut problem = None;
            while self.xmltable_option(&mut column, &mut nullability_seen, &mut problem)? {}
            if let Some(problem) = problem {
                return if self.at(Tok::Error) {
                    self.fail()
                } else {
                    Err(problem)
                };
            }
        }
        column.span = self.span_from(start);
        Ok(column)
    }

    /// One option of a column; false when there is none.
    fn xmltable_option(
        &mut self,
        column: &mut RangeTableFuncCol,
        nullability_seen: &mut bool,
        problem: &mut Option<Box<PgError>>,
    ) -> R<bool> {
        let span = self.span();
        match self.tok {
            Tok::Kw(K::Default) => {
                self.bump();
                let value = self.b_expr()?;
                if column.coldefexpr.replace(value).is_some() {
                    problem.get_or_insert(self.grammar_error("only one DEFAULT value is allowed", span));
                }
            }
            Tok::Kw(K::Path) => {
                self.bump();
                let value = self.b_expr()?;
                if column.colexpr.replace(value).is_some() {
                    problem
                        .get_or_insert(self.grammar_error("only one PATH value per column is allowed", span));
                }
            }
            Tok::Kw(K::Not | K::Null) => {
                let not = self.eat(K::Not);
                self.expect(K::Null)?;
                if std::mem::replace(nullability_seen, true) {
                    let name = column.name.as_str();
                    let message = format!(
                        "conflicting or redundant NULL / NOT NULL declarations for column \"{name}\""
                    );
                    problem.get_or_insert(self.grammar_error(&message, span));
                }
                column.is_not_null = not;
            }
            Tok::Ident => {
                let option: Ident = self.take_name();
                self.b_expr()?;
                let name = option.as_str();
                // PostgreSQL uses this name inside its grammar, and refuses it at once.
                if name == "__pg__is_not_null" {
                    let message = format!("option name \"{name}\" cannot be used in XMLTABLE");
                    return Err(self.grammar_error(&message, span));
                }
                let message = format!("unrecognized column option \"{name}\"");
                problem.get_or_insert(self.grammar_error(&message, span));
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}
