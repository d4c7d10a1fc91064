//! Adaptive concurrency limits of Netflix's concurrency-limits (78a74b9, January 2026): a limit on calls at once that
//! follows what latency and drops say. One algorithm a file; this one counts the calls under way.

mod aimd;
mod gradient2;
mod vegas;
mod windowed;

pub use aimd::{Aimd, AimdConfig};
pub use gradient2::{Gradient2, Gradient2Config};
pub use vegas::{Vegas, VegasConfig};
pub use windowed::WindowConfig;

use windowed::Window;

use crate::check::Invalid;
use crate::{Random, SimTime, Span};

/// Which algorithm, and whether its samples are gathered in windows first.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdaptiveConfig {
    /// The algorithm, with its settings.
    pub algorithm: AlgorithmConfig,
    /// Windows that turn many samples into one. Default: none, every call is a sample.
    pub window: Option<WindowConfig>,
}

/// Which algorithm, with its settings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum AlgorithmConfig {
    /// Up by one, down by a share.
    Aimd(AimdConfig),
    /// From the queue that latency betrays.
    Vegas(VegasConfig),
    /// From the ratio of long-term to present latency.
    Gradient2(Gradient2Config),
}

impl AdaptiveConfig {
    /// Whether the values are in their ranges.
    pub fn check(&self) -> Result<(), Invalid> {
        match self.algorithm {
            AlgorithmConfig::Aimd(config) => config.check(),
            AlgorithmConfig::Vegas(config) => config.check(),
            AlgorithmConfig::Gradient2(config) => config.check(),
        }?;
        self.window.map_or(Ok(()), |window| window.check())
    }
}

/// What one call, or a window of them, tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// How long it took.
    pub rtt: Span,
    /// Calls under way when it began, itself included.
    pub in_flight: u32,
    /// Whether it timed out or was turned away.
    pub dropped: bool,
}

/// The machine: an algorithm, and the calls under way.
#[derive(Clone, Debug)]
pub struct Adaptive {
    algorithm: Algorithm,
    window: Option<Window>,
    in_flight: u32,
}

#[derive(Clone, Debug)]
enum Algorithm {
    Aimd(Aimd),
    Vegas(Vegas),
    Gradient2(Gradient2),
}

impl Adaptive {
    /// A limit at its initial value.
    pub fn new(config: &AdaptiveConfig, rng: &mut impl Random) -> Self {
        let algorithm = match config.algorithm {
            AlgorithmConfig::Aimd(config) => Algorithm::Aimd(Aimd::new(config)),
            AlgorithmConfig::Vegas(config) => Algorithm::Vegas(Vegas::new(config, rng)),
            AlgorithmConfig::Gradient2(config) => Algorithm::Gradient2(Gradient2::new(config)),
        };
        Self { algorithm, window: config.window.map(Window::new), in_flight: 0 }
    }

    /// Goes by another configuration from now on, at its initial limit. Calls that are under way stay.
    pub fn restart(&mut self, config: &AdaptiveConfig, rng: &mut impl Random) {
        *self = Self { in_flight: self.in_flight, ..Self::new(config, rng) };
    }

    /// Lets a call in if fewer than the limit are under way (`<`), and says how many are with it.
    #[inline]
    pub fn enter(&mut self) -> Option<u32> {
        let admitted = self.in_flight < self.limit();
        self.in_flight += u32::from(admitted);
        admitted.then_some(self.in_flight)
    }

    /// A call has ended and is a sample.
    pub fn exit(&mut self, now: SimTime, sample: Sample, rng: &mut impl Random) {
        self.leave();
        let sample = match &mut self.window {
            Some(window) => window.gather(now, sample),
            None => Some(sample),
        };
        if let Some(sample) = sample {
            match &mut self.algorithm {
                Algorithm::Aimd(algorithm) => algorithm.update(sample),
                Algorithm::Vegas(algorithm) => algorithm.update(sample, rng),
                Algorithm::Gradient2(algorithm) => algorithm.update(sample),
            }
        }
    }

    /// A call has ended and says nothing about latency.
    pub fn leave(&mut self) {
        assert!(self.in_flight > 0, "only a call that entered leaves");
        self.in_flight -= 1;
    }

    /// Calls at once.
    #[inline]
    pub fn limit(&self) -> u32 {
        match &self.algorithm {
            Algorithm::Aimd(algorithm) => algorithm.limit(),
            Algorithm::Vegas(algorithm) => algorithm.limit(),
            Algorithm::Gradient2(algorithm) => algorithm.limit(),
        }
    }

