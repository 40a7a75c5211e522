//! The report for people.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::report::{Column, GroupCounts, Report};

/// Groups that are shown.
const GROUPS_SHOWN: usize = 10;

pub(crate) fn table(report: &Report) -> String {
    let mut text = head(report);
    counts(report, &mut text);
    shares(report, &mut text);
    groups(report, &mut text);
    newly(report, &mut text);
    text.push('\n');
    for (number, note) in (1..).zip(&report.notes) {
        let _ = writeln!(text, "  {number}. {note}");
    }
    text
}

fn head(report: &Report) -> String {
    let input = &report.input;
    let span = input.last_us.saturating_sub(input.first_us) / 1_000_000;
    format!(
        "{}: {} to {} ({}), {} exchanges, {} registrations of {} subscribers, {} unread\n\
         in force: {}; tried: {}\n\n",
        report.source,
        moment(input.first_us),
        moment(input.last_us),
        duration(span),
        input.records,
        input.registrations,
        input.subscribers,
        input.unread,
        report.policies.in_force,
        report.policies.tried,
    )
}

fn row(text: &mut String, label: &str, in_force: &str, tried: &str, difference: &str) {
    let _ = writeln!(text, "  {label:<40} {in_force:>12} {tried:>12} {difference:>12}");
}

fn number(text: &mut String, label: &str, in_force: u64, tried: u64) {
    let difference = i128::from(tried) - i128::from(in_force);
    let shown = if difference == 0 { "=".to_owned() } else { format!("{difference:+}") };
    row(text, label, &in_force.to_string(), &tried.to_string(), &shown);
}

fn share(text: &mut String, label: &str, in_force: Option<f64>, tried: Option<f64>) {
    let shown = |share: Option<f64>| share.map_or("-".to_owned(), |share| format!("{share:.2} %"));
    let difference = match (in_force, tried) {
        (Some(before), Some(after)) if (after - before).abs() < 0.005 => "=".to_owned(),
        (Some(before), Some(after)) => format!("{:+.2}", after - before),
        _ => "-".to_owned(),
    };
    row(text, label, &shown(in_force), &shown(tried), &difference);
}

fn counts(report: &Report, text: &mut String) {
    let (a, b) = (&report.in_force, &report.tried);
    row(text, "", "in force", "tried", "difference");
    let mut both = |label: &str, of: fn(&Column) -> u64, always: bool| {
        if always || of(a) + of(b) > 0 {
            number(text, label, of(a), of(b));
        }
    };
    both("registrations", |column| column.registrations, true);
    both("refused by steering", |column| column.refused_by_steering, true);
    both("would be refused (observed only)", |column| column.would_refuse, false);
    both("barred", |column| column.barred, true);
    both("refused by screening", |column| column.screened, false);
    both("subscribers ever refused", |column| column.subscribers_refused, true);
    share(text, "extra signalling", a.extra_signalling_pct, b.extra_signalling_pct);
    let preferred = (a.accepted_preferred_pct, b.accepted_preferred_pct);
    share(text, "accepted on preferred networks", preferred.0, preferred.1);
    let exits: BTreeSet<_> = a.exits.keys().chain(b.exits.keys()).copied().collect();
    for exit in exits {
        let of = |column: &Column| column.exits.get(exit).copied().unwrap_or(0);
        number(text, &format!("given in: {exit}"), of(a), of(b));
    }
    if a.moved + b.moved + a.insisted + b.insisted > 0 {
        number(text, "taken to move", a.moved, b.moved);
        number(text, "taken to insist", a.insisted, b.insisted);
    }
}

fn shares(report: &Report, text: &mut String) {
    let used =
        |share: &&super::report::Share| share.in_force_subscribers + share.tried_subscribers > 0;
    let mut shown = report.shares.iter().filter(used).peekable();
    if shown.peek().is_none() {
        return;
    }
    text.push_str("\nshares of preferred networks, in their tier\n");
    for one in shown {
        let target = |target: Option<f64>| target.map_or("-".to_owned(), |it| format!("{it:.0} %"));
        let aim = match (one.in_force_target_pct, one.tried_target_pct) {
            (None, None) => String::new(),
            (a, b) if a == b => format!(" (target {})", target(a)),
            (a, b) => format!(" (target {}, tried {})", target(a), target(b)),
        };
        let label = format!("{} {}{aim}", one.plan, one.network);
        share(text, &label, one.in_force_pct, one.tried_pct);
    }
}

fn groups(report: &Report, text: &mut String) {
    let mut changed = report.groups.iter().filter(|group| group.change() != 0).peekable();
    if changed.peek().is_none() {
        text.push_str("\nno customer is refused more or less often on any visited network\n");
        return;
    }
    text.push_str("\nrefused and barred, where that changes most\n");
    for group in changed.take(GROUPS_SHOWN) {
        let all = |counts: &GroupCounts| counts.refused + counts.barred;
        let label = format!("{} on {}", group.customer, group.visited);
        number(text, &label, all(&group.in_force), all(&group.tried));
        let _ =
            writeln!(text, "    because: {} ▷ {}", because(&group.in_force), because(&group.tried));
    }
}

/// The most frequent words.
fn because(counts: &GroupCounts) -> String {
    let word = |one: &super::report::Because| format!("{} {} {}", one.rule, one.outcome, one.count);
    let words: Vec<String> = counts.because.iter().take(3).map(word).collect();
    if words.is_empty() { "no plan".to_owned() } else { words.join(", ") }
}

fn newly(report: &Report, text: &mut String) {
    let _ = writeln!(
        text,
        "\nsubscribers newly refused: {}; no longer refused: {}",
        report.newly_refused, report.no_longer_refused
    );
    for one in &report.newly_refused_top {
        let _ = writeln!(
            text,
            "  {}  {} on {}: {} refusal(s), {}",
            one.subscriber, one.customer, one.visited, one.refusals, one.rule
        );
    }
}

fn duration(seconds: u64) -> String {
    let (days, hours) = (seconds / 86_400, seconds / 3600 % 24);
    let (minutes, seconds) = (seconds / 60 % 60, seconds % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min {seconds} s"),
        (0, ..) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}

/// A moment of the world's time (UTC), to the second.
fn moment(us: u64) -> String {
    let seconds = us / 1_000_000;
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = policy::civil(days);
    let (hour, minute) = (second / 3600, second / 60 % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{:02}Z", second % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_and_durations_read_as_people_write_them() {
        assert_eq!(moment(0), "1970-01-01 00:00:00Z");
        assert_eq!(moment(951_782_400_000_000), "2000-02-29 00:00:00Z");
        assert_eq!(moment(1_700_000_000_000_000), "2023-11-14 22:13:20Z");
        let shown = [59, 61, 7_260, 90_000].map(duration);
        assert_eq!(shown, ["59 s", "1 min 1 s", "2 h 1 min", "1 d 1 h"]);
    }
}
