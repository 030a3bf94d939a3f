//! Rows of `pg_trigger`: those of foreign keys.
//!
//! # How it works
//! What triggers a foreign key has is a function of its row in `pg_constraint`: [`Ddl::sync_triggers`] computes it and brings the rows
//! of `pg_trigger` to it, whenever that row was made or changed. Actions are on the table referred to, for a partition of that table by
//! the part of the foreign key for it; checks are on the referencing table, and on its partitions by their constraints below its.

use common::{Oid, PgResult, internal};
use types::Datum;

use crate::builtin::text;
use crate::columns::{pg_class, pg_constraint as c, pg_trigger as t};
use crate::ddl::depend::DependencyType;
use crate::ddl::{Ddl, ObjectAddress, oid};
use crate::oids;
use crate::row::StoredRow;
use crate::store::key_oid;
use crate::trigger::RiTrigger;

/// What a constraint has to do with that above it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Whole,
    /// For a partition of the table referred to.
    Part,
    /// Of a partition of the referencing table.
    Clone,
}

impl Place {
    fn has(self, trigger: RiTrigger) -> bool {
        match self {
            Place::Whole => true,
            Place::Part => trigger.is_action(),
            Place::Clone => !trigger.is_action(),
        }
    }
}

/// What a row of `pg_trigger` says.
struct Wanted {
    table: Oid,
    parent: Oid,
    function: Oid,
    other: Oid,
    deferrable: bool,
    deferred: bool,
}

