//! `pg_get_expr`, `pg_get_indexdef`, `pg_get_constraintdef`: stored definitions as SQL text.

use std::fmt::Write as _;

use catalog::CatalogView;
use catalog::columns::pg_constraint;
use catalog::deparse::{self, Deparse, Style};
use catalog::desc::{ConstraintDesc, IndexDesc, RelationDesc};
use catalog::names::{quote_identifier, quote_qualified};
use catalog::oids;
use catalog::store::{CatalogRead, key_oid};
use common::{Oid, PgResult, unsupported};
use nodes::Expr;
use types::io::IoContext;

use crate::session::names::Names;

impl Names {
    pub(super) fn print(
        &self,
        expr: &Expr,
        relation: Option<&RelationDesc>,
        style: Style,
    ) -> PgResult<String> {
        let settings = self.settings();
        let io = IoContext {
            settings: &settings,
            resolver: Some(self),
            cancel: common::cancel::CancelToken::never(),
        };
        let ctx = Deparse {
            view: &*self.view,
            relation,
            io,
        };
        deparse::styled_expression(&ctx, expr, style)
    }

    /// The query of a view, with a semicolon; `None` for what is no view.
    pub fn view_definition(&self, oid: Oid, style: Style) -> PgResult<Option<String>> {
        let Some(desc) = self.view.relation(oid)? else {
            return Ok(None);
        };
        let Some(text) = desc
            .view_definition
            .as_ref()
            .filter(|_| matches!(desc.relkind, b'v' | b'm'))
        else {
            return Ok(None);
        };
        if oid < Oid::FIRST_NORMAL {
            return Ok(Some(format!(" {};", text.trim_end())));
        }
        let query = std::sync::Arc::new(nodes::serial::decode_query(text)?);
        let settings = self.settings();
        let ctx = Deparse {
            view: &*self.view,
            relation: None,
            io: IoContext {
                settings: &settings,
                resolver: Some(self),
                cancel: common::cancel::CancelToken::never(),
            },
        };
        let columns: Vec<_> = desc.columns.iter().map(|c| c.name.clone()).collect();
        Ok(Some(format!(
            "{};",
            deparse::query(&ctx, &query, &columns, style)?
        )))
    }

    /// The parameters of a function as CREATE FUNCTION lists them.
    pub fn function_arguments(&self, oid: Oid, defaults: bool) -> PgResult<Option<String>> {
        let Some(f) = self.view.function(oid)? else {
            return Ok(None);
        };
        let all = if f.all_arg_types.is_empty() {
            &f.arg_types
        } else {
            &f.all_arg_types
        };
        let order_by = match f.kind {
            b'a' => self.view.aggregate(oid)?.filter(|a| a.kind != b'n'),
            _ => None,
        };
        let builtin = functions::facts::proc(oid).and_then(|p| p.extra);
        let (mut out, mut inputs) = (String::new(), 0_usize);
        for (at, type_oid) in all.iter().enumerate() {
            let mode = f.arg_modes.get(at).copied().unwrap_or(b'i');
            if mode == b't' || !defaults && mode == b'o' {
                continue;
            }
            let input = matches!(mode, b'i' | b'b' | b'v');
            let ordered = order_by
                .as_ref()
                .is_some_and(|a| inputs == a.direct_args.max(0) as usize);
            match (ordered, out.is_empty()) {
                (true, true) => out.push_str("ORDER BY "),
                (true, false) => out.push_str(" ORDER BY "),
                (false, false) => out.push_str(", "),
                (false, true) => {}
            }
            out.push_str(match mode {
                b'i' if f.kind == b'p' => "IN ",
                b'o' => "OUT ",
                b'b' => "INOUT ",
                b'v' => "VARIADIC ",
                _ => "",
            });
            if let Some(name) = f.arg_names.get(at).filter(|n| !n.is_empty()) {
                let _ = write!(out, "{} ", quote_identifier(name));
            }
            out.push_str(&catalog::format_type::format_type(&*self.view, *type_oid, -1)?);
            if input {
                let first_default = f.arg_types.len().saturating_sub(f.default_count);
                if let Some(k) = inputs
                    .checked_sub(first_default)
                    .filter(|_| defaults && f.default_count > 0)
                {
                    let text = match (f.defaults.get(k), builtin.and_then(|b| b.argdefaults.get(k))) {
                        (Some(expr), _) => self.print(expr, None, Style::PLAIN)?,
                        (None, Some(text)) => (*text).to_owned(),
                        (None, None) => String::new(),
                    };
                    let _ = write!(out, " DEFAULT {text}");
                }
                inputs += 1;
            }
        }
        // A hypothetical set's VARIADIC "any" stands for direct and aggregated arguments.
        if order_by.is_some_and(|a| a.direct_args.max(0) as usize == inputs) && f.variadic.is_valid() {
            out = format!("{out} ORDER BY {out}");
        }
        Ok(Some(out))
    }

