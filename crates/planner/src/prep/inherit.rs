//! Inheritance trees and partitioned tables: a range table entry for each table that may hold rows.
//!
//! PG: src/backend/optimizer/util/inherit.c, README section "Appendrels".

use std::sync::Arc;

use catalog::RelationDesc;
use catalog::partition::{Partitions, column_map};
use common::{AttrNumber, Oid, PgResult, internal};
use nodes::expr::{Expr, RowExpr, Var, VarSource};
use nodes::query::{Alias, JoinTreeNode, Permissions, RangeTblEntry, RteColumn, RteKind};
use nodes::stored::StoredFact;
use nodes::walk;
use types::settings::TypeRef;

use crate::root::Root;

/// A table that stands for a part of an inheritance tree.
#[derive(Clone, Debug)]
pub struct AppendChild {
    /// Range table index of the tree's root.
    pub parent: usize,
    /// Its own.
    pub child: usize,
    /// From the parent's attnos (less 1) to its own.
    pub map: Vec<AttrNumber>,
    pub parent_desc: Arc<RelationDesc>,
    pub desc: Arc<RelationDesc>,
}

impl AppendChild {
    /// An expression over the parent as one over the child.
    pub fn translate(&self, expr: &Expr) -> Expr {
        let mut expr = expr.clone();
        walk::rewrite(&mut expr, &mut |e| {
            let Expr::Var(v) = e else { return };
            let VarSource::Rel { index, levels_up: 0 } = v.source else {
                return;
            };
            if index != self.parent {
                return;
            }
            v.source = VarSource::Rel {
                index: self.child,
                levels_up: 0,
            };
            match v.attno {
                0 => {
                    let whole = self.whole_row(v);
                    *e = whole;
                }
                n if n > 0 => v.attno = self.map.get(n as usize - 1).copied().unwrap_or(n),
                n => {
                    if let Some((fact, column)) = StoredFact::of_attno(n) {
                        let own = self.map.get(column as usize - 1).copied();
                        v.attno = fact.attno(own.unwrap_or(column));
                    }
                }
            }
        });
        expr
    }

    /// A child's row as a value of the parent's row type.
    fn whole_row(&self, var: &Var) -> Expr {
        let live = || self.parent_desc.columns.iter().filter(|c| !c.dropped);
        let args = live()
            .map(|c| {
                Expr::Var(Var {
                    attno: self.map.get(c.attno as usize - 1).copied().unwrap_or(0),
                    type_ref: c.type_ref,
                    collation: c.collation,
                    ..var.clone()
                })
            })
            .collect();
        Expr::Row(RowExpr {
            args,
            row_type: var.type_ref.oid,
            names: live().map(|c| Box::from(&*c.name)).collect(),
            form: Default::default(),
            span: var.span,
        })
    }

    /// An expression over the child as one over the parent, if the parent has all its columns.
    pub fn to_parent(&self, expr: &Expr) -> Option<Expr> {
        let mut expr = expr.clone();
        let mut complete = true;
        walk::rewrite(&mut expr, &mut |e| {
            let Expr::Var(v) = e else { return };
            let VarSource::Rel { index, levels_up: 0 } = v.source else {
                return;
            };
            if index != self.child {
                return;
            }
            v.source = VarSource::Rel {
                index: self.parent,
                levels_up: 0,
            };
            let fact = StoredFact::of_attno(v.attno);
            let column = fact.map_or(v.attno, |(_, column)| column);
            if column > 0 {
                match self.map.iter().position(|a| *a == column) {
                    Some(at) => {
                        let at = at as AttrNumber + 1;
                        v.attno = fact.map_or(at, |(fact, _)| fact.attno(at));
                    }
                    None => complete = false,
                }
            }
        });
        complete.then_some(expr)
    }
}

