//! What is written is what is read.

use super::{EVERYTHING, topology, topology_with};
use crate::Span;
use crate::spec::{Breaker, Budget, Limit, Sentence, Step, Subject, Window, read_element};

#[test]
fn every_key_of_the_format_is_read() {
    let topology = topology(EVERYTHING);
    assert_eq!(
        topology.services.names().collect::<Vec<_>>(),
        ["gateway", "users", "posts", "recommendations", "notifications"]
    );
    assert_eq!(topology.faults.len(), 14);
    assert_eq!(topology.expect.len(), 15);
    assert_eq!(topology.load[3].tasks[0].name.value, "Feed (fan-out)");
}

#[test]
fn defaults_are_under_every_service_and_call_and_the_nearer_one_wins() {
    let topology = topology(EVERYTHING);
    let service = |name| topology.services.find(name).unwrap();
    assert_eq!(service("gateway").workers.value, Limit::Count(200));
    assert_eq!(service("users").workers.value, Limit::Count(50));
    let timeout = |callee| service("gateway").calls.policy(callee).timeout.as_ref().map(|timeout| timeout.value);
    assert_eq!(timeout("recommendations"), Some(Span::from_millis(150)));
    assert_eq!(timeout("posts"), Some(Span::from_secs(2)));
    assert_eq!(timeout("users"), None);
    assert_eq!(service("posts").calls.policy("users").timeout.as_ref().unwrap().value, Span::from_secs(1));
}

#[test]
fn a_step_with_a_policy_of_its_own_has_those_of_its_callee_under_it() {
    let topology = topology(EVERYTHING);
    let gateway = topology.services.find("gateway").unwrap();
    let steps = &gateway.endpoints.find("create_post").unwrap().steps;
    let Step::Call(call) = &steps[0].value else { panic!("a call comes first") };
    assert_eq!(call.to.endpoint.value, "create");
    assert_eq!(call.times.value, 3);
    let policy = call.policy.as_ref().unwrap();
    assert_eq!(policy.timeout.as_ref().unwrap().value, Span::from_millis(200));
    assert!(policy.fallback.is_some());

    let feed = &gateway.endpoints.find("feed").unwrap().steps;
    let Step::Parallel(parallel) = &feed[1].value else { panic!("then several at once") };
    assert_eq!(parallel.branches.len(), 3);
    assert_eq!(parallel.branches[2].0.len(), 2);
    let Step::Call(plain) = &parallel.branches[0].0[0].value else { panic!("calls") };
    assert_eq!(plain.policy, None);
}

#[test]
fn mappings_are_merged_deeply_unless_they_are_of_another_kind() {
    let source = "
defaults: {call: {retry: {attempts: 5, backoff: constant(10ms)}, breaker: {kind: polly, break_duration: 9s}}}
services:
  a:
    calls:
      b: {retry: {attempts: 2}, breaker: {kind: consecutive, failures: 3}}
      c: {breaker: none, retry: {budget: 10%}}
";
    let topology = topology(source);
    let calls = &topology.services.find("a").unwrap().calls;
    let retry = calls.policy("b").retry.as_ref().unwrap();
    assert_eq!(format!("{} {:?}", retry.attempts.value, retry.backoff), "2 Constant(10ms)");
    assert!(matches!(calls.policy("b").breaker.as_ref().unwrap().value, Breaker::Consecutive(_)));
    assert_eq!(calls.policy("c").breaker, None);
    let retry = calls.policy("c").retry.as_ref().unwrap();
    assert_eq!(retry.attempts.value, 5);
    assert!(matches!(retry.budget.as_ref().unwrap().value, Budget::Share(share) if share.0 == 0.1));
}

#[test]
fn an_expectation_knows_its_subject() {
    let topology = topology(EVERYTHING);
    let subject = |index: usize| match &topology.expect[index].sentence {
        Sentence::Compare { subject, .. }
        | Sentence::Breaker { subject, .. }
        | Sentence::Saturate { subject, .. }
        | Sentence::Recover { subject, .. } => subject.clone(),
    };
    assert!(matches!(&subject(0).value, Subject::Name(name) if name.value == "feed"));
    assert!(
        matches!(&subject(4).value, Subject::Call { from, to } if from.value == "gateway" && to.value == "recommendations")
    );
    assert_eq!(&EVERYTHING[subject(4).at.bytes()], "gateway -> recommendations");
    assert_eq!(subject(7).value, Subject::System);
    assert!(matches!(&subject(8).value, Subject::Member { member, .. } if member.value == "Feed (fan-out)"));
    assert_eq!(&EVERYTHING[subject(8).at.bytes()], "visitors.\"Feed (fan-out)\"");
}

#[test]
fn an_override_wins_wherever_it_points() {
    let sets = [
        ("services.gateway.calls.recommendations.timeout", "200ms"),
        ("load.feed.rate", "200/s"),
        ("faults.db-slow.for", "5s"),
        ("faults.1.errors", "0.5"),
        ("services.users.queue.limit", "7"),
        ("services.posts.calls.users.retry", "{attempts: 9}"),
        ("load.visitors.tasks.\"Feed (fan-out)\".weight", "2"),
        ("defaults.service.workers", "unlimited"),
    ];
    let topology = topology_with(EVERYTHING, &sets);
    let service = |name| topology.services.find(name).unwrap();
    let timeout = |callee| service("gateway").calls.policy(callee).timeout.as_ref().unwrap().value;
    assert_eq!(timeout("recommendations"), Span::from_millis(200));
    assert_eq!(topology.load[0].rate.as_ref().unwrap().value.0, 200.0);
    assert_eq!(topology.faults[0].lasts.as_ref().unwrap().value, Span::from_secs(5));
    assert_eq!(topology.faults[1].errors.as_ref().unwrap().value.0, 0.5);
    assert_eq!(service("users").queue.as_ref().unwrap().limit.value, Limit::Count(7));
    assert_eq!(service("posts").calls.policy("users").retry.as_ref().unwrap().attempts.value, 9);
    assert_eq!(topology.load[3].tasks[0].weight.value, 2.0);
    assert_eq!(service("posts").workers.value, Limit::Unlimited);
}

#[test]
fn an_element_is_read_on_its_own() {
    let breaker = read_element::<Breaker>("{window: 10s, failure_rate: 30%, open_for: exponential(1s 2 30s)}").unwrap();
    let Breaker::Resilience4j(breaker) = breaker else { panic!("the usual kind") };
    assert_eq!(breaker.window.value, Window::Time(Span::from_secs(10)));
    assert_eq!(breaker.minimum_calls.value, 100);

    let problems = read_element::<Breaker>("{kind: polly, window: 10}").unwrap_err();
    assert_eq!(problems[0].what, "unknown key `window` in a `polly`");
}
