//! GET DIAGNOSTICS.
//!
//! PG: src/pl/plpgsql/src/pl_exec.c (`exec_stmt_getdiag`).

use common::{PgResult, pg_err};
use types::settings::TypeRef;
use types::{Datum, oids};

use crate::exec::Call;
use crate::tree::{Diagnostic, GetDiagnostics};

impl Call<'_> {
    pub(crate) fn get_diagnostics(&mut self, s: &GetDiagnostics) -> PgResult<()> {
        let error = self.errors.last().cloned();
        if s.stacked && error.is_none() {
            return Err(pg_err!(
                STACKED_DIAGNOSTICS_ACCESSED_WITHOUT_ACTIVE_HANDLER,
                "GET STACKED DIAGNOSTICS cannot be used outside an exception handler"
            ));
        }
        for (target, item) in &s.items {
            let text = |t: Option<&str>| Datum::text(t.unwrap_or(""));
            let field = |f: &dyn Fn(&common::PgError) -> Option<String>| {
                text(error.as_deref().and_then(f).as_deref())
            };
            let (value, type_oid) = match item {
                Diagnostic::RowCount => (Datum::Int8(self.processed as i64), oids::INT8),
                Diagnostic::RoutineOid => (Datum::Oid(self.func.oid.0), oids::OID),
                Diagnostic::Context => (Datum::text(self.host.context()), oids::TEXT),
                Diagnostic::ErrorContext => (field(&|e| e.context.clone()), oids::TEXT),
                Diagnostic::ErrorDetail => (field(&|e| e.detail.clone()), oids::TEXT),
                Diagnostic::ErrorHint => (field(&|e| e.hint.clone()), oids::TEXT),
                Diagnostic::ReturnedSqlstate => {
                    (field(&|e| Some(e.sqlstate.as_str().to_owned())), oids::TEXT)
                }
                Diagnostic::ColumnName => (field(&|e| e.column.clone()), oids::TEXT),
                Diagnostic::ConstraintName => (field(&|e| e.constraint.clone()), oids::TEXT),
                Diagnostic::DatatypeName => (field(&|e| e.datatype.clone()), oids::TEXT),
                Diagnostic::MessageText => (field(&|e| Some(e.message.clone())), oids::TEXT),
                Diagnostic::TableName => (field(&|e| e.table.clone()), oids::TEXT),
                Diagnostic::SchemaName => (field(&|e| e.schema.clone()), oids::TEXT),
            };
            self.assign_value(*target, value, TypeRef::plain(type_oid))?;
        }
        Ok(())
    }
}
