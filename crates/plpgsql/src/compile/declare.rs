//! DECLARE sections.

use common::error::ErrorExt;
use common::{PgResult, Span, pg_err};
use parser::ast::Name;
use types::oids;

use crate::compile::Compiler;
use crate::namespace::ItemKind;
use crate::tree::{CursorDecl, Decl, Dno, TypeKind};
use parser::scan::Tok;

impl Compiler<'_> {
    /// Everything from DECLARE to before BEGIN.
    pub fn declarations(&mut self) -> PgResult<()> {
        loop {
            if self.scan.eat("declare") {
                continue;
            }
            if self.scan.is("begin") {
                return Ok(());
            }
            if self.scan.is_op("<<") {
                let at = self.scan.start();
                self.block_label()?;
                return Err(self
                    .scan
                    .plain_error("block label must be placed before DECLARE, not after", at));
            }
            self.declaration()?;
        }
    }

    /// A new name in the innermost block.
    fn declared_name(&mut self) -> PgResult<Name> {
        let Some(name) = self.scan.name_at(0) else {
            return Err(self.scan.syntax_error());
        };
        if self.ns.find(self.scope, &[&name], true).is_some() {
            return Err(self.scan.error("duplicate declaration"));
        }
        self.scan.bump();
        Ok(name)
    }

    fn declaration(&mut self) -> PgResult<()> {
        let at = self.scan.start();
        let name = self.declared_name()?;
        if self.scan.is("alias") && self.scan.is_at(1, "for") {
            self.scan.bump();
            self.scan.bump();
            return self.alias(&name);
        }
        let scroll = self.scroll_option()?;
        if scroll.is_some() || self.scan.is("cursor") {
            return self.cursor_declaration(&name, scroll);
        }
        let constant = self.scan.eat("constant");
        let mut ty = self.read_datatype()?;
        self.collation_clause(&mut ty)?;
        let mut not_null = false;
        if self.scan.eat("not") {
            self.scan.expect("null")?;
            not_null = true;
        }
        let mut default = None;
        if self.scan.is_assign_at(0) || self.scan.is("default") {
            self.scan.bump();
            default = Some(self.read_expression(&[";"], ";")?.0);
        } else {
            self.scan.expect_char(';')?;
        }
        if ty.kind == TypeKind::Pseudo {
            return Err(pg_err!(
                FEATURE_NOT_SUPPORTED,
                "variable \"{name}\" has pseudo-type {}",
                self.type_name(ty.type_ref.oid)
            ));
        }
        if not_null && default.is_none() {
            return Err(pg_err!(
                NULL_VALUE_NOT_ALLOWED,
                "variable \"{name}\" must have a default value, since it's declared NOT NULL"
            )
            .at(Span::new(at, at)));
        }
        let dno = self.variable(&name, ty, true);
        if let Some(Decl::Var(v) | Decl::Rec(v)) = self.decls.get_mut(dno) {
            (v.constant, v.not_null, v.default) = (constant, not_null, default);
        }
        Ok(())
    }

    /// `name ALIAS FOR old;`
    fn alias(&mut self, name: &str) -> PgResult<()> {
        let at = self.scan.start();
        let mut names: Vec<String> = Vec::new();
        if self.scan.tok() == Tok::Param {
            names.push(format!("${}", self.scan.token(0).value));
            self.scan.bump();
        } else {
            names.push(self.scan.identifier_or_fail()?.to_string());
            while names.len() < 3 && self.scan.eat_char('.') {
                names.push(self.scan.identifier_or_fail()?.to_string());
            }
        }
        let parts: Vec<&str> = names.iter().map(String::as_str).collect();
        let found = self.ns.find(self.scope, &parts, false);
        match found.map(|f| f.kind) {
            Some(ItemKind::Var(dno) | ItemKind::Rec(dno)) => self.name_variable(dno, name),
            _ => {
                return Err(pg_err!(
                    UNDEFINED_OBJECT,
                    "variable \"{}\" does not exist",
                    names.join(".")
                )
                .at(Span::new(at, at)));
            }
        }
        self.scan.expect_char(';')
    }

    /// SCROLL or NO SCROLL.
    pub fn scroll_option(&mut self) -> PgResult<Option<bool>> {
        if self.scan.is("no") && self.scan.is_at(1, "scroll") {
            self.scan.bump();
            self.scan.bump();
            return Ok(Some(false));
        }
        if self.scan.is("scroll") && self.scan.is_at(1, "cursor") {
            self.scan.bump();
            return Ok(Some(true));
        }
        Ok(None)
    }

    /// `name CURSOR (args) FOR query;`
    fn cursor_declaration(&mut self, name: &str, scroll: Option<bool>) -> PgResult<()> {
        self.scan.expect("cursor")?;
        let outside = self.scope;
        self.scope = self.ns.add(self.scope, ItemKind::Other, name);
        let args = match self.scan.eat_char('(') {
            true => Some(self.cursor_parameters()?),
            false => None,
        };
        if !self.scan.eat("is") {
            self.scan.expect("for")?;
        }
        let query = self.read_statement()?;
        self.scope = outside;
        let ty = self.plain_type(oids::REFCURSOR)?;
        let dno = self.variable(name, ty, true);
        if let Some(Decl::Var(v)) = self.decls.get_mut(dno) {
            v.cursor = Some(CursorDecl { query, args, scroll });
        }
        Ok(())
    }

    fn cursor_parameters(&mut self) -> PgResult<Dno> {
        let mut fields = Vec::new();
        loop {
            let name = self.declared_name()?;
            let ty = self.read_datatype()?;
            fields.push(self.variable(&name, ty, true));
            if self.scan.eat_char(')') {
                return Ok(self.row(fields));
            }
            self.scan.expect_char(',')?;
        }
    }
}
