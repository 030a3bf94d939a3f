//! Operators: rows of `pg_operator`, and the links between commutators and negators.
//!
//! PG: src/backend/catalog/pg_operator.c.
//!
//! # How it works
//! An operator may name a commutator or negator that is not there yet: a *shell*, a row without a function, is made for it, and filled in
//! when the operator is defined. Links go both ways, and a pair that is linked stays so.

use common::{Oid, PgResult, internal, pg_err};
use types::{Datum, oids as t};

use crate::columns::pg_operator::*;
use crate::ddl::depend::DependencyType;
use crate::ddl::{Ddl, ObjectAddress, oid};
use crate::desc::OperatorDesc;
use crate::oids;
use crate::privileges::{ObjectKind, must_be_owner};
use crate::view::CatalogView;

/// An operator to make.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct NewOperator {
    pub name: String,
    pub namespace: Oid,
    /// Invalid: a prefix operator.
    pub left: Oid,
    pub right: Oid,
    pub result: Oid,
    pub function: Oid,
    pub restrict: Oid,
    pub join: Oid,
    pub can_merge: bool,
    pub can_hash: bool,
    /// Schema and name.
    pub commutator: Option<(Oid, String)>,
    pub negator: Option<(Oid, String)>,
}

/// Which of the two links.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OperatorLink {
    /// `a op b` is `b com a`.
    Commutator,
    /// `a op b` is `NOT (a neg b)`.
    Negator,
}

impl OperatorLink {
    fn column(self) -> usize {
        match self {
            OperatorLink::Commutator => OPRCOM,
            OperatorLink::Negator => OPRNEGATE,
        }
    }

    fn word(self) -> &'static str {
        match self {
            OperatorLink::Commutator => "commutator",
            OperatorLink::Negator => "negator",
        }
    }
}

/// What an operator claims about itself; not every operator may.
#[derive(Clone, Copy, Debug, Default)]
#[allow(missing_docs)]
pub struct OperatorClaims {
    pub commutator: bool,
    pub negator: bool,
    pub restrict: bool,
    pub join: bool,
    pub merges: bool,
    pub hashes: bool,
}

impl OperatorClaims {
    /// Only binary operators have some of the properties, only boolean ones others.
    pub fn check(self, left: Oid, right: Oid, result: Oid) -> PgResult<()> {
        let binary = [
            (self.commutator, "have commutators"),
            (self.join, "have join selectivity"),
            (self.merges, "merge join"),
            (self.hashes, "hash"),
        ];
        let boolean = [
            (self.negator, "have negators"),
            (self.restrict, "have restriction selectivity"),
            (self.join, "have join selectivity"),
            (self.merges, "merge join"),
            (self.hashes, "hash"),
        ];
        let refuse = |claims: &[(bool, &str)], who: &str| match claims.iter().find(|c| c.0) {
            Some((_, what)) => Err(pg_err!(
                INVALID_FUNCTION_DEFINITION,
                "only {who} operators can {what}"
            )),
            None => Ok(()),
        };
        if !left.is_valid() || !right.is_valid() {
            refuse(&binary, "binary")?;
        }
        if result != t::BOOL {
            refuse(&boolean, "boolean")?;
        }
        Ok(())
    }
}

/// An operator by what makes it unique.
struct Key<'n> {
    namespace: Oid,
    name: &'n str,
    left: Oid,
    right: Oid,
}

