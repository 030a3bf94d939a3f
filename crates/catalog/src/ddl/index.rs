//! Making indexes: `pg_class` and `pg_index` rows.

use common::{Oid, PgResult};
use nodes::{Expr, serial};
use types::Datum;

use crate::builtin::text;
use crate::columns::{pg_class, pg_index};
use crate::ddl::depend::DependencyType;
use crate::ddl::relation::{CreatedRelation, NewColumn, NewRelation};
use crate::ddl::{Ddl, ObjectAddress, oid};
use crate::desc::IndexDesc;
use crate::oids;

/// An index to make.
#[derive(Clone, Debug)]
pub struct NewIndex {
    /// Name, schema, persistence, options, access method; its columns are those of the index, named and typed as
    /// `pg_attribute` shall show them.
    pub relation: NewRelation,
    /// Key columns, flags, predicate. `table` is the table.
    pub index: IndexDesc,
    /// The constraint it implements comes next ([`Ddl::attach_index_to_constraint`]): it, not the columns, keeps the index alive.
    pub for_constraint: bool,
}

impl Ddl<'_> {
    /// Makes an index (no entries yet).
    pub fn create_index(&mut self, new: &NewIndex) -> PgResult<CreatedRelation> {
        let made = self.create_relation(&new.relation)?;
        let table = new.index.table;
        let row = index_row(made.oid, &new.index)?;
        self.store.insert(oids::PG_INDEX, row)?;
        let class = self.get(oids::PG_CLASS_OID_INDEX, table)?;
        if !class.bool(pg_class::RELHASINDEX) {
            self.set(
                oids::PG_CLASS,
                class,
                &[(pg_class::RELHASINDEX, Datum::Bool(true))],
            )?;
        }
        self.record_index_dependencies(ObjectAddress::new(oids::PG_CLASS, made.oid), new)?;
        Ok(made)
    }

    fn record_index_dependencies(&mut self, object: ObjectAddress, new: &NewIndex) -> PgResult<()> {
        let index = &new.index;
        let mut has_column = false;
        for column in &index.columns {
            if column.attno > 0 && !new.for_constraint {
                has_column = true;
                let column = ObjectAddress::column(index.table, column.attno);
                self.record_dependency(object, column, DependencyType::Auto)?;
            }
            for (class, needed) in [
                (oids::PG_COLLATION, column.collation),
                (oids::PG_OPCLASS, column.opclass),
            ] {
                if needed.is_valid() {
                    self.record_dependency(
                        object,
                        ObjectAddress::new(class, needed),
                        DependencyType::Normal,
                    )?;
                }
            }
            if let Some(expr) = &column.expr {
                self.record_expr_dependencies(object, expr, index.table, DependencyType::Auto)?;
            }
        }
        if !has_column && !new.for_constraint {
            let table = ObjectAddress::new(oids::PG_CLASS, index.table);
            self.record_dependency(object, table, DependencyType::Auto)?;
        }
        match &index.predicate {
            Some(predicate) => {
                self.record_expr_dependencies(object, predicate, index.table, DependencyType::Auto)
            }
            None => Ok(()),
        }
    }

    /// The index goes with its constraint and cannot be dropped alone.
    pub fn attach_index_to_constraint(&mut self, index: Oid, constraint: Oid) -> PgResult<()> {
        let constraint = ObjectAddress::new(oids::PG_CONSTRAINT, constraint);
        self.record_dependency(
            ObjectAddress::new(oids::PG_CLASS, index),
            constraint,
            DependencyType::Internal,
        )
    }

    /// Validity, readiness, clustering...: any columns of `pg_index`.
    pub fn alter_index(&mut self, index: Oid, changes: &[(usize, Datum)]) -> PgResult<()> {
        let row = self.get(oids::PG_INDEX_INDEXRELID_INDEX, index)?;
        self.set(oids::PG_INDEX, row, changes)
    }
}

/// The columns of an index as `pg_attribute` has them: named after the table's columns, `expr`, `expr1`... for expressions.
pub fn index_columns(names: &[String], types: &[(types::settings::TypeRef, Oid)]) -> Vec<NewColumn> {
    let pairs = names.iter().zip(types);
    let column = |(name, (type_ref, collation)): (&String, &(types::settings::TypeRef, Oid))| NewColumn {
        collation: *collation,
        ..NewColumn::new(name.clone(), *type_ref)
    };
    pairs.map(column).collect()
}

fn index_row(index_oid: Oid, index: &IndexDesc) -> PgResult<Vec<Datum>> {
    use pg_index::*;
    let mut row = vec![Datum::Bool(false); COUNT];
    let exprs: Vec<Expr> = index
        .columns
        .iter()
        .filter_map(|c| c.expr.as_deref().cloned())
        .collect();
    let keys = || index.columns.iter().take(index.key_count);
    row[INDEXRELID] = oid(index_oid);
    row[INDRELID] = oid(index.table);
    row[INDNATTS] = Datum::Int2(index.columns.len() as i16);
    row[INDNKEYATTS] = Datum::Int2(index.key_count as i16);
    row[INDISUNIQUE] = Datum::Bool(index.unique);
    row[INDNULLSNOTDISTINCT] = Datum::Bool(index.nulls_not_distinct);
    row[INDISPRIMARY] = Datum::Bool(index.primary);
    row[INDISEXCLUSION] = Datum::Bool(index.exclusion);
    row[INDIMMEDIATE] = Datum::Bool(index.immediate);
    row[INDISCLUSTERED] = Datum::Bool(index.clustered);
    row[INDISVALID] = Datum::Bool(index.valid);
    row[INDISREADY] = Datum::Bool(index.ready);
    row[INDISLIVE] = Datum::Bool(index.live);
    row[INDKEY] = text::int2vector(index.columns.iter().map(|c| c.attno));
    row[INDCOLLATION] = text::oidvector(keys().map(|c| c.collation));
    row[INDCLASS] = text::oidvector(keys().map(|c| c.opclass));
    let flags = keys().map(|c| i16::from(c.descending) | (i16::from(c.nulls_first) << 1));
    row[INDOPTION] = text::int2vector(flags);
    row[INDEXPRS] = match exprs.as_slice() {
        [] => Datum::Null,
        exprs => Datum::text(serial::encode_exprs(exprs)?),
    };
    row[INDPRED] = match &index.predicate {
        Some(predicate) => Datum::text(serial::encode_expr(predicate)?),
        None => Datum::Null,
    };
    Ok(row)
}
