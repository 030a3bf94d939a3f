//! Column definitions of CREATE TABLE and ALTER TABLE ADD COLUMN: types, serial, defaults, NOT NULL, identity, generation.
//!
//! PG: src/backend/parser/parse_utilcmd.c (`transformColumnDefinition`).

use std::sync::Arc;

use catalog::CatalogView;
use catalog::ddl::relation::NewColumn;
use catalog::ddl::sequence::SequenceParameters;
use catalog::desc::{ColumnDesc, RelationDesc};
use catalog::virtual_columns::VIRTUAL;
use common::error::ErrorExt;
use common::{Oid, PgError, PgResult, Span, pg_err, unsupported};
use nodes::Expr;
use nodes::expr::{Const, FuncExpr};
use parser::ast::{self, ColumnDef, ConstrType, Constraint, GeneratedWhen};
use types::settings::TypeRef;
use types::{Datum, oids as t};

use crate::column_storage;
use crate::context::CommandContext;
use crate::not_null::NotNullSpec;

/// `nextval(regclass)`.
const NEXTVAL: Oid = Oid(1574);

/// A column with everything that was said about it.
pub(crate) struct ColumnSpec {
    pub new: NewColumn,
    /// A sequence to make for it.
    pub sequence: Option<SequenceSpecOf>,
    /// NOT NULL as a constraint of its own: its name, if given, and NO INHERIT.
    pub not_null: Option<NotNullSpec>,
    pub raw_default: Option<ast::Expr>,
    pub raw_generated: Option<ast::Expr>,
    /// CHECK, PRIMARY KEY, UNIQUE, REFERENCES of the column.
    pub constraints: Vec<Constraint>,
}

/// The sequence of a serial or identity column.
pub(crate) struct SequenceSpecOf {
    pub params: SequenceParameters,
    pub identity: bool,
    pub name: Option<Vec<ast::Ident>>,
}

/// The type behind serial words.
fn serial_type(name: &ast::TypeName) -> PgResult<Option<Oid>> {
    let [word] = name.names.as_slice() else {
        return Ok(None);
    };
    if name.pct_type {
        return Ok(None);
    }
    let found = match word.as_str() {
        "smallserial" | "serial2" => t::INT2,
        "serial" | "serial4" => t::INT4,
        "bigserial" | "serial8" => t::INT8,
        _ => return Ok(None),
    };
    if !name.array_bounds.is_empty() {
        return Err(pg_err!(FEATURE_NOT_SUPPORTED, "array of serial is not implemented").at(name.span));
    }
    Ok(Some(found))
}

/// Reads a column definition.
pub(crate) fn column_spec(def: &ColumnDef, table: &str, cx: &CommandContext<'_>) -> PgResult<ColumnSpec> {
    let Some(type_name) = &def.type_name else {
        return Err(unsupported!("typed tables are not supported yet").at(def.span));
    };
    if type_name.setof {
        return Err(pg_err!(
            INVALID_TABLE_DEFINITION,
            "column \"{}\" cannot be declared SETOF",
            def.name.as_str()
        )
        .at(type_name.span));
    }
    let view = cx.view()?;
    let serial = serial_type(type_name)?;
    let (type_ref, collation) = match serial {
        Some(type_oid) => (TypeRef::plain(type_oid), Oid::INVALID),
        None => {
            let analysis = cx.analysis(&*view);
            let found = analyzer::utility::resolve_column_type(type_name, def.collation.as_ref(), &analysis)?;
            cx.take_notices(analysis);
            found
        }
    };
    let dims = i16::try_from(type_name.array_bounds.len()).unwrap_or(i16::MAX);
    typed_column(def, table, (type_ref, collation, dims), serial, cx)
}

