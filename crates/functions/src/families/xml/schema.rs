//! XML Schemas of tables, queries, schemas and the database.

use std::fmt::Write;

use common::{Oid, PgResult, pg_err};
use types::io::{self, UserType};
use types::settings::TypeRef;
use types::xml::XmlBinary;
use types::{Datum, oids};
use xml::names::{Escape, from_identifier};

use crate::families::quote::quote_literal_text;
use crate::families::xml::mapping::Shape;
use crate::framework::context::FnContext;
use crate::framework::session::QueryColumn;

const VISIBLE_RELATIONS: &str =
    "relkind IN ('r', 'm', 'v') AND pg_catalog.has_table_privilege(oid, 'SELECT')";
const VISIBLE_SCHEMAS: &str = "SELECT nspname FROM pg_catalog.pg_namespace \
    WHERE pg_catalog.has_schema_privilege(oid, 'USAGE') AND nspname !~ '^pg_' AND nspname <> 'information_schema' \
    ORDER BY nspname";

/// Rows of a query over the catalogs, as texts.
fn texts(sql: &str, ctx: &FnContext<'_>) -> PgResult<Vec<Vec<String>>> {
    let found = ctx.session.query(sql, usize::MAX)?;
    let text = |d: &Datum| d.as_str().map(str::to_owned).unwrap_or_default();
    Ok(found
        .rows
        .iter()
        .map(|row| row.iter().map(text).collect())
        .collect())
}

/// A query for all rows of a relation.
pub(super) fn select_all(table: Oid, ctx: &FnContext<'_>) -> PgResult<String> {
    let mut name = String::new();
    io::output(oids::REGCLASS, &Datum::Oid(table.0), &ctx.io(), &mut name)?;
    Ok(format!("SELECT * FROM {name}"))
}

/// Schema and name of a relation.
pub(super) fn table_names(table: Oid, ctx: &FnContext<'_>) -> PgResult<(String, String)> {
    let sql = format!(
        "SELECT n.nspname::text, c.relname::text FROM pg_catalog.pg_class c \
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = {table}"
    );
    match texts(&sql, ctx)?.into_iter().next().as_deref() {
        Some([schema, name]) => Ok((schema.clone(), name.clone())),
        _ => Err(pg_err!(
            UNDEFINED_TABLE,
            "relation with OID {table} does not exist"
        )),
    }
}

/// The relations of a schema that the user may read.
pub(super) fn tables_of(schema: &str, ctx: &FnContext<'_>) -> PgResult<Vec<Oid>> {
    let literal = quote_literal_text(schema);
    let known = format!("SELECT nspname::text FROM pg_catalog.pg_namespace WHERE nspname = {literal}");
    if texts(&known, ctx)?.is_empty() {
        return Err(pg_err!(INVALID_SCHEMA_NAME, "schema \"{schema}\" does not exist"));
    }
    let sql = format!(
        "SELECT oid FROM pg_catalog.pg_class WHERE relnamespace = \
         (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = {literal}) AND {VISIBLE_RELATIONS} ORDER BY relname"
    );
    let found = ctx.session.query(&sql, usize::MAX)?;
    Ok(found
        .rows
        .iter()
        .filter_map(|row| row.first()?.as_oid())
        .collect())
}

/// The schemas that the user may look into, the system's apart.
pub(super) fn schemas(ctx: &FnContext<'_>) -> PgResult<Vec<String>> {
    Ok(texts(VISIBLE_SCHEMAS, ctx)?.into_iter().flatten().collect())
}

fn columns_of(table: Oid, ctx: &FnContext<'_>) -> PgResult<Vec<QueryColumn>> {
    Ok(ctx.session.query(&select_all(table, ctx)?, 0)?.columns)
}

/// A name of several parts.
fn multipart(parts: &[&str]) -> String {
    let parts: Vec<String> = parts
        .iter()
        .map(|p| from_identifier(p, Escape::WithPeriods))
        .collect();
    parts.join(".")
}

