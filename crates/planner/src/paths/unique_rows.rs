//! The right side of a semijoin with each of its values once: the semijoin is an inner join with that, in either direction.
//!
//! PG: `create_unique_path` (pathnode.c), `JOIN_UNIQUE_OUTER` and `JOIN_UNIQUE_INNER` (joinrels.c).
//!
//! # Invariants
//! - All conditions between the two sides are equalities with columns of the right side, and nobody reads other columns of it. An equality
//!   of the same family as those tells its rows apart, so that each row of the left side has at most one partner.

use std::rc::Rc;

use common::{Oid, PgResult};
use nodes::expr::Expr;
use nodes::query::JoinType;

use crate::cost::{self, AggFacts, Cost};
use crate::groups;
use crate::path::{Parallel, Path, PathKind, UniquePath, cheapest_total};
use crate::paths::JoinClauses;
use crate::rel::RelOptInfo;
use crate::root::Root;
use crate::search::output_vars;

/// The relation with its rows made unique, if it is exactly the right side of a semijoin and that can be done.
pub fn unique_rel(
    root: &Root<'_, '_>,
    right: &RelOptInfo,
    clauses: &JoinClauses,
) -> PgResult<Option<RelOptInfo>> {
    let is_side = |s: &crate::rel::SpecialJoin| s.join_type == JoinType::Semi && s.syn_right == right.relids;
    let s = root.context().settings;
    if !s.enable_hashagg || !root.special_joins.iter().any(is_side) {
        return Ok(None);
    }
    let (Some((exprs, ops)), Some(input)) = (
        compared(root, right, clauses)?,
        cheapest_total(&right.paths).cloned(),
    ) else {
        return Ok(None);
    };
    let refs: Vec<&Expr> = exprs.iter().collect();
    let rows = groups::groups(root, &refs, input.rows).max(1.0);
    let cost = cost::agg_hashed(
        s,
        &AggFacts {
            input: Cost {
                startup: input.startup,
                total: input.total,
            },
            rows: input.rows,
            width: input.width,
            groups: rows,
            keys: exprs.len(),
            trans_per_row: 0.0,
            final_per_group: 0.0,
        },
    );
    let path = Path {
        rows,
        startup: cost.startup,
        total: cost.total,
        keys: Rc::new([]),
        parallel: Parallel {
            safe: input.parallel.safe,
            ..Parallel::default()
        },
        kind: PathKind::Unique(Box::new(UniquePath {
            input: input.clone(),
            exprs,
            ops,
        })),
        ..(*input).clone()
    };
    Ok(Some(RelOptInfo {
        rows,
        paths: vec![Rc::new(path)],
        partial_paths: Vec::new(),
        ..right.clone()
    }))
}

/// The columns of the right side that equalities compare, and for each the operator and collation that tell its values apart.
#[expect(clippy::type_complexity, reason = "two lists that go together")]
fn compared(
    root: &Root<'_, '_>,
    right: &RelOptInfo,
    clauses: &JoinClauses,
) -> PgResult<Option<(Vec<Expr>, Vec<(Oid, Oid)>)>> {
    let (mut exprs, mut ops): (Vec<Expr>, Vec<(Oid, Oid)>) = (Vec::new(), Vec::new());
    if !clauses.other.is_empty() {
        return Ok(None);
    }
    for info in &clauses.join {
        let Some(e) = info.equality.as_ref().filter(|e| e.can_hash && !info.volatile) else {
            return Ok(None);
        };
        let own = match (
            e.left_relids.is_subset(&right.relids),
            e.right_relids.is_subset(&right.relids),
        ) {
            (true, false) if !e.right_relids.overlaps(&right.relids) => &e.left,
            (false, true) if !e.left_relids.overlaps(&right.relids) => &e.right,
            _ => return Ok(None),
        };
        let (Expr::Var(v), Some(family)) = (own, e.family) else {
            return Ok(None);
        };
        let of_type = root
            .context()
            .catalog
            .opfamily_member(family, v.type_ref.oid, v.type_ref.oid, 3)?;
        let Some(op) = of_type else { return Ok(None) };
        match exprs.iter().position(|x| x == own) {
            Some(at) if ops.get(at) != Some(&(op, e.collation)) => return Ok(None),
            Some(_) => {}
            None => {
                exprs.push(own.clone());
                ops.push((op, e.collation));
            }
        }
    }
    let read = output_vars(root, &right.relids);
    let same = read.iter().all(|v| exprs.contains(v)) && exprs.iter().all(|e| read.contains(e));
    Ok((!exprs.is_empty() && same).then_some((exprs, ops)))
}
