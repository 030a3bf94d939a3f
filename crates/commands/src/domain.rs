//! CREATE DOMAIN and ALTER DOMAIN.
//!
//! PG: src/backend/commands/typecmds.c (`DefineDomain`, `AlterDomain...`).

use std::sync::Arc;

use catalog::CatalogView;
use catalog::columns::{pg_class, pg_constraint, pg_depend, pg_type};
use catalog::ddl::constraint::{NameParts, NewConstraint};
use catalog::ddl::types::NewDomain;
use catalog::ddl::{Ddl, ObjectAddress};
use catalog::deparse::{Deparse, expression};
use catalog::desc::{ConstraintDesc, RelationDesc, TypeDesc};
use catalog::oids;
use catalog::store::key_oid;
use common::error::ErrorExt;
use common::{Oid, PgError, PgResult, Span, pg_err, sqlstate};
use nodes::Expr;
use nodes::expr::{ReturningKind, Var, VarSource};
use parser::ast::{
    self, AlterDomainAction, AlterDomainStmt, ConstrType, Constraint, CreateDomainStmt, Ident,
};
use types::Datum;
use types::io::IoContext;
use types::settings::{FormatSettings, TypeRef};

use crate::alter_type::{Wanted, owned_type, stored_columns};
use crate::context::{CommandContext, CommandOutcome};
use crate::create_type::creation_place;
use crate::drop::behavior;
use crate::eval::RowExpr;
use crate::index_build::for_each_row;

/// A domain being changed: who it is, and what it restricts.
struct Target {
    oid: Oid,
    name: String,
    namespace: Oid,
    base: TypeRef,
    collation: Oid,
}

impl Target {
    fn of(desc: &TypeDesc) -> Target {
        Target {
            oid: desc.oid,
            name: desc.name.to_string(),
            namespace: desc.namespace,
            base: TypeRef {
                oid: desc.base_type,
                typmod: desc.typmod,
            },
            collation: desc.collation,
        }
    }
}

/// CREATE DOMAIN.
pub(crate) fn create_domain(
    stmt: &CreateDomainStmt,
    cx: &mut CommandContext<'_>,
) -> PgResult<CommandOutcome> {
    let (namespace, name) = creation_place(&stmt.domainname, cx)?;
    let view = cx.view()?;
    let analysis = cx.analysis(&*view);
    let (base, collation) =
        analyzer::utility::resolve_column_type(&stmt.type_name, stmt.collation.as_ref(), &analysis).map_err(
            |e| {
                let about_type = e.sqlstate == sqlstate::DATATYPE_MISMATCH;
                if about_type {
                    crate::alter_type::without_position(e).at(stmt.type_name.span)
                } else {
                    e
                }
            },
        )?;
    cx.take_notices(analysis);
    check_base(base, &stmt.type_name, &*view)?;
    let mut new = NewDomain {
        name,
        namespace,
        base,
        collation,
        not_null: false,
        default: None,
    };
    let mut seen = Seen::default();
    for constraint in &stmt.constraints {
        seen.check(constraint)?;
        if constraint.contype == ConstrType::Default
            && let Some(raw) = &constraint.raw_expr
        {
            new.default = default_of(raw, &new.name, base, &*view, cx)?;
        }
    }
    new.not_null = seen.not_null;
    drop(view);
    let oid = cx.ddl(|ddl| ddl.create_domain(&new))?;
    let target = Target {
        oid,
        name: new.name,
        namespace,
        base,
        collation,
    };
    for constraint in &stmt.constraints {
        match constraint.contype {
            ConstrType::Check => {
                let made = check_constraint(&target, constraint, cx)?;
                cx.ddl(|ddl| ddl.add_constraint(&made))?;
            }
            ConstrType::NotNull => {
                let made = not_null_constraint(&target, constraint, cx)?;
                cx.ddl(|ddl| ddl.add_constraint(&made))?;
            }
            _ => {}
        }
    }
    Ok(CommandOutcome::tag("CREATE DOMAIN"))
}

fn check_base(base: TypeRef, written: &ast::TypeName, view: &dyn CatalogView) -> PgResult<()> {
    let kind = view.type_desc(base.oid)?.map_or(b'p', |d| d.kind);
    if kind != b'p' {
        return Ok(());
    }
    let shown: Vec<&str> = written.names.iter().map(Ident::as_str).collect();
    Err(pg_err!(
        DATATYPE_MISMATCH,
        "\"{}\" is not a valid base type for a domain",
        shown.join(".")
    )
    .at(written.span))
}

