//! Small seeded randomness: the same seed gives the same run.

/// SplitMix64. Good enough for jitter, weights and identifiers; not for secrets.
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    /// From a seed, which is an argument everywhere below `net`.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 random bits.
    pub const fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`; 0 when `bound` is 0.
    pub const fn below(&mut self, bound: u64) -> u64 {
        ((self.next_u64() as u128 * bound as u128) >> 64) as u64
    }
}

/// Most choices of one run.
pub(crate) const RUN_MAX: u32 = 64;

/// Draws the same for all exchanges of one input, at most [`RUN_MAX`] of them: what came with one
/// read leaves with one write instead of a small one for each member of a group. Shares by weight
/// hold from run to run.
#[derive(Debug)]
pub(crate) struct Lot {
    drawn: Rng,
    left: u32,
}

impl Default for Lot {
    fn default() -> Self {
        Self { drawn: Rng::new(0), left: 0 }
    }
}

impl Lot {
    /// What the next exchange draws.
    pub(crate) const fn draw(&mut self, rng: &mut Rng) -> Rng {
        if self.left == 0 {
            *self = Self { drawn: Rng(rng.next_u64()), left: RUN_MAX };
        }
        self.left -= 1;
        Rng(self.drawn.0)
    }

    /// Another input begins.
    pub(crate) const fn end_run(&mut self) {
        self.left = 0;
    }
}
