//! From a statement's kind to the function that runs it.

use common::{PgResult, unsupported};
use parser::ast::Statement;
use types::oids;

use crate::classify::{check_transaction_block, command_tag};
use crate::context::{CommandContext, CommandOutcome, ResultColumn};
use crate::guc::GucStore;

/// Runs a utility statement. COPY from STDIN and to STDOUT run through [`CopyIn`](crate::CopyIn) and [`CopyOut`](crate::CopyOut)
/// instead.
pub fn execute(stmt: &Statement, cx: &mut CommandContext<'_>) -> PgResult<CommandOutcome> {
    check_transaction_block(stmt, cx.in_transaction_block)?;
    Err(unsupported!("{} is not supported yet", command_tag(stmt)).at_statement(stmt))
}

/// Result columns of a utility statement, without running it; `None`: no result.
pub fn describe(stmt: &Statement) -> Option<Vec<ResultColumn>> {
    match stmt {
        Statement::Explain(_) => Some(vec![ResultColumn::new("QUERY PLAN", oids::TEXT)]),
        Statement::VariableShow(s) if s.name == "all" => Some(
            ["name", "setting", "description"]
                .map(|name| ResultColumn::new(name, oids::TEXT))
                .to_vec(),
        ),
        Statement::VariableShow(s) => Some(vec![ResultColumn::new(
            GucStore::display_name(&s.name),
            oids::TEXT,
        )]),
        _ => None,
    }
}

trait AtStatement {
    fn at_statement(self, stmt: &Statement) -> Self;
}

impl AtStatement for Box<common::PgError> {
    /// Unsupported statements point at their first word.
    fn at_statement(self, stmt: &Statement) -> Self {
        common::error::ErrorExt::at(self, stmt.span())
    }
}
