//! Equivalence classes: expressions known equal, what follows from that, and the vocabulary of sort orders.

use common::cancel;
use common::{Oid, PgResult, Span};
use nodes::expr::{Expr, FuncExpr};
use nodes::query::{JoinType, SortGroupClause};
use nodes::relids::RelIds;
use types::settings::TypeRef;

use crate::exprs::facts;
use crate::joininfo;
use crate::path::PathKey;
use crate::rel::{RestrictInfo, SpecialJoin};
use crate::root::Root;

/// Expressions that are equal in every result row (or a single sort expression).
#[derive(Clone, Debug)]
pub struct EquivalenceClass {
    pub family: Oid,
    pub collation: Oid,
    pub members: Vec<Member>,
    /// Of an expression as it is above the joins, one of which may have turned it to NULL: nothing that conditions below say holds there.
    pub above_joins: bool,
}

/// One of the equal expressions.
#[derive(Clone, Debug)]
pub struct Member {
    pub expr: Expr,
    pub relids: RelIds,
    /// The same in every row: without columns, and nothing inside makes values of its own.
    pub is_constant: bool,
}

impl EquivalenceClass {
    fn contains(&self, expr: &Expr) -> bool {
        self.members.iter().any(|m| m.expr == *expr)
    }

    /// One condition of the class is enough for a join of two sides that keep to it themselves.
    pub fn is_transitive(&self) -> bool {
        self.members.iter().all(|m| m.relids.len() <= 1)
    }

    /// The member that is a constant, if any: such a class sorts nothing.
    pub fn constant(&self) -> Option<&Expr> {
        self.members.iter().find(|m| m.is_constant).map(|m| &m.expr)
    }
}

/// Puts both sides of an equality into one class. Only conditions that hold for every result row qualify; those that wait
/// for an outer join do not.
pub fn note_equality(root: &mut Root<'_, '_>, info: &RestrictInfo) -> Option<usize> {
    let eq = info.equality.as_ref()?;
    let family = eq.family?;
    if info.volatile || info.required != info.clause_relids || facts::contains_subquery(&info.clause) {
        return None;
    }
    if eq.left_relids.is_empty() && eq.right_relids.is_empty() {
        return None;
    }
    let find = |e: &Expr| {
        let same = |c: &EquivalenceClass| {
            c.family == family && c.collation == eq.collation && !c.above_joins && c.contains(e)
        };
        // What is equal to the same constant elsewhere may be so on one side of an outer join only.
        match e {
            Expr::Const(_) => None,
            _ => root.classes.iter().position(same),
        }
    };
    let member = |e: &Expr, r: &RelIds| Member {
        expr: e.clone(),
        relids: r.clone(),
        is_constant: r.is_empty(),
    };
    let (l, r) = (
        member(&eq.left, &eq.left_relids),
        member(&eq.right, &eq.right_relids),
    );
    match (find(&eq.left), find(&eq.right)) {
        (Some(a), Some(b)) if a == b => Some(a),
        (Some(a), Some(b)) => {
            let moved = std::mem::take(&mut root.classes[b].members);
            root.classes[a].members.extend(moved);
            Some(a)
        }
        (Some(a), None) => {
            root.classes[a].members.push(r);
            Some(a)
        }
        (None, Some(b)) => {
            root.classes[b].members.push(l);
            Some(b)
        }
        (None, None) => {
            root.classes.push(EquivalenceClass {
                family,
                collation: eq.collation,
                members: vec![l, r],
                above_joins: false,
            });
            Some(root.classes.len() - 1)
        }
    }
}

/// Adds the conditions that follow from the classes: `member = constant`, and equalities between members of different
/// relations that no condition of the query states.
pub fn add_implied(root: &mut Root<'_, '_>) -> PgResult<()> {
    // Classes may have merged since a condition was filed: find its class again by its left side.
    renumber(root);
    constants_through_left_joins(root)?;
    for number in 0..root.classes.len() {
        let class = root.classes[number].clone();
        let constant = class.constant().cloned();
        if let Some(value) = &constant {
            imply_constants(root, number, &class, value)?;
            continue;
        }
        for (i, a) in class.members.iter().enumerate() {
            if a.relids.is_empty() {
                continue;
            }
            // Joins test one condition of a class: what two members of one relation have to do with each other, its scan tests.
            let same = |b: &&Member| b.relids == a.relids && a.relids.singleton().is_some();
            if let Some(b) = class.members[..i].iter().rev().find(same) {
                imply(root, number, &class, &b.expr, &a.expr)?;
            }
            for b in &class.members[..i] {
                if !a.relids.overlaps(&b.relids) {
                    imply(root, number, &class, &b.expr, &a.expr)?;
                }
            }
        }
    }
    Ok(())
}

