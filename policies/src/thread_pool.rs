//! A pool of threads with a bounded queue, as Java's executor fills it: core threads first, then the queue, and threads
//! up to the maximum only when the queue is full. resilience4j's thread-pool bulkhead (master af9e7c9) and Hystrix's
//! pools (7c03baf) are such. The caller keeps the tasks; this only counts.

use std::collections::VecDeque;

use crate::check::{Invalid, require};
use crate::{SimTime, Span};

/// Configuration of [`ThreadPool`]; the defaults are resilience4j's on four cores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ThreadPoolConfig {
    /// Threads started before anything is queued, and never given up. Default 3, one less than the cores.
    pub core: u32,
    /// Threads at most. Default 4, the cores.
    pub max: u32,
    /// Tasks that may wait; 0 hands tasks over without a queue. Default 100.
    pub queue: u32,
    /// Waiting tasks from which on (`>=`) a task is refused whatever the queue could hold. Default: none.
    pub queue_rejection: Option<u32>,
    /// How long an idle thread beyond the core lives. Default 20 ms.
    pub keep_alive: Span,
}

impl Default for ThreadPoolConfig {
    fn default() -> Self {
        Self { core: 3, max: 4, queue: 100, queue_rejection: None, keep_alive: Span::from_millis(20) }
    }
}

impl ThreadPoolConfig {
    /// Hystrix's defaults: ten threads and no queue.
    pub fn hystrix() -> Self {
        Self::hystrix_with_queue(10, 0, 5)
    }

    /// Hystrix's pool of `size` threads. Its queue refuses from `rejection` waiting tasks on, if it has one.
    pub fn hystrix_with_queue(size: u32, queue: u32, rejection: u32) -> Self {
        let queue_rejection = (queue > 0).then_some(rejection);
        Self { core: size, max: size, queue, queue_rejection, keep_alive: Span::from_secs(60) }
    }

    /// Whether the values are in their ranges.
    pub fn check(&self) -> Result<(), Invalid> {
        require(self.max >= 1, "max", "at least 1")?;
        require(self.core <= self.max, "core", "at most the max")
    }
}

/// The machine.
#[derive(Clone, Debug)]
pub struct ThreadPool {
    config: ThreadPoolConfig,
    threads: u32,
    /// Since when each idle thread has been so, the longest first; that one gets the next task, or dies first.
    idle: VecDeque<SimTime>,
    queued: u32,
}

/// The answer to a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Submit {
    /// A thread runs it at once.
    Run,
    /// It waits, behind those that wait already.
    Queue,
    /// There is no room.
    Reject,
}

impl ThreadPool {
    /// A pool without any thread.
    pub fn new(config: ThreadPoolConfig) -> Self {
        Self { config, threads: 0, idle: VecDeque::with_capacity(config.max as usize), queued: 0 }
    }

    /// Goes by another configuration from now on. Tasks that run or wait go on; threads that are too many die as idle ones
    /// do. Call [`start_next`](Self::start_next) until it says no: as in Java's executor, threads that the core has more than before
    /// are started for tasks that wait already.
    pub fn resize(&mut self, config: ThreadPoolConfig) {
        self.config = config;
    }

    /// Whether the task that has waited longest runs now, on a new thread of a core that is larger than before.
    #[must_use]
    pub fn start_next(&mut self) -> bool {
        let runs = self.queued > 0 && self.threads < self.config.core;
        self.queued -= u32::from(runs);
        self.threads += u32::from(runs);
        runs
    }

    /// What becomes of a new task.
    pub fn submit(&mut self, now: SimTime) -> Submit {
        self.reap(now);
        if self.config.queue_rejection.is_some_and(|limit| self.queued >= limit) {
            return Submit::Reject;
        }
        if self.threads < self.config.core {
            self.threads += 1;
            return Submit::Run;
        }
        if self.idle.pop_front().is_some() {
            return Submit::Run;
        }
        if self.queued < self.config.queue {
            if self.threads == 0 {
                self.threads = 1;
                return Submit::Run;
            }
            self.queued += 1;
            return Submit::Queue;
        }
        if self.threads < self.config.max {
            self.threads += 1;
            return Submit::Run;
        }
        Submit::Reject
    }

