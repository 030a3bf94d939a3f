//! INSERT, UPDATE, DELETE: target lists for the rows to write, and the node that writes them.

use common::{AttrNumber, CTID, PgResult, Span, TABLEOID, internal};
use nodes::expr::{Expr, Var, VarSource};
use nodes::plan::{ModifyTable, OnConflictPlan, PlanCost, PlanNode, ResultRelation};
use nodes::query::{CommandType, OnConflictExpr, RteKind, TargetEntry};
use nodes::relids::RelIds;
use types::settings::TypeRef;

use crate::exprs::positions;
use crate::root::Root;
use crate::upper::{self, Stage, marks};

/// The row identity of a relation.
pub fn ctid_var(rt_index: usize) -> Expr {
    Expr::Var(plain_var(rt_index, CTID, TypeRef::plain(types::oids::TID)))
}

/// A column of a relation, as it is below all outer joins.
pub fn plain_var(rt_index: usize, attno: common::AttrNumber, type_ref: TypeRef) -> Var {
    Var {
        source: VarSource::Rel {
            index: rt_index,
            levels_up: 0,
        },
        attno,
        type_ref,
        collation: common::Oid::INVALID,
        nulling_rels: RelIds::empty(),
        returning: Default::default(),
        span: Span::NONE,
    }
}

/// Brings the target list into the form that ModifyTable (or LockRows) reads from its input.
pub fn prepare_targets(root: &mut Root<'_, '_>) -> PgResult<()> {
    match root.query.command {
        CommandType::Select => {
            for mark in root.query.row_marks.clone() {
                if matches!(root.query.rte(mark.rt_index).kind, RteKind::Relation { .. }) {
                    push_junk(root, ctid_var(mark.rt_index), "ctid");
                    push_table_oid(root, mark.rt_index);
                }
            }
            if !root.query.row_marks.is_empty() {
                push_others(root);
            }
        }
        CommandType::Insert => expand_insert(root)?,
        CommandType::Update | CommandType::Delete => {
            if root.query.command == CommandType::Update {
                root.query.target_list.retain(|t| !t.resjunk);
            } else {
                root.query.target_list.clear();
            }
            push_junk(root, ctid_var(root.query.result_relation), "ctid");
            push_table_oid(root, root.query.result_relation);
            push_others(root);
        }
        CommandType::Merge => {
            root.query.target_list.clear();
            push_junk(root, ctid_var(root.query.result_relation), "ctid");
            push_table_oid(root, root.query.result_relation);
            push_merge_inputs(root);
            push_others(root);
        }
    }
    push_returning_inputs(root);
    Ok(())
}

/// Rows of the other tables of a join are named for EvalPlanQual.
fn push_others(root: &mut Root<'_, '_>) {
    for rt_index in marks::others(&root.query) {
        push_junk(root, ctid_var(rt_index), "ctid");
        push_table_oid(root, rt_index);
    }
    for rt_index in marks::copied(&root.query) {
        for var in marks::column_vars(&root.query, rt_index) {
            push_junk(root, var, "wholerow");
        }
        root.global.has_row_copies = true;
    }
}

/// Rows of an inheritance tree say which table they are in.
fn push_table_oid(root: &mut Root<'_, '_>, rt_index: usize) {
    if root.append_parents.contains(&rt_index) {
        push_junk(root, table_oid_var(rt_index), "tableoid");
    }
}

/// `tableoid` of a relation.
pub fn table_oid_var(rt_index: usize) -> Expr {
    Expr::Var(plain_var(rt_index, TABLEOID, TypeRef::plain(types::oids::OID)))
}

/// MERGE's actions use columns of the source: those come along as junk.
fn push_merge_inputs(root: &mut Root<'_, '_>) {
    let result = root.query.result_relation;
    let mut exprs: Vec<Expr> = Vec::new();
    for action in &root.query.merge_actions {
        exprs.extend(action.condition.clone());
        exprs.extend(action.target_list.iter().map(|t| t.expr.clone()));
    }
    exprs.extend(root.query.merge_join_condition.clone());
    let mut vars = Vec::new();
    exprs
        .iter()
        .for_each(|e| crate::exprs::facts::vars(e, false, &mut vars));
    let others: Vec<Expr> = vars
        .into_iter()
        .filter(|e| matches!(e, Expr::Var(v) if crate::exprs::facts::var_rel(v).is_some_and(|r| r != result)))
        .cloned()
        .collect();
    for e in others {
        push_junk(root, e, "source");
    }
}

fn push_junk(root: &mut Root<'_, '_>, expr: Expr, name: &str) {
    if root.query.target_list.iter().any(|t| t.expr == expr) {
        return;
    }
    let resno = root.query.target_list.len() + 1;
    let mut entry = upper::target(expr, resno, Some(name.into()));
    entry.resjunk = true;
    root.query.target_list.push(entry);
}

