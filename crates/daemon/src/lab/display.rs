//! What people see: an introduction, a live picture, a final table.

use std::fmt::Write as _;
use std::io::{IsTerminal as _, Write as _};

use config::Loaded;

use super::gateway::PeerLine;
use super::report::Report;
use super::world::World;
use crate::run::Ready;

/// Where and how the lab shows itself.
pub(super) struct Display {
    /// Progress goes to stderr, since stdout is for the JSON object.
    json: bool,
    /// The picture is drawn over itself.
    in_place: bool,
}

impl Display {
    pub(super) fn new(json: bool) -> Self {
        Self { json, in_place: !json && std::io::stdout().is_terminal() }
    }

    /// Who is there and where to point peers of one's own.
    pub(super) fn intro(&self, world: &World, ready: &Ready, loaded: &Loaded) {
        let from = match &loaded.origin {
            config::Origin::Shipped => "the shipped policies".to_owned(),
            config::Origin::Files(path) => format!("{}", path.display()),
        };
        let mut text = format!("\n  {} with {from}: {}\n", ready.origin_host, world.cast());
        let _ =
            writeln!(text, "\n  point your own peers at {} (Diameter over TCP)", world.gateway());
        let spare = world.spare.iter().filter_map(|peer| Some((&peer.name, peer.diameter()?)));
        for (name, own) in spare {
            let (host, realm) = (&own.origin_host, &own.realm);
            let _ = writeln!(text, "    {name:<10} Origin-Host {host}  Origin-Realm {realm}");
        }
        let admin = ready.admin;
        let _ = writeln!(text, "  metrics http://{admin}/metrics · links http://{admin}/peers\n");
        self.say(&text);
    }

    /// The picture of this second.
    pub(super) fn draw(&self, now: &Report, before: &Report, peers: &[PeerLine]) {
        if self.in_place {
            let text = fitting(now, before, peers);
            let lines = text.lines().count();
            // Clear what is below, draw, and go back up for the next time.
            self.say(&format!("\x1b[J{text}\x1b[{lines}A"));
        } else {
            self.say(&format!("{}\n", line(now, before)));
        }
    }

    fn say(&self, text: &str) {
        // Nobody may be reading; that is no reason to stop.
        let _ = if self.json {
            std::io::stderr().write_all(text.as_bytes())
        } else {
            let mut out = std::io::stdout();
            out.write_all(text.as_bytes()).and_then(|()| out.flush())
        };
    }
}

fn rate(now: &Report, before: &Report) -> f64 {
    let seconds = (now.seconds - before.seconds).max(0.001);
    let done = now.total.transactions.saturating_sub(before.total.transactions);
    f64::from(u32::try_from(done).unwrap_or(u32::MAX)) / seconds
}

/// One line for a log.
fn line(now: &Report, before: &Report) -> String {
    let total = &now.total;
    format!(
        "  {:>5.0} s  {:>7.0} tx/s  attaches {}  registered {}  refused {}  exits {}  preferred {:.1} %  p50 {:.0} µs  p99 {:.0} µs  lost {}",
        now.seconds,
        rate(now, before),
        now.attaches,
        now.registered,
        total.refused_steering,
        total.exits,
        total.preferred_share * 100.0,
        total.p50_us,
        total.p99_us,
        total.lost,
    )
}

/// The picture as far as the window goes: a line that wraps or scrolls could not be drawn over.
fn fitting(now: &Report, before: &Report, peers: &[PeerLine]) -> String {
    let full = picture(now, before, peers);
    let Ok(window) = rustix::termios::tcgetwinsize(std::io::stdout()) else { return full };
    let (rows, columns) = (usize::from(window.ws_row), usize::from(window.ws_col));
    if rows == 0 || columns == 0 {
        return full;
    }
    // In a small window the links that are as they should be are only counted.
    let text = if full.lines().count() < rows {
        full
    } else {
        let (up, other): (Vec<_>, Vec<_>) = peers.iter().cloned().partition(|peer| peer.up);
        format!("{}  ● {} more\n", picture(now, before, &other), up.len())
    };
    let lines = text.lines().take(rows.saturating_sub(1).max(1));
    lines.map(|line| line.chars().take(columns).chain(['\n']).collect::<String>()).collect()
}

