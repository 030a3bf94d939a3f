//! ALTER TABLE ... ALTER COLUMN ... ADD GENERATED, SET GENERATED, DROP IDENTITY.
//!
//! PG: src/backend/commands/tablecmds.c (`ATExecAddIdentity`, `ATExecSetIdentity`, `ATExecDropIdentity`).

use catalog::columns::pg_attribute;
use catalog::ddl::sequence::SequenceOwner;
use catalog::desc::RelationDesc;
use common::error::ErrorExt;
use common::{PgError, PgResult, pg_err};
use parser::ast::{self, Constraint, DefElem, GeneratedWhen, Ident};
use types::Datum;

use crate::alter_inherit::{Reach, children};
use crate::alter_table::column;
use crate::context::CommandContext;

/// ADD GENERATED ... AS IDENTITY.
pub(crate) fn add(
    desc: &RelationDesc,
    name: &Ident,
    constraint: &Constraint,
    reach: Reach,
    cx: &CommandContext<'_>,
) -> PgResult<()> {
    check_reach(desc, reach, "add identity to a column")?;
    let found = column(desc, name)?;
    let (col, rel) = (&found.name, &desc.name);
    if !found.not_null {
        return Err(pg_err!(
            OBJECT_NOT_IN_PREREQUISITE_STATE,
            "column \"{col}\" of relation \"{rel}\" must be declared NOT NULL before identity can be added"
        ));
    }
    if matches!(found.identity, b'a' | b'd') {
        return Err(pg_err!(
            OBJECT_NOT_IN_PREREQUISITE_STATE,
            "column \"{col}\" of relation \"{rel}\" is already an identity column"
        ));
    }
    if found.default.is_some() {
        return Err(pg_err!(
            OBJECT_NOT_IN_PREREQUISITE_STATE,
            "column \"{col}\" of relation \"{rel}\" already has a default value"
        ));
    }
    use types::oids as t;
    if !matches!(found.type_ref.oid, t::INT2 | t::INT4 | t::INT8) {
        return Err(pg_err!(
            INVALID_PARAMETER_VALUE,
            "identity column type must be smallint, integer, or bigint"
        ));
    }
    let read = crate::sequence::read_options(&constraint.options, found.type_ref.oid, None, true, cx)?;
    let sequence_name = crate::sequence::choose_name(cx, rel, col, desc.namespace)?;
    let oid = crate::sequence::make(cx, &sequence_name, desc.namespace, desc.persistence, &read.params)?;
    let letter = match constraint.generated_when {
        GeneratedWhen::Always => b'a',
        GeneratedWhen::ByDefault => b'd',
    };
    cx.ddl(|ddl| ddl.set_sequence_owner(oid, Some(SequenceOwner::Identity(desc.oid, found.attno))))?;
    mark(desc, &found.name, letter, cx)
}

/// What is an identity column of a partitioned table is one of all its partitions.
fn check_reach(desc: &RelationDesc, reach: Reach, what: &str) -> PgResult<()> {
    if desc.is_partition {
        return Err(pg_err!(INVALID_TABLE_DEFINITION, "cannot {what} of a partition"));
    }
    if desc.relkind == b'p' && reach == Reach::Only {
        return Err(pg_err!(
            INVALID_TABLE_DEFINITION,
            "cannot {what} of only the partitioned table"
        )
        .hint("Do not specify the ONLY keyword."));
    }
    Ok(())
}

/// Sets the kind of identity of the column in the table and its partitions.
fn mark(desc: &RelationDesc, name: &str, letter: u8, cx: &CommandContext<'_>) -> PgResult<()> {
    if let Some(own) = desc.column_by_name(name) {
        let change = [(pg_attribute::ATTIDENTITY, Datum::Char(letter))];
        cx.ddl(|ddl| ddl.alter_column(desc.oid, own.attno, &change))?;
    }
    if desc.relkind != b'p' {
        return Ok(());
    }
    for child in children(desc, cx)? {
        mark(&child, name, letter, cx)?;
    }
    Ok(())
}

fn not_identity(desc: &RelationDesc, name: &str) -> Box<PgError> {
    pg_err!(
        OBJECT_NOT_IN_PREREQUISITE_STATE,
        "column \"{name}\" of relation \"{}\" is not an identity column",
        desc.name
    )
}

/// SET GENERATED, SET sequence options, RESTART.
pub(crate) fn set(
    desc: &RelationDesc,
    name: &Ident,
    options: &[DefElem],
    reach: Reach,
    cx: &mut CommandContext<'_>,
) -> PgResult<()> {
    check_reach(desc, reach, "change identity column")?;
    let found = column(desc, name)?;
    if !matches!(found.identity, b'a' | b'd') {
        return Err(not_identity(desc, &found.name));
    }
    let (kinds, others): (Vec<DefElem>, Vec<DefElem>) =
        options.iter().cloned().partition(|o| o.name == "generated");
    if let Some(kind) = kinds.first() {
        let always = match &kind.arg {
            Some(ast::DefArg::Integer(letter)) => *letter == i32::from(b'a'),
            Some(arg) => crate::options::arg_text(arg).starts_with(['a', 'A']),
            None => true,
        };
        mark(desc, &found.name, if always { b'a' } else { b'd' }, cx)?;
    }
    if others.is_empty() {
        return Ok(());
    }
    crate::sequence::alter(cx, found.identity_sequence, &others, true)
}

/// DROP IDENTITY.
pub(crate) fn drop(
    desc: &RelationDesc,
    name: &Ident,
    missing_ok: bool,
    reach: Reach,
    cx: &CommandContext<'_>,
) -> PgResult<()> {
    check_reach(desc, reach, "drop identity from a column")?;
    let found = column(desc, name)?;
    if !matches!(found.identity, b'a' | b'd') {
        let error = not_identity(desc, &found.name);
        if !missing_ok {
            return Err(error);
        }
        cx.skipping(error.sqlstate, &error.message);
        return Ok(());
    }
    let sequence = found.identity_sequence;
    mark(desc, &found.name, 0, cx)?;
    cx.ddl(|ddl| {
        ddl.set_sequence_owner(sequence, None)?;
        let object = catalog::ddl::ObjectAddress::new(catalog::oids::PG_CLASS, sequence);
        ddl.drop_objects(&[object], catalog::ddl::drop::DropBehavior::Restrict)?;
        Ok(())
    })
}
