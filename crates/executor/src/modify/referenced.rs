//! The referenced side of foreign keys: what happens to referencing rows when a referenced one goes.
//!
//! PG: src/backend/utils/adt/ri_triggers.c.

use std::sync::Arc;

use catalog::CatalogView;
use catalog::desc::{ColumnDesc, ConstraintDesc, ForeignKeyDesc, RelationDesc};
use catalog::partition::column_map;
use catalog::trigger::RiTrigger;
use common::error::ErrorExt;
use common::{Oid, PgError, PgResult, pg_err};
use types::Datum;

use crate::context::ExecContext;
use crate::modify::after::{Event, Firing};
use crate::modify::foreign_key::{FkCheck, foreign_of, leaves, relation};
use crate::modify::referencing::{Match, matching_rows};
use crate::modify::referential_action::{Change, Referencing};
use crate::modify::target::TargetDef;
use crate::modify::{errors, period};

/// The referenced side: another table's foreign key points to this one.
pub(crate) struct FkReferenced {
    pub constraint: ConstraintDesc,
    pub foreign: ForeignKeyDesc,
    /// The table written to (a partition, perhaps).
    pub table: Arc<RelationDesc>,
    /// Positions of the key in that table's rows.
    pub columns: Vec<usize>,
    /// The referencing table.
    pub referencing: Oid,
    /// What errors call the constraint: it has a name of its own for each partition of what it refers to.
    name: Arc<str>,
    /// The constraint of that name.
    part: Oid,
}

impl FkReferenced {
    /// All foreign keys that refer to a table, or to one that it is a partition of, in the order of their making.
    pub fn of_table(catalog: &dyn CatalogView, table: &Arc<RelationDesc>) -> PgResult<Vec<FkReferenced>> {
        let mut found = Vec::new();
        let mut at = table.clone();
        loop {
            let map = column_map(&at, table);
            for (referencing, oid) in &at.referenced_by {
                let other = relation(catalog, *referencing)?;
                let Some(constraint) = other.constraints.iter().find(|c| c.oid == *oid) else {
                    continue;
                };
                if !constraint.enforced || constraint.parent.is_valid() {
                    continue;
                }
                let foreign = foreign_of(constraint)?;
                let columns = foreign
                    .columns
                    .iter()
                    .map(|a| map.get(*a as usize - 1).map_or(0, |m| (*m).max(1) as usize - 1))
                    .collect();
                let part = part_for(&other, constraint, table.oid);
                found.push(FkReferenced {
                    name: part.name.clone(),
                    part: part.oid,
                    constraint: constraint.clone(),
                    foreign,
                    table: table.clone(),
                    columns,
                    referencing: *referencing,
                });
            }
            if !at.is_partition {
                break;
            }
            let Some(parent) = at.inheritance.parents.first() else {
                break;
            };
            at = relation(catalog, *parent)?;
        }
        found.sort_by_key(|f| f.constraint.oid);
        Ok(found)
    }

    /// The same for rows of another table (the partitioned one), whose key columns are these.
    fn of_rows(&self, table: &Arc<RelationDesc>, columns: Vec<usize>) -> FkReferenced {
        let is_whole = self.foreign.table == table.oid;
        FkReferenced {
            constraint: self.constraint.clone(),
            foreign: self.foreign.clone(),
            table: table.clone(),
            columns,
            referencing: self.referencing,
            name: match is_whole {
                true => self.constraint.name.clone(),
                false => self.name.clone(),
            },
            part: if is_whole { self.constraint.oid } else { self.part },
        }
    }

    fn types(&self) -> Vec<Oid> {
        let columns = self.columns.iter().filter_map(|i| self.table.columns.get(*i));
        columns.map(|c| c.type_ref.oid).collect()
    }

