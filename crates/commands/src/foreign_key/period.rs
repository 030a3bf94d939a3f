//! FOREIGN KEY (..., PERIOD p): what it may refer to and do.

use catalog::desc::RelationDesc;
use common::error::ErrorExt;
use common::{PgResult, pg_err};
use parser::ast::{Constraint, FkAction};

use super::key::Operators;

pub(super) fn period_of_referenced_only() -> Box<common::PgError> {
    pg_err!(
        INVALID_FOREIGN_KEY,
        "foreign key uses PERIOD on the referenced table but not the referencing table"
    )
}

pub(super) fn check_period_actions(key: &Constraint) -> PgResult<()> {
    let unsupported = |action, what| match action {
        FkAction::NoAction => Ok(()),
        _ => Err(pg_err!(
            FEATURE_NOT_SUPPORTED,
            "unsupported {what} action for foreign key constraint using PERIOD"
        )),
    };
    if !key.fk_with_period {
        return Ok(());
    }
    unsupported(key.fk_upd_action, "ON UPDATE")?;
    unsupported(key.fk_del_action, "ON DELETE")
}

/// The last columns of a key with PERIOD refer to each other by `&&`.
pub(super) fn use_overlaps(
    key: &Constraint,
    operators: &mut Operators,
    referenced: &RelationDesc,
    index: &RelationDesc,
) -> PgResult<()> {
    if !key.fk_with_period {
        return Ok(());
    }
    let key = referenced.constraints.iter().find(|c| c.index == index.oid);
    let overlaps = key.filter(|c| c.period).and_then(|c| c.exclusion_ops.last());
    let Some(overlaps) = overlaps else {
        return Err(
            pg_err!(UNDEFINED_OBJECT, "could not identify an overlaps operator for foreign key").detail(
                "Could not translate compare type 7 for operator family \"range_ops\" of access method \"btree\".",
            ),
        );
    };
    for list in [&mut operators.0, &mut operators.1, &mut operators.2] {
        if let Some(last) = list.last_mut() {
            *last = *overlaps;
        }
    }
    Ok(())
}
