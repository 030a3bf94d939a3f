//! CREATE, ALTER and DROP ROLE.
use crate::context::CommandContext;
use common::{PgResult, unsupported};
/// ALTER ROLE ... RENAME.
pub(crate) fn rename(_old: &str, _new: &str, _cx: &CommandContext<'_>) -> PgResult<()> {
    Err(unsupported!("ALTER ROLE RENAME is not supported yet"))
}
