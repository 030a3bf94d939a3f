//! ALTER TABLE and ALTER SEQUENCE ... SET LOGGED, SET UNLOGGED: a copy in storage of the other kind.
//!
//! PG: src/backend/commands/tablecmds.c (`ATPrepChangePersistence`), sequence.c (`SequenceChangePersistence`).

use std::sync::Arc;

use catalog::columns::pg_class;
use catalog::ddl::sequence::owned_sequence;
use catalog::desc::RelationDesc;
use common::error::ErrorExt;
use common::{Oid, PgResult, pg_err};
use types::Datum;

use crate::context::CommandContext;
use crate::rewrite::{Rebuild, rewrite};
use crate::sequence;

/// Makes a table with its indexes and the sequences of its columns, or a sequence, permanent or unlogged.
pub(crate) fn set(desc: &Arc<RelationDesc>, logged: bool, cx: &CommandContext<'_>) -> PgResult<()> {
    if desc.persistence == b't' {
        return Err(pg_err!(
            INVALID_TABLE_DEFINITION,
            "cannot change logged status of table \"{}\" because it is temporary",
            desc.name
        )
        .table(&*desc.namespace_name, &*desc.name));
    }
    let letter = if logged { b'p' } else { b'u' };
    if desc.persistence == letter {
        return Ok(());
    }
    if desc.relkind == b'S' {
        return set_sequence(desc.oid, letter, cx);
    }
    check_references(desc, logged, cx)?;
    for oid in desc.indexes.iter().chain([&desc.oid]) {
        set_letter(*oid, letter, cx)?;
    }
    rewrite(desc, Rebuild::Storage, cx, &mut |_, _| Ok(()))?;
    for column in &desc.columns {
        let owned = cx.ddl(|ddl| owned_sequence(&*ddl.store, desc.oid, column.attno))?;
        if let Some(owned) = owned {
            set_sequence(owned, letter, cx)?;
        }
    }
    Ok(())
}

fn set_letter(relation: Oid, letter: u8, cx: &CommandContext<'_>) -> PgResult<()> {
    cx.ddl(|ddl| ddl.alter_relation(relation, &[(pg_class::RELPERSISTENCE, Datum::Char(letter))]))
}

fn set_sequence(sequence: Oid, letter: u8, cx: &CommandContext<'_>) -> PgResult<()> {
    let desc = cx.relation(sequence)?;
    let value = sequence::value(cx, &desc)?;
    set_letter(sequence, letter, cx)?;
    let storage = cx.ddl(|ddl| ddl.replace_storage(sequence))?;
    sequence::set_value(cx, storage, letter, value)
}

/// A permanent table must not refer to one that a crash empties.
fn check_references(desc: &RelationDesc, logged: bool, cx: &CommandContext<'_>) -> PgResult<()> {
    let referenced = desc.constraints.iter().filter(|c| c.kind == b'f');
    let others: Vec<(Oid, Arc<str>)> = match logged {
        true => referenced
            .filter_map(|c| Some((c.foreign.as_ref()?.table, Arc::clone(&c.name))))
            .collect(),
        false => referencing(desc, cx)?,
    };
    let (now, kept) = match logged {
        true => ("logged", "unlogged"),
        false => ("unlogged", "logged"),
    };
    for (other, constraint) in others {
        let other = cx.relation(other)?;
        if other.oid != desc.oid && (other.persistence == b'p') != logged {
            return Err(pg_err!(
                INVALID_TABLE_DEFINITION,
                "could not change table \"{}\" to {now} because it references {kept} table \"{}\"",
                desc.name,
                other.name
            )
            .table(&*desc.namespace_name, &*desc.name)
            .constraint(&*constraint));
        }
    }
    Ok(())
}

fn referencing(desc: &RelationDesc, cx: &CommandContext<'_>) -> PgResult<Vec<(Oid, Arc<str>)>> {
    let mut found = Vec::new();
    for (table, constraint) in &desc.referenced_by {
        let other = cx.relation(*table)?;
        let own = other.constraints.iter().find(|c| c.oid == *constraint);
        found.push((*table, own.map_or_else(|| "".into(), |c| Arc::clone(&c.name))));
    }
    Ok(found)
}
