//! Random streams: one root seed, one stream a name, so that changing one part of a system leaves every other draw as
//! it was.

use rand_core::{Rng as _, SeedableRng as _};
use rand_xoshiro::Xoshiro256PlusPlus;
pub use squall_policies::Random;

/// One named stream of random bits.
#[derive(Clone, Debug)]
pub struct Stream(Xoshiro256PlusPlus);

impl Stream {
    /// The stream that `name` has under `seed`.
    pub fn new(seed: u64, name: &str) -> Self {
        Self(Xoshiro256PlusPlus::seed_from_u64(hash(seed, name)))
    }
}

impl Random for Stream {
    fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }
}

/// FNV-1a over the seed and the name, finished by splitmix64: stable across platforms and versions.
fn hash(seed: u64, name: &str) -> u64 {
    let bytes = seed.to_le_bytes().into_iter().chain(name.bytes());
    let mut h = bytes.fold(0xcbf2_9ce4_8422_2325u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0000_0100_0000_01b3));
    h = (h ^ (h >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    h = (h ^ (h >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    h ^ (h >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_gives_the_same_bits_for_ever() {
        let mut stream = Stream::new(1, "arrivals/feed");
        let golden = [stream.next_u64(), stream.next_u64(), stream.next_u64()];
        assert_eq!(golden, [4_855_268_353_311_328_361, 3_382_525_788_454_289_115, 10_715_964_087_594_940_964]);
    }

    #[test]
    fn streams_differ_by_seed_and_by_name() {
        let first = |seed, name| Stream::new(seed, name).next_u64();
        assert_ne!(first(1, "a"), first(2, "a"));
        assert_ne!(first(1, "a"), first(1, "b"));
    }
}
