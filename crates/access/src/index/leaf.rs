//! Index main: immutable leaves, a cache of ranges of the index's KV entries.
//!
//! # How it works
//! A leaf knows every KV entry with `low <= key < high`. The directory lists the leaves that are loaded, in order; what lies
//! between them must be read. It is a two-level persistent array: replacing one leaf copies one group and the list of groups.
//!
//! # Invariants
//! - Leaves of a directory do not overlap. A leaf out of its directory is marked `retired` before anything that it lacks leaves
//!   delta: a reader looks at delta, then at the mark, and starts over when it is set and a merge came between.
//! - `epoch` counts merges. A range read from the KV store goes in only if no merge came between.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use smallvec::SmallVec;

use crate::cache::Charge;
use crate::index::store::EntryKey;

/// Entries read from the KV store at once.
pub(crate) const LEAF_LOAD: usize = 256;
/// Entries after which a merged leaf is cut.
const LEAF_MAX: usize = 512;
/// Leaves after which a group is cut.
const GROUP_MAX: usize = 256;

/// Sorted entries of a key range.
#[derive(Debug)]
pub(crate) struct Leaf {
    /// Inclusive; empty for the smallest.
    pub(crate) low: EntryKey,
    /// Exclusive; None for the end.
    pub(crate) high: Option<EntryKey>,
    /// The first bytes of `low`.
    low_head: u64,
    /// How many first bytes all keys share.
    shared: usize,
    /// The bytes of each key after those: most compares need no more.
    heads: Vec<u64>,
    bytes: Vec<u8>,
    /// Where each key and each value ends: key, value, key, value... Empty while all keys are `stride` long and all values empty.
    ends: Vec<u32>,
    stride: usize,
    retired: AtomicBool,
    referenced: AtomicBool,
    _charge: Option<Charge>,
}

impl Leaf {
    /// The entries of a range, to be pushed in order.
    pub(crate) fn new(low: EntryKey, high: Option<EntryKey>) -> Leaf {
        Leaf {
            low_head: head(&low),
            shared: 0,
            heads: Vec::new(),
            low,
            high,
            bytes: Vec::new(),
            ends: Vec::new(),
            stride: 0,
            retired: AtomicBool::new(false),
            // Whoever made it is about to use it.
            referenced: AtomicBool::new(true),
            _charge: None,
        }
    }

    /// Appends an entry; its key is above the last one.
    pub(crate) fn push(&mut self, key: &[u8], value: &[u8]) {
        let uniform = value.is_empty() && (self.len() == 0 || key.len() == self.stride);
        if self.ends.is_empty() && uniform {
            self.stride = key.len();
        } else if self.ends.is_empty() {
            let end = |i: usize| (i * self.stride) as u32;
            self.ends = (1..=self.len()).flat_map(|i| [end(i); 2]).collect();
        }
        let uniform = uniform && self.ends.is_empty();
        match self.len() {
            0 => self.shared = key.len(),
            _ => {
                let common = self.key(0).iter().zip(key).take_while(|(a, b)| a == b).count();
                if common < self.shared {
                    self.shared = common;
                    self.heads = (0..self.len()).map(|i| head(&self.key(i)[common..])).collect();
                }
            }
        }
        self.heads.push(head(&key[self.shared..]));
        self.bytes.extend_from_slice(key);
        if !uniform {
            self.ends.push(self.bytes.len() as u32);
            self.bytes.extend_from_slice(value);
            self.ends.push(self.bytes.len() as u32);
        }
    }

    /// True when the next leaf's entries fit in here, too.
    pub(crate) fn can_take(&self, next: &Leaf) -> bool {
        self.high.as_ref() == Some(&next.low) && self.len() + next.len() <= LEAF_LOAD
    }

    /// Reaches as far as the next leaf, with its entries.
    pub(crate) fn take(&mut self, next: Leaf) {
        for i in 0..next.len() {
            self.push(next.key(i), next.value(i));
        }
        self.high = next.high;
    }

    /// The leaf is complete: what it takes is what is counted.
    pub(crate) fn set_charge(&mut self, charge: Charge) {
        self.heads.shrink_to_fit();
        self.bytes.shrink_to_fit();
        self.ends.shrink_to_fit();
        self._charge = Some(charge);
    }

