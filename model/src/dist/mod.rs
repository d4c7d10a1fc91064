//! Times that vary: every distribution of the topology file, drawn from a caller's stream. Bits in, nanoseconds out,
//! the same on every platform: no function of the platform's maths library is used.

mod tables;
mod zipf;

use squall_policies::{Random, Span};

pub use zipf::{Zipf, weight as zipf_weight};

use tables::{EXPONENTIAL_F, EXPONENTIAL_X, NORMAL_F, NORMAL_X};

/// A time that may vary. Parameters are in nanoseconds where they are times.
#[derive(Clone, PartialEq, Debug)]
pub enum Dist {
    /// Always this.
    Constant(Span),
    /// Evenly between the two.
    Uniform {
        /// Least.
        from: f64,
        /// Greatest.
        to: f64,
    },
    /// Memoryless.
    Exponential {
        /// Mean.
        mean: f64,
    },
    /// Bell curve, cut at zero.
    Normal {
        /// Mean.
        mean: f64,
        /// Standard deviation.
        sd: f64,
    },
    /// Its logarithm is normal.
    Lognormal {
        /// Mean of the logarithm.
        mu: f64,
        /// Standard deviation of the logarithm.
        sigma: f64,
    },
    /// Power-law tail.
    Pareto {
        /// Least.
        minimum: f64,
        /// One over alpha.
        inverse_alpha: f64,
    },
    /// Sum of so many exponentials.
    Erlang {
        /// How many.
        shape: u32,
        /// Mean of the sum.
        mean: f64,
    },
    /// Usually one, rarely the other.
    Bimodal {
        /// Usually this.
        usual: Span,
        /// Rarely this.
        rare: Span,
        /// The share of the rare.
        share: f64,
    },
    /// Given points of the cumulative distribution, straight lines between.
    Percentiles(Vec<(f64, f64)>),
    /// One of these, each as likely as the others.
    Empirical(Vec<Span>),
}

/// The 99th percentile of the standard normal distribution.
const NORMAL_P99: f64 = 2.326_347_874_040_841;

impl Dist {
    /// The log-normal distribution with this median and this 99th percentile, in nanoseconds.
    pub fn lognormal(p50: f64, p99: f64) -> Self {
        let mu = libm::log(p50);
        Self::Lognormal { mu, sigma: (libm::log(p99) - mu) / NORMAL_P99 }
    }

    /// The one value it always has, if it has one.
    pub const fn constant(&self) -> Option<Span> {
        match self {
            Self::Constant(span) => Some(*span),
            _ => None,
        }
    }

    /// Draws once. A constant draws nothing from the stream.
    #[inline(always)]
    pub fn sample(&self, random: &mut impl Random) -> Span {
        match *self {
            Self::Constant(span) => span,
            Self::Exponential { mean } => Span::from_nanos_f64(mean * exponential(random)),
            _ => self.sample_other(random),
        }
    }

    /// As [`sample`](Self::sample), for what is drawn less often.
    #[inline(never)]
    fn sample_other(&self, random: &mut impl Random) -> Span {
        match *self {
            Self::Constant(_) | Self::Exponential { .. } => Span::ZERO,
            Self::Uniform { from, to } => Span::from_nanos_f64(from + (to - from) * random.unit()),
            Self::Normal { mean, sd } => Span::from_nanos_f64(mean + sd * normal(random)),
            Self::Lognormal { mu, sigma } => Span::from_nanos_f64(libm::exp(mu + sigma * normal(random))),
            Self::Pareto { minimum, inverse_alpha } => {
                Span::from_nanos_f64(minimum * libm::exp(inverse_alpha * exponential(random)))
            }
            Self::Erlang { shape, mean } => {
                let sum: f64 = (0..shape).map(|_| exponential(random)).sum();
                Span::from_nanos_f64(mean / f64::from(shape) * sum)
            }
            Self::Bimodal { usual, rare, share } => {
                if random.unit() < share {
                    rare
                } else {
                    usual
                }
            }
            Self::Percentiles(ref points) => Span::from_nanos_f64(interpolate(points, random.unit())),
            Self::Empirical(ref samples) => {
                samples.get(random.below(samples.len() as u64) as usize).copied().unwrap_or_default()
            }
        }
    }

