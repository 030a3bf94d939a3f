//! CREATE SEQUENCE, ALTER SEQUENCE, and the sequences behind serial and identity columns.
//!
//! PG: src/backend/commands/sequence.c.

use catalog::columns::pg_depend;
use catalog::ddl::Ddl;
use catalog::ddl::constraint::NameParts;
use catalog::ddl::sequence::{SequenceOwner, SequenceParameters, parameters};
use catalog::oids;
use catalog::store::key_oid;
use common::error::ErrorExt;
use common::{Oid, PgError, PgResult, RelationId, pg_err, sqlstate};
use parser::ast::{AlterSeqStmt, CreateSeqStmt, DefArg, DefElem};
use txn::LockMode;
use types::oids as t;

use crate::context::{CommandContext, CommandOutcome, SessionAction};
use crate::lookup::wrong_kind;
use crate::options;

/// How a sequence starts or goes on: its parameters and what to do with its value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SequenceSpec {
    pub params: SequenceParameters,
    /// (last value, is called) to set; `None` leaves it.
    pub value: Option<(i64, bool)>,
    /// OWNED BY: `Some(None)` is NONE; names as written otherwise.
    pub owned_by: Option<Option<Vec<parser::ast::Ident>>>,
}

/// The owning column of a sequence: (table, attno, is identity).
pub(crate) fn owner_of(ddl: &Ddl<'_>, sequence: Oid) -> PgResult<Option<(Oid, i16, bool)>> {
    use pg_depend::*;
    let key = [key_oid(oids::PG_CLASS), key_oid(sequence)];
    let rows = ddl.store.lookup(oids::PG_DEPEND_DEPENDER_INDEX, &key)?;
    let owning = rows.iter().find(|row| {
        matches!(row.char(DEPTYPE), b'a' | b'i')
            && row.oid(REFCLASSID) == oids::PG_CLASS
            && row.int4(REFOBJSUBID) != 0
    });
    Ok(owning.map(|row| {
        let attno = i16::try_from(row.int4(REFOBJSUBID)).unwrap_or_default();
        (row.oid(REFOBJID), attno, row.char(DEPTYPE) == b'i')
    }))
}

fn type_limits(type_oid: Oid) -> (i64, i64) {
    match type_oid {
        t::INT2 => (i64::from(i16::MIN), i64::from(i16::MAX)),
        t::INT4 => (i64::from(i32::MIN), i64::from(i32::MAX)),
        _ => (i64::MIN, i64::MAX),
    }
}

/// Reads the options of CREATE or ALTER SEQUENCE, or of an identity column. `old`: the parameters of an existing one and its value.
pub(crate) fn read_options(
    list: &[DefElem],
    default_type: Oid,
    old: Option<(SequenceParameters, (i64, bool))>,
    for_identity: bool,
    cx: &CommandContext<'_>,
) -> PgResult<SequenceSpec> {
    let mut seen: Vec<&str> = Vec::new();
    let mut find = Options::default();
    for option in list {
        let name = option.name.as_str();
        if seen.contains(&name) {
            return Err(options::conflicting(option));
        }
        seen.push(name);
        match name {
            "as" => {
                if for_identity {
                    return Err(pg_err!(
                        SYNTAX_ERROR,
                        "identity column type must be smallint, integer, or bigint"
                    )
                    .at(option.span));
                }
                find.as_type = Some(option);
            }
            "increment" => find.increment = Some(options::int8(option)?),
            "start" => find.start = Some(options::int8(option)?),
            "restart" => {
                find.restart = Some(match &option.arg {
                    None => None,
                    Some(_) => Some(options::int8(option)?),
                })
            }
            "maxvalue" => find.max = Some(optional_int8(option)?),
            "minvalue" => find.min = Some(optional_int8(option)?),
            "cache" => find.cache = Some(options::int8(option)?),
            "cycle" => find.cycle = Some(options::boolean(option)?),
            "owned_by" => find.owned_by = Some(owned_by(option)),
            // Handled by whoever makes the identity column.
            "sequence_name" | "logged" | "unlogged" => {}
            other => return Err(common::internal!("option \"{other}\" not recognized")),
        }
    }
    find.resolve(default_type, old, cx)
}

fn optional_int8(option: &DefElem) -> PgResult<Option<i64>> {
    match &option.arg {
        None => Ok(None),
        Some(_) => options::int8(option).map(Some),
    }
}