/// A column definition whose type is known: by its name, or from the parent of a partition.
pub(crate) fn typed_column(
    def: &ColumnDef,
    table: &str,
    (type_ref, collation, dims): (TypeRef, Oid, i16),
    serial: Option<Oid>,
    cx: &CommandContext<'_>,
) -> PgResult<ColumnSpec> {
    let view = cx.view()?;
    let mut new = NewColumn::new(def.name.as_str(), type_ref);
    new.collation = collation;
    new.dims = dims;
    new.storage = column_storage::storage_letter(def, &*view, type_ref)?;
    new.compression = column_storage::compression_letter(def.compression.as_ref(), &*view, type_ref)?;
    if !def.fdwoptions.is_empty() {
        return Err(unsupported!("column options of foreign tables are not supported yet").at(def.span));
    }
    let mut spec = ColumnSpec {
        new,
        sequence: None,
        not_null: None,
        raw_default: None,
        raw_generated: None,
        constraints: Vec::new(),
    };
    if let Some(type_oid) = serial {
        let params = crate::sequence::read_options(&[], type_oid, None, false, cx)?.params;
        spec.sequence = Some(SequenceSpecOf {
            params,
            identity: false,
            name: None,
        });
        spec.not_null = Some(NotNullSpec::own(None, false));
    }
    column_constraints(def, table, cx, &mut spec)?;
    if spec.new.generated == VIRTUAL {
        crate::generated::check_virtual_type(&spec.new.name, type_ref.oid, &*view)?;
    }
    spec.new.not_null = spec.not_null.is_some();
    Ok(spec)
}

/// Which contradictions were met so far.
#[derive(Default)]
struct Seen {
    nullable: bool,
    not_null: bool,
    default: bool,
    identity: bool,
    generated: bool,
}

fn column_constraints(
    def: &ColumnDef,
    table: &str,
    cx: &CommandContext<'_>,
    spec: &mut ColumnSpec,
) -> PgResult<()> {
    let column = def.name.as_str();
    let mut seen = Seen {
        default: spec.sequence.is_some(),
        ..Seen::default()
    };
    let mut given = Attributes::default();
    let mut last: Option<usize> = None;
    // What serial, identity and primary key make of a column concerns its children, too.
    let mut inheritable = false;
    for constraint in &def.constraints {
        let conflict = || {
            pg_err!(
                SYNTAX_ERROR,
                "conflicting NULL/NOT NULL declarations for column \"{column}\" of table \"{table}\""
            )
            .at(constraint.span)
        };
        match constraint.contype {
            ConstrType::Null => {
                if seen.not_null || spec.not_null.is_some() {
                    return Err(conflict());
                }
                seen.nullable = true;
            }
            ConstrType::NotNull => {
                if seen.nullable {
                    return Err(conflict());
                }
                seen.not_null = true;
                let name = constraint.conname.as_ref().map(|n| n.as_str().to_owned());
                merge_not_null(spec, name, constraint.is_no_inherit, column)?;
            }
            ConstrType::Default => column_default(constraint, column, table, &mut seen, spec)?,
            ConstrType::Identity => identity(constraint, column, table, &mut seen, spec, cx)?,
            ConstrType::Generated => generated(constraint, column, table, &mut seen, spec)?,
            ConstrType::Check | ConstrType::Primary | ConstrType::Unique | ConstrType::Foreign => {
                inheritable |= constraint.contype == ConstrType::Primary;
                spec.constraints.push(constraint.clone());
                last = Some(spec.constraints.len() - 1);
                given = Attributes::default();
                continue;
            }
            ConstrType::Exclusion => {
                return Err(common::internal!("column exclusion constraints do not exist"));
            }
            attribute => {
                let target = last.and_then(|at| spec.constraints.get_mut(at));
                given.apply(attribute, constraint.span, target)?;
                continue;
            }
        }
        last = None;
        check_combination(&seen, column, table, constraint.span)?;
    }
    if inheritable && spec.not_null.as_ref().is_some_and(|n| n.no_inherit) {
        return Err(conflicting_no_inherit(column));
    }
    Ok(())
}

fn conflicting_no_inherit(column: &str) -> Box<PgError> {
    pg_err!(
        SYNTAX_ERROR,
        "conflicting NO INHERIT declarations for not-null constraints on column \"{column}\""
    )
}

fn merge_not_null(
    spec: &mut ColumnSpec,
    name: Option<String>,
    no_inherit: bool,
    column: &str,
) -> PgResult<()> {
    match &mut spec.not_null {
        None => spec.not_null = Some(NotNullSpec::own(name, no_inherit)),
        Some(before) => {
            if let (Some(a), Some(b)) = (&before.name, &name)
                && a != b
            {
                return Err(pg_err!(
                    INVALID_TABLE_DEFINITION,
                    "conflicting not-null constraint names \"{a}\" and \"{b}\""
                ));
            }
            if before.no_inherit != no_inherit {
                return Err(conflicting_no_inherit(column));
            }
            if before.name.is_none() {
                before.name = name;
            }
        }
    }
    Ok(())
}

