//! The what-if: a breaker led through calls that happened. Those it would have turned away it never hears of.

use squall_model::{SimTime, Span};
use squall_policies::SplitMix64;
use squall_policies::breaker::{Admission, Breaker, BreakerConfig, State, Token, Transition};

use super::{Call, Ended, Led, clock};

/// What would have happened.
#[derive(Clone, PartialEq, Debug)]
pub struct Story {
    /// Calls in the log.
    pub calls: u64,
    /// Those of them that failed.
    pub failed: u64,
    /// Calls that would have been refused.
    pub refused: u64,
    /// Those of them that succeeded.
    pub refused_that_succeeded: u64,
    /// Every change of state, in order.
    pub changes: Vec<Changed>,
    /// Results heard up to the first opening, that one included.
    pub opens_after: Option<u64>,
    /// The moment at which it was nearest to opening, or opened first.
    pub worst_call: Option<Worst>,
    /// The state at the end of the log.
    pub state: State,
}

/// A change of state.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Changed {
    /// Since the log's first call.
    pub at: Span,
    /// The line whose call brought it about; `None` where time alone did.
    pub line: Option<usize>,
    /// What changed.
    pub transition: Transition,
}

/// A moment of the log.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Worst {
    /// The line of the call whose result made it so.
    pub line: usize,
    /// Since the log's first call.
    pub at: Span,
    /// Calls in the window then.
    pub calls: u32,
    /// Those of them that had failed.
    pub failed: u32,
    /// Their share in per cent; `None` if there were too few to judge.
    pub failure_rate: Option<f32>,
}

impl Worst {
    /// Judged is worse than not judged, then by the rate, then by the failures.
    fn rank(&self) -> (bool, f32, u32) {
        (self.failure_rate.is_some(), self.failure_rate.unwrap_or(0.0), self.failed)
    }
}

/// Leads a breaker of `config`, over so many replicas, through `calls`, which are in order of their start. `start_ns` is
/// added to their times.
pub fn what_if(config: &BreakerConfig, (calls, replicas): (&[Call], u32), start_ns: u64) -> Story {
    let first = calls.first().map_or(0, |call| call.start).saturating_add(start_ns);
    let mut teller = Teller::new(config, replicas, first, calls.len() as u64);
    // Results in order of time; of two at once, the call that began first.
    let mut ends: Vec<(u64, usize)> = Vec::with_capacity(calls.len());
    for (index, call) in calls.iter().enumerate() {
        ends.push((call.start.saturating_add(call.duration.as_nanos()), index));
    }
    ends.sort_unstable();
    let mut tokens: Vec<Option<Token>> = vec![None; calls.len()];
    let mut ends = ends.into_iter().peekable();
    for (index, call) in calls.iter().enumerate() {
        while let Some((end, ended)) = ends.next_if(|&(end, ended)| end <= call.start && ended != index) {
            teller.end(clock(end.saturating_add(start_ns)), &calls[ended], tokens[ended].take());
        }
        tokens[index] = teller.begin(clock(call.start.saturating_add(start_ns)), call);
        if call.duration.is_zero() && ends.next_if(|&(_, ended)| ended == index).is_some() {
            teller.end(clock(call.start.saturating_add(start_ns)), call, tokens[index].take());
        }
    }
    for (end, ended) in ends {
        teller.end(clock(end.saturating_add(start_ns)), &calls[ended], tokens[ended].take());
    }
    teller.story.state = teller.led.breaker.state();
    teller.story
}

struct Teller {
    led: Led,
    first: SimTime,
    heard: u64,
    story: Story,
}

impl Teller {
    fn new(config: &BreakerConfig, replicas: u32, first: u64, calls: u64) -> Self {
        let first = clock(first);
        let mut breaker = Breaker::new(config, first);
        breaker.set_replicas(replicas as usize, first);
        let story = Story {
            calls,
            failed: 0,
            refused: 0,
            refused_that_succeeded: 0,
            changes: Vec::new(),
            opens_after: None,
            worst_call: None,
            state: State::Closed,
        };
        Self { led: Led { breaker, now: first, rng: SplitMix64::new(1) }, first, heard: 0, story }
    }

    fn begin(&mut self, now: SimTime, call: &Call) -> Option<Token> {
        self.until(now);
        self.story.failed += u64::from(!call.ended.is_success() && call.ended != Ended::Ignored);
        let replica = call.replica as usize;
        let passes = self.led.breaker.usable(replica);
        let (admission, transition) =
            if passes { self.led.breaker.admit(now, &mut self.led.rng) } else { (Admission::Reject, None) };
        self.note(transition, Some(call.line));
        match admission {
            Admission::Pass(token) => Some(self.led.breaker.assign(token, replica)),
            Admission::Reject => {
                self.story.refused += 1;
                self.story.refused_that_succeeded += u64::from(call.ended.is_success());
                None
            }
        }
    }

