//! Triggers of foreign keys: PostgreSQL checks and enforces them by triggers, which tools read in `pg_trigger` and switch off there.
//!
//! PG: src/backend/commands/tablecmds.c (`createForeignKeyActionTriggers`, `createForeignKeyCheckTriggers`), trigger.c.
//!
//! # Not here
//! What they do: the executor knows foreign keys by their constraints, and asks here only whether a trigger is switched off
//! ([`RelationDesc::fires`]). A constraint without rows in `pg_trigger` (made before there were any) is enforced.

use common::{Oid, PgResult};

use crate::columns::pg_trigger;
use crate::desc::RelationDesc;
use crate::oids;
use crate::store::{CatalogRead, key_oid};

/// One of the four triggers of a foreign key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RiTrigger {
    /// A row with the key was deleted.
    ActionDelete,
    /// A row got another key.
    ActionUpdate,
    /// A row that refers was inserted.
    CheckInsert,
    /// A row refers to something else.
    CheckUpdate,
}

/// Functions of the triggers after deletions by action; that of updates has the next OID.
const ACTIONS: [(u8, Oid); 5] = [
    (b'c', Oid(1646)),
    (b'r', Oid(1648)),
    (b'n', Oid(1650)),
    (b'd', Oid(1652)),
    (b'a', Oid(1654)),
];

const CHECK_INSERT: Oid = Oid(1644);
const CHECK_UPDATE: Oid = Oid(1645);

const ROW: i16 = 1;
const INSERT: i16 = 1 << 2;
const DELETE: i16 = 1 << 3;
const UPDATE: i16 = 1 << 4;

impl RiTrigger {
    /// In the order in which they are made.
    pub const ALL: [RiTrigger; 4] = [
        RiTrigger::ActionDelete,
        RiTrigger::ActionUpdate,
        RiTrigger::CheckInsert,
        RiTrigger::CheckUpdate,
    ];

    /// True for those on the table that is referred to.
    pub fn is_action(self) -> bool {
        matches!(self, RiTrigger::ActionDelete | RiTrigger::ActionUpdate)
    }

    /// `pg_trigger.tgtype`: AFTER, for each row.
    pub fn tgtype(self) -> i16 {
        ROW | match self {
            RiTrigger::ActionDelete => DELETE,
            RiTrigger::CheckInsert => INSERT,
            RiTrigger::ActionUpdate | RiTrigger::CheckUpdate => UPDATE,
        }
    }

    /// What `tgtype` says of it.
    pub fn event(self) -> &'static str {
        match self {
            RiTrigger::ActionDelete => "DELETE",
            RiTrigger::CheckInsert => "INSERT",
            RiTrigger::ActionUpdate | RiTrigger::CheckUpdate => "UPDATE",
        }
    }

    /// Its function; `action` is that of its event (`pg_constraint.confdeltype`, `confupdtype`).
    pub fn function(self, action: u8) -> Option<Oid> {
        let of_action = ACTIONS
            .iter()
            .find(|(letter, _)| *letter == action)
            .map(|(_, oid)| *oid);
        match self {
            RiTrigger::ActionDelete => of_action,
            RiTrigger::ActionUpdate => of_action.map(|oid| Oid(oid.0 + 1)),
            RiTrigger::CheckInsert => Some(CHECK_INSERT),
            RiTrigger::CheckUpdate => Some(CHECK_UPDATE),
        }
    }

    /// Which one has this function.
    pub fn of_function(function: Oid) -> Option<RiTrigger> {
        let is = |by: u32| ACTIONS.iter().any(|(_, oid)| oid.0 + by == function.0);
        match function {
            CHECK_INSERT => Some(RiTrigger::CheckInsert),
            CHECK_UPDATE => Some(RiTrigger::CheckUpdate),
            _ if is(0) => Some(RiTrigger::ActionDelete),
            _ if is(1) => Some(RiTrigger::ActionUpdate),
            _ => None,
        }
    }
}

/// `session_replication_role`, as far as triggers care.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReplicationRole {
    /// `origin` and `local`.
    #[default]
    Origin,
    /// Changes come from elsewhere, where they were checked.
    Replica,
}

impl ReplicationRole {
    /// The role of a setting's word.
    pub fn of_word(word: &str) -> ReplicationRole {
        match word {
            "replica" => ReplicationRole::Replica,
            _ => ReplicationRole::Origin,
        }
    }
}

/// Fires as usual: `pg_trigger.tgenabled`.
const ORIGIN: u8 = b'O';

/// A trigger that is not in its usual state.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct TriggerState {
    pub constraint: Oid,
    pub trigger: RiTrigger,
    /// D: never, R: on replicas, A: always.
    pub enabled: u8,
}

impl RelationDesc {
    /// True when a foreign key's trigger on this table fires.
    pub fn fires(&self, constraint: Oid, trigger: RiTrigger, role: ReplicationRole) -> bool {
        let mut states = self.trigger_states.iter();
        let state = states.find(|s| s.constraint == constraint && s.trigger == trigger);
        let letter = state.map_or(ORIGIN, |s| s.enabled);
        match role {
            ReplicationRole::Origin => matches!(letter, ORIGIN | b'A'),
            ReplicationRole::Replica => matches!(letter, b'R' | b'A'),
        }
    }
}

/// The triggers of a table that are not in their usual state.
pub(crate) fn states(read: &dyn CatalogRead, table: Oid) -> PgResult<Vec<TriggerState>> {
    use pg_trigger::*;
    let rows = read.lookup(oids::PG_TRIGGER_TGRELID_TGNAME_INDEX, &[key_oid(table)])?;
    let unusual = rows.iter().filter(|row| row.char(TGENABLED) != ORIGIN);
    let state = unusual.filter_map(|row| {
        Some(TriggerState {
            constraint: row.oid(TGCONSTRAINT),
            trigger: RiTrigger::of_function(row.oid(TGFOID))?,
            enabled: row.char(TGENABLED),
        })
    });
    Ok(state.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_tell_the_triggers() {
        for trigger in RiTrigger::ALL {
            for action in *b"acdnr" {
                let function = trigger.function(action).unwrap_or_default();
                assert_eq!(
                    RiTrigger::of_function(function),
                    Some(trigger),
                    "{trigger:?} {action}"
                );
                let name = functions::facts::proc(function).map_or("", |p| p.proname);
                assert!(name.starts_with("RI_FKey_"), "{name}");
                let ending = &trigger.event()[..3].to_lowercase();
                assert!(name.ends_with(ending), "{name} {ending}");
            }
        }
        assert_eq!(RiTrigger::of_function(Oid(1656)), None);
    }
}