    /// A running task has ended. Whether its thread took the task that has waited longest, which thereby runs.
    #[must_use]
    pub fn finish(&mut self, now: SimTime) -> bool {
        assert!(self.running() > 0, "only a running task ends");
        self.reap(now);
        let takes = self.queued > 0;
        if takes {
            self.queued -= 1;
        } else {
            self.idle.push_back(now);
        }
        takes
    }

    /// A waiting task was withdrawn.
    pub fn withdraw(&mut self) {
        assert!(self.queued > 0, "only a waiting task is withdrawn");
        self.queued -= 1;
    }

    /// Tasks that run.
    pub fn running(&self) -> u32 {
        self.threads - self.idle.len() as u32
    }

    /// Tasks that wait.
    pub fn queued(&self) -> u32 {
        self.queued
    }

    /// Threads, idle ones included, as of the last call.
    pub fn threads(&self) -> u32 {
        self.threads
    }

    /// Lets threads beyond the core die that have been idle for the keep-alive (`>=`).
    fn reap(&mut self, now: SimTime) {
        let keep_alive = self.config.keep_alive;
        while self.threads > self.config.core && self.idle.front().is_some_and(|since| now - *since >= keep_alive) {
            self.idle.pop_front();
            self.threads -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(ms: u64) -> SimTime {
        SimTime::ZERO + Span::from_millis(ms)
    }

    fn pool(core: u32, max: u32, queue: u32) -> ThreadPool {
        ThreadPool::new(ThreadPoolConfig { core, max, queue, ..ThreadPoolConfig::default() })
    }

    #[test]
    fn core_threads_come_first_then_the_queue_then_more_threads_then_refusal() {
        let mut pool = pool(1, 2, 2);
        let answers = [(); 5].map(|()| pool.submit(at(0)));
        assert_eq!(answers, [Submit::Run, Submit::Queue, Submit::Queue, Submit::Run, Submit::Reject]);
    }

    #[test]
    fn a_core_thread_is_started_even_if_another_is_idle() {
        let mut pool = pool(2, 2, 1);
        pool.submit(at(0));
        assert!(!pool.finish(at(1)));
        pool.submit(at(2));
        assert_eq!((pool.threads(), pool.running()), (2, 1));
    }

    #[test]
    fn a_queue_without_any_thread_gets_one() {
        let mut pool = pool(0, 2, 2);
        assert_eq!([(); 2].map(|()| pool.submit(at(0))), [Submit::Run, Submit::Queue]);
    }

    #[test]
    fn without_a_queue_tasks_are_handed_to_idle_or_new_threads_or_refused() {
        let mut pool = pool(1, 2, 0);
        let answers = [(); 3].map(|()| pool.submit(at(0)));
        assert_eq!(answers, [Submit::Run, Submit::Run, Submit::Reject]);
        assert!(!pool.finish(at(1)));
        assert_eq!(pool.submit(at(1)), Submit::Run);
    }

    #[test]
    fn a_thread_beyond_the_core_dies_at_the_end_of_its_keep_alive() {
        for (idle, threads) in [(19, 2), (20, 1)] {
            let mut pool = pool(1, 2, 1);
            (0..3).for_each(|_| assert_ne!(pool.submit(at(0)), Submit::Reject));
            assert_eq!([(); 3].map(|()| pool.finish(at(5))), [true, false, false]);
            assert_eq!(pool.threads(), 2);
            pool.submit(at(5 + idle));
            assert_eq!(pool.threads(), threads, "{idle}");
        }
    }

    #[test]
    fn core_threads_never_die_and_hystrix_without_a_queue_has_no_rejection_size() {
        let mut pool = pool(2, 3, 1);
        assert_eq!([(); 2].map(|()| pool.submit(at(0))), [Submit::Run; 2]);
        assert!(!pool.finish(at(0)));
        assert!(!pool.finish(at(1_000_001)));
        assert_eq!(pool.threads(), 2, "the first is idle since long ago, but of the core");
        assert_eq!(ThreadPoolConfig::hystrix().queue_rejection, None);
    }

    #[test]
    fn a_resized_pool_starts_more_threads_or_lets_die_those_that_are_too_many() {
        let config = |max, queue| ThreadPoolConfig { core: 1, max, queue, ..ThreadPoolConfig::default() };
        let mut pool = ThreadPool::new(config(1, 1));
        assert_eq!([(); 3].map(|()| pool.submit(at(0))), [Submit::Run, Submit::Queue, Submit::Reject]);
        pool.resize(config(2, 1));
        assert_eq!([(); 2].map(|()| pool.submit(at(0))), [Submit::Run, Submit::Reject]);
        pool.resize(config(1, 0));
        assert_eq!([(); 2].map(|()| pool.finish(at(1))), [true, false]);
        assert_eq!((pool.running(), pool.threads()), (1, 2));
        assert_eq!((pool.submit(at(21)), pool.threads()), (Submit::Reject, 1), "the idle one was too many");
    }

    #[test]
    fn a_larger_core_has_new_threads_for_those_who_wait_and_a_larger_maximum_has_not() {
        let config = |core, max| ThreadPoolConfig { core, max, queue: 5, ..ThreadPoolConfig::default() };
        for (core, max, starts) in [(1, 4, 0), (2, 4, 1), (4, 4, 3), (8, 8, 4)] {
            let mut pool = ThreadPool::new(config(1, 1));
            let waiting = (0..5).filter(|_| pool.submit(at(0)) == Submit::Queue).count() as u32;
            pool.resize(config(core, max));
            let started = (0..8).take_while(|_| pool.start_next()).count() as u32;
            assert_eq!((waiting, started), (4, starts), "{core}, {max}");
            assert_eq!((pool.running(), pool.threads(), pool.queued()), (1 + starts, 1 + starts, 4 - starts));
        }
    }

    #[test]
    #[should_panic(expected = "only a running task ends")]
    fn a_task_that_does_not_run_cannot_end() {
        let _ = pool(1, 1, 1).finish(at(0));
    }

    #[test]
    fn hystrix_refuses_from_its_rejection_size_on_though_the_queue_has_room() {
        let mut pool = ThreadPool::new(ThreadPoolConfig::hystrix_with_queue(1, 100, 5));
        let answers: Vec<_> = (0..7).map(|_| pool.submit(at(0))).collect();
        assert_eq!(answers.iter().filter(|answer| **answer == Submit::Queue).count(), 5);
        assert_eq!(answers[6], Submit::Reject);
        let mut hand_off = ThreadPool::new(ThreadPoolConfig::hystrix());
        assert!((0..10).all(|_| hand_off.submit(at(0)) == Submit::Run));
        assert_eq!(hand_off.submit(at(0)), Submit::Reject);
    }

    #[test]
    fn values_out_of_range_are_named() {
        let base = ThreadPoolConfig::default();
        assert_eq!(ThreadPoolConfig { max: 0, core: 0, ..base }.check().unwrap_err().field, "max");
        assert_eq!(ThreadPoolConfig { core: 5, ..base }.check().unwrap_err().field, "core");
    }

    proptest! {
        #[test]
        fn tasks_are_neither_lost_nor_run_twice(
            (core, more, queue) in (0u32..4, 1u32..4, 0u32..4),
            steps in prop::collection::vec((0u64..30, 0u8..3), 0..200),
        ) {
            let mut pool = pool(core, core + more, queue);
            let (mut now, mut running, mut queued) = (0, 0, 0);
            for (gap, step) in steps {
                now += gap;
                match step {
                    0 => match pool.submit(at(now)) {
                        Submit::Run => running += 1,
                        Submit::Queue => queued += 1,
                        Submit::Reject => prop_assert!(running == core + more && queued == queue),
                    },
                    1 if running > 0 => {
                        let takes = pool.finish(at(now));
                        prop_assert_eq!(takes, queued > 0);
                        if takes { queued -= 1 } else { running -= 1 }
                    }
                    2 if queued > 0 => {
                        pool.withdraw();
                        queued -= 1;
                    }
                    _ => {}
                }
                prop_assert_eq!((pool.running(), pool.queued()), (running, queued));
                prop_assert!(pool.threads() <= core + more && queued <= queue);
            }
        }
    }
}