fn owned_by(option: &DefElem) -> Option<Vec<parser::ast::Ident>> {
    match &option.arg {
        Some(DefArg::Names(names)) if names.len() == 1 && names[0].as_str() == "none" => None,
        Some(DefArg::Names(names)) => Some(names.clone()),
        _ => None,
    }
}

#[derive(Default)]
struct Options<'a> {
    as_type: Option<&'a DefElem>,
    increment: Option<i64>,
    start: Option<i64>,
    restart: Option<Option<i64>>,
    max: Option<Option<i64>>,
    min: Option<Option<i64>>,
    cache: Option<i64>,
    cycle: Option<bool>,
    owned_by: Option<Option<Vec<parser::ast::Ident>>>,
}

fn invalid(message: String) -> Box<PgError> {
    PgError::new(sqlstate::INVALID_PARAMETER_VALUE, message)
}

impl Options<'_> {
    fn resolve(
        self,
        default_type: Oid,
        old: Option<(SequenceParameters, (i64, bool))>,
        cx: &CommandContext<'_>,
    ) -> PgResult<SequenceSpec> {
        let (type_oid, reset_max, reset_min) = self.type_of(default_type, &old, cx)?;
        let (low, high) = type_limits(type_oid);
        let before = old.map(|(p, _)| p);
        let increment = self.increment.or(before.map(|p| p.increment)).unwrap_or(1);
        if increment == 0 {
            return Err(invalid("INCREMENT must not be zero".into()));
        }
        let default_max = if increment > 0 { high } else { -1 };
        let default_min = if increment > 0 { 1 } else { low };
        let max = match (self.max, before) {
            (Some(Some(max)), _) => max,
            (None, Some(p)) if !reset_max => p.max,
            _ => default_max,
        };
        let min = match (self.min, before) {
            (Some(Some(min)), _) => min,
            (None, Some(p)) if !reset_min => p.min,
            _ => default_min,
        };
        let word = type_word(type_oid);
        if max < low || max > high {
            return Err(invalid(format!(
                "MAXVALUE ({max}) is out of range for sequence data type {word}"
            )));
        }
        if min < low || min > high {
            return Err(invalid(format!(
                "MINVALUE ({min}) is out of range for sequence data type {word}"
            )));
        }
        if min >= max {
            return Err(invalid(format!(
                "MINVALUE ({min}) must be less than MAXVALUE ({max})"
            )));
        }
        let default_start = if increment > 0 { min } else { max };
        let start = self.start.or(before.map(|p| p.start)).unwrap_or(default_start);
        if start < min {
            return Err(invalid(format!(
                "START value ({start}) cannot be less than MINVALUE ({min})"
            )));
        }
        if start > max {
            return Err(invalid(format!(
                "START value ({start}) cannot be greater than MAXVALUE ({max})"
            )));
        }
        let value = self.value(start, min, max, old)?;
        let cache = self.cache.or(before.map(|p| p.cache)).unwrap_or(1);
        if cache <= 0 {
            return Err(invalid(format!("CACHE ({cache}) must be greater than zero")));
        }
        let params = SequenceParameters {
            type_oid,
            start,
            increment,
            max,
            min,
            cache,
            cycle: self.cycle.or(before.map(|p| p.cycle)).unwrap_or(false),
        };
        Ok(SequenceSpec {
            params,
            value,
            owned_by: self.owned_by,
        })
    }

    /// The type, and whether limits that came from the old type follow it.
    fn type_of(
        &self,
        default_type: Oid,
        old: &Option<(SequenceParameters, (i64, bool))>,
        cx: &CommandContext<'_>,
    ) -> PgResult<(Oid, bool, bool)> {
        let Some(option) = self.as_type else {
            return Ok((old.map_or(default_type, |(p, _)| p.type_oid), false, false));
        };
        let Some(DefArg::TypeName(name)) = &option.arg else {
            return Err(common::internal!("AS without a type"));
        };
        let view = cx.view()?;
        let type_oid = analyzer::utility::resolve_type_name(name, &cx.analysis(&*view))?.oid;
        if !matches!(type_oid, t::INT2 | t::INT4 | t::INT8) {
            return Err(invalid(
                "sequence type must be smallint, integer, or bigint".into(),
            ));
        }
        let Some((p, _)) = old else {
            return Ok((type_oid, false, false));
        };
        let (low, high) = type_limits(p.type_oid);
        Ok((
            type_oid,
            p.max == high && p.increment > 0 || p.max == -1 && p.increment < 0,
            p.min == low && p.increment < 0 || p.min == 1 && p.increment > 0,
        ))
    }

    fn value(
        &self,
        start: i64,
        min: i64,
        max: i64,
        old: Option<(SequenceParameters, (i64, bool))>,
    ) -> PgResult<Option<(i64, bool)>> {
        let (last, change) = match (self.restart, old) {
            (Some(to), _) => (to.unwrap_or(start), Some((to.unwrap_or(start), false))),
            (None, None) => (start, Some((start, false))),
            (None, Some((_, (last, _)))) => (last, None),
        };
        if last < min {
            return Err(invalid(format!(
                "RESTART value ({last}) cannot be less than MINVALUE ({min})"
            )));
        }
        if last > max {
            return Err(invalid(format!(
                "RESTART value ({last}) cannot be greater than MAXVALUE ({max})"
            )));
        }
        Ok(change)
    }
}

