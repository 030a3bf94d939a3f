//! Distributing conditions: to base relations, to joins, to outer joins' own ON.
//!
//! PG: src/backend/optimizer/plan/initsplan.c is the model for the rules.

use std::rc::Rc;

use common::cancel;
use common::{Oid, PgResult};
use nodes::expr::{Expr, NullTest};
use nodes::query::{FromExpr, JoinExpr, JoinTreeNode, JoinType};
use nodes::relids::RelIds;

use crate::exprs::{facts, or_clauses};
use crate::not_null;
use crate::rel::{Equality, MergeFacts, RestrictInfo, SpecialJoin};
use crate::root::Root;

/// Btree access method.
pub const BTREE: Oid = Oid(403);
/// Hash access method.
pub const HASH: Oid = Oid(405);
/// B-tree strategy of equality.
pub const EQUAL: u8 = 3;

/// What an operator stands for in an operator family of `method`, as a B-tree strategy: a hash family's only operator is [`EQUAL`].
pub fn strategy_in(root: &Root<'_, '_>, op: Oid, method: Oid, family: Oid) -> PgResult<Option<u8>> {
    let families = root.context().catalog.operator_families(method, op)?;
    let found = families.iter().find(|(f, _)| *f == family);
    Ok(found.map(|(_, strategy)| if method == HASH { EQUAL } else { *strategy as u8 }))
}

/// What the walk of the join tree found below a node.
struct Below {
    rels: RelIds,
    /// Relations joined by inner joins only (directly visible).
    inner: RelIds,
}

/// Walks the join tree: makes special joins and distributes every condition.
pub fn deconstruct(root: &mut Root<'_, '_>) -> PgResult<()> {
    let tree = std::mem::take(&mut root.query.join_tree);
    let below = walk_from(root, &tree)?;
    root.all_rels = below.rels;
    root.query.join_tree = tree;
    widen_lateral(root);
    Ok(())
}

/// A LATERAL item that names a column which an outer join beside it can turn to NULL needs that join's output, not the relation below it.
fn widen_lateral(root: &mut Root<'_, '_>) {
    let joins: Vec<(RelIds, RelIds, RelIds)> = root
        .special_joins
        .iter()
        .filter(|j| !matches!(j.join_type, JoinType::Semi))
        .map(|j| {
            let nullable = match j.join_type {
                JoinType::Full => j.min_left.union(&j.min_right),
                _ => j.min_right.clone(),
            };
            let below = j.syn_left.union(&j.syn_right);
            (nullable, j.min_left.union(&j.min_right), below)
        })
        .collect();
    for rel in root.rels.iter_mut().flatten() {
        let own = rel.relids.clone();
        let Some(base) = &mut rel.base else { continue };
        loop {
            let before = base.lateral.clone();
            for (nullable, whole, below) in &joins {
                if base.lateral.overlaps(nullable) && !own.overlaps(below) {
                    base.lateral = base.lateral.union(whole);
                }
            }
            if base.lateral == before {
                break;
            }
        }
    }
}

fn walk_from(root: &mut Root<'_, '_>, from: &FromExpr) -> PgResult<Below> {
    let mut below = Below {
        rels: RelIds::empty(),
        inner: RelIds::empty(),
    };
    for item in &from.items {
        let b = walk_node(root, item)?;
        below.rels = below.rels.union(&b.rels);
        below.inner = below.inner.union(&b.inner);
    }
    if let Some(quals) = &from.quals {
        distribute_all(root, quals, &below.rels, None)?;
    }
    Ok(below)
}

fn walk_node(root: &mut Root<'_, '_>, node: &JoinTreeNode) -> PgResult<Below> {
    match node {
        JoinTreeNode::Rel(i) => Ok(Below {
            rels: RelIds::single(*i),
            inner: RelIds::single(*i),
        }),
        JoinTreeNode::From(from) => walk_from(root, from),
        JoinTreeNode::Join(join) => walk_join(root, join),
    }
}

