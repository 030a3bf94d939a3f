//! CASCADE, SET NULL, SET DEFAULT: what becomes of rows whose referenced row goes or gets another key.
//!
//! PG: src/backend/utils/adt/ri_triggers.c.

use std::sync::Arc;

use access::{Conflict, WriteOutcome};
use catalog::desc::RelationDesc;
use common::{PgResult, RowId, pg_err};
use nodes::Expr;
use txn::Snapshot;
use types::Datum;

use crate::compile::{Compiler, ScanMap};
use crate::context::ExecContext;
use crate::modify::after::Firing;
use crate::modify::foreign_key::{FkReferenced, KeyType, convert};
use crate::modify::target::{OpenTarget, Written};

/// A transaction with one snapshot must not change rows that it cannot see.
fn refuse_newer(ext: &ExecContext<'_>, target: &OpenTarget, row: RowId) -> PgResult<()> {
    let seen = ext.with_txn(|txn| {
        if !txn.uses_one_snapshot() {
            return Ok(true);
        }
        // A look, not a read that counts.
        let own = Snapshot {
            serial: 0,
            ..*txn.snapshot()?
        };
        target.table.is_visible(row, &own)
    })?;
    if seen {
        return Ok(());
    }
    Err(pg_err!(
        T_R_SERIALIZATION_FAILURE,
        "could not serialize access due to concurrent update"
    ))
}

/// CASCADE, SET NULL, SET DEFAULT on one row.
#[expect(clippy::too_many_arguments, reason = "one call, all of it needed")]
pub(super) fn act(
    firing: &mut Firing<'_, '_>,
    foreign: &FkReferenced,
    table: &Arc<RelationDesc>,
    columns: &[usize],
    row: RowId,
    key: &[Datum],
    new: Option<&[Datum]>,
    action: u8,
    map: &[i16],
) -> PgResult<bool> {
    let ext = firing.ext;
    let mut at = row;
    loop {
        let snapshot = ext.with_txn(|txn| txn.latest_snapshot())?;
        let target = firing.target(table.oid)?;
        let Some(old) = target.fetch(&snapshot, at)? else {
            return Ok(false);
        };
        refuse_newer(ext, target, at)?;
        let still = columns.iter().zip(key).all(|(i, k)| {
            let t = &table.columns[*i];
            let to = KeyType {
                type_oid: t.type_ref.oid,
                phys: t.phys,
            };
            convert(k, to).is_some_and(|k| types::compare::equal(t.type_ref.oid, &old[*i], &k))
        });
        if !still {
            return Ok(false);
        }
        let replacement = match (action, new) {
            (b'c', None) => None,
            (b'c', Some(new)) => Some(cascaded(table, columns, &old, new)?),
            _ => Some(cleared(
                firing,
                foreign,
                table,
                columns,
                &old,
                action,
                new.is_none(),
                map,
            )?),
        };
        let mut rt = crate::constants::RowRuntime(ext);
        let target = firing.target(table.oid)?;
        let written = match replacement {
            None => target.delete(ext, &mut rt, &snapshot, at, &old)?,
            Some(mut values) => {
                target.generate(&mut rt, &mut values)?;
                target.check(ext, &mut rt, &values)?;
                target.update(ext, &mut rt, &snapshot, at, (&old, &values))?
            }
        };
        match written {
            Written::Done(_) => return Ok(true),
            Written::Not(WriteOutcome::Conflict(Conflict::Updated(to))) => at = to,
            Written::Not(_) => return Ok(false),
        }
    }
}

fn cascaded(table: &RelationDesc, columns: &[usize], old: &[Datum], new: &[Datum]) -> PgResult<Vec<Datum>> {
    let mut values = old.to_vec();
    for (i, value) in columns.iter().zip(new) {
        let column = &table.columns[*i];
        let to = KeyType {
            type_oid: column.type_ref.oid,
            phys: column.phys,
        };
        values[*i] = convert(value, to).ok_or_else(|| {
            pg_err!(
                NUMERIC_VALUE_OUT_OF_RANGE,
                "value of column \"{}\" is out of range",
                column.name
            )
        })?;
    }
    Ok(values)
}

#[expect(clippy::too_many_arguments, reason = "one call, all of it needed")]
fn cleared(
    firing: &mut Firing<'_, '_>,
    foreign: &FkReferenced,
    table: &RelationDesc,
    columns: &[usize],
    old: &[Datum],
    action: u8,
    deletes: bool,
    map: &[i16],
) -> PgResult<Vec<Datum>> {
    let ext = firing.ext;
    let mut values = old.to_vec();
    let some = deletes && !foreign.foreign.delete_set_columns.is_empty();
    for i in columns {
        let chosen = foreign
            .foreign
            .delete_set_columns
            .iter()
            .any(|a| map.get(*a as usize - 1) == Some(&(*i as i16 + 1)));
        if some && !chosen {
            continue;
        }
        let column = &table.columns[*i];
        values[*i] = match (&column.default, action) {
            (Some(default), b'd') => default_value(ext, default)?,
            _ => Datum::Null,
        };
    }
    Ok(values)
}

fn default_value(ext: &ExecContext<'_>, default: &Expr) -> PgResult<Datum> {
    let plan = crate::modify::insert_target::no_plan();
    let compiler = Compiler {
        plan: &plan,
        catalog: ext.catalog,
    };
    let program = compiler.program(default, ScanMap::None)?;
    let mut eval = crate::node::Eval::new(&program);
    eval.value(&mut crate::constants::RowRuntime(ext))
}