/// `a LEFT JOIN b ON a.x = b.y` where `a.x` is a constant: rows of `b` with another value match nothing.
///
/// PG: `reconsider_outer_join_clause`.
fn constants_through_left_joins(root: &mut Root<'_, '_>) -> PgResult<()> {
    let clauses = std::mem::take(&mut root.join_clauses);
    let (mut kept, mut implied) = (Vec::with_capacity(clauses.len()), Vec::new());
    for info in clauses {
        match left_join_by_constant(root, &info) {
            Some((join, inner, value)) => implied.push((info, join, inner, value)),
            None => kept.push(info),
        }
    }
    root.join_clauses = kept;
    for (info, join, inner, (value, of)) in implied {
        let Some(clause) = equality_clause(root, of, &inner, &value)? else {
            root.join_clauses.push(info);
            continue;
        };
        keep_below(root, join);
        let required = facts::relids(&clause);
        let info = joininfo::make_restrict_info(root, clause, required, true)?;
        root.join_clauses.push(std::rc::Rc::new(info));
    }
    Ok(())
}

/// Family and collation of an equality.
pub type EqualityOf = (Oid, Oid);

/// A left join that lost its condition to constants stays below the joins that turn its left side to NULL: above them the condition would
/// have to be there.
fn keep_below(root: &mut Root<'_, '_>, join: usize) {
    let whole = root.special_joins[join]
        .syn_left
        .union(&root.special_joins[join].syn_right);
    let needed = root.special_joins[join]
        .min_left
        .union(&root.special_joins[join].min_right);
    for other in &mut root.special_joins {
        if whole.is_subset(&other.syn_right) {
            other.min_right = other.min_right.union(&needed);
        } else if other.join_type == JoinType::Full && whole.is_subset(&other.syn_left) {
            other.min_left = other.min_left.union(&needed);
        }
    }
}

/// Of a left join's equality: the join's number, the nullable side's expression, and the constant that the other side is.
fn left_join_by_constant(
    root: &Root<'_, '_>,
    info: &RestrictInfo,
) -> Option<(usize, Expr, (Expr, EqualityOf))> {
    let e = info
        .equality
        .as_ref()
        .filter(|_| !info.pushed_down && !info.volatile)?;
    let family = e.family?;
    let separates = |outer: &RelIds, inner: &RelIds| {
        root.special_joins.iter().position(|s| {
            // The outer side as it comes from its scan: no join below has turned it to NULL.
            let as_scanned = |other: &SpecialJoin| {
                let whole = other.syn_left.union(&other.syn_right);
                !other.makes_null(outer) || !whole.is_subset(&s.syn_left)
            };
            s.join_type == JoinType::Left
                && outer.is_subset(&s.syn_left)
                && inner.is_subset(&s.syn_right)
                && root.special_joins.iter().all(as_scanned)
        })
    };
    let sides = [
        (&e.left, &e.left_relids, &e.right, &e.right_relids),
        (&e.right, &e.right_relids, &e.left, &e.left_relids),
    ];
    sides
        .into_iter()
        .find_map(|(outer, outer_relids, inner, inner_relids)| {
            if outer_relids.is_empty() || inner_relids.singleton().is_none() {
                return None;
            }
            let join = separates(outer_relids, inner_relids)?;
            let mut classes = root.classes.iter();
            let class = classes.find(|c| {
                (c.family, c.collation, c.above_joins) == (family, e.collation, false) && c.contains(outer)
            })?;
            let value = (class.constant()?.clone(), (family, e.collation));
            Some((join, inner.clone(), value))
        })
}