    /// Its mean in nanoseconds; infinite where it has none.
    pub fn mean(&self) -> f64 {
        match *self {
            Self::Constant(span) => span.as_nanos() as f64,
            Self::Exponential { mean } | Self::Erlang { mean, .. } => mean,
            Self::Uniform { from, to } => f64::midpoint(from, to),
            // Cut at zero: E[max(0, X)] = mean·Φ(mean/sd) + sd·φ(mean/sd).
            Self::Normal { mean, sd } if sd > 0.0 => {
                let z = mean / sd;
                let density = libm::exp(-z * z / 2.0) / (2.0 * core::f64::consts::PI).sqrt();
                mean * libm::erfc(-z / core::f64::consts::SQRT_2) / 2.0 + sd * density
            }
            Self::Normal { mean, .. } => mean.max(0.0),
            Self::Lognormal { mu, sigma } => libm::exp(mu + sigma * sigma / 2.0),
            Self::Pareto { inverse_alpha, .. } if inverse_alpha >= 1.0 => f64::INFINITY,
            Self::Pareto { minimum, inverse_alpha } => minimum / (1.0 - inverse_alpha),
            Self::Bimodal { usual, rare, share } => {
                usual.as_nanos() as f64 * (1.0 - share) + rare.as_nanos() as f64 * share
            }
            Self::Percentiles(ref points) => {
                points.windows(2).map(|w| (w[1].0 - w[0].0) * f64::midpoint(w[0].1, w[1].1)).sum()
            }
            Self::Empirical(ref samples) => {
                samples.iter().map(|s| s.as_nanos() as f64).sum::<f64>() / samples.len().max(1) as f64
            }
        }
    }
}

/// The value at `share` on the lines through `points`, which ascend from share 0 to share 1.
fn interpolate(points: &[(f64, f64)], share: f64) -> f64 {
    let above = points.partition_point(|p| p.0 <= share).clamp(1, points.len().max(2) - 1);
    match (points.get(above - 1), points.get(above)) {
        (Some(&(a, low)), Some(&(b, high))) if b > a => low + (high - low) * (share - a) / (b - a),
        (Some(&(_, low)), _) => low,
        _ => 0.0,
    }
}

/// The exponential distribution of mean 1, by ziggurat.
#[inline(always)]
pub fn exponential(random: &mut impl Random) -> f64 {
    let bits = random.next_u64();
    let layer = (bits & 0xff) as usize;
    let x = uniform(bits) * EXPONENTIAL_X[layer];
    if x < EXPONENTIAL_X[layer + 1] { x } else { beyond(random, bits) }
}

/// What is drawn with `bits`, which do not lie under the part of their layer that all of the next one covers.
#[inline(never)]
fn beyond(random: &mut impl Random, mut bits: u64) -> f64 {
    let mut shift = 0.0;
    loop {
        let layer = (bits & 0xff) as usize;
        let x = uniform(bits) * EXPONENTIAL_X[layer];
        if x < EXPONENTIAL_X[layer + 1] {
            return shift + x;
        }
        if layer == 0 {
            // The tail beyond the last edge has the shape of the whole.
            shift += EXPONENTIAL_X[1];
        } else {
            let height = EXPONENTIAL_F[layer] + (EXPONENTIAL_F[layer + 1] - EXPONENTIAL_F[layer]) * random.unit();
            if height < libm::exp(-x) {
                return shift + x;
            }
        }
        bits = random.next_u64();
    }
}

/// The standard normal distribution, by ziggurat.
#[inline]
pub fn normal(random: &mut impl Random) -> f64 {
    loop {
        let bits = random.next_u64();
        let layer = (bits & 0xff) as usize;
        let sign = if bits & 0x100 == 0 { 1.0 } else { -1.0 };
        let x = uniform(bits) * NORMAL_X[layer];
        if x < NORMAL_X[layer + 1] {
            return sign * x;
        }
        if layer == 0 {
            return sign * normal_tail(random);
        }
        let height = NORMAL_F[layer] + (NORMAL_F[layer + 1] - NORMAL_F[layer]) * random.unit();
        if height < libm::exp(-x * x / 2.0) {
            return sign * x;
        }
    }
}

/// The normal tail beyond the last edge (Marsaglia, 1964).
#[cold]
fn normal_tail(random: &mut impl Random) -> f64 {
    let edge = NORMAL_X[1];
    loop {
        let x = exponential(random) / edge;
        let y = exponential(random);
        if y + y > x * x {
            return edge + x;
        }
    }
}

/// Uniform in `[0, 1)` from the upper 53 bits, which the layer does not use.
#[inline]
fn uniform(bits: u64) -> f64 {
    (bits >> 11) as i64 as f64 * (1.0 / (1u64 << 53) as f64)
}

#[cfg(test)]
mod tests;