fn type_word(type_oid: Oid) -> &'static str {
    match type_oid {
        t::INT2 => "smallint",
        t::INT4 => "integer",
        _ => "bigint",
    }
}

fn access_persistence(letter: u8) -> access::Persistence {
    match letter {
        b'u' => access::Persistence::Unlogged,
        b't' => access::Persistence::Temporary,
        _ => access::Persistence::Permanent,
    }
}

/// What a sequence says: its value, and whether that has been given out.
pub(crate) fn value(cx: &CommandContext<'_>, desc: &catalog::desc::RelationDesc) -> PgResult<(i64, bool)> {
    let storage = cx.relations.storage();
    let state = storage
        .sequence(desc.storage, access_persistence(desc.persistence))?
        .state();
    Ok((state.last_value, state.is_called))
}

/// Sets the state of a sequence's storage.
pub(crate) fn set_value(
    cx: &CommandContext<'_>,
    storage: RelationId,
    persistence: u8,
    value: (i64, bool),
) -> PgResult<()> {
    let sequence = cx
        .relations
        .storage()
        .sequence(storage, access_persistence(persistence))?;
    sequence.set(&mut cx.txn.borrow_mut(), value.0, value.1)
}

/// Makes a sequence in the catalog and gives it its first value.
pub(crate) fn make(
    cx: &CommandContext<'_>,
    name: &str,
    namespace: Oid,
    persistence: u8,
    params: &SequenceParameters,
) -> PgResult<Oid> {
    let made = cx.ddl(|ddl| ddl.create_sequence(name, namespace, persistence, params))?;
    set_value(cx, made.storage, persistence, (params.start, false))?;
    Ok(made.oid)
}

/// A free name for the sequence of a column: `t_a_seq`.
pub(crate) fn choose_name(
    cx: &CommandContext<'_>,
    table: &str,
    column: &str,
    namespace: Oid,
) -> PgResult<String> {
    let parts = NameParts {
        first: table,
        second: Some(column),
        label: "seq",
        is_relation: true,
    };
    cx.ddl(|ddl| ddl.choose_constraint_name(parts, Oid::INVALID, namespace))
}

/// CREATE SEQUENCE.
pub(crate) fn create_sequence(stmt: &CreateSeqStmt, cx: &mut CommandContext<'_>) -> PgResult<CommandOutcome> {
    let (namespace, persistence) = cx.creation_namespace(&stmt.sequence)?;
    let name = stmt.sequence.relation.as_str();
    if crate::create_table::exists_already(cx, namespace, name, stmt.if_not_exists)? {
        return Ok(CommandOutcome::tag("CREATE SEQUENCE"));
    }
    let spec = read_options(&stmt.options, t::INT8, None, false, cx)?;
    let sequence = make(cx, name, namespace, persistence, &spec.params)?;
    if let Some(owner) = &spec.owned_by {
        set_owner(cx, sequence, owner.as_deref())?;
    }
    Ok(CommandOutcome::tag("CREATE SEQUENCE"))
}