    /// What a function returns; `None` for procedures.
    pub fn function_result(&self, oid: Oid) -> PgResult<Option<String>> {
        let Some(f) = self.view.function(oid)?.filter(|f| f.kind != b'p') else {
            return Ok(None);
        };
        let of = |t: Oid| catalog::format_type::format_type(&*self.view, t, -1);
        let mut columns = Vec::new();
        for (at, type_oid) in f.all_arg_types.iter().enumerate() {
            if f.arg_modes.get(at) == Some(&b't') {
                let name = f.arg_names.get(at).map(|n| &**n).unwrap_or_default();
                columns.push(format!("{} {}", quote_identifier(name), of(*type_oid)?));
            }
        }
        if !columns.is_empty() {
            return Ok(Some(format!("TABLE({})", columns.join(", "))));
        }
        let set = if f.returns_set { "SETOF " } else { "" };
        Ok(Some(format!("{set}{}", of(f.result)?)))
    }

    /// The default of one parameter, counted from 1 over all of them.
    pub fn function_default(&self, oid: Oid, number: i32) -> PgResult<Option<String>> {
        let Some(f) = self.view.function(oid)? else {
            return Ok(None);
        };
        let input = |k: &usize| match f.arg_modes.is_empty() {
            true => *k < f.arg_types.len(),
            false => matches!(f.arg_modes.get(*k), Some(b'i' | b'b' | b'v')),
        };
        let Some(at) = usize::try_from(i64::from(number) - 1).ok().filter(input) else {
            return Ok(None);
        };
        let inputs = (0..at).filter(input).count();
        let first = f.arg_types.len().saturating_sub(f.default_count);
        let Some(k) = inputs.checked_sub(first) else {
            return Ok(None);
        };
        if let Some(expr) = f.defaults.get(k) {
            return self.print(expr, None, Style::PLAIN).map(Some);
        }
        let builtin = functions::facts::proc(oid).and_then(|p| p.extra);
        Ok(builtin
            .and_then(|b| b.argdefaults.get(k))
            .map(|t| (*t).to_owned()))
    }

    /// Text of a stored tree; `None` when the relation is gone.
    pub fn stored_expression(&self, tree: &str, relation: Oid, style: Style) -> PgResult<Option<String>> {
        let desc = if relation.is_valid() {
            self.view.relation(relation)?
        } else {
            None
        };
        if relation.is_valid() && desc.is_none() {
            return Ok(None);
        }
        let expr = match nodes::serial::decode_expr(tree) {
            Ok(expr) => expr,
            Err(error) => match nodes::partition::PartitionBound::decode(tree) {
                Ok(bound) => {
                    let settings = self.settings();
                    let io = IoContext {
                        settings: &settings,
                        resolver: Some(self),
                        cancel: common::cancel::CancelToken::never(),
                    };
                    let ctx = Deparse {
                        view: &*self.view,
                        relation: None,
                        io,
                    };
                    return Ok(Some(deparse::partition_bound(&ctx, &bound)?));
                }
                Err(_) => return Err(error),
            },
        };
        Ok(Some(self.print(&expr, desc.as_deref(), style)?))
    }

