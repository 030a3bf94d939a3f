//! Pieces of SQL in a body: where they end, which variables INTO names.
//!
//! PG: src/pl/plpgsql/src/pl_gram.y (`read_sql_construct`, `make_execsql_stmt`, `read_into_target`).

use common::error::ErrorExt;
use common::{PgError, PgResult, Span, pg_err};
use parser::scan::Tok;

use crate::compile::Compiler;
use crate::namespace::ItemKind;
use crate::tree::{Decl, Dno, Expr, FieldDecl, Mode};

/// A variable in the text, and how many names and tokens named it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Named {
    pub dno: Dno,
    pub names: usize,
    pub tokens: usize,
}

/// The target of INTO.
pub(crate) struct Into {
    pub target: Dno,
    pub strict: bool,
}

/// Targets in one INTO.
const TARGETS_MAX: usize = 1024;

impl Compiler<'_> {
    /// The variable that is next, if a variable is.
    pub fn datum_ahead(&mut self) -> Option<Named> {
        let mut names: Vec<String> = Vec::new();
        if self.scan.tok() == Tok::Param {
            names.push(format!("${}", self.scan.token(0).value));
        } else {
            names.push(self.scan.name_at(0)?.to_string());
        }
        while names.len() < 3 {
            let dot = names.len() * 2 - 1;
            if !self.scan.is_char_at(dot, '.') {
                break;
            }
            match self.scan.name_at(dot + 1) {
                Some(name) => names.push(name.to_string()),
                None => break,
            }
        }
        let parts: Vec<&str> = names.iter().map(String::as_str).collect();
        let found = self.ns.find(self.scope, &parts, false)?;
        let tokens = names.len() * 2 - 1;
        let (dno, used) = match (found.kind, parts.len(), found.names_used) {
            (ItemKind::Var(dno) | ItemKind::Rec(dno), n, used) if n == used => (dno, used),
            (ItemKind::Rec(dno), _, used) => (self.field(dno, parts[used]), used + 1),
            _ => return None,
        };
        Some(Named {
            dno,
            names: used,
            tokens,
        })
    }

    /// The number of a field of a record variable.
    fn field(&mut self, rec: Dno, name: &str) -> Dno {
        let known = self
            .decls
            .iter()
            .position(|d| matches!(d, Decl::Field(f) if f.rec == rec && *f.name == *name));
        known.unwrap_or_else(|| {
            self.decls.push(Decl::Field(FieldDecl {
                rec,
                name: name.into(),
            }));
            self.decls.len() - 1
        })
    }

    /// Takes the variable that is next.
    pub fn take_datum(&mut self) -> Option<Named> {
        let named = self.datum_ahead()?;
        for _ in 0..named.tokens {
            self.scan.bump();
        }
        Some(named)
    }

    /// An expression up to one of `until` (words, or single characters), which is taken and returned.
    pub fn read_expression(
        &mut self,
        until: &[&'static str],
        expected: &str,
    ) -> PgResult<(Expr, &'static str)> {
        let (start, end, stop) = self.read_until(until, expected, "expression")?;
        let text = self.scan.between(start, end);
        self.check_sql(text, Mode::Expression, start)?;
        Ok((self.expr(text, Mode::Expression), stop))
    }

    /// A statement up to the semicolon.
    pub fn read_statement(&mut self) -> PgResult<Expr> {
        let (start, end, _) = self.read_until(&[";"], ";", "statement")?;
        let text = self.scan.between(start, end);
        self.check_sql(text, Mode::Statement, start)?;
        Ok(self.expr(text, Mode::Statement))
    }

    fn stop_here(&self, until: &[&'static str]) -> Option<&'static str> {
        let token = self.scan.tok();
        until.iter().copied().find(|u| match (*u, token) {
            ("..", tok) => tok == Tok::DotDot,
            (u, Tok::Char(c)) => u.as_bytes() == [c],
            (u, _) => self.scan.is(u),
        })
    }

    /// Goes to one of `until` outside of parentheses; the extent of what lies before it.
    pub fn read_until(
        &mut self,
        until: &[&'static str],
        expected: &str,
        what: &str,
    ) -> PgResult<(u32, u32, &'static str)> {
        let start = self.scan.start();
        let mut parens = 0_usize;
        loop {
            if parens == 0
                && let Some(stop) = self.stop_here(until)
            {
                let end = self.scan.last_end();
                if self.scan.start() == start {
                    return Err(match what {
                        "expression" => self.scan.error("missing expression"),
                        _ => self.scan.error("missing SQL statement"),
                    });
                }
                self.scan.bump();
                return Ok((start, end, stop));
            }
            match self.scan.tok() {
                Tok::Char(b'(' | b'[') => parens += 1,
                Tok::Char(b')' | b']') => {
                    parens = parens
                        .checked_sub(1)
                        .ok_or_else(|| self.scan.error("mismatched parentheses"))?;
                }
                Tok::Char(b';') | Tok::Eof | Tok::Error => {
                    return Err(self.unfinished(parens, expected, what));
                }
                _ => {}
            }
            self.scan.bump();
        }
    }

    fn unfinished(&self, parens: usize, expected: &str, what: &str) -> Box<PgError> {
        if self.scan.tok() == Tok::Error {
            return self.scan.syntax_error();
        }
        if parens > 0 {
            return self.scan.error("mismatched parentheses");
        }
        self.scan.plain_error(
            format_args!("missing \"{expected}\" at end of SQL {what}"),
            self.scan.start(),
        )
    }

    /// The validator reads every piece of SQL; places in it become places in the body.
    pub fn check_sql(&self, text: &str, mode: Mode, start: u32) -> PgResult<()> {
        if !self.language.check_syntax {
            return Ok(());
        }
        let options = self.language.options;
        let checked = match mode {
            Mode::Statement => parser::parse(text, options).map(drop),
            Mode::Expression => parser::parse_plpgsql_expression(text, options).map(drop),
            Mode::Assign(_) => parser::parse_plpgsql_assignment(text, options).map(drop),
        };
        checked.map_err(|mut e| {
            if let Some(at) = &mut e.position {
                *at += start;
            }
            e
        })
    }

    /// Fails for constants.
    pub fn check_assignable(&self, dno: Dno, at: u32) -> PgResult<()> {
        let decl = match self.decls.get(dno) {
            Some(Decl::Field(f)) => self.decls.get(f.rec),
            other => other,
        };
        match decl {
            Some(Decl::Var(v) | Decl::Rec(v)) if v.constant => Err(pg_err!(
                ERROR_IN_ASSIGNMENT,
                "variable \"{}\" is declared CONSTANT",
                v.name
            )
            .at(Span::new(at, at))),
            _ => Ok(()),
        }
    }

    /// What stands after INTO.
    pub fn read_into(&mut self, may_be_strict: bool) -> PgResult<Into> {
        let strict = may_be_strict && self.scan.eat("strict");
        let at = self.scan.start();
        let Some(first) = self.take_datum() else {
            return Err(self.not_a_variable());
        };
        self.check_assignable(first.dno, at)?;
        if matches!(self.decls.get(first.dno), Some(Decl::Rec(_) | Decl::Row(_))) {
            if self.scan.is_char(',') {
                return Err(self.scan.plain_error(
                    "record variable cannot be part of multiple-item INTO list",
                    self.scan.start(),
                ));
            }
            return Ok(Into {
                target: first.dno,
                strict,
            });
        }
        let target = self.scalar_list(first.dno)?;
        Ok(Into { target, strict })
    }

    /// `, variable...` after a first variable: a row.
    pub fn scalar_list(&mut self, first: Dno) -> PgResult<Dno> {
        let mut fields = vec![first];
        while self.scan.is_char(',') {
            if fields.len() >= TARGETS_MAX {
                return Err(
                    pg_err!(PROGRAM_LIMIT_EXCEEDED, "too many INTO variables specified")
                        .at(Span::new(self.scan.start(), self.scan.start())),
                );
            }
            self.scan.bump();
            let at = self.scan.start();
            let Some(next) = self.take_datum() else {
                return Err(self.not_a_variable());
            };
            self.check_assignable(next.dno, at)?;
            if matches!(self.decls.get(next.dno), Some(Decl::Rec(_) | Decl::Row(_))) {
                let name = self.name_of(next.dno);
                return Err(self
                    .scan
                    .plain_error(format_args!("\"{name}\" is not a scalar variable"), at));
            }
            fields.push(next.dno);
        }
        Ok(self.row(fields))
    }
}