fn column_default(
    constraint: &Constraint,
    column: &str,
    table: &str,
    seen: &mut Seen,
    spec: &mut ColumnSpec,
) -> PgResult<()> {
    if seen.default {
        let e = pg_err!(
            SYNTAX_ERROR,
            "multiple default values specified for column \"{column}\" of table \"{table}\""
        );
        return Err(e.at(constraint.span));
    }
    seen.default = true;
    spec.raw_default.clone_from(&constraint.raw_expr);
    Ok(())
}

fn identity(
    constraint: &Constraint,
    column: &str,
    table: &str,
    seen: &mut Seen,
    spec: &mut ColumnSpec,
    cx: &CommandContext<'_>,
) -> PgResult<()> {
    if seen.identity {
        let e = pg_err!(
            SYNTAX_ERROR,
            "multiple identity specifications for column \"{column}\" of table \"{table}\""
        );
        return Err(e.at(constraint.span));
    }
    seen.identity = true;
    let type_oid = spec.new.type_ref.oid;
    if !matches!(type_oid, t::INT2 | t::INT4 | t::INT8) {
        return Err(pg_err!(
            INVALID_PARAMETER_VALUE,
            "identity column type must be smallint, integer, or bigint"
        ));
    }
    let read = crate::sequence::read_options(&constraint.options, type_oid, None, true, cx)?;
    if !seen.default {
        let named = constraint.options.iter().find(|o| o.name == "sequence_name");
        let name = match named.and_then(|o| o.arg.as_ref()) {
            Some(ast::DefArg::Names(names)) => Some(names.clone()),
            _ => None,
        };
        spec.sequence = Some(SequenceSpecOf {
            params: read.params,
            identity: true,
            name,
        });
    }
    spec.new.identity = match constraint.generated_when {
        GeneratedWhen::Always => b'a',
        GeneratedWhen::ByDefault => b'd',
    };
    if seen.nullable {
        return Err(pg_err!(
            SYNTAX_ERROR,
            "conflicting NULL/NOT NULL declarations for column \"{column}\" of table \"{table}\""
        )
        .at(constraint.span));
    }
    if spec.not_null.is_none() {
        spec.not_null = Some(NotNullSpec::own(None, false));
    }
    Ok(())
}

fn generated(
    constraint: &Constraint,
    column: &str,
    table: &str,
    seen: &mut Seen,
    spec: &mut ColumnSpec,
) -> PgResult<()> {
    if seen.generated {
        let e = pg_err!(
            SYNTAX_ERROR,
            "multiple generation clauses specified for column \"{column}\" of table \"{table}\""
        );
        return Err(e.at(constraint.span));
    }
    seen.generated = true;
    spec.new.generated = if constraint.generated_virtual {
        VIRTUAL
    } else {
        b's'
    };
    spec.raw_generated.clone_from(&constraint.raw_expr);
    Ok(())
}

fn check_combination(seen: &Seen, column: &str, table: &str, span: Span) -> PgResult<()> {
    let pair = match (seen.default, seen.identity, seen.generated) {
        (true, true, _) => "default and identity",
        (true, _, true) => "default and generation expression",
        (_, true, true) => "identity and generation expression",
        _ => return Ok(()),
    };
    Err(pg_err!(
        SYNTAX_ERROR,
        "both {pair} specified for column \"{column}\" of table \"{table}\""
    )
    .at(span))
}

/// What attributes (DEFERRABLE and relatives) a constraint of a column has got so far.
#[derive(Default)]
struct Attributes {
    deferrability: bool,
    initially: bool,
    enforcement: bool,
}

/// A clause that may stand once behind a constraint of the right kind.
fn once(seen: &mut bool, placed: bool, word: &str, family: &str, span: Span) -> PgResult<()> {
    if !placed {
        return Err(pg_err!(SYNTAX_ERROR, "misplaced {word} clause").at(span));
    }
    if std::mem::replace(seen, true) {
        return Err(pg_err!(SYNTAX_ERROR, "multiple {family} clauses not allowed").at(span));
    }
    Ok(())
}