    /// Queues what a deletion or update of a row means.
    pub fn queue(self: &Arc<FkReferenced>, ext: &ExecContext<'_>, old: &[Datum], new: Option<&[Datum]>) {
        let trigger = match new {
            Some(_) => RiTrigger::ActionUpdate,
            None => RiTrigger::ActionDelete,
        };
        if !self.table.fires(self.part, trigger, ext.after.role()) {
            return;
        }
        let key = |row: &[Datum]| -> Vec<Datum> {
            self.columns
                .iter()
                .map(|i| row.get(*i).cloned().unwrap_or_default())
                .collect()
        };
        let before = key(old);
        if before.iter().any(Datum::is_null) {
            return;
        }
        let after = new.map(key);
        if after.as_ref() == Some(&before) {
            return;
        }
        if let Some(after) = &after
            && self.constraint.period
            && period::still_there(&self.types(), &before, after)
        {
            return;
        }
        let action = if new.is_some() {
            self.foreign.on_update
        } else {
            self.foreign.on_delete
        };
        let event = Event::Referenced {
            foreign: Arc::clone(self),
            old: before,
            new: after,
        };
        // Only NO ACTION waits.
        let deferrable = action == b'a' && self.constraint.deferrable;
        ext.after.push(event, deferrable, self.constraint.deferred);
    }
}

/// The part of a foreign key for a partition of the table that it refers to; itself for the table itself.
fn part_for<'c>(
    referencing: &'c RelationDesc,
    whole: &'c ConstraintDesc,
    partition: Oid,
) -> &'c ConstraintDesc {
    let is_below = |part: &&ConstraintDesc| {
        let mut above = part.parent;
        while above != whole.oid {
            match referencing.foreign_key_parts.iter().find(|p| p.oid == above) {
                Some(next) => above = next.parent,
                None => return false,
            }
        }
        true
    };
    let of_partition = |part: &&ConstraintDesc| part.foreign.as_ref().is_some_and(|f| f.table == partition);
    let mut parts = referencing.foreign_key_parts.iter().filter(of_partition);
    parts.find(is_below).unwrap_or(whole)
}

/// Carries out what the constraint says about rows that refer to a key that is no more; true when something was written.
pub(crate) fn run_referenced(
    firing: &mut Firing<'_, '_>,
    foreign: &FkReferenced,
    old: &[Datum],
    new: Option<&[Datum]>,
) -> PgResult<bool> {
    let ext = firing.ext;
    let action = if new.is_some() {
        foreign.foreign.on_update
    } else {
        foreign.foreign.on_delete
    };
    // The table may have been dropped while the event waited.
    let Some(root) = ext.catalog.relation(foreign.referencing)? else {
        return Ok(false);
    };
    if foreign.constraint.period {
        return period_left(ext, foreign, &root, old).map(|()| false);
    }
    if matches!(action, b'a' | b'r') {
        refuse_references(ext, foreign, &root, old, action)?;
        return Ok(false);
    }
    let change = Change {
        foreign,
        root: &root,
        key: old,
        new,
        action,
    };
    let mut wrote = false;
    for table in leaves(ext.catalog, &root)? {
        let leaf = Referencing::new(foreign, &root, table);
        for row in matching_rows(ext, &leaf.table, &leaf.columns, old, Match::Equal)? {
            wrote |= change.act(firing, &leaf, row)?;
        }
    }
    // A default may be the very key that has gone, and the row then looks as if nothing had changed.
    if wrote && action == b'd' {
        ext.with_txn(|txn| txn.next_command())?;
        refuse_references(ext, foreign, &root, old, b'a')?;
    }
    Ok(wrote)
}

/// Fails when rows refer to a key that is no more; under NO ACTION (`a`) unless it has come back.
fn refuse_references(
    ext: &ExecContext<'_>,
    foreign: &FkReferenced,
    root: &Arc<RelationDesc>,
    key: &[Datum],
    action: u8,
) -> PgResult<()> {
    if action == b'a' && FkCheck::compile(ext.catalog, &foreign.constraint)?.exists(ext, key)? {
        return Ok(());
    }
    for table in leaves(ext.catalog, root)? {
        let leaf = Referencing::new(foreign, root, table);
        if !matching_rows(ext, &leaf.table, &leaf.columns, key, Match::Equal)?.is_empty() {
            return Err(still_referenced(ext, foreign, root, key, action == b'r'));
        }
    }
    Ok(())
}

