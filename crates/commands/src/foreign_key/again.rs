//! Foreign keys that are taken away and made anew while the type of one of their columns changes.

use std::sync::Arc;

use catalog::ddl::ObjectAddress;
use catalog::ddl::drop::DropBehavior;
use catalog::desc::{ConstraintDesc, RelationDesc};
use catalog::oids;
use common::{Oid, PgResult, Span};
use parser::ast::{ConstrType, Constraint, FkAction, FkMatchType, Ident, RangeVar};
use txn::LockMode;

use super::{Existing, add};
use crate::context::CommandContext;

/// Foreign keys with their definitions.
pub(crate) struct ForeignKeys(Vec<(Oid, Oid, Constraint)>);

impl ForeignKeys {
    /// Drops all foreign keys of and to the tables that have a column of this name in their key.
    pub fn take(
        cx: &CommandContext<'_>,
        tables: &[Arc<RelationDesc>],
        column: &str,
    ) -> PgResult<ForeignKeys> {
        let mut taken = ForeignKeys(Vec::new());
        for table in tables {
            let Some(attno) = table.column_by_name(column).map(|c| c.attno) else {
                continue;
            };
            for own in table.constraints.iter().filter(|c| c.columns.contains(&attno)) {
                taken.add(cx, table, own)?;
            }
            for (relation, oid) in &table.referenced_by {
                let referencing = cx.relation(*relation)?;
                let named = |c: &&ConstraintDesc| {
                    c.oid == *oid && c.foreign.as_ref().is_some_and(|f| f.columns.contains(&attno))
                };
                if let Some(key) = referencing.constraints.iter().find(named) {
                    cx.lock_relation(*relation, LockMode::AccessExclusive)?;
                    taken.add(cx, &referencing, key)?;
                }
            }
        }
        let object = |(_, oid, _): &(Oid, Oid, Constraint)| ObjectAddress::new(oids::PG_CONSTRAINT, *oid);
        let objects: Vec<ObjectAddress> = taken.0.iter().map(object).collect();
        if !objects.is_empty() {
            cx.ddl(|ddl| ddl.drop_objects(&objects, DropBehavior::Restrict))?;
        }
        Ok(taken)
    }

    fn add(&mut self, cx: &CommandContext<'_>, table: &RelationDesc, key: &ConstraintDesc) -> PgResult<()> {
        let own = key.kind == b'f' && !key.parent.is_valid();
        if own && self.0.iter().all(|(_, oid, _)| *oid != key.oid) {
            self.0.push((table.oid, key.oid, definition(cx, table, key)?));
        }
        Ok(())
    }

    /// Makes them over the columns as they are now.
    pub fn make_again(self, cx: &CommandContext<'_>) -> PgResult<()> {
        for (table, _, key) in self.0 {
            add(cx, &cx.relation(table)?, &key, Existing::Check)?;
        }
        Ok(())
    }
}

fn action(letter: u8) -> FkAction {
    match letter {
        b'r' => FkAction::Restrict,
        b'c' => FkAction::Cascade,
        b'n' => FkAction::SetNull,
        b'd' => FkAction::SetDefault,
        _ => FkAction::NoAction,
    }
}

/// The clause that would make the foreign key.
fn definition(cx: &CommandContext<'_>, table: &RelationDesc, key: &ConstraintDesc) -> PgResult<Constraint> {
    let Some(foreign) = &key.foreign else {
        return Err(common::internal!(
            "constraint \"{}\" is not a foreign key",
            key.name
        ));
    };
    let referenced = cx.relation(foreign.table)?;
    let names = |desc: &RelationDesc, attnos: &[i16]| -> Vec<Ident> {
        let columns = attnos.iter().filter_map(|a| desc.column(*a));
        columns.map(|c| Ident::new(&*c.name, Span::NONE)).collect()
    };
    let mut clause = Constraint::new(ConstrType::Foreign, Span::NONE);
    clause.conname = Some(Ident::new(&*key.name, Span::NONE));
    clause.pktable = Some(RangeVar::qualified(&referenced.namespace_name, &referenced.name));
    clause.fk_attrs = names(table, &key.columns);
    clause.pk_attrs = names(&referenced, &foreign.columns);
    clause.fk_del_set_cols = names(table, &foreign.delete_set_columns);
    clause.fk_upd_action = action(foreign.on_update);
    clause.fk_del_action = action(foreign.on_delete);
    clause.fk_matchtype = match foreign.match_type {
        b'f' => FkMatchType::Full,
        _ => FkMatchType::Simple,
    };
    (clause.fk_with_period, clause.pk_with_period) = (key.period, key.period);
    (clause.deferrable, clause.initdeferred) = (key.deferrable, key.deferred);
    clause.is_enforced = key.enforced;
    clause.skip_validation = !key.validated;
    Ok(clause)
}
