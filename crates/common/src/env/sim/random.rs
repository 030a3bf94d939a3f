//! The simulator's random numbers: SplitMix64 (Steele, Lea & Flood 2014), spelled out here because a kept seed must mean
//! the same run for ever, which no crate promises.

/// A seeded stream of numbers.
#[derive(Clone, Debug)]
pub struct SimRandom {
    state: u64,
}

impl SimRandom {
    /// The stream of a seed.
    pub fn new(seed: u64) -> SimRandom {
        SimRandom { state: seed }
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`; 0 when `end` is 0.
    pub fn below(&mut self, end: u64) -> u64 {
        // The modulo's bias is far below anything a test can see.
        if end == 0 { 0 } else { self.next_u64() % end }
    }

    /// A number below `end`, for indexes.
    pub fn index(&mut self, end: usize) -> usize {
        usize::try_from(self.below(end as u64)).unwrap_or(0)
    }

    /// True once in `n` times on average.
    pub fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    /// Fills a buffer.
    pub fn fill(&mut self, buf: &mut [u8]) {
        for chunk in buf.chunks_mut(8) {
            let bytes = self.next_u64().to_le_bytes();
            chunk.copy_from_slice(bytes.get(..chunk.len()).unwrap_or_default());
        }
    }

    /// A stream that does not depend on how far this one is read later.
    pub fn fork(&mut self) -> SimRandom {
        SimRandom::new(self.next_u64())
    }
}
