//! Constraints: `pg_constraint` rows, their names, and what they depend on.

use common::{Oid, PgResult, pg_err};
use nodes::{Expr, serial};
use types::{Datum, oids as t};

use crate::builtin::text;
use crate::columns::{pg_class, pg_constraint};
use crate::ddl::depend::DependencyType;
use crate::ddl::{Ddl, ObjectAddress, oid};
use crate::desc::ForeignKeyDesc;
use crate::oids;
use crate::row::StoredRow;
use crate::store::{key_name, key_oid};

/// A constraint to make.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct NewConstraint {
    pub name: String,
    pub namespace: Oid,
    /// c, n, p, u, f, x, t.
    pub kind: u8,
    /// The table, or invalid for a domain's.
    pub relation: Oid,
    /// The domain, or invalid for a table's.
    pub domain: Oid,
    pub columns: Vec<i16>,
    /// CHECK.
    pub check: Option<Expr>,
    /// Unique, primary, exclusion: its index. Foreign keys: the referenced one.
    pub index: Oid,
    pub foreign: Option<ForeignKeyDesc>,
    /// Exclusion: operators.
    pub exclusion_ops: Vec<Oid>,
    /// WITHOUT OVERLAPS, PERIOD.
    pub period: bool,
    pub deferrable: bool,
    pub deferred: bool,
    pub enforced: bool,
    pub validated: bool,
    pub is_local: bool,
    pub inherited_count: i16,
    pub no_inherit: bool,
    /// The constraint of the partitioned parent; that of the whole referenced table, for a part of a foreign key.
    pub parent: Oid,
    /// What a foreign key is for a partition of the table it refers to: part of `parent`, a constraint of the same table.
    pub is_part: bool,
}

impl NewConstraint {
    /// A constraint of a table with what is usual.
    pub fn new(
        kind: u8,
        name: impl Into<String>,
        namespace: Oid,
        relation: Oid,
        columns: Vec<i16>,
    ) -> NewConstraint {
        NewConstraint {
            name: name.into(),
            namespace,
            kind,
            relation,
            domain: Oid::INVALID,
            columns,
            check: None,
            index: Oid::INVALID,
            foreign: None,
            exclusion_ops: Vec::new(),
            period: false,
            deferrable: false,
            deferred: false,
            enforced: true,
            validated: true,
            is_local: true,
            inherited_count: 0,
            // Unique and primary constraints are not inherited.
            no_inherit: matches!(kind, b'p' | b'u' | b'x' | b'f'),
            parent: Oid::INVALID,
            is_part: false,
        }
    }
}

