//! JSON_TABLE as text.
//!
//! PG: src/backend/utils/adt/ruleutils.c (`get_json_table`).

use common::PgResult;
use nodes::Expr;
use nodes::json::{
    JsonExpr, JsonExprKind, JsonQuery, JsonQueryOp, JsonTable, JsonTableColumn, JsonTablePath,
};

use crate::deparse::{INDENT, Implicit, Writer, constant};
use crate::format_type::format_type;
use crate::names::quote_identifier;
use crate::view::CatalogView;

impl Writer<'_> {
    pub(super) fn json_table(&mut self, j: &JsonExpr, table: &JsonTable) -> PgResult<()> {
        self.push("JSON_TABLE(");
        self.indent(INDENT);
        self.keyword("", 0, 0, 0);
        if let Some(item) = j.args.first() {
            self.expr(item, Implicit::Shown)?;
        }
        self.push(", ");
        self.json_table_path(&table.root);
        if !table.passing.is_empty() {
            self.push(" ");
            self.keyword("PASSING ", 0, 0, 0);
            self.indent(INDENT);
            for (k, name) in table.passing.iter().enumerate() {
                self.push(if k > 0 { ", " } else { "" });
                self.keyword("", 0, 0, 0);
                if let Some(value) = j.args.get(2 + k) {
                    self.expr(value, Implicit::Hidden)?;
                }
                self.push(" AS ");
                self.push(&quote_identifier(name));
            }
            self.indent(-INDENT);
        }
        self.json_table_columns(j, table, &table.root)?;
        if table.error_on_error {
            self.push(" ERROR ON ERROR");
        }
        self.indent(-INDENT);
        self.keyword(")", 0, 0, 0);
        Ok(())
    }

    fn indent(&mut self, by: i32) {
        if self.style.indent {
            self.level += by;
        }
    }

    fn json_table_path(&mut self, path: &JsonTablePath) {
        let text = constant::quote_literal(&path.path);
        self.push(&format!("{text} AS {}", quote_identifier(&path.name)));
    }

    fn json_table_columns(&mut self, j: &JsonExpr, table: &JsonTable, path: &JsonTablePath) -> PgResult<()> {
        self.push(" ");
        self.keyword("COLUMNS (", 0, 0, 0);
        self.indent(INDENT);
        let mut first = true;
        for column in path.columns.iter().filter_map(|at| table.columns.get(*at)) {
            self.push(if first { "" } else { ", " });
            first = false;
            self.keyword("", 0, 0, 0);
            self.json_table_column(j, table, column)?;
        }
        for nested in &path.nested {
            self.push(if first { " " } else { ", " });
            first = false;
            self.keyword("NESTED PATH ", 0, 0, 0);
            self.json_table_path(nested);
            self.json_table_columns(j, table, nested)?;
        }
        self.indent(-INDENT);
        self.keyword(")", 0, 0, 0);
        Ok(())
    }

    fn json_table_column(
        &mut self,
        j: &JsonExpr,
        table: &JsonTable,
        column: &JsonTableColumn,
    ) -> PgResult<()> {
        self.push(&quote_identifier(&column.name));
        let Some(of) = column.arg.and_then(|at| j.args.get(at)) else {
            self.push(" FOR ORDINALITY");
            return Ok(());
        };
        let view = self.ctx.view;
        let shown = format_type(view, column.type_ref.oid, column.type_ref.typmod)?;
        self.push(&format!(" {shown}"));
        let Some((query, q)) = query_of(of) else {
            return Ok(());
        };
        match q.op {
            JsonQueryOp::Exists => self.push(" EXISTS"),
            JsonQueryOp::Query if is_string(view, column)? => self.push(" FORMAT JSON"),
            _ => {}
        }
        self.push(" PATH ");
        if let Some(Expr::Const(path)) = query.args.get(1) {
            let text = constant::quote_literal(path.value.as_str().unwrap_or_default());
            self.push(&text);
        }
        // What the whole table says holds for its columns.
        let mut q = q.clone();
        if table.error_on_error && q.on_error.kind == nodes::json::JsonBehaviorKind::Error {
            q.on_error.kind = match q.op {
                JsonQueryOp::Exists => nodes::json::JsonBehaviorKind::False,
                _ => nodes::json::JsonBehaviorKind::Null,
            };
        }
        self.json_options(query, &q)
    }
}

/// The query function of a column, below the casts to its type.
fn query_of(e: &Expr) -> Option<(&JsonExpr, &JsonQuery)> {
    match e {
        Expr::Json(j) => match &j.kind {
            JsonExprKind::Query(q) => Some((j, q)),
            _ => None,
        },
        Expr::Relabel(r) => query_of(&r.arg),
        Expr::Func(f) => f.args.first().and_then(query_of),
        Expr::CoerceViaIo(c) => query_of(&c.arg),
        _ => None,
    }
}

fn is_string(view: &dyn CatalogView, column: &JsonTableColumn) -> PgResult<bool> {
    let desc = view.type_desc(column.type_ref.oid)?;
    Ok(desc.is_some_and(|d| d.category == b'S'))
}
