//! Names of types as SQL writes them: `format_type`.

use common::{Oid, PgResult};
use types::oids as t;

use crate::names;
use crate::oids;
use crate::view::CatalogView;

/// The SQL spelling of a type with its modifier (-1: none, and none is shown); qualified when the search path does not find it.
pub fn format_type(view: &dyn CatalogView, oid: Oid, typmod: i32) -> PgResult<String> {
    if !oid.is_valid() {
        return Ok("-".to_owned());
    }
    let Some(desc) = view.type_desc(oid)? else {
        return Ok("???".to_owned());
    };
    if desc.is_array && !matches!(oid, t::INT2VECTOR | t::OIDVECTOR) {
        return Ok(format!("{}[]", format_type(view, desc.element, typmod)?));
    }
    if let Some(name) = special_name(oid, typmod)? {
        return Ok(name);
    }
    let visible = view
        .type_by_name(None, &desc.name)?
        .is_some_and(|found| found.oid == oid);
    let schema = if visible || desc.namespace == oids::PG_CATALOG_NAMESPACE {
        None
    } else {
        view.namespace_name(desc.namespace)?
    };
    let name = names::quote_qualified(schema.as_deref(), &desc.name);
    Ok(if typmod >= 0 {
        format!("{name}({typmod})")
    } else {
        name
    })
}

/// Types whose SQL name is not their `typname`.
fn special_name(oid: Oid, typmod: i32) -> PgResult<Option<String>> {
    let with = typmod >= 0;
    let length = |name: &str, subtract: i32| {
        if typmod > subtract {
            format!("{name}({})", typmod - subtract)
        } else {
            name.to_owned()
        }
    };
    let precision = |name: &str, rest: &str| match with {
        true => format!("{name}({typmod}){rest}"),
        false => format!("{name}{rest}"),
    };
    Ok(Some(match oid {
        t::BOOL => "boolean".to_owned(),
        t::INT2 => "smallint".to_owned(),
        t::INT4 => "integer".to_owned(),
        t::INT8 => "bigint".to_owned(),
        t::FLOAT4 => "real".to_owned(),
        t::FLOAT8 => "double precision".to_owned(),
        t::CHAR => "\"char\"".to_owned(),
        // `character` alone would mean character(1).
        t::BPCHAR if with => length("character", 4),
        t::BPCHAR => "bpchar".to_owned(),
        t::VARCHAR => length("character varying", 4),
        t::BIT if with => length("bit", 0),
        // `bit` alone would mean bit(1).
        t::BIT => "\"bit\"".to_owned(),
        // A key word, but one that names the type.
        t::JSON => "json".to_owned(),
        t::VARBIT => length("bit varying", 0),
        // Below the header's size it says nothing.
        t::NUMERIC if typmod >= 4 => {
            let packed = typmod - 4;
            // The scale has 11 bits and a sign.
            format!(
                "numeric({},{})",
                (packed >> 16) & 0xffff,
                ((packed & 0x7ff) ^ 1024) - 1024
            )
        }
        t::NUMERIC => "numeric".to_owned(),
        t::TIME => precision("time", " without time zone"),
        t::TIMETZ => precision("time", " with time zone"),
        t::TIMESTAMP => precision("timestamp", " without time zone"),
        t::TIMESTAMPTZ => precision("timestamp", " with time zone"),
        t::INTERVAL => return interval_name(typmod).map(Some),
        _ => return Ok(None),
    }))
}

/// `interval`, its fields, its precision: fields in the upper half of the modifier, precision in the lower.
fn interval_name(typmod: i32) -> PgResult<String> {
    if typmod < 0 {
        return Ok("interval".to_owned());
    }
    const MONTH: i32 = 1 << 1;
    const YEAR: i32 = 1 << 2;
    const DAY: i32 = 1 << 3;
    const HOUR: i32 = 1 << 10;
    const MINUTE: i32 = 1 << 11;
    const SECOND: i32 = 1 << 12;
    let (fields, precision) = ((typmod >> 16) & 0x7fff, typmod & 0xffff);
    let words = [
        (YEAR, " year"),
        (MONTH, " month"),
        (DAY, " day"),
        (HOUR, " hour"),
        (MINUTE, " minute"),
        (SECOND, " second"),
        (YEAR | MONTH, " year to month"),
        (DAY | HOUR, " day to hour"),
        (DAY | HOUR | MINUTE, " day to minute"),
        (DAY | HOUR | MINUTE | SECOND, " day to second"),
        (HOUR | MINUTE, " hour to minute"),
        (HOUR | MINUTE | SECOND, " hour to second"),
        (MINUTE | SECOND, " minute to second"),
    ];
    const ALL_FIELDS: i32 = 0x7fff;
    let words = match words.iter().find(|w| w.0 == fields) {
        Some((_, words)) => words,
        None if fields == ALL_FIELDS => "",
        None => return Err(common::internal!("invalid INTERVAL typmod: {typmod:#x}")),
    };
    Ok(match precision {
        0xffff => format!("interval{words}"),
        digits => format!("interval{words}({digits})"),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::builtin_view;

    #[test]
    fn spells_types_as_postgres() {
        let spell = |oid, typmod| format_type(&builtin_view(), oid, typmod).unwrap();
        assert_eq!(spell(t::INT4, -1), "integer");
        assert_eq!(spell(t::INT4_ARRAY, -1), "integer[]");
        assert_eq!(spell(t::VARCHAR, 14), "character varying(10)");
        assert_eq!(spell(t::NUMERIC, (10 << 16 | 2) + 4), "numeric(10,2)");
        assert_eq!(spell(t::NUMERIC, (3 << 16 | (-2 & 0x7ff)) + 4), "numeric(3,-2)");
        assert_eq!(spell(t::TIMESTAMPTZ, 3), "timestamp(3) with time zone");
        assert_eq!(spell(t::INTERVAL, -1), "interval");
        assert_eq!(spell(t::TEXT, -1), "text");
        assert_eq!(spell(Oid(12440), -1), "information_schema.sql_identifier");
        assert_eq!(spell(Oid(0), -1), "-");
    }
}
