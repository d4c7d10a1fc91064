//! Zipf's law: of n keys, the k-th most popular is drawn with a chance proportional to 1/kˢ. By Walker's alias method
//! (as Vose builds its table): one draw of 64 bits, whatever n is.

use squall_policies::Random;

/// A table to draw keys from.
#[derive(Clone, Debug)]
pub struct Zipf {
    /// By key: how many of 2³² draws of its row are its own, and whose the others are.
    rows: Vec<(u32, u32)>,
}

impl Zipf {
    /// `keys` of them, at least one, with this exponent; 0 makes all alike.
    pub fn new(keys: u32, exponent: f64) -> Self {
        let keys = keys.max(1);
        let weights: Vec<f64> = (1..=keys).map(|k| weight(k, exponent)).collect();
        let mean = weights.iter().sum::<f64>() / f64::from(keys);
        let mut left: Vec<f64> = weights.iter().map(|weight| weight / mean).collect();
        let (mut poor, mut rich): (Vec<u32>, Vec<u32>) = (0..keys).partition(|key| left[*key as usize] < 1.0);
        let mut rows: Vec<(u32, u32)> = (0..keys).map(|key| (u32::MAX, key)).collect();
        while let (Some(small), Some(&large)) = (poor.pop(), rich.last()) {
            rows[small as usize] = ((left[small as usize] * 4_294_967_296.0) as u32, large);
            left[large as usize] -= 1.0 - left[small as usize];
            if left[large as usize] < 1.0 {
                rich.pop();
                poor.push(large);
            }
        }
        Self { rows }
    }

    /// A key, from 0, the most popular first.
    pub fn draw(&self, random: &mut impl Random) -> u32 {
        let bits = random.next_u64();
        let key = (((bits >> 32) * self.rows.len() as u64) >> 32) as u32;
        let (own, other) = self.rows[key as usize];
        if (bits as u32) < own { key } else { other }
    }
}

/// The weight of the `k`-th key.
pub fn weight(k: u32, exponent: f64) -> f64 {
    libm::exp(-exponent * libm::log(f64::from(k)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Stream;

    #[test]
    fn every_key_comes_as_often_as_its_weight_says() {
        for (keys, exponent) in [(1, 1.0), (10, 0.0), (10, 1.0), (100, 0.8), (7, 2.5)] {
            let (zipf, mut stream) = (Zipf::new(keys, exponent), Stream::new(1, "zipf"));
            let draws = 200_000;
            let mut counts = vec![0u32; keys as usize];
            (0..draws).for_each(|_| counts[zipf.draw(&mut stream) as usize] += 1);
            let all: f64 = (1..=keys).map(|k| weight(k, exponent)).sum();
            for (key, count) in counts.iter().enumerate() {
                let p = weight(key as u32 + 1, exponent) / all;
                let sd = (p * (1.0 - p) * f64::from(draws)).sqrt();
                let expected = p * f64::from(draws);
                assert!((f64::from(*count) - expected).abs() <= 5.0 * sd + 1.0, "{key} of {keys}: {count}, {expected}");
            }
        }
    }
}
