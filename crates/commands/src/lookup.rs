//! Finding, locking and checking the relations and roles that statements name.
//!
//! PG: src/backend/catalog/namespace.c (`RangeVarGetRelidExtended`, `RangeVarGetCreationNamespace`).

use std::sync::Arc;

use analyzer::{AnalyzeContext, ParamTypes};
use catalog::CatalogView;
use catalog::desc::RelationDesc;
use catalog::oids;
use catalog::privileges::{Guarded, ObjectKind, Privilege};
use common::error::ErrorExt;
use common::{Oid, PgResult, pg_err};
use parser::ast::{Ident, ObjectType, Persistence, RangeVar, RoleSpec, RoleSpecType};
use txn::{LockDuration, LockMode, LockTag};

use crate::context::CommandContext;

/// A name made of one to three parts, as a relation.
pub(crate) fn range_var(names: &[Ident]) -> PgResult<RangeVar> {
    let (catalog, schema, relation) = match names {
        [relation] => (None, None, relation),
        [schema, relation] => (None, Some(schema), relation),
        [catalog, schema, relation] => (Some(catalog), Some(schema), relation),
        _ => {
            let whole: Vec<&str> = names.iter().map(Ident::as_str).collect();
            return Err(pg_err!(
                SYNTAX_ERROR,
                "improper qualified name (too many dotted names): {}",
                whole.join(".")
            ));
        }
    };
    let start = names.first().map_or(relation.span, |n| n.span);
    Ok(RangeVar {
        catalog: catalog.cloned(),
        schema: schema.cloned(),
        relation: relation.clone(),
        inh: true,
        persistence: Persistence::Permanent,
        alias: None,
        span: start.to(relation.span),
    })
}

/// `schema.relation` as written, for messages.
pub(crate) fn display(rel: &RangeVar) -> String {
    match (&rel.catalog, &rel.schema) {
        (Some(c), Some(s)) => format!("{}.{}.{}", c.as_str(), s.as_str(), rel.relation.as_str()),
        (None, Some(s)) => format!("{}.{}", s.as_str(), rel.relation.as_str()),
        _ => rel.relation.as_str().to_owned(),
    }
}

/// `relation "x" does not exist`.
pub(crate) fn undefined_relation(rel: &RangeVar) -> Box<common::PgError> {
    pg_err!(UNDEFINED_TABLE, "relation \"{}\" does not exist", display(rel))
}

/// The error for a relation that is not there, or with IF EXISTS the NOTICE.
pub(crate) fn missing_relation(rel: &RangeVar, missing_ok: bool, cx: &CommandContext<'_>) -> PgResult<()> {
    let error = undefined_relation(rel);
    if !missing_ok {
        return Err(error);
    }
    cx.skipping(error.sqlstate, &error.message);
    Ok(())
}

