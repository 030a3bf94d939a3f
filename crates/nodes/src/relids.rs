//! Sets of range table indexes.

use std::fmt;

/// A set of small numbers: range table indexes (1-based). Sets within the first 64 need no memory of their own: the planner makes
/// millions of them.
///
/// Invariant: `rest` does not end in a zero word.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default, serde::Serialize, serde::Deserialize)]
#[serde(from = "Vec<u64>", into = "Vec<u64>")]
pub struct RelIds {
    first: u64,
    rest: Vec<u64>,
}

impl From<Vec<u64>> for RelIds {
    fn from(words: Vec<u64>) -> RelIds {
        let mut words = words.into_iter();
        let mut set = RelIds {
            first: words.next().unwrap_or(0),
            rest: words.collect(),
        };
        set.trim();
        set
    }
}

impl From<RelIds> for Vec<u64> {
    fn from(set: RelIds) -> Vec<u64> {
        if set.is_empty() {
            return Vec::new();
        }
        std::iter::once(set.first).chain(set.rest).collect()
    }
}

impl RelIds {
    /// The empty set.
    pub const fn empty() -> RelIds {
        RelIds {
            first: 0,
            rest: Vec::new(),
        }
    }

    /// The set of one.
    pub fn single(i: usize) -> RelIds {
        let mut s = RelIds::empty();
        s.insert(i);
        s
    }

    /// Adds a member.
    pub fn insert(&mut self, i: usize) {
        if i < 64 {
            self.first |= 1 << i;
            return;
        }
        let word = i / 64 - 1;
        if self.rest.len() <= word {
            self.rest.resize(word + 1, 0);
        }
        self.rest[word] |= 1 << (i % 64);
    }

    /// Removes a member.
    pub fn remove(&mut self, i: usize) {
        if i < 64 {
            self.first &= !(1 << i);
        } else if let Some(word) = self.rest.get_mut(i / 64 - 1) {
            *word &= !(1 << (i % 64));
        }
        self.trim();
    }

    fn trim(&mut self) {
        while self.rest.last() == Some(&0) {
            self.rest.pop();
        }
    }

    /// Membership.
    pub fn contains(&self, i: usize) -> bool {
        self.words().nth(i / 64).is_some_and(|w| w >> (i % 64) & 1 == 1)
    }

    /// True without members.
    pub fn is_empty(&self) -> bool {
        self.first == 0 && self.rest.is_empty()
    }

    /// Number of members.
    pub fn len(&self) -> usize {
        self.words().map(|w| w.count_ones() as usize).sum()
    }

    fn words(&self) -> impl Iterator<Item = u64> + '_ {
        std::iter::once(self.first).chain(self.rest.iter().copied())
    }

    /// Members in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        self.words().enumerate().flat_map(|(k, word)| {
            let mut left = word;
            std::iter::from_fn(move || {
                if left == 0 {
                    return None;
                }
                let bit = left.trailing_zeros() as usize;
                left &= left - 1;
                Some(k * 64 + bit)
            })
        })
    }

    /// Members of either.
    pub fn union(&self, other: &RelIds) -> RelIds {
        let (longer, shorter) = if self.rest.len() >= other.rest.len() {
            (self, other)
        } else {
            (other, self)
        };
        let mut out = longer.clone();
        out.first |= shorter.first;
        for (a, b) in out.rest.iter_mut().zip(&shorter.rest) {
            *a |= b;
        }
        out
    }

    /// Members of both.
    pub fn intersection(&self, other: &RelIds) -> RelIds {
        let mut out = RelIds {
            first: self.first & other.first,
            rest: self.rest.iter().zip(&other.rest).map(|(a, b)| a & b).collect(),
        };
        out.trim();
        out
    }

    /// Members of this one only.
    pub fn difference(&self, other: &RelIds) -> RelIds {
        let mut out = self.clone();
        out.first &= !other.first;
        for (a, b) in out.rest.iter_mut().zip(&other.rest) {
            *a &= !b;
        }
        out.trim();
        out
    }

    /// True when every member is in `other`.
    pub fn is_subset(&self, other: &RelIds) -> bool {
        let of_other = |k: usize| other.rest.get(k).copied().unwrap_or(0);
        self.first & !other.first == 0
            && self
                .rest
                .iter()
                .enumerate()
                .all(|(k, word)| word & !of_other(k) == 0)
    }

    /// True when both have a member.
    pub fn overlaps(&self, other: &RelIds) -> bool {
        self.first & other.first != 0 || self.rest.iter().zip(&other.rest).any(|(a, b)| a & b != 0)
    }

    /// The only member, if there is exactly one.
    pub fn singleton(&self) -> Option<usize> {
        let mut it = self.iter();
        match (it.next(), it.next()) {
            (Some(i), None) => Some(i),
            _ => None,
        }
    }
}

impl FromIterator<usize> for RelIds {
    fn from_iter<T: IntoIterator<Item = usize>>(iter: T) -> RelIds {
        let mut s = RelIds::empty();
        iter.into_iter().for_each(|i| s.insert(i));
        s
    }
}

impl fmt::Debug for RelIds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}
