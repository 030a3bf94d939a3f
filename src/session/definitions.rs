//! `pg_get_expr`, `pg_get_indexdef`, `pg_get_constraintdef`: stored definitions as SQL text.

use std::fmt::Write as _;

use catalog::CatalogView;
use catalog::columns::pg_constraint;
use catalog::deparse::{self, Deparse};
use catalog::desc::{ConstraintDesc, IndexDesc, RelationDesc};
use catalog::names::{quote_identifier, quote_qualified};
use catalog::oids;
use catalog::store::{CatalogRead, key_oid};
use common::{Oid, PgResult, unsupported};
use nodes::Expr;
use types::FormatSettings;
use types::io::IoContext;

use crate::session::names::Names;

impl Names {
    fn print(&self, expr: &Expr, relation: Option<&RelationDesc>) -> PgResult<String> {
        let settings = FormatSettings::default();
        let io = IoContext {
            settings: &settings,
            resolver: Some(self),
        };
        deparse::expression(
            &Deparse {
                view: &*self.view,
                relation,
                io,
            },
            expr,
        )
    }

    /// Text of a stored tree; `None` when the relation is gone.
    pub fn stored_expression(&self, tree: &str, relation: Oid) -> PgResult<Option<String>> {
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
                    let settings = FormatSettings::default();
                    let io = IoContext {
                        settings: &settings,
                        resolver: Some(self),
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
        Ok(Some(self.print(&expr, desc.as_deref())?))
    }

    /// PARTITION BY's list; `column` > 0: one of its columns.
    pub fn partition_key(&self, oid: Oid, column: i32) -> PgResult<Option<String>> {
        let Some(desc) = self.view.relation(oid)? else {
            return Ok(None);
        };
        let Some(key) = &desc.inheritance.key else {
            return Ok(None);
        };
        let mut parts = Vec::new();
        for c in &key.columns {
            let mut text = match (&c.expr, desc.column(c.attno)) {
                (Some(e), _) => {
                    let text = self.print(e, Some(&desc))?;
                    if matches!(**e, Expr::Func(ref f) if !f.op.is_valid()) || text.starts_with('(') {
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
                        .lookup(oids::PG_OPCLASS_OID_INDEX, &[key_oid(c.opclass)])?;
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
            names.join(", ")
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
    pub fn index_definition(&self, oid: Oid, column: i32) -> PgResult<Option<String>> {
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
                Some(_) => Ok(Some(self.index_column(index, &table, at, false)?)),
                None => Ok(Some(String::new())),
            };
        }
        let method = if index.access_method == Oid(405) {
            "hash"
        } else {
            "btree"
        };
        let unique = if index.unique { "UNIQUE " } else { "" };
        let mut out = format!(
            "CREATE {unique}INDEX {} ON {}{} USING {method} (",
            quote_identifier(&desc.name),
            if desc.relkind == b'I' { "ONLY " } else { "" },
            quote_qualified(Some(&table.namespace_name), &table.name)
        );
        for at in 0..index.key_count {
            if at > 0 {
                out.push_str(", ");
            }
            out.push_str(&self.index_column(index, &table, at, true)?);
        }
        out.push(')');
        if index.key_count < index.columns.len() {
            let included: PgResult<Vec<String>> = (index.key_count..index.columns.len())
                .map(|at| self.index_column(index, &table, at, false))
                .collect();
            let _ = write!(out, " INCLUDE ({})", included?.join(", "));
        }
        if index.nulls_not_distinct {
            out.push_str(" NULLS NOT DISTINCT");
        }
        if let Some(predicate) = &index.predicate {
            let _ = write!(out, " WHERE {}", self.print(predicate, Some(&table))?);
        }
        Ok(Some(out))
    }

    fn index_column(
        &self,
        index: &IndexDesc,
        table: &RelationDesc,
        at: usize,
        options: bool,
    ) -> PgResult<String> {
        let column = &index.columns[at];
        let mut out = match &column.expr {
            Some(expr) => {
                let text = self.print(expr, Some(table))?;
                if matches!(**expr, Expr::Func(ref f) if !f.op.is_valid()) || text.starts_with('(') {
                    text
                } else {
                    format!("({text})")
                }
            }
            None => table
                .column(column.attno)
                .map_or_else(String::new, |c| quote_identifier(&c.name).into_owned()),
        };
        if !options {
            return Ok(out);
        }
        let default = self.view.default_opclass(index.access_method, column.opcintype)?;
        if default.is_some_and(|d| d.oid != column.opclass) && column.opclass.is_valid() {
            let rows = self
                .view
                .rows()
                .lookup(oids::PG_OPCLASS_OID_INDEX, &[key_oid(column.opclass)])?;
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
    pub fn constraint_definition(&self, oid: Oid) -> PgResult<Option<String>> {
        let rows = self
            .view
            .rows()
            .lookup(oids::PG_CONSTRAINT_OID_INDEX, &[key_oid(oid)])?;
        let Some(row) = rows.first() else { return Ok(None) };
        let Some(table) = self.view.relation(row.oid(pg_constraint::CONRELID))? else {
            return self.domain_constraint_definition(row.oid(pg_constraint::CONTYPID), oid);
        };
        let Some(c) = table.constraints.iter().find(|c| c.oid == oid) else {
            return Ok(None);
        };
        let mut out = self.constraint_body(c, &table)?;
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

    fn domain_constraint_definition(&self, domain: Oid, oid: Oid) -> PgResult<Option<String>> {
        let all = self.view.domain_constraints(domain)?;
        let Some(c) = all.iter().find(|c| c.oid == oid) else {
            return Ok(None);
        };
        let Some(check) = &c.check else {
            return Ok(Some("NOT NULL".to_owned()));
        };
        let text = self.print(check, None)?;
        let text = if text.starts_with('(') {
            text
        } else {
            format!("({text})")
        };
        let not_valid = if c.validated { "" } else { " NOT VALID" };
        Ok(Some(format!("CHECK ({text}){not_valid}")))
    }

    fn constraint_body(&self, c: &ConstraintDesc, table: &RelationDesc) -> PgResult<String> {
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
        Ok(match c.kind {
            b'p' => format!("PRIMARY KEY ({})", columns()),
            b'u' => {
                let index = self.view.relation(c.index)?;
                let not_distinct = index
                    .as_ref()
                    .and_then(|i| i.index.as_ref())
                    .is_some_and(|i| i.nulls_not_distinct);
                format!(
                    "UNIQUE{} ({})",
                    if not_distinct { " NULLS NOT DISTINCT" } else { "" },
                    columns()
                )
            }
            b'n' => format!("NOT NULL {}{no_inherit}", columns()),
            b'c' => {
                let Some(check) = &c.check else {
                    return Ok(String::new());
                };
                let text = self.print(check, Some(table))?;
                let text = if text.starts_with('(') {
                    text
                } else {
                    format!("({text})")
                };
                format!("CHECK ({text}){no_inherit}")
            }
            b'f' => self.foreign_key(c, table)?,
            _ => return Err(unsupported!("this kind of constraint cannot be printed yet")),
        })
    }
}
