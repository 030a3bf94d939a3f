//! Privileges on columns stand in for one on the table.
//!
//! PG: src/backend/executor/execMain.c (`ExecCheckOneRelPerms`, `ExecCheckPermissionsModified`).

use common::{AttrNumber, Oid, PgResult};

use crate::desc::{ColumnDesc, RelationDesc};
use crate::privileges::{Guarded, ObjectKind, Privilege, Roles};

impl Roles {
    /// The privilege on a table, or else on each of the columns used (0: the whole row), or on any column where none is named.
    pub fn check_columns(
        &self,
        user: Oid,
        table: &RelationDesc,
        privilege: Privilege,
        columns: &[AttrNumber],
    ) -> PgResult<()> {
        let of_table = Guarded {
            kind: ObjectKind::of_relkind(table.relkind),
            owner: table.owner,
            acl: table.acl.as_deref(),
        };
        if self.may(user, of_table, privilege) {
            return Ok(());
        }
        let may = |column: &ColumnDesc| {
            let acl = column.acl.as_deref();
            !column.dropped && acl.is_some() && self.may(user, Guarded { acl, ..of_table }, privilege)
        };
        let allowed = |attno: &AttrNumber| match attno {
            0 => table.columns.iter().filter(|c| !c.dropped).all(may),
            attno => table.column(*attno).is_some_and(may),
        };
        let enough = match columns {
            [] => table.columns.iter().any(may),
            columns => columns.iter().all(allowed),
        };
        match enough {
            true => Ok(()),
            false => self.check(user, of_table, privilege, &table.name),
        }
    }
}
