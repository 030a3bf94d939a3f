//! Which views pass changes on to their table (`pg_relation_is_updatable`).
//!
//! PG: rewriteHandler.c, `relation_is_updatable`, `view_query_is_auto_updatable`.

use catalog::CatalogView;
use common::{Oid, PgResult};
use nodes::query::{CommandType, JoinTreeNode, RteKind};
use nodes::{Expr, Query};

use crate::session::env::StatementEnv;

/// Bits of UPDATE and DELETE.
pub(super) const UPDATE_DELETE: i32 = 1 << 2 | 1 << 4;
/// Bits of UPDATE, INSERT and DELETE.
const ALL: i32 = UPDATE_DELETE | 1 << 3;
const DELETE: i32 = 1 << 4;
/// Views over views deeper than this are not looked through.
const DEPTH_MAX: usize = 100;

impl StatementEnv<'_> {
    /// One bit per command that the relation supports: 4 UPDATE, 8 INSERT, 16 DELETE.
    pub(super) fn updatable_events(&self, relation: Oid) -> PgResult<i32> {
        self.events(relation, 0)
    }

    fn events(&self, relation: Oid, depth: usize) -> PgResult<i32> {
        let Some(desc) = self.view.relation(relation)? else {
            return Ok(0);
        };
        match (desc.relkind, &desc.view_definition) {
            (b'r' | b'p', _) => Ok(ALL),
            (b'v', Some(text)) if relation >= Oid::FIRST_NORMAL && depth < DEPTH_MAX => {
                let query = nodes::serial::decode_query(text)?;
                match base(&query) {
                    Some(table) => {
                        let any = query.output_columns().any(|t| is_column(&t.expr));
                        Ok(self.events(table, depth + 1)? & if any { ALL } else { DELETE })
                    }
                    None => Ok(0),
                }
            }
            _ => Ok(0),
        }
    }
}

fn is_column(expr: &Expr) -> bool {
    matches!(expr, Expr::Var(v) if v.attno > 0)
}

/// The one table behind a simple view.
fn base(query: &Query) -> Option<Oid> {
    let plain = query.command == CommandType::Select
        && query.distinct_clause.is_empty()
        && query.group_clause.is_empty()
        && query.grouping_sets.is_empty()
        && query.having.is_none()
        && query.set_operations.is_none()
        && query.ctes.is_empty()
        && query.limit_count.is_none()
        && query.limit_offset.is_none()
        && !query.has_aggs
        && !query.has_window_funcs
        && !query.has_target_srfs;
    match &query.join_tree.items[..] {
        [JoinTreeNode::Rel(index)] if plain => match query.rte(*index).kind {
            RteKind::Relation {
                relation,
                relkind: b'r' | b'v' | b'p' | b'f',
                sample: None,
                ..
            } => Some(relation),
            _ => None,
        },
        _ => None,
    }
}