fn walk_join(root: &mut Root<'_, '_>, join: &JoinExpr) -> PgResult<Below> {
    let left = walk_node(root, &join.left)?;
    let right = walk_node(root, &join.right)?;
    let rels = left.rels.union(&right.rels);
    if join.join_type == JoinType::Inner {
        if let Some(quals) = &join.quals {
            distribute_all(root, quals, &rels, None)?;
        }
        return Ok(Below {
            rels,
            inner: left.inner.union(&right.inner),
        });
    }
    let special = make_special_join(root, join, &left, &right);
    root.special_joins.push(special);
    let number = root.special_joins.len() - 1;
    if let Some(quals) = &join.quals {
        // A semijoin's condition acts like an inner join's; an outer join's may not filter its left side.
        let own = if join.join_type == JoinType::Semi {
            None
        } else {
            Some(number)
        };
        distribute_all(root, quals, &rels, own)?;
    }
    let inner = match join.join_type {
        JoinType::Full => RelIds::empty(),
        _ => left.inner,
    };
    Ok(Below { rels, inner })
}

/// How far an outer join may move: the relations that must be below it.
fn make_special_join(root: &Root<'_, '_>, join: &JoinExpr, left: &Below, right: &Below) -> SpecialJoin {
    let catalog = root.context().catalog;
    let (syn_left, syn_right) = (left.rels.clone(), right.rels.clone());
    let mut special = SpecialJoin {
        join_type: join.join_type,
        min_left: syn_left.clone(),
        min_right: syn_right.clone(),
        syn_left,
        syn_right,
        lhs_strict: false,
        filtered: false,
    };
    if join.join_type == JoinType::Full {
        return special;
    }
    let clause_rels = join.quals.as_ref().map_or(RelIds::empty(), facts::relids);
    let strict = join
        .quals
        .as_ref()
        .map_or(RelIds::empty(), |q| facts::nonnullable_rels(q, true, catalog));
    special.lhs_strict = strict.overlaps(&left.rels);
    let mut min_left = clause_rels.intersection(&left.rels);
    let mut min_right = clause_rels.union(&right.inner).intersection(&right.rels);
    for other in &root.special_joins {
        let whole = other.syn_left.union(&other.syn_right);
        if other.join_type == JoinType::Full {
            if left.rels.overlaps(&whole) {
                min_left = min_left.union(&whole);
            }
            if right.rels.overlaps(&whole) {
                min_right = min_right.union(&whole);
            }
            continue;
        }
        if left.rels.overlaps(&other.syn_right)
            && clause_rels.overlaps(&other.syn_right)
            && (join.join_type != JoinType::Left || !strict.overlaps(&other.min_right))
        {
            min_left = min_left.union(&whole);
        }
        if right.rels.overlaps(&other.syn_right)
            && (clause_rels.overlaps(&other.syn_right)
                || !clause_rels.overlaps(&other.min_left)
                || join.join_type != JoinType::Left
                || other.join_type != JoinType::Left
                || !other.lhs_strict
                || other.filtered)
        {
            min_right = min_right.union(&whole);
        }
    }
    special.min_left = if min_left.is_empty() {
        left.rels.clone()
    } else {
        min_left
    };
    special.min_right = if min_right.is_empty() {
        right.rels.clone()
    } else {
        min_right
    };
    special
}

fn distribute_all(
    root: &mut Root<'_, '_>,
    quals: &Expr,
    scope: &RelIds,
    outer_join: Option<usize>,
) -> PgResult<()> {
    let (mut parts, mut clauses) = (Vec::new(), Vec::new());
    facts::flatten_and(quals.clone(), &mut parts);
    for part in parts {
        or_clauses::factor_common(part, &mut clauses);
    }
    clauses
        .into_iter()
        .try_for_each(|c| distribute(root, c, scope, outer_join))
}

