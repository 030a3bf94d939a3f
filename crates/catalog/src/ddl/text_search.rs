//! Mappings of text search configurations: which dictionaries look at which kind of token.
//!
//! PG: src/backend/commands/tsearchcmds.c.

use common::error::ErrorExt;
use common::{Oid, PgResult, pg_err};
use types::Datum;

use crate::columns::{pg_ts_config as c, pg_ts_config_map as m};
use crate::ddl::depend::DependencyType;
use crate::ddl::{Ddl, ObjectAddress, oid};
use crate::oids;
use crate::row::StoredRow;

impl Ddl<'_> {
    /// The mappings of a configuration.
    fn mappings(&self, config: Oid) -> PgResult<Vec<StoredRow>> {
        let mut rows = self.store.scan(oids::PG_TS_CONFIG_MAP)?;
        rows.retain(|r| r.oid(m::MAPCFG) == config);
        rows.sort_by_key(|r| (r.int4(m::MAPTOKENTYPE), r.int4(m::MAPSEQNO)));
        Ok(rows)
    }

    fn add_mapping(&mut self, config: Oid, kind: i32, number: i32, dictionary: Oid) -> PgResult<()> {
        let mut row = vec![Datum::Null; m::COUNT];
        row[m::MAPCFG] = oid(config);
        row[m::MAPTOKENTYPE] = Datum::Int4(kind);
        row[m::MAPSEQNO] = Datum::Int4(number);
        row[m::MAPDICT] = oid(dictionary);
        self.store.insert(oids::PG_TS_CONFIG_MAP, row)
    }

    /// Gives a configuration the mappings of another one.
    pub fn copy_mappings(&mut self, from: Oid, to: Oid) -> PgResult<()> {
        for row in self.mappings(from)? {
            let (kind, number) = (row.int4(m::MAPTOKENTYPE), row.int4(m::MAPSEQNO));
            self.add_mapping(to, kind, number, row.oid(m::MAPDICT))?;
        }
        self.record_config_dependencies(to)
    }

    /// ADD MAPPING; with `replace` ALTER MAPPING.
    pub fn set_mappings(
        &mut self,
        config: Oid,
        kinds: &[i32],
        dictionaries: &[Oid],
        replace: bool,
    ) -> PgResult<()> {
        for kind in kinds {
            if replace {
                self.drop_mapping(config, *kind)?;
            } else if self
                .mappings(config)?
                .iter()
                .any(|r| r.int4(m::MAPTOKENTYPE) == *kind)
            {
                return Err(pg_err!(
                    UNIQUE_VIOLATION,
                    "duplicate key value violates unique constraint \"pg_ts_config_map_index\""
                )
                .detail(format!(
                    "Key (mapcfg, maptokentype, mapseqno)=({config}, {kind}, 1) already exists."
                )));
            }
            for (number, dictionary) in (1..).zip(dictionaries) {
                self.add_mapping(config, *kind, number, *dictionary)?;
            }
        }
        self.record_config_dependencies(config)
    }

    /// ALTER MAPPING ... REPLACE; without kinds in all mappings.
    pub fn replace_dictionary(&mut self, config: Oid, kinds: &[i32], old: Oid, new: Oid) -> PgResult<()> {
        for row in self.mappings(config)? {
            let wanted = kinds.is_empty() || kinds.contains(&row.int4(m::MAPTOKENTYPE));
            if wanted && row.oid(m::MAPDICT) == old {
                self.set(oids::PG_TS_CONFIG_MAP, row, &[(m::MAPDICT, oid(new))])?;
            }
        }
        self.record_config_dependencies(config)
    }

    /// DROP MAPPING; false if there was none.
    pub fn drop_mapping(&mut self, config: Oid, kind: i32) -> PgResult<bool> {
        let mut found = false;
        for row in self.mappings(config)? {
            if row.int4(m::MAPTOKENTYPE) == kind {
                self.store.delete(oids::PG_TS_CONFIG_MAP, row.row)?;
                found = true;
            }
        }
        Ok(found)
    }

    /// Records what a configuration needs, afresh: schema, parser, dictionaries.
    pub fn record_config_dependencies(&mut self, config: Oid) -> PgResult<()> {
        let object = ObjectAddress::new(oids::PG_TS_CONFIG, config);
        self.delete_dependencies(object, None)?;
        let Some(row) = self.scan_for(oids::PG_TS_CONFIG, config)? else {
            return Ok(());
        };
        let mut needed = vec![
            (oids::PG_NAMESPACE, row.oid(c::CFGNAMESPACE)),
            (oids::PG_TS_PARSER, row.oid(c::CFGPARSER)),
        ];
        let maps = self.mappings(config)?;
        needed.extend(maps.iter().map(|r| (oids::PG_TS_DICT, r.oid(m::MAPDICT))));
        needed.sort_unstable();
        needed.dedup();
        for (class, referenced) in needed {
            let referenced = ObjectAddress::new(class, referenced);
            self.record_dependency(object, referenced, DependencyType::Normal)?;
        }
        Ok(())
    }

    /// The mappings go with their configuration.
    pub(crate) fn remove_mappings(&mut self, config: Oid) -> PgResult<()> {
        for row in self.mappings(config)? {
            self.store.delete(oids::PG_TS_CONFIG_MAP, row.row)?;
        }
        Ok(())
    }

    /// Records that a text search object needs functions or a template.
    pub fn record_needs(&mut self, object: ObjectAddress, class: Oid, needed: &[Oid]) -> PgResult<()> {
        for referenced in needed.iter().filter(|o| o.is_valid()) {
            let referenced = ObjectAddress::new(class, *referenced);
            self.record_dependency(object, referenced, DependencyType::Normal)?;
        }
        Ok(())
    }
}