    pub(crate) fn len(&self) -> usize {
        self.heads.len()
    }

    fn piece(&self, n: usize) -> &[u8] {
        if self.ends.is_empty() {
            let start = n.div_ceil(2) * self.stride;
            return &self.bytes[start..start + (1 - n % 2) * self.stride];
        }
        let start = if n == 0 { 0 } else { self.ends[n - 1] as usize };
        &self.bytes[start..self.ends[n] as usize]
    }

    #[inline]
    pub(crate) fn key(&self, i: usize) -> &[u8] {
        self.piece(2 * i)
    }

    pub(crate) fn value(&self, i: usize) -> &[u8] {
        self.piece(2 * i + 1)
    }

    /// How many keys are below `key`.
    #[inline]
    pub(crate) fn lower_bound(&self, key: &[u8]) -> usize {
        match self.wanted_head(key) {
            Ok(wanted) => {
                let low = self.heads.partition_point(|&h| h < wanted);
                self.settle(low, wanted, key)
            }
            Err(place) => place,
        }
    }

    /// What to look for among the heads; or the place, if what all keys share decides.
    #[inline]
    fn wanted_head(&self, key: &[u8]) -> Result<u64, usize> {
        if self.heads.is_empty() {
            return Err(0);
        }
        let common = &self.key(0)[..self.shared];
        let beginning = &key[..self.shared.min(key.len())];
        match beginning.cmp(common) {
            std::cmp::Ordering::Less => Err(0),
            std::cmp::Ordering::Greater => Err(self.len()),
            std::cmp::Ordering::Equal => key.get(self.shared..).map(head).ok_or(0),
        }
    }

    /// The place among keys whose heads are equal, `low` being the first of them.
    #[inline]
    fn settle(&self, mut low: usize, wanted: u64, key: &[u8]) -> usize {
        while self.heads.get(low) == Some(&wanted) && self.key(low) < key {
            // Ties are few for numbers; for strings with a common beginning they are all.
            let high = low + self.heads[low..].partition_point(|&h| h == wanted);
            low += 1;
            let (mut from, mut to) = (low, high);
            while from < to {
                let middle = (from + to) / 2;
                if self.key(middle) < key {
                    from = middle + 1;
                } else {
                    to = middle;
                }
            }
            low = from;
        }
        low
    }

    /// True when `low` is below the key, or (with `or_equal`) the key.
    #[inline]
    fn starts_before(&self, wanted: u64, key: &[u8], or_equal: bool) -> bool {
        match self.low_head.cmp(&wanted) {
            std::cmp::Ordering::Less => true,
            std::cmp::Ordering::Greater => false,
            std::cmp::Ordering::Equal => match self.low.as_slice().cmp(key) {
                std::cmp::Ordering::Equal => or_equal,
                order => order.is_lt(),
            },
        }
    }

    /// True when keys up to (and without) `key` may lie here and `key` is above `low`.
    fn reaches(&self, key: &[u8]) -> bool {
        self.high.as_ref().is_none_or(|high| key < high.as_slice())
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        size_of::<Leaf>() + self.bytes.len() + self.ends.len() * 4 + self.heads.len() * 8
    }

    pub(crate) fn retire(&self) {
        self.retired.store(true, Ordering::SeqCst);
    }

    #[inline]
    pub(crate) fn is_retired(&self) -> bool {
        self.retired.load(Ordering::SeqCst)
    }

    #[inline]
    pub(crate) fn touch(&self) {
        if !self.referenced.load(Ordering::Relaxed) {
            self.referenced.store(true, Ordering::Relaxed);
        }
    }

    pub(crate) fn take_referenced(&self) -> bool {
        self.referenced.swap(false, Ordering::Relaxed)
    }
}

/// One of several searches that take turns.
struct Search<'a> {
    heads: &'a [u64],
    wanted: u64,
    /// The last head below the one wanted is among so many from here on.
    base: usize,
    left: usize,
    /// Found without a search.
    known: Option<usize>,
}