/// NO ACTION with PERIOD: what rows refer to must still be covered.
fn period_left(
    ext: &ExecContext<'_>,
    foreign: &FkReferenced,
    root: &Arc<RelationDesc>,
    key: &[Datum],
) -> PgResult<()> {
    for table in leaves(ext.catalog, root)? {
        let leaf = Referencing::new(foreign, root, table);
        if period::uncovered(ext, foreign, &leaf.table, &leaf.columns, key)? {
            return Err(still_referenced(ext, foreign, root, key, false));
        }
    }
    Ok(())
}

fn still_referenced(
    ext: &ExecContext<'_>,
    foreign: &FkReferenced,
    referencing: &RelationDesc,
    key: &[Datum],
    restrict: bool,
) -> Box<PgError> {
    let columns: Vec<(&str, Oid)> = foreign
        .columns
        .iter()
        .filter_map(|i| foreign.table.columns.get(*i))
        .map(|c| (&*c.name, c.type_ref.oid))
        .collect();
    let shown = errors::key_and_values(ext, &columns, key);
    let (table, name) = (&foreign.table.name, &foreign.name);
    let error = if restrict {
        pg_err!(
            RESTRICT_VIOLATION,
            "update or delete on table \"{table}\" violates RESTRICT setting of foreign key constraint \"{name}\" on table \"{}\"",
            referencing.name
        )
        .detail(format!(
            "Key {shown} is referenced from table \"{}\".",
            referencing.name
        ))
    } else {
        pg_err!(
            FOREIGN_KEY_VIOLATION,
            "update or delete on table \"{table}\" violates foreign key constraint \"{name}\" on table \"{}\"",
            referencing.name
        )
        .detail(format!(
            "Key {shown} is still referenced from table \"{}\".",
            referencing.name
        ))
    };
    error
        .table(&*referencing.namespace_name, &*referencing.name)
        .constraint(&**name)
}
/// A row that an update took to another partition: before in its partition, and before and after as rows of the table updated.
pub(crate) struct MovedRow<'a> {
    pub in_partition: &'a [Datum],
    pub old: &'a [Datum],
    pub new: &'a [Datum],
}

/// What the move of a row from a partition of `root` is for foreign keys: an update for those that refer to `root` (or above), a deletion
/// for those that refer to the very partition.
pub(crate) fn queue_moved(
    ext: &ExecContext<'_>,
    root: &Arc<RelationDesc>,
    from: &TargetDef,
    row: &MovedRow<'_>,
) -> PgResult<()> {
    let of_root = |i: &usize| {
        let column = from.desc.columns.get(*i);
        let same = |c: &ColumnDesc| {
            let mut columns = root.columns.iter();
            columns.position(|r| !r.dropped && r.name == c.name)
        };
        column.and_then(same).unwrap_or(*i)
    };
    for foreign in &from.referenced {
        if foreign.foreign.table == from.desc.oid {
            foreign.queue(ext, row.in_partition, None);
            continue;
        }
        refuse_between(ext, root, &from.desc, foreign)?;
        let columns = foreign.columns.iter().map(of_root).collect();
        Arc::new(foreign.of_rows(root, columns)).queue(ext, row.old, Some(row.new));
    }
    Ok(())
}

/// A foreign key to a table between the partition and the table updated would lose sight of the row.
fn refuse_between(
    ext: &ExecContext<'_>,
    root: &RelationDesc,
    partition: &RelationDesc,
    foreign: &FkReferenced,
) -> PgResult<()> {
    let mut parents = partition.inheritance.parents.first().copied();
    while let Some(oid) = parents.filter(|oid| *oid != root.oid) {
        let ancestor = relation(ext.catalog, oid)?;
        if oid == foreign.foreign.table {
            return Err(pg_err!(
                FEATURE_NOT_SUPPORTED,
                "cannot move tuple across partitions when a non-root ancestor of the source partition is directly referenced in a foreign key"
            )
            .detail(format!(
                "A foreign key points to ancestor \"{}\" but not the root ancestor \"{}\".",
                ancestor.name, root.name
            ))
            .hint(format!("Consider defining the foreign key on table \"{}\".", root.name)));
        }
        parents = ancestor.inheritance.parents.first().copied();
    }
    Ok(())
}
