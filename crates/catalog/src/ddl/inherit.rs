//! Inheritance and partitioning: `pg_inherits`, `pg_partitioned_table`, `pg_class.relpartbound`.

use common::{Oid, PgResult};
use nodes::partition::PartitionBound;
use nodes::serial;
use types::Datum;

use crate::builtin::text;
use crate::columns::{pg_class, pg_depend, pg_inherits, pg_partitioned_table};
use crate::ddl::depend::DependencyType;
use crate::ddl::{Ddl, ObjectAddress, oid};
use crate::oids;
use crate::partition::PartitionKey;
use crate::store::key_oid;

impl Ddl<'_> {
    /// Makes a relation the child of another. `kind` says how the child depends on its parent; `None`: it does not (indexes).
    pub fn add_inheritance(
        &mut self,
        child: Oid,
        parent: Oid,
        number: i32,
        kind: Option<DependencyType>,
    ) -> PgResult<()> {
        use pg_inherits::*;
        let mut row = vec![Datum::Null; COUNT];
        row[INHRELID] = oid(child);
        row[INHPARENT] = oid(parent);
        row[INHSEQNO] = Datum::Int4(number);
        row[INHDETACHPENDING] = Datum::Bool(false);
        self.store.insert(oids::PG_INHERITS, row)?;
        if let Some(kind) = kind {
            let depender = ObjectAddress::new(oids::PG_CLASS, child);
            self.record_dependency(depender, ObjectAddress::new(oids::PG_CLASS, parent), kind)?;
        }
        self.set_class(parent, &[(pg_class::RELHASSUBCLASS, Datum::Bool(true))])
    }

    /// The number that the next parent of a child gets.
    pub fn next_parent_number(&self, child: Oid) -> PgResult<i32> {
        let rows = self
            .store
            .lookup(oids::PG_INHERITS_RELID_SEQNO_INDEX, &[key_oid(child)])?;
        Ok(rows
            .iter()
            .map(|r| r.int4(pg_inherits::INHSEQNO))
            .max()
            .unwrap_or(0)
            + 1)
    }

    /// Ends the relationship; false when there was none.
    pub fn remove_inheritance(&mut self, child: Oid, parent: Oid) -> PgResult<bool> {
        let rows = self
            .store
            .lookup(oids::PG_INHERITS_RELID_SEQNO_INDEX, &[key_oid(child)])?;
        let mut found = false;
        for row in rows {
            if row.oid(pg_inherits::INHPARENT) == parent {
                self.store.delete(oids::PG_INHERITS, row.row)?;
                found = true;
            }
        }
        self.delete_dependency_on(
            ObjectAddress::new(oids::PG_CLASS, child),
            ObjectAddress::new(oids::PG_CLASS, parent),
        )?;
        Ok(found)
    }

    /// Forgets that one object needs another.
    pub fn delete_dependency_on(
        &mut self,
        depender: ObjectAddress,
        referenced: ObjectAddress,
    ) -> PgResult<()> {
        let key = [key_oid(depender.class), key_oid(depender.object)];
        for row in self.store.lookup(oids::PG_DEPEND_DEPENDER_INDEX, &key)? {
            let same = row.oid(pg_depend::REFCLASSID) == referenced.class
                && row.oid(pg_depend::REFOBJID) == referenced.object;
            if same {
                self.store.delete(oids::PG_DEPEND, row.row)?;
            }
        }
        Ok(())
    }

    /// Forgets one kind of dependency of one object on another.
    pub fn delete_dependency_of_kind(
        &mut self,
        depender: ObjectAddress,
        referenced: ObjectAddress,
        kind: DependencyType,
    ) -> PgResult<()> {
        let key = [key_oid(depender.class), key_oid(depender.object)];
        for row in self.store.lookup(oids::PG_DEPEND_DEPENDER_INDEX, &key)? {
            let same = row.oid(pg_depend::REFCLASSID) == referenced.class
                && row.oid(pg_depend::REFOBJID) == referenced.object
                && row.char(pg_depend::DEPTYPE) == kind.letter();
            if same {
                self.store.delete(oids::PG_DEPEND, row.row)?;
            }
        }
        Ok(())
    }

    /// PARTITION BY.
    pub fn set_partition_key(&mut self, relation: Oid, key: &PartitionKey) -> PgResult<()> {
        use pg_partitioned_table::*;
        let exprs: Vec<nodes::Expr> = key
            .columns
            .iter()
            .filter_map(|c| c.expr.as_deref().cloned())
            .collect();
        let mut row = vec![Datum::Null; COUNT];
        row[PARTRELID] = oid(relation);
        row[PARTSTRAT] = Datum::Char(key.strategy.letter());
        row[PARTNATTS] = Datum::Int2(key.columns.len() as i16);
        row[PARTDEFID] = oid(Oid::INVALID);
        row[PARTATTRS] = text::int2vector(key.columns.iter().map(|c| c.attno));
        row[PARTCLASS] = text::oidvector(key.columns.iter().map(|c| c.opclass));
        row[PARTCOLLATION] = text::oidvector(key.columns.iter().map(|c| c.collation));
        if !exprs.is_empty() {
            row[PARTEXPRS] = Datum::text(serial::encode_exprs(&exprs)?);
        }
        self.store.insert(oids::PG_PARTITIONED_TABLE, row)?;
        let table = ObjectAddress::new(oids::PG_CLASS, relation);
        for column in &key.columns {
            let class = ObjectAddress::new(oids::PG_OPCLASS, column.opclass);
            self.record_dependency(table, class, DependencyType::Normal)?;
            if column.attno > 0 {
                let own = ObjectAddress::column(relation, column.attno);
                self.record_dependency(own, table, DependencyType::Internal)?;
            }
        }
        for expr in &exprs {
            self.record_expr_dependencies(table, expr, Oid::INVALID, DependencyType::Normal)?;
        }
        Ok(())
    }

    /// FOR VALUES ... of a partition; `None` when it stops being one.
    pub fn set_partition_bound(&mut self, relation: Oid, bound: Option<&PartitionBound>) -> PgResult<()> {
        let text = match bound {
            Some(bound) => Datum::text(bound.encode()?),
            None => Datum::Null,
        };
        self.set_class(
            relation,
            &[
                (pg_class::RELPARTBOUND, text),
                (pg_class::RELISPARTITION, Datum::Bool(bound.is_some())),
            ],
        )
    }

    /// Which partition is the default one of a partitioned table.
    pub fn set_default_partition(&mut self, parent: Oid, partition: Oid) -> PgResult<()> {
        let row = self.get(oids::PG_PARTITIONED_TABLE_PARTRELID_INDEX, parent)?;
        self.set(
            oids::PG_PARTITIONED_TABLE,
            row,
            &[(pg_partitioned_table::PARTDEFID, oid(partition))],
        )
    }
}
