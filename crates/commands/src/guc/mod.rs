//! Settings (GUCs): SET, SHOW, RESET, with transaction semantics.
//!
//! # How it works
//! [`SETTINGS`](table::SETTINGS) lists every setting of PostgreSQL 18 with type, limits and who may change it. A session's
//! [`GucStore`] holds the values that differ from the database's defaults, in canonical form. SET remembers the old value in an undo
//! list: rollback (to a savepoint, too) puts values back; commit puts back only those of SET LOCAL.
//!
//! # Invariants
//! - A stored value has passed its setting's check.
//! - [`GucStore::generation`] changes with every change of a value, so that derived structures know when they are stale.

pub mod defs;
pub mod special;
pub mod table;
pub mod value;

use std::collections::HashMap;
use std::sync::Arc;

use common::error::Severity;
use common::{PgResult, pg_err};

use crate::guc::defs::{Context, Kind, SettingDef};
use crate::guc::table::SETTINGS;

/// A setting's definition by name, whatever its case.
pub fn find(name: &str) -> Option<&'static SettingDef> {
    fn lower(name: &str) -> impl Iterator<Item = u8> {
        name.bytes().map(|b| b.to_ascii_lowercase())
    }
    SETTINGS
        .binary_search_by(|d| lower(d.name).cmp(lower(name)))
        .ok()
        .map(|i| &SETTINGS[i])
}

/// Values that a database starts with where they differ from PostgreSQL's boot values (as `initdb` would set them).
const INITIAL: &[(&str, &str)] = &[
    // Activity is not counted; see the functions behind `pg_stat_*`.
    ("track_counts", "off"),
    ("max_stack_depth", "2048"),
    ("timezone", "Etc/UTC"),
    ("log_timezone", "Etc/UTC"),
    ("client_encoding", "UTF8"),
    ("lc_messages", "C"),
    ("lc_monetary", "C"),
    ("lc_numeric", "C"),
    ("lc_time", "C"),
    ("default_text_search_config", "pg_catalog.english"),
    ("server_encoding", "UTF8"),
    ("is_superuser", "on"),
    ("server_version", "18.4"),
    ("server_version_num", "180004"),
];

/// Settings that exist without being listed by `pg_settings`: (name, initial value).
const UNLISTED: &[(&str, &str)] = &[
    ("is_superuser", "on"),
    ("session_authorization", "postgres"),
    ("role", "none"),
    ("seed", "unavailable"),
];

/// What `seed` takes. It seeds `random()` and has no value afterwards.
const SEED: SettingDef = SettingDef {
    name: "seed",
    kind: Kind::Real { min: -1.0, max: 1.0 },
    unit: "",
    context: Context::User,
    boot: "0",
    category: "",
};

/// Settings that RESET and SET ... TO DEFAULT refuse.
const NO_RESET: &[&str] = &[
    "seed",
    "transaction_deferrable",
    "transaction_isolation",
    "transaction_read_only",
];

/// How long a SET lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Until the session ends (or the transaction rolls back).
    Session,
    /// Until the transaction ends.
    Local,
}

#[derive(Clone, Debug)]
struct Undo {
    name: Arc<str>,
    old: Option<Arc<str>>,
    scope: Scope,
}

/// The settings of one session.
#[derive(Clone, Debug)]
pub struct GucStore {
    /// Values other than the default, by lower-case name.
    values: HashMap<Arc<str>, Arc<str>>,
    /// What RESET goes back to: connection parameters, ALTER ROLE/DATABASE SET.
    defaults: HashMap<Arc<str>, Arc<str>>,
    undo: Vec<Undo>,
    generation: u64,
    /// What `seed` was set to since the generator of random numbers has looked.
    seed: Option<f64>,
}

impl Default for GucStore {
    fn default() -> GucStore {
        let text = |(n, v): &(&str, &str)| (Arc::from(*n), Arc::from(*v));
        GucStore {
            values: HashMap::new(),
            defaults: UNLISTED.iter().chain(INITIAL).map(text).collect(),
            undo: Vec::new(),
            generation: 1,
            seed: None,
        }
    }
}

fn unrecognized(name: &str) -> Box<common::PgError> {
    pg_err!(
        UNDEFINED_OBJECT,
        "unrecognized configuration parameter \"{name}\""
    )
}

impl GucStore {
    /// Changes whenever a value does.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The canonical value; empty for unknown names.
    pub fn get(&self, name: &str) -> &str {
        if let Some(v) = self.values.get(name).or_else(|| self.defaults.get(name)) {
            return v;
        }
        find(name).map_or("", |d| d.boot)
    }

