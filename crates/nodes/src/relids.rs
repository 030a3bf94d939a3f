//! Sets of range table indexes.

use std::fmt;

/// A set of small numbers: range table indexes (1-based).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default, serde::Serialize, serde::Deserialize)]
pub struct RelIds(Vec<u64>);

impl RelIds {
    /// The empty set.
    pub const fn empty() -> RelIds {
        RelIds(Vec::new())
    }

    /// The set of one.
    pub fn single(i: usize) -> RelIds {
        let mut s = RelIds::empty();
        s.insert(i);
        s
    }

    /// Adds a member.
    pub fn insert(&mut self, i: usize) {
        if self.0.len() <= i / 64 {
            self.0.resize(i / 64 + 1, 0);
        }
        self.0[i / 64] |= 1 << (i % 64);
    }

    /// Removes a member.
    pub fn remove(&mut self, i: usize) {
        if let Some(word) = self.0.get_mut(i / 64) {
            *word &= !(1 << (i % 64));
        }
        self.trim();
    }

    fn trim(&mut self) {
        while self.0.last() == Some(&0) {
            self.0.pop();
        }
    }

    /// Membership.
    pub fn contains(&self, i: usize) -> bool {
        self.0.get(i / 64).is_some_and(|w| w >> (i % 64) & 1 == 1)
    }

    /// True without members.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Number of members.
    pub fn len(&self) -> usize {
        self.0.iter().map(|w| w.count_ones() as usize).sum()
    }

    /// Members in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        self.0
            .iter()
            .enumerate()
            .flat_map(|(k, w)| (0..64).filter(move |b| w >> b & 1 == 1).map(move |b| k * 64 + b))
    }

    /// Members of either.
    pub fn union(&self, other: &RelIds) -> RelIds {
        let (longer, shorter) = if self.0.len() >= other.0.len() {
            (self, other)
        } else {
            (other, self)
        };
        let mut out = longer.clone();
        for (a, b) in out.0.iter_mut().zip(&shorter.0) {
            *a |= b;
        }
        out
    }

    /// Members of both.
    pub fn intersection(&self, other: &RelIds) -> RelIds {
        let mut out = RelIds(self.0.iter().zip(&other.0).map(|(a, b)| a & b).collect());
        out.trim();
        out
    }

    /// Members of this one only.
    pub fn difference(&self, other: &RelIds) -> RelIds {
        let mut out = self.clone();
        for (a, b) in out.0.iter_mut().zip(&other.0) {
            *a &= !b;
        }
        out.trim();
        out
    }

    /// True when every member is in `other`.
    pub fn is_subset(&self, other: &RelIds) -> bool {
        let of_other = |k: usize| other.0.get(k).copied().unwrap_or(0);
        self.0
            .iter()
            .enumerate()
            .all(|(k, word)| word & !of_other(k) == 0)
    }

    /// True when both have a member.
    pub fn overlaps(&self, other: &RelIds) -> bool {
        self.0.iter().zip(&other.0).any(|(a, b)| a & b != 0)
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