/// The domain's base type, with the modifier that the domain adds.
fn domain_base(type_oid: Oid, ctx: &FnContext<'_>) -> PgResult<Option<TypeRef>> {
    if type_oid < Oid::FIRST_NORMAL {
        return Ok(None);
    }
    let mut found = None;
    let mut at = type_oid;
    while at >= Oid::FIRST_NORMAL
        && let Some(UserType::Domain { base, typmod }) = ctx.io().names().user_type(at)?
    {
        let before = found.map_or(-1, |t: TypeRef| t.typmod);
        found = Some(TypeRef {
            oid: base,
            typmod: if before == -1 { typmod } else { before },
        });
        at = base;
    }
    Ok(found)
}

/// What a type is called in a schema.
fn type_name(t: TypeRef, ctx: &FnContext<'_>) -> PgResult<String> {
    let sized = |name: &str, size: i32| match t.typmod {
        -1 => name.to_owned(),
        _ => format!("{name}_{size}"),
    };
    Ok(match t.oid {
        oids::BPCHAR => sized("CHAR", t.typmod - 4),
        oids::VARCHAR => sized("VARCHAR", t.typmod - 4),
        oids::NUMERIC if t.typmod == -1 => "NUMERIC".to_owned(),
        oids::NUMERIC => {
            let typmod = t.typmod - 4;
            format!("NUMERIC_{}_{}", (typmod >> 16) & 0xffff, typmod & 0xffff)
        }
        oids::INT4 => "INTEGER".to_owned(),
        oids::INT2 => "SMALLINT".to_owned(),
        oids::INT8 => "BIGINT".to_owned(),
        oids::FLOAT4 => "REAL".to_owned(),
        oids::FLOAT8 => "DOUBLE".to_owned(),
        oids::BOOL => "BOOLEAN".to_owned(),
        oids::TIME => sized("TIME", t.typmod),
        oids::TIMETZ => sized("TIME_WTZ", t.typmod),
        oids::TIMESTAMP => sized("TIMESTAMP", t.typmod),
        oids::TIMESTAMPTZ => sized("TIMESTAMP_WTZ", t.typmod),
        oids::DATE => "DATE".to_owned(),
        oids::XML => "XML".to_owned(),
        other => {
            let sql = format!(
                "SELECT n.nspname::text, t.typname::text, t.typtype::text FROM pg_catalog.pg_type t \
                 JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace WHERE t.oid = {other}"
            );
            match texts(&sql, ctx)?.into_iter().next().as_deref() {
                Some([schema, name, kind]) => {
                    let word = if kind == "d" { "Domain" } else { "UDT" };
                    multipart(&[word, &ctx.session.current_database()?, schema, name])
                }
                _ => return Err(common::internal!("cache lookup failed for type {other}")),
            }
        }
    })
}

const TIME_PATTERN: &str = r"\p{Nd}{2}:\p{Nd}{2}:\p{Nd}{2}(.\p{Nd}+)?";
const DATE_PATTERN: &str = r"\p{Nd}{4}-\p{Nd}{2}-\p{Nd}{2}";
const ZONE_PATTERN: &str = r"(\+|-)\p{Nd}{2}:\p{Nd}{2}";

