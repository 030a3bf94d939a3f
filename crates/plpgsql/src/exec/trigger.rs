//! Calls by triggers.
//!
//! PG: src/pl/plpgsql/src/pl_exec.c (`plpgsql_exec_trigger`).

use std::sync::Arc;

use common::{Oid, PgResult, pg_err};
use types::settings::TypeRef;
use types::{ArrayDim, ArrayValue, Datum, FieldNames, oids};

use crate::exec::Call;
use crate::exec::record::{Record, Shape};
use crate::exec::value::Slot;
use crate::host::{EXIT, Host};
use crate::tree::Function;

/// What happened to a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum TriggerEvent {
    Insert,
    Update,
    Delete,
    Truncate,
}

/// When a trigger fires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum TriggerTiming {
    Before,
    After,
    InsteadOf,
}

/// The table of a trigger: name, and the columns of its rows that are not dropped.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct TriggerTable {
    pub oid: Oid,
    pub name: Arc<str>,
    pub schema: Arc<str>,
    pub row_type: Oid,
    pub names: FieldNames,
    pub types: Vec<TypeRef>,
}

/// One firing of a trigger.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct TriggerCall<'a> {
    pub name: &'a str,
    pub timing: TriggerTiming,
    pub event: TriggerEvent,
    pub for_row: bool,
    pub table: &'a TriggerTable,
    pub args: &'a [Arc<str>],
    pub old: Option<Vec<Datum>>,
    pub new: Option<Vec<Datum>>,
}

impl<'h> Call<'h> {
    /// Runs a trigger function; the row that it returns, `None` for NULL.
    pub fn trigger(
        func: &Arc<Function>,
        host: &'h mut dyn Host,
        firing: &'h TriggerCall<'h>,
    ) -> PgResult<Option<Vec<Datum>>> {
        let mut call = Call::new(func.clone(), host, None);
        call.trigger = Some(firing);
        let result = call.in_frame(|call| {
            call.trigger_variables(firing);
            call.run_body()?;
            call.act.frame.set(0, EXIT);
            call.trigger_result(firing)
        });
        call.give_back();
        result
    }

    fn trigger_variables(&mut self, firing: &TriggerCall<'_>) {
        let func = self.func.clone();
        let Some(vars) = &func.trigger else { return };
        let table = firing.table;
        let shape = Arc::new(Shape {
            type_oid: table.row_type,
            names: table.names.clone(),
            types: table.types.clone(),
        });
        for (dno, row) in [(vars.new, &firing.new), (vars.old, &firing.old)] {
            let record = match row {
                Some(fields) => Record::new(shape.clone(), fields.clone()),
                // Of a row trigger the record has its structure, though it is NULL.
                None if firing.for_row => Record {
                    is_null: true,
                    ..Record::nulls(shape.clone())
                },
                None => Record::default(),
            };
            self.act.values[dno] = Slot::Rec(record);
        }
        let when = match firing.timing {
            TriggerTiming::Before => "BEFORE",
            TriggerTiming::After => "AFTER",
            TriggerTiming::InsteadOf => "INSTEAD OF",
        };
        let op = match firing.event {
            TriggerEvent::Insert => "INSERT",
            TriggerEvent::Update => "UPDATE",
            TriggerEvent::Delete => "DELETE",
            TriggerEvent::Truncate => "TRUNCATE",
        };
        let args = match firing.args {
            [] => Datum::Null,
            args => Datum::Array(Arc::new(ArrayValue {
                element_type: oids::TEXT,
                dims: vec![ArrayDim {
                    len: args.len() as i32,
                    lower: 0,
                }],
                elements: args.iter().map(|a| Datum::Text(a.clone())).collect(),
            })),
        };
        let values = [
            Datum::text(firing.name),
            Datum::text(when),
            Datum::text(if firing.for_row { "ROW" } else { "STATEMENT" }),
            Datum::text(op),
            Datum::Oid(table.oid.0),
            Datum::Text(table.name.clone()),
            Datum::Text(table.name.clone()),
            Datum::Text(table.schema.clone()),
            Datum::Int4(firing.args.len() as i32),
            args,
        ];
        for (dno, value) in vars.tg.iter().zip(values) {
            self.act.values[*dno] = Slot::Var(value);
        }
    }

    fn trigger_result(&mut self, firing: &TriggerCall<'_>) -> PgResult<Option<Vec<Datum>>> {
        let Datum::Record(record) = std::mem::replace(&mut self.result, Datum::Null) else {
            return Ok(None);
        };
        let table = firing.table;
        if record.type_oid != table.row_type {
            let shape = Shape::of_value(&record, self.host.catalog())?;
            let wanted = Shape {
                type_oid: table.row_type,
                names: table.names.clone(),
                types: table.types.clone(),
            };
            let message = "returned row structure does not match the structure of the triggering table";
            self.check_structure(&shape, &wanted, message)?;
        }
        if record.fields.len() != table.types.len() {
            return Err(pg_err!(
                DATATYPE_MISMATCH,
                "returned row structure does not match the structure of the triggering table"
            ));
        }
        Ok(Some(record.fields.clone()))
    }
}