fn set_owner(cx: &CommandContext<'_>, sequence: Oid, owner: Option<&[parser::ast::Ident]>) -> PgResult<()> {
    let Some(names) = owner else {
        return cx.ddl(|ddl| ddl.set_sequence_owner(sequence, None));
    };
    let Some((column, table)) = names.split_last().filter(|(_, table)| !table.is_empty()) else {
        return Err(pg_err!(SYNTAX_ERROR, "invalid OWNED BY option")
            .hint("Specify OWNED BY table.column or OWNED BY NONE."));
    };
    let rel = crate::lookup::range_var(table)?;
    let table = cx.open_relation(&rel, LockMode::AccessShare)?;
    if !matches!(table.relkind, b'r' | b'f' | b'v' | b'p') {
        return Err(pg_err!(
            WRONG_OBJECT_TYPE,
            "sequence cannot be owned by relation \"{}\"",
            table.name
        )
        .detail(crate::lookup::relkind_detail(table.relkind)));
    }
    let own = cx.relation(sequence)?;
    if own.owner != table.owner {
        return Err(pg_err!(
            OBJECT_NOT_IN_PREREQUISITE_STATE,
            "sequence must have same owner as table it is linked to"
        ));
    }
    if own.namespace != table.namespace {
        return Err(pg_err!(
            OBJECT_NOT_IN_PREREQUISITE_STATE,
            "sequence must be in same schema as table it is linked to"
        ));
    }
    let Some(found) = table.column_by_name(column.as_str()) else {
        return Err(pg_err!(
            UNDEFINED_COLUMN,
            "column \"{}\" of relation \"{}\" does not exist",
            column.as_str(),
            table.name
        ));
    };
    let owner = SequenceOwner::Column(table.oid, found.attno);
    cx.ddl(|ddl| ddl.set_sequence_owner(sequence, Some(owner)))
}

/// The parameters of a sequence.
pub(crate) fn params_of(cx: &CommandContext<'_>, sequence: Oid) -> PgResult<SequenceParameters> {
    cx.ddl(|ddl| {
        let found = parameters(&*ddl.store, sequence)?;
        found.ok_or_else(|| common::internal!("cache lookup failed for sequence {sequence}"))
    })
}

/// ALTER SEQUENCE.
pub(crate) fn alter_sequence(stmt: &AlterSeqStmt, cx: &mut CommandContext<'_>) -> PgResult<CommandOutcome> {
    let Some(desc) = cx.open_relation_if_exists(&stmt.sequence, LockMode::ShareRowExclusive)? else {
        crate::lookup::missing_relation(&stmt.sequence, stmt.missing_ok, cx)?;
        return Ok(CommandOutcome::tag("ALTER SEQUENCE"));
    };
    if desc.relkind != b'S' {
        return Err(wrong_kind(&desc, parser::ast::ObjectType::Sequence));
    }
    cx.check_owner(&desc)?;
    alter(cx, desc.oid, &stmt.options, false)?;
    Ok(CommandOutcome::tag("ALTER SEQUENCE"))
}

/// Changes an existing sequence by options.
pub(crate) fn alter(
    cx: &mut CommandContext<'_>,
    sequence: Oid,
    list: &[DefElem],
    for_identity: bool,
) -> PgResult<()> {
    let desc = cx.relation(sequence)?;
    let old = params_of(cx, sequence)?;
    let now = value(cx, &desc)?;
    let spec = read_options(list, old.type_oid, Some((old, now)), for_identity, cx)?;
    cx.ddl(|ddl| ddl.set_sequence_parameters(sequence, &spec.params))?;
    if let Some(value) = spec.value {
        // New storage, so that a rollback brings the old value back.
        let storage = cx.ddl(|ddl| ddl.replace_storage(sequence))?;
        set_value(cx, storage, desc.persistence, value)?;
    }
    if let Some(owner) = &spec.owned_by {
        set_owner(cx, sequence, owner.as_deref())?;
    }
    cx.actions.push(SessionAction::SequenceAltered(sequence));
    Ok(())
}

/// Back to the start value (TRUNCATE ... RESTART IDENTITY).
pub(crate) fn restart(cx: &mut CommandContext<'_>, sequence: Oid) -> PgResult<()> {
    let desc = cx.relation(sequence)?;
    let params = params_of(cx, sequence)?;
    let storage = cx.ddl(|ddl| ddl.replace_storage(sequence))?;
    set_value(cx, storage, desc.persistence, (params.start, false))?;
    cx.actions.push(SessionAction::SequenceAltered(sequence));
    Ok(())
}

/// True when a name is free for IF NOT EXISTS to matter.
pub(crate) fn name_exists(cx: &CommandContext<'_>, namespace: Oid, name: &str) -> PgResult<bool> {
    let view = cx.view()?;
    let schema = view.namespace_name(namespace)?;
    Ok(view.relation_by_name(schema.as_deref(), name)?.is_some())
}
