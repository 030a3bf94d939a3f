//! Tables, queries, cursors, schemas and the database as XML: `table_to_xml` and its kin.
//!
//! PG: src/backend/utils/adt/xml.c, "SQL to XML mapping functions".

use std::fmt::Write;

use common::{Oid, PgResult};

use xml::names::{Escape, from_identifier};

use crate::families::xml::schema;
use crate::families::xml::value::{Escaping, push_value};
use crate::framework::context::FnContext;
use crate::framework::macros::builtins;
use crate::framework::session::QueryRows;

/// The arguments that all of these functions share.
#[derive(Clone, Copy)]
pub(super) struct Shape<'a> {
    /// NULLs are elements.
    pub nulls: bool,
    /// Rows stand beside each other, without an element around them.
    pub forest: bool,
    /// The namespace of the elements.
    pub target: &'a str,
}

/// Whether an element is the outermost.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    Top,
    Inner,
}

/// All rows of a query.
const ALL: usize = usize::MAX;

fn open(out: &mut String, name: &str, schema: Option<&str>, target: &str, level: Level) {
    out.push('<');
    out.push_str(name);
    if level == Level::Top {
        out.push_str(" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"");
        if !target.is_empty() {
            let _ = write!(out, " xmlns=\"{target}\"");
        }
    }
    match schema {
        Some(_) if target.is_empty() => out.push_str(" xsi:noNamespaceSchemaLocation=\"#\""),
        Some(_) => {
            let _ = write!(out, " xsi:schemaLocation=\"{target} #\"");
        }
        None => {}
    }
    out.push_str(">\n");
}

fn close(out: &mut String, name: &str) {
    let _ = writeln!(out, "</{name}>");
}

/// What is printed: rows under a table's name, or under none.
struct Rows<'r> {
    table: Option<&'r str>,
    rows: &'r QueryRows,
    level: Level,
}

impl Rows<'_> {
    fn push_row(
        &self,
        row: &[types::Datum],
        s: Shape<'_>,
        ctx: &FnContext<'_>,
        out: &mut String,
    ) -> PgResult<()> {
        let name = self
            .table
            .map_or_else(|| "row".to_owned(), |t| from_identifier(t, Escape::Fully));
        if s.forest {
            open(out, &name, None, s.target, self.level);
        } else {
            out.push_str("<row>\n");
        }
        for (column, value) in self.rows.columns.iter().zip(row) {
            let column_name = from_identifier(&column.name, Escape::Fully);
            if !value.is_null() {
                let _ = write!(out, "  <{column_name}>");
                push_value(value, column.type_ref.oid, Escaping::Escaped, ctx, out)?;
                let _ = writeln!(out, "</{column_name}>");
            } else if s.nulls {
                let _ = writeln!(out, "  <{column_name} xsi:nil=\"true\"/>");
            }
        }
        if s.forest {
            close(out, &name);
            out.push('\n');
        } else {
            out.push_str("</row>\n\n");
        }
        Ok(())
    }

    fn push(
        &self,
        schema: Option<&str>,
        s: Shape<'_>,
        ctx: &FnContext<'_>,
        out: &mut String,
    ) -> PgResult<()> {
        let name = self
            .table
            .map_or_else(|| "table".to_owned(), |t| from_identifier(t, Escape::Fully));
        if !s.forest {
            open(out, &name, schema, s.target, self.level);
            out.push('\n');
        }
        if let Some(schema) = schema {
            let _ = write!(out, "{schema}\n\n");
        }
        for row in self.rows.rows.iter() {
            ctx.cancel.check()?;
            self.push_row(row, s, ctx, out)?;
        }
        if !s.forest {
            close(out, &name);
        }
        Ok(())
    }
}

