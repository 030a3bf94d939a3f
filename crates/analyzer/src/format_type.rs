//! How types are named in messages and by `format_type`.
//!
//! PG: src/backend/utils/adt/format_type.c.

use common::{Oid, PgResult};
use types::oids;
use types::settings::TypeRef;

use crate::state::Analyzer;

impl Analyzer<'_> {
    /// The type's SQL name (`integer`, `character varying`, `myschema.mytype[]`) as messages show it.
    pub fn format_type(&self, oid: Oid) -> String {
        self.format_type_checked(oid)
            .unwrap_or_else(|_| "???".to_string())
    }

    fn format_type_checked(&self, oid: Oid) -> PgResult<String> {
        if !oid.is_valid() {
            return Ok("-".to_string());
        }
        let Some(t) = self.cx.catalog.type_desc(oid)? else {
            return Ok("???".to_string());
        };
        if t.is_array {
            let element = self.format_type_checked(t.element)?;
            return Ok(format!("{element}[]"));
        }
        if let Some(name) = sql_name(oid) {
            return Ok(name.to_string());
        }
        let visible = self
            .cx
            .catalog
            .type_by_name(None, &t.name)?
            .is_some_and(|found| found.oid == oid);
        let name = quote_identifier(&t.name);
        if visible {
            return Ok(name);
        }
        match self.cx.catalog.namespace_name(t.namespace)? {
            Some(schema) => Ok(format!("{}.{name}", quote_identifier(&schema))),
            None => Ok(name),
        }
    }

    /// With the modifier: `character varying(10)`, `numeric(10,2)`.
    pub fn format_type_with_typmod(&self, type_ref: TypeRef) -> String {
        let name = self.format_type(type_ref.oid);
        if type_ref.typmod < 0 {
            return name;
        }
        let (base, brackets) = match name.strip_suffix("[]") {
            Some(base) => (base.to_string(), "[]"),
            None => (name, ""),
        };
        let element = match self.element_type(type_ref.oid) {
            Ok(e) if e.is_valid() => e,
            _ => type_ref.oid,
        };
        let m = type_ref.typmod;
        let with = match element {
            oids::BPCHAR | oids::VARCHAR => format!("{base}({})", m - 4),
            oids::BIT | oids::VARBIT => format!("{base}({m})"),
            oids::NUMERIC => {
                let (p, s) = ((m - 4) >> 16 & 0xffff, (((m - 4) & 0x7ff) ^ 1024) - 1024);
                format!("{base}({p},{s})")
            }
            oids::TIMESTAMP | oids::TIMESTAMPTZ | oids::TIME | oids::TIMETZ => match base.split_once(' ') {
                Some((first, rest)) => format!("{first}({m}) {rest}"),
                None => format!("{base}({m})"),
            },
            _ => base,
        };
        format!("{with}{brackets}")
    }
}

fn sql_name(oid: Oid) -> Option<&'static str> {
    Some(match oid {
        oids::BIT => "bit",
        oids::BOOL => "boolean",
        oids::BPCHAR => "character",
        oids::FLOAT4 => "real",
        oids::FLOAT8 => "double precision",
        oids::INT2 => "smallint",
        oids::INT4 => "integer",
        oids::INT8 => "bigint",
        oids::NUMERIC => "numeric",
        oids::INTERVAL => "interval",
        oids::TIME => "time without time zone",
        oids::TIMETZ => "time with time zone",
        oids::TIMESTAMP => "timestamp without time zone",
        oids::TIMESTAMPTZ => "timestamp with time zone",
        oids::VARBIT => "bit varying",
        oids::VARCHAR => "character varying",
        oids::JSON => "json",
        _ => return None,
    })
}

/// An identifier, quoted when it has to be.
pub(crate) fn quote_identifier(name: &str) -> String {
    parser::quote_identifier(name).to_string()
}
