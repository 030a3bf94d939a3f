//! Extended statistics: rows of `pg_statistic_ext` and `pg_statistic_ext_data`.
//!
//! PG: src/backend/commands/statscmds.c (`CreateStatistics`), statistics/extended_stats.c (`statext_store`).

use common::{Oid, PgResult};
use nodes::Expr;
use nodes::serial;
use types::{Datum, oids as t};

use crate::builtin::text;
use crate::columns::pg_statistic_ext::*;
use crate::columns::pg_statistic_ext_data as data;
use crate::ddl::constraint::NameParts;
use crate::ddl::depend::DependencyType;
use crate::ddl::named::STATISTICS;
use crate::ddl::{Ddl, ObjectAddress};
use crate::oids;
use crate::statistics_ext::StatisticsObject;
use crate::store::key_oid;

impl Ddl<'_> {
    /// Makes the object, with an OID of its own; what it says comes with ANALYZE.
    pub fn create_statistics(&mut self, new: &StatisticsObject) -> PgResult<Oid> {
        let mut row = vec![Datum::Null; COUNT];
        row[STXRELID] = key_oid(new.table);
        row[STXNAME] = Datum::text(new.name.as_str());
        row[STXNAMESPACE] = key_oid(new.namespace);
        row[STXKEYS] = text::int2vector(new.keys.iter().copied());
        row[STXSTATTARGET] = new.target.map_or(Datum::Null, Datum::Int2);
        let kinds = new.kinds.iter().map(|k| Datum::Char(*k)).collect();
        row[STXKIND] = text::array_of(t::CHAR, kinds);
        if !new.exprs.is_empty() {
            row[STXEXPRS] = Datum::text(serial::encode_exprs(&new.exprs)?);
        }
        let made = self.create_named(STATISTICS, row)?;
        let object = ObjectAddress::new(oids::PG_STATISTIC_EXT, made);
        for key in &new.keys {
            let column = ObjectAddress::column(new.table, *key);
            self.record_dependency(object, column, DependencyType::Auto)?;
        }
        let mut has_column = !new.keys.is_empty();
        for expr in &new.exprs {
            self.record_expr_dependencies(object, expr, new.table, DependencyType::Auto)?;
            nodes::walk::walk(expr, &mut |e| {
                has_column |= matches!(e, Expr::Var(_));
                true
            });
        }
        if !has_column {
            let table = ObjectAddress::new(oids::PG_CLASS, new.table);
            self.record_dependency(object, table, DependencyType::Auto)?;
        }
        Ok(made)
    }

    /// A free name for statistics without one: `t_a_b_stat`.
    pub fn choose_statistics_name(&self, parts: NameParts<'_>, namespace: Oid) -> PgResult<String> {
        let mut pass = 0;
        loop {
            let name = parts.name(pass);
            if !self.is_name_taken(STATISTICS, namespace, &name)? {
                return Ok(name);
            }
            pass += 1;
        }
    }

    /// Replaces what ANALYZE found; the row's first two columns say whose it is.
    pub fn set_statistics_data(&mut self, row: Vec<Datum>) -> PgResult<()> {
        let key = &row[..=data::STXDINHERIT];
        let old = self
            .store
            .lookup(oids::PG_STATISTIC_EXT_DATA_STXOID_INH_INDEX, key)?;
        match old.first() {
            Some(old) => self.store.update(oids::PG_STATISTIC_EXT_DATA, old.row, row),
            None => self.store.insert(oids::PG_STATISTIC_EXT_DATA, row),
        }
    }

    pub(crate) fn remove_statistics(&mut self, object: Oid) -> PgResult<()> {
        let key = [key_oid(object)];
        for row in self
            .store
            .lookup(oids::PG_STATISTIC_EXT_DATA_STXOID_INH_INDEX, &key)?
        {
            self.store.delete(oids::PG_STATISTIC_EXT_DATA, row.row)?;
        }
        match self.scan_for(oids::PG_STATISTIC_EXT, object)? {
            Some(row) => self.store.delete(oids::PG_STATISTIC_EXT, row.row),
            None => Ok(()),
        }
    }
}
