//! Lock modes and which exclude which.
//!
//! PG: documentation 13.3.1 (table-level locks) and 13.3.2 (row-level locks).

/// PostgreSQL's eight lock modes, in ascending strength.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)]
#[repr(u8)]
pub enum LockMode {
    AccessShare = 1,
    RowShare = 2,
    RowExclusive = 3,
    ShareUpdateExclusive = 4,
    Share = 5,
    ShareRowExclusive = 6,
    Exclusive = 7,
    AccessExclusive = 8,
}

/// A set of modes: bit n is mode n.
pub(crate) type ModeMask = u16;

/// For each mode the modes that it cannot be held together with (of other sessions). Index 0 is unused.
const CONFLICTS: [ModeMask; 9] = {
    const fn bits(modes: &[LockMode]) -> ModeMask {
        let (mut mask, mut i) = (0, 0);
        while i < modes.len() {
            mask |= 1 << modes[i] as u16;
            i += 1;
        }
        mask
    }
    use LockMode::*;
    [
        0,
        bits(&[AccessExclusive]),
        bits(&[Exclusive, AccessExclusive]),
        bits(&[Share, ShareRowExclusive, Exclusive, AccessExclusive]),
        bits(&[
            ShareUpdateExclusive,
            Share,
            ShareRowExclusive,
            Exclusive,
            AccessExclusive,
        ]),
        bits(&[
            RowExclusive,
            ShareUpdateExclusive,
            ShareRowExclusive,
            Exclusive,
            AccessExclusive,
        ]),
        bits(&[
            RowExclusive,
            ShareUpdateExclusive,
            Share,
            ShareRowExclusive,
            Exclusive,
            AccessExclusive,
        ]),
        bits(&[
            RowShare,
            RowExclusive,
            ShareUpdateExclusive,
            Share,
            ShareRowExclusive,
            Exclusive,
            AccessExclusive,
        ]),
        0b1_1111_1110,
    ]
};

impl LockMode {
    /// All modes, weakest first.
    pub const ALL: [LockMode; 8] = [
        LockMode::AccessShare,
        LockMode::RowShare,
        LockMode::RowExclusive,
        LockMode::ShareUpdateExclusive,
        LockMode::Share,
        LockMode::ShareRowExclusive,
        LockMode::Exclusive,
        LockMode::AccessExclusive,
    ];

    /// As `pg_locks.mode` and error details spell it.
    pub fn name(self) -> &'static str {
        match self {
            LockMode::AccessShare => "AccessShareLock",
            LockMode::RowShare => "RowShareLock",
            LockMode::RowExclusive => "RowExclusiveLock",
            LockMode::ShareUpdateExclusive => "ShareUpdateExclusiveLock",
            LockMode::Share => "ShareLock",
            LockMode::ShareRowExclusive => "ShareRowExclusiveLock",
            LockMode::Exclusive => "ExclusiveLock",
            LockMode::AccessExclusive => "AccessExclusiveLock",
        }
    }

    /// True when two sessions cannot hold `self` and `other` on the same thing.
    pub fn conflicts_with(self, other: LockMode) -> bool {
        self.conflicts() & other.bit() != 0
    }

    #[inline]
    pub(crate) const fn bit(self) -> ModeMask {
        1 << self as u16
    }

    #[inline]
    pub(crate) const fn conflicts(self) -> ModeMask {
        CONFLICTS[self as usize]
    }

    /// True for modes that exclude none of each other: the ones DML takes on relations.
    #[inline]
    pub(crate) const fn is_weak(self) -> bool {
        (self as u8) < LockMode::ShareUpdateExclusive as u8
    }

    /// True for modes that exclude some weak one.
    #[inline]
    pub(crate) const fn is_strong(self) -> bool {
        self as u8 > LockMode::ShareUpdateExclusive as u8
    }
}

/// The four strengths of `SELECT ... FOR`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RowLockMode {
    /// `FOR KEY SHARE`: the key stays.
    KeyShare,
    /// `FOR SHARE`: the row stays.
    Share,
    /// `FOR NO KEY UPDATE`, and an update that leaves the key alone.
    NoKeyUpdate,
    /// `FOR UPDATE`, deletes, and updates of the key.
    Update,
}

impl RowLockMode {
    /// The table mode that PostgreSQL uses for the tuple lock; its conflicts are exactly those of the row mode.
    pub const fn lock_mode(self) -> LockMode {
        match self {
            RowLockMode::KeyShare => LockMode::AccessShare,
            RowLockMode::Share => LockMode::RowShare,
            RowLockMode::NoKeyUpdate => LockMode::Exclusive,
            RowLockMode::Update => LockMode::AccessExclusive,
        }
    }

    /// True when two sessions cannot hold `self` and `other` on the same row.
    pub fn conflicts_with(self, other: RowLockMode) -> bool {
        self.lock_mode().conflicts_with(other.lock_mode())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of the documentation (13.2), row by row; X is a conflict.
    const TABLE_LEVEL: [&str; 8] = [
        ".......X", // ACCESS SHARE
        "......XX", // ROW SHARE
        "....XXXX", // ROW EXCLUSIVE
        "...XXXXX", // SHARE UPDATE EXCLUSIVE
        "..XX.XXX", // SHARE
        "..XXXXXX", // SHARE ROW EXCLUSIVE
        ".XXXXXXX", // EXCLUSIVE
        "XXXXXXXX", // ACCESS EXCLUSIVE
    ];

    #[test]
    fn table_modes_conflict_as_documented() {
        for (a, row) in LockMode::ALL.into_iter().zip(TABLE_LEVEL) {
            for (b, cell) in LockMode::ALL.into_iter().zip(row.chars()) {
                assert_eq!(a.conflicts_with(b), cell == 'X', "{a:?} {b:?}");
                assert_eq!(a.conflicts_with(b), b.conflicts_with(a));
            }
        }
    }

    #[test]
    fn row_modes_conflict_as_documented() {
        use RowLockMode::*;
        let modes = [KeyShare, Share, NoKeyUpdate, Update];
        for (a, row) in modes.into_iter().zip(["...X", "..XX", ".XXX", "XXXX"]) {
            for (b, cell) in modes.into_iter().zip(row.chars()) {
                assert_eq!(a.conflicts_with(b), cell == 'X', "{a:?} {b:?}");
            }
        }
    }

    #[test]
    fn weak_modes_never_exclude_each_other() {
        for a in LockMode::ALL {
            for b in LockMode::ALL {
                assert!(!(a.is_weak() && b.is_weak() && a.conflicts_with(b)));
                assert!(!(a.is_weak() && a.conflicts_with(b) && !b.is_strong()));
            }
        }
    }
}
