//! What the swarm has found, as small as it could be made, so that it is not found again.

use super::storm::{Fate, Look, storm};

/// Runs a file in which every law must hold.
fn holds(text: &str) {
    match storm(text, Look::Report) {
        Fate::Held { .. } => {}
        fate => panic!("{fate:?}\n{text}"),
    }
}

#[test]
fn open_loops_may_come_after_closed_ones_in_the_file() {
    holds(
        "{duration: 1s, services: {s: {endpoints: {e: {}}}}, load: [\
         {name: closed, to: s.e, users: 1, think: 100ms}, {name: open, to: s.e, rate: 3/s}]}",
    );
}

#[test]
fn a_drain_of_a_year_needs_no_more_memory_than_one_of_a_minute() {
    holds(
        "{duration: 100ms, drain: 8760h, services: {s: {endpoints: {e: {}}}}, load: [{name: l, to: s.e, rate: 30/s}], \
         faults: [{target: s, hang: true}]}",
    );
}

#[test]
fn users_who_neither_wait_nor_think_do_not_stop_time() {
    holds("{duration: 1s, services: {s: {endpoints: {e: {}}}}, load: [{name: l, to: s.e, users: 5}]}");
    holds(
        "{duration: 1s, services: {s: {workers: 1, queue: 0, endpoints: {e: {steps: [{work: 1s}]}}}}, \
         load: [{name: l, to: s.e, users: 5}]}",
    );
}

#[test]
fn a_replica_that_dies_has_never_more_workers_busy_than_it_has() {
    holds(
        "{duration: 1s, services: {s: {workers: 1, endpoints: {e: {steps: [{work: 300ms}]}}}}, \
         load: [{name: l, to: s.e, rate: 10/s}], faults: [{target: s, at: 400ms, kill: 1}]}",
    );
}

#[test]
fn a_query_that_is_refused_takes_no_connection() {
    holds(
        "{duration: 1s, services: {s: {endpoints: {e: {steps: [{query: d}]}}}}, \
         databases: {d: {connections: 1, query: 300ms}}, load: [{name: l, to: s.e, rate: 10/s}], \
         faults: [{target: d, at: 500ms, for: 100ms, down: true}, {target: s, at: 800ms, kill: 1}]}",
    );
}

#[test]
fn those_that_waited_for_capacity_to_come_back_saturate_it() {
    holds(
        "{duration: 1s, services: {s: {workers: 2, endpoints: {e: {steps: [{work: 300ms}]}}}}, \
         load: [{name: l, to: s.e, rate: 20/s}], faults: [{target: s, for: 500ms, capacity: 0%}]}",
    );
    holds(
        "{duration: 1s, services: {s: {endpoints: {e: {steps: [{query: d}]}}}}, \
         databases: {d: {connections: 2, query: 300ms}}, load: [{name: l, to: s.e, rate: 20/s}], \
         faults: [{target: d, for: 500ms, capacity: 0%}]}",
    );
}

#[test]
fn a_timeout_that_came_to_a_frozen_caller_is_not_taken_back_by_an_answer_that_came_before() {
    holds(
        "{drain: 8760h, network: 100us, services: {\
         s0: {endpoints: {e0: {steps: [{call: s2.e0}, {call: s2.e0}]}}}, \
         s2: {endpoints: {e0: {steps: [{race: [{fail: 10%}, {call: {to: s3.e0, times: 2, timeout: 500us}}]}]}}}, \
         s3: {endpoints: {e0: {}}}}, load: [{name: l0, to: s0.e0, rate: 333.3333333333333/s, bulkhead: 1}], \
         faults: [{target: [s0, s2], at: 700us, pause: true}]}",
    );
}

#[test]
fn work_that_is_done_in_the_instant_in_which_its_replica_freezes_goes_on_when_that_thaws() {
    for seconds in ["", "for: 1s, "] {
        holds(&format!(
            "{{duration: 3s, services: {{a: {{endpoints: {{e: {{steps: [{{call: b.e}}]}}}}, calls: {{b: {{propagate: [deadline]}}}}}}, \
             b: {{workers: 1, cores: 2, endpoints: {{e: {{steps: [{{work: 1us}}]}}}}}}}}, \
             load: [{{name: l, to: a.e, stages: [{{for: 110ns, rate: 100000000/s}}, {{for: 2s, rate: 0/s, hold: true}}]}}], \
             faults: [{{target: b, at: 7us, {seconds}pause: true}}]}}"
        ));
    }
}

#[test]
fn queries_that_contend_end_for_a_frozen_replica_when_that_thaws() {
    holds(
        "{services: {s1: {endpoints: {e0: {steps: [{call: s3.e1}]}}, calls: {s3: {propagate: [deadline]}}}, \
         s3: {workers: 1, endpoints: {e0: {steps: [{query: d0}]}, e1: {}}}}, \
         databases: {d0: {query: 1ms, contention: {}}}, load: [{name: l1, to: s3.e0, stages: [{for: 5ms, rate: 20000/s}]}], \
         faults: [{target: s3, for: 30ms, every: 1ms, pause: true}]}",
    );
}

#[test]
fn those_that_wait_in_a_stack_at_a_replica_that_dies_die_in_the_order_in_which_they_came() {
    for fault in ["restart: 0s", "kill: 1"] {
        holds(&format!(
            "{{duration: 5ms, services: {{s0: {{workers: 1, queue: {{order: lifo}}, endpoints: {{e0: {{steps: [{{work: 1ms}}]}}}}}}}}, \
             load: [{{name: l0, to: s0.e0, rate: 10000/s}}], faults: [{{target: s0, at: 2ms, {fault}}}]}}"
        ));
    }
}

#[test]
fn a_replica_whose_start_requests_wait_for_is_not_scaled_away() {
    holds(
        "{duration: 10us, drain: 8760h, services: {s0: {workers: 1, cold_start: 200us, \
         autoscale: {max: 1, min: 0, every: 10us, scale_down_after: 1us}, endpoints: {e0: {}}}}, \
         load: [{name: l0, to: s0.e0, rate: 1000000/s}], faults: [{target: s0, at: 2us, kill: 1}]}",
    );
}