/// RETURNING may use columns of other relations: those come along as junk.
fn push_returning_inputs(root: &mut Root<'_, '_>) {
    let result = root.query.result_relation;
    let mut vars = Vec::new();
    for t in &root.query.returning {
        crate::exprs::facts::vars(&t.expr, false, &mut vars);
    }
    let others: Vec<Expr> = vars
        .into_iter()
        .filter(|e| matches!(e, Expr::Var(v) if crate::exprs::facts::var_rel(v).is_some_and(|r| r != result)))
        .cloned()
        .collect();
    for e in others {
        push_junk(root, e, "returning");
    }
}

/// One target per column of the table, in column order; columns not assigned are NULL (defaults are in the list already).
fn expand_insert(root: &mut Root<'_, '_>) -> PgResult<()> {
    let rte = root.query.rte(root.query.result_relation);
    let RteKind::Relation { relation, .. } = rte.kind else {
        return Err(internal!("target of INSERT is not a relation"));
    };
    let desc = root
        .context()
        .catalog
        .relation(relation)?
        .ok_or_else(|| internal!("could not open relation with OID {relation}"))?;
    let old = std::mem::take(&mut root.query.target_list);
    for column in &desc.columns {
        let found = old.iter().find(|t| t.resno == column.attno && !t.resjunk);
        let type_ref = if column.dropped {
            TypeRef::plain(types::oids::INT4)
        } else {
            column.type_ref
        };
        let expr = found.map_or_else(
            || Expr::null_const(type_ref, column.collation),
            |t| t.expr.clone(),
        );
        root.query.target_list.push(upper::target(
            expr,
            column.attno as usize,
            Some(column.name.clone()),
        ));
    }
    Ok(())
}

/// Adds the ModifyTable node of a data-modifying level.
pub fn add(root: &mut Root<'_, '_>, stage: Stage) -> PgResult<Stage> {
    let command = root.query.command;
    if command == CommandType::Select {
        return Ok(stage);
    }
    let result = root.query.result_relation;
    let RteKind::Relation { relation, .. } = root.query.rte(result).kind else {
        return Err(internal!("target of a data-modifying query is not a relation"));
    };
    let ctid = ctid_var(result);
    let row_id_column = stage
        .output
        .iter()
        .position(|e| *e == ctid)
        .map_or(0, |i| i as AttrNumber + 1);
    let table_oid = table_oid_var(result);
    let table_oid_column = stage
        .output
        .iter()
        .position(|e| *e == table_oid)
        .map_or(0, |i| i as AttrNumber + 1);
    let update_columns = match command {
        CommandType::Update | CommandType::Insert => root
            .query
            .target_list
            .iter()
            .filter(|t| !t.resjunk)
            .map(|t| t.resno)
            .collect(),
        _ => Vec::new(),
    };
    let returning: Vec<TargetEntry> = root
        .query
        .returning
        .iter()
        .map(|t| {
            Ok(TargetEntry {
                expr: positions::fix_written(&t.expr, &stage.output, result)?,
                ..t.clone()
            })
        })
        .collect::<PgResult<_>>()?;
    let mut with_check_options = root.query.with_check_options.clone();
    for w in &mut with_check_options {
        w.qual = positions::fix_written(&w.qual, &stage.output, result)?;
    }
    let on_conflict = match root.query.on_conflict.clone() {
        Some(oc) => Some(plan_on_conflict(root, &oc, result)?),
        None => None,
    };
    let output: Vec<Expr> = root.query.returning.iter().map(|t| t.expr.clone()).collect();
    let input = stage.plan.cost;
    let cost = PlanCost {
        rows: if output.is_empty() { 0.0 } else { input.rows },
        width: output.iter().map(|e| crate::paths::expr_width(root, e)).sum(),
        ..input
    };
    let mut merge_actions = root.query.merge_actions.clone();
    for action in &mut merge_actions {
        if let Some(c) = &mut action.condition {
            *c = positions::fix_written(c, &stage.output, result)?;
        }
        for t in &mut action.target_list {
            t.expr = positions::fix_written(&t.expr, &stage.output, result)?;
        }
    }
    let merge_join_condition = match &root.query.merge_join_condition {
        Some(c) => Some(positions::fix_written(c, &stage.output, result)?),
        None => None,
    };
    let first = ResultRelation {
        rt_index: root.global_index(result),
        relation,
        update_columns,
        row_id_column,
        returning: returning.clone(),
        with_check_options,
        merge_actions,
    };
    let modify = ModifyTable {
        operation: command,
        can_set_tag: true,
        root_relation: relation,
        table_oid_column,
        merge_join_condition,
        nominal_rt_index: root.global_index(result),
        relations: result_relations(root, result, first),
        on_conflict,
        overriding: root.query.overriding,
        row_marks: marks::other_marks(root, &stage.output),
        epq_param: root.global.new_param(),
        input: Box::new(stage.plan),
    };
    let plan = upper::node(cost, returning, PlanNode::ModifyTable(modify));
    Ok(Stage {
        plan,
        output,
        keys: Vec::new(),
    })
}