/// The definition of a type.
fn push_type(type_oid: Oid, ctx: &FnContext<'_>, out: &mut String) -> PgResult<()> {
    if type_oid == oids::XML {
        out.push_str(
            "<xsd:complexType mixed=\"true\">\n  <xsd:sequence>\n    <xsd:any name=\"element\" minOccurs=\"0\" \
             maxOccurs=\"unbounded\" processContents=\"skip\"/>\n  </xsd:sequence>\n</xsd:complexType>\n",
        );
        return Ok(());
    }
    let name = type_name(TypeRef::plain(type_oid), ctx)?;
    let _ = writeln!(out, "<xsd:simpleType name=\"{name}\">");
    let open = |base: &str| format!("  <xsd:restriction base=\"xsd:{base}\">\n  </xsd:restriction>\n");
    let bare = |base: &str| format!("  <xsd:restriction base=\"xsd:{base}\"></xsd:restriction>\n");
    let range = |base: &str, min: i64, max: i64| {
        format!(
            "  <xsd:restriction base=\"xsd:{base}\">\n    <xsd:maxInclusive value=\"{max}\"/>\n    \
             <xsd:minInclusive value=\"{min}\"/>\n  </xsd:restriction>\n"
        )
    };
    let pattern = |base: &str, pattern: String| {
        format!(
            "  <xsd:restriction base=\"xsd:{base}\">\n    <xsd:pattern value=\"{pattern}\"/>\n  </xsd:restriction>\n"
        )
    };
    let body = match type_oid {
        oids::BPCHAR | oids::VARCHAR | oids::TEXT => open("string"),
        oids::BYTEA => open(match ctx.settings.xml_binary {
            XmlBinary::Base64 => "base64Binary",
            XmlBinary::Hex => "hexBinary",
        }),
        oids::NUMERIC => String::new(),
        oids::INT2 => range("short", i64::from(i16::MIN), i64::from(i16::MAX)),
        oids::INT4 => range("int", i64::from(i32::MIN), i64::from(i32::MAX)),
        oids::INT8 => range("long", i64::MIN, i64::MAX),
        oids::FLOAT4 => bare("float"),
        oids::FLOAT8 => bare("double"),
        oids::BOOL => bare("boolean"),
        oids::TIME => pattern("time", TIME_PATTERN.to_owned()),
        oids::TIMETZ => pattern("time", format!("{TIME_PATTERN}{ZONE_PATTERN}")),
        oids::TIMESTAMP => pattern("dateTime", format!("{DATE_PATTERN}T{TIME_PATTERN}")),
        oids::TIMESTAMPTZ => pattern("dateTime", format!("{DATE_PATTERN}T{TIME_PATTERN}{ZONE_PATTERN}")),
        oids::DATE => pattern("date", DATE_PATTERN.to_owned()),
        _ => match domain_base(type_oid, ctx)? {
            Some(base) => format!("  <xsd:restriction base=\"{}\"/>\n", type_name(base, ctx)?),
            None => String::new(),
        },
    };
    out.push_str(&body);
    out.push_str("</xsd:simpleType>\n");
    Ok(())
}

/// Definitions of all types of the columns, and of those below domains.
fn push_types<'c>(
    columns: impl Iterator<Item = &'c QueryColumn>,
    ctx: &FnContext<'_>,
    out: &mut String,
) -> PgResult<()> {
    let mut types: Vec<Oid> = Vec::new();
    for column in columns {
        if !types.contains(&column.type_ref.oid) {
            types.push(column.type_ref.oid);
        }
    }
    for k in 0..types.len() {
        if let Some(base) = domain_base(types[k], ctx)?
            && !types.contains(&base.oid)
        {
            types.push(base.oid);
        }
    }
    for type_oid in types {
        push_type(type_oid, ctx, out)?;
        out.push('\n');
    }
    Ok(())
}

fn begin(s: Shape<'_>) -> String {
    let mut out = String::from("<xsd:schema\n    xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\"");
    if !s.target.is_empty() {
        let _ = write!(
            out,
            "\n    targetNamespace=\"{}\"\n    elementFormDefault=\"qualified\"",
            s.target
        );
    }
    out.push_str(">\n\n");
    out
}

fn end(mut out: String) -> String {
    out.push_str("</xsd:schema>");
    out
}

/// Names of a table's element and types.
struct TableNames {
    element: String,
    row: String,
    table: String,
}

fn push_table(
    names: &TableNames,
    columns: &[QueryColumn],
    s: Shape<'_>,
    ctx: &FnContext<'_>,
    out: &mut String,
) -> PgResult<()> {
    let _ = write!(
        out,
        "<xsd:complexType name=\"{}\">\n  <xsd:sequence>\n",
        names.row
    );
    for column in columns {
        let name = from_identifier(&column.name, Escape::Fully);
        let of = type_name(TypeRef::plain(column.type_ref.oid), ctx)?;
        let absent = if s.nulls {
            "nillable=\"true\""
        } else {
            "minOccurs=\"0\""
        };
        let _ = writeln!(
            out,
            "    <xsd:element name=\"{name}\" type=\"{of}\" {absent}></xsd:element>"
        );
    }
    out.push_str("  </xsd:sequence>\n</xsd:complexType>\n\n");
    let root = if s.forest { &names.row } else { &names.table };
    if !s.forest {
        let _ = write!(
            out,
            "<xsd:complexType name=\"{}\">\n  <xsd:sequence>\n    <xsd:element name=\"row\" type=\"{}\" \
             minOccurs=\"0\" maxOccurs=\"unbounded\"/>\n  </xsd:sequence>\n</xsd:complexType>\n\n",
            names.table, names.row
        );
    }
    let _ = write!(
        out,
        "<xsd:element name=\"{}\" type=\"{root}\"/>\n\n",
        names.element
    );
    Ok(())
}