impl<'a> Search<'a> {
    fn new(leaf: &'a Leaf, key: &[u8]) -> Search<'a> {
        let wanted = leaf.wanted_head(key);
        Search {
            heads: &leaf.heads,
            base: 0,
            left: if wanted.is_ok() { leaf.heads.len() } else { 0 },
            known: wanted.err(),
            wanted: wanted.unwrap_or(0),
        }
    }
}

/// [`Leaf::lower_bound`] of each key in the leaf beside it.
pub(crate) fn lower_bounds(leaves: &[&Leaf], keys: &[&[u8]]) -> SmallVec<[usize; 8]> {
    let pairs = || leaves.iter().zip(keys);
    let mut searches: SmallVec<[Search<'_>; 8]> = pairs().map(|(leaf, key)| Search::new(leaf, key)).collect();
    let mut open = true;
    while open {
        open = false;
        for search in searches.iter_mut().filter(|search| search.left > 1) {
            let half = search.left / 2;
            let middle = search.base + half;
            search.base = if search.heads[middle] < search.wanted {
                middle
            } else {
                search.base
            };
            search.left -= half;
            open |= search.left > 1;
        }
    }
    let place = |(search, (leaf, key)): (&Search<'_>, (&&Leaf, &&[u8]))| match search.known {
        Some(place) => place,
        None => {
            let below = search.heads[search.base] < search.wanted;
            leaf.settle(search.base + usize::from(below), search.wanted, key)
        }
    };
    searches.iter().zip(pairs()).map(place).collect()
}

/// The first 8 bytes as a number that compares alike; equal numbers decide nothing.
#[inline]
fn head(key: &[u8]) -> u64 {
    match key.first_chunk::<8>() {
        Some(bytes) => u64::from_be_bytes(*bytes),
        None => {
            let mut bytes = [0; 8];
            bytes[..key.len()].copy_from_slice(key);
            u64::from_be_bytes(bytes)
        }
    }
}

/// Some leaves that follow each other. What decides most searches lies side by side.
#[derive(Clone, Debug, Default)]
struct Group {
    /// `low_head` of each.
    heads: Vec<u64>,
    leaves: Vec<Arc<Leaf>>,
}

impl Group {
    fn new(leaves: Vec<Arc<Leaf>>) -> Arc<Group> {
        Arc::new(Group {
            heads: leaves.iter().map(|l| l.low_head).collect(),
            leaves,
        })
    }
}

/// The loaded leaves.
#[derive(Clone, Debug, Default)]
pub(crate) struct Directory {
    groups: Vec<Arc<Group>>,
    /// `low_head` of each group's first leaf.
    heads: Vec<u64>,
    pub(crate) epoch: u64,
}

/// How many of the sorted heads are of leaves that start before a key with this head; `starts_before` decides where heads are equal.
#[inline]
fn count_before(heads: &[u64], wanted: u64, starts_before: impl Fn(usize) -> bool) -> usize {
    let less = heads.partition_point(|&h| h < wanted);
    if heads.get(less) != Some(&wanted) {
        return less;
    }
    let mut from = less;
    let mut to = less + heads[less..].partition_point(|&h| h == wanted);
    while from < to {
        let middle = (from + to) / 2;
        if starts_before(middle) {
            from = middle + 1;
        } else {
            to = middle;
        }
    }
    from
}

/// A part of the key space that is not loaded: from (inclusive) and to (exclusive; None for the end).
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Gap {
    pub(crate) low: EntryKey,
    pub(crate) high: Option<EntryKey>,
}

impl Directory {
    /// One leaf that knows that there is nothing.
    pub(crate) fn of_empty_index() -> Directory {
        let leaf = Leaf::new(EntryKey::new(), None);
        Directory::of_groups(vec![Group::new(vec![Arc::new(leaf)])], 0)
    }

    fn of_groups(groups: Vec<Arc<Group>>, epoch: u64) -> Directory {
        Directory {
            heads: groups
                .iter()
                .map(|g| g.heads.first().copied().unwrap_or(0))
                .collect(),
            groups,
            epoch,
        }
    }

    pub(crate) fn leaves(&self) -> impl Iterator<Item = &Arc<Leaf>> {
        self.groups.iter().flat_map(|g| g.leaves.iter())
    }

    /// Group and place of the last leaf that starts before the key, or (with `or_equal`) at it.
    #[inline]
    fn last_before(&self, key: &[u8], or_equal: bool) -> Option<(usize, usize)> {
        let wanted = head(key);
        let before = |leaf: &Leaf| leaf.starts_before(wanted, key, or_equal);
        let first = |g: usize| self.groups[g].leaves.first().is_some_and(|l| before(l));
        let group = count_before(&self.heads, wanted, first).checked_sub(1)?;
        let Group { heads, leaves } = &*self.groups[group];
        let place = count_before(heads, wanted, |at| before(&leaves[at])).checked_sub(1)?;
        Some((group, place))
    }

    /// Group and place of the very last leaf.
    fn last(&self) -> Option<(usize, usize)> {
        let group = self.groups.len().checked_sub(1)?;
        Some((group, self.groups[group].leaves.len().checked_sub(1)?))
    }

    fn leaf(&self, (group, place): (usize, usize)) -> &Arc<Leaf> {
        &self.groups[group].leaves[place]
    }

    fn gap_after(&self, at: Option<(usize, usize)>) -> Gap {
        let (low, next) = match at {
            Some((group, place)) => {
                let leaf = self.leaf((group, place));
                let next = self.groups[group].leaves.get(place + 1);
                let next = next.or_else(|| self.groups.get(group + 1).and_then(|g| g.leaves.first()));
                (leaf.high.clone().unwrap_or_default(), next)
            }
            None => (EntryKey::new(), self.leaves().next()),
        };
        Gap {
            low,
            high: next.map(|leaf| leaf.low.clone()),
        }
    }

    /// The leaf in which a key lies, or the gap.
    #[inline]
    pub(crate) fn find(&self, key: &[u8]) -> Result<&Arc<Leaf>, Gap> {
        match self.last_before(key, true) {
            Some(at) if self.leaf(at).reaches(key) => Ok(self.leaf(at)),
            at => Err(self.gap_after(at)),
        }
    }

    /// The leaf (or gap) of the keys just below `key` (None: of the last keys).
    pub(crate) fn find_below(&self, key: Option<&[u8]>) -> Result<&Arc<Leaf>, Gap> {
        let at = match key {
            Some(key) => self.last_before(key, false),
            None => self.last(),
        };
        let Some(found) = at else {
            return Err(self.gap_after(None));
        };
        let leaf = self.leaf(found);
        let covered = match (&leaf.high, key) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(high), Some(key)) => key <= high.as_slice(),
        };
        if covered {
            Ok(leaf)
        } else {
            Err(self.gap_after(at))
        }
    }