fn distribute(
    root: &mut Root<'_, '_>,
    clause: Expr,
    scope: &RelIds,
    outer_join: Option<usize>,
) -> PgResult<()> {
    cancel::check()?;
    let clause_relids = facts::relids(&clause);
    let mut clause = clause;
    // A condition on the nullable side alone filters that side before the join.
    let inner_only = outer_join
        .and_then(|n| root.special_joins.get(n))
        .is_some_and(|s| {
            s.join_type != JoinType::Full
                && !clause_relids.is_empty()
                && clause_relids.is_subset(&s.syn_right)
        });
    if outer_join.is_none() || inner_only {
        equal_to_itself(root, &mut clause)?;
    }
    if not_null::may_be_known(&clause) {
        match not_null::always(root, &clause, &made_null_within(root, scope, outer_join)) {
            Some(true) => return Ok(()),
            // It goes where the condition would go.
            Some(false) => clause = Expr::bool_const(false),
            None => {}
        }
    }
    let mut required = clause_relids.clone();
    let mut pushed_down = true;
    if let Some(number) = outer_join {
        let special = &root.special_joins[number];
        if !inner_only {
            required = required.union(&special.min_left).union(&special.min_right);
            pushed_down = false;
        }
    }
    if required.is_empty() {
        // No columns: test it as late as its scope allows.
        required = scope.clone();
    }
    // An outer join's own condition is tested where that join is: what must be below it is known already.
    if pushed_down || !clause_relids.is_subset(scope) {
        for join in delay_above_outer_joins(root, &mut required, scope, outer_join) {
            root.special_joins[join].filtered |= pushed_down;
        }
    }
    let info = make_restrict_info(root, clause, required, pushed_down)?;
    place(root, info)
}

/// `x = x` in WHERE says that `x` is not NULL.
fn equal_to_itself(root: &Root<'_, '_>, clause: &mut Expr) -> PgResult<()> {
    let Some((op, left, right)) = facts::binary_op(clause) else {
        return Ok(());
    };
    let catalog = root.context().catalog;
    if left != right || facts::relids(left).is_empty() || facts::is_volatile(left, catalog)? {
        return Ok(());
    }
    let families = catalog.operator_families(BTREE, op)?;
    if families.iter().any(|(_, strategy)| *strategy == 3) {
        let arg = Box::new(left.clone());
        *clause = Expr::NullTest(NullTest {
            arg,
            is_not: true,
            arg_is_row: false,
            span: common::Span::NONE,
        });
    }
    Ok(())
}

/// Relations whose rows a condition may find turned to NULL by outer joins within its scope, and those outside of it.
fn made_null_within(root: &Root<'_, '_>, scope: &RelIds, own: Option<usize>) -> RelIds {
    let all = (1..root.rels.len()).fold(RelIds::empty(), |s, i| s.union(&RelIds::single(i)));
    let mut out = all.difference(scope);
    for (i, special) in root.special_joins.iter().enumerate() {
        let below = special.syn_left.union(&special.syn_right);
        if Some(i) == own || !below.is_subset(scope) || special.join_type == JoinType::Semi {
            continue;
        }
        out = out.union(&special.syn_right);
        if special.join_type == JoinType::Full {
            out = out.union(&special.syn_left);
        }
    }
    out
}

/// A condition from above an outer join must wait for it when it uses the side that the join may turn to NULL.
/// A LATERAL reference out of its scope means the output of joins further left: of all that are known here. Which joins it waits for.
fn delay_above_outer_joins(
    root: &Root<'_, '_>,
    required: &mut RelIds,
    scope: &RelIds,
    own: Option<usize>,
) -> Vec<usize> {
    let mut waits_for = Vec::new();
    loop {
        let before = required.clone();
        // Joins beside the scope that a LATERAL reference waits for may wait for others there.
        let lateral = required.difference(scope);
        for (i, special) in root.special_joins.iter().enumerate() {
            if Some(i) == own || matches!(special.join_type, JoinType::Semi) {
                continue;
            }
            let whole = special.min_left.union(&special.min_right);
            let below = special.syn_left.union(&special.syn_right);
            if !below.is_subset(scope) && !below.overlaps(&lateral) {
                continue;
            }
            let hits = required.overlaps(&special.min_right)
                || (special.join_type == JoinType::Full && required.overlaps(&special.min_left));
            if hits {
                *required = required.union(&whole);
                waits_for.push(i);
            }
        }
        if *required == before {
            return waits_for;
        }
    }
}

