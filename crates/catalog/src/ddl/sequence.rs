//! Sequences: the relation, its parameters (`pg_sequence`), its owner.

use common::{Oid, PgResult};
use types::settings::TypeRef;
use types::{Datum, oids as t};

use crate::columns::{pg_depend, pg_sequence};
use crate::ddl::depend::DependencyType;
use crate::ddl::relation::{CreatedRelation, NewColumn, NewRelation};
use crate::ddl::{Ddl, ObjectAddress, oid};
use crate::oids;
use crate::store::{CatalogRead, key_oid};

/// What a sequence does (`pg_sequence`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct SequenceParameters {
    pub type_oid: Oid,
    pub start: i64,
    pub increment: i64,
    pub max: i64,
    pub min: i64,
    pub cache: i64,
    pub cycle: bool,
}

/// Who a sequence belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SequenceOwner {
    /// OWNED BY, `serial`: dropped with the column.
    Column(Oid, i16),
    /// An identity column's: part of it.
    Identity(Oid, i16),
}

impl Ddl<'_> {
    /// CREATE SEQUENCE.
    pub fn create_sequence(
        &mut self,
        name: &str,
        namespace: Oid,
        persistence: u8,
        parameters: &SequenceParameters,
    ) -> PgResult<CreatedRelation> {
        let column = |name: &str, type_oid| NewColumn {
            not_null: true,
            ..NewColumn::new(name, TypeRef::plain(type_oid))
        };
        let columns = vec![
            column("last_value", t::INT8),
            column("log_cnt", t::INT8),
            column("is_called", t::BOOL),
        ];
        let mut new = NewRelation::new(name, namespace, b'S').with_columns(columns);
        new.persistence = persistence;
        let made = self.create_relation(&new)?;
        let row = sequence_row(made.oid, parameters);
        self.store.insert(oids::PG_SEQUENCE, row)?;
        Ok(made)
    }

    /// ALTER SEQUENCE, the parameters.
    pub fn set_sequence_parameters(
        &mut self,
        sequence: Oid,
        parameters: &SequenceParameters,
    ) -> PgResult<()> {
        let row = self.get(oids::PG_SEQUENCE_SEQRELID_INDEX, sequence)?;
        self.store
            .update(oids::PG_SEQUENCE, row.row, sequence_row(sequence, parameters))
    }

    /// OWNED BY (`None`: OWNED BY NONE).
    pub fn set_sequence_owner(&mut self, sequence: Oid, owner: Option<SequenceOwner>) -> PgResult<()> {
        use pg_depend::*;
        let object = ObjectAddress::new(oids::PG_CLASS, sequence);
        let key = [key_oid(oids::PG_CLASS), key_oid(sequence)];
        for row in self.store.lookup(oids::PG_DEPEND_DEPENDER_INDEX, &key)? {
            let owned = matches!(row.char(DEPTYPE), b'a' | b'i') && row.oid(REFCLASSID) == oids::PG_CLASS;
            if owned {
                self.store.delete(oids::PG_DEPEND, row.row)?;
            }
        }
        match owner {
            Some(SequenceOwner::Column(table, attno)) => {
                self.record_dependency(object, ObjectAddress::column(table, attno), DependencyType::Auto)
            }
            Some(SequenceOwner::Identity(table, attno)) => self.record_dependency(
                object,
                ObjectAddress::column(table, attno),
                DependencyType::Internal,
            ),
            None => Ok(()),
        }
    }
}

/// The parameters of a sequence.
pub fn parameters(read: &dyn CatalogRead, sequence: Oid) -> PgResult<Option<SequenceParameters>> {
    use pg_sequence::*;
    let rows = read.lookup(oids::PG_SEQUENCE_SEQRELID_INDEX, &[key_oid(sequence)])?;
    let int8 = |value: &Datum| value.as_i64().unwrap_or_default();
    Ok(rows.first().map(|row| SequenceParameters {
        type_oid: row.oid(SEQTYPID),
        start: int8(row.datum(SEQSTART)),
        increment: int8(row.datum(SEQINCREMENT)),
        max: int8(row.datum(SEQMAX)),
        min: int8(row.datum(SEQMIN)),
        cache: int8(row.datum(SEQCACHE)),
        cycle: row.bool(SEQCYCLE),
    }))
}

/// The sequence that belongs to a column (`pg_get_serial_sequence`).
pub fn owned_sequence(read: &dyn CatalogRead, table: Oid, attno: i16) -> PgResult<Option<Oid>> {
    use pg_depend::*;
    let key = [
        key_oid(oids::PG_CLASS),
        key_oid(table),
        Datum::Int4(i32::from(attno)),
    ];
    let rows = read.lookup(oids::PG_DEPEND_REFERENCE_INDEX, &key)?;
    for row in rows
        .iter()
        .filter(|r| matches!(r.char(DEPTYPE), b'a' | b'i') && r.oid(CLASSID) == oids::PG_CLASS)
    {
        if parameters(read, row.oid(OBJID))?.is_some() {
            return Ok(Some(row.oid(OBJID)));
        }
    }
    Ok(None)
}

fn sequence_row(sequence: Oid, p: &SequenceParameters) -> Vec<Datum> {
    use pg_sequence::*;
    let mut row = vec![Datum::Null; COUNT];
    row[SEQRELID] = oid(sequence);
    row[SEQTYPID] = oid(p.type_oid);
    row[SEQSTART] = Datum::Int8(p.start);
    row[SEQINCREMENT] = Datum::Int8(p.increment);
    row[SEQMAX] = Datum::Int8(p.max);
    row[SEQMIN] = Datum::Int8(p.min);
    row[SEQCACHE] = Datum::Int8(p.cache);
    row[SEQCYCLE] = Datum::Bool(p.cycle);
    row
}