fn push_table(
    table: Oid,
    schema: Option<&str>,
    s: Shape<'_>,
    level: Level,
    ctx: &FnContext<'_>,
    out: &mut String,
) -> PgResult<()> {
    let rows = ctx.session.query(&schema::select_all(table, ctx)?, ALL)?;
    let name = schema::table_names(table, ctx)?.1;
    let rows = Rows {
        table: Some(&name),
        rows: &rows,
        level,
    };
    rows.push(schema, s, ctx, out)
}

fn push_query(sql: &str, schema: Option<&str>, s: Shape<'_>, ctx: &FnContext<'_>) -> PgResult<String> {
    let rows = ctx.session.query(sql, ALL)?;
    let mut out = String::new();
    let rows = Rows {
        table: None,
        rows: &rows,
        level: Level::Top,
    };
    rows.push(schema, s, ctx, &mut out)?;
    Ok(out)
}

fn push_schema(
    name: &str,
    xsd: Option<&str>,
    s: Shape<'_>,
    level: Level,
    ctx: &FnContext<'_>,
    out: &mut String,
) -> PgResult<()> {
    let element = from_identifier(name, Escape::Fully);
    open(out, &element, xsd, s.target, level);
    out.push('\n');
    if let Some(xsd) = xsd {
        let _ = write!(out, "{xsd}\n\n");
    }
    for table in schema::tables_of(name, ctx)? {
        push_table(table, None, s, Level::Inner, ctx, out)?;
        out.push('\n');
    }
    close(out, &element);
    Ok(())
}

fn push_database(xsd: Option<&str>, s: Shape<'_>, ctx: &FnContext<'_>) -> PgResult<String> {
    let element = from_identifier(&ctx.session.current_database()?, Escape::Fully);
    let mut out = String::new();
    open(&mut out, &element, xsd, s.target, Level::Top);
    out.push('\n');
    if let Some(xsd) = xsd {
        let _ = write!(out, "{xsd}\n\n");
    }
    for name in schema::schemas(ctx)? {
        push_schema(&name, None, s, Level::Inner, ctx, &mut out)?;
        out.push('\n');
    }
    close(&mut out, &element);
    Ok(out)
}

fn shape(nulls: bool, forest: bool, target: &str) -> Shape<'_> {
    Shape {
        nulls,
        forest,
        target,
    }
}

fn table_to_xml(ctx: &mut FnContext<'_>, t: u32, n: bool, f: bool, ns: &str) -> PgResult<String> {
    let mut out = String::new();
    push_table(Oid(t), None, shape(n, f, ns), Level::Top, ctx, &mut out)?;
    Ok(out)
}

fn table_to_xmlschema(ctx: &mut FnContext<'_>, t: u32, n: bool, f: bool, ns: &str) -> PgResult<String> {
    schema::of_table(Oid(t), shape(n, f, ns), ctx)
}

fn table_to_xml_and_xmlschema(
    ctx: &mut FnContext<'_>,
    t: u32,
    n: bool,
    f: bool,
    ns: &str,
) -> PgResult<String> {
    let xsd = schema::of_table(Oid(t), shape(n, f, ns), ctx)?;
    let mut out = String::new();
    push_table(Oid(t), Some(&xsd), shape(n, f, ns), Level::Top, ctx, &mut out)?;
    Ok(out)
}

fn query_to_xml(ctx: &mut FnContext<'_>, sql: &str, n: bool, f: bool, ns: &str) -> PgResult<String> {
    push_query(sql, None, shape(n, f, ns), ctx)
}

fn query_to_xmlschema(ctx: &mut FnContext<'_>, sql: &str, n: bool, f: bool, ns: &str) -> PgResult<String> {
    let columns = ctx.session.query(sql, 0)?.columns;
    schema::of_columns(&columns, shape(n, f, ns), ctx)
}

fn query_to_xml_and_xmlschema(
    ctx: &mut FnContext<'_>,
    sql: &str,
    n: bool,
    f: bool,
    ns: &str,
) -> PgResult<String> {
    let xsd = query_to_xmlschema(ctx, sql, n, f, ns)?;
    push_query(sql, Some(&xsd), shape(n, f, ns), ctx)
}

