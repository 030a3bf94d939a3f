//! Functions behind the system views, by their `prosrc`: what the session knows of itself, of others and of the database.

mod acl;
mod activity;
mod advisory;
mod backends;
mod index_property;
mod objects;
mod privileges;
mod settings;
mod settled;
mod statistics;
mod updatable;

use catalog::CatalogView;
use catalog::columns::pg_inherits;
use catalog::deparse::Style;
use catalog::desc::RelationDesc;
use catalog::oids;
use catalog::store::{CatalogRead, key_oid};
use common::{Oid, PgResult, unsupported};
use functions::framework::session::{ObjectRef, SizeKind};
use types::Datum;

use crate::session::env::StatementEnv;

/// An argument as an OID.
fn oid(args: &[Datum], at: usize) -> Oid {
    match args.get(at) {
        Some(Datum::Oid(oid)) => Oid(*oid),
        _ => Oid::INVALID,
    }
}

fn text(args: &[Datum], at: usize) -> &str {
    args.get(at).and_then(Datum::as_str).unwrap_or_default()
}

fn int(args: &[Datum], at: usize) -> i64 {
    args.get(at).and_then(Datum::as_i64).unwrap_or_default()
}

fn optional(text: Option<String>) -> Datum {
    text.map_or(Datum::Null, Datum::text)
}