impl CommandContext<'_> {
    /// What analysis of expressions and queries needs, without parameters.
    pub(crate) fn analysis<'c>(&'c self, view: &'c dyn CatalogView) -> AnalyzeContext<'c> {
        AnalyzeContext::new(view, &self.settings).with_database(self.database_name.clone())
    }

    /// The same, for a query that may use the statement's parameters.
    pub(crate) fn analysis_with_params<'c>(&'c self, view: &'c dyn CatalogView) -> AnalyzeContext<'c> {
        let analysis = self.analysis(view);
        match &self.routine {
            Some(routine) => analysis.with_routine(routine.clone()),
            None => analysis.with_params(ParamTypes::Fixed(self.param_types.to_vec())),
        }
    }

    /// Passes notices of analysis on.
    pub(crate) fn take_notices(&self, analysis: AnalyzeContext<'_>) {
        self.tell(analysis.notices.into_inner());
    }

    /// A relation by name, if there is one. An explicit schema that does not exist means there is none.
    pub(crate) fn find_relation(&self, rel: &RangeVar) -> PgResult<Option<Arc<RelationDesc>>> {
        if let Some(catalog) = &rel.catalog
            && catalog.as_str() != &*self.database_name
        {
            return Err(pg_err!(
                FEATURE_NOT_SUPPORTED,
                "cross-database references are not implemented: \"{}\"",
                display(rel)
            ));
        }
        let schema = rel.schema.as_ref().map(Ident::as_str);
        self.view()?.relation_by_name(schema, rel.relation.as_str())
    }

    /// A relation by name, locked, or 42P01.
    pub(crate) fn open_relation(&self, rel: &RangeVar, mode: LockMode) -> PgResult<Arc<RelationDesc>> {
        match self.open_relation_if_exists(rel, mode)? {
            Some(desc) => Ok(desc),
            None => Err(undefined_relation(rel)),
        }
    }

    /// A relation by name, locked, if it exists. Looks again after waiting for the lock, as the name may have another meaning then.
    pub(crate) fn open_relation_if_exists(
        &self,
        rel: &RangeVar,
        mode: LockMode,
    ) -> PgResult<Option<Arc<RelationDesc>>> {
        let Some(mut desc) = self.find_relation(rel)? else {
            return Ok(None);
        };
        loop {
            self.lock_relation(desc.oid, mode)?;
            match self.find_relation(rel)? {
                None => return Ok(None),
                Some(again) if again.oid == desc.oid => return Ok(Some(again)),
                Some(other) => desc = other,
            }
        }
    }

    /// Takes a lock on a relation until the transaction ends.
    pub(crate) fn lock_relation(&self, relation: Oid, mode: LockMode) -> PgResult<()> {
        let txn = self.txn.borrow();
        let (below, tag) = (txn.txn()?, self.lock_tag(relation));
        let wait = txn.options().wait.clone();
        below
            .manager()
            .locks()
            .lock(below.proc(), tag, mode, LockDuration::Transaction, &wait)?;
        Ok(())
    }

    /// The same without waiting; false: somebody else has one that conflicts.
    pub(crate) fn try_lock_relation(&self, relation: Oid, mode: LockMode) -> PgResult<bool> {
        let txn = self.txn.borrow();
        let (below, tag) = (txn.txn()?, self.lock_tag(relation));
        let locks = below.manager().locks();
        let taken = locks.try_lock(below.proc(), tag, mode, LockDuration::Transaction)?;
        Ok(taken.is_some())
    }

    fn lock_tag(&self, relation: Oid) -> LockTag {
        LockTag::Relation {
            database: self.database,
            relation,
        }
    }

    /// The newest descriptor of a relation that must exist.
    pub(crate) fn relation(&self, oid: Oid) -> PgResult<Arc<RelationDesc>> {
        match self.view()?.relation(oid)? {
            Some(desc) => Ok(desc),
            None => Err(common::internal!("could not open relation with OID {oid}")),
        }
    }

    /// `must be owner of table t`, and `permission denied: "pg_class" is a system catalog`.
    pub(crate) fn check_owner(&self, desc: &RelationDesc) -> PgResult<()> {
        let roles = self.roles()?;
        let kind = ObjectKind::of_relkind(desc.relkind);
        if !roles.owns(self.user, desc.owner) {
            return Err(catalog::privileges::must_be_owner(kind, &desc.name));
        }
        self.check_not_system(desc)
    }

    /// System catalogs are not for DDL.
    pub(crate) fn check_not_system(&self, desc: &RelationDesc) -> PgResult<()> {
        if is_system(desc) && !self.guc.borrow().get_bool("allow_system_table_mods") {
            return Err(pg_err!(
                INSUFFICIENT_PRIVILEGE,
                "permission denied: \"{}\" is a system catalog",
                desc.name
            ));
        }
        Ok(())
    }

    /// A privilege on a relation or `permission denied for table t`.
    pub(crate) fn check_relation_privilege(&self, desc: &RelationDesc, privilege: Privilege) -> PgResult<()> {
        let guarded = Guarded {
            kind: ObjectKind::of_relkind(desc.relkind),
            owner: desc.owner,
            acl: desc.acl.as_deref(),
        };
        self.roles()?.check(self.user, guarded, privilege, &desc.name)
    }

    /// CREATE on a schema or `permission denied for schema s`.
    pub(crate) fn check_create_in(&self, namespace: Oid) -> PgResult<()> {
        self.check_may_create_in(self.user, namespace)
    }

    /// The same for another user.
    pub(crate) fn check_may_create_in(&self, user: Oid, namespace: Oid) -> PgResult<()> {
        let roles = self.roles()?;
        if roles.is_superuser(user) || Some(namespace) == self.catalog.temp_namespace() {
            return Ok(());
        }
        let (name, owner, acl) = self.ddl(|ddl| {
            let entry = ddl
                .view()
                .namespaces()?
                .iter()
                .find(|n| n.oid == namespace)
                .cloned();
            entry
                .map(|n| (n.name.clone(), n.owner, n.acl.clone()))
                .ok_or_else(|| common::internal!("cache lookup failed for namespace {namespace}"))
        })?;
        let guarded = Guarded {
            kind: ObjectKind::Schema,
            owner,
            acl: acl.as_deref(),
        };
        roles.check(user, guarded, Privilege::Create, &name)
    }

    /// Where a new relation goes; `persistence` is what was written. Makes the temporary schema when it is needed.
    pub(crate) fn creation_namespace(&self, rel: &RangeVar) -> PgResult<(Oid, u8)> {
        if let Some(catalog) = &rel.catalog
            && catalog.as_str() != &*self.database_name
        {
            return Err(pg_err!(
                FEATURE_NOT_SUPPORTED,
                "cross-database references are not implemented: \"{}\"",
                display(rel)
            ));
        }
        let letter = match rel.persistence {
            Persistence::Permanent => b'p',
            Persistence::Unlogged => b'u',
            Persistence::Temp => b't',
        };
        let namespace = match &rel.schema {
            Some(schema) if schema.as_str() == "pg_temp" => crate::namespace::ensure_temp(self)?,
            Some(schema) => self.namespace(schema)?,
            None if letter == b't' => crate::namespace::ensure_temp(self)?,
            None => self.default_namespace()?,
        };
        let in_temp = Some(namespace) == self.catalog.temp_namespace();
        match (letter, in_temp) {
            (b't', false) => Err(pg_err!(
                INVALID_TABLE_DEFINITION,
                "cannot create temporary relation in non-temporary schema"
            )
            .at(rel.span)),
            (b'u', true) => Err(pg_err!(
                INVALID_TABLE_DEFINITION,
                "only temporary relations may be created in temporary schemas"
            )
            .at(rel.span)),
            (_, true) => Ok((namespace, b't')),
            (letter, false) => {
                self.check_create_in(namespace)?;
                Ok((namespace, letter))
            }
        }
    }

    fn default_namespace(&self) -> PgResult<Oid> {
        let found = self.catalog.creation_namespace(&mut self.txn.borrow_mut())?;
        if let Some(namespace) = found {
            return Ok(namespace);
        }
        let path = self.guc.borrow().get("search_path").to_owned();
        if path.trim_start().starts_with("pg_temp") {
            return crate::namespace::ensure_temp(self);
        }
        Err(pg_err!(
            UNDEFINED_SCHEMA,
            "no schema has been selected to create in"
        ))
    }

    /// A schema by name or 3F000.
    pub(crate) fn namespace(&self, schema: &Ident) -> PgResult<Oid> {
        match self.view()?.namespace_by_name(schema.as_str())? {
            Some(oid) => Ok(oid),
            None => Err(
                pg_err!(UNDEFINED_SCHEMA, "schema \"{}\" does not exist", schema.as_str()).at(schema.span),
            ),
        }
    }

    /// A role as written, or 42704.
    pub(crate) fn role(&self, spec: &RoleSpec) -> PgResult<Oid> {
        match &spec.role {
            RoleSpecType::CurrentRole | RoleSpecType::CurrentUser => Ok(self.user),
            RoleSpecType::SessionUser => Ok(self.session_user),
            RoleSpecType::Public => Err(pg_err!(UNDEFINED_OBJECT, "role \"public\" does not exist")),
            RoleSpecType::CString(name) => match self.roles()?.by_name(name) {
                Some(role) => Ok(role.oid),
                None => Err(pg_err!(UNDEFINED_OBJECT, "role \"{name}\" does not exist")),
            },
        }
    }

    /// A role's name.
    pub(crate) fn role_name(&self, role: Oid) -> PgResult<String> {
        Ok(self
            .roles()?
            .name(role)
            .map_or_else(|| format!("unknown (OID={role})"), |n| n.to_string()))
    }
}

