//! Cursors and the protocol's portals by name: each is taken out while it runs, and its name stays.
//!
//! PG: src/backend/utils/mmgr/portalmem.c (`PortalHashTable`).

use std::collections::HashMap;
use std::sync::Arc;

use common::{PgResult, pg_err};
use rustc_hash::FxHashMap;
use types::Datum;

/// What `pg_cursors` tells of one.
pub(crate) struct Facts {
    /// The client's text.
    pub statement: Arc<str>,
    pub holdable: bool,
    pub binary: bool,
    pub scrollable: bool,
    /// Microseconds since 2000-01-01.
    pub made_at: i64,
}

struct Entry<T> {
    facts: Facts,
    /// `None`: it runs.
    value: Option<T>,
}

/// All of a session.
pub(crate) struct Named<T> {
    entries: FxHashMap<String, Entry<T>>,
}

impl<T> Default for Named<T> {
    fn default() -> Named<T> {
        Named {
            entries: HashMap::default(),
        }
    }
}

impl<T> Named<T> {
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub fn contains(&self, name: &str) -> bool {
        self.entries.contains_key(name)
    }

    pub fn names(&self) -> impl Iterator<Item = &String> {
        self.entries.keys()
    }

    /// One that does not run.
    pub fn get(&self, name: &str) -> Option<&T> {
        self.entries.get(name)?.value.as_ref()
    }

    pub fn get_mut(&mut self, name: &str) -> Option<&mut T> {
        self.entries.get_mut(name)?.value.as_mut()
    }

    pub fn facts(&self, name: &str) -> Option<&Facts> {
        self.entries.get(name).map(|entry| &entry.facts)
    }

    /// Those that do not run.
    pub fn values(&self) -> impl Iterator<Item = &T> {
        self.entries.values().filter_map(|entry| entry.value.as_ref())
    }

    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.entries.values_mut().filter_map(|entry| entry.value.as_mut())
    }

    /// In the place of what had the name.
    pub fn insert(&mut self, name: &str, facts: Facts, value: T) {
        let value = Some(value);
        self.entries.insert(name.to_owned(), Entry { facts, value });
    }

    /// Takes one out, to run it: `None` where there is none. It cannot run twice at once.
    pub fn take(&mut self, name: &str) -> PgResult<Option<T>> {
        let Some(entry) = self.entries.get_mut(name) else {
            return Ok(None);
        };
        let taken = entry.value.take();
        taken.map(Some).ok_or_else(|| {
            pg_err!(
                OBJECT_NOT_IN_PREREQUISITE_STATE,
                "portal \"{name}\" cannot be run"
            )
        })
    }

    /// Puts back what was taken, unless it was dropped in the meantime.
    pub fn put_back(&mut self, name: &str, value: T) {
        if let Some(entry) = self.entries.get_mut(name) {
            entry.value = Some(value);
        }
    }

    /// False if there is none.
    pub fn remove(&mut self, name: &str) -> PgResult<bool> {
        if self.entries.get(name).is_some_and(|entry| entry.value.is_none()) {
            return Err(pg_err!(
                INVALID_CURSOR_STATE,
                "cannot drop active portal \"{name}\""
            ));
        }
        Ok(self.entries.remove(name).is_some())
    }

    /// What runs stays.
    pub fn retain(&mut self, mut keep: impl FnMut(&str, &T) -> bool) {
        self.entries
            .retain(|name, entry| entry.value.as_ref().is_none_or(|value| keep(name, value)));
    }

    /// Drops what runs: it has failed.
    pub fn drop_running(&mut self) {
        self.entries.retain(|_, entry| entry.value.is_some());
    }

    pub fn clear(&mut self) {
        self.entries.clear();
    }

    /// Rows of `pg_cursor`.
    pub fn rows(&self) -> impl Iterator<Item = Vec<Datum>> {
        self.entries.iter().map(|(name, entry)| {
            let facts = &entry.facts;
            vec![
                Datum::text(name.as_str()),
                Datum::text(&*facts.statement),
                Datum::Bool(facts.holdable),
                Datum::Bool(facts.binary),
                Datum::Bool(facts.scrollable),
                Datum::Int8(facts.made_at),
            ]
        })
    }
}