    /// Whether `client_min_messages` lets messages of a severity through.
    pub fn tells_client(&self, severity: Severity) -> bool {
        let rank = match severity {
            Severity::Info => return true,
            Severity::Debug => 0,
            Severity::Log => 1,
            Severity::Notice => 2,
            Severity::Warning => 3,
            _ => 4,
        };
        let least = match self.get("client_min_messages") {
            "log" => 1,
            "notice" => 2,
            "warning" => 3,
            "error" => 4,
            _ => 0,
        };
        rank >= least
    }

    /// A boolean setting.
    pub fn get_bool(&self, name: &str) -> bool {
        self.get(name) == "on"
    }

    /// A number, in the setting's base unit.
    pub fn get_number(&self, name: &str) -> f64 {
        self.get(name).parse().unwrap_or(0.0)
    }

    /// What SHOW prints; an error for unknown names.
    pub fn show(&self, name: &str) -> PgResult<String> {
        let lower = name.to_ascii_lowercase();
        match find(name) {
            Some(def) => Ok(value::show(def, self.get(&lower))),
            None if self.values.contains_key(&*lower) || self.defaults.contains_key(&*lower) => {
                Ok(self.get(&lower).to_owned())
            }
            None => Err(unrecognized(name)),
        }
    }

    /// The name as PostgreSQL spells it.
    pub fn display_name(name: &str) -> String {
        find(name).map_or_else(|| name.to_ascii_lowercase(), |d| d.name.to_owned())
    }

    /// Every listed setting with what SHOW prints, by name.
    pub fn all(&self) -> Vec<(&'static SettingDef, String)> {
        SETTINGS
            .iter()
            .map(|d| (d, value::show(d, self.get(&d.name.to_ascii_lowercase()))))
            .collect()
    }

