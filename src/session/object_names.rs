//! Names of catalog objects as users write them in text: `regclass` and its like, `has_table_privilege('t', ...)`.
//!
//! PG: src/backend/utils/adt/regproc.c.

use catalog::CatalogView;
use catalog::names::quote_qualified;
use catalog::oids;
use catalog::row::StoredRow;
use catalog::store::{CatalogRead, key_oid};
use common::error::ErrorExt;
use common::{Oid, PgResult, pg_err};
use functions::framework::session::VisibleKind;
use types::io::RegKind;
use types::names::{name_and_types, split_name};
use types::settings::TypeRef;

use crate::session::names::Names;

/// A number, as `reg*` types take it for an OID; `-` is 0.
fn numeric_oid(name: &str) -> PgResult<Option<Oid>> {
    let is_number = !name.is_empty() && name.bytes().all(|b| b.is_ascii_digit());
    match is_number {
        true => Ok(Some(Oid(types::io_number::parse_oid(name)?))),
        false => Ok(None),
    }
}

impl Names {
    /// Schema and name of a function, operator or another object that is no relation.
    fn qualified<'p>(&self, parts: &'p [String]) -> PgResult<(Option<&'p str>, &'p str)> {
        match parts {
            [name] => Ok((None, name)),
            [schema, name] => Ok((Some(schema), name)),
            [database, schema, name] if **database == *self.database() => Ok((Some(schema), name)),
            [_, _, _] => Err(pg_err!(
                FEATURE_NOT_SUPPORTED,
                "cross-database references are not implemented: {}",
                parts.join(".")
            )),
            _ => Err(pg_err!(
                SYNTAX_ERROR,
                "improper qualified name (too many dotted names): {}",
                parts.join(".")
            )),
        }
    }

    /// Schema and name of a relation.
    fn qualified_relation<'p>(&self, parts: &'p [String]) -> PgResult<(Option<&'p str>, &'p str)> {
        match parts {
            [_, _, _] => self.qualified(parts).map_err(|_| {
                pg_err!(
                    FEATURE_NOT_SUPPORTED,
                    "cross-database references are not implemented: \"{}\"",
                    parts.join(".")
                )
            }),
            [_, _, _, _, ..] => Err(pg_err!(
                SYNTAX_ERROR,
                "improper relation name (too many dotted names): {}",
                parts.join(".")
            )),
            _ => self.qualified(parts),
        }
    }

    /// A relation by its name, if there is one.
    pub(crate) fn relation(&self, name: &str) -> PgResult<Option<Oid>> {
        let parts = split_name(name)?;
        let (schema, rel) = self.qualified_relation(&parts)?;
        if let Some(s) = schema
            && self.view.namespace_by_name(s)?.is_none()
        {
            return Ok(None);
        }
        Ok(self.view.relation_by_name(schema, rel)?.map(|d| d.oid))
    }

    /// A relation by its name, or the error that names what is missing.
    pub(crate) fn known_relation(&self, name: &str) -> PgResult<Oid> {
        if let Some(oid) = self.relation(name)? {
            return Ok(oid);
        }
        let parts = split_name(name)?;
        if let (Some(schema), _) = self.qualified_relation(&parts)?
            && self.view.namespace_by_name(schema)?.is_none()
        {
            return Err(pg_err!(UNDEFINED_SCHEMA, "schema \"{schema}\" does not exist"));
        }
        Err(no_relation(&parts))
    }

    fn function(&self, name: &str) -> PgResult<Oid> {
        let parts = split_name(name)?;
        let (schema, func) = self.qualified(&parts)?;
        let found = self.view.functions_by_name(schema, func)?;
        match &found[..] {
            [] => Err(pg_err!(UNDEFINED_FUNCTION, "function \"{name}\" does not exist")),
            [one] => Ok(one.oid),
            _ => Err(pg_err!(
                AMBIGUOUS_FUNCTION,
                "more than one function named \"{name}\""
            )),
        }
    }

    /// `name(type, type)`.
    pub(crate) fn procedure(&self, text: &str) -> PgResult<Oid> {
        let (parts, args) = name_and_types(text)?;
        let types: PgResult<Vec<Oid>> = args.iter().map(|a| Ok(self.type_ref(a)?.oid)).collect();
        let types = types?;
        let (schema, func) = self.qualified(&parts)?;
        let found = self.view.functions_by_name(schema, func)?;
        found
            .iter()
            .find(|f| f.arg_types == types)
            .map(|f| f.oid)
            .ok_or_else(|| pg_err!(UNDEFINED_FUNCTION, "function \"{text}\" does not exist"))
    }

    pub(crate) fn type_ref(&self, text: &str) -> PgResult<TypeRef> {
        if text.trim().is_empty() {
            return Err(pg_err!(SYNTAX_ERROR, "invalid type name \"{text}\""));
        }
        let without_place = |mut e: Box<common::PgError>| {
            e.position = None;
            e
        };
        let parsed = parser::parse_type_name(text)?;
        let settings = types::FormatSettings::default();
        let cx = analyzer::AnalyzeContext::new(&*self.view, &settings);
        analyzer::utility::resolve_type_name(&parsed, &cx).map_err(without_place)
    }

    /// `+`, when there is only one.
    fn operator_by_name(&self, text: &str) -> PgResult<Oid> {
        let parts = split_name(text)?;
        let (schema, name) = self.qualified(&parts)?;
        let found = self.view.operators_by_name(schema, name)?;
        match &found[..] {
            [] => Err(pg_err!(UNDEFINED_FUNCTION, "operator does not exist: {text}")),
            [one] => Ok(one.oid),
            _ => Err(pg_err!(AMBIGUOUS_FUNCTION, "more than one operator named {text}")),
        }
    }

    /// `+(type, type)`.
    fn operator(&self, text: &str) -> PgResult<Oid> {
        let (parts, args) = name_and_types(text)?;
        let side = |a: &&str| match a.eq_ignore_ascii_case("none") {
            true => Ok(Oid::INVALID),
            false => Ok(self.type_ref(a)?.oid),
        };
        let types: PgResult<Vec<Oid>> = args.iter().map(side).collect();
        let [left, right] = types?[..] else {
            return Err(if args.len() < 2 {
                pg_err!(UNDEFINED_PARAMETER, "missing argument")
                    .hint("Use NONE to denote the missing argument of a unary operator.")
            } else {
                pg_err!(TOO_MANY_ARGUMENTS, "too many arguments")
                    .hint("Provide two argument types for operator.")
            });
        };
        let (schema, name) = self.qualified(&parts)?;
        let found = self.view.operators_by_name(schema, name)?;
        let found = found.iter().find(|o| o.left == left && o.right == right);
        found
            .map(|o| o.oid)
            .ok_or_else(|| pg_err!(UNDEFINED_FUNCTION, "operator does not exist: {text}"))
    }

    /// An operator as `regoper` prints it: qualified unless its name alone means it.
    pub(crate) fn operator_name(&self, oid: Oid) -> PgResult<Option<String>> {
        let Some(o) = self.view.operator(oid)? else {
            return Ok(None);
        };
        let same = self.view.operators_by_name(None, &o.name)?;
        let schema = match &same[..] {
            [one] if one.oid == oid => None,
            _ => self.view.namespace_name(o.namespace)?,
        };
        Ok(Some(match schema {
            Some(schema) => format!("{}.{}", catalog::names::quote_identifier(&schema), o.name),
            None => o.name.to_string(),
        }))
    }

    /// A text search configuration or dictionary by name; both catalogs begin with OID, name, schema.
    fn text_search_object(&self, catalog: Oid, word: &str, name: &str) -> PgResult<Oid> {
        use catalog::columns::pg_ts_dict as c;
        let parts = split_name(name)?;
        let (schema, object) = self.qualified(&parts)?;
        let schema = match schema {
            Some(s) => match self.view.namespace_by_name(s)? {
                Some(oid) => Some(oid),
                None => {
                    return Err(pg_err!(
                        UNDEFINED_OBJECT,
                        "text search {word} \"{}\" does not exist",
                        parts.join(".")
                    ));
                }
            },
            None => None,
        };
        let path = self.view.path().effective();
        let rows = self.view.rows().scan(catalog)?;
        let named = rows.iter().filter(|r| &*r.text(c::DICTNAME) == object);
        let visible = named.filter(|r| {
            let home = r.oid(c::DICTNAMESPACE);
            schema.map_or_else(|| path.contains(&home), |s| s == home)
        });
        visible.map(|r| r.oid(c::OID)).next().ok_or_else(|| {
            pg_err!(
                UNDEFINED_OBJECT,
                "text search {word} \"{}\" does not exist",
                parts.join(".")
            )
        })
    }

    /// A name without schema: of a role, of a schema.
    fn single<'p>(&self, parts: &'p [String]) -> PgResult<&'p str> {
        match parts {
            [name] => Ok(name),
            _ => Err(pg_err!(INVALID_NAME, "invalid name syntax")),
        }
    }

    /// What the input functions of the `reg*` types find.
    pub(crate) fn object(&self, kind: RegKind, name: &str) -> PgResult<Oid> {
        if let Some(oid) = numeric_oid(name)? {
            return Ok(oid);
        }
        match kind {
            RegKind::Class => match self.relation(name)? {
                Some(oid) => Ok(oid),
                None => Err(no_relation(&split_name(name)?)),
            },
            RegKind::Type => Ok(self.type_ref(name)?.oid),
            RegKind::Proc => self.function(name),
            RegKind::Procedure => self.procedure(name),
            RegKind::Role => {
                let parts = split_name(name)?;
                let role = self.single(&parts)?;
                let found = self.view.roles()?.by_name(role).map(|r| r.oid);
                found.ok_or_else(|| pg_err!(UNDEFINED_OBJECT, "role \"{role}\" does not exist"))
            }
            RegKind::Namespace => {
                let parts = split_name(name)?;
                let schema = self.single(&parts)?;
                self.view
                    .namespace_by_name(schema)?
                    .ok_or_else(|| pg_err!(UNDEFINED_SCHEMA, "schema \"{schema}\" does not exist"))
            }
            RegKind::Collation => {
                let parts = split_name(name)?;
                let (schema, collation) = self.qualified(&parts)?;
                self.view.collation_by_name(schema, collation)?.ok_or_else(|| {
                    pg_err!(
                        UNDEFINED_OBJECT,
                        "collation \"{}\" for encoding \"UTF8\" does not exist",
                        parts.join(".")
                    )
                })
            }
            RegKind::Oper => self.operator_by_name(name),
            RegKind::Operator => self.operator(name),
            RegKind::Config => self.text_search_object(oids::PG_TS_CONFIG, "configuration", name),
            RegKind::Dictionary => self.text_search_object(oids::PG_TS_DICT, "dictionary", name),
        }
    }

    /// `pg_*_is_visible`; `None` when there is no such object.
    pub fn is_visible(&self, kind: VisibleKind, oid: Oid) -> PgResult<Option<bool>> {
        let same = |found: Option<Oid>| Some(found == Some(oid));
        Ok(match kind {
            VisibleKind::Table => match self.view.relation(oid)? {
                Some(d) => same(self.view.relation_by_name(None, &d.name)?.map(|f| f.oid)),
                None => None,
            },
            VisibleKind::Type => match self.view.type_desc(oid)? {
                Some(d) => same(self.view.type_by_name(None, &d.name)?.map(|f| f.oid)),
                None => None,
            },
            VisibleKind::Function => match self.view.function(oid)? {
                Some(d) => {
                    let all = self.view.functions_by_name(None, &d.name)?;
                    Some(all.iter().any(|f| f.oid == oid))
                }
                None => None,
            },
            VisibleKind::Operator => match self.view.operator(oid)? {
                Some(d) => {
                    let all = self.view.operators_by_name(None, &d.name)?;
                    Some(all.iter().any(|f| f.oid == oid))
                }
                None => None,
            },
            _ => self.row_is_visible(kind, oid)?,
        })
    }

    /// The same for objects that are rows with a name and a schema and nothing more.
    fn row_is_visible(&self, kind: VisibleKind, oid: Oid) -> PgResult<Option<bool>> {
        use catalog::columns as c;
        let (catalog, name, schema) = match kind {
            VisibleKind::Opclass => (
                oids::PG_OPCLASS,
                c::pg_opclass::OPCNAME,
                c::pg_opclass::OPCNAMESPACE,
            ),
            VisibleKind::Opfamily => (
                oids::PG_OPFAMILY,
                c::pg_opfamily::OPFNAME,
                c::pg_opfamily::OPFNAMESPACE,
            ),
            VisibleKind::Collation => (
                oids::PG_COLLATION,
                c::pg_collation::COLLNAME,
                c::pg_collation::COLLNAMESPACE,
            ),
            VisibleKind::Conversion => (
                oids::PG_CONVERSION,
                c::pg_conversion::CONNAME,
                c::pg_conversion::CONNAMESPACE,
            ),
            VisibleKind::Statistics => (
                oids::PG_STATISTIC_EXT,
                c::pg_statistic_ext::STXNAME,
                c::pg_statistic_ext::STXNAMESPACE,
            ),
            VisibleKind::TsParser => (oids::PG_TS_PARSER, 1, 2),
            VisibleKind::TsTemplate => (oids::PG_TS_TEMPLATE, 1, 2),
            VisibleKind::TsDict => (oids::PG_TS_DICT, 1, 2),
            _ => (oids::PG_TS_CONFIG, 1, 2),
        };
        let rows = self.view.rows().scan(catalog)?;
        let Some(row) = rows.iter().find(|r| r.oid(0) == oid) else {
            return Ok(None);
        };
        let path = self.view.path().effective();
        // Visible when no schema before its own in the path has one of that name.
        let same_name = |r: &&StoredRow| r.text(name) == row.text(name);
        let homes: Vec<Oid> = rows.iter().filter(same_name).map(|r| r.oid(schema)).collect();
        let first = path.iter().find(|p| homes.contains(p));
        Ok(Some(first == Some(&row.oid(schema))))
    }

    pub(crate) fn text_search_name(&self, index: Oid, oid: Oid) -> PgResult<Option<String>> {
        use catalog::columns::pg_ts_dict as c;
        let rows = self.view.rows().lookup_all(index, &[key_oid(oid)])?;
        let Some(row) = rows.first() else { return Ok(None) };
        let home = row.oid(c::DICTNAMESPACE);
        let visible = self.view.path().effective().contains(&home);
        let schema = if visible {
            None
        } else {
            self.view.namespace_name(home)?
        };
        Ok(Some(quote_qualified(schema.as_deref(), &row.text(c::DICTNAME))))
    }
}

#[cold]
fn no_relation(parts: &[String]) -> Box<common::PgError> {
    pg_err!(UNDEFINED_TABLE, "relation \"{}\" does not exist", parts.join("."))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{name_and_types, split_name};

    #[test]
    fn names_split_as_postgresql_splits_them() {
        assert_eq!(split_name(" A . \"B\"\"c\" ").unwrap(), ["a", "B\"c"]);
        assert_eq!(split_name("x'y\"z").unwrap(), ["x'y\"z"]);
        assert_eq!(split_name("-7.5").unwrap(), ["-7", "5"]);
        for bad in ["", " ", "a b", "a.", ".a", "\"a", "\"a\"b"] {
            assert!(split_name(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn signatures_split_at_commas() {
        assert_eq!(
            name_and_types("f(a, numeric(1,2))").unwrap().1,
            ["a", "numeric(1,2)"]
        );
        assert!(name_and_types("f(a").is_err() && name_and_types("f").is_err());
        assert!(name_and_types("f()").unwrap().1.is_empty());
    }
}
