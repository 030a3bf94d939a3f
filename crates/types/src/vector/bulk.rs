//! Appending many values at once.

use crate::{PhysType, Vector, VectorData};

/// Numbers of a class out of their little-endian bytes.
macro_rules! fixed_widths {
    ($data:expr, $bytes:expr, $($variant:ident $t:ty;)*) => {
        match $data {
            $(VectorData::$variant(values) => {
                let (numbers, rest) = $bytes.as_chunks::<{ size_of::<$t>() }>();
                if !rest.is_empty() {
                    return false;
                }
                values.extend(numbers.iter().map(|n| <$t>::from_le_bytes(*n)));
                numbers.len()
            })*
            _ => return false,
        }
    };
}

impl Vector {
    /// Appends numbers of fixed width as they are stored; false (and nothing done) when the class has another form.
    pub fn extend_stored(&mut self, bytes: &[u8]) -> bool {
        debug_assert!(!self.constant);
        let added = fixed_widths!(self.values.general_mut(), bytes, Int2 i16; Int4 i32; Int8 i64; Oid u32; Float4 f32; Float8 f64;);
        self.added(added);
        true
    }

    /// Appends strings that lie behind each other, by their lengths; false (and nothing done) unless it is a column of strings, the
    /// bytes are theirs, and, for texts, ASCII.
    pub fn extend_strings(&mut self, bytes: &[u8], lengths: impl Iterator<Item = usize> + Clone) -> bool {
        debug_assert!(!self.constant);
        let wanted = self.phys() == PhysType::Bytes || bytes.is_ascii();
        if !wanted || lengths.clone().sum::<usize>() != bytes.len() {
            return false;
        }
        let (VectorData::Text(strings) | VectorData::Bytes(strings)) = self.values.general_mut() else {
            return false;
        };
        let before = strings.len();
        strings.extend_strings(bytes, lengths);
        let added = strings.len() - before;
        self.added(added);
        true
    }

    /// So many values that are not NULL were appended.
    fn added(&mut self, count: usize) {
        if let Some(validity) = &mut self.validity {
            (0..count).for_each(|_| validity.push(true));
        }
        self.len += count;
    }

    /// Appends rows of many vectors of the same class: `picks` are numbers of vectors with rows in them.
    pub fn extend_picked(&mut self, sources: &[&Vector], picks: &[(u32, u32)]) {
        debug_assert!(!self.constant);
        let plain = |v: &&Vector| v.validity.is_none() && !v.constant;
        let at_rest = |v: &&Vector| v.values.ready().is_none();
        if self.validity.is_none() && sources.iter().all(plain) && sources.iter().any(at_rest) {
            return self.pick_at_rest(sources, picks);
        }
        if self.validity.is_some() || !sources.iter().all(plain) || !self.pick(sources, picks) {
            for &(source, row) in picks {
                self.push_from(sources[source as usize], row as usize);
            }
        }
    }

    /// [`Vector::extend_picked`] where some vectors are compact or decimals.
    fn pick_at_rest(&mut self, sources: &[&Vector], picks: &[(u32, u32)]) {
        let scale = sources.first().and_then(|s| s.values.scale());
        if let Some(scale) = scale
            && sources.iter().all(|s| s.values.scale() == Some(scale))
            && let Some(mine) = self.values.growing(scale)
        {
            let digits =
                |v: &Vector, row: u32| v.values.decimal(row as usize).map_or(0, |(digits, _)| digits);
            mine.extend(picks.iter().map(|&(s, row)| digits(sources[s as usize], row)));
            self.len = self.values.len();
            return;
        }
        let integer = |&(s, row): &(u32, u32)| {
            let value = sources[s as usize].values.integer(row as usize);
            value.unwrap_or_default()
        };
        match (self.phys(), self.values.general_mut()) {
            (PhysType::Int2, VectorData::Int2(mine)) => mine.extend(picks.iter().map(|p| integer(p) as i16)),
            (PhysType::Int4, VectorData::Int4(mine)) => mine.extend(picks.iter().map(|p| integer(p) as i32)),
            (PhysType::Int8, VectorData::Int8(mine)) => mine.extend(picks.iter().map(integer)),
            _ => {
                return picks
                    .iter()
                    .for_each(|&(s, row)| self.push_from(sources[s as usize], row as usize));
            }
        }
        self.len = self.values.len();
    }

    /// [`Vector::extend_picked`] of values that lie there as they are; false (and nothing done) when some vector has another class.
    fn pick(&mut self, sources: &[&Vector], picks: &[(u32, u32)]) -> bool {
        macro_rules! same {
            ($($variant:ident)*) => {
                match self.values.general_mut() {
                    $(VectorData::$variant(mine) => {
                        let mut slices = Vec::with_capacity(sources.len());
                        for source in sources {
                            let VectorData::$variant(data) = source.data() else {
                                return false;
                            };
                            slices.push(data.as_slice());
                        }
                        mine.extend(picks.iter().map(|&(s, row)| slices[s as usize][row as usize].clone()));
                    })*
                    _ => return false,
                }
            };
        }
        same!(Bool Char Int2 Int4 Int8 Oid Float4 Float8 Interval Uuid Numeric);
        self.len = self.values.len();
        true
    }
}
