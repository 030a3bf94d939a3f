//! A stretch of keys of which an index has none, so that who inserts one there need not look for it.
//!
//! # How it works
//! Keys mostly come in order: each just above the one before, be it above all others or between two. Who has looked for a key and found
//! none notes how far up there is none; the next key is in that stretch, most likely, and begins it anew.
//!
//! # Invariants
//! - Whatever brings an entry into the index tells the stretch afterwards, under the latch of its key (many entries: under all latches): who asks
//!   about the same key under the same latch knows of it.
//! - A stretch that was found counts only if nothing came into the index between the search and the insertion; [`Ticket`] tells.
//! - Entries that leave make the stretch smaller than it might be, never wrong.

use parking_lot::Mutex;

use crate::index::store::EntryKey;

/// The stretch.
#[derive(Default)]
pub(crate) struct Vacancy(Mutex<Stretch>);

#[derive(Default)]
struct Stretch {
    /// No entry is above `low` and below `high`. None at all is known if they are equal and nothing is unbounded.
    low: EntryKey,
    high: Above,
    /// So often something came.
    changes: u64,
}

/// The next entry above a place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Above {
    Key(EntryKey),
    /// There is none.
    Nothing,
}

impl Default for Above {
    fn default() -> Above {
        Above::Key(EntryKey::new())
    }
}

impl Above {
    /// True when it is above all entries of a key, whatever their row ids.
    fn is_above(&self, key: &[u8]) -> bool {
        match self {
            Above::Key(high) => key < high.as_slice() && !high.starts_with(key),
            Above::Nothing => true,
        }
    }
}

/// When a search began.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ticket(u64);

/// What a search for a key (without row id) that no entry has found.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) ticket: Ticket,
    pub(crate) above: Above,
}

impl Vacancy {
    /// Nothing if no entry has this key (without row id). Else one has to look. The caller holds the key's latch.
    #[inline]
    pub(crate) fn look(&self, prefix: &[u8]) -> Option<Ticket> {
        let stretch = self.0.lock();
        let free = prefix > stretch.low.as_slice() && stretch.high.is_above(prefix);
        (!free).then_some(Ticket(stretch.changes))
    }

    /// An entry came, after a search under the same latch.
    #[inline]
    pub(crate) fn fill(&self, key: &EntryKey, found: Option<Found>) {
        let mut stretch = self.0.lock();
        match found.filter(|found| found.ticket.0 == stretch.changes) {
            Some(found) => {
                set(&mut stretch.low, key);
                stretch.high = found.above;
            }
            None if *key > stretch.low && stretch.high.is_above(key) => set(&mut stretch.low, key),
            None => {}
        }
        stretch.changes += 1;
    }

    /// Entries came, none below `first` or above `last`. The caller holds all latches.
    pub(crate) fn fill_many(&self, first: &EntryKey, last: &EntryKey) {
        let mut stretch = self.0.lock();
        if *last > stretch.low && stretch.high.is_above(first) {
            match stretch.high.is_above(last) {
                true => set(&mut stretch.low, last),
                false => stretch.high = Above::default(),
            }
        }
        stretch.changes += 1;
    }

    /// The index has entries that nobody told of.
    pub(crate) fn forget(&self) {
        let mut stretch = self.0.lock();
        stretch.high = Above::default();
        stretch.changes += 1;
    }
}

/// `clone_from` goes byte by byte.
fn set(to: &mut EntryKey, key: &EntryKey) {
    to.clear();
    to.extend_from_slice(key);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn key(text: &str) -> EntryKey {
        EntryKey::from_slice(text.as_bytes())
    }

    fn found(vacancy: &Vacancy, prefix: &str, above: Above) -> Found {
        let ticket = vacancy.look(prefix.as_bytes()).unwrap();
        Found { ticket, above }
    }

    #[test]
    fn keys_that_follow_each_other_are_not_looked_for() {
        let vacancy = Vacancy::default();
        let first = found(&vacancy, "c", Above::Key(key("m1")));
        vacancy.fill(&key("c1"), Some(first));
        assert!(vacancy.look(b"d").is_none() && vacancy.look(b"l").is_none());
        for taken in ["b", "c", "m", "n"] {
            assert!(vacancy.look(taken.as_bytes()).is_some(), "{taken}");
        }
        vacancy.fill(&key("e1"), None);
        assert!(vacancy.look(b"d").is_some() && vacancy.look(b"e").is_some() && vacancy.look(b"f").is_none());
        let last = found(&vacancy, "x", Above::Nothing);
        vacancy.fill(&key("x1"), Some(last));
        assert!(vacancy.look(b"z").is_none() && vacancy.look(b"f").is_some());
    }

    #[test]
    fn a_search_counts_only_if_nothing_came_meanwhile() {
        let vacancy = Vacancy::default();
        let first = found(&vacancy, "c", Above::Nothing);
        vacancy.fill(&key("g1"), None);
        vacancy.fill(&key("c1"), Some(first));
        assert!(vacancy.look(b"g").is_some() && vacancy.look(b"d").is_some());
        // Two that looked at the same time: what the first found is cut short by the second.
        let (early, late) = (
            found(&vacancy, "p", Above::Nothing),
            found(&vacancy, "t", Above::Nothing),
        );
        vacancy.fill(&key("p1"), Some(early));
        vacancy.fill(&key("t1"), Some(late));
        assert!(vacancy.look(b"s").is_some() && vacancy.look(b"t").is_some() && vacancy.look(b"u").is_none());
    }

    #[test]
    fn many_entries_end_the_stretch_or_begin_it_anew() {
        let vacancy = Vacancy::default();
        let first = found(&vacancy, "c", Above::Key(key("m1")));
        vacancy.fill(&key("c1"), Some(first));
        vacancy.fill_many(&key("a"), &key("b"));
        assert!(vacancy.look(b"d").is_none());
        vacancy.fill_many(&key("d1"), &key("e1"));
        assert!(vacancy.look(b"d").is_some() && vacancy.look(b"e").is_some() && vacancy.look(b"f").is_none());
        vacancy.fill_many(&key("h1"), &key("p1"));
        assert!(vacancy.look(b"f").is_some() && vacancy.look(b"i").is_some());
        let again = found(&vacancy, "q", Above::Nothing);
        vacancy.fill(&key("q1"), Some(again));
        assert!(vacancy.look(b"r").is_none());
        vacancy.forget();
        assert!(vacancy.look(b"r").is_some());
    }
}