/// Adds entries for the members of every inheritance tree that the query reads.
pub fn expand(root: &mut Root<'_, '_>) -> PgResult<()> {
    let mut used = Vec::new();
    let tree = std::mem::take(&mut root.query.join_tree);
    tree.items.iter().for_each(|item| relations(item, &mut used));
    root.query.join_tree = tree;
    for parent in used {
        let RteKind::Relation {
            relation,
            inherit: true,
            ..
        } = root.query.rte(parent).kind
        else {
            continue;
        };
        let desc = relation_of(root, relation)?;
        if desc.relkind != b'p'
            && (desc.inheritance.children.is_empty() || !matches!(desc.relkind, b'r' | b'f'))
        {
            continue;
        }
        let members = if desc.relkind == b'p' {
            let mut leaves = Vec::new();
            partition_leaves(root, &desc, &mut leaves)?;
            leaves
        } else {
            let mut all = vec![desc.clone()];
            let below = catalog::partition::descendants(root.context().catalog, &desc)?;
            all.extend(ordered_descendants(&desc, below));
            all
        };
        for member in members {
            add_child(root, parent, &desc, member);
        }
        root.append_parents.push(parent);
    }
    Ok(())
}

/// PostgreSQL numbers inheritance children breadth first, by OID at each level.
fn ordered_descendants(
    _root: &RelationDesc,
    found: Vec<Arc<RelationDesc>>,
) -> impl Iterator<Item = Arc<RelationDesc>> {
    found.into_iter().filter(|d| d.relkind == b'r')
}

fn relation_of(root: &Root<'_, '_>, oid: Oid) -> PgResult<Arc<RelationDesc>> {
    root.context()
        .catalog
        .relation(oid)?
        .ok_or_else(|| internal!("could not open relation with OID {oid}"))
}

/// Leaf partitions in bound order, level by level.
fn partition_leaves(
    root: &Root<'_, '_>,
    desc: &Arc<RelationDesc>,
    out: &mut Vec<Arc<RelationDesc>>,
) -> PgResult<()> {
    let partitions = Partitions::load(root.context().catalog, desc)?;
    for part in &partitions.parts {
        let child = relation_of(root, part.oid)?;
        if child.relkind == b'p' {
            partition_leaves(root, &child, out)?;
        } else {
            out.push(child);
        }
    }
    Ok(())
}

fn relations(node: &JoinTreeNode, out: &mut Vec<usize>) {
    match node {
        JoinTreeNode::Rel(i) => out.push(*i),
        JoinTreeNode::Join(join) => {
            relations(&join.left, out);
            relations(&join.right, out);
        }
        JoinTreeNode::From(from) => from.items.iter().for_each(|item| relations(item, out)),
    }
}

fn add_child(
    root: &mut Root<'_, '_>,
    parent: usize,
    parent_desc: &Arc<RelationDesc>,
    desc: Arc<RelationDesc>,
) {
    let above = root.query.rte(parent).clone();
    let sample = match &above.kind {
        RteKind::Relation { sample, .. } => sample.clone(),
        _ => None,
    };
    let columns = desc
        .columns
        .iter()
        .map(|c| RteColumn {
            type_ref: if c.dropped {
                TypeRef::plain(Oid::INVALID)
            } else {
                c.type_ref
            },
            collation: c.collation,
        })
        .collect();
    let map = column_map(parent_desc, &desc);
    // Columns keep the names that the query gave them.
    let names = desc
        .columns
        .iter()
        .map(|c| {
            let at = map.iter().position(|a| *a == c.attno);
            at.and_then(|i| above.eref.columns.get(i).cloned())
                .unwrap_or_else(|| c.name.clone())
        })
        .collect();
    root.query.range_table.push(RangeTblEntry {
        kind: RteKind::Relation {
            relation: desc.oid,
            relkind: desc.relkind,
            inherit: false,
            sample,
        },
        alias: above.alias.clone(),
        eref: Alias {
            name: above.eref.name.clone(),
            columns: names,
        },
        columns,
        in_from: above.in_from,
        permissions: Permissions {
            check_as: above.permissions.check_as,
            ..Permissions::default()
        },
    });
    root.append_children.push(AppendChild {
        parent,
        child: root.query.range_table.len(),
        map,
        parent_desc: parent_desc.clone(),
        desc,
    });
}