impl Attributes {
    /// An attribute changes the constraint before it.
    fn apply(&mut self, attribute: ConstrType, span: Span, target: Option<&mut Constraint>) -> PgResult<()> {
        let kind = target.as_ref().map(|c| c.contype);
        let enforceable = matches!(kind, Some(ConstrType::Check | ConstrType::Foreign));
        let deferrable = kind.is_some() && kind != Some(ConstrType::Check);
        let (seen, placed, word, family) = match attribute {
            ConstrType::AttrEnforced => (&mut self.enforcement, enforceable, "ENFORCED", ENFORCEMENT),
            ConstrType::AttrNotEnforced => (&mut self.enforcement, enforceable, "NOT ENFORCED", ENFORCEMENT),
            ConstrType::AttrDeferrable => (&mut self.deferrability, deferrable, "DEFERRABLE", DEFERRABILITY),
            ConstrType::AttrNotDeferrable => (
                &mut self.deferrability,
                deferrable,
                "NOT DEFERRABLE",
                DEFERRABILITY,
            ),
            ConstrType::AttrDeferred => (&mut self.initially, deferrable, "INITIALLY DEFERRED", INITIALLY),
            _ => (&mut self.initially, deferrable, "INITIALLY IMMEDIATE", INITIALLY),
        };
        once(seen, placed, word, family, span)?;
        let Some(target) = target else { return Ok(()) };
        match attribute {
            ConstrType::AttrDeferrable => target.deferrable = true,
            ConstrType::AttrNotDeferrable => target.deferrable = false,
            ConstrType::AttrDeferred => {
                target.initdeferred = true;
                target.deferrable |= !self.deferrability;
            }
            ConstrType::AttrImmediate => target.initdeferred = false,
            ConstrType::AttrEnforced => target.is_enforced = true,
            _ => {
                target.is_enforced = false;
                target.skip_validation = true;
                target.initially_valid = false;
            }
        }
        if target.initdeferred && !target.deferrable {
            return Err(not_deferrable(span));
        }
        Ok(())
    }
}

const ENFORCEMENT: &str = "ENFORCED/NOT ENFORCED";
const DEFERRABILITY: &str = "DEFERRABLE/NOT DEFERRABLE";
const INITIALLY: &str = "INITIALLY IMMEDIATE/DEFERRED";

fn not_deferrable(span: Span) -> Box<common::PgError> {
    pg_err!(
        SYNTAX_ERROR,
        "constraint declared INITIALLY DEFERRED must be DEFERRABLE"
    )
    .at(span)
}

/// `nextval('sequence'::regclass)`, cast to the column's type as PostgreSQL does.
pub(crate) fn nextval_expr(sequence: Oid) -> Expr {
    let name = Expr::Const(Const {
        value: Datum::Oid(sequence.0),
        type_ref: TypeRef::plain(t::REGCLASS),
        collation: Oid::INVALID,
        span: Span::NONE,
    });
    Expr::Func(FuncExpr::plain(NEXTVAL, vec![name], t::INT8, Span::NONE))
}

/// A descriptor of a table that is still being made, for analyzing its own expressions.
pub(crate) fn provisional(
    name: &str,
    namespace: Oid,
    namespace_name: Arc<str>,
    columns: &[NewColumn],
    view: &dyn CatalogView,
) -> PgResult<RelationDesc> {
    let mut described = Vec::new();
    for (column, attno) in columns.iter().zip(1i16..) {
        described.push(column_desc(column, attno, view)?);
    }
    Ok(RelationDesc {
        oid: Oid::INVALID,
        name: name.into(),
        namespace,
        namespace_name,
        owner: Oid::INVALID,
        relkind: b'r',
        persistence: b'p',
        row_type: Oid::INVALID,
        storage: common::RelationId::default(),
        columns: described,
        indexes: Vec::new(),
        constraints: Vec::new(),
        has_rules: false,
        has_triggers: false,
        trigger_states: Vec::new(),
        row_security: false,
        force_row_security: false,
        is_partition: false,
        has_subclass: false,
        reltuples: -1.0,
        relpages: 0,
        acl: None,
        options: Vec::new(),
        index: None,
        populated: true,
        referenced_by: Vec::new(),
        foreign_key_parts: Vec::new(),
        inheritance: catalog::desc::Inheritance::default(),
        view_definition: None,
    })
}

/// A column as descriptors have it.
pub(crate) fn column_desc(column: &NewColumn, attno: i16, view: &dyn CatalogView) -> PgResult<ColumnDesc> {
    Ok(ColumnDesc {
        attno,
        name: column.name.as_str().into(),
        type_ref: column.type_ref,
        phys: crate::eval::phys_of(view, column.type_ref.oid)?,
        collation: column.collation,
        not_null: column.not_null,
        dropped: false,
        default: None,
        identity: column.identity,
        generated: column.generated,
        identity_sequence: Oid::INVALID,
        missing: None,
        storage: column.storage.unwrap_or(b'p'),
        compression: column.compression,
        stats_target: -1,
        is_local: true,
        inherited_count: 0,
        acl: None,
    })
}