/// The columns that every table has.
pub(crate) fn is_system_column(name: &str) -> bool {
    matches!(name, "ctid" | "tableoid" | "xmin" | "xmax" | "cmin" | "cmax")
}

/// In `pg_catalog` or a TOAST schema and made at the beginning.
pub(crate) fn is_system(desc: &RelationDesc) -> bool {
    desc.oid < Oid::FIRST_NORMAL && desc.namespace == oids::PG_CATALOG_NAMESPACE
}

/// `"t" is not a table` and relatives: the relation is not of the kind that the statement is for.
pub(crate) fn wrong_kind(desc: &RelationDesc, wanted: ObjectType) -> Box<common::PgError> {
    let word = match wanted {
        ObjectType::Index => "an index",
        ObjectType::Sequence => "a sequence",
        ObjectType::View => "a view",
        ObjectType::MatView => "a materialized view",
        ObjectType::ForeignTable => "a foreign table",
        ObjectType::Type => "a composite type",
        _ => "a table",
    };
    pg_err!(WRONG_OBJECT_TYPE, "\"{}\" is not {word}", desc.name)
}

/// PostgreSQL's DETAIL for relations of a kind that an operation does not work on.
pub(crate) fn relkind_detail(relkind: u8) -> &'static str {
    match relkind {
        b'r' => "This operation is not supported for tables.",
        b'i' => "This operation is not supported for indexes.",
        b'S' => "This operation is not supported for sequences.",
        b't' => "This operation is not supported for TOAST tables.",
        b'v' => "This operation is not supported for views.",
        b'm' => "This operation is not supported for materialized views.",
        b'c' => "This operation is not supported for composite types.",
        b'f' => "This operation is not supported for foreign tables.",
        b'p' => "This operation is not supported for partitioned tables.",
        _ => "This operation is not supported for partitioned indexes.",
    }
}