fn cursor_to_xml(
    ctx: &mut FnContext<'_>,
    cursor: &str,
    count: i32,
    n: bool,
    f: bool,
    ns: &str,
) -> PgResult<String> {
    let rows = ctx.session.fetch(cursor, i64::from(count))?;
    let mut out = String::new();
    let rows = Rows {
        table: None,
        rows: &rows,
        level: Level::Top,
    };
    rows.push(None, shape(n, f, ns), ctx, &mut out)?;
    Ok(out)
}

fn cursor_to_xmlschema(
    ctx: &mut FnContext<'_>,
    cursor: &str,
    n: bool,
    f: bool,
    ns: &str,
) -> PgResult<String> {
    let columns = ctx.session.fetch(cursor, 0)?.columns;
    schema::of_columns(&columns, shape(n, f, ns), ctx)
}

fn schema_to_xml(ctx: &mut FnContext<'_>, name: &str, n: bool, f: bool, ns: &str) -> PgResult<String> {
    let mut out = String::new();
    push_schema(name, None, shape(n, f, ns), Level::Top, ctx, &mut out)?;
    Ok(out)
}

fn schema_to_xmlschema(ctx: &mut FnContext<'_>, name: &str, n: bool, f: bool, ns: &str) -> PgResult<String> {
    schema::of_schema(name, shape(n, f, ns), ctx)
}

fn schema_to_xml_and_xmlschema(
    ctx: &mut FnContext<'_>,
    name: &str,
    n: bool,
    f: bool,
    ns: &str,
) -> PgResult<String> {
    let xsd = schema::of_schema(name, shape(n, f, ns), ctx)?;
    let mut out = String::new();
    push_schema(name, Some(&xsd), shape(n, f, ns), Level::Top, ctx, &mut out)?;
    Ok(out)
}

fn database_to_xml(ctx: &mut FnContext<'_>, n: bool, f: bool, ns: &str) -> PgResult<String> {
    push_database(None, shape(n, f, ns), ctx)
}

fn database_to_xmlschema(ctx: &mut FnContext<'_>, n: bool, f: bool, ns: &str) -> PgResult<String> {
    schema::of_database(shape(n, f, ns), ctx)
}

fn database_to_xml_and_xmlschema(ctx: &mut FnContext<'_>, n: bool, f: bool, ns: &str) -> PgResult<String> {
    let xsd = schema::of_database(shape(n, f, ns), ctx)?;
    push_database(Some(&xsd), shape(n, f, ns), ctx)
}

builtins! {
    table_to_xml(ctx, a: regclass, b: bool, c: bool, d: text) -> xml;
    table_to_xmlschema(ctx, a: regclass, b: bool, c: bool, d: text) -> xml;
    table_to_xml_and_xmlschema(ctx, a: regclass, b: bool, c: bool, d: text) -> xml;
    query_to_xml(ctx, a: text, b: bool, c: bool, d: text) -> xml;
    query_to_xmlschema(ctx, a: text, b: bool, c: bool, d: text) -> xml;
    query_to_xml_and_xmlschema(ctx, a: text, b: bool, c: bool, d: text) -> xml;
    cursor_to_xml(ctx, a: refcursor, b: int4, c: bool, d: bool, e: text) -> xml;
    cursor_to_xmlschema(ctx, a: refcursor, b: bool, c: bool, d: text) -> xml;
    schema_to_xml(ctx, a: name, b: bool, c: bool, d: text) -> xml;
    schema_to_xmlschema(ctx, a: name, b: bool, c: bool, d: text) -> xml;
    schema_to_xml_and_xmlschema(ctx, a: name, b: bool, c: bool, d: text) -> xml;
    database_to_xml(ctx, a: bool, b: bool, c: text) -> xml;
    database_to_xmlschema(ctx, a: bool, b: bool, c: text) -> xml;
    database_to_xml_and_xmlschema(ctx, a: bool, b: bool, c: text) -> xml;
}