    /// Calls under way.
    pub fn in_flight(&self) -> u32 {
        self.in_flight
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SplitMix64;
    use proptest::prelude::*;

    fn algorithms() -> [AlgorithmConfig; 3] {
        [
            AlgorithmConfig::Aimd(AimdConfig::default()),
            AlgorithmConfig::Vegas(VegasConfig::default()),
            AlgorithmConfig::Gradient2(Gradient2Config::default()),
        ]
    }

    #[test]
    fn the_call_at_the_limit_enters_and_the_one_past_it_does_not() {
        for algorithm in algorithms() {
            let mut rng = SplitMix64::new(1);
            let mut limit = Adaptive::new(&AdaptiveConfig { algorithm, window: None }, &mut rng);
            assert_eq!((1..=20).map(|_| limit.enter().unwrap()).collect::<Vec<_>>(), (1..=20).collect::<Vec<_>>());
            assert_eq!((limit.enter(), limit.in_flight()), (None, 20));
            limit.leave();
            assert_eq!(limit.in_flight(), 19);
            assert_eq!(limit.enter(), Some(20));
        }
    }

    #[test]
    #[should_panic(expected = "only a call that entered leaves")]
    fn a_call_that_did_not_enter_cannot_leave() {
        let config = AdaptiveConfig { algorithm: algorithms()[0], window: None };
        Adaptive::new(&config, &mut SplitMix64::new(1)).leave();
    }

    /// A callee that serves 100 at once in 10 ms each and queues the rest, under all the calls the limit admits.
    fn settles(algorithm: AlgorithmConfig, window: Option<WindowConfig>) -> u32 {
        let mut rng = SplitMix64::new(1);
        let mut limit = Adaptive::new(&AdaptiveConfig { algorithm, window }, &mut rng);
        let mut now = SimTime::ZERO;
        for _ in 0..3_000 {
            let entered: Vec<u32> = std::iter::from_fn(|| limit.enter()).collect();
            let load = entered.len() as f64 / 100.0;
            let rtt = Span::from_millis(10).scale(load.max(1.0));
            now += rtt;
            for in_flight in entered {
                limit.exit(now, Sample { rtt, in_flight, dropped: load > 2.5 }, &mut rng);
            }
        }
        limit.limit()
    }

    #[test]
    fn each_algorithm_settles_near_what_the_callee_can_serve() {
        let window = Some(WindowConfig { length: Span::from_millis(100), ..WindowConfig::default() });
        let [aimd, vegas, gradient2] = algorithms();
        let aimd_alone = settles(aimd, None);
        assert_eq!(aimd_alone, 200, "nothing but its maximum stops it where nothing is dropped");
        for algorithm in [vegas, gradient2] {
            let settled = settles(algorithm, window);
            assert!((80..=220).contains(&settled), "{algorithm:?} settled at {settled}");
        }
    }

    proptest! {
        #[test]
        fn limits_stay_in_their_bounds_whatever_the_samples(
            kind in 0usize..3,
            windowed in any::<bool>(),
            samples in prop::collection::vec((1u64..10_000_000_000, 0u32..2_000, prop::bool::weighted(0.1)), 1..300),
        ) {
            let algorithm = algorithms()[kind];
            let mut rng = SplitMix64::new(1);
            let window = windowed.then(WindowConfig::default);
            let mut limit = Adaptive::new(&AdaptiveConfig { algorithm, window }, &mut rng);
            let (low, high) = [(20, 200), (1, 1_000), (20, 200)][kind];
            let mut now = SimTime::ZERO;
            for (ns, in_flight, dropped) in samples {
                let rtt = Span::from_nanos(ns);
                now += rtt;
                if limit.enter().is_some() {
                    limit.exit(now, Sample { rtt, in_flight, dropped }, &mut rng);
                }
                prop_assert!((low..=high).contains(&limit.limit()), "{}", limit.limit());
                prop_assert_eq!(limit.in_flight(), 0);
            }
        }
    }

    #[test]
    fn values_out_of_range_are_named_whichever_algorithm_and_window() {
        let algorithms = [
            (AlgorithmConfig::Aimd(AimdConfig { min: 9, max: 1, ..AimdConfig::default() }), false),
            (AlgorithmConfig::Aimd(AimdConfig::default()), true),
            (AlgorithmConfig::Vegas(VegasConfig { smoothing: 1.1, ..VegasConfig::default() }), false),
            (AlgorithmConfig::Vegas(VegasConfig { smoothing: 0.0, ..VegasConfig::default() }), false),
            (AlgorithmConfig::Vegas(VegasConfig::default()), true),
            (AlgorithmConfig::Gradient2(Gradient2Config { smoothing: 0.0, ..Gradient2Config::default() }), false),
            (AlgorithmConfig::Gradient2(Gradient2Config::default()), true),
        ];
        for (algorithm, valid) in algorithms {
            let window = Some(WindowConfig::default());
            assert_eq!(AdaptiveConfig { algorithm, window }.check().is_ok(), valid, "{algorithm:?}");
        }
        let window = Some(WindowConfig { length: Span::ZERO, ..WindowConfig::default() });
        let algorithm = AlgorithmConfig::Aimd(AimdConfig::default());
        assert!(AdaptiveConfig { algorithm, window }.check().is_err());
    }

    #[test]
    fn calls_under_way_stay_so_when_another_configuration_counts() {
        let mut rng = SplitMix64::new(1);
        let config = |initial| AdaptiveConfig {
            algorithm: AlgorithmConfig::Aimd(AimdConfig { initial, min: 1, ..AimdConfig::default() }),
            window: None,
        };
        let mut limit = Adaptive::new(&config(2), &mut rng);
        assert_eq!([limit.enter(), limit.enter(), limit.enter()], [Some(1), Some(2), None]);
        limit.restart(&config(3), &mut rng);
        assert_eq!([limit.enter(), limit.enter()], [Some(3), None]);
    }
}
