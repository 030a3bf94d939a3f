//! A fixed-length bit set, used for validity (bit set = not NULL).

/// Bits packed into 64-bit words.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Bitmap {
    words: Vec<u64>,
    len: usize,
}

impl Bitmap {
    /// `len` bits, all `value`.
    pub fn filled(len: usize, value: bool) -> Bitmap {
        let mut words = vec![if value { u64::MAX } else { 0 }; len.div_ceil(64)];
        if value && len % 64 != 0 {
            if let Some(last) = words.last_mut() {
                *last = (1u64 << (len % 64)) - 1;
            }
        }
        Bitmap { words, len }
    }

    /// Number of bits.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// True for no bits at all.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bit `i`.
    #[inline]
    pub fn get(&self, i: usize) -> bool {
        (self.words[i >> 6] >> (i & 63)) & 1 == 1
    }

    /// Sets or clears bit `i`.
    #[inline]
    pub fn set(&mut self, i: usize, value: bool) {
        let mask = 1u64 << (i & 63);
        if value {
            self.words[i >> 6] |= mask;
        } else {
            self.words[i >> 6] &= !mask;
        }
    }

    /// Adds a bit at the end.
    pub fn push(&mut self, value: bool) {
        if self.len % 64 == 0 {
            self.words.push(0);
        }
        self.len += 1;
        self.set(self.len - 1, value);
    }

    /// Forgets the bits from `len` on.
    pub fn truncate(&mut self, len: usize) {
        if len >= self.len {
            return;
        }
        self.words.truncate(len.div_ceil(64));
        if let Some(last) = self.words.last_mut().filter(|_| len % 64 != 0) {
            *last &= (1u64 << (len % 64)) - 1;
        }
        self.len = len;
    }

    /// How many bits are set.
    pub fn count_ones(&self) -> usize {
        self.words.iter().map(|w| w.count_ones() as usize).sum()
    }

    /// The words, 64 bits each, lowest bit first; bits beyond `len` are 0.
    pub fn words(&self) -> &[u64] {
        &self.words
    }

    /// Keeps a bit only where both have it.
    pub fn and_with(&mut self, other: &Bitmap) {
        for (a, b) in self.words.iter_mut().zip(&other.words) {
            *a &= b;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_and_counts() {
        let mut b = Bitmap::filled(70, true);
        assert_eq!(b.count_ones(), 70);
        b.set(69, false);
        b.push(true);
        assert!(!b.get(69) && b.get(70) && b.get(0));
        assert_eq!((b.len(), b.count_ones()), (71, 70));
        b.truncate(65);
        assert_eq!((b.len(), b.count_ones(), b.words().len()), (65, 65, 2));
        b.truncate(64);
        b.push(false);
        assert_eq!((b.len(), b.count_ones()), (65, 64));
    }
}