    /// Every listed setting as `pg_settings` shows it: definition, value in base units, value to reset to, where it comes from.
    pub fn listed(&self) -> Vec<(&'static SettingDef, &str, &str, &'static str)> {
        let row = |d: &'static SettingDef| {
            let lower = d.name.to_ascii_lowercase();
            let default = self.defaults.get(&*lower).map(|v| &**v);
            let set = self.values.get(&*lower).map(|v| &**v);
            let source = match (set, default) {
                (Some(_), _) => "session",
                (None, Some(v)) if INITIAL.iter().any(|i| i.0 == lower && i.1 != v) => "client",
                (None, Some(_)) if INITIAL.iter().any(|i| i.0 == lower) => "default",
                (None, Some(_)) => "client",
                (None, None) => "default",
            };
            let reset = default.unwrap_or(d.boot);
            (d, set.unwrap_or(reset), reset, source)
        };
        SETTINGS.iter().map(row).collect()
    }

    /// SET. `in_transaction_block`: whether rollback is possible at all.
    pub fn set(&mut self, name: &str, text: &str, scope: Scope) -> PgResult<()> {
        let lower = name.to_ascii_lowercase();
        let value = self.check(name, &lower, text)?;
        if lower == SEED.name {
            // Rolling back does not take random numbers back.
            self.seed = value.parse().ok();
            return Ok(());
        }
        self.store(&lower, Some(value), scope);
        Ok(())
    }

    /// The error that SET would give, without setting.
    pub fn check_value(&self, name: &str, text: &str) -> PgResult<()> {
        self.check(name, &name.to_ascii_lowercase(), text).map(|_| ())
    }

    /// The same for a setting of a routine, which must go back to what it was.
    pub fn check_local_value(&self, name: &str, text: &str) -> PgResult<()> {
        self.check_value(name, text)?;
        let lower = name.to_ascii_lowercase();
        if NO_RESET.contains(&&*lower) {
            return Err(pg_err!(
                FEATURE_NOT_SUPPORTED,
                "parameter \"{lower}\" cannot be set locally in functions"
            ));
        }
        Ok(())
    }

    /// What random numbers shall be seeded with, once.
    pub fn take_seed(&mut self) -> Option<f64> {
        self.seed.take()
    }

    /// RESET or SET ... TO DEFAULT.
    pub fn reset(&mut self, name: &str, scope: Scope) -> PgResult<()> {
        let lower = name.to_ascii_lowercase();
        if NO_RESET.contains(&&*lower) {
            return Err(pg_err!(
                FEATURE_NOT_SUPPORTED,
                "parameter \"{lower}\" cannot be reset"
            ));
        }
        match find(name) {
            Some(def) => may_change(def)?,
            None if self.values.contains_key(&*lower) || self.defaults.contains_key(&*lower) => {}
            None if lower.contains('.') => {}
            None => return Err(unrecognized(name)),
        }
        self.store(&lower, None, scope);
        Ok(())
    }

    /// RESET ALL.
    pub fn reset_all(&mut self) {
        const KEPT: &[&str] = &[
            "role",
            "session_authorization",
            "transaction_isolation",
            "transaction_read_only",
        ];
        let names: Vec<Arc<str>> = self
            .values
            .keys()
            .filter(|n| !KEPT.contains(&&***n))
            .cloned()
            .collect();
        for name in names {
            self.store(&name, None, Scope::Session);
        }
    }

    /// A default of the connection (start-up parameter, ALTER ROLE ... SET): what RESET restores.
    pub fn set_default(&mut self, name: &str, text: &str) -> PgResult<()> {
        let lower = name.to_ascii_lowercase();
        let value = self.check(name, &lower, text)?;
        if lower == SEED.name {
            self.seed = value.parse().ok();
            return Ok(());
        }
        self.defaults.insert(lower.into(), value);
        self.generation += 1;
        Ok(())
    }

    /// Sets a value that users may not (`is_superuser`, `server_version`...), without checks or undo.
    pub fn set_internal(&mut self, name: &str, value: &str) {
        self.values.insert(name.to_ascii_lowercase().into(), value.into());
        self.generation += 1;
    }

    fn check(&self, name: &str, lower: &str, text: &str) -> PgResult<Arc<str>> {
        if lower == SEED.name {
            return Ok(value::canonical(&SEED, text)?.into());
        }
        let Some(def) = find(name) else {
            let known = UNLISTED.iter().any(|(n, _)| *n == lower);
            let custom = lower.contains('.') && !lower.starts_with('.') && !lower.ends_with('.');
            return if known || custom {
                Ok(text.into())
            } else {
                Err(unrecognized(name))
            };
        };
        may_change(def)?;
        if let Some(value) = special::canonical(lower, text, self.get(lower))? {
            return Ok(value.into());
        }
        let value = value::canonical(def, text)?;
        if matches!(def.kind, Kind::Text) && value.contains('\0') {
            return Err(pg_err!(
                INVALID_PARAMETER_VALUE,
                "invalid value for parameter \"{name}\""
            ));
        }
        Ok(value.into())
    }

    fn store(&mut self, lower: &str, value: Option<Arc<str>>, scope: Scope) {
        let name: Arc<str> = lower.into();
        let old = match value {
            Some(v) => self.values.insert(name.clone(), v),
            None => self.values.remove(&name),
        };
        self.undo.push(Undo { name, old, scope });
        self.generation += 1;
    }

    /// Position in the undo list, for savepoints.
    pub fn mark(&self) -> usize {
        self.undo.len()
    }

    /// Puts back everything set since the mark.
    pub fn rollback_to(&mut self, mark: usize) {
        while self.undo.len() > mark {
            if let Some(u) = self.undo.pop() {
                self.restore(u);
            }
        }
    }

    fn restore(&mut self, u: Undo) {
        match u.old {
            Some(v) => self.values.insert(u.name, v),
            None => self.values.remove(&u.name),
        };
        self.generation += 1;
    }

    /// The transaction has committed: SET LOCAL ends, SET stays (a later SET of the same setting wins over an earlier LOCAL).
    pub fn commit(&mut self) {
        if self.undo.is_empty() {
            return;
        }
        let undo = std::mem::take(&mut self.undo);
        // For each setting: the last session-level value in the order of the statements, else the value before the first LOCAL.
        let mut names: Vec<Arc<str>> = Vec::new();
        for u in &undo {
            if !names.contains(&u.name) {
                names.push(u.name.clone());
            }
        }
        for name in names {
            let steps: Vec<&Undo> = undo.iter().filter(|u| u.name == name).collect();
            let Some(last_local) = steps.iter().rposition(|u| u.scope == Scope::Local) else {
                continue;
            };
            if last_local + 1 < steps.len() {
                continue;
            }
            // The value before the trailing run of LOCALs.
            let first = steps
                .iter()
                .rposition(|u| u.scope == Scope::Session)
                .map_or(0, |i| i + 1);
            let old = steps[first].old.clone();
            self.restore(Undo {
                name,
                old,
                scope: Scope::Local,
            });
        }
    }
}

/// Settings of superusers, for others.
pub fn check_may_set(name: &str, is_superuser: bool) -> PgResult<()> {
    match find(name) {
        Some(def) if def.context == Context::Superuser && !is_superuser => Err(pg_err!(
            INSUFFICIENT_PRIVILEGE,
            "permission denied to set parameter \"{}\"",
            def.name
        )),
        _ => Ok(()),
    }
}

