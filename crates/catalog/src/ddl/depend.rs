//! Recording who needs whom (`pg_depend`).

use std::collections::BTreeSet;

use common::{Oid, PgResult};
use nodes::expr::{Const, VarSource};
use nodes::query::{JoinTreeNode, RteKind};
use nodes::{Expr, Query, walk};
use types::{Datum, oids as t};

use crate::columns::pg_depend::*;
use crate::ddl::{Ddl, ObjectAddress, oid};
use crate::oids;
use crate::store::key_oid;
use crate::view::CatalogView;

/// How one object needs another: `pg_depend.deptype`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DependencyType {
    /// Dropping the referenced object needs CASCADE.
    Normal,
    /// Goes with the referenced object.
    Auto,
    /// Part of the referenced object.
    Internal,
    /// Member of the extension.
    Extension,
    /// Part of the partitioned parent's object.
    PartitionPrimary,
    /// Goes with the partition.
    PartitionSecondary,
}

impl DependencyType {
    /// The catalog's letter.
    pub fn letter(self) -> u8 {
        match self {
            DependencyType::Normal => b'n',
            DependencyType::Auto => b'a',
            DependencyType::Internal => b'i',
            DependencyType::Extension => b'e',
            DependencyType::PartitionPrimary => b'P',
            DependencyType::PartitionSecondary => b'S',
        }
    }
}

/// Objects that come with every database cannot be dropped, so nobody records to need them. PostgreSQL excepts schema `public`.
pub fn is_pinned(object: ObjectAddress) -> bool {
    let public = object.class == oids::PG_NAMESPACE && object.object == oids::PUBLIC_NAMESPACE;
    object.object < Oid::FIRST_NORMAL && !public
}

impl Ddl<'_> {
    /// Records that `depender` needs `referenced`.
    pub fn record_dependency(
        &mut self,
        depender: ObjectAddress,
        referenced: ObjectAddress,
        kind: DependencyType,
    ) -> PgResult<()> {
        if is_pinned(referenced) {
            return Ok(());
        }
        let mut row = vec![Datum::Null; COUNT];
        row[CLASSID] = oid(depender.class);
        row[OBJID] = oid(depender.object);
        row[OBJSUBID] = Datum::Int4(depender.sub);
        row[REFCLASSID] = oid(referenced.class);
        row[REFOBJID] = oid(referenced.object);
        row[REFOBJSUBID] = Datum::Int4(referenced.sub);
        row[DEPTYPE] = Datum::Char(kind.letter());
        self.store.insert(oids::PG_DEPEND, row)
    }

    /// Records what an expression over the columns of `relation` needs. `own` is for the columns (PostgreSQL: automatic for CHECK
    /// constraints and index expressions), everything else is needed normally.
    pub fn record_expr_dependencies(
        &mut self,
        depender: ObjectAddress,
        expr: &Expr,
        relation: Oid,
        own: DependencyType,
    ) -> PgResult<()> {
        let mut found = BTreeSet::new();
        collect_expr(expr, &[&[(1, relation)]], &mut found);
        self.collect_fields(expr, &mut found)?;
        for referenced in found {
            let is_own = referenced.class == oids::PG_CLASS && referenced.object == relation;
            let kind = if is_own { own } else { DependencyType::Normal };
            self.record_dependency(depender, referenced, kind)?;
        }
        Ok(())
    }

    /// Attributes of composite types that an expression selects.
    fn collect_fields(&self, expr: &Expr, found: &mut BTreeSet<ObjectAddress>) -> PgResult<()> {
        let mut selected = Vec::new();
        walk::walk(expr, &mut |e| {
            if let Expr::FieldSelect(f) = e {
                selected.push((f.arg.type_oid(), f.field));
            }
            true
        });
        let view = self.view();
        for (type_oid, field) in selected {
            let mut next = type_oid;
            while let Some(desc) = view.type_desc(next)? {
                match desc.kind {
                    b'd' => next = desc.base_type,
                    b'c' if desc.relation >= Oid::FIRST_NORMAL => {
                        found.insert(ObjectAddress::column(desc.relation, field));
                        break;
                    }
                    _ => break,
                }
            }
        }
        Ok(())
    }

    /// Records what a stored query (a view's) needs.
    pub fn record_query_dependencies(&mut self, depender: ObjectAddress, query: &Query) -> PgResult<()> {
        let mut found = BTreeSet::new();
        collect_query(query, &[], &mut found);
        for referenced in found {
            self.record_dependency(depender, referenced, DependencyType::Normal)?;
        }
        Ok(())
    }

    /// Forgets dependencies of an object, all or those on objects of one catalog.
    pub fn delete_dependencies(&mut self, depender: ObjectAddress, on_class: Option<Oid>) -> PgResult<()> {
        let key = [key_oid(depender.class), key_oid(depender.object)];
        for row in self.store.lookup(oids::PG_DEPEND_DEPENDER_INDEX, &key)? {
            let same_sub = depender.sub == 0 || row.int4(OBJSUBID) == depender.sub;
            if same_sub && on_class.is_none_or(|c| row.oid(REFCLASSID) == c) {
                self.store.delete(oids::PG_DEPEND, row.row)?;
            }
        }
        Ok(())
    }
}

/// Range table entries that are relations: (index, OID). One list per query level, innermost last.
type Level<'a> = &'a [(usize, Oid)];

