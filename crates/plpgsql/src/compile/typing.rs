//! Types in declarations.
//!
//! PG: src/pl/plpgsql/src/pl_comp.c (`build_datatype`, `plpgsql_parse_wordtype`...), pl_gram.y (`read_datatype`).

use std::sync::Arc;

use catalog::desc::RelationDesc;
use common::error::ErrorExt;
use common::{Oid, PgResult, Span, pg_err};
use types::oids;
use types::settings::TypeRef;

use crate::compile::Compiler;
use crate::namespace::ItemKind;
use crate::tree::{Decl, PlType, TypeKind};
use parser::scan::Tok;

impl Compiler<'_> {
    pub fn type_name(&self, type_oid: Oid) -> String {
        catalog::format_type::format_type(self.language.catalog, type_oid, -1).unwrap_or_default()
    }

    pub fn plain_type(&self, type_oid: Oid) -> PgResult<PlType> {
        self.data_type(TypeRef::plain(type_oid), Oid::INVALID)
    }

    /// What a type means for a variable; `collation` replaces the type's own.
    pub fn data_type(&self, type_ref: TypeRef, collation: Oid) -> PgResult<PlType> {
        let view = self.language.catalog;
        let Some(desc) = view.type_desc(type_ref.oid)? else {
            return Err(common::internal!("cache lookup failed for type {}", type_ref.oid));
        };
        if !desc.defined {
            return Err(pg_err!(
                UNDEFINED_OBJECT,
                "type \"{}\" is only a shell",
                desc.name
            ));
        }
        let mut base = desc.clone();
        while base.kind == b'd' {
            base = view
                .type_desc(base.base_type)?
                .ok_or_else(|| common::internal!("cache lookup failed for type {}", base.base_type))?;
        }
        let kind = match base.kind {
            b'c' => TypeKind::Record,
            b'p' if base.oid == oids::RECORD => TypeKind::Record,
            b'p' => TypeKind::Pseudo,
            _ => TypeKind::Scalar,
        };
        let own = desc.collation;
        Ok(PlType {
            type_ref,
            collation: if own.is_valid() && collation.is_valid() {
                collation
            } else {
                own
            },
            kind,
            is_array: base.is_array,
            row_type: if desc.kind == b'd' && kind == TypeKind::Record {
                base.oid
            } else {
                Oid::INVALID
            },
        })
    }

    fn array_of(&self, ty: &PlType) -> PgResult<PlType> {
        if ty.is_array {
            return Ok(ty.clone());
        }
        let desc = self.language.catalog.type_desc(ty.type_ref.oid)?;
        let Some(array) = desc.map(|d| d.array).filter(|a| a.is_valid()) else {
            return Err(pg_err!(
                UNDEFINED_OBJECT,
                "could not find array type for data type {}",
                self.type_name(ty.type_ref.oid)
            ));
        };
        let array = TypeRef {
            oid: array,
            typmod: ty.type_ref.typmod,
        };
        self.data_type(array, ty.collation)
    }

    /// A type in a declaration: the tokens up to what may follow it.
    pub fn read_datatype(&mut self) -> PgResult<PlType> {
        let start = self.scan.start();
        if let Some(ty) = self.copied_type()? {
            return self.array_suffix(ty);
        }
        let mut parens = 0_usize;
        loop {
            match self.scan.tok() {
                Tok::Char(b';') => break,
                Tok::Eof | Tok::Error => {
                    return Err(match parens {
                        0 => self.scan.error("incomplete data type declaration"),
                        _ => self.scan.error("mismatched parentheses"),
                    });
                }
                Tok::Char(b'=') | Tok::ColonEquals => break,
                Tok::Char(b',' | b')') if parens == 0 => break,
                Tok::Char(b'(') => parens += 1,
                Tok::Char(b')') => parens -= 1,
                _ if ["collate", "not", "default"].iter().any(|w| self.scan.is(w)) => break,
                _ => {}
            }
            self.scan.bump();
        }
        let text = self.scan.between(start, self.scan.last_end().max(start));
        if text.is_empty() {
            return Err(self.scan.error("missing data type declaration"));
        }
        self.type_of_text(text, start)
    }

    fn type_of_text(&self, text: &str, start: u32) -> PgResult<PlType> {
        let shifted = |mut e: Box<common::PgError>| {
            if let Some(at) = &mut e.position {
                *at += start;
            }
            e
        };
        let parsed = parser::parse_type_name(text).map_err(shifted)?;
        let context = self.analysis();
        let type_ref = analyzer::utility::resolve_type_name(&parsed, &context).map_err(shifted)?;
        self.data_type(type_ref, self.collation)
    }

    /// `name%TYPE`, `table.column%TYPE`, `table%ROWTYPE`.
    fn copied_type(&mut self) -> PgResult<Option<PlType>> {
        let start = self.scan.at;
        let mut names = Vec::new();
        while let Some(name) = self.scan.name_at(0) {
            names.push(name);
            self.scan.bump();
            if names.len() == 3 || !self.scan.is_char('.') {
                break;
            }
            self.scan.bump();
        }
        let kind = match (self.scan.is_char('%'), self.scan.word_at(1)) {
            (true, Some(word)) if word == "type" || word == "rowtype" => word,
            _ => {
                self.scan.at = start;
                return Ok(None);
            }
        };
        let names: Vec<&str> = names.iter().map(|n| n.as_str()).collect();
        let found = match (kind == "type", &names[..]) {
            (_, []) => None,
            (true, names) => Some(self.type_of_name(names)?),
            (false, names) => Some(self.row_type_of(names)?),
        };
        match &found {
            Some(_) => {
                self.scan.bump();
                self.scan.bump();
            }
            None => self.scan.at = start,
        }
        Ok(found)
    }

    fn array_suffix(&mut self, ty: PlType) -> PgResult<PlType> {
        let mut is_array = self.scan.eat("array");
        while self.scan.eat_char('[') {
            is_array = true;
            if self.scan.tok() == Tok::IConst {
                self.scan.bump();
            }
            if !self.scan.eat_char(']') {
                return Err(self.scan.error("syntax error, expected \"]\""));
            }
        }
        match is_array {
            true => self.array_of(&ty),
            false => Ok(ty),
        }
    }

    fn type_of_name(&self, names: &[&str]) -> PgResult<PlType> {
        let found = match names.len() {
            1 | 2 => self.ns.find(self.scope, names, false),
            _ => None,
        };
        if let Some(found) = found.filter(|f| f.names_used == names.len())
            && let ItemKind::Var(dno) | ItemKind::Rec(dno) = found.kind
            && let Some(Decl::Var(v) | Decl::Rec(v)) = self.decls.get(dno)
        {
            return Ok(v.ty.clone());
        }
        let (relation, column) = match names {
            [one] => {
                return Err(pg_err!(UNDEFINED_OBJECT, "variable \"{one}\" does not exist"));
            }
            [relation, column] => (self.relation(None, relation)?, column),
            [schema, relation, column] => (self.relation(Some(schema), relation)?, column),
            _ => return Err(self.scan.syntax_error()),
        };
        let Some(found) = relation.column_by_name(column) else {
            return Err(pg_err!(
                UNDEFINED_COLUMN,
                "column \"{column}\" of relation \"{}\" does not exist",
                relation.name
            ));
        };
        let mut ty = self.data_type(found.type_ref, Oid::INVALID)?;
        ty.collation = found.collation;
        Ok(ty)
    }

    fn row_type_of(&self, names: &[&str]) -> PgResult<PlType> {
        let relation = match names {
            [one] => self.relation(None, one)?,
            [schema, one] => self.relation(Some(schema), one)?,
            _ => return Err(self.scan.syntax_error()),
        };
        if !relation.row_type.is_valid() {
            return Err(pg_err!(
                WRONG_OBJECT_TYPE,
                "relation \"{}\" does not have a composite type",
                relation.name
            ));
        }
        self.plain_type(relation.row_type)
    }

    fn relation(&self, schema: Option<&str>, name: &str) -> PgResult<Arc<RelationDesc>> {
        let found = self.language.catalog.relation_by_name(schema, name)?;
        found.ok_or_else(|| {
            let shown = match schema {
                Some(schema) => format!("{schema}.{name}"),
                None => name.to_owned(),
            };
            pg_err!(UNDEFINED_TABLE, "relation \"{shown}\" does not exist")
        })
    }

    /// COLLATE of a declaration.
    pub fn collation_clause(&mut self, ty: &mut PlType) -> PgResult<()> {
        if !self.scan.eat("collate") {
            return Ok(());
        }
        let at = self.scan.start();
        let mut names = vec![self.scan.identifier_or_fail()?];
        while self.scan.eat_char('.') {
            names.push(self.scan.identifier_or_fail()?);
        }
        let span = Span::new(at, at);
        let idents: Vec<parser::ast::Ident> = names
            .into_iter()
            .map(|name| parser::ast::Ident { name, span })
            .collect();
        let context = self.analysis();
        let collation = analyzer::utility::resolve_collation(&idents, span, &context)?;
        if !ty.collation.is_valid() {
            return Err(pg_err!(
                DATATYPE_MISMATCH,
                "collations are not supported by type {}",
                self.type_name(ty.type_ref.oid)
            )
            .at(span));
        }
        ty.collation = collation;
        Ok(())
    }
}