impl Ddl<'_> {
    /// Gives a foreign key the triggers that its row asks for; other constraints have none here.
    pub(crate) fn sync_triggers(&mut self, constraint: Oid) -> PgResult<()> {
        let row = self.get(oids::PG_CONSTRAINT_OID_INDEX, constraint)?;
        if row.char(c::CONTYPE) != b'f' {
            return Ok(());
        }
        let above = match row.oid(c::CONPARENTID) {
            parent if parent.is_valid() => self.constraint(parent)?,
            _ => None,
        };
        let place = match &above {
            None => Place::Whole,
            Some(above) if above.oid(c::CONRELID) == row.oid(c::CONRELID) => Place::Part,
            Some(_) => Place::Clone,
        };
        let own = self.triggers_of(constraint)?;
        let parents = match &above {
            Some(above) => self.triggers_of(above.oid(c::OID))?,
            None => Vec::new(),
        };
        for trigger in RiTrigger::ALL {
            let is = |t: &&StoredRow| RiTrigger::of_function(t.oid(t::TGFOID)) == Some(trigger);
            let wanted = row.bool(c::CONENFORCED) && place.has(trigger);
            let parent = parents.iter().find(is).map_or(Oid::INVALID, |p| p.oid(t::OID));
            match (own.iter().find(is), wanted) {
                (None, true) => self.add_trigger(&row, trigger, &wanted_of(&row, trigger, parent)?)?,
                (Some(old), true) => self.change_trigger(old, &wanted_of(&row, trigger, parent)?)?,
                (Some(old), false) => {
                    self.remove_object(ObjectAddress::new(oids::PG_TRIGGER, old.oid(t::OID)))?;
                }
                (None, false) => {}
            }
        }
        Ok(())
    }

    fn triggers_of(&self, constraint: Oid) -> PgResult<Vec<StoredRow>> {
        self.store
            .lookup(oids::PG_TRIGGER_TGCONSTRAINT_INDEX, &[key_oid(constraint)])
    }

    fn add_trigger(&mut self, constraint: &StoredRow, trigger: RiTrigger, wanted: &Wanted) -> PgResult<()> {
        let new = self.store.new_oid()?;
        let side = if trigger.is_action() { 'a' } else { 'c' };
        let mut row = vec![Datum::Null; t::COUNT];
        row[t::OID] = oid(new);
        row[t::TGRELID] = oid(wanted.table);
        row[t::TGPARENTID] = oid(wanted.parent);
        row[t::TGNAME] = Datum::text(format!("RI_ConstraintTrigger_{side}_{new}"));
        row[t::TGFOID] = oid(wanted.function);
        row[t::TGTYPE] = Datum::Int2(trigger.tgtype());
        row[t::TGENABLED] = Datum::Char(b'O');
        row[t::TGISINTERNAL] = Datum::Bool(true);
        row[t::TGCONSTRRELID] = oid(wanted.other);
        row[t::TGCONSTRINDID] = oid(constraint.oid(c::CONINDID));
        row[t::TGCONSTRAINT] = oid(constraint.oid(c::OID));
        row[t::TGDEFERRABLE] = Datum::Bool(wanted.deferrable);
        row[t::TGINITDEFERRED] = Datum::Bool(wanted.deferred);
        row[t::TGNARGS] = Datum::Int2(0);
        row[t::TGATTR] = text::int2vector([]);
        row[t::TGARGS] = Datum::Bytes(Vec::new().into());
        self.store.insert(oids::PG_TRIGGER, row)?;
        let object = ObjectAddress::new(oids::PG_TRIGGER, new);
        let owner = ObjectAddress::new(oids::PG_CONSTRAINT, constraint.oid(c::OID));
        self.record_dependency(object, owner, DependencyType::Internal)?;
        let class = self.get(oids::PG_CLASS_OID_INDEX, wanted.table)?;
        if class.bool(pg_class::RELHASTRIGGERS) {
            return Ok(());
        }
        self.set(
            oids::PG_CLASS,
            class,
            &[(pg_class::RELHASTRIGGERS, Datum::Bool(true))],
        )
    }

    /// A constraint has become deferrable or not, that of a partition, or one of its own.
    fn change_trigger(&mut self, old: &StoredRow, wanted: &Wanted) -> PgResult<()> {
        let before = old.oid(t::TGPARENTID);
        let same = before == wanted.parent
            && old.bool(t::TGDEFERRABLE) == wanted.deferrable
            && old.bool(t::TGINITDEFERRED) == wanted.deferred;
        if same {
            return Ok(());
        }
        let object = ObjectAddress::new(oids::PG_TRIGGER, old.oid(t::OID));
        if before != wanted.parent {
            let table = ObjectAddress::new(oids::PG_CLASS, wanted.table);
            if before.is_valid() {
                let parent = ObjectAddress::new(oids::PG_TRIGGER, before);
                self.delete_dependency_on(object, parent)?;
                self.delete_dependency_of_kind(object, table, DependencyType::PartitionSecondary)?;
            }
            if wanted.parent.is_valid() {
                let parent = ObjectAddress::new(oids::PG_TRIGGER, wanted.parent);
                self.record_dependency(object, parent, DependencyType::PartitionPrimary)?;
                self.record_dependency(object, table, DependencyType::PartitionSecondary)?;
            }
        }
        let changes = [
            (t::TGPARENTID, oid(wanted.parent)),
            (t::TGDEFERRABLE, Datum::Bool(wanted.deferrable)),
            (t::TGINITDEFERRED, Datum::Bool(wanted.deferred)),
        ];
        self.set(oids::PG_TRIGGER, old.clone(), &changes)
    }

    /// The triggers on a table, by name.
    pub fn triggers_on(&self, table: Oid) -> PgResult<Vec<StoredRow>> {
        let key = [key_oid(table)];
        let mut rows = self.store.lookup(oids::PG_TRIGGER_TGRELID_TGNAME_INDEX, &key)?;
        rows.sort_by_key(|row| row.text(t::TGNAME));
        Ok(rows)
    }

    /// Switches a trigger on or off.
    pub fn set_trigger_enabled(&mut self, row: StoredRow, enabled: u8) -> PgResult<()> {
        if row.char(t::TGENABLED) == enabled {
            return Ok(());
        }
        self.set(oids::PG_TRIGGER, row, &[(t::TGENABLED, Datum::Char(enabled))])
    }
}

fn wanted_of(row: &StoredRow, trigger: RiTrigger, parent: Oid) -> PgResult<Wanted> {
    let action = match trigger {
        RiTrigger::ActionUpdate => row.char(c::CONFUPDTYPE),
        _ => row.char(c::CONFDELTYPE),
    };
    let Some(function) = trigger.function(action) else {
        return Err(internal!("foreign key with action {action}"));
    };
    let (referencing, referenced) = (row.oid(c::CONRELID), row.oid(c::CONFRELID));
    let (table, other) = match trigger.is_action() {
        true => (referenced, referencing),
        false => (referencing, referenced),
    };
    // Of the actions only NO ACTION waits.
    let may_wait = !trigger.is_action() || action == b'a';
    Ok(Wanted {
        table,
        parent,
        function,
        other,
        deferrable: may_wait && row.bool(c::CONDEFERRABLE),
        deferred: may_wait && row.bool(c::CONDEFERRED),
    })
}