    /// PARTITION BY's list; `column` > 0: one of its columns.
    pub fn partition_key(&self, oid: Oid, column: i32) -> PgResult<Option<String>> {
        let Some(desc) = self.view.relation(oid)? else {
            return Ok(None);
        };
        let Some(key) = &desc.inheritance.key else {
            return Ok(None);
        };
        // A single key is for messages, which have no parentheses that could be left out.
        let style = if column == 0 { Style::PLAIN } else { Style::PRETTY };
        let mut parts = Vec::new();
        for c in &key.columns {
            let mut text = match (&c.expr, desc.column(c.attno)) {
                (Some(e), _) => {
                    let text = self.print(e, Some(&desc), style)?;
                    if deparse::looks_like_function(e) {
                        text
                    } else {
                        format!("({text})")
                    }
                }
                (None, Some(c)) => quote_identifier(&c.name).into_owned(),
                (None, None) => String::new(),
            };
            if column == 0 {
                let own = match (&c.expr, desc.column(c.attno)) {
                    (Some(e), _) => e.collation(),
                    (None, Some(column)) => column.collation,
                    (None, None) => Oid::INVALID,
                };
                if c.collation.is_valid() && c.collation != own {
                    let name = self.view.collation_name(c.collation)?;
                    let name = name.as_deref().unwrap_or_default();
                    let _ = write!(text, " COLLATE {}", quote_identifier(name));
                }
                let method = match key.strategy {
                    nodes::partition::PartitionStrategy::Hash => Oid(405),
                    _ => Oid(403),
                };
                let default = self.view.default_opclass(method, c.type_ref.oid)?;
                if default.is_some_and(|d| d.oid != c.opclass) {
                    let rows = self
                        .view
                        .rows()
                        .lookup_all(oids::PG_OPCLASS_OID_INDEX, &[key_oid(c.opclass)])?;
                    if let Some(name) = rows
                        .first()
                        .and_then(|r| r.values.get(2))
                        .and_then(|v| v.as_str())
                    {
                        let _ = write!(text, " {}", quote_identifier(name));
                    }
                }
            }
            parts.push(text);
        }
        if column > 0 {
            return Ok(parts.into_iter().nth(column as usize - 1));
        }
        Ok(Some(format!("{} ({})", key.strategy.word(), parts.join(", "))))
    }

    /// The condition that a partition's bound means, with those of the levels above.
    pub fn partition_constraint(&self, oid: Oid) -> PgResult<Option<String>> {
        let _ = oid;
        Ok(None)
    }

    fn foreign_key(&self, c: &ConstraintDesc, table: &RelationDesc) -> PgResult<String> {
        let Some(f) = &c.foreign else {
            return Ok(String::new());
        };
        let names = |list: &[i16], of: &RelationDesc| {
            let names: Vec<_> = list
                .iter()
                .filter_map(|a| of.column(*a))
                .map(|col| quote_identifier(&col.name).into_owned())
                .collect();
            match names.split_last() {
                Some((last, [])) => last.clone(),
                Some((last, rest)) if c.period => format!("{}, PERIOD {last}", rest.join(", ")),
                _ => names.join(", "),
            }
        };
        let Some(other) = self.view.relation(f.table)? else {
            return Ok(String::new());
        };
        let visible = self
            .view
            .relation_by_name(None, &other.name)?
            .is_some_and(|r| r.oid == other.oid);
        let schema = if visible {
            None
        } else {
            Some(&*other.namespace_name)
        };
        let mut out = format!(
            "FOREIGN KEY ({}) REFERENCES {}({})",
            names(&c.columns, table),
            quote_qualified(schema, &other.name),
            names(&f.columns, &other)
        );
        match f.match_type {
            b'f' => out.push_str(" MATCH FULL"),
            b'p' => out.push_str(" MATCH PARTIAL"),
            _ => {}
        }
        let action = |letter: u8| match letter {
            b'r' => Some("RESTRICT"),
            b'c' => Some("CASCADE"),
            b'n' => Some("SET NULL"),
            b'd' => Some("SET DEFAULT"),
            _ => None,
        };
        if let Some(word) = action(f.on_update) {
            let _ = write!(out, " ON UPDATE {word}");
        }
        if let Some(word) = action(f.on_delete) {
            let _ = write!(out, " ON DELETE {word}");
            if !f.delete_set_columns.is_empty() {
                let _ = write!(out, " ({})", names(&f.delete_set_columns, table));
            }
        }
        Ok(out)
    }

    /// `column` 0: the whole CREATE INDEX; else one column's definition.
    pub fn index_definition(&self, oid: Oid, column: i32, style: Style) -> PgResult<Option<String>> {
        let Some(desc) = self.view.relation(oid)? else {
            return Ok(None);
        };
        let Some(index) = &desc.index else { return Ok(None) };
        let Some(table) = self.view.relation(index.table)? else {
            return Ok(None);
        };
        if column > 0 {
            let at = column as usize - 1;
            return match index.columns.get(at) {
                Some(_) => Ok(Some(self.index_column(index, &table, at, style)?)),
                None => Ok(Some(String::new())),
            };
        }
        let method = method_name(index);
        let unique = if index.unique { "UNIQUE " } else { "" };
        let mut out = format!(
            "CREATE {unique}INDEX {} ON {}{} USING {method} (",
            quote_identifier(&desc.name),
            if desc.relkind == b'I' { "ONLY " } else { "" },
            match self.relation_name(table.oid)? {
                Some(name) if style.pretty => name,
                _ => quote_qualified(Some(&table.namespace_name), &table.name),
            }
        );
        for at in 0..index.key_count {
            if at > 0 {
                out.push_str(", ");
            }
            out.push_str(&self.index_column(index, &table, at, style)?);
            out.push_str(&self.index_options(index, &table, at)?);
        }
        out.push(')');
        if index.key_count < index.columns.len() {
            let included: PgResult<Vec<String>> = (index.key_count..index.columns.len())
                .map(|at| self.index_column(index, &table, at, style))
                .collect();
            let _ = write!(out, " INCLUDE ({})", included?.join(", "));
        }
        if index.nulls_not_distinct {
            out.push_str(" NULLS NOT DISTINCT");
        }
        out.push_str(&options(&desc));
        if let Some(predicate) = &index.predicate {
            let _ = write!(out, " WHERE {}", self.print(predicate, Some(&table), style)?);
        }
        Ok(Some(out))
    }