impl Ddl<'_> {
    /// Constraints of a table.
    pub(crate) fn constraints_of(&self, relation: Oid) -> PgResult<Vec<StoredRow>> {
        self.store.lookup(
            oids::PG_CONSTRAINT_CONRELID_CONTYPID_CONNAME_INDEX,
            &[key_oid(relation)],
        )
    }

    /// The row of a constraint.
    pub fn constraint(&self, constraint: Oid) -> PgResult<Option<StoredRow>> {
        let rows = self
            .store
            .lookup(oids::PG_CONSTRAINT_OID_INDEX, &[key_oid(constraint)])?;
        Ok(rows.into_iter().next())
    }

    /// `constraint "c" for relation "t" already exists`.
    pub fn check_constraint_name_free(&self, relation: Oid, name: &str) -> PgResult<()> {
        let taken = self.constraints_of(relation)?;
        if taken.iter().any(|row| &*row.text(pg_constraint::CONNAME) == name) {
            let relation = self.plain_relation_name(relation)?;
            return Err(pg_err!(
                DUPLICATE_OBJECT,
                "constraint \"{name}\" for relation \"{relation}\" already exists"
            ));
        }
        Ok(())
    }

    /// Makes a constraint; for CHECK also counts it in `pg_class.relchecks`.
    pub fn add_constraint(&mut self, new: &NewConstraint) -> PgResult<Oid> {
        if new.relation.is_valid() {
            self.check_constraint_name_free(new.relation, &new.name)?;
        }
        let constraint = self.store.new_oid()?;
        let row = constraint_row(constraint, new)?;
        self.store.insert(oids::PG_CONSTRAINT, row)?;
        let object = ObjectAddress::new(oids::PG_CONSTRAINT, constraint);
        self.record_constraint_dependencies(object, new)?;
        if new.kind == b'c' && new.relation.is_valid() {
            self.count_checks(new.relation, 1)?;
        }
        if new.kind == b'f' {
            self.sync_triggers(constraint)?;
        }
        Ok(constraint)
    }

    pub(crate) fn count_checks(&mut self, relation: Oid, change: i16) -> PgResult<()> {
        let row = self.get(oids::PG_CLASS_OID_INDEX, relation)?;
        let checks = row.int2(pg_class::RELCHECKS) + change;
        self.set(
            oids::PG_CLASS,
            row,
            &[(pg_class::RELCHECKS, Datum::Int2(checks.max(0)))],
        )
    }

    fn record_constraint_dependencies(&mut self, object: ObjectAddress, new: &NewConstraint) -> PgResult<()> {
        if new.relation.is_valid() {
            if new.columns.is_empty() {
                let table = ObjectAddress::new(oids::PG_CLASS, new.relation);
                self.record_dependency(object, table, DependencyType::Auto)?;
            }
            for attno in &new.columns {
                self.record_dependency(
                    object,
                    ObjectAddress::column(new.relation, *attno),
                    DependencyType::Auto,
                )?;
            }
        }
        if new.domain.is_valid() {
            let domain = ObjectAddress::new(oids::PG_TYPE, new.domain);
            self.record_dependency(object, domain, DependencyType::Auto)?;
        }
        if let Some(foreign) = &new.foreign {
            for attno in &foreign.columns {
                let column = ObjectAddress::column(foreign.table, *attno);
                self.record_dependency(object, column, DependencyType::Normal)?;
            }
            let index = ObjectAddress::new(oids::PG_CLASS, new.index);
            self.record_dependency(object, index, DependencyType::Normal)?;
        }
        if new.is_part {
            let parent = ObjectAddress::new(oids::PG_CONSTRAINT, new.parent);
            self.record_dependency(object, parent, DependencyType::Internal)?;
        } else if new.parent.is_valid() {
            let parent = ObjectAddress::new(oids::PG_CONSTRAINT, new.parent);
            self.record_dependency(object, parent, DependencyType::PartitionPrimary)?;
            let table = ObjectAddress::new(oids::PG_CLASS, new.relation);
            self.record_dependency(object, table, DependencyType::PartitionSecondary)?;
        }
        match &new.check {
            // The columns are recorded above already.
            Some(expr) => self.record_check_dependencies(object, expr, new.relation),
            None => Ok(()),
        }
    }

    fn record_check_dependencies(
        &mut self,
        object: ObjectAddress,
        expr: &Expr,
        relation: Oid,
    ) -> PgResult<()> {
        self.record_expr_dependencies(object, expr, relation, DependencyType::Auto)
    }

    /// A name that no constraint of the table, nor (for indexes) relation of the schema, has: `t_a_check`, `t_a_check1`...
    pub fn choose_constraint_name(
        &self,
        parts: NameParts<'_>,
        relation: Oid,
        namespace: Oid,
    ) -> PgResult<String> {
        let taken = self.constraints_of(relation)?;
        let view = self.view();
        let mut pass = 0;
        loop {
            let name = parts.name(pass);
            let by_constraint = taken.iter().any(|row| *row.text(pg_constraint::CONNAME) == *name);
            let by_relation = parts.is_relation
                && crate::load::relation::relation_oid(view.rows(), namespace, &name)?.is_some();
            if !by_constraint && !by_relation {
                return Ok(name);
            }
            pass += 1;
        }
    }

    /// The name itself if no constraint of the table has it, or else the first of `name_1`, `name_2`... that none of the schema has:
    /// what foreign keys of partitions, and their parts, are called.
    pub fn choose_numbered_constraint_name(
        &self,
        name: &str,
        relation: Oid,
        namespace: Oid,
    ) -> PgResult<String> {
        let same = |row: &StoredRow, name: &str| &*row.text(pg_constraint::CONNAME) == name;
        if !self.constraints_of(relation)?.iter().any(|row| same(row, name)) {
            return Ok(name.to_owned());
        }
        let parts = NameParts {
            first: name,
            second: None,
            label: "",
            is_relation: false,
        };
        let mut pass = 0;
        loop {
            pass += 1;
            let name = parts.name(pass);
            let key = [key_name(&name), key_oid(namespace)];
            if self
                .store
                .lookup(oids::PG_CONSTRAINT_CONNAME_NSP_INDEX, &key)?
                .is_empty()
            {
                return Ok(name);
            }
        }
    }

    /// RENAME CONSTRAINT; its index is renamed with it.
    pub fn rename_constraint(&mut self, relation: Oid, old: &str, new: &str) -> PgResult<()> {
        let rows = self.constraints_of(relation)?;
        let Some(row) = rows
            .into_iter()
            .find(|row| &*row.text(pg_constraint::CONNAME) == old)
        else {
            let table = self.plain_relation_name(relation)?;
            return Err(pg_err!(
                UNDEFINED_OBJECT,
                "constraint \"{old}\" for table \"{table}\" does not exist"
            ));
        };
        self.check_constraint_name_free(relation, new)?;
        let owns_index = matches!(row.char(pg_constraint::CONTYPE), b'p' | b'u' | b'x');
        let index = row.oid(pg_constraint::CONINDID);
        self.set(
            oids::PG_CONSTRAINT,
            row,
            &[(pg_constraint::CONNAME, Datum::text(new))],
        )?;
        if owns_index && index.is_valid() {
            self.rename_relation_row(index, new)?;
        }
        Ok(())
    }

    /// VALIDATE CONSTRAINT, ALTER CONSTRAINT: any columns of `pg_constraint`.
    pub fn alter_constraint(&mut self, constraint: Oid, changes: &[(usize, Datum)]) -> PgResult<()> {
        let row = self.get(oids::PG_CONSTRAINT_OID_INDEX, constraint)?;
        self.set(oids::PG_CONSTRAINT, row, changes)?;
        self.sync_triggers(constraint)
    }
}

