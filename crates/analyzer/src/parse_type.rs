//! Type names to types, modifiers included.
//!
//! PG: src/backend/parser/parse_type.c.

use std::sync::Arc;

use catalog::TypeDesc;
use common::error::{ErrorExt, ResultExt};
use common::{Oid, PgResult, Span, internal, pg_err};
use parser::ast;
use types::oids;
use types::settings::TypeRef;

use crate::state::Analyzer;

impl Analyzer<'_> {
    /// The descriptor of a type that is known to exist.
    pub fn ty(&self, oid: Oid) -> PgResult<Arc<TypeDesc>> {
        self.cx
            .catalog
            .type_desc(oid)?
            .ok_or_else(|| internal!("cache lookup failed for type {oid}"))
    }

    /// The element type of a true array type (domains looked through by the caller), or invalid.
    pub fn element_type(&self, oid: Oid) -> PgResult<Oid> {
        if oid == oids::ANYARRAY || oid == oids::UNKNOWN || !oid.is_valid() {
            return Ok(Oid::INVALID);
        }
        let t = self.ty(oid)?;
        Ok(if t.is_array { t.element } else { Oid::INVALID })
    }

    /// The array type over an element type, or invalid.
    pub fn array_type(&self, oid: Oid) -> PgResult<Oid> {
        Ok(self.ty(oid)?.array)
    }

    /// The type behind any number of domains, with the modifier that the innermost domain sets.
    pub fn base_type_and_typmod(&self, type_ref: TypeRef) -> PgResult<TypeRef> {
        let mut now = type_ref;
        loop {
            if !now.oid.is_valid() {
                return Ok(now);
            }
            let t = self.ty(now.oid)?;
            if t.kind != b'd' {
                return Ok(now);
            }
            // The modifier of the domain on top of this one counts only as long as no domain below says otherwise.
            now = TypeRef {
                oid: t.base_type,
                typmod: t.typmod,
            };
        }
    }

    /// The type behind any number of domains.
    pub fn base_type(&self, oid: Oid) -> PgResult<Oid> {
        Ok(self.base_type_and_typmod(TypeRef::plain(oid))?.oid)
    }

    /// `typcollation`.
    pub fn type_collation(&self, oid: Oid) -> PgResult<Oid> {
        if !oid.is_valid() {
            return Ok(Oid::INVALID);
        }
        Ok(self.ty(oid)?.collation)
    }

    /// Resolves a type name; the error says that it does not exist.
    pub fn resolve_type(&mut self, name: &ast::TypeName) -> PgResult<TypeRef> {
        let desc = match self.lookup_type(name)? {
            Some(desc) => desc,
            None => {
                return Err(pg_err!(
                    UNDEFINED_OBJECT,
                    "type \"{}\" does not exist",
                    type_name_to_string(name)
                )
                .at(name.span));
            }
        };
        if !desc.defined {
            return Err(pg_err!(
                UNDEFINED_OBJECT,
                "type \"{}\" is only a shell",
                type_name_to_string(name)
            )
            .at(name.span));
        }
        let typmod = self.type_name_typmod(name, &desc)?;
        if name.array_bounds.is_empty() {
            return Ok(TypeRef {
                oid: desc.oid,
                typmod,
            });
        }
        Ok(TypeRef {
            oid: desc.array,
            typmod,
        })
    }

    /// Looks the name up, without modifiers. An array of a type without array type does not exist.
    pub fn lookup_type(&mut self, name: &ast::TypeName) -> PgResult<Option<Arc<TypeDesc>>> {
        let found = if name.pct_type {
            Some(self.column_type(name)?)
        } else {
            let (schema, last) = self.deconstruct_name(&name.names, name.span)?;
            if let Some(schema) = schema {
                self.require_namespace(schema, name.span)?;
            }
            self.cx.catalog.type_by_name(schema, last)?
        };
        match found {
            Some(t) if !name.array_bounds.is_empty() && !t.array.is_valid() => Ok(None),
            found => Ok(found),
        }
    }

    fn column_type(&mut self, name: &ast::TypeName) -> PgResult<Arc<TypeDesc>> {
        let names: Vec<&str> = name.names.iter().map(ast::Ident::as_str).collect();
        let (schema, table, column) = match names.as_slice() {
            [table, column] => (None, *table, *column),
            [schema, table, column] | [_, schema, table, column] => (Some(*schema), *table, *column),
            [_] => {
                return Err(pg_err!(
                    SYNTAX_ERROR,
                    "improper %TYPE reference (too few dotted names): {}",
                    names.join(".")
                )
                .at(name.span));
            }
            _ => {
                return Err(pg_err!(
                    SYNTAX_ERROR,
                    "improper %TYPE reference (too many dotted names): {}",
                    names.join(".")
                )
                .at(name.span));
            }
        };
        let Some(rel) = self.cx.catalog.relation_by_name(schema, table)? else {
            let shown = schema.map_or_else(|| table.to_string(), |s| format!("{s}.{table}"));
            return Err(pg_err!(UNDEFINED_TABLE, "relation \"{shown}\" does not exist").at(name.span));
        };
        let Some(c) = rel.column_by_name(column) else {
            return Err(pg_err!(
                UNDEFINED_COLUMN,
                "column \"{column}\" of relation \"{}\" does not exist",
                rel.name
            )
            .at(name.span));
        };
        self.ty(c.type_ref.oid)
    }

    /// Splits a possibly qualified name into schema and last part; a database in front must be the current one.
    pub fn deconstruct_name<'n>(
        &self,
        names: &'n [ast::Ident],
        span: Span,
    ) -> PgResult<(Option<&'n str>, &'n str)> {
        match names {
            [last] => Ok((None, last.as_str())),
            [schema, last] => Ok((Some(schema.as_str()), last.as_str())),
            [database, schema, last] => {
                if database.as_str() == &*self.cx.database {
                    return Ok((Some(schema.as_str()), last.as_str()));
                }
                Err(pg_err!(
                    FEATURE_NOT_SUPPORTED,
                    "cross-database references are not implemented: {}",
                    name_list_to_string(names)
                )
                .at(span))
            }
            _ => Err(pg_err!(
                SYNTAX_ERROR,
                "improper qualified name (too many dotted names): {}",
                name_list_to_string(names)
            )
            .at(span)),
        }
    }

    /// Fails unless the schema exists.
    pub fn require_namespace(&self, schema: &str, span: Span) -> PgResult<Oid> {
        match self.cx.catalog.namespace_by_name(schema)? {
            Some(oid) => Ok(oid),
            None => Err(pg_err!(UNDEFINED_SCHEMA, "schema \"{schema}\" does not exist").at(span)),
        }
    }

    fn type_name_typmod(&self, name: &ast::TypeName, desc: &TypeDesc) -> PgResult<i32> {
        if name.typmods.is_empty() {
            return Ok(-1);
        }
        let mut args = Vec::with_capacity(name.typmods.len());
        for m in &name.typmods {
            let text = match m {
                ast::Expr::AConst(c) => match &c.value {
                    ast::ConstValue::Integer(i) => Some(i.to_string()),
                    ast::ConstValue::Float(s) | ast::ConstValue::String(s) => Some(s.to_string()),
                    _ => None,
                },
                ast::Expr::ColumnRef(c) if c.fields.len() == 1 && !c.star => {
                    Some(c.fields[0].name.to_string())
                }
                _ => None,
            };
            match text {
                Some(text) => args.push(text),
                None => {
                    return Err(pg_err!(
                        SYNTAX_ERROR,
                        "type modifiers must be simple constants or identifiers"
                    )
                    .at(name.span));
                }
            }
        }
        crate::typmod::typmod_in(desc.oid, &args, name.span, self.cx, || type_name_to_string(name))
            .at(name.span)
    }

    /// A collation by its possibly qualified name.
    pub fn resolve_collation(&self, names: &[ast::Ident], span: Span) -> PgResult<Oid> {
        let (schema, last) = self.deconstruct_name(names, span)?;
        if let Some(schema) = schema {
            self.require_namespace(schema, span)?;
        }
        match self.cx.catalog.collation_by_name(schema, last)? {
            Some(oid) => Ok(oid),
            None => Err(pg_err!(
                UNDEFINED_OBJECT,
                "collation \"{}\" for encoding \"UTF8\" does not exist",
                name_list_to_string(names)
            )
            .at(span)),
        }
    }
}

/// `a.b.c`, as messages show names.
pub(crate) fn name_list_to_string(names: &[ast::Ident]) -> String {
    names.iter().map(ast::Ident::as_str).collect::<Vec<_>>().join(".")
}

/// The name as messages show it, with `[]` and `%TYPE` but without modifiers.
pub(crate) fn type_name_to_string(name: &ast::TypeName) -> String {
    let mut out = name_list_to_string(&name.names);
    if name.pct_type {
        out.push_str("%TYPE");
    }
    if !name.array_bounds.is_empty() {
        out.push_str("[]");
    }
    out
}