fn may_change(def: &SettingDef) -> PgResult<()> {
    match def.context {
        Context::Internal => Err(pg_err!(
            CANT_CHANGE_RUNTIME_PARAM,
            "parameter \"{}\" cannot be changed",
            def.name
        )),
        Context::Postmaster => Err(pg_err!(
            CANT_CHANGE_RUNTIME_PARAM,
            "parameter \"{}\" cannot be changed without restarting the server",
            def.name
        )),
        Context::Sighup => Err(pg_err!(
            CANT_CHANGE_RUNTIME_PARAM,
            "parameter \"{}\" cannot be changed now",
            def.name
        )),
        Context::SuperuserBackend | Context::Backend => Err(pg_err!(
            CANT_CHANGE_RUNTIME_PARAM,
            "parameter \"{}\" cannot be set after connection start",
            def.name
        )),
        Context::Superuser | Context::User => Ok(()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn units_are_read_and_shown_as_postgresql_does() {
        let mut g = GucStore::default();
        for (set, shown) in [("1GB", "1GB"), ("1.5MB", "1536kB"), ("64", "64kB")] {
            g.set("work_mem", set, Scope::Session).unwrap();
            assert_eq!(g.show("work_mem").unwrap(), shown);
        }
        g.set("statement_timeout", "1.5h", Scope::Session).unwrap();
        assert_eq!(g.show("statement_timeout").unwrap(), "90min");
        assert_eq!(g.show("shared_buffers").unwrap(), "128MB");
        let e = g.set("work_mem", "1", Scope::Session).unwrap_err();
        assert_eq!(
            e.message,
            "1 kB is outside the valid range for parameter \"work_mem\" (64 kB .. 2147483647 kB)"
        );
        let e = g.set("work_mem", "10XB", Scope::Session).unwrap_err();
        assert!(e.hint.unwrap().contains("\"TB\""));
        assert_eq!(
            g.set("nosuch", "1", Scope::Session)
                .unwrap_err()
                .sqlstate
                .as_str(),
            "42704"
        );
        g.set("foo.bar", "x", Scope::Session).unwrap();
        assert_eq!(g.show("foo.bar").unwrap(), "x");
    }

    #[test]
    fn a_seed_is_taken_once() {
        let mut g = GucStore::default();
        g.set("SEED", "-0.5", Scope::Local).unwrap();
        assert_eq!(g.show("seed").unwrap(), "unavailable");
        assert_eq!(g.take_seed(), Some(-0.5));
        assert_eq!(g.take_seed(), None);
        let e = g.set("seed", "2", Scope::Session).unwrap_err();
        assert_eq!(
            e.message,
            "2 is outside the valid range for parameter \"seed\" (-1 .. 1)"
        );
        for wrong in ["nan", "x", "0.5 kB", ""] {
            let e = g.set("seed", wrong, Scope::Session).unwrap_err();
            assert_eq!(
                e.message,
                format!("invalid value for parameter \"seed\": \"{wrong}\"")
            );
        }
        assert_eq!(g.take_seed(), None);
        let e = g.reset("seed", Scope::Session).unwrap_err();
        assert_eq!(e.message, "parameter \"seed\" cannot be reset");
    }

    #[test]
    fn local_values_end_with_the_transaction_and_rollback_restores() {
        let mut g = GucStore::default();
        g.set("work_mem", "8MB", Scope::Session).unwrap();
        g.commit();
        g.set("work_mem", "16MB", Scope::Local).unwrap();
        g.commit();
        assert_eq!(g.show("work_mem").unwrap(), "8MB");
        let mark = g.mark();
        g.set("work_mem", "32MB", Scope::Session).unwrap();
        g.rollback_to(mark);
        assert_eq!(g.show("work_mem").unwrap(), "8MB");
        g.set("work_mem", "1MB", Scope::Session).unwrap();
        g.set("work_mem", "2MB", Scope::Local).unwrap();
        g.commit();
        assert_eq!(g.show("work_mem").unwrap(), "1MB");
    }

    #[test]
    fn date_styles_and_zones() {
        let mut g = GucStore::default();
        g.set("datestyle", "german", Scope::Session).unwrap();
        assert_eq!(g.show("DateStyle").unwrap(), "German, DMY");
        g.set("DATESTYLE", "sql, mdy", Scope::Session).unwrap();
        assert_eq!(g.show("datestyle").unwrap(), "SQL, MDY");
        g.set("timezone", "america/new_york", Scope::Session).unwrap();
        assert_eq!(g.show("timezone").unwrap(), "America/New_York");
        g.set("timezone", "-7", Scope::Session).unwrap();
        assert_eq!(g.show("timezone").unwrap(), "<-07>+07");
        assert!(g.set("timezone", "Foo/Bar", Scope::Session).is_err());
    }
}
