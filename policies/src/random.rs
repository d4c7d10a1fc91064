//! Where policies get their randomness: from the caller, who decides the stream.

/// A source of random bits. One method to write; the rest follows from it, so that every generator gives the same
/// figures from the same bits.
pub trait Random {
    /// The next 64 random bits.
    fn next_u64(&mut self) -> u64;

    /// Uniform in `[0, 1)`, in steps of 2⁻⁵³.
    fn unit(&mut self) -> f64 {
        (self.next_u64() >> 11) as i64 as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// Uniform among `0..n`; 0 if `n` is 0. Multiply-and-shift: the bias is below n / 2⁶⁴.
    fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.next_u64()) * u128::from(n)) >> 64) as u64
    }
}

impl<R: Random + ?Sized> Random for &mut R {
    fn next_u64(&mut self) -> u64 {
        (**self).next_u64()
    }
}

/// A small seeded generator (Steele, Lea and Flood's SplitMix64), for stepping policies by hand and for tests. A
/// simulation brings its own streams.
#[derive(Clone, Debug)]
pub struct SplitMix64(u64);

impl SplitMix64 {
    /// The generator that starts at `seed`.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }
}

impl Random for SplitMix64 {
    fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splitmix_gives_the_published_figures_for_seed_1234567() {
        let mut rng = SplitMix64::new(1_234_567);
        let drawn = [rng.next_u64(), rng.next_u64(), rng.next_u64()];
        assert_eq!(drawn, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn a_borrowed_generator_draws_from_the_one_it_borrows() {
        fn draw(mut rng: impl Random) -> u64 {
            rng.next_u64()
        }
        let (mut rng, mut same) = (SplitMix64::new(1), SplitMix64::new(1));
        for _ in 0..3 {
            assert_eq!(draw(&mut rng), same.next_u64());
        }
    }

    #[test]
    fn below_stays_below_and_a_unit_stays_under_one() {
        let mut rng = SplitMix64::new(1);
        for n in [0, 1, 2, 7, u64::MAX] {
            for _ in 0..1_000 {
                let drawn = rng.below(n);
                assert!(drawn < n || (n == 0 && drawn == 0));
                assert!((0.0..1.0).contains(&rng.unit()));
            }
        }
    }
}
