//! What the policies of calls did: in which order they stood around each, and why every breaker changed its state.

use squall_telemetry::format;
use squall_telemetry::report::{Breaker, Call, Transition};

use super::{INDENT, Page, joined, width, wrapped};

/// Changes of one call's breakers that are shown: so many of the first, and so many of the last.
const FIRST: usize = 6;
const LAST: usize = 2;

/// The calls by the order of their policies.
pub(super) fn orders(page: &Page<'_>) -> String {
    let mut orders: Vec<(String, Vec<&str>)> = Vec::new();
    for (name, call) in page.report.calls.iter() {
        let order = order(call);
        match orders.iter_mut().find(|(known, _)| *known == order) {
            Some((_, calls)) => calls.push(name),
            None if order.is_empty() => {}
            None => orders.push((order, vec![name])),
        }
    }
    joined(orders.into_iter().flat_map(|(order, calls)| {
        let calls = wrapped(&calls.join(", "), page.width - 2 * INDENT.len());
        let order = wrapped(&order, page.width - INDENT.len()).into_iter().map(|line| format!("{INDENT}{line}"));
        let calls = calls.into_iter().map(|line| format!("{INDENT}{INDENT}{}", page.paint.faint(&line)));
        order.chain(calls).collect::<Vec<_>>()
    }))
}

/// The order of a call's policies, if there are several. A breaker that watches each replica is asked last, where a replica
/// is chosen.
fn order(call: &Call) -> String {
    let watches_each = call.breaker.as_ref().is_some_and(|breaker| breaker.ejected.is_some());
    let at_replica = watches_each.then_some("breaker of each replica");
    let layers: Vec<&str> = call.order.iter().map(String::as_str).chain(at_replica).collect();
    if layers.len() > 1 { layers.join(" → ") } else { String::new() }
}

/// Every change of state with its reason; of many, the first and the last.
pub(super) fn breakers(page: &Page<'_>) -> String {
    let calls = page.report.calls.iter();
    let changed = calls.filter_map(|(name, call)| Some((name, call.breaker.as_ref()?)));
    let changed = changed.filter(|(_, breaker)| !breaker.transitions.is_empty());
    joined(changed.flat_map(|(name, breaker)| changes(page, name, breaker)))
}

fn changes(page: &Page<'_>, name: &str, breaker: &Breaker) -> Vec<String> {
    let all = &breaker.transitions;
    let left_out = all.len().saturating_sub(FIRST + LAST);
    let (first, last) = if left_out > 0 { (FIRST, LAST) } else { (all.len(), 0) };
    let shown: Vec<&Transition> = all[..first].iter().chain(&all[all.len() - last..]).collect();
    let times = shown.iter().map(|one| width(&time(one))).max().unwrap_or(0);
    let mut lines = wrapped(&format!("{name} ({})", breaker.kind), page.width - INDENT.len());
    for line in &mut lines {
        *line = format!("{INDENT}{line}");
    }
    for (place, one) in shown.iter().enumerate() {
        if left_out > 0 && place == first {
            lines.push(format!("{INDENT}{INDENT}{:>times$}  {}", "…", page.paint.faint(&more(left_out))));
        }
        lines.extend(change(page, one, times));
    }
    lines
}

fn more(left_out: usize) -> String {
    format!("{} more in the report's JSON", format::count(left_out as u64))
}

fn change(page: &Page<'_>, one: &Transition, times: usize) -> Vec<String> {
    let text = wrapped(&format!("{}: {}", states(one), one.why), page.width - 2 * INDENT.len() - times - 2);
    let at = std::iter::once(time(one)).chain(std::iter::repeat(String::new()));
    text.iter().zip(at).map(|(text, at)| format!("{INDENT}{INDENT}{at:>times$}  {text}")).collect()
}

fn time(one: &Transition) -> String {
    format!("{:.2}s", one.at_s)
}

/// From what to what, and of whose breaker where there are several.
fn states(one: &Transition) -> String {
    let caller = one.replica.map(|replica| format!("caller {replica}: ")).unwrap_or_default();
    let target = one.target.map(|target| format!("replica {target}: ")).unwrap_or_default();
    format!("{caller}{target}{} → {}", one.from, one.to)
}

#[cfg(test)]
mod tests {
    use super::super::{Style, render, sample, width};

    #[test]
    fn of_many_changes_the_first_and_the_last_are_shown() {
        let mut report = sample::storm();
        let (name, call) = report.calls.0.iter_mut().find(|(_, call)| call.breaker.is_some()).unwrap();
        let name = name.clone();
        let breaker = call.breaker.as_mut().unwrap();
        let first = breaker.transitions[0].clone();
        breaker.transitions = (0..20).map(|at| super::Transition { at_s: f64::from(at), ..first.clone() }).collect();
        let text = render(&report, &sample::plan(), 80, Style::Plain);
        let section = text.split_once("\nBreakers\n").unwrap().1;
        assert!(section.starts_with(&format!("  {name} (")), "{section}");
        assert!(section.contains("12 more"), "{section}");
        let shown: Vec<&str> = section.lines().filter(|line| line.contains(&first.why)).collect();
        assert_eq!(shown.len(), super::FIRST + super::LAST, "{section}");
        assert!(shown[5].contains(" 5.00s ") && shown[6].contains("18.00s"), "{section}");
        assert!(text.lines().all(|line| width(line) <= 80));
    }

    #[test]
    fn calls_are_listed_by_the_order_of_their_policies() {
        let mut report = sample::cascade();
        let orders: [&[&str]; 3] = [&["retry", "breaker", "timeout"], &["timeout"], &["retry", "breaker", "timeout"]];
        let mut names = Vec::new();
        for ((name, call), order) in report.calls.0.iter_mut().zip(orders) {
            call.order = order.iter().map(|layer| (*layer).to_owned()).collect();
            names.push(name.clone());
        }
        let text = render(&report, &sample::plan(), 100, Style::Plain);
        let section = text.split_once("outside in\n").unwrap().1;
        let lines: Vec<&str> = section.lines().take(3).collect();
        let calls = format!("    {}, {}", names[0], names[2]);
        assert_eq!(lines, ["  retry → breaker → timeout", calls.as_str(), ""], "one policy alone has no order");
    }
}
