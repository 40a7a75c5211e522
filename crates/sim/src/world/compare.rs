//! Policies side by side: a table for people, objects for programs.

use std::fmt::Write as _;

use super::figures::Figures;

/// What is shown of each run, and how.
type Row = (&'static str, fn(&Figures) -> String);

const ROWS: [Row; 15] = [
    ("on preferred after 1 min, %", |one| percent(one.preferred_share_1m)),
    ("on preferred after 10 min, %", |one| percent(one.preferred_share_10m)),
    ("… where one covers, %", |one| percent(one.reachable_share_10m)),
    ("with service after 10 min, %", |one| percent(one.served_share_10m)),
    ("extra signalling, %", |one| percent(one.extra_signalling_pct)),
    ("registrations refused", |one| one.refused.to_string()),
    ("no service p50, s", |one| seconds(one.no_service_s.p50)),
    ("no service p95, s", |one| seconds(one.no_service_s.p95)),
    ("no service p99, s", |one| seconds(one.no_service_s.p99)),
    ("no service max, s", |one| seconds(one.no_service_s.max)),
    ("… beyond the limit", |one| one.over_limit.to_string()),
    ("identities changed for it", |one| one.rotations.to_string()),
    ("left to their user", |one| one.stranded.to_string()),
    ("exits", exits),
    ("error of shares, points", |one| {
        one.share_error.map_or_else(|| "-".to_owned(), |error| format!("{error:.1}"))
    }),
];

fn percent(value: f64) -> String {
    format!("{value:.2}")
}

fn seconds(value: f64) -> String {
    format!("{value:.1}")
}

fn exits(one: &Figures) -> String {
    if one.exits.is_empty() {
        return "-".to_owned();
    }
    let all: Vec<String> =
        one.exits.iter().map(|(name, count)| format!("{name} {count}")).collect();
    all.join(", ")
}

/// The table: a block for each scenario, a column for each policy.
#[must_use]
pub fn table(figures: &[Figures]) -> String {
    let mut out = String::new();
    let mut rest = figures;
    while let Some(first) = rest.first() {
        let same = rest.iter().take_while(|one| one.scenario == first.scenario).count();
        let (block, after) = rest.split_at(same);
        rest = after;
        write_block(&mut out, block, first);
    }
    out
}

fn write_block(out: &mut String, block: &[Figures], first: &Figures) {
    let width = |one: &Figures| {
        let cells = ROWS.iter().map(|(_, show)| show(one).chars().count());
        cells.chain([one.policy.len(), 9]).max().unwrap_or(9)
    };
    let widths: Vec<usize> = block.iter().map(width).collect();
    let _ = writeln!(
        out,
        "\n{}: {} subscribers, seed {}, {} transactions at least",
        first.scenario,
        first.subscribers,
        first.seed,
        block.iter().map(|one| one.transactions).min().unwrap_or(0)
    );
    let _ = write!(out, "  {:<30}", "");
    for (one, width) in block.iter().zip(&widths) {
        let _ = write!(out, "  {:>width$}", one.policy);
    }
    out.push('\n');
    for (name, show) in ROWS {
        let _ = write!(out, "  {name:<30}");
        for (one, width) in block.iter().zip(&widths) {
            let _ = write!(out, "  {:>width$}", show(one));
        }
        out.push('\n');
    }
}

/// What we aim at against the paper's policy, and what of it is missed.
#[must_use]
pub fn missed(figures: &[Figures]) -> Vec<String> {
    let mut missed = Vec::new();
    for ours in figures.iter().filter(|one| one.policy == "ours") {
        let paper =
            figures.iter().find(|one| one.policy == "paper" && one.scenario == ours.scenario);
        let Some(paper) = paper else { continue };
        let mut miss = |what: String| missed.push(format!("{}: {what}", ours.scenario));
        let (share, least) = (ours.preferred_share_10m, paper.preferred_share_10m - 1.0);
        if share < least {
            miss(format!("{share:.2} % on preferred networks, {least:.2} % at least"));
        }
        let (extra, most) = (ours.extra_signalling_pct, paper.extra_signalling_pct);
        if extra > most {
            miss(format!("{extra:.2} % extra signalling, {most:.2} % at most"));
        } else if extra > most / 2.0 && ours.scenario != "city" {
            miss(format!("{extra:.2} % extra signalling, {:.2} % aimed at", most / 2.0));
        }
        if ours.over_limit > 0 {
            miss(format!("{} stretches beyond the limit", ours.over_limit));
        }
    }
    missed
}