impl Ddl<'_> {
    /// CREATE OPERATOR; fills in a shell of that name.
    pub fn create_operator(&mut self, new: &NewOperator) -> PgResult<Oid> {
        let claims = OperatorClaims {
            commutator: new.commutator.is_some(),
            negator: new.negator.is_some(),
            restrict: new.restrict.is_valid(),
            join: new.join.is_valid(),
            merges: new.can_merge,
            hashes: new.can_hash,
        };
        claims.check(new.left, new.right, new.result)?;
        let key = Key {
            namespace: new.namespace,
            name: &new.name,
            left: new.left,
            right: new.right,
        };
        let existing = self.operator_by_key(&key)?;
        if existing.as_ref().is_some_and(|o| o.function.is_valid()) {
            return Err(pg_err!(
                DUPLICATE_FUNCTION,
                "operator {} already exists",
                new.name
            ));
        }
        if let Some(shell) = &existing {
            self.check_operator_owner(shell.oid, &new.name)?;
        }
        let commutator = self.other_operator(&key, &new.commutator, OperatorLink::Commutator)?;
        let negator = self.other_operator(&key, &new.negator, OperatorLink::Negator)?;
        let made = match &existing {
            Some(shell) => shell.oid,
            None => self.store.new_oid()?,
        };
        let linked = |other: Option<Oid>| other.map_or(Oid::INVALID, |o| if o.is_valid() { o } else { made });
        let (commutator, negator) = (linked(commutator), linked(negator));
        let mut row = operator_row(made, new, self.user);
        row[OPRCOM] = oid(commutator);
        row[OPRNEGATE] = oid(negator);
        match existing {
            Some(shell) => {
                let stored = self.get(oids::PG_OPERATOR_OID_INDEX, shell.oid)?;
                row[OPROWNER] = stored.values[OPROWNER].clone();
                self.store.update(oids::PG_OPERATOR, stored.row, row)?;
            }
            None => self.store.insert(oids::PG_OPERATOR, row)?,
        }
        self.record_operator_dependencies(made)?;
        self.link_operators(made, OperatorLink::Commutator, commutator)?;
        self.link_operators(made, OperatorLink::Negator, negator)?;
        Ok(made)
    }

    /// The commutator or negator to link with, made as a shell when it is not there; an invalid OID is the operator itself.
    fn other_operator(
        &mut self,
        of: &Key<'_>,
        other: &Option<(Oid, String)>,
        link: OperatorLink,
    ) -> PgResult<Option<Oid>> {
        let Some((namespace, name)) = other else {
            return Ok(None);
        };
        let (left, right) = match link {
            OperatorLink::Commutator => (of.right, of.left),
            OperatorLink::Negator => (of.left, of.right),
        };
        let same = *namespace == of.namespace && name == of.name && left == of.left && right == of.right;
        if same {
            return match link {
                OperatorLink::Commutator => Ok(Some(Oid::INVALID)),
                OperatorLink::Negator => Err(own_negator()),
            };
        }
        let key = Key {
            namespace: *namespace,
            name,
            left,
            right,
        };
        if let Some(found) = self.operator_by_key(&key)? {
            self.check_operator_owner(found.oid, name)?;
            return Ok(Some(found.oid));
        }
        self.create_shell_operator(&key).map(Some)
    }

    fn create_shell_operator(&mut self, key: &Key<'_>) -> PgResult<Oid> {
        let made = self.store.new_oid()?;
        let shell = NewOperator {
            name: key.name.to_owned(),
            namespace: key.namespace,
            left: key.left,
            right: key.right,
            result: Oid::INVALID,
            function: Oid::INVALID,
            restrict: Oid::INVALID,
            join: Oid::INVALID,
            can_merge: false,
            can_hash: false,
            commutator: None,
            negator: None,
        };
        let row = operator_row(made, &shell, self.user);
        self.store.insert(oids::PG_OPERATOR, row)?;
        self.record_operator_dependencies(made)?;
        Ok(made)
    }

    /// `must be owner of operator +`.
    pub fn check_operator_owner(&self, operator: Oid, name: &str) -> PgResult<()> {
        let owner = match self.find(oids::PG_OPERATOR_OID_INDEX, operator)? {
            Some(row) => row.oid(OPROWNER),
            None => oids::BOOTSTRAP_SUPERUSER,
        };
        if self.view().roles()?.owns(self.user, owner) {
            return Ok(());
        }
        Err(must_be_owner(ObjectKind::Operator, name))
    }

    fn operator_by_key(&self, key: &Key<'_>) -> PgResult<Option<std::sync::Arc<OperatorDesc>>> {
        let view = self.view();
        let Some(schema) = view.namespace_name(key.namespace)? else {
            return Ok(None);
        };
        let kind = if key.left.is_valid() { b'b' } else { b'l' };
        let all = view.operators_by_name(Some(&schema), key.name)?;
        Ok(all
            .into_iter()
            .find(|o| o.kind == kind && o.left == key.left && o.right == key.right))
    }

    /// Records what a row of `pg_operator` needs, afresh.
    pub fn record_operator_dependencies(&mut self, operator: Oid) -> PgResult<()> {
        let row = self.get(oids::PG_OPERATOR_OID_INDEX, operator)?;
        let object = ObjectAddress::new(oids::PG_OPERATOR, operator);
        self.delete_dependencies(object, None)?;
        let mut needed = vec![
            (oids::PG_NAMESPACE, row.oid(OPRNAMESPACE)),
            (oids::PG_TYPE, row.oid(OPRLEFT)),
            (oids::PG_TYPE, row.oid(OPRRIGHT)),
            (oids::PG_TYPE, row.oid(OPRRESULT)),
            (oids::PG_PROC, row.oid(OPRCODE)),
            (oids::PG_PROC, row.oid(OPRREST)),
            (oids::PG_PROC, row.oid(OPRJOIN)),
        ];
        needed.retain(|(_, referenced)| referenced.is_valid());
        needed.sort_unstable();
        needed.dedup();
        for (class, referenced) in needed {
            self.record_dependency(
                object,
                ObjectAddress::new(class, referenced),
                DependencyType::Normal,
            )?;
        }
        Ok(())
    }

    /// Makes `other` name `operator` as its commutator or negator.
    pub fn link_operators(&mut self, operator: Oid, link: OperatorLink, other: Oid) -> PgResult<()> {
        if !other.is_valid() || other == operator {
            return Ok(());
        }
        let Some(desc) = self.view().operator(other)? else {
            return Err(internal!("cache lookup failed for operator {other}"));
        };
        let linked = match link {
            OperatorLink::Commutator => desc.commutator,
            OperatorLink::Negator => desc.negator,
        };
        if linked == operator {
            return Ok(());
        }
        if linked.is_valid() {
            let word = link.word();
            let that = match self.view().operator(linked)? {
                Some(o) => o.name.to_string(),
                None => linked.to_string(),
            };
            return Err(pg_err!(
                INVALID_FUNCTION_DEFINITION,
                "{word} operator {} is already the {word} of operator {that}",
                desc.name
            ));
        }
        self.alter_operator(other, &[(link.column(), oid(operator))])
    }

    /// Changes columns of an operator's row.
    pub fn alter_operator(&mut self, operator: Oid, changes: &[(usize, Datum)]) -> PgResult<()> {
        let row = self.get(oids::PG_OPERATOR_OID_INDEX, operator)?;
        self.set(oids::PG_OPERATOR, row, changes)
    }

    /// The commutator or negator that ALTER OPERATOR names, made as a shell when it is not there.
    pub fn operator_to_link(
        &mut self,
        of: &OperatorDesc,
        other: (Oid, String),
        link: OperatorLink,
    ) -> PgResult<Oid> {
        let key = Key {
            namespace: of.namespace,
            name: &of.name,
            left: of.left,
            right: of.right,
        };
        let found = self.other_operator(&key, &Some(other), link)?;
        Ok(found.filter(|o| o.is_valid()).unwrap_or(of.oid))
    }

    /// Takes a dropped operator out of the links of others.
    pub(crate) fn unlink_operator(&mut self, operator: Oid) -> PgResult<()> {
        let Some(row) = self.find(oids::PG_OPERATOR_OID_INDEX, operator)? else {
            return Ok(());
        };
        for link in [OperatorLink::Commutator, OperatorLink::Negator] {
            let other = row.oid(link.column());
            if other == operator || !other.is_valid() {
                continue;
            }
            if let Some(found) = self.find(oids::PG_OPERATOR_OID_INDEX, other)?
                && found.oid(link.column()) == operator
            {
                self.set(oids::PG_OPERATOR, found, &[(link.column(), oid(Oid::INVALID))])?;
            }
        }
        Ok(())
    }

    /// The name must be free for these operands in a schema.
    pub fn check_operator_free(&self, namespace: Oid, of: &OperatorDesc) -> PgResult<()> {
        let key = Key {
            namespace,
            name: &of.name,
            left: of.left,
            right: of.right,
        };
        if self.operator_by_key(&key)?.is_none() {
            return Ok(());
        }
        let schema = self.view().namespace_name(namespace)?.unwrap_or_default();
        Err(pg_err!(
            DUPLICATE_OBJECT,
            "operator {} already exists in schema \"{schema}\"",
            of.name
        ))
    }
}

/// PostgreSQL's error for an operator that names itself.
pub fn own_negator() -> Box<common::PgError> {
    pg_err!(INVALID_FUNCTION_DEFINITION, "operator cannot be its own negator")
}

fn operator_row(made: Oid, new: &NewOperator, owner: Oid) -> Vec<Datum> {
    let mut row = vec![Datum::Null; COUNT];
    row[OID] = oid(made);
    row[OPRNAME] = Datum::text(new.name.as_str());
    row[OPRNAMESPACE] = oid(new.namespace);
    row[OPROWNER] = oid(owner);
    row[OPRKIND] = Datum::Char(if new.left.is_valid() { b'b' } else { b'l' });
    row[OPRCANMERGE] = Datum::Bool(new.can_merge);
    row[OPRCANHASH] = Datum::Bool(new.can_hash);
    row[OPRLEFT] = oid(new.left);
    row[OPRRIGHT] = oid(new.right);
    row[OPRRESULT] = oid(new.result);
    row[OPRCOM] = oid(Oid::INVALID);
    row[OPRNEGATE] = oid(Oid::INVALID);
    row[OPRCODE] = oid(new.function);
    row[OPRREST] = oid(new.restrict);
    row[OPRJOIN] = oid(new.join);
    row
}