    fn index_column(
        &self,
        index: &IndexDesc,
        table: &RelationDesc,
        at: usize,
        style: Style,
    ) -> PgResult<String> {
        let column = &index.columns[at];
        let Some(expr) = &column.expr else {
            let name = table
                .column(column.attno)
                .map(|c| quote_identifier(&c.name).into_owned());
            return Ok(name.unwrap_or_default());
        };
        let text = self.print(expr, Some(table), style)?;
        Ok(if deparse::looks_like_function(expr) {
            text
        } else {
            format!("({text})")
        })
    }

    /// Collation, operator class and order of an index column where they are not the defaults.
    fn index_options(&self, index: &IndexDesc, table: &RelationDesc, at: usize) -> PgResult<String> {
        let column = &index.columns[at];
        let mut out = String::new();
        let of_key = match &column.expr {
            Some(expr) => expr.collation(),
            None => table.column(column.attno).map_or(Oid::INVALID, |c| c.collation),
        };
        if column.collation.is_valid() && column.collation != of_key {
            let name = self.view.collation_name(column.collation)?.unwrap_or_default();
            let _ = write!(out, " COLLATE {}", quote_identifier(&name));
        }
        let default = self.view.default_opclass(index.access_method, column.opcintype)?;
        if default.is_some_and(|d| d.oid != column.opclass) && column.opclass.is_valid() {
            let rows = self
                .view
                .rows()
                .lookup_all(oids::PG_OPCLASS_OID_INDEX, &[key_oid(column.opclass)])?;
            if let Some(name) = rows
                .first()
                .and_then(|r| r.values.get(2))
                .and_then(|v| v.as_str())
            {
                let _ = write!(out, " {}", quote_identifier(name));
            }
        }
        match (column.descending, column.nulls_first) {
            (true, true) => out.push_str(" DESC"),
            (true, false) => out.push_str(" DESC NULLS LAST"),
            (false, true) => out.push_str(" NULLS FIRST"),
            (false, false) => {}
        }
        Ok(out)
    }

    /// A constraint as it would be written in CREATE TABLE.
    pub fn constraint_definition(&self, oid: Oid, style: Style) -> PgResult<Option<String>> {
        let rows = self
            .view
            .rows()
            .lookup(oids::PG_CONSTRAINT_OID_INDEX, &[key_oid(oid)])?;
        let Some(row) = rows.first() else { return Ok(None) };
        let Some(table) = self.view.relation(row.oid(pg_constraint::CONRELID))? else {
            return self.domain_constraint_definition(row.oid(pg_constraint::CONTYPID), oid, style);
        };
        let Some(c) = table.constraints.iter().find(|c| c.oid == oid) else {
            return Ok(None);
        };
        let mut out = self.constraint_body(c, &table, style)?;
        if c.deferrable {
            out.push_str(" DEFERRABLE");
        }
        if c.deferred {
            out.push_str(" INITIALLY DEFERRED");
        }
        if !c.enforced {
            out.push_str(" NOT ENFORCED");
        } else if !c.validated {
            out.push_str(" NOT VALID");
        }
        Ok(Some(out))
    }

    fn domain_constraint_definition(&self, domain: Oid, oid: Oid, style: Style) -> PgResult<Option<String>> {
        let all = self.view.domain_constraints(domain)?;
        let Some(c) = all.iter().find(|c| c.oid == oid) else {
            return Ok(None);
        };
        let Some(check) = &c.check else {
            return Ok(Some("NOT NULL".to_owned()));
        };
        let text = self.print(check, None, style)?;
        let not_valid = if c.validated { "" } else { " NOT VALID" };
        Ok(Some(format!("CHECK ({text}){not_valid}")))
    }