/// Builds the condition's facts.
pub fn make_restrict_info(
    root: &mut Root<'_, '_>,
    clause: Expr,
    required: RelIds,
    pushed_down: bool,
) -> PgResult<RestrictInfo> {
    let volatile = facts::is_volatile(&clause, root.context().catalog)?;
    let equality = if volatile {
        None
    } else {
        equality_of(root, &clause)?
    };
    Ok(RestrictInfo {
        clause_relids: facts::relids(&clause),
        cost: crate::cost::eval_cost(root, &clause),
        clause,
        required,
        pushed_down,
        equality,
        class: None,
        selectivity: 1.0,
        already_restricted: 1.0,
        volatile,
    })
}

/// The parts of `left = right` when the two sides use different relations (or one side none).
fn equality_of(root: &Root<'_, '_>, clause: &Expr) -> PgResult<Option<Equality>> {
    let Some((op, left, right)) = facts::binary_op(clause) else {
        return Ok(None);
    };
    let catalog = root.context().catalog;
    let Some(desc) = catalog.operator(op)? else {
        return Ok(None);
    };
    if !desc.can_hash && !desc.can_merge {
        return Ok(None);
    }
    let (left_relids, right_relids) = (facts::relids(left), facts::relids(right));
    // Two columns of one relation may be in one class, too.
    let of_one = left_relids.singleton().is_some() && left_relids == right_relids;
    if left_relids.overlaps(&right_relids) && !of_one {
        return Ok(None);
    }
    let family = if desc.can_merge {
        catalog
            .operator_families(BTREE, op)?
            .iter()
            .find(|(_, strategy)| *strategy == 3)
            .map(|(f, _)| *f)
    } else {
        None
    };
    let collation = match clause {
        Expr::Func(f) => f.input_collation,
        _ => Oid::INVALID,
    };
    Ok(Some(Equality {
        op,
        collation,
        left: left.clone(),
        right: right.clone(),
        left_relids,
        right_relids,
        can_hash: desc.can_hash,
        family,
        distinct: [1.0; 2],
        guessed: [false; 2],
        merge: None,
    }))
}

/// Files a condition: with its base relation, or with the join conditions.
pub fn place(root: &mut Root<'_, '_>, mut info: RestrictInfo) -> PgResult<()> {
    if info.pushed_down {
        info.class = crate::equivalence::note_equality(root, &info);
    }
    root.join_clauses.push(Rc::new(info));
    Ok(())
}

/// After base relations exist: conditions of one relation move to it, with their selectivities.
pub fn assign_base_restrictions(root: &mut Root<'_, '_>) -> PgResult<()> {
    let clauses = std::mem::take(&mut root.join_clauses);
    // PostgreSQL gives equalities back to relations when it has seen all other conditions.
    let is_equality = |c: &Rc<RestrictInfo>| c.class.is_some() && c.required.singleton().is_some();
    let (equalities, others): (Vec<_>, Vec<_>) = clauses.into_iter().partition(is_equality);
    for info in others.into_iter().chain(equalities) {
        let mut info = (*info).clone();
        match info.required.singleton() {
            Some(i) if root.rels.get(i).is_some_and(Option::is_some) => {
                info.selectivity = crate::selectivity::clause(root, &info.clause, None);
                let dedup = root.without_self_joins && info.pushed_down && !info.volatile;
                if let Some(base) = root.rels[i].as_mut().and_then(|r| r.base.as_mut())
                    && !(dedup && base.restrictions.iter().any(|r| r.clause == info.clause))
                {
                    base.restrictions.push(Rc::new(info));
                }
            }
            _ => {
                restrict_by_disjunction(root, &mut info)?;
                root.join_clauses.push(Rc::new(info));
            }
        }
    }
    Ok(())
}

