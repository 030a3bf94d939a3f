//! How a crash simulation's database keeps changes, by its seed.

/// How the database of a seed is opened.
#[derive(Clone, Copy)]
pub struct Kind {
    pub ahead: bool,
    pub rows_min: usize,
    /// Memory of index entries that wait to follow rows in the store.
    pub entry_bytes: usize,
    /// Rows inserted one by one that wait for that.
    pub singles: usize,
    /// Rows stay where they are when they are updated, from the beginning.
    pub in_place: bool,
    /// Texts leave their rows: none, those of fresh rows into the log, all into the store.
    pub toast: u64,
    /// Forks and backups are made on the way.
    pub copies: bool,
}

impl Kind {
    pub fn of(seed: u64) -> Kind {
        Kind {
            ahead: seed % 2 == 0,
            rows_min: (seed / 2 % 2) as usize,
            entry_bytes: [0, 500, 1 << 20][(seed / 2 % 3) as usize],
            singles: [1, 3, 10, 1 << 14][(seed / 4 % 4) as usize],
            in_place: seed / 7 % 3 != 0,
            toast: seed % 3,
            copies: false,
        }
    }
}