/// The tables that hold the rows to be changed: the target, or the members of its tree that may have some.
fn result_relations(root: &Root<'_, '_>, result: usize, first: ResultRelation) -> Vec<ResultRelation> {
    let base = root
        .rels
        .get(result)
        .and_then(Option::as_ref)
        .and_then(|r| r.base.as_ref());
    let Some(base) = base.filter(|b| b.is_append && !b.members.is_empty()) else {
        return vec![first];
    };
    let mut members = Vec::new();
    leaves(root, &base.members, &mut members);
    root.append_children
        .iter()
        .filter(|c| members.contains(&c.child))
        .map(|c| ResultRelation {
            rt_index: root.global_index(c.child),
            relation: c.table().unwrap_or(first.relation),
            ..first.clone()
        })
        .collect()
}

/// The members that have rows of their own.
fn leaves(root: &Root<'_, '_>, members: &[usize], out: &mut Vec<usize>) {
    for member in members {
        match root.rel(*member).ok().and_then(|r| r.base.as_ref()) {
            Some(b) if b.is_append => leaves(root, &b.members, out),
            _ => out.push(*member),
        }
    }
}

/// Chooses arbiter indexes: those whose columns and predicate are exactly what was named.
fn plan_on_conflict(root: &Root<'_, '_>, oc: &OnConflictExpr, result: usize) -> PgResult<OnConflictPlan> {
    let RteKind::Relation { relation, .. } = root.query.rte(result).kind else {
        return Err(internal!("target of INSERT is not a relation"));
    };
    let catalog = root.context().catalog;
    let desc = catalog
        .relation(relation)?
        .ok_or_else(|| internal!("relation {relation} vanished"))?;
    let mut arbiter_indexes = Vec::new();
    if oc.constraint.is_valid() {
        let named = desc.constraints.iter().find(|c| c.oid == oc.constraint);
        if oc.update && named.is_some_and(|c| !c.exclusion_ops.is_empty()) {
            return Err(common::pg_err!(
                WRONG_OBJECT_TYPE,
                "ON CONFLICT DO UPDATE not supported with exclusion constraints"
            ));
        }
        arbiter_indexes.extend(named.map(|c| c.index));
    } else if !oc.arbiter_elements.is_empty() {
        for oid in &desc.indexes {
            let Some(index) = catalog.relation(*oid)? else {
                continue;
            };
            let Some(info) = &index.index else { continue };
            if info.unique && !info.exclusion && info.valid && matches_arbiter(info, oc, result) {
                arbiter_indexes.push(*oid);
            }
        }
        if arbiter_indexes.is_empty() {
            return Err(common::pg_err!(
                INVALID_COLUMN_REFERENCE,
                "there is no unique or exclusion constraint matching the ON CONFLICT specification"
            ));
        }
    }
    let fix = |e: &Expr| conflict_expr(e, result, oc.excluded_index);
    let mut set = Vec::new();
    for t in &oc.set {
        set.push(TargetEntry {
            expr: fix(&t.expr),
            ..t.clone()
        });
    }
    Ok(OnConflictPlan {
        update: oc.update,
        arbiter_indexes,
        set,
        where_clause: oc.where_clause.as_ref().map(fix),
    })
}

fn matches_arbiter(info: &catalog::IndexDesc, oc: &OnConflictExpr, result: usize) -> bool {
    let key = &info.columns[..info.key_count];
    let column_of = |e: &Expr| match e {
        Expr::Var(v) if crate::exprs::facts::var_rel(v) == Some(result) => Some(v.attno),
        _ => None,
    };
    let same_expr = |e: &Expr, stored: &Expr| {
        let mut stored = stored.clone();
        crate::exprs::query_walk::strip_expr(&mut stored);
        crate::exprs::query_walk::offset_rels(&mut stored, 0, result - 1);
        *e == stored
    };
    let named = |e: &Expr| {
        key.iter().any(|c| match &c.expr {
            Some(stored) => same_expr(e, stored),
            None => column_of(e) == Some(c.attno),
        })
    };
    let covered = |c: &catalog::desc::IndexColumnDesc| {
        oc.arbiter_elements.iter().any(|el| match &c.expr {
            Some(stored) => same_expr(&el.expr, stored),
            None => column_of(&el.expr) == Some(c.attno),
        })
    };
    let predicate_ok = match (&info.predicate, &oc.arbiter_where) {
        (None, _) => true,
        (Some(p), Some(w)) => same_expr(w, p),
        (Some(_), None) => false,
    };
    predicate_ok && oc.arbiter_elements.iter().all(|el| named(&el.expr)) && key.iter().all(covered)
}

/// The existing row is `Scan`, the excluded one `Inner`.
fn conflict_expr(e: &Expr, result: usize, excluded: usize) -> Expr {
    let mut e = e.clone();
    nodes::walk::rewrite(&mut e, &mut |e| {
        if let Expr::Var(v) = e {
            match crate::exprs::facts::var_rel(v) {
                Some(i) if i == result => v.source = VarSource::Scan,
                Some(i) if i == excluded => v.source = VarSource::Inner,
                _ => {}
            }
        }
    });
    e
}
