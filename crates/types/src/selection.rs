//! Which rows of a batch count.

use std::sync::Arc;

/// Row positions within a batch: all of them, or an ascending list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// Positions `0..n`.
    All(usize),
    /// The listed positions, ascending, without duplicates.
    Rows(Arc<[u16]>),
}

impl Selection {
    /// How many rows count.
    #[inline]
    pub fn len(&self) -> usize {
        match self {
            Selection::All(n) => *n,
            Selection::Rows(rows) => rows.len(),
        }
    }

    /// True when no row counts.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The position of the `k`-th row that counts.
    #[inline]
    pub fn position(&self, k: usize) -> usize {
        match self {
            Selection::All(_) => k,
            Selection::Rows(rows) => rows[k] as usize,
        }
    }

    /// The positions in order. In kernels prefer [`Selection::try_for_each`], whose loop over `All` vectorizes.
    pub fn iter(&self) -> impl Iterator<Item = usize> + Clone + '_ {
        (0..self.len()).map(move |k| self.position(k))
    }

    /// Calls `f` with every position, stopping at the first error.
    #[inline]
    pub fn try_for_each<E>(&self, mut f: impl FnMut(usize) -> Result<(), E>) -> Result<(), E> {
        match self {
            Selection::All(n) => (0..*n).try_for_each(f),
            Selection::Rows(rows) => rows.iter().try_for_each(|&i| f(i as usize)),
        }
    }

    /// Calls `f` with every position.
    #[inline]
    pub fn for_each(&self, mut f: impl FnMut(usize)) {
        match self {
            Selection::All(n) => (0..*n).for_each(f),
            Selection::Rows(rows) => rows.iter().for_each(|&i| f(i as usize)),
        }
    }

    /// The positions for which `keep` holds.
    pub fn filter(&self, mut keep: impl FnMut(usize) -> bool) -> Selection {
        // Without a branch per row: every position is written, and overwritten by the next when it is not kept.
        let mut rows = vec![0u16; self.len()];
        let mut kept = 0;
        self.for_each(|i| {
            if let Some(slot) = rows.get_mut(kept) {
                *slot = i as u16;
            }
            kept += usize::from(keep(i));
        });
        rows.truncate(kept);
        match self {
            Selection::All(n) if rows.len() == *n => Selection::All(*n),
            _ => Selection::Rows(rows.into()),
        }
    }

    /// The positions of this selection that are not in `other`, a subset of it.
    pub fn minus(&self, other: &Selection) -> Selection {
        let mut taken = other.iter().peekable();
        self.filter(|i| {
            while taken.peek().is_some_and(|&t| t < i) {
                taken.next();
            }
            taken.peek() != Some(&i)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn narrows_and_subtracts() {
        let even = Selection::All(6).filter(|i| i % 2 == 0);
        assert_eq!(even.iter().collect::<Vec<_>>(), [0, 2, 4]);
        let rest = Selection::All(6).minus(&even);
        assert_eq!(rest.iter().collect::<Vec<_>>(), [1, 3, 5]);
        assert_eq!(Selection::All(3).filter(|_| true), Selection::All(3));
    }
}
