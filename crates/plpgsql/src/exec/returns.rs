//! RETURN, RETURN NEXT, RETURN QUERY, and what becomes of the value.
//!
//! PG: src/pl/plpgsql/src/pl_exec.c (`exec_stmt_return`, `exec_stmt_return_next`, `coerce_function_result_tuple`).

use std::sync::Arc;

use common::error::ErrorExt;
use common::{PgError, PgResult, pg_err};
use types::settings::TypeRef;
use types::{BATCH_ROWS, Datum, oids};

use crate::exec::record::Shape;
use crate::exec::{Call, Flow};
use crate::tree::{Decl, Dno, Expr, Purpose, Source};

fn no_row() -> Box<PgError> {
    pg_err!(
        DATATYPE_MISMATCH,
        "cannot return non-composite value from function returning composite type"
    )
}

impl Call<'_> {
    pub(crate) fn return_statement(&mut self, expr: Option<&Expr>, var: Option<Dno>) -> PgResult<Flow> {
        let func = self.func.clone();
        if func.returns.is_set {
            return Ok(Flow::Return);
        }
        (self.result, self.result_type) = match (expr, var) {
            (_, Some(dno)) => self.variable_value(dno)?,
            (Some(expr), None) => self.eval_any(expr)?,
            // A value that is not NULL, though there is nothing in it.
            (None, None) if !func.returns.is_procedure && func.purpose == Purpose::Function => {
                (Datum::text(""), TypeRef::plain(oids::VOID))
            }
            (None, None) => (Datum::Null, func.returns.type_ref),
        };
        if func.returns.is_row && !matches!(self.result, Datum::Null | Datum::Record(_)) {
            return Err(no_row());
        }
        Ok(Flow::Return)
    }

    /// The result as one of the declared type.
    pub(crate) fn cast_result(&mut self) -> PgResult<Datum> {
        let value = std::mem::replace(&mut self.result, Datum::Null);
        let (returns, from) = (self.func.returns.clone(), self.result_type);
        if !returns.is_row {
            if matches!(from.oid, oids::VOID) || matches!(returns.type_ref.oid, oids::VOID) {
                return Ok(value);
            }
            return self.cast_value(value, from, returns.type_ref);
        }
        let Datum::Record(record) = &value else {
            return match returns.row_type.is_valid() {
                true => self.cast_value(value, TypeRef::plain(returns.row_type), returns.type_ref),
                false => Ok(value),
            };
        };
        let wanted = match self.wanted_row()? {
            Some(wanted) => wanted,
            None => return Ok(value),
        };
        if returns.is_procedure || record.type_oid == wanted.type_oid && wanted.type_oid != oids::RECORD {
            return Ok(value);
        }
        let shape = Shape::of_value(record, self.host.catalog())?;
        self.check_structure(
            &shape,
            &wanted,
            "returned record type does not match expected record type",
        )?;
        let made = wanted.value(record.fields.clone());
        match returns.row_type.is_valid() {
            true => self.cast_value(made, TypeRef::plain(returns.row_type), returns.type_ref),
            false => Ok(made),
        }
    }

    /// The structure of the function's rows; `None`: whatever comes.
    fn wanted_row(&mut self) -> PgResult<Option<Arc<Shape>>> {
        if let Some(shape) = &self.row_shape {
            return Ok(Some(shape.clone()));
        }
        let func = self.func.clone();
        let returns = &func.returns;
        let shape = if let Some(columns) = self.info.map(|i| &i.columns).filter(|c| !c.is_empty()) {
            let (names, types): (Vec<Box<str>>, Vec<TypeRef>) = columns
                .iter()
                .map(|c| {
                    let type_ref = TypeRef {
                        oid: c.type_oid,
                        typmod: c.typmod,
                    };
                    (Box::from(c.name.as_str()), type_ref)
                })
                .unzip();
            Arc::new(Shape::anonymous(names.into(), types))
        } else if returns.type_ref.oid != oids::RECORD {
            let own = match returns.row_type.is_valid() {
                true => returns.row_type,
                false => returns.type_ref.oid,
            };
            Shape::of_type(own, self.host.catalog())?
        } else {
            let Some(Decl::Row(row)) = returns.out.and_then(|out| func.decls.get(out)) else {
                return Ok(None);
            };
            let types = row.fields.iter().map(|dno| match func.decls.get(*dno) {
                Some(Decl::Var(v) | Decl::Rec(v)) => v.ty.type_ref,
                _ => TypeRef::plain(oids::TEXT),
            });
            let names: Vec<Box<str>> = row.names.iter().map(|n| Box::from(&**n)).collect();
            Arc::new(Shape::anonymous(names.into(), types.collect()))
        };
        self.row_shape = Some(shape.clone());
        Ok(Some(shape))
    }

    /// The same number of columns, of the same types.
    pub(crate) fn check_structure(&self, given: &Shape, wanted: &Shape, message: &str) -> PgResult<()> {
        if given.types.len() != wanted.types.len() {
            return Err(pg_err!(DATATYPE_MISMATCH, "{message}").detail(format!(
                "Number of returned columns ({}) does not match expected column count ({}).",
                given.types.len(),
                wanted.types.len()
            )));
        }
        let session = self.host.session();
        for (at, (own, to)) in given.types.iter().zip(&wanted.types).enumerate() {
            if own.oid == to.oid && (to.typmod < 0 || own.typmod == to.typmod || own.typmod < 0) {
                continue;
            }
            if own.oid == oids::UNKNOWN && to.oid == oids::TEXT {
                continue;
            }
            return Err(pg_err!(DATATYPE_MISMATCH, "{message}").detail(format!(
                "Returned type {} does not match expected type {} in column \"{}\" (position {}).",
                session.format_type(own.oid, Some(own.typmod))?,
                session.format_type(to.oid, Some(to.typmod))?,
                wanted.names.get(at).map_or("", |n| n),
                at + 1
            )));
        }
        Ok(())
    }

    pub(crate) fn return_next(&mut self, expr: Option<&Expr>, var: Option<Dno>) -> PgResult<()> {
        let func = self.func.clone();
        let (value, from) = match (expr, var) {
            (_, Some(dno)) => self.variable_value(dno)?,
            (Some(expr), None) => self.eval_any(expr)?,
            (None, None) => return Err(pg_err!(SYNTAX_ERROR, "RETURN NEXT must have a parameter")),
        };
        if !func.returns.is_row {
            if matches!(value, Datum::Record(_)) {
                return Err(pg_err!(
                    DATATYPE_MISMATCH,
                    "wrong result type supplied in RETURN NEXT"
                ));
            }
            let value = self.cast_value(value, from, func.returns.type_ref)?;
            self.rows.push(value);
            return Ok(());
        }
        let is_variable = var.is_some();
        match &value {
            Datum::Record(record) => {
                let made = match self.wanted_row()? {
                    None => value.clone(),
                    Some(wanted) if func.returns.out.is_some() => wanted.value(record.fields.clone()),
                    Some(wanted) if record.type_oid == wanted.type_oid && wanted.type_oid != oids::RECORD => {
                        value.clone()
                    }
                    Some(wanted) => {
                        let shape = Shape::of_value(record, self.host.catalog())?;
                        let message = match is_variable {
                            true => "wrong record type supplied in RETURN NEXT",
                            false => "returned record type does not match expected record type",
                        };
                        self.check_structure(&shape, &wanted, message)?;
                        wanted.value(record.fields.clone())
                    }
                };
                self.push_row(made)
            }
            Datum::Null => {
                let made = match self.wanted_row()? {
                    Some(wanted) => wanted.value(vec![Datum::Null; wanted.types.len()]),
                    None => Datum::Null,
                };
                self.push_row(made)
            }
            _ if is_variable => Err(pg_err!(
                DATATYPE_MISMATCH,
                "wrong result type supplied in RETURN NEXT"
            )),
            _ => Err(no_row()),
        }
    }

    fn push_row(&mut self, row: Datum) -> PgResult<()> {
        let row = match self.func.returns.row_type.is_valid() {
            true => {
                let (own, to) = (self.func.returns.row_type, self.func.returns.type_ref);
                self.cast_value(row, TypeRef::plain(own), to)?
            }
            false => row,
        };
        self.rows.push(row);
        Ok(())
    }

    pub(crate) fn return_query(&mut self, source: &Source) -> PgResult<()> {
        let func = self.func.clone();
        let (mut rows, columns, text) = self.start_source(source)?;
        let wanted = match func.returns.is_row {
            true => self.wanted_row()?,
            false => {
                let name = func.signature.split('(').next().unwrap_or("");
                let shape = Shape::anonymous([Box::from(name)].into(), vec![func.returns.type_ref]);
                Some(Arc::new(shape))
            }
        };
        if let Some(wanted) = &wanted {
            self.check_structure(
                &columns,
                wanted,
                "structure of query does not match function result type",
            )?;
        }
        let mut count = 0_u64;
        while let Some(next) = self.feed(&mut rows, &text, BATCH_ROWS)? {
            for fields in next {
                count += 1;
                match func.returns.is_row {
                    true => {
                        let row = wanted.as_ref().unwrap_or(&columns).value(fields);
                        self.push_row(row)?;
                    }
                    false => self.rows.push(fields.into_iter().next().unwrap_or(Datum::Null)),
                }
            }
        }
        self.processed = count;
        self.set_found(count != 0);
        Ok(())
    }
}