/// A disjunction over several relations may say something about each of them alone: that filters their scans.
fn restrict_by_disjunction(root: &mut Root<'_, '_>, info: &mut RestrictInfo) -> PgResult<()> {
    /// What keeps more rows than this is not worth testing twice (PostgreSQL's figure).
    const SELECTIVITY_MAX: f64 = 0.9;
    if !info.pushed_down || info.volatile || info.required != info.clause_relids {
        return Ok(());
    }
    let rels: Vec<usize> = info.clause_relids.iter().collect();
    for rel in rels {
        if made_null_below(root, rel, &info.clause_relids) {
            continue;
        }
        let restriction = or_clauses::restriction_on(&info.clause, rel, root.context().catalog)?;
        let Some(restriction) = restriction else { continue };
        let mut own = make_restrict_info(root, restriction, RelIds::single(rel), true)?;
        own.selectivity = crate::selectivity::clause(root, &own.clause, None);
        if own.selectivity > SELECTIVITY_MAX {
            continue;
        }
        info.already_restricted *= own.selectivity;
        if let Some(base) = root.rels.get_mut(rel).and_then(|r| r.as_mut()?.base.as_mut()) {
            base.restrictions.push(Rc::new(own));
        }
    }
    Ok(())
}

/// An outer join between the relation and a condition over these relations may turn its rows to NULL: the condition then says nothing
/// of its rows alone.
fn made_null_below(root: &Root<'_, '_>, rel: usize, clause: &RelIds) -> bool {
    let nulls = |side: &RelIds| side.contains(rel) && !clause.is_subset(side);
    root.special_joins.iter().any(|s| match s.join_type {
        JoinType::Full => nulls(&s.syn_left) || nulls(&s.syn_right),
        JoinType::Semi => false,
        _ => nulls(&s.syn_right),
    })
}

/// After base sizes are known: selectivities of join conditions, and what joining by them needs to know.
pub fn estimate_join_clauses(root: &mut Root<'_, '_>) -> PgResult<()> {
    let clauses = std::mem::take(&mut root.join_clauses);
    let mut out = Vec::with_capacity(clauses.len());
    for info in &clauses {
        let mut info = (**info).clone();
        let selectivity = crate::selectivity::clause(root, &info.clause, None);
        info.selectivity = (selectivity / info.already_restricted).min(1.0);
        if let Some(equality) = &mut info.equality {
            equality.distinct =
                [&equality.left, &equality.right].map(|side| crate::selectivity::distinct_values(root, side));
            equality.guessed =
                [&equality.left, &equality.right].map(|side| crate::selectivity::is_guessed(root, side));
            equality.merge = merge_facts(root, equality)?;
        }
        out.push(Rc::new(info));
    }
    root.join_clauses = out;
    Ok(())
}

fn merge_facts(root: &mut Root<'_, '_>, equality: &Equality) -> PgResult<Option<MergeFacts>> {
    let Some(family) = equality.family else {
        return Ok(None);
    };
    let (left, right) = (&equality.left, &equality.right);
    let catalog = root.context().catalog;
    let compare = |a: &Expr, b: &Expr| catalog.opfamily_proc(family, a.type_oid(), b.type_oid(), 1);
    let compare = [compare(left, right)?, compare(right, left)?];
    let mut class =
        |e: &Expr| crate::equivalence::path_key(root, e, family, equality.collation, false, false).class;
    Ok(Some(MergeFacts {
        classes: [class(left), class(right)],
        compare,
    }))
}