fn picture(now: &Report, before: &Report, peers: &[PeerLine]) -> String {
    let total = &now.total;
    let mut text = String::new();
    let _ = writeln!(
        text,
        "  {:>6.0} s   {:>7.0} transactions/s   p50 {:.0} µs   p99 {:.0} µs",
        now.seconds,
        rate(now, before),
        total.p50_us,
        total.p99_us,
    );
    let _ = writeln!(
        text,
        "  gateway {:.1} µs CPU a transaction   lost {}  duplicated {}  mismatched {}",
        total.cpu_us_per_transaction, total.lost, total.duplicated, total.mismatched
    );
    let _ = writeln!(
        text,
        "  attaches {}   registered {}   on preferred networks {:.1} %",
        now.attaches,
        now.registered,
        total.preferred_share * 100.0,
    );
    let _ = writeln!(
        text,
        "  refused  {}   exits  {}",
        counts(&total.refusals),
        counts(&total.exits_by_reason)
    );
    networks(now, &mut text);
    let _ = writeln!(text, "\n  {:<18} {:<12} {:>8} {:>10}", "link", "state", "pending", "waiting");
    for peer in peers {
        let mark = if peer.up { '●' } else { '○' };
        let _ = writeln!(
            text,
            "  {mark} {:<16} {:<12} {:>8} {:>10}",
            peer.name, peer.state, peer.pending, peer.waiting_octets
        );
    }
    text
}

fn networks(now: &Report, text: &mut String) {
    let _ = writeln!(
        text,
        "\n  {:<28} {:<8} {:>10} {:>10}",
        "visited network", "PLMN", "registered", "refused"
    );
    for network in &now.networks {
        let name: String = network.name.chars().take(24).collect();
        let shown = format!("{} {name}", network.country);
        let _ = writeln!(
            text,
            "  {shown:<28} {:<8} {:>10} {:>10}",
            network.plmn, network.registered, network.refused
        );
    }
}

fn counts(map: &std::collections::BTreeMap<String, u64>) -> String {
    if map.is_empty() {
        return "none".to_owned();
    }
    let parts: Vec<String> = map.iter().map(|(name, count)| format!("{name} {count}")).collect();
    parts.join(" · ")
}

/// The table at the end.
pub(super) fn final_table(report: &Report) -> String {
    let total = &report.total;
    let mut text = format!("\x1b[J\n  after {:.1} s\n\n", report.seconds);
    if !std::io::stdout().is_terminal() {
        text = text.replace("\x1b[J", "");
    }
    let mut row = |name: &str, value: String| {
        let _ = writeln!(text, "  {name:<34} {value}");
    };
    row("transactions", format!("{} ({:.0}/s)", total.transactions, per_second(report)));
    row(
        "lost, duplicated, mismatched",
        format!("{}, {}, {}", total.lost, total.duplicated, total.mismatched),
    );
    row(
        "in the gateway's records",
        format!("{} exchanges, {} missing", total.recorded, report.unrecorded()),
    );
    row("attaches begun, registered", format!("{}, {}", report.attaches, report.registered));
    row("left without service", report.abandoned.to_string());
    row("refused, by provenance", counts(&total.refusals));
    row("answers that handsets saw", counts(&total.answers));
    row("exits, by reason", counts(&total.exits_by_reason));
    row("on preferred networks", format!("{:.1} %", total.preferred_share * 100.0));
    row("latency p50, p99", format!("{:.0} µs, {:.0} µs", total.p50_us, total.p99_us));
    row("gateway CPU a transaction", format!("{:.2} µs", total.cpu_us_per_transaction));
    for customer in &report.customers {
        row(
            &format!("  {}", customer.name),
            format!(
                "{} registered, {:.1} % preferred",
                customer.registered,
                customer.preferred_share * 100.0
            ),
        );
    }
    networks(report, &mut text);
    text.push('\n');
    text
}

fn per_second(report: &Report) -> f64 {
    rate(report, &Report::default())
}
