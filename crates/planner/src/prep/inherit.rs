//! Inheritance trees and partitioned tables: a range table entry for each table that may hold rows.
//!
//! PG: src/backend/optimizer/util/inherit.c, README section "Appendrels".

use std::sync::Arc;

use catalog::RelationDesc;
use catalog::partition::column_map;
use common::{Oid, PgResult, internal};
use nodes::query::{Alias, JoinTreeNode, Permissions, RangeTblEntry, RteColumn, RteKind};
use types::settings::TypeRef;

use crate::prep::append_child::{AppendChild, AppendSource, TableMember};
use crate::root::Root;

/// Adds entries for the members of every inheritance tree that the query reads.
pub fn expand(root: &mut Root<'_, '_>) -> PgResult<()> {
    let mut used = Vec::new();
    let tree = std::mem::take(&mut root.query.join_tree);
    tree.items.iter().for_each(|item| relations(item, &mut used));
    root.query.join_tree = tree;
    let mut next = 0;
    while let Some(&parent) = used.get(next) {
        next += 1;
        // Arms of a UNION ALL may be trees themselves.
        used.extend(
            root.append_children
                .iter()
                .filter(|c| c.parent == parent)
                .map(|c| c.child),
        );
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
        if desc.relkind == b'p' && root.context().settings.enable_partitionwise_join {
            expand_partitions(root, parent, &desc)?;
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

/// Level by level: a partition that is partitioned has members of its own.
fn expand_partitions(root: &mut Root<'_, '_>, parent: usize, desc: &Arc<RelationDesc>) -> PgResult<()> {
    root.append_parents.push(parent);
    let partitions = root.context().catalog.partitions(desc.oid)?;
    for part in &partitions.parts {
        let child = relation_of(root, part.oid)?;
        let partitioned = (child.relkind == b'p').then(|| child.clone());
        add_child(root, parent, desc, child);
        if let Some(child) = partitioned {
            let index = root.query.range_table.len();
            expand_partitions(root, index, &child)?;
        }
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
    let partitions = root.context().catalog.partitions(desc.oid)?;
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
        source: AppendSource::Table(TableMember {
            map,
            parent_desc: parent_desc.clone(),
            desc,
        }),
    });
}