    fn constraint_body(&self, c: &ConstraintDesc, table: &RelationDesc, style: Style) -> PgResult<String> {
        let columns = || {
            let names: Vec<_> = c
                .columns
                .iter()
                .filter_map(|a| table.column(*a))
                .map(|col| quote_identifier(&col.name).into_owned())
                .collect();
            names.join(", ")
        };
        let no_inherit = if c.no_inherit { " NO INHERIT" } else { "" };
        let overlaps = if c.period { " WITHOUT OVERLAPS" } else { "" };
        Ok(match c.kind {
            b'p' => format!(
                "PRIMARY KEY ({}{overlaps}){}",
                columns(),
                self.index_rest(c, table)?
            ),
            b'u' => {
                let index = self.view.relation(c.index)?;
                let not_distinct = index
                    .as_ref()
                    .and_then(|i| i.index.as_ref())
                    .is_some_and(|i| i.nulls_not_distinct);
                format!(
                    "UNIQUE{} ({}{overlaps}){}",
                    if not_distinct { " NULLS NOT DISTINCT" } else { "" },
                    columns(),
                    self.index_rest(c, table)?
                )
            }
            b'n' => format!("NOT NULL {}{no_inherit}", columns()),
            b'c' => {
                let Some(check) = &c.check else {
                    return Ok(String::new());
                };
                let text = self.print(check, Some(table), style)?;
                format!("CHECK ({text}){no_inherit}")
            }
            b'f' => self.foreign_key(c, table)?,
            b'x' => self.exclusion(c, table, style)?,
            _ => return Err(unsupported!("this kind of constraint cannot be printed yet")),
        })
    }

    /// What follows the columns of a key: INCLUDE and storage parameters.
    fn index_rest(&self, c: &ConstraintDesc, table: &RelationDesc) -> PgResult<String> {
        let Some(desc) = self.view.relation(c.index)? else {
            return Ok(String::new());
        };
        let mut out = String::new();
        let included = desc.index.iter().flat_map(|i| i.columns.iter().skip(i.key_count));
        let names: Vec<_> = included
            .filter_map(|k| table.column(k.attno))
            .map(|k| quote_identifier(&k.name).into_owned())
            .collect();
        if !names.is_empty() {
            let _ = write!(out, " INCLUDE ({})", names.join(", "));
        }
        out.push_str(&options(&desc));
        Ok(out)
    }

    fn exclusion(&self, c: &ConstraintDesc, table: &RelationDesc, style: Style) -> PgResult<String> {
        let desc = self.view.relation(c.index)?;
        let Some(index) = desc.as_ref().and_then(|d| d.index.as_ref()) else {
            return Ok(String::new());
        };
        let mut parts = Vec::new();
        for (at, op) in c.exclusion_ops.iter().enumerate().take(index.columns.len()) {
            let mut part = self.index_column(index, table, at, style)?;
            part.push_str(&self.index_options(index, table, at)?);
            let _ = write!(part, " WITH {}", self.operator_text(*op)?);
            parts.push(part);
        }
        let mut out = format!("EXCLUDE USING {} ({})", method_name(index), parts.join(", "));
        out.push_str(&self.index_rest(c, table)?);
        if let Some(predicate) = &index.predicate {
            let _ = write!(out, " WHERE ({})", self.print(predicate, Some(table), style)?);
        }
        Ok(out)
    }

    /// An operator's name, qualified where the search path does not lead to it.
    fn operator_text(&self, oid: Oid) -> PgResult<String> {
        let Some(op) = self.view.operator(oid)? else {
            return Ok(String::new());
        };
        let visible = self.view.operators_by_name(None, &op.name)?;
        if visible.iter().any(|v| v.oid == oid) {
            return Ok(op.name.to_string());
        }
        let schema = self.view.namespace_name(op.namespace)?.unwrap_or_default();
        Ok(format!("OPERATOR({}.{})", quote_identifier(&schema), op.name))
    }
}

fn method_name(index: &IndexDesc) -> &'static str {
    match index.access_method {
        oids::HASH_AM => "hash",
        oids::GIST_AM => "gist",
        _ => "btree",
    }
}

/// Storage parameters of an index, with a leading blank.
fn options(index: &RelationDesc) -> String {
    if index.options.is_empty() {
        return String::new();
    }
    let options = index.options.iter();
    let options: Vec<_> = options.map(|(name, value)| format!("{name}='{value}'")).collect();
    format!(" WITH ({})", options.join(", "))
}
