//! Aggregates: their `pg_proc` row, their `pg_aggregate` row, and what these depend on.
//!
//! PG: src/backend/catalog/pg_aggregate.c (`AggregateCreate`).

use common::error::ErrorExt;
use common::{Oid, PgError, PgResult, pg_err};
use types::Datum;

use crate::columns::pg_aggregate::*;
use crate::ddl::depend::DependencyType;
use crate::ddl::routine::NewRoutine;
use crate::ddl::{Ddl, ObjectAddress, oid};
use crate::desc::FunctionDesc;
use crate::oids;
use crate::store::key_oid;
use crate::view::{AggregateDesc, CatalogView};

/// An aggregate to make. Functions that it does not have are invalid OIDs.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct NewAggregate {
    /// Its `pg_proc` row: of kind `a`, in language internal.
    pub routine: NewRoutine,
    /// Its facts; `func` is not looked at.
    pub desc: AggregateDesc,
    pub serial_func: Oid,
    pub deserial_func: Oid,
    pub moving_final_modify: u8,
    pub trans_space: i32,
    pub moving_trans_space: i32,
}

impl Ddl<'_> {
    /// CREATE [OR REPLACE] AGGREGATE.
    pub fn create_aggregate(&mut self, new: &NewAggregate, replace: bool) -> PgResult<Oid> {
        if replace && let Some(old) = self.routine_with_arguments(&new.routine)? {
            self.check_aggregate_replacement(&old, new)?;
        }
        let made = self.create_routine(&new.routine, replace)?;
        let mut row = aggregate_row(new);
        row[AGGFNOID] = oid(made);
        let key = [key_oid(made)];
        match self.store.lookup(oids::PG_AGGREGATE_FNOID_INDEX, &key)?.first() {
            Some(old) => self.store.update(oids::PG_AGGREGATE, old.row, row)?,
            None => self.store.insert(oids::PG_AGGREGATE, row)?,
        }
        self.record_aggregate_dependencies(made, new)?;
        Ok(made)
    }

    fn check_aggregate_replacement(&self, old: &FunctionDesc, new: &NewAggregate) -> PgResult<()> {
        let Some(before) = self.view().aggregate(old.oid)? else {
            return Ok(());
        };
        if before.kind != new.desc.kind {
            return Err(self.aggregate_kind_error(old)?);
        }
        if before.direct_args != new.desc.direct_args {
            return Err(pg_err!(
                INVALID_FUNCTION_DEFINITION,
                "cannot change number of direct arguments of an aggregate function"
            ));
        }
        Ok(())
    }

    /// What is there is an aggregate of another kind than what is to be made.
    pub(crate) fn aggregate_kind_error(&self, old: &FunctionDesc) -> PgResult<Box<PgError>> {
        let kind = match self.view().aggregate(old.oid)?.map_or(b'n', |a| a.kind) {
            b'o' => "an ordered-set aggregate",
            b'h' => "a hypothetical-set aggregate",
            _ => "an ordinary aggregate function",
        };
        let error = pg_err!(WRONG_OBJECT_TYPE, "cannot change routine kind");
        Ok(error.detail(format!("\"{}\" is {kind}.", old.name)))
    }

    fn record_aggregate_dependencies(&mut self, made: Oid, new: &NewAggregate) -> PgResult<()> {
        let object = ObjectAddress::new(oids::PG_PROC, made);
        let (desc, moving) = (&new.desc, &new.desc.moving);
        let mut functions = vec![
            desc.trans_func,
            desc.final_func,
            desc.combine_func,
            new.serial_func,
            new.deserial_func,
            moving.trans_func,
            moving.inverse_func,
            moving.final_func,
        ];
        functions.sort_unstable();
        functions.dedup();
        for function in functions.into_iter().filter(|f| f.is_valid()) {
            let function = ObjectAddress::new(oids::PG_PROC, function);
            self.record_dependency(object, function, DependencyType::Normal)?;
        }
        if desc.sort_op.is_valid() {
            let operator = ObjectAddress::new(oids::PG_OPERATOR, desc.sort_op);
            self.record_dependency(object, operator, DependencyType::Normal)?;
        }
        Ok(())
    }
}

fn aggregate_row(new: &NewAggregate) -> Vec<Datum> {
    let (desc, moving) = (&new.desc, &new.desc.moving);
    let text = |value: &Option<std::sync::Arc<str>>| match value {
        Some(text) => Datum::Text(text.clone()),
        None => Datum::Null,
    };
    let mut row = vec![Datum::Null; COUNT];
    row[AGGKIND] = Datum::Char(desc.kind);
    row[AGGNUMDIRECTARGS] = Datum::Int2(desc.direct_args);
    row[AGGTRANSFN] = oid(desc.trans_func);
    row[AGGFINALFN] = oid(desc.final_func);
    row[AGGCOMBINEFN] = oid(desc.combine_func);
    row[AGGSERIALFN] = oid(new.serial_func);
    row[AGGDESERIALFN] = oid(new.deserial_func);
    row[AGGMTRANSFN] = oid(moving.trans_func);
    row[AGGMINVTRANSFN] = oid(moving.inverse_func);
    row[AGGMFINALFN] = oid(moving.final_func);
    row[AGGFINALEXTRA] = Datum::Bool(desc.final_extra);
    row[AGGMFINALEXTRA] = Datum::Bool(moving.final_extra);
    row[AGGFINALMODIFY] = Datum::Char(desc.final_modify);
    row[AGGMFINALMODIFY] = Datum::Char(new.moving_final_modify);
    row[AGGSORTOP] = oid(desc.sort_op);
    row[AGGTRANSTYPE] = oid(desc.trans_type);
    row[AGGTRANSSPACE] = Datum::Int4(new.trans_space);
    row[AGGMTRANSTYPE] = oid(moving.trans_type);
    row[AGGMTRANSSPACE] = Datum::Int4(new.moving_trans_space);
    row[AGGINITVAL] = text(&desc.init_value);
    row[AGGMINITVAL] = text(&moving.init_value);
    row
}
