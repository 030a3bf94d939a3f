//! Casts: rows of `pg_cast`.
//!
//! PG: src/backend/catalog/pg_cast.c (`CastCreate`).

use common::{Oid, PgResult, pg_err};
use types::Datum;

use crate::columns::pg_cast::*;
use crate::ddl::depend::DependencyType;
use crate::ddl::{Ddl, ObjectAddress, oid};
use crate::format_type::format_type;
use crate::oids;
use crate::store::key_oid;
use crate::view::{CastDesc, CatalogView};

impl Ddl<'_> {
    /// CREATE CAST.
    pub fn create_cast(&mut self, new: &CastDesc) -> PgResult<Oid> {
        let view = self.view();
        if view.cast(new.source, new.target)?.is_some() {
            return Err(pg_err!(
                DUPLICATE_OBJECT,
                "cast from type {} to type {} already exists",
                format_type(&view, new.source, -1)?,
                format_type(&view, new.target, -1)?
            ));
        }
        drop(view);
        let made = self.store.new_oid()?;
        let mut row = vec![Datum::Null; COUNT];
        row[OID] = oid(made);
        row[CASTSOURCE] = oid(new.source);
        row[CASTTARGET] = oid(new.target);
        row[CASTFUNC] = oid(new.function);
        row[CASTCONTEXT] = Datum::Char(new.context);
        row[CASTMETHOD] = Datum::Char(new.method);
        self.store.insert(oids::PG_CAST, row)?;
        let cast = ObjectAddress::new(oids::PG_CAST, made);
        for type_oid in [new.source, new.target] {
            let type_object = ObjectAddress::new(oids::PG_TYPE, type_oid);
            self.record_dependency(cast, type_object, DependencyType::Normal)?;
        }
        if new.function.is_valid() {
            let function = ObjectAddress::new(oids::PG_PROC, new.function);
            self.record_dependency(cast, function, DependencyType::Normal)?;
        }
        Ok(made)
    }

    /// OID of the cast between two types, built in or not.
    pub fn cast_oid(&self, source: Oid, target: Oid) -> PgResult<Option<Oid>> {
        let key = [key_oid(source), key_oid(target)];
        let rows = self.store.lookup_all(oids::PG_CAST_SOURCE_TARGET_INDEX, &key)?;
        Ok(rows.first().map(|row| row.oid(OID)))
    }
}