    /// With a leaf more. It fits into a gap.
    pub(crate) fn with(&self, leaf: Arc<Leaf>) -> Directory {
        let mut groups = self.groups.clone();
        match self.last_before(&leaf.low, true) {
            None if groups.is_empty() => groups.push(Group::new(vec![leaf])),
            at => {
                let (group, place) = at.map_or((0, 0), |(group, place)| (group, place + 1));
                let mut leaves = groups[group].leaves.clone();
                leaves.insert(place, leaf);
                let right = (leaves.len() > GROUP_MAX).then(|| leaves.split_off(GROUP_MAX / 2));
                groups[group] = Group::new(leaves);
                if let Some(right) = right {
                    groups.insert(group + 1, Group::new(right));
                }
            }
        }
        Directory::of_groups(groups, self.epoch)
    }

    /// Without a leaf; None if it is not there.
    pub(crate) fn without(&self, leaf: &Arc<Leaf>) -> Option<Directory> {
        let (group, place) = self.last_before(&leaf.low, true)?;
        if !Arc::ptr_eq(self.leaf((group, place)), leaf) {
            return None;
        }
        let mut groups = self.groups.clone();
        let mut leaves = groups[group].leaves.clone();
        leaves.remove(place);
        if leaves.is_empty() {
            groups.remove(group);
        } else {
            groups[group] = Group::new(leaves);
        }
        Some(Directory::of_groups(groups, self.epoch))
    }

    /// With others in the place of a leaf, after entries came into the KV store. None if it is not there.
    pub(crate) fn replaced(&self, leaf: &Arc<Leaf>, by: &[Arc<Leaf>]) -> Option<Directory> {
        let (group, place) = self.last_before(&leaf.low, true)?;
        if !Arc::ptr_eq(self.leaf((group, place)), leaf) {
            return None;
        }
        let mut leaves = self.groups[group].leaves.clone();
        leaves.splice(place..=place, by.iter().cloned());
        let mut groups = self.groups.clone();
        let new: Vec<Arc<Group>> = match leaves.len() > GROUP_MAX {
            true => leaves
                .chunks(GROUP_MAX / 2)
                .map(|c| Group::new(c.to_vec()))
                .collect(),
            false => vec![Group::new(leaves)],
        };
        groups.splice(group..=group, new);
        Some(Directory::of_groups(groups, self.epoch + 1))
    }

