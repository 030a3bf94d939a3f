//! WHERE CURRENT OF: from which rows of tables the rows of a cursor come.
//!
//! PG: src/backend/executor/execCurrent.c.
//!
//! # How it works
//! The query of a cursor that reads one table, or that locks rows, gets more columns at its end: `ctid` and `tableoid` of each relation.
//! [`Origins::take`] cuts them off the rows before anybody sees them and keeps them by the rows' numbers.

use catalog::CatalogView;
use common::{AttrNumber, CTID, Oid, PgResult, Span, TABLEOID, internal, pg_err};
use nodes::expr::{Expr, Var, VarSource};
use nodes::query::{CommandType, JoinTreeNode, Query, RteKind, TargetEntry};
use types::Datum;
use types::settings::TypeRef;

use crate::session::cursor::no_such_cursor;
use crate::session::env::StatementEnv;

/// Where the rows of a cursor come from.
#[derive(Default)]
pub(crate) struct Origins {
    /// The relations asked about, as the query names them.
    relations: Vec<Oid>,
    /// True when only rows of relations with FOR UPDATE and the like are known.
    locked: bool,
    /// For each row of the cursor and each relation: `ctid`, `tableoid`.
    rows: Vec<[Datum; 2]>,
}

impl Origins {
    /// Lets a query tell the origin of its rows, if they have one.
    pub fn ask(query: &mut Query) -> Origins {
        let mut origins = Origins {
            locked: !query.row_marks.is_empty(),
            ..Origins::default()
        };
        for rt_index in relations(query) {
            let Some(rte) = query.range_table.get(rt_index - 1) else {
                continue;
            };
            let RteKind::Relation {
                relation, relkind, ..
            } = rte.kind
            else {
                continue;
            };
            // The one row of a sequence has no ctid.
            if relkind == b'S' {
                continue;
            }
            origins.relations.push(relation);
            for (attno, type_oid) in [(CTID, types::oids::TID), (TABLEOID, types::oids::OID)] {
                let resno = query.target_list.len() as AttrNumber + 1;
                let column = Expr::Var(Var {
                    source: VarSource::Rel {
                        index: rt_index,
                        levels_up: 0,
                    },
                    attno,
                    type_ref: TypeRef::plain(type_oid),
                    collation: Oid::INVALID,
                    nulling_rels: nodes::relids::RelIds::empty(),
                    returning: Default::default(),
                    span: Span::NONE,
                });
                query.target_list.push(TargetEntry {
                    expr: column,
                    resno,
                    name: None,
                    sort_group_ref: 0,
                    origin_table: Oid::INVALID,
                    origin_column: 0,
                    resjunk: false,
                });
            }
        }
        origins
    }

    /// Refuses a cursor none of whose rows has an origin.
    pub fn refuse_unknown(&self, cursor: &str, table_name: &str) -> PgResult<()> {
        match self.relations.is_empty() && !self.locked {
            true => Err(not_updatable(cursor, table_name)),
            false => Ok(()),
        }
    }

    /// Cuts the origin off a row.
    pub fn take(&mut self, row: &mut Vec<Datum>) {
        let from = row.len().saturating_sub(2 * self.relations.len());
        let mut columns = row.drain(from..);
        while let (Some(ctid), Some(table)) = (columns.next(), columns.next()) {
            self.rows.push([ctid, table]);
        }
    }

    /// The `ctid` of a table's row in the `number`-th row (from 0) of a cursor; NULL: that row is of another partition.
    pub fn of(&self, cursor: &str, number: usize, table: Oid, table_name: &str) -> PgResult<Datum> {
        let stride = self.relations.len();
        let mine = self.rows.get(number * stride..(number + 1) * stride);
        let named = self.relations.iter().filter(|r| **r == table).count();
        if self.locked && named > 1 {
            return Err(pg_err!(
                INVALID_CURSOR_STATE,
                "cursor \"{cursor}\" has multiple FOR UPDATE/SHARE references to table \"{table_name}\""
            ));
        }
        let rows = mine.unwrap_or_default();
        if let Some([ctid, _]) = rows
            .iter()
            .find(|[_, of]| of.as_oid().is_some_and(|oid| oid == table))
        {
            return Ok(ctid.clone());
        }
        // A member of a tree whose rows have other tables than the one named.
        let has_members = self
            .relations
            .iter()
            .zip(rows)
            .any(|(root, [_, of])| of.as_oid().is_some_and(|oid| oid != *root));
        if named > 0 || has_members {
            return Ok(Datum::Null);
        }
        Err(match self.locked {
            true => pg_err!(
                INVALID_CURSOR_STATE,
                "cursor \"{cursor}\" does not have a FOR UPDATE/SHARE reference to table \"{table_name}\""
            ),
            false => not_updatable(cursor, table_name),
        })
    }
}

fn not_updatable(cursor: &str, table_name: &str) -> Box<common::PgError> {
    pg_err!(
        INVALID_CURSOR_STATE,
        "cursor \"{cursor}\" is not a simply updatable scan of table \"{table_name}\""
    )
}

/// The relations of which each row of a query has one row.
fn relations(query: &Query) -> Vec<usize> {
    if !query.row_marks.is_empty() {
        return query.row_marks.iter().map(|mark| mark.rt_index).collect();
    }
    let groups = query.has_aggs || !query.group_clause.is_empty() || !query.grouping_sets.is_empty();
    let changes = groups
        || query.having.is_some()
        || query.has_window_funcs
        || query.has_target_srfs
        || !query.distinct_clause.is_empty()
        || query.set_operations.is_some();
    match &query.join_tree.items[..] {
        [JoinTreeNode::Rel(rt_index)] if !changes && query.command == CommandType::Select => vec![*rt_index],
        _ => Vec::new(),
    }
}

impl StatementEnv<'_> {
    /// For `current_of(cursor, table)`, which scans ask by [`functions::SessionContext::call`].
    pub(crate) fn current_of(&self, args: &[Datum]) -> PgResult<Datum> {
        let [name, table] = args else {
            return Err(internal!("cursor and table expected"));
        };
        let (Some(name), Some(table)) = (name.as_str(), table.as_oid()) else {
            return Err(internal!("cursor and table expected"));
        };
        let relation = self.view.relation(table)?;
        let table_name = relation.as_ref().map_or("", |r| &r.name);
        match self.core.cursors.borrow().get(name) {
            Some(cursor) => cursor.current_row(name, table, table_name),
            None => Err(no_such_cursor(name)),
        }
    }
}