/// Every member equals the constant: what the query says of members among themselves follows from that.
///
/// PG: `generate_base_implied_equalities_const`.
fn imply_constants(
    root: &mut Root<'_, '_>,
    number: usize,
    class: &EquivalenceClass,
    value: &Expr,
) -> PgResult<()> {
    let mut equal_to_it = true;
    for member in class.members.iter().filter(|m| !m.relids.is_empty()) {
        match place_of(root, number, &member.expr, value) {
            // All of them in the order of the members.
            Some(at) => {
                let stated = root.join_clauses.remove(at);
                root.join_clauses.push(stated);
            }
            None => {
                imply(root, number, class, &member.expr, value)?;
                equal_to_it &= is_stated(root, number, &member.expr, value);
            }
        }
    }
    if equal_to_it {
        root.join_clauses.retain(|info| {
            let among_members = info.equality.as_ref().is_some_and(|e| {
                !e.left_relids.is_empty()
                    && !e.right_relids.is_empty()
                    && e.left != *value
                    && e.right != *value
            });
            info.class != Some(number) || !among_members
        });
    }
    Ok(())
}

/// Some condition says that the two are equal.
fn is_stated(root: &Root<'_, '_>, number: usize, left: &Expr, right: &Expr) -> bool {
    place_of(root, number, left, right).is_some()
}

fn place_of(root: &Root<'_, '_>, number: usize, left: &Expr, right: &Expr) -> Option<usize> {
    let same = |e: &crate::rel::Equality| {
        (e.left == *left && e.right == *right) || (e.left == *right && e.right == *left)
    };
    let mut infos = root.join_clauses.iter();
    infos.position(|info| info.class == Some(number) && info.equality.as_ref().is_some_and(same))
}

fn renumber(root: &mut Root<'_, '_>) {
    let clauses = std::mem::take(&mut root.join_clauses);
    root.join_clauses = clauses
        .into_iter()
        .map(|info| {
            let (Some(_), Some(eq)) = (info.class, &info.equality) else {
                return info;
            };
            let class = root
                .classes
                .iter()
                .position(|c| c.contains(&eq.left) && c.contains(&eq.right));
            let mut info = (*info).clone();
            info.class = class;
            std::rc::Rc::new(info)
        })
        .collect();
}

fn imply(
    root: &mut Root<'_, '_>,
    number: usize,
    class: &EquivalenceClass,
    left: &Expr,
    right: &Expr,
) -> PgResult<()> {
    cancel::check()?;
    if is_stated(root, number, left, right) {
        return Ok(());
    }
    let Some(clause) = equality_clause(root, (class.family, class.collation), left, right)? else {
        return Ok(());
    };
    let required = facts::relids(&clause);
    let mut info = joininfo::make_restrict_info(root, clause, required, true)?;
    info.class = Some(number);
    root.join_clauses.push(std::rc::Rc::new(info));
    Ok(())
}

/// `left = right` in a family, if it has an operator for the two types.
fn equality_clause(
    root: &Root<'_, '_>,
    (family, collation): EqualityOf,
    left: &Expr,
    right: &Expr,
) -> PgResult<Option<Expr>> {
    let catalog = root.context().catalog;
    let (lt, rt) = (left.type_oid(), right.type_oid());
    let Some(op) = catalog.opfamily_member(family, lt, rt, 3)? else {
        return Ok(None);
    };
    let Some(desc) = catalog.operator(op)? else {
        return Ok(None);
    };
    Ok(Some(Expr::Func(FuncExpr {
        func: desc.function,
        op,
        args: vec![left.clone(), right.clone()],
        result: TypeRef::plain(types::oids::BOOL),
        returns_set: false,
        variadic: false,
        form: Default::default(),
        input_collation: collation,
        collation: Oid::INVALID,
        span: Span::NONE,
    })))
}

/// The sort column for an expression, making a class of its own when there is none.
pub fn path_key(
    root: &mut Root<'_, '_>,
    expr: &Expr,
    family: Oid,
    collation: Oid,
    descending: bool,
    nulls_first: bool,
) -> PathKey {
    key_in(root, expr, (family, collation), (descending, nulls_first), false)
}

/// As [`path_key`], for a step above all joins.
pub fn upper_key(
    root: &mut Root<'_, '_>,
    expr: &Expr,
    of: EqualityOf,
    (descending, nulls_first): (bool, bool),
) -> PathKey {
    let above = may_be_made_null(root, expr);
    key_in(root, expr, of, (descending, nulls_first), above)
}

/// An outer join may turn columns of the expression to NULL.
fn may_be_made_null(root: &Root<'_, '_>, expr: &Expr) -> bool {
    if root.special_joins.is_empty() {
        return false;
    }
    let relids = facts::relids(expr);
    root.special_joins.iter().any(|s| s.makes_null(&relids))
}