    /// The same in the next epoch.
    pub(crate) fn at_next_epoch(&self) -> Directory {
        Directory::of_groups(self.groups.clone(), self.epoch + 1)
    }

    /// With other leaves, after a merge.
    pub(crate) fn merged(&self, leaves: Vec<Arc<Leaf>>) -> Directory {
        let groups = leaves.chunks(GROUP_MAX / 2).map(|c| Group::new(c.to_vec()));
        Directory::of_groups(groups.collect(), self.epoch + 1)
    }
}

/// A change to a leaf: the entry's key, and its value or None for no entry.
pub(crate) type LeafChange = (EntryKey, Option<Box<[u8]>>);

/// The leaf with changes (ascending, all within its range) applied, cut where it gets large.
pub(crate) fn merge_leaf(leaf: &Leaf, changes: &[LeafChange]) -> Vec<Leaf> {
    let total = leaf.len() + changes.len();
    let target = if total > LEAF_MAX { LEAF_LOAD } else { usize::MAX };
    let mut out = Vec::new();
    let mut current = Leaf::new(leaf.low.clone(), None);
    let mut push = |key: &[u8], value: &[u8]| {
        if current.len() >= target {
            let next = Leaf::new(EntryKey::from_slice(key), None);
            let mut full = std::mem::replace(&mut current, next);
            full.high = Some(EntryKey::from_slice(key));
            out.push(full);
        }
        current.push(key, value);
    };
    let mut changes = changes.iter().peekable();
    for i in 0..leaf.len() {
        let key = leaf.key(i);
        while let Some((new, value)) = changes.next_if(|(k, _)| k.as_slice() < key) {
            if let Some(value) = value {
                push(new, value);
            }
        }
        match changes.next_if(|(k, _)| k.as_slice() == key) {
            Some((_, Some(value))) => push(key, value),
            Some((_, None)) => {}
            None => push(key, leaf.value(i)),
        }
    }
    for (new, value) in changes {
        if let Some(value) = value {
            push(new, value);
        }
    }
    current.high = leaf.high.clone();
    out.push(current);
    out
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    fn key(s: &str) -> EntryKey {
        EntryKey::from_slice(s.as_bytes())
    }

    fn leaf(low: &str, high: Option<&str>) -> Arc<Leaf> {
        Arc::new(Leaf::new(key(low), high.map(key)))
    }

    #[test]
    fn finds_leaves_and_gaps_both_ways() {
        let d = Directory::default()
            .with(leaf("m", Some("p")))
            .with(leaf("c", Some("f")))
            .with(leaf("p", None));
        assert_eq!(d.find(b"d").unwrap().low, key("c"));
        assert_eq!(d.find(b"z").unwrap().low, key("p"));
        let gap = |low: &str, high: &str| Gap {
            low: key(low),
            high: Some(key(high)),
        };
        assert_eq!(d.find(b"f").unwrap_err(), gap("f", "m"));
        assert_eq!(d.find(b"a").unwrap_err(), gap("", "c"));
        assert_eq!(d.find_below(Some(b"f")).unwrap().low, key("c"));
        assert_eq!(d.find_below(Some(b"c")).unwrap_err(), gap("", "c"));
        assert_eq!(d.find_below(Some(b"k")).unwrap_err(), gap("f", "m"));
        assert_eq!(d.find_below(None).unwrap().low, key("p"));
        let m = Arc::clone(d.find(b"n").unwrap());
        let d = d.without(&m).unwrap();
        assert_eq!(d.find(b"n").unwrap_err(), gap("f", "p"));
        assert!(d.without(&m).is_none());
    }

    #[test]
    fn entries_come_back_whether_uniform_or_not() {
        // Where the first entry that is longer, or has a value, stands among ten.
        for (odd, value) in (0..11).flat_map(|odd| [(odd, ""), (odd, "value")]) {
            let entry = |i: usize| match i == odd {
                true => (format!("key {i:03} and more"), value),
                false => (format!("key {i:03}"), ""),
            };
            let mut leaf = Leaf::new(key(""), None);
            (0..10)
                .map(entry)
                .for_each(|(k, v)| leaf.push(k.as_bytes(), v.as_bytes()));
            assert_eq!(leaf.len(), 10);
            for i in 0..10 {
                let (k, v) = entry(i);
                assert_eq!((leaf.key(i), leaf.value(i)), (k.as_bytes(), v.as_bytes()));
                assert_eq!(leaf.lower_bound(k.as_bytes()), i);
            }
        }
    }

    #[test]
    fn lower_bounds_agree_with_plain_compares() {
        let mut keys: Vec<Vec<u8>> = (0..200u32)
            .map(|i| i.to_be_bytes()[3 - (i % 4) as usize..].to_vec())
            .collect();
        keys.extend((0..100u8).map(|i| [b"a common beginning".as_slice(), &[i]].concat()));
        keys.push(vec![0; 7]);
        keys.push(vec![0; 9]);
        keys.sort();
        keys.dedup();
        let odd = [
            vec![],
            vec![0; 8],
            b"a common".to_vec(),
            b"a common beginning".to_vec(),
            b"b".to_vec(),
            vec![255; 20],
        ];
        let alike = keys.iter().position(|k| k.starts_with(b"a common")).unwrap();
        // Some share their beginning; one key is all its own beginning.
        for keys in [&keys[..], &keys[alike..alike + 100], &keys[7..8], &keys[..0]] {
            let mut full = Leaf::new(key(""), None);
            keys.iter().for_each(|k| full.push(k, b""));
            for wanted in keys.iter().chain(&odd) {
                assert_eq!(
                    full.lower_bound(wanted),
                    keys.partition_point(|k| k < wanted),
                    "{wanted:?}"
                );
            }
        }
    }

    #[test]
    fn leaves_take_their_neighbours() {
        let filled = |low: &str, high: Option<&str>, keys: &[&str]| {
            let mut leaf = Leaf::new(key(low), high.map(key));
            keys.iter().for_each(|k| leaf.push(k.as_bytes(), b""));
            leaf
        };
        let mut first = filled("", Some("c"), &["a", "b"]);
        assert!(!first.can_take(&filled("d", None, &["e"])));
        let next = filled("c", Some("f"), &[]);
        assert!(first.can_take(&next));
        first.take(next);
        let last = filled("f", None, &["fgh", "g"]);
        assert!(first.can_take(&last));
        first.take(last);
        assert_eq!(first.high, None);
        let keys: Vec<&[u8]> = (0..first.len()).map(|i| first.key(i)).collect();
        assert_eq!(keys, [&b"a"[..], b"b", b"fgh", b"g"]);
        let many: Vec<String> = (0..LEAF_LOAD).map(|i| format!("h{i:04}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let mut first = filled("", Some("h"), &["a"]);
        assert!(!first.can_take(&filled("h", None, &many)));
        first = filled("", Some("h"), &[]);
        assert!(first.can_take(&filled("h", None, &many)));
    }

    #[test]
    fn merging_replaces_removes_adds_and_cuts() {
        let mut full = Leaf::new(key(""), None);
        (0..400).for_each(|i| full.push(format!("{i:04}").as_bytes(), b"old"));
        let changes: Vec<LeafChange> = (0..400)
            .map(|i| match i % 3 {
                0 => (key(&format!("{i:04}")), None),
                1 => (key(&format!("{i:04}")), Some(b"new".as_slice().into())),
                _ => (key(&format!("{i:04}x")), Some(b"added".as_slice().into())),
            })
            .collect();
        let leaves = merge_leaf(&full, &changes);
        assert!(leaves.len() > 1);
        assert_eq!(leaves[0].high.as_ref(), Some(&leaves[1].low));
        assert_eq!(leaves.last().unwrap().high, None);
        let all: Vec<String> = leaves
            .iter()
            .flat_map(|l| (0..l.len()).map(|i| String::from_utf8_lossy(l.key(i)).into_owned()))
            .collect();
        assert!(all.is_sorted() && all.len() == 399);
        let first = &leaves[0];
        assert_eq!(
            (first.key(0), first.value(0)),
            (b"0001".as_slice(), b"new".as_slice())
        );
    }
}