impl StatementEnv<'_> {
    /// A function of one value.
    pub fn system_value(&self, function: &str, args: &[Datum]) -> PgResult<Datum> {
        if function.starts_with("pg_has_role") {
            return self.has_role(args).map(Datum::Bool);
        }
        if let Some(kind) = function.strip_prefix("has_") {
            return self.has_general_privilege(kind, args);
        }
        Ok(match function {
            "acldefault_sql" => self.default_acl(args)?,
            "pg_blocking_pids" => self.blocking_pids(int(args, 0) as i32),
            "pg_safe_snapshot_blocking_pids" => self.safe_snapshot_blocking_pids(int(args, 0) as i32),
            "pg_relation_is_updatable" => Datum::Int4(self.updatable_events(oid(args, 0))?),
            "pg_column_is_updatable" => {
                let row_events = self.updatable_events(oid(args, 0))?;
                Datum::Bool(
                    int(args, 1) > 0 && row_events & updatable::UPDATE_DELETE == updatable::UPDATE_DELETE,
                )
            }
            "pg_get_function_arg_default" => optional(
                self.printer()
                    .function_default(oid(args, 0), int(args, 1) as i32)?,
            ),
            "pg_get_function_sqlbody" => match self.view.function(oid(args, 0))? {
                Some(f) => optional(self.printer().function_body(&f)?),
                None => Datum::Null,
            },
            "pg_get_statisticsobjdef_columns" => optional(self.names.statistics_columns(oid(args, 0))?),
            "pg_get_statisticsobjdef_expressions" => self.names.statistics_expressions(oid(args, 0))?,
            "pg_indexam_progress_phasename" => Datum::Null,
            "pg_is_other_temp_schema" => Datum::Bool(self.is_other_temp_schema(oid(args, 0))?),
            "pg_my_temp_schema" => Datum::Oid(self.core.temp_namespace.get().map_or(0, |o| o.0)),
            _ => return self.relation_value(function, args),
        })
    }

    /// A function of one value, about relations for the most part.
    fn relation_value(&self, function: &str, args: &[Datum]) -> PgResult<Datum> {
        Ok(match function {
            "pg_partition_root" => match self.partition_ancestors(oid(args, 0))?.last() {
                Some(root) => Datum::Oid(root.0),
                None => Datum::Null,
            },
            "pg_postmaster_start_time" => Datum::Int8(self.core.db.start_time),
            "pg_trigger_depth" => Datum::Int4(0),
            "pg_relation_filenode" => match self.view.relation(oid(args, 0))? {
                Some(d) if matches!(d.relkind, b'r' | b'i' | b'S' | b't' | b'm') => {
                    Datum::Oid(d.storage.0 as u32)
                }
                _ => Datum::Null,
            },
            "pg_relation_is_publishable" => match self.view.relation(oid(args, 0))? {
                Some(d) => Datum::Bool(
                    matches!(d.relkind, b'r' | b'p') && d.persistence == b'p' && d.oid >= Oid::FIRST_NORMAL,
                ),
                None => Datum::Null,
            },
            "pg_sequence_last_value" => self.last_value(oid(args, 0))?,
            "pg_stat_get_db_numbackends" => Datum::Int4(self.backends(oid(args, 0))),
            "pg_stat_get_live_tuples" => match self.view.relation(oid(args, 0))? {
                Some(desc) => Datum::Int8(self.view.relation_size(&desc)?.1 as i64),
                None => Datum::Int8(0),
            },
            "pg_tablespace_location" => tablespace_location(oid(args, 0))?,
            "pg_tablespace_size_oid" | "pg_tablespace_size_name" => {
                let whole = self
                    .names
                    .size(&self.core.db, SizeKind::Tablespace(ObjectRef::Oid(oid(args, 0))))?;
                whole.map_or(Datum::Null, Datum::Int8)
            }
            "row_security_active" => Datum::Bool(self.row_security(oid(args, 0))?),
            "row_security_active_name" => {
                let relation = self.names.known_relation(text(args, 0))?;
                Datum::Bool(self.row_security(relation)?)
            }
            "text_regclass" => Datum::Oid(self.names.known_relation(text(args, 0))?.0),
            "pg_get_viewdef_wrap" => {
                let style = Style {
                    wrap_column: int(args, 1).max(0) as usize,
                    ..Style::PRETTY
                };
                optional(self.printer().view_definition(oid(args, 0), style)?)
            }
            "pg_get_viewdef_name_ext" => {
                let view = self.names.known_relation(text(args, 0))?;
                let style = match args.get(1) {
                    Some(Datum::Bool(true)) => Style::PRETTY,
                    _ => Style::PLAIN,
                };
                optional(self.printer().view_definition(view, style)?)
            }
            "pg_describe_object" => self.describe_object(args)?,
            _ => return self.other_value(function, args),
        })
    }

    /// What other files answer.
    fn other_value(&self, function: &str, args: &[Datum]) -> PgResult<Datum> {
        for answer in [
            Self::backend_value,
            Self::acl_value,
            Self::index_property,
            Self::settled_value,
            Self::table_statistics,
        ] {
            if let Some(value) = answer(self, function, args)? {
                return Ok(value);
            }
        }
        Err(unsupported!("function {function} is not implemented yet"))
    }

    /// A function of rows, or of one row.
    pub fn system_rows(&self, function: &str, args: &[Datum]) -> PgResult<Vec<Vec<Datum>>> {
        Ok(match function {
            "aclexplode" => self.explode_acl(args),
            "pg_get_keywords" => backends::keywords(),
            "pg_listening_channels" => self.listening_channels(),
            "pg_stat_get_backend_idset" => self.backend_ids(),
            "pg_tablespace_databases" => self.tablespace_databases(oid(args, 0)),
            "pg_sequence_parameters" => self.sequence_parameters(oid(args, 0))?,
            "pg_lock_status" => self.lock_status(),
            "pg_identify_object" => self.identify_object(args, false)?,
            "pg_identify_object_as_address" => self.identify_object(args, true)?,
            "pg_get_object_address" => self.object_address(args)?,
            "pg_stat_get_activity" => self.activity(args)?,
            "show_all_settings" => self.all_settings(),
            "pg_timezone_names" => self.zone_names(),
            "pg_options_to_table" => settings::options(args)?,
            "pg_partition_ancestors" => {
                let all = self.partition_ancestors(oid(args, 0))?;
                all.into_iter().map(|a| vec![Datum::Oid(a.0)]).collect()
            }
            "pg_stats_ext_mcvlist_items" => self.names.mcv_items(text(args, 0))?,
            "pg_partition_tree" => self.partition_tree(oid(args, 0))?,
            "pg_config" => vec![vec![Datum::text("VERSION"), Datum::text(functions::VERSION)]],
            "pg_stat_get_archiver" => {
                let mut row = vec![Datum::Null; 7];
                (row[0], row[3]) = (Datum::Int8(0), Datum::Int8(0));
                vec![row]
            }
            "pg_cursor" => self.cursors(),
            "pg_prepared_statement" => self.prepared_statements(),
            "pg_get_sequence_data" => self.sequence_data(oid(args, 0))?,
            "pg_prepared_xact" => crate::session::two_phase::rows(&self.core.db.prepared),
            "pg_stat_get_slru" => activity::slru(),
            "pg_available_extensions" => vec![vec![Datum::text("plpgsql"), Datum::text("1.0"), Datum::Null]],
            "pg_available_extension_versions" => vec![vec![
                Datum::text("plpgsql"),
                Datum::text("1.0"),
                Datum::Bool(true),
                Datum::Bool(true),
                Datum::Bool(false),
                Datum::text("pg_catalog"),
                Datum::Null,
                Datum::Null,
            ]],
            // What pglite does not have: archives, replication, configuration files, extensions, commands
            // that report progress, partitions.
            "pg_get_aios"
            | "pg_get_publication_tables"
            | "pg_get_replication_slots"
            | "pg_hba_file_rules"
            | "pg_ident_file_mappings"
            | "pg_show_replication_origin_status"
            | "pg_stat_get_progress_info"
            | "pg_stat_get_recovery_prefetch"
            | "pg_stat_get_replication_slot"
            | "pg_stat_get_subscription"
            | "pg_stat_get_subscription_stats"
            | "pg_stat_get_wal_receiver"
            | "pg_stat_get_wal_senders"
            | "pg_timezone_abbrevs_abbrevs"
            | "show_all_file_settings" => Vec::new(),
            _ => match self.settled_rows(function) {
                Some(rows) => rows,
                None => return Err(unsupported!("function {function} is not implemented yet")),
            },
        })
    }

    fn partition_ancestors(&self, relation: Oid) -> PgResult<Vec<Oid>> {
        let mut found = Vec::new();
        let Some(desc) = self.view.relation(relation)? else {
            return Ok(found);
        };
        if !desc.is_partition && !matches!(desc.relkind, b'p' | b'I') {
            return Ok(found);
        }
        let mut next = Some(relation);
        while let Some(at) = next {
            found.push(at);
            let rows = self
                .view
                .rows()
                .lookup(oids::PG_INHERITS_RELID_SEQNO_INDEX, &[key_oid(at)])?;
            next = rows.first().map(|r| r.oid(pg_inherits::INHPARENT));
        }
        Ok(found)
    }

    /// The relation and all below it: OID, parent, whether it is a leaf, level.
    fn partition_tree(&self, root: Oid) -> PgResult<Vec<Vec<Datum>>> {
        let mut rows = Vec::new();
        let partition = |d: &RelationDesc| d.is_partition || matches!(d.relkind, b'p' | b'I');
        if !self.view.relation(root)?.is_some_and(|d| partition(&d)) {
            return Ok(rows);
        }
        let links = self.view.rows().scan(oids::PG_INHERITS)?;
        let parent = links.iter().find(|l| l.oid(pg_inherits::INHRELID) == root);
        let mut level = vec![(root, parent.map(|l| l.oid(pg_inherits::INHPARENT)))];
        let mut depth = 0;
        while !level.is_empty() {
            let mut below = Vec::new();
            for (relation, parent) in level {
                let leaf = self
                    .view
                    .relation(relation)?
                    .is_none_or(|d| !matches!(d.relkind, b'p' | b'I'));
                rows.push(vec![
                    Datum::Oid(relation.0),
                    parent.map_or(Datum::Null, |p| Datum::Oid(p.0)),
                    Datum::Bool(leaf),
                    Datum::Int4(depth),
                ]);
                let children = links.iter().filter(|l| l.oid(pg_inherits::INHPARENT) == relation);
                let mut children: Vec<Oid> = children.map(|l| l.oid(pg_inherits::INHRELID)).collect();
                children.sort_unstable();
                below.extend(children.into_iter().map(|c| (c, Some(relation))));
            }
            level = below;
            depth += 1;
        }
        Ok(rows)
    }

    fn is_other_temp_schema(&self, schema: Oid) -> PgResult<bool> {
        if self.core.temp_namespace.get() == Some(schema) {
            return Ok(false);
        }
        let name = self.view.namespace_name(schema)?;
        Ok(name.is_some_and(|n| n.starts_with("pg_temp_") || n.starts_with("pg_toast_temp_")))
    }

    fn last_value(&self, sequence: Oid) -> PgResult<Datum> {
        let state = self.sequence(sequence)?.0.state();
        Ok(if state.is_called {
            Datum::Int8(state.last_value)
        } else {
            Datum::Null
        })
    }

    fn row_security(&self, relation: Oid) -> PgResult<bool> {
        let Some(desc) = self.view.relation(relation)? else {
            return Ok(false);
        };
        let roles = self.view.roles()?;
        let user = self.core.user.get();
        let bypass = roles.is_superuser(user) || roles.get(user).is_some_and(|r| r.bypass_rls);
        let owner = roles.has_privileges_of(user, desc.owner) && !desc.force_row_security;
        Ok(desc.row_security && !bypass && !owner)
    }

    fn blocking_pids(&self, pid: i32) -> Datum {
        let locks = self.core.db.storage.manager().locks();
        int_array(locks.blocking_pids(pid))
    }

    fn safe_snapshot_blocking_pids(&self, pid: i32) -> Datum {
        let table = self.core.db.storage.manager().table();
        int_array(table.safe_snapshot_blocking_pids(pid))
    }
}

/// All tables are where the database is.
fn tablespace_location(tablespace: Oid) -> PgResult<Datum> {
    const BUILT_IN: [u32; 3] = [0, 1663, 1664];
    if BUILT_IN.contains(&tablespace.0) {
        return Ok(Datum::text(""));
    }
    Err(common::pg_err!(
        UNDEFINED_FILE,
        "could not stat file \"pg_tblspc/{tablespace}\": No such file or directory"
    ))
}

fn int_array(values: Vec<i32>) -> Datum {
    let values = values.into_iter().map(Datum::Int4).collect();
    Datum::Array(std::sync::Arc::new(types::ArrayValue::from_elements(
        types::oids::INT4,
        values,
    )))
}