/// Everything unpinned that an expression names.
fn collect_expr(expr: &Expr, levels: &[Level<'_>], found: &mut BTreeSet<ObjectAddress>) {
    walk::walk(expr, &mut |e| {
        let mut add = |class: Oid, object: Oid| {
            if object >= Oid::FIRST_NORMAL {
                found.insert(ObjectAddress::new(class, object));
            }
        };
        add(oids::PG_TYPE, e.type_oid());
        match e {
            Expr::Const(c) => add_constant(c, &mut add),
            Expr::Func(f) | Expr::NullIf(f) => add_call(f.func, f.op, &mut add),
            Expr::Distinct(d) => add_call(d.equality.func, d.equality.op, &mut add),
            Expr::ScalarArrayOp(a) => add_call(a.func, a.op, &mut add),
            Expr::Aggref(a) => add(oids::PG_PROC, a.func),
            Expr::WindowFunc(w) => add(oids::PG_PROC, w.func),
            Expr::Collate(c) => add(oids::PG_COLLATION, c.collation),
            Expr::NextValue { sequence, .. } => add(oids::PG_CLASS, *sequence),
            Expr::RowCompare(r) => r.ops.iter().for_each(|op| add(oids::PG_OPERATOR, *op)),
            Expr::SubLink(s) => collect_query(&s.query, levels, found),
            Expr::Var(v) => {
                if let VarSource::Rel { index, levels_up } = v.source
                    && let Some(relation) = resolve(levels, index, levels_up)
                    && v.attno > 0
                {
                    found.insert(ObjectAddress::column(relation, v.attno));
                }
            }
            _ => {}
        }
        true
    });
}

fn add_call(func: Oid, op: Oid, add: &mut dyn FnMut(Oid, Oid)) {
    // What is written as an operator needs the operator, which needs its function.
    if op.is_valid() {
        add(oids::PG_OPERATOR, op)
    } else {
        add(oids::PG_PROC, func)
    }
}

/// `'name'::regclass` and relatives name objects.
fn add_constant(c: &Const, add: &mut dyn FnMut(Oid, Oid)) {
    let Some(object) = c.value.as_oid() else {
        return;
    };
    match c.type_ref.oid {
        t::REGCLASS => add(oids::PG_CLASS, object),
        t::REGTYPE => add(oids::PG_TYPE, object),
        t::REGPROC | t::REGPROCEDURE => add(oids::PG_PROC, object),
        t::REGOPER | t::REGOPERATOR => add(oids::PG_OPERATOR, object),
        t::REGCOLLATION => add(oids::PG_COLLATION, object),
        t::REGNAMESPACE => add(oids::PG_NAMESPACE, object),
        t::REGCONFIG => add(oids::PG_TS_CONFIG, object),
        t::REGDICTIONARY => add(oids::PG_TS_DICT, object),
        _ => {}
    }
}

fn resolve(levels: &[Level<'_>], index: usize, levels_up: usize) -> Option<Oid> {
    let level = levels.len().checked_sub(1 + levels_up)?;
    levels[level]
        .iter()
        .find(|(i, _)| *i == index)
        .map(|(_, relation)| *relation)
}

fn collect_query(query: &Query, outer: &[Level<'_>], found: &mut BTreeSet<ObjectAddress>) {
    let entries = query.range_table.iter().zip(1usize..);
    let relations: Vec<(usize, Oid)> = entries
        .filter_map(|(rte, index)| match &rte.kind {
            RteKind::Relation { relation, .. } => Some((index, *relation)),
            _ => None,
        })
        .collect();
    let mut levels = outer.to_vec();
    levels.push(&relations);
    for (_, relation) in relations.iter().filter(|(_, r)| *r >= Oid::FIRST_NORMAL) {
        found.insert(ObjectAddress::new(oids::PG_CLASS, *relation));
    }
    for cte in &query.ctes {
        collect_query(&cte.query, &levels, found);
    }
    for rte in &query.range_table {
        collect_rte(&rte.kind, &levels, found);
    }
    let mut visit = |e: &Expr| collect_expr(e, &levels, found);
    query
        .target_list
        .iter()
        .chain(&query.returning)
        .for_each(|t| visit(&t.expr));
    query
        .having
        .iter()
        .chain(&query.limit_offset)
        .chain(&query.limit_count)
        .for_each(&mut visit);
    query.join_tree.quals.iter().for_each(&mut visit);
    query
        .join_tree
        .items
        .iter()
        .for_each(|item| join_quals(item, &mut visit));
}

fn join_quals(node: &JoinTreeNode, visit: &mut dyn FnMut(&Expr)) {
    match node {
        JoinTreeNode::Rel(_) => {}
        JoinTreeNode::Join(join) => {
            join.quals.iter().for_each(&mut *visit);
            join_quals(&join.left, visit);
            join_quals(&join.right, visit);
        }
        JoinTreeNode::From(from) => {
            from.quals.iter().for_each(&mut *visit);
            from.items.iter().for_each(|item| join_quals(item, visit));
        }
    }
}

fn collect_rte(kind: &RteKind, levels: &[Level<'_>], found: &mut BTreeSet<ObjectAddress>) {
    match kind {
        // A view inside was expanded by nobody yet: views are stored unexpanded.
        RteKind::Subquery { query, .. } => collect_query(query, levels, found),
        RteKind::Function { functions, .. } => functions
            .iter()
            .for_each(|f| collect_expr(&f.expr, levels, found)),
        RteKind::Values { rows, .. } => rows.iter().flatten().for_each(|e| collect_expr(e, levels, found)),
        RteKind::Group { exprs } => exprs.iter().for_each(|e| collect_expr(e, levels, found)),
        // The columns of a join are those of its inputs; the ones used are found where they are used, but for those that USING
        // merged.
        RteKind::Join {
            alias_vars, merged, ..
        } => {
            let merged = alias_vars.iter().take(*merged);
            merged.for_each(|e| collect_expr(e, levels, found));
        }
        RteKind::Relation { .. } | RteKind::Cte { .. } | RteKind::Result => {}
    }
}