/// The schema of a table's rows.
pub(super) fn of_table(table: Oid, s: Shape<'_>, ctx: &FnContext<'_>) -> PgResult<String> {
    let name = io::to_text(oids::REGCLASS, &Datum::Oid(table.0), &ctx.io())?;
    if name == "-" || name.bytes().all(|b| b.is_ascii_digit()) {
        return Err(common::internal!("could not open relation with OID {table}"));
    }
    let columns = columns_of(table, ctx)?;
    let (schema, name) = table_names(table, ctx)?;
    let database = ctx.session.current_database()?;
    let names = TableNames {
        element: from_identifier(&name, Escape::Fully),
        row: multipart(&["RowType", &database, &schema, &name]),
        table: multipart(&["TableType", &database, &schema, &name]),
    };
    let mut out = begin(s);
    push_types(columns.iter(), ctx, &mut out)?;
    push_table(&names, &columns, s, ctx, &mut out)?;
    Ok(end(out))
}

/// The schema of a query's rows.
pub(super) fn of_columns(columns: &[QueryColumn], s: Shape<'_>, ctx: &FnContext<'_>) -> PgResult<String> {
    let names = TableNames {
        element: if s.forest { "row" } else { "table" }.to_owned(),
        row: "RowType".to_owned(),
        table: "TableType".to_owned(),
    };
    let mut out = begin(s);
    push_types(columns.iter(), ctx, &mut out)?;
    push_table(&names, columns, s, ctx, &mut out)?;
    Ok(end(out))
}

/// The schema of a whole schema.
pub(super) fn of_schema(schema: &str, s: Shape<'_>, ctx: &FnContext<'_>) -> PgResult<String> {
    let tables = tables_of(schema, ctx)?;
    let mut columns = Vec::new();
    for &table in &tables {
        columns.extend(columns_of(table, ctx)?);
    }
    let database = ctx.session.current_database()?;
    let type_name = multipart(&["SchemaType", &database, schema]);
    let mut out = begin(s);
    push_types(columns.iter(), ctx, &mut out)?;
    let group = if s.forest { "sequence" } else { "all" };
    let _ = write!(out, "<xsd:complexType name=\"{type_name}\">\n  <xsd:{group}>\n");
    for table in tables {
        let name = table_names(table, ctx)?.1;
        let word = if s.forest { "RowType" } else { "TableType" };
        let of = multipart(&[word, &database, schema, &name]);
        let many = if s.forest {
            " minOccurs=\"0\" maxOccurs=\"unbounded\""
        } else {
            ""
        };
        let element = from_identifier(&name, Escape::Fully);
        let _ = writeln!(out, "    <xsd:element name=\"{element}\" type=\"{of}\"{many}/>");
    }
    let element = from_identifier(schema, Escape::Fully);
    let _ = write!(
        out,
        "  </xsd:{group}>\n</xsd:complexType>\n\n<xsd:element name=\"{element}\" type=\"{type_name}\"/>\n\n"
    );
    Ok(end(out))
}

/// The schema of the whole database.
pub(super) fn of_database(s: Shape<'_>, ctx: &FnContext<'_>) -> PgResult<String> {
    let database = ctx.session.current_database()?;
    let type_name = multipart(&["CatalogType", &database]);
    let schemas = schemas(ctx)?;
    let mut columns = Vec::new();
    for schema in &schemas {
        for table in tables_of(schema, ctx)? {
            columns.extend(columns_of(table, ctx)?);
        }
    }
    let mut out = begin(s);
    push_types(columns.iter(), ctx, &mut out)?;
    let _ = write!(out, "<xsd:complexType name=\"{type_name}\">\n  <xsd:all>\n");
    for schema in &schemas {
        let of = multipart(&["SchemaType", &database, schema]);
        let element = from_identifier(schema, Escape::Fully);
        let _ = writeln!(out, "    <xsd:element name=\"{element}\" type=\"{of}\"/>");
    }
    let element = from_identifier(&database, Escape::Fully);
    let _ = write!(
        out,
        "  </xsd:all>\n</xsd:complexType>\n\n<xsd:element name=\"{element}\" type=\"{type_name}\"/>\n\n"
    );
    Ok(end(out))
}