fn key_in(
    root: &mut Root<'_, '_>,
    expr: &Expr,
    (family, collation): EqualityOf,
    (descending, nulls_first): (bool, bool),
    above_joins: bool,
) -> PathKey {
    let same = |c: &EquivalenceClass| {
        (c.family, c.collation, c.above_joins) == (family, collation, above_joins) && c.contains(expr)
    };
    let found = root.classes.iter().position(same);
    let class = found.unwrap_or_else(|| {
        let relids = facts::relids(expr);
        let member = Member {
            expr: expr.clone(),
            is_constant: relids.is_empty() && !facts::makes_values(expr, root.context().catalog),
            relids,
        };
        root.classes.push(EquivalenceClass {
            family,
            collation,
            members: vec![member],
            above_joins,
        });
        root.classes.len() - 1
    });
    PathKey {
        class,
        family,
        descending,
        nulls_first,
    }
}

/// Drops sort columns that cannot matter: constants and repeats.
///
/// Above grouping sets all matter: what a set does not group by is NULL there, whatever the rows below are known to be.
pub fn canonical_keys(root: &Root<'_, '_>, keys: Vec<PathKey>) -> Vec<PathKey> {
    if !root.query.grouping_sets.is_empty() {
        return keys;
    }
    let mut out: Vec<PathKey> = Vec::new();
    for key in keys {
        let class = &root.classes[key.class];
        if class.constant().is_none() && out.iter().all(|k| k.class != key.class) {
            out.push(key);
        }
    }
    out
}

/// Family and direction of a sort operator: (family, descending).
pub fn sort_op_family(root: &Root<'_, '_>, sort_op: Oid) -> PgResult<Option<(Oid, bool)>> {
    let families = root
        .context()
        .catalog
        .operator_families(joininfo::BTREE, sort_op)?;
    Ok(families.iter().find_map(|(family, strategy)| match strategy {
        1 => Some((*family, false)),
        5 => Some((*family, true)),
        _ => None,
    }))
}

/// Clauses without those that tell no rows apart: columns equal to a constant, and columns equal to one before.
///
/// PG: `make_pathkeys_for_sortclauses_extended` with `remove_redundant`.
pub fn necessary_clauses(
    root: &mut Root<'_, '_>,
    clauses: &[SortGroupClause],
) -> PgResult<Vec<SortGroupClause>> {
    if !root.query.grouping_sets.is_empty() {
        return Ok(clauses.to_vec());
    }
    let (mut kept, mut keys) = (Vec::new(), Vec::<PathKey>::new());
    for clause in clauses {
        let family = match clause.sort_op.is_valid() {
            true => sort_op_family(root, clause.sort_op)?,
            false => None,
        };
        let expr = crate::upper::sort_group_expr(root, clause).cloned();
        let (Some((family, descending)), Some(expr)) = (family, expr) else {
            return Ok(clauses.to_vec());
        };
        let of = (family, expr.collation());
        let key = upper_key(root, &expr, of, (descending, clause.nulls_first));
        let constant = root.classes[key.class].constant().is_some();
        if !constant && keys.iter().all(|k| k.class != key.class) {
            keys.push(key);
            kept.push(clause.clone());
        }
    }
    Ok(kept)
}

/// The class of a sort column, if something is known of it.
pub fn class_of(root: &Root<'_, '_>, expr: &Expr, sort_op: Oid) -> PgResult<Option<usize>> {
    if !sort_op.is_valid() || !root.query.grouping_sets.is_empty() {
        return Ok(None);
    }
    let family = sort_op_family(root, sort_op)?.map(|(family, _)| family);
    let above = may_be_made_null(root, expr);
    let same = |c: &EquivalenceClass| {
        let of = (Some(c.family), c.collation, c.above_joins);
        of == (family, expr.collation(), above) && c.contains(expr)
    };
    Ok(root.classes.iter().position(same))
}

/// True for a column that is equal to a constant in every row, so that nothing is sorted by it.
pub fn is_constant(root: &Root<'_, '_>, expr: &Expr, sort_op: Oid) -> PgResult<bool> {
    let family = match sort_op.is_valid() {
        true => sort_op_family(root, sort_op)?,
        false => None,
    };
    let above = may_be_made_null(root, expr);
    let same = |c: &EquivalenceClass| {
        root.query.grouping_sets.is_empty()
            && family.is_some_and(|(f, _)| f == c.family)
            && (c.collation, c.above_joins) == (expr.collation(), above)
            && c.contains(expr)
    };
    Ok(root.classes.iter().any(|c| c.constant().is_some() && same(c)))
}
