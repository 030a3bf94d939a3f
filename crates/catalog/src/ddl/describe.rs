//! Objects as messages call them: `table t`, `column a of table t`, `constraint c on table t`.

use common::{Oid, PgResult};

use crate::builtin;
use crate::columns::{
    pg_attrdef, pg_attribute, pg_cast, pg_class, pg_constraint, pg_policy, pg_proc, pg_rewrite, pg_trigger,
};
use crate::ddl::{Ddl, ObjectAddress};
use crate::format_type::format_type;
use crate::names::quote_qualified;
use crate::oids;
use crate::row::StoredRow;
use crate::view::CatalogView;

/// What messages call a `relkind`.
pub fn relkind_word(relkind: u8) -> &'static str {
    match relkind {
        b'i' | b'I' => "index",
        b'S' => "sequence",
        b't' => "toast table",
        b'v' => "view",
        b'm' => "materialized view",
        b'c' => "composite type",
        b'f' => "foreign table",
        _ => "table",
    }
}

impl Ddl<'_> {
    /// PostgreSQL's description of an object.
    pub fn describe(&self, object: ObjectAddress) -> PgResult<String> {
        let name = match object.class {
            oids::PG_CLASS if object.sub != 0 => self.describe_column(object)?,
            oids::PG_CLASS => self.describe_relation(object.object)?,
            oids::PG_TYPE => format!("type {}", format_type(&self.view(), object.object, -1)?),
            oids::PG_PROC => self.describe_function(object.object)?,
            oids::PG_OPERATOR => self.describe_operator(object.object)?,
            oids::PG_CONSTRAINT => self.describe_constraint(object.object)?,
            oids::PG_ATTRDEF => self.describe_default(object.object)?,
            oids::PG_REWRITE => self.describe_on(
                "rule",
                oids::PG_REWRITE_OID_INDEX,
                object.object,
                (pg_rewrite::RULENAME, pg_rewrite::EV_CLASS),
            )?,
            oids::PG_TRIGGER => self.describe_on(
                "trigger",
                oids::PG_TRIGGER_OID_INDEX,
                object.object,
                (pg_trigger::TGNAME, pg_trigger::TGRELID),
            )?,
            oids::PG_NAMESPACE => format!(
                "schema {}",
                self.view()
                    .namespace_name(object.object)?
                    .as_deref()
                    .unwrap_or("???")
            ),
            oids::PG_AUTHID => format!(
                "role {}",
                self.view().role_name(object.object)?.as_deref().unwrap_or("???")
            ),
            _ => self.describe_other(object)?,
        };
        Ok(name)
    }

    /// A relation's name, qualified when the search path does not find it.
    pub fn relation_name(&self, relation: Oid) -> PgResult<String> {
        let view = self.view();
        let Some(rel) = view.relation(relation)? else {
            return Ok(relation.to_string());
        };
        let visible = view
            .relation_by_name(None, &rel.name)?
            .is_some_and(|found| found.oid == relation);
        let schema = if visible { None } else { Some(&*rel.namespace_name) };
        Ok(quote_qualified(schema, &rel.name))
    }

    fn describe_relation(&self, relation: Oid) -> PgResult<String> {
        let relkind = match self.find(oids::PG_CLASS_OID_INDEX, relation)? {
            Some(row) => row.char(pg_class::RELKIND),
            None => builtin::facts::relation(relation).map_or(b'r', |r| r.relkind),
        };
        Ok(format!(
            "{} {}",
            relkind_word(relkind),
            self.relation_name(relation)?
        ))
    }

    fn describe_column(&self, object: ObjectAddress) -> PgResult<String> {
        let row = self.attribute(object.object, object.sub as i16)?;
        let name = row.map_or_else(
            || object.sub.to_string().into(),
            |row| row.text(pg_attribute::ATTNAME),
        );
        Ok(format!(
            "column {name} of {}",
            self.describe_relation(object.object)?
        ))
    }

    fn describe_constraint(&self, constraint: Oid) -> PgResult<String> {
        let Some(row) = self.find(oids::PG_CONSTRAINT_OID_INDEX, constraint)? else {
            return Ok(format!("constraint {constraint}"));
        };
        let name = row.text(pg_constraint::CONNAME);
        match row.oid(pg_constraint::CONRELID) {
            Oid::INVALID => Ok(format!("constraint {name}")),
            relation => Ok(format!(
                "constraint {name} on {}",
                self.describe_relation(relation)?
            )),
        }
    }

    fn describe_default(&self, default: Oid) -> PgResult<String> {
        let Some(row) = self.find(oids::PG_ATTRDEF_OID_INDEX, default)? else {
            return Ok(format!("default value {default}"));
        };
        let column = ObjectAddress::column(row.oid(pg_attrdef::ADRELID), row.int2(pg_attrdef::ADNUM));
        Ok(format!("default value for {}", self.describe_column(column)?))
    }

    /// Objects with a name on a relation: (name column, relation column).
    fn describe_on(&self, word: &str, index: Oid, object: Oid, columns: (usize, usize)) -> PgResult<String> {
        match self.find(index, object)? {
            Some(row) => Ok(format!(
                "{word} {} on {}",
                row.text(columns.0),
                self.describe_relation(row.oid(columns.1))?
            )),
            None => Ok(format!("{word} {object}")),
        }
    }

    /// `function f(integer,text)`: procedures and aggregates are called functions too.
    fn describe_function(&self, function: Oid) -> PgResult<String> {
        Ok(format!("function {}", self.function_signature(function)?))
    }

    /// `f(integer,text)`, qualified when the search path does not find it.
    pub fn function_signature(&self, function: Oid) -> PgResult<String> {
        let view = self.view();
        let Some(f) = view.function(function)? else {
            return Ok(function.to_string());
        };
        let visible = view
            .functions_by_name(None, &f.name)?
            .iter()
            .any(|found| found.oid == function);
        let schema = if visible {
            None
        } else {
            view.namespace_name(f.namespace)?
        };
        let args: PgResult<Vec<String>> = f.arg_types.iter().map(|t| format_type(&view, *t, -1)).collect();
        Ok(format!(
            "{}({})",
            quote_qualified(schema.as_deref(), &f.name),
            args?.join(",")
        ))
    }

    /// `operator +(integer,integer)`, with NONE for a missing operand.
    fn describe_operator(&self, operator: Oid) -> PgResult<String> {
        let view = self.view();
        let Some(op) = view.operator(operator)? else {
            return Ok(format!("operator {operator}"));
        };
        let operand = |oid: Oid| match oid {
            Oid::INVALID => Ok("NONE".to_owned()),
            oid => format_type(&view, oid, -1),
        };
        let visible = view
            .operators_by_name(None, &op.name)?
            .iter()
            .any(|found| found.oid == operator);
        let schema = match visible {
            true => String::new(),
            false => match view.namespace_name(op.namespace)? {
                Some(schema) => format!("{}.", crate::names::quote_identifier(&schema)),
                None => String::new(),
            },
        };
        let (left, right) = (operand(op.left)?, operand(op.right)?);
        Ok(format!("operator {schema}{}({left},{right})", op.name))
    }

    fn describe_other(&self, object: ObjectAddress) -> PgResult<String> {
        let named = crate::ddl::named::CLASSES
            .iter()
            .find(|c| c.catalog == object.class);
        if let Some(named) = named {
            return self.describe_named(*named, object.object);
        }
        match object.class {
            oids::PG_AMOP | oids::PG_AMPROC => self.describe_member(object),
            oids::PG_CAST => self.describe_cast(object.object),
            oids::PG_POLICY => {
                let row = self.scan_for(oids::PG_POLICY, object.object)?;
                match row {
                    Some(row) => {
                        let relation = self.describe_relation(row.oid(pg_policy::POLRELID))?;
                        Ok(format!("policy {} on {relation}", row.text(pg_policy::POLNAME)))
                    }
                    None => Ok(format!("policy {}", object.object)),
                }
            }
            _ => Ok(format!("object {} of catalog {}", object.object, object.class)),
        }
    }

    fn describe_cast(&self, cast: Oid) -> PgResult<String> {
        let Some(row) = self.scan_for(oids::PG_CAST, cast)? else {
            return Ok(format!("cast {cast}"));
        };
        let view = self.view();
        let source = format_type(&view, row.oid(pg_cast::CASTSOURCE), -1)?;
        let target = format_type(&view, row.oid(pg_cast::CASTTARGET), -1)?;
        Ok(format!("cast from {source} to {target}"))
    }

    /// The row with an OID in a catalog whose first column is `oid`, without an index of ours.
    pub(crate) fn scan_for(&self, catalog: Oid, object: Oid) -> PgResult<Option<StoredRow>> {
        let rows = self.store.scan(catalog)?;
        Ok(rows.into_iter().find(|row| row.oid(pg_proc::OID) == object))
    }
}