    fn end(&mut self, now: SimTime, call: &Call, token: Option<Token>) {
        let Some(token) = token else { return };
        self.until(now);
        let Ended::With(outcome) = call.ended else {
            self.led.breaker.release(token);
            return;
        };
        self.heard += 1;
        let transition = self.led.breaker.record(now, token, outcome, call.duration, &mut self.led.rng);
        self.look(now, call.line);
        self.note(transition, Some(call.line));
    }

    fn until(&mut self, now: SimTime) {
        let mut told = Vec::new();
        self.led.until(now, |at, transition| told.push((at, transition)));
        for (at, transition) in told {
            self.change(at, transition, None);
        }
    }

    /// Remembers the worst moment up to the first opening.
    fn look(&mut self, now: SimTime, line: usize) {
        if self.story.opens_after.is_some() {
            return;
        }
        let metrics = self.led.breaker.metrics(now);
        let (calls, failed, failure_rate) = (metrics.calls, metrics.failed, metrics.failure_rate);
        let moment = Worst { line, at: now - self.first, calls, failed, failure_rate };
        if failed > 0 && self.story.worst_call.is_none_or(|worst| moment.rank() > worst.rank()) {
            self.story.worst_call = Some(moment);
        }
    }

    fn note(&mut self, transition: Option<Transition>, line: Option<usize>) {
        if let Some(transition) = transition {
            self.change(self.led.now, transition, line);
        }
    }

    fn change(&mut self, at: SimTime, transition: Transition, line: Option<usize>) {
        if transition.to == State::Open && self.story.opens_after.is_none() {
            self.story.opens_after = Some(self.heard);
        }
        self.story.changes.push(Changed { at: at - self.first, line, transition });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replay::calls;
    use squall_policies::Interval;
    use squall_policies::breaker::{Resilience4jConfig, Window};

    fn r4j(size: u32, minimum_calls: u32) -> BreakerConfig {
        let open_for = Interval::Fixed(Span::from_secs(1));
        BreakerConfig::Resilience4j(Resilience4jConfig {
            window: Window::Calls(size),
            minimum_calls,
            open_for,
            half_open_calls: 1,
            ..Default::default()
        })
    }

    fn story(config: &BreakerConfig, outcomes: &str) -> Story {
        let mut log = String::from("start_ms,duration_ms,outcome\n");
        for (index, ended) in outcomes.chars().enumerate() {
            log += &format!("{},10,{}\n", index * 100, if ended == '.' { "ok" } else { "error" });
        }
        let (calls, replicas) = calls(&log).unwrap();
        what_if(config, (&calls, replicas), 0)
    }

    #[test]
    fn it_opens_after_the_result_that_tips_the_rate_and_refuses_what_comes_then() {
        // Opens with the fourth result at 310 ms, until 1310 ms; the call at 1400 ms is the probe.
        let story = story(&r4j(4, 4), "..xx....x..............");
        assert_eq!((story.opens_after, story.refused, story.refused_that_succeeded), (Some(4), 10, 9));
        let changes: Vec<_> = story.changes.iter().map(|c| (c.at, c.line, c.transition.to)).collect();
        let ms = Span::from_millis;
        let wanted = [
            (ms(310), Some(5), State::Open),
            (ms(1400), Some(16), State::HalfOpen),
            (ms(1410), Some(16), State::Closed),
        ];
        assert_eq!((changes.as_slice(), story.state), (wanted.as_slice(), State::Closed));
        assert_eq!(story.worst_call.map(|worst| (worst.line, worst.failure_rate)), Some((5, Some(50.0))));
    }

    #[test]
    fn too_few_calls_never_open_it_and_the_worst_moment_says_how_few() {
        let story = story(&r4j(100, 100), &"x".repeat(46));
        assert_eq!((story.failed, story.opens_after, story.refused), (46, None, 0));
        assert_eq!(story.worst_call.map(|worst| (worst.calls, worst.failed, worst.failure_rate)), Some((46, 46, None)));
    }

    #[test]
    fn results_that_come_while_it_is_open_come_late_and_change_nothing() {
        let log = "start_ms,duration_ms,outcome\n0,10,error\n1,10,error\n2,1500,ok\n20,1,ok\n";
        let (calls, replicas) = calls(log).unwrap();
        let story = what_if(&r4j(2, 2), (&calls, replicas), 0);
        assert_eq!((story.opens_after, story.refused, story.changes.len()), (Some(2), 1, 1));
    }

    #[test]
    fn a_call_that_takes_no_time_is_heard_at_once() {
        let log = "start_ms,duration_ms,outcome\n0,0,error\n0,0,error\n0,0,ok\n";
        let (calls, replicas) = calls(log).unwrap();
        let story = what_if(&r4j(2, 2), (&calls, replicas), 0);
        assert_eq!((story.opens_after, story.refused), (Some(2), 1));
    }
}
