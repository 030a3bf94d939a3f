//! Functions that a client calls by OID: the statement behind the protocol's FunctionCall.
//!
//! PG: src/backend/tcop/fastpath.c.

use std::sync::Arc;

use catalog::CatalogView;
use catalog::names::quote_identifier;
use common::{Oid, PgResult, pg_err, unsupported};

use crate::error::Result;
use crate::session::Session;
use crate::session::prepared::Prepared;
use crate::session::shown::Doing;

impl Session {
    /// A statement that calls the function with so many arguments: its parameters are the function's, it returns one value.
    pub fn function_call(&mut self, function: u32, arguments: usize) -> Result<Arc<Prepared>> {
        self.core
            .shown
            .turns(Doing::FunctionCall, self.core.statement_start.get());
        let call = self.guarded(|s| s.call_of(Oid(function), arguments));
        let (sql, types) = call.map_err(|e| self.fail(e, ""))?;
        self.parse(&sql, &types)
    }

    fn call_of(&mut self, function: Oid, arguments: usize) -> PgResult<(String, Vec<u32>)> {
        if self.block.failed {
            return Err(pg_err!(
                IN_FAILED_SQL_TRANSACTION,
                "current transaction is aborted, commands ignored until end of transaction block"
            ));
        }
        self.ensure_transaction()?;
        let view = self.current_view()?;
        let Some(desc) = view.function(function)? else {
            return Err(pg_err!(
                UNDEFINED_FUNCTION,
                "function with OID {function} does not exist"
            ));
        };
        if desc.kind != b'f' || desc.returns_set {
            return Err(unsupported!(
                "cannot call function \"{}\" via fastpath interface",
                desc.name
            ));
        }
        let wanted = desc.arg_types.len();
        if wanted != arguments {
            return Err(pg_err!(
                PROTOCOL_VIOLATION,
                "function call message contains {arguments} arguments but function requires {wanted}"
            ));
        }
        let Some(schema) = view.namespace_name(desc.namespace)? else {
            return Err(common::internal!("function {function} is in no schema"));
        };
        let params: Vec<String> = (1..=wanted).map(|n| format!("${n}")).collect();
        let variadic = if desc.variadic.is_valid() { "VARIADIC " } else { "" };
        let split = wanted.saturating_sub(1);
        let mut list = params[..split].join(", ");
        if let Some(last) = params.last() {
            let comma = if list.is_empty() { "" } else { ", " };
            list.push_str(&format!("{comma}{variadic}{last}"));
        }
        let (schema, name) = (quote_identifier(&schema), quote_identifier(&desc.name));
        let sql = format!("SELECT {schema}.{name}({list})");
        Ok((sql, desc.arg_types.iter().map(|t| t.0).collect()))
    }
}