/// Which contradictions were met so far in CREATE DOMAIN.
#[derive(Default)]
struct Seen {
    default: bool,
    null: bool,
    not_null: bool,
}

impl Seen {
    fn check(&mut self, c: &Constraint) -> PgResult<()> {
        check_kind(c)?;
        let fail = |message: &str| Err(pg_err!(SYNTAX_ERROR, "{message}").at(c.span));
        match c.contype {
            ConstrType::Default if std::mem::replace(&mut self.default, true) => {
                fail("multiple default expressions")
            }
            ConstrType::NotNull if self.null => fail("conflicting NULL/NOT NULL constraints"),
            ConstrType::NotNull if std::mem::replace(&mut self.not_null, true) => Err(pg_err!(
                INVALID_OBJECT_DEFINITION,
                "redundant NOT NULL constraint definition"
            )
            .at(c.span)),
            ConstrType::Null if self.not_null => fail("conflicting NULL/NOT NULL constraints"),
            ConstrType::Null => {
                self.null = true;
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

/// Kinds of constraints that domains cannot have.
fn check_kind(c: &Constraint) -> PgResult<()> {
    let message = match c.contype {
        ConstrType::Primary => "primary key constraints not possible for domains",
        ConstrType::Unique => "unique constraints not possible for domains",
        ConstrType::Exclusion => "exclusion constraints not possible for domains",
        ConstrType::Foreign => "foreign key constraints not possible for domains",
        ConstrType::Identity | ConstrType::Generated => {
            return Err(pg_err!(
                FEATURE_NOT_SUPPORTED,
                "specifying GENERATED not supported for domains"
            )
            .at(c.span));
        }
        ConstrType::AttrDeferrable
        | ConstrType::AttrNotDeferrable
        | ConstrType::AttrDeferred
        | ConstrType::AttrImmediate => {
            return Err(pg_err!(
                FEATURE_NOT_SUPPORTED,
                "specifying constraint deferrability not supported for domains"
            )
            .at(c.span));
        }
        ConstrType::AttrEnforced | ConstrType::AttrNotEnforced => {
            return Err(pg_err!(
                FEATURE_NOT_SUPPORTED,
                "specifying constraint enforceability not supported for domains"
            )
            .at(c.span));
        }
        ConstrType::Check if c.is_no_inherit => {
            return Err(pg_err!(
                INVALID_OBJECT_DEFINITION,
                "check constraints for domains cannot be marked NO INHERIT"
            )
            .at(c.span));
        }
        ConstrType::NotNull if c.is_no_inherit => {
            return Err(pg_err!(
                INVALID_OBJECT_DEFINITION,
                "not-null constraints for domains cannot be marked NO INHERIT"
            )
            .at(c.span));
        }
        _ => return Ok(()),
    };
    let code = match c.contype {
        ConstrType::Primary | ConstrType::Unique | ConstrType::Exclusion => sqlstate::SYNTAX_ERROR,
        _ => sqlstate::SYNTAX_ERROR,
    };
    Err(PgError::new(code, message)).map_err(|e| e.at(c.span))
}

/// The default as stored and as text; `None` for DEFAULT NULL.
fn default_of(
    raw: &ast::Expr,
    domain: &str,
    base: TypeRef,
    view: &dyn CatalogView,
    cx: &CommandContext<'_>,
) -> PgResult<Option<(Expr, String)>> {
    let analysis = cx.analysis(view);
    let expr = analyzer::utility::analyze_default(raw, domain, base, &analysis)?;
    cx.take_notices(analysis);
    if matches!(&expr, Expr::Const(c) if c.value.is_null()) {
        return Ok(None);
    }
    let settings = FormatSettings::default();
    let context = Deparse {
        view,
        relation: None,
        io: IoContext {
            settings: &settings,
            resolver: Some(cx.session.resolver()),
            cancel: common::cancel::CancelToken::never(),
        },
    };
    let text = expression(&context, &expr)?;
    Ok(Some((expr, text)))
}

/// The name given, or one that no constraint of the domain has.
fn constraint_name(target: &Target, given: Option<&Ident>, label: &str, ddl: &Ddl<'_>) -> PgResult<String> {
    if let Some(name) = given {
        ddl.check_domain_constraint_name_free(target.oid, name.as_str())?;
        return Ok(name.as_str().to_owned());
    }
    let parts = NameParts {
        first: &target.name,
        second: None,
        label,
        is_relation: false,
    };
    let key = [key_oid(target.oid)];
    let taken = ddl.store.lookup(oids::PG_CONSTRAINT_CONTYPID_INDEX, &key)?;
    let is_taken = |name: &str| taken.iter().any(|row| &*row.text(pg_constraint::CONNAME) == name);
    let name = (0..).map(|pass| parts.name(pass)).find(|name| !is_taken(name));
    name.ok_or_else(|| common::internal!("no name for a constraint"))
}

fn check_constraint(target: &Target, c: &Constraint, cx: &CommandContext<'_>) -> PgResult<NewConstraint> {
    let Some(raw) = &c.raw_expr else {
        return Err(common::internal!("CHECK constraint without a condition"));
    };
    let view = cx.view()?;
    let analysis = cx.analysis(&*view);
    let expr = analyzer::utility::analyze_domain_check(raw, target.base, target.collation, &analysis)?;
    cx.take_notices(analysis);
    let name = cx.ddl(|ddl| constraint_name(target, c.conname.as_ref(), "check", ddl))?;
    let mut new = NewConstraint::new(b'c', name, target.namespace, Oid::INVALID, Vec::new());
    new.domain = target.oid;
    new.validated = c.initially_valid;
    new.check = Some(expr);
    Ok(new)
}

fn not_null_constraint(target: &Target, c: &Constraint, cx: &CommandContext<'_>) -> PgResult<NewConstraint> {
    let name = cx.ddl(|ddl| constraint_name(target, c.conname.as_ref(), "not_null", ddl))?;
    let mut new = NewConstraint::new(b'n', name, target.namespace, Oid::INVALID, Vec::new());
    new.domain = target.oid;
    Ok(new)
}

/// ALTER DOMAIN.
pub(crate) fn alter_domain(stmt: &AlterDomainStmt, cx: &mut CommandContext<'_>) -> PgResult<CommandOutcome> {
    let desc = owned_type(&stmt.type_name, Wanted::Domain, cx)?;
    let target = Target::of(&desc);
    match &stmt.action {
        AlterDomainAction::Default(default) => set_default(&target, default.as_ref(), cx)?,
        AlterDomainAction::SetNotNull => {
            let implied = Constraint::new(ConstrType::NotNull, Span::NONE);
            add_not_null(&desc, &target, &implied, cx)?;
        }
        AlterDomainAction::DropNotNull => drop_not_null(&desc, cx)?,
        AlterDomainAction::AddConstraint(c) => add_constraint(&desc, &target, c, cx)?,
        AlterDomainAction::DropConstraint {
            name,
            missing_ok,
            behavior: how,
        } => {
            let Some(found) = find_constraint(&target, name.as_str(), cx)? else {
                missing_constraint(&target, name.as_str(), *missing_ok, cx)?;
                return Ok(CommandOutcome::tag("ALTER DOMAIN"));
            };
            let object = ObjectAddress::new(oids::PG_CONSTRAINT, found.oid);
            cx.ddl(|ddl| ddl.drop_objects(&[object], behavior(*how)))?;
        }
        AlterDomainAction::ValidateConstraint(name) => validate(&target, name.as_str(), cx)?,
    }
    Ok(CommandOutcome::tag("ALTER DOMAIN"))
}

fn set_default(target: &Target, raw: Option<&ast::Expr>, cx: &CommandContext<'_>) -> PgResult<()> {
    let view = cx.view()?;
    let default = match raw {
        Some(raw) => default_of(raw, &target.name, target.base, &*view, cx)?,
        None => None,
    };
    drop(view);
    let default = default.as_ref().map(|(expr, text)| (expr, text.as_str()));
    cx.ddl(|ddl| ddl.set_domain_default(target.oid, default))
}

fn constraints_of(target: &Target, cx: &CommandContext<'_>) -> PgResult<Vec<ConstraintDesc>> {
    cx.view()?.domain_constraints(target.oid)
}

fn find_constraint(target: &Target, name: &str, cx: &CommandContext<'_>) -> PgResult<Option<ConstraintDesc>> {
    Ok(constraints_of(target, cx)?.into_iter().find(|c| &*c.name == name))
}

fn missing_constraint(
    target: &Target,
    name: &str,
    missing_ok: bool,
    cx: &CommandContext<'_>,
) -> PgResult<()> {
    let message = format!(
        "constraint \"{name}\" of domain \"{}\" does not exist",
        target.name
    );
    cx.skip(missing_ok, sqlstate::UNDEFINED_OBJECT, message)
}

/// ALTER DOMAIN ... RENAME CONSTRAINT.
pub(crate) fn rename_constraint(
    names: &[Ident],
    old: &str,
    new: &str,
    cx: &CommandContext<'_>,
) -> PgResult<()> {
    let desc = owned_type(names, Wanted::Domain, cx)?;
    let target = Target::of(&desc);
    let Some(found) = find_constraint(&target, old, cx)? else {
        return Err(pg_err!(
            UNDEFINED_OBJECT,
            "constraint \"{old}\" for domain {} does not exist",
            target.name
        ));
    };
    cx.ddl(|ddl| ddl.rename_domain_constraint(target.oid, found.oid, new))
}

/// The constraint behind `constraint ON DOMAIN domain`.
pub(crate) fn named_constraint(desc: &TypeDesc, name: &str, cx: &CommandContext<'_>) -> PgResult<Oid> {
    match find_constraint(&Target::of(desc), name, cx)? {
        Some(found) => Ok(found.oid),
        None => Err(pg_err!(
            UNDEFINED_OBJECT,
            "constraint \"{name}\" for domain {} does not exist",
            desc.name
        )),
    }
}

fn add_constraint(desc: &TypeDesc, target: &Target, c: &Constraint, cx: &CommandContext<'_>) -> PgResult<()> {
    check_kind(c).map_err(crate::alter_type::without_position)?;
    match c.contype {
        ConstrType::Check => {
            let made = check_constraint(target, c, cx)?;
            if !c.skip_validation
                && let Some(check) = &made.check
            {
                validate_check(target, check, cx)?;
            }
            cx.ddl(|ddl| ddl.add_constraint(&made))?;
            Ok(())
        }
        ConstrType::NotNull => add_not_null(desc, target, c, cx),
        _ => Err(common::internal!("unrecognized constraint of a domain")),
    }
}

fn add_not_null(desc: &TypeDesc, target: &Target, c: &Constraint, cx: &CommandContext<'_>) -> PgResult<()> {
    if desc.not_null {
        return Ok(());
    }
    let made = not_null_constraint(target, c, cx)?;
    for (rel, attno) in domain_columns(target, cx)? {
        let at = usize::try_from(attno - 1).unwrap_or_default();
        let opened = cx.relations.table(&rel)?;
        let name = rel.column(attno).map_or_else(|| "???".into(), |c| c.name.clone());
        for_each_row(&opened, rel.columns.len(), cx, &mut |row, _| {
            if row.get(at).is_none_or(Datum::is_null) {
                return Err(pg_err!(
                    NOT_NULL_VIOLATION,
                    "column \"{name}\" of table \"{}\" contains null values",
                    rel.name
                )
                .table(&*rel.namespace_name, &*rel.name)
                .column(&*name));
            }
            Ok(())
        })?;
    }
    cx.ddl(|ddl| {
        ddl.add_constraint(&made)?;
        ddl.alter_type(target.oid, &[(pg_type::TYPNOTNULL, Datum::Bool(true))])
    })
}

fn drop_not_null(desc: &TypeDesc, cx: &CommandContext<'_>) -> PgResult<()> {
    if !desc.not_null {
        return Ok(());
    }
    let found = constraints_of(&Target::of(desc), cx)?
        .into_iter()
        .find(|c| c.kind == b'n');
    cx.ddl(|ddl| {
        if let Some(found) = &found {
            let object = ObjectAddress::new(oids::PG_CONSTRAINT, found.oid);
            ddl.drop_objects(&[object], catalog::ddl::drop::DropBehavior::Restrict)?;
        }
        ddl.alter_type(desc.oid, &[(pg_type::TYPNOTNULL, Datum::Bool(false))])
    })
}

fn validate(target: &Target, name: &str, cx: &CommandContext<'_>) -> PgResult<()> {
    let Some(found) = find_constraint(target, name, cx)? else {
        return missing_constraint(target, name, false, cx);
    };
    let Some(check) = &found.check else {
        return Err(pg_err!(
            WRONG_OBJECT_TYPE,
            "constraint \"{name}\" of domain \"{}\" is not a check constraint",
            target.name
        ));
    };
    validate_check(target, check, cx)?;
    cx.ddl(|ddl| ddl.alter_constraint(found.oid, &[(pg_constraint::CONVALIDATED, Datum::Bool(true))]))
}

/// All values of the domain in tables must satisfy the condition.
fn validate_check(target: &Target, check: &Expr, cx: &CommandContext<'_>) -> PgResult<()> {
    for (rel, attno) in domain_columns(target, cx)? {
        let Some(column) = rel.column(attno) else { continue };
        let mut expr = check.clone();
        nodes::walk::rewrite(&mut expr, &mut |e| {
            if let Expr::CoerceToDomainValue(_) = e {
                *e = Expr::Var(Var {
                    source: VarSource::Rel {
                        index: 1,
                        levels_up: 0,
                    },
                    attno,
                    type_ref: target.base,
                    collation: target.collation,
                    nulling_rels: nodes::RelIds::default(),
                    returning: ReturningKind::Default,
                    span: Span::NONE,
                });
            }
        });
        let view = cx.view()?;
        let mut program = RowExpr::compile(&expr, &*view)?;
        drop(view);
        let opened = cx.relations.table(&rel)?;
        for_each_row(&opened, rel.columns.len(), cx, &mut |row, _| {
            if program.test(cx, row)? != Some(false) {
                return Ok(());
            }
            Err(pg_err!(
                CHECK_VIOLATION,
                "column \"{}\" of table \"{}\" contains values that violate the new constraint",
                column.name,
                rel.name
            )
            .table(&*rel.namespace_name, &*rel.name)
            .column(&*column.name))
        })?;
    }
    Ok(())
}

/// Columns of tables whose type is the domain, or a domain over it. Values hidden deeper make the change impossible.
fn domain_columns(target: &Target, cx: &CommandContext<'_>) -> PgResult<Vec<(Arc<RelationDesc>, i16)>> {
    let mut found = Vec::new();
    let mut hidden = None;
    cx.ddl(|ddl| {
        let mut pending = vec![target.oid];
        while let Some(next) = pending.pop() {
            let key = [key_oid(oids::PG_TYPE), key_oid(next)];
            for row in ddl.store.lookup(oids::PG_DEPEND_REFERENCE_INDEX, &key)? {
                let (object, sub) = (row.oid(pg_depend::OBJID), row.int4(pg_depend::OBJSUBID));
                match row.oid(pg_depend::CLASSID) {
                    oids::PG_TYPE => {
                        let is_domain = ddl
                            .store
                            .lookup(oids::PG_TYPE_OID_INDEX, &[key_oid(object)])?
                            .first()
                            .is_some_and(|t| t.char(pg_type::TYPTYPE) == b'd');
                        if is_domain {
                            pending.push(object);
                        } else {
                            hidden = hidden.or(stored_columns(ddl, object)?.first().copied());
                        }
                    }
                    oids::PG_CLASS if sub != 0 => {
                        let class = ddl.store.lookup(oids::PG_CLASS_OID_INDEX, &[key_oid(object)])?;
                        let Some(class) = class.first() else { continue };
                        match class.char(pg_class::RELKIND) {
                            b'r' | b'm' => found.push((object, sub as i16)),
                            b'c' => {
                                let inner = stored_columns(ddl, class.oid(pg_class::RELTYPE))?;
                                hidden = hidden.or(inner.first().copied());
                            }
                            _ => {}
                        }
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    })?;
    if let Some((relation, attno)) = hidden {
        let rel = cx.relation(relation)?;
        let column = rel.column(attno).map_or_else(|| "???".into(), |c| c.name.clone());
        return Err(pg_err!(
            FEATURE_NOT_SUPPORTED,
            "cannot alter type \"{}\" because column \"{}.{column}\" uses it",
            target.name,
            rel.name
        ));
    }
    found.sort_unstable();
    found.dedup();
    let described = found
        .into_iter()
        .map(|(relation, attno)| Ok((cx.relation(relation)?, attno)));
    described.collect()
}
