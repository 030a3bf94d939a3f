//! COPY with its old and new option syntax.

use common::error::ErrorExt;
use common::{PgResult, Span};

use crate::ast::{CopyStmt, DefArg, DefElem, Name, Statement};
use crate::grammar::options::{named_option, number_arg};
use crate::grammar::transaction::option;
use crate::keywords::Keyword as K;
use crate::parser::Parser;
use crate::token::Tok;

type R<T> = PgResult<T>;

impl Parser<'_> {
    /// COPY.
    pub fn copy_stmt(&mut self) -> R<Statement> {
        let start = self.take().start;
        let mut stmt = CopyStmt {
            relation: None,
            query: None,
            attlist: Vec::new(),
            is_from: false,
            is_program: false,
            filename: None,
            options: Vec::new(),
            where_clause: None,
            span: Span::NONE,
        };
        if self.eat('(') {
            stmt.query = Some(self.preparable_stmt()?);
            self.expect(')')?;
            let program_at = self.span();
            self.expect(K::To)?;
            self.copy_file(&mut stmt)?;
            self.opt_with_word();
            stmt.options = self.copy_options()?;
            self.refuse_program_without_file(&stmt, program_at)?;
        } else {
            self.copy_relation(&mut stmt)?;
        }
        stmt.span = self.span_from(start);
        Ok(stmt.into())
    }

    fn copy_relation(&mut self, stmt: &mut CopyStmt) -> R<()> {
        let binary_at = self.span();
        let binary = self.eat(K::Binary);
        stmt.relation = Some(self.qualified_name()?);
        stmt.attlist = self.opt_column_list()?;
        stmt.is_from = self.eat(K::From);
        if !stmt.is_from {
            self.expect(K::To)?;
        }
        self.copy_file(stmt)?;
        if binary {
            stmt.options
                .push(option("format", Some(DefArg::String("binary".into())), binary_at));
        }
        let mut delimiter_at = Span::NONE;
        if self.at(K::Delimiters) || self.at2(K::Using, K::Delimiters) {
            delimiter_at = self.span();
            self.eat(K::Using);
            self.bump();
            let text = self.sconst()?.name;
            stmt.options
                .push(option("delimiter", Some(DefArg::String(text)), delimiter_at));
        }
        self.opt_with_word();
        let options = self.copy_options()?;
        stmt.options.extend(options);
        let where_at = self.span();
        stmt.where_clause = self.where_clause()?;
        self.refuse_program_without_file(stmt, delimiter_at)?;
        if !stmt.is_from && stmt.where_clause.is_some() {
            return Err(self
                .grammar_error("WHERE clause not allowed with COPY TO", where_at)
                .hint("Try the COPY (SELECT ... WHERE ...) TO variant."));
        }
        Ok(())
    }

    fn copy_file(&mut self, stmt: &mut CopyStmt) -> R<()> {
        stmt.is_program = self.eat(K::Program);
        if self.at(Tok::SConst) {
            stmt.filename = Some(self.sconst()?.name);
            return Ok(());
        }
        if !self.eat(K::Stdin) {
            self.expect(K::Stdout)?;
        }
        Ok(())
    }

    fn refuse_program_without_file(&self, stmt: &CopyStmt, span: Span) -> R<()> {
        if stmt.is_program && stmt.filename.is_none() {
            return Err(self.grammar_error("STDIN/STDOUT not allowed with PROGRAM", span));
        }
        Ok(())
    }

    fn copy_options(&mut self) -> R<Vec<DefElem>> {
        if self.at('(') {
            return self.paren_list(|p| p.copy_generic_option());
        }
        let mut options = Vec::new();
        while let Some(option) = self.copy_old_option()? {
            options.push(option);
        }
        Ok(options)
    }

    fn copy_generic_option(&mut self) -> R<DefElem> {
        let name = if self.at(Tok::FormatLa) {
            self.take_name()
        } else {
            self.col_label()?
        };
        let start = name.span.start;
        let arg = match self.tok {
            Tok::Char(b',' | b')') => None,
            Tok::Char(b'*') => {
                self.bump();
                Some(DefArg::Star)
            }
            Tok::Kw(K::Default) => {
                self.bump();
                Some(DefArg::String(Name::new_static("default")))
            }
            Tok::Char(b'(') => {
                Some(DefArg::List(self.paren_list(|p| {
                    Ok(DefArg::String(p.opt_boolean_or_string()?.name))
                })?))
            }
            Tok::IConst | Tok::FConst | Tok::Char(b'+' | b'-') => Some(number_arg(self.numeric_only()?)),
            _ => Some(DefArg::String(self.opt_boolean_or_string()?.name)),
        };
        let span = self.span_from(start);
        Ok(named_option(name, arg, span))
    }

    fn copy_old_option(&mut self) -> R<Option<DefElem>> {
        let span = self.span();
        let Tok::Kw(word) = self.tok else { return Ok(None) };
        let text = |text: &'static str| DefArg::String(Name::new_static(text));
        let (name, arg) = match word {
            K::Binary => ("format", text("binary")),
            K::Csv => ("format", text("csv")),
            K::Freeze => ("freeze", DefArg::Boolean(true)),
            K::Header => ("header", DefArg::Boolean(true)),
            K::Delimiter | K::Null | K::Quote | K::Escape => {
                self.bump();
                self.eat(K::As);
                let value = DefArg::String(self.sconst()?.name);
                return Ok(Some(option(
                    word.as_str(),
                    Some(value),
                    self.span_from(span.start),
                )));
            }
            K::Encoding => {
                self.bump();
                let value = DefArg::String(self.sconst()?.name);
                return Ok(Some(option("encoding", Some(value), self.span_from(span.start))));
            }
            K::Force => return self.copy_force(span).map(Some),
            _ => return Ok(None),
        };
        self.bump();
        Ok(Some(option(name, Some(arg), span)))
    }

    fn copy_force(&mut self, span: Span) -> R<DefElem> {
        self.bump();
        let name = if self.eat(K::Quote) {
            "force_quote"
        } else if self.eat(K::Null) {
            "force_null"
        } else {
            self.expect_all(&[K::Not, K::Null])?;
            "force_not_null"
        };
        let columns = if self.eat('*') {
            DefArg::Star
        } else {
            DefArg::List(self.comma_list(|p| Ok(DefArg::String(p.col_id()?.name)))?)
        };
        Ok(option(name, Some(columns), self.span_from(span.start)))
    }
}