/// What a generated name is made of: `table_column_label`, shortened to fit 63 bytes, with a number while taken.
#[derive(Clone, Copy, Debug)]
pub struct NameParts<'a> {
    /// Usually the table.
    pub first: &'a str,
    /// Usually the columns, joined by underscores.
    pub second: Option<&'a str>,
    /// `pkey`, `key`, `fkey`, `check`, `not_null`, `idx`, `seq`, `excl`.
    pub label: &'a str,
    /// The name is a relation's too (indexes).
    pub is_relation: bool,
}

impl NameParts<'_> {
    /// The name to try after `pass` failures.
    pub fn name(&self, pass: usize) -> String {
        let label = if pass == 0 {
            self.label.to_owned()
        } else {
            format!("{}{pass}", self.label)
        };
        let second = self.second.unwrap_or_default();
        let overhead = label.len() + 1 + usize::from(self.second.is_some());
        let room = 63usize.saturating_sub(overhead);
        // PostgreSQL shortens the longer part first.
        let (mut a, mut b) = (self.first.len(), second.len());
        while a + b > room {
            if a > b { a -= 1 } else { b -= 1 }
        }
        let clip = |text: &str, mut len: usize| {
            while !text.is_char_boundary(len) {
                len -= 1;
            }
            text[..len].to_owned()
        };
        match self.second {
            Some(_) => format!("{}_{}_{label}", clip(self.first, a), clip(second, b)),
            None => format!("{}_{label}", clip(self.first, a)),
        }
    }
}

fn int2_array(numbers: &[i16]) -> Datum {
    match numbers {
        [] => Datum::Null,
        numbers => text::array_of(t::INT2, numbers.iter().map(|n| Datum::Int2(*n)).collect()),
    }
}

fn oid_array(oids: &[Oid]) -> Datum {
    match oids {
        [] => Datum::Null,
        oids => text::array_of(t::OID, oids.iter().map(|o| oid(*o)).collect()),
    }
}

fn constraint_row(constraint: Oid, new: &NewConstraint) -> PgResult<Vec<Datum>> {
    use pg_constraint::*;
    let mut row = vec![Datum::Null; COUNT];
    row[OID] = oid(constraint);
    row[CONNAME] = Datum::text(new.name.as_str());
    row[CONNAMESPACE] = oid(new.namespace);
    row[CONTYPE] = Datum::Char(new.kind);
    row[CONDEFERRABLE] = Datum::Bool(new.deferrable);
    row[CONDEFERRED] = Datum::Bool(new.deferred);
    row[CONENFORCED] = Datum::Bool(new.enforced);
    row[CONVALIDATED] = Datum::Bool(new.validated);
    row[CONRELID] = oid(new.relation);
    row[CONTYPID] = oid(new.domain);
    row[CONINDID] = oid(new.index);
    row[CONPARENTID] = oid(new.parent);
    row[CONFRELID] = oid(new.foreign.as_ref().map_or(Oid::INVALID, |f| f.table));
    for (column, letter) in [
        (CONFUPDTYPE, new.foreign.as_ref().map(|f| f.on_update)),
        (CONFDELTYPE, new.foreign.as_ref().map(|f| f.on_delete)),
        (CONFMATCHTYPE, new.foreign.as_ref().map(|f| f.match_type)),
    ] {
        row[column] = Datum::Char(letter.unwrap_or(b' '));
    }
    row[CONISLOCAL] = Datum::Bool(new.is_local);
    row[CONINHCOUNT] = Datum::Int2(new.inherited_count);
    row[CONNOINHERIT] = Datum::Bool(new.no_inherit);
    row[CONPERIOD] = Datum::Bool(new.period);
    row[CONKEY] = int2_array(&new.columns);
    if let Some(foreign) = &new.foreign {
        row[CONFKEY] = int2_array(&foreign.columns);
        row[CONPFEQOP] = oid_array(&foreign.pf_eq_ops);
        row[CONPPEQOP] = oid_array(&foreign.pp_eq_ops);
        row[CONFFEQOP] = oid_array(&foreign.ff_eq_ops);
        row[CONFDELSETCOLS] = int2_array(&foreign.delete_set_columns);
    }
    row[CONEXCLOP] = oid_array(&new.exclusion_ops);
    if let Some(check) = &new.check {
        row[CONBIN] = Datum::text(serial::encode_expr(check)?);
    }
    Ok(row)
}
