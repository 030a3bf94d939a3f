//! Assignments to variables, records and their fields.
//!
//! PG: src/pl/plpgsql/src/pl_exec.c (`exec_assign_value`, `exec_move_row`).

use std::sync::Arc;

use common::{PgError, PgResult, pg_err};
use types::settings::TypeRef;
use types::{Datum, oids};

use crate::exec::Call;
use crate::exec::plan::{no_field, not_assigned};
use crate::exec::record::{Record, Shape};
use crate::exec::value::Slot;
use crate::tree::{Decl, Dno, Expr, VarDecl};

fn refuses_null(decl: &VarDecl) -> Box<PgError> {
    pg_err!(
        NULL_VALUE_NOT_ALLOWED,
        "null value cannot be assigned to variable \"{}\" declared NOT NULL",
        decl.name
    )
}

impl Call<'_> {
    /// `variable := expression`.
    #[inline]
    pub(crate) fn assign_statement(&mut self, target: Dno, expr: &Expr) -> PgResult<()> {
        let (value, from) = self.eval_any(expr)?;
        if let Some(Decl::Var(decl)) = self.func.decls.get(target)
            && decl.ty.type_ref.oid == from.oid
            && decl.ty.type_ref.typmod < 0
            && !decl.not_null
            && let Some(slot) = self.act.values.get_mut(target)
        {
            *slot = Slot::Var(value);
            return Ok(());
        }
        self.assign_value(target, value, from)
    }

    /// The same for defaults and the like.
    pub(crate) fn assign_expr(&mut self, target: Dno, expr: &Expr) -> PgResult<()> {
        let (value, from) = self.eval_any(expr)?;
        self.assign_value(target, value, from)
    }

    /// Puts a value of a type into a variable.
    pub(crate) fn assign_value(&mut self, target: Dno, value: Datum, from: TypeRef) -> PgResult<()> {
        let func = self.func.clone();
        match func.decls.get(target) {
            Some(Decl::Var(decl)) => {
                let value = self.cast_value(value, from, decl.ty.type_ref)?;
                if value.is_null() && decl.not_null {
                    return Err(refuses_null(decl));
                }
                self.act.values[target] = Slot::Var(value);
                Ok(())
            }
            Some(Decl::Row(_)) => match value {
                Datum::Null => {
                    self.move_row(target, &Arc::new(Shape::anonymous([].into(), Vec::new())), None)
                }
                Datum::Record(r) => {
                    let shape = Shape::of_value(&r, self.host.catalog())?;
                    self.move_row(target, &shape, Some(r.fields.clone()))
                }
                _ => Err(pg_err!(
                    DATATYPE_MISMATCH,
                    "cannot assign non-composite value to a row variable"
                )),
            },
            Some(Decl::Rec(decl)) => match value {
                Datum::Null if decl.not_null => Err(refuses_null(decl)),
                Datum::Null => {
                    let record = self.null_record(target)?;
                    self.check_row_domain(decl, &record)?;
                    self.act.values[target] = Slot::Rec(record);
                    Ok(())
                }
                Datum::Record(r) => {
                    let shape = Shape::of_value(&r, self.host.catalog())?;
                    self.move_row(target, &shape, Some(r.fields.clone()))
                }
                _ => Err(pg_err!(
                    DATATYPE_MISMATCH,
                    "cannot assign non-composite value to a record variable"
                )),
            },
            Some(Decl::Field(field)) => self.assign_record_field(field.rec, &field.name, value, from),
            None => Err(common::internal!("assignment to no variable")),
        }
    }

    /// A record variable without a value.
    pub(crate) fn null_record(&self, dno: Dno) -> PgResult<Record> {
        match self.func.decls.get(dno) {
            Some(Decl::Rec(decl)) if decl.ty.type_ref.oid != oids::RECORD => {
                let shape = Shape::of_type(decl.ty.type_ref.oid, self.host.catalog())?;
                Ok(Record {
                    is_null: true,
                    ..Record::nulls(shape)
                })
            }
            _ => Ok(Record::default()),
        }
    }

    /// Puts a value into a field of a record.
    pub(crate) fn assign_record_field(
        &mut self,
        rec: Dno,
        name: &str,
        value: Datum,
        from: TypeRef,
    ) -> PgResult<()> {
        let func = self.func.clone();
        let Some(Decl::Rec(decl)) = func.decls.get(rec) else {
            return Err(common::internal!("field of no record"));
        };
        let shape = match self.act.values.get(rec) {
            Some(Slot::Rec(record)) => record.shape.clone(),
            _ => None,
        };
        let shape = match shape {
            Some(shape) => shape,
            None if decl.ty.type_ref.oid == oids::RECORD => return Err(not_assigned(&decl.name)),
            None => {
                let record = self.null_record(rec)?;
                let shape = record.shape.clone();
                self.act.values[rec] = Slot::Rec(record);
                shape.ok_or_else(|| common::internal!("composite type without structure"))?
            }
        };
        let Some(at) = shape.position(name) else {
            return Err(no_field(&decl.name, name));
        };
        let to = shape.types.get(at).copied().unwrap_or(from);
        let value = self.cast_value(value, from, to)?;
        if let Some(Slot::Rec(record)) = self.act.values.get_mut(rec)
            && let Some(place) = record.fields.get_mut(at)
        {
            *place = value;
            record.is_null = false;
        }
        if decl.ty.row_type.is_valid()
            && let Some(Slot::Rec(record)) = self.act.values.get(rec)
        {
            let record = record.clone();
            self.check_row_domain(decl, &record)?;
        }
        Ok(())
    }

    /// A row of columns goes into a target; `None`: there was no row.
    pub(crate) fn move_row(
        &mut self,
        target: Dno,
        shape: &Arc<Shape>,
        fields: Option<Vec<Datum>>,
    ) -> PgResult<()> {
        let func = self.func.clone();
        match func.decls.get(target) {
            Some(Decl::Rec(decl)) => {
                let record = self.record_of(decl, target, shape, fields)?;
                self.check_row_domain(decl, &record)?;
                self.act.values[target] = Slot::Rec(record);
                Ok(())
            }
            Some(Decl::Row(row)) => {
                let mut values = fields.unwrap_or_default().into_iter();
                for (at, dno) in row.fields.iter().enumerate() {
                    let value = values.next().unwrap_or(Datum::Null);
                    let from = shape.types.get(at).copied();
                    self.assign_value(*dno, value, from.unwrap_or(TypeRef::plain(oids::UNKNOWN)))?;
                }
                Ok(())
            }
            Some(Decl::Var(_) | Decl::Field(_)) => {
                let value = fields.into_iter().flatten().next().unwrap_or(Datum::Null);
                let from = shape.types.first().copied();
                self.assign_value(target, value, from.unwrap_or(TypeRef::plain(oids::UNKNOWN)))
            }
            None => Err(common::internal!("assignment to no variable")),
        }
    }

    fn record_of(
        &mut self,
        decl: &VarDecl,
        target: Dno,
        shape: &Arc<Shape>,
        fields: Option<Vec<Datum>>,
    ) -> PgResult<Record> {
        let own = decl.ty.type_ref.oid;
        if own == oids::RECORD {
            return Ok(match fields {
                Some(fields) => Record::new(shape.clone(), fields),
                None if shape.types.is_empty() => Record::default(),
                None => Record::nulls(shape.clone()),
            });
        }
        let Some(fields) = fields else {
            return self.null_record(target);
        };
        let wanted = match self.act.values.get(target) {
            Some(Slot::Rec(Record { shape: Some(s), .. })) if s.type_oid == own && !self.dirty => s.clone(),
            _ => Shape::of_type(own, self.host.catalog())?,
        };
        if shape.type_oid == own {
            return Ok(Record::new(wanted, fields));
        }
        let mut values = fields.into_iter();
        let mut made = Vec::with_capacity(wanted.types.len());
        for (at, to) in wanted.types.iter().enumerate() {
            let value = values.next().unwrap_or(Datum::Null);
            let from = shape
                .types
                .get(at)
                .copied()
                .unwrap_or(TypeRef::plain(oids::UNKNOWN));
            made.push(self.cast_value(value, from, *to)?);
        }
        Ok(Record::new(wanted, made))
    }

    /// A variable of a domain over a composite type obeys the domain.
    fn check_row_domain(&mut self, decl: &VarDecl, record: &Record) -> PgResult<()> {
        if !decl.ty.row_type.is_valid() {
            return Ok(());
        }
        let from = TypeRef::plain(decl.ty.row_type);
        self.cast_value(record.value(), from, decl.ty.type_ref).map(drop)
    }

    /// The variable that CASE compares takes the type of its value.
    pub(crate) fn set_case_variable(&mut self, dno: Dno, value: Datum, from: TypeRef) -> PgResult<()> {
        let known = self.func.case_type(dno);
        let value = match known {
            Some(known) => self.cast_value(value, from, known)?,
            None => {
                self.func.case_types.lock().push((dno, from));
                value
            }
        };
        self.act.values[dno] = Slot::Var(value);
        Ok(())
    }

    /// The value of a variable and its type.
    pub(crate) fn variable_value(&mut self, dno: Dno) -> PgResult<(Datum, TypeRef)> {
        match (self.func.decls.get(dno), self.act.values.get(dno)) {
            (Some(Decl::Var(decl)), Some(Slot::Var(value))) => Ok((value.clone(), decl.ty.type_ref)),
            (Some(Decl::Rec(decl)), Some(Slot::Rec(record))) => {
                let mut type_ref = decl.ty.type_ref;
                if type_ref.oid == oids::RECORD {
                    type_ref.oid = record.shape.as_ref().map_or(oids::RECORD, |s| s.type_oid);
                }
                Ok((record.value(), type_ref))
            }
            (Some(Decl::Field(field)), _) => {
                let (rec, name) = (field.rec, field.name.clone());
                self.field_of(rec, &name)
            }
            (Some(Decl::Row(row)), _) => {
                let row = row.clone();
                let (mut fields, mut types) = (Vec::new(), Vec::new());
                for dno in &row.fields {
                    let (value, type_ref) = self.variable_value(*dno)?;
                    fields.push(value);
                    types.push(type_ref);
                }
                let names: Vec<Box<str>> = row.names.iter().map(|n| Box::from(&**n)).collect();
                let shape = Shape::anonymous(names.into(), types);
                Ok((shape.value(fields), TypeRef::plain(oids::RECORD)))
            }
            _ => Err(common::internal!("value of no variable")),
        }
    }

    fn field_of(&mut self, rec: Dno, name: &str) -> PgResult<(Datum, TypeRef)> {
        let decl_name = match self.func.decls.get(rec) {
            Some(Decl::Rec(d)) => d.name.clone(),
            _ => "".into(),
        };
        let Some(Slot::Rec(record)) = self.act.values.get(rec) else {
            return Err(common::internal!("field of no record"));
        };
        let Some(shape) = &record.shape else {
            return Err(not_assigned(&decl_name));
        };
        let Some(at) = shape.position(name) else {
            return Err(no_field(&decl_name, name));
        };
        let type_ref = shape.types.get(at).copied().unwrap_or(TypeRef::plain(oids::TEXT));
        Ok((record.fields.get(at).cloned().unwrap_or(Datum::Null), type_ref))
    }
}
