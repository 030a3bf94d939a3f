//! Functions about single backends, sequences, key words: what clients rarely ask and the session knows.

use std::sync::atomic::{AtomicU64, Ordering};

use catalog::CatalogView;
use catalog::desc::RelationDesc;
use catalog::privileges::{Guarded, ObjectKind, Privilege};
use common::error::Severity;
use common::{Oid, PgError, PgResult, pg_err};
use parser::keywords::{Category, KEYWORDS};
use types::Datum;

use crate::session::env::StatementEnv;
use crate::session::prepared::NamedStatement;
use crate::session::system::{int, oid, text};

/// `pg_default`, where the database lives.
const DEFAULT_TABLESPACE: Oid = Oid(1663);

/// Column of `pg_stat_get_activity` behind a `pg_stat_get_backend_*` function.
fn activity_column(function: &str) -> Option<usize> {
    Some(match function.strip_prefix("pg_stat_get_backend_")? {
        "dbid" => 0,
        "pid" => 1,
        "userid" => 2,
        "activity" => 5,
        "wait_event_type" => 6,
        "wait_event" => 7,
        "xact_start" => 8,
        "activity_start" => 9,
        "start" => 10,
        "client_addr" => 12,
        "client_port" => 14,
        _ => return None,
    })
}

impl StatementEnv<'_> {
    /// A function about the server or one of its backends; `None` when it is not one of these.
    pub(super) fn backend_value(&self, function: &str, args: &[Datum]) -> PgResult<Option<Datum>> {
        Ok(Some(match function {
            "pg_basetype" => self.base_type(oid(args, 0))?,
            "pg_conf_load_time" => Datum::Int8(self.core.db.start_time),
            "pg_reload_conf" => Datum::Bool(true),
            "pg_rotate_logfile" => {
                self.core.notice(PgError::notice(
                    Severity::Warning,
                    common::sqlstate::WARNING,
                    "rotation not possible because log collection not active",
                ));
                Datum::Bool(false)
            }
            "pg_stat_have_stats" => self.have_statistics(text(args, 0))?,
            _ => match activity_column(function) {
                Some(column) => self.activity_value(column, int(args, 0)),
                None => return Ok(None),
            },
        }))
    }

    /// A fact about the backend with a number (1 for the first session).
    fn activity_value(&self, column: usize, id: i64) -> Datum {
        let at = usize::try_from(id).ok().and_then(|id| id.checked_sub(1));
        let row = at.and_then(|at| self.activity(&[]).ok()?.into_iter().nth(at));
        match row {
            Some(mut row) => {
                let hidden = row.get(17).is_none_or(|kind| matches!(kind, Datum::Null));
                match row.swap_remove(column) {
                    Datum::Null if hidden && (6..=7).contains(&column) => {
                        Datum::text("<insufficient privilege>")
                    }
                    query if column == 5 && query.as_str() == Some("") => {
                        Datum::text("<command string not enabled>")
                    }
                    value => value,
                }
            }
            None if (5..=7).contains(&column) => Datum::text("<backend information not available>"),
            None => Datum::Null,
        }
    }

    /// The numbers of the sessions.
    pub(super) fn backend_ids(&self) -> Vec<Vec<Datum>> {
        let count = self.core.db.sessions.read().len() as i32;
        (1..=count).map(|id| vec![Datum::Int4(id)]).collect()
    }

    fn base_type(&self, type_oid: Oid) -> PgResult<Datum> {
        let mut at = type_oid;
        loop {
            match self.view.type_desc(at)? {
                Some(t) if t.kind == b'd' => at = t.base_type,
                Some(_) => return Ok(Datum::Oid(at.0)),
                None => return Ok(Datum::Null),
            }
        }
    }

    /// There are no statistics of single objects; a kind must exist nevertheless.
    fn have_statistics(&self, kind: &str) -> PgResult<Datum> {
        const KINDS: [&str; 12] = [
            "archiver",
            "backend",
            "bgwriter",
            "checkpointer",
            "database",
            "function",
            "io",
            "relation",
            "replslot",
            "slru",
            "subscription",
            "wal",
        ];
        if KINDS.contains(&kind) {
            return Ok(Datum::Bool(false));
        }
        Err(pg_err!(
            INVALID_PARAMETER_VALUE,
            "invalid statistics kind: \"{kind}\""
        ))
    }

    /// The row of `pg_sequence_parameters`.
    pub(super) fn sequence_parameters(&self, sequence: Oid) -> PgResult<Vec<Vec<Datum>>> {
        if self.view.relation(sequence)?.is_some_and(|d| d.relkind != b'S') {
            return Err(common::internal!("cache lookup failed for sequence {sequence}"));
        }
        self.sequence(sequence)?;
        let found = catalog::ddl::sequence::parameters(self.view.rows(), sequence)?;
        let row = found.map(|p| {
            vec![
                Datum::Int8(p.start),
                Datum::Int8(p.min),
                Datum::Int8(p.max),
                Datum::Int8(p.increment),
                Datum::Bool(p.cycle),
                Datum::Int8(p.cache),
                Datum::Oid(p.type_oid.0),
            ]
        });
        Ok(row.into_iter().collect())
    }

    /// The row of `pg_get_sequence_data`: NULLs where there is no such sequence, or none that may be read.
    pub(super) fn sequence_data(&self, sequence: Oid) -> PgResult<Vec<Vec<Datum>>> {
        let desc = self.view.relation(sequence)?.filter(|d| d.relkind == b'S');
        let may_read = |desc: &RelationDesc| -> PgResult<bool> {
            let guarded = Guarded {
                kind: ObjectKind::Sequence,
                owner: desc.owner,
                acl: desc.acl.as_deref(),
            };
            Ok(self
                .view
                .roles()?
                .may(self.core.user.get(), guarded, Privilege::Select))
        };
        let Some(desc) = desc else {
            return Ok(vec![vec![Datum::Null; 2]]);
        };
        if !may_read(&desc)? {
            return Ok(vec![vec![Datum::Null; 2]]);
        }
        let state = self.sequence(sequence)?.0.state();
        Ok(vec![vec![
            Datum::Int8(state.last_value),
            Datum::Bool(state.is_called),
        ]])
    }

    /// The rows of `pg_prepared_statement`.
    pub(super) fn prepared_statements(&self) -> Vec<Vec<Datum>> {
        let types = |oids: Vec<u32>| {
            let oids = oids.into_iter().map(Datum::Oid).collect();
            catalog::builtin::text::array_of(types::oids::REGTYPE, oids)
        };
        let count = |n: &AtomicU64| Datum::Int8(n.load(Ordering::Relaxed) as i64);
        let row = |(name, named): (&String, &NamedStatement)| {
            let prepared = &named.prepared;
            let results = prepared.columns();
            vec![
                Datum::text(name.as_str()),
                Datum::text(&*named.text),
                Datum::Int8(named.made_at),
                types(prepared.param_types().collect()),
                results.map_or(Datum::Null, |c| types(c.iter().map(|c| c.type_oid.0).collect())),
                Datum::Bool(named.from_sql),
                count(&prepared.uses.generic),
                count(&prepared.uses.custom),
            ]
        };
        let statements = self.core.statements.borrow();
        let named = statements.iter().filter(|(name, _)| !name.is_empty());
        named.map(row).collect()
    }

    /// The rows of `pg_cursor`, by name.
    pub(super) fn cursors(&self) -> Vec<Vec<Datum>> {
        let (cursors, portals) = (self.core.cursors.borrow(), self.core.portals.borrow());
        let mut rows: Vec<_> = cursors.rows().chain(portals.rows()).collect();
        rows.sort_by(|a, b| {
            a.first()
                .and_then(Datum::as_str)
                .cmp(&b.first().and_then(Datum::as_str))
        });
        rows
    }

    pub(super) fn listening_channels(&self) -> Vec<Vec<Datum>> {
        let names = self.core.mailbox.channels();
        names.into_iter().map(|name| vec![Datum::text(name)]).collect()
    }

    pub(super) fn tablespace_databases(&self, tablespace: Oid) -> Vec<Vec<Datum>> {
        if tablespace == DEFAULT_TABLESPACE {
            vec![vec![Datum::Oid(self.core.db.database_oid.0)]]
        } else {
            Vec::new()
        }
    }
}

/// All key words with their categories.
pub(super) fn keywords() -> Vec<Vec<Datum>> {
    let row = |k: &parser::keywords::KeywordInfo| {
        let (code, description) = match k.category {
            Category::Unreserved => (b'U', "unreserved"),
            Category::ColName => (b'C', "unreserved (cannot be function or type name)"),
            Category::TypeFuncName => (b'T', "reserved (can be function or type name)"),
            Category::Reserved => (b'R', "reserved"),
        };
        let label = if k.bare_label {
            "can be bare label"
        } else {
            "requires AS"
        };
        vec![
            Datum::text(k.word),
            Datum::Char(code),
            Datum::Bool(k.bare_label),
            Datum::text(description),
            Datum::text(label),
        ]
    };
    KEYWORDS.iter().map(row).collect()
}
