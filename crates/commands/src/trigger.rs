//! ALTER TABLE ... ENABLE and DISABLE TRIGGER.
//!
//! PG: src/backend/commands/trigger.c (`EnableDisableTrigger`).

use std::sync::Arc;

use catalog::columns::pg_trigger as t;
use catalog::desc::RelationDesc;
use common::{Oid, PgResult, pg_err};
use parser::ast::{EnableState, TriggerTarget};

use crate::alter_inherit::Reach;
use crate::alter_table::require_table;
use crate::context::CommandContext;

/// What ALTER TABLE asks for.
struct Request<'a> {
    target: &'a TriggerTarget,
    /// `pg_trigger.tgenabled`.
    letter: u8,
    reach: Reach,
}

/// Letter, and what the command is called.
fn state(state: EnableState) -> (u8, &'static str) {
    match state {
        EnableState::Enable => (b'O', "ENABLE TRIGGER"),
        EnableState::EnableAlways => (b'A', "ENABLE ALWAYS TRIGGER"),
        EnableState::EnableReplica => (b'R', "ENABLE REPLICA TRIGGER"),
        EnableState::Disable => (b'D', "DISABLE TRIGGER"),
    }
}

/// ENABLE, DISABLE TRIGGER.
pub(crate) fn enable(
    desc: &Arc<RelationDesc>,
    (enabled, target): (EnableState, &TriggerTarget),
    reach: Reach,
    cx: &CommandContext<'_>,
) -> PgResult<()> {
    let (letter, words) = state(enabled);
    let words = match target {
        TriggerTarget::Name(_) => words.to_owned(),
        TriggerTarget::All => format!("{words} ALL"),
        TriggerTarget::User => format!("{words} USER"),
    };
    require_table(desc, &words)?;
    let request = Request {
        target,
        letter,
        reach,
    };
    let found = set_on(desc, &request, None, cx)?;
    if let TriggerTarget::Name(name) = target
        && !found
    {
        return Err(pg_err!(
            UNDEFINED_OBJECT,
            "trigger \"{}\" for table \"{}\" does not exist",
            name.as_str(),
            desc.name
        ));
    }
    Ok(())
}

/// On one table: the triggers asked for, or those below `parent`; true if there was one.
fn set_on(
    table: &RelationDesc,
    request: &Request<'_>,
    parent: Option<Oid>,
    cx: &CommandContext<'_>,
) -> PgResult<bool> {
    let mut found = false;
    for row in cx.ddl(|ddl| ddl.triggers_on(table.oid))? {
        let name = row.text(t::TGNAME);
        let is_asked = match (parent, request.target) {
            (Some(parent), _) => row.oid(t::TGPARENTID) == parent,
            (None, TriggerTarget::Name(wanted)) => wanted.as_str() == &*name,
            (None, _) => true,
        };
        if !is_asked {
            continue;
        }
        if row.bool(t::TGISINTERNAL) {
            if *request.target == TriggerTarget::User {
                continue;
            }
            if !cx.roles()?.is_superuser(cx.user) {
                return Err(pg_err!(
                    INSUFFICIENT_PRIVILEGE,
                    "permission denied: \"{name}\" is a system trigger"
                ));
            }
        }
        found = true;
        let trigger = row.oid(t::OID);
        cx.ddl(|ddl| ddl.set_trigger_enabled(row, request.letter))?;
        if request.reach == Reach::Tree && table.relkind == b'p' {
            for partition in &table.inheritance.children {
                set_on(&*cx.relation(*partition)?, request, Some(trigger), cx)?;
            }
        }
    }
    Ok(found)
}
