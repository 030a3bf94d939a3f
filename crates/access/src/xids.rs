//! Who wrote the rows of a main block: their `xmin`, in as little memory as it takes.

/// PostgreSQL's FrozenTransactionId: rows stored by a version of the program that did not keep their writers.
pub(crate) const FROZEN: u64 = 2;
/// PostgreSQL's BootstrapTransactionId: rows of the program.
pub(crate) const BOOTSTRAP: u64 = 1;

/// A xid per position.
#[derive(Clone, Debug)]
pub(crate) enum Xids {
    /// One transaction wrote them all, as bulk loads do.
    Same(u64),
    /// The lowest, and the distance of each from it.
    Near(u64, Box<[u32]>),
    /// Too far apart for that.
    Far(Box<[u64]>),
}

impl Xids {
    pub(crate) fn of(all: &[u64]) -> Xids {
        let Some((low, high)) = all.iter().min().zip(all.iter().max()) else {
            return Xids::Same(FROZEN);
        };
        if low == high {
            return Xids::Same(*low);
        }
        match u32::try_from(high - low) {
            Ok(_) => Xids::Near(*low, all.iter().map(|xid| (xid - low) as u32).collect()),
            Err(_) => Xids::Far(all.into()),
        }
    }

    pub(crate) fn get(&self, position: usize) -> u64 {
        match self {
            Xids::Same(xid) => *xid,
            Xids::Near(low, distances) => low + u64::from(distances.get(position).copied().unwrap_or(0)),
            Xids::Far(all) => all.get(position).copied().unwrap_or(FROZEN),
        }
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        match self {
            Xids::Same(_) => 0,
            Xids::Near(_, distances) => distances.len() * 4,
            Xids::Far(all) => all.len() * 8,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_gives_back_what_was_put_in() {
        let far = 1 << 46;
        for all in [vec![], vec![7, 7, 7], vec![9, 3, 4_000_000_000], vec![1, far, 5]] {
            let xids = Xids::of(&all);
            for (position, xid) in all.iter().enumerate() {
                assert_eq!(xids.get(position), *xid);
            }
        }
        assert!(matches!(Xids::of(&[7, 7]), Xids::Same(7)));
        assert!(matches!(Xids::of(&[9, 3]), Xids::Near(3, _)));
        assert!(matches!(Xids::of(&[9, far]), Xids::Far(_)));
    }
}
