//! CREATE, ALTER and DROP ROLE.
use common::{PgResult, unsupported};
use crate::context::CommandContext;
/// ALTER ROLE ... RENAME.
pub(crate) fn rename(_old: &str, _new: &str, _cx: &CommandContext<'_>) -> PgResult<()> {
    Err(unsupported!("ALTER ROLE RENAME is not supported yet"))
}
