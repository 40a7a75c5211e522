//! What people see: an introduction, a live picture, a final table.

use std::fmt::Write as _;
use std::io::{IsTerminal as _, Write as _};

use config::{Loaded, Protocol};
use sim::roaming::Stack;

use super::cast::Spare;
use super::gateway::PeerLine;
use super::report::{Numbers, Report};
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
        let mut text = format!("\n  {} with {from}:\n  {}\n", ready.origin_host, world.cast());
        let doors = &world.doors;
        text.push_str("\n  point your own peers at\n");
        let listens = &loaded.gateway.listens;
        let over_tcp = listens.iter().find(|listen| listen.protocol == Protocol::Diameter);
        let busy = busy(over_tcp.map(|listen| listen.address.port()), doors.diameter.port());
        let _ = writeln!(text, "  {} (Diameter over TCP{busy})", doors.diameter);
        spare(&world.spare_diameter, &mut text);
        if let Some(m3ua) = ready.sctp.iter().find(|sctp| sctp.protocol == "m3ua") {
            let wanted = listens.iter().find_map(super::wanted_for_sctp);
            let busy = self::busy(wanted, m3ua.encapsulation_port);
            let _ = writeln!(text, "  {m3ua} (M3UA{busy})");
            spare(&world.spare_m3ua, &mut text);
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

/// What to say of a port that is not the configured one.
fn busy(wanted: Option<u16>, got: u16) -> String {
    let other = wanted.filter(|wanted| *wanted != 0 && *wanted != got);
    other.map_or_else(String::new, |wanted| format!("; not {wanted}, which is busy"))
}

fn spare(peers: &[Spare], text: &mut String) {
    for Spare { name, how } in peers {
        let _ = writeln!(text, "    {name:<10} {how}");
    }
}

/// Transactions a second between two reports.
fn rate(now: &Report, before: &Report, of: Side) -> f64 {
    let seconds = (now.seconds - before.seconds).max(0.001);
    let transactions = |report: &Report| of(report).transactions;
    let done = transactions(now).saturating_sub(transactions(before));
    f64::from(u32::try_from(done).unwrap_or(u32::MAX)) / seconds
}

/// One line for a log.
fn line(now: &Report, before: &Report) -> String {
    let total = &now.total;
    let each: Vec<String> =
        COLUMNS.iter().map(|(name, of)| format!("{name} {:.0}", rate(now, before, *of))).collect();
    format!(
        "  {:>5.0} s  tx/s {}  attaches {}  registered {}  refused {}  exits {}  preferred {:.1} %  p50 {:.0} µs  p99 {:.0} µs  lost {}",
        now.seconds,
        each.join(" · "),
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
    // In a small window the links have one line.
    let text = if full.lines().count() < rows {
        full
    } else {
        let (up, other): (Vec<_>, Vec<_>) = peers.iter().partition(|peer| peer.up);
        let names: Vec<&str> = other.iter().map(|peer| peer.name.as_str()).collect();
        let mut text = numbers(now, before);
        let _ = writeln!(text, "\n  links  ● {} up   ○ {}", up.len(), names.join(", "));
        text
    };
    let lines = text.lines().take(rows.saturating_sub(1).max(1));
    lines.map(|line| line.chars().take(columns).chain(['\n']).collect::<String>()).collect()
}

fn picture(now: &Report, before: &Report, peers: &[PeerLine]) -> String {
    let mut text = numbers(now, before);
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

/// Everything but the links.
fn numbers(now: &Report, before: &Report) -> String {
    let mut text = String::new();
    let _ = writeln!(
        text,
        "  {:>6.0} s   attaches {}   registered {}   gateway CPU {:.1} µs each",
        now.seconds, now.attaches, now.registered, now.total.cpu_us_per_transaction,
    );
    stacks(now, before, &mut text);
    networks(now, &mut text);
    text
}

/// A report's numbers of one stack, or of all.
type Side = fn(&Report) -> Numbers;

/// The stacks side by side, then all together.
const COLUMNS: [(&str, Side); 3] = [
    ("4G Diameter", |report| report.of(Stack::Diameter)),
    ("2G/3G SS7", |report| report.of(Stack::Ss7)),
    ("all", |report| report.total.clone()),
];

/// The stacks' numbers side by side.
fn stacks(now: &Report, before: &Report, text: &mut String) {
    let mut row = |name: &str, cells: [String; 3]| {
        let [first, second, all] = cells;
        let _ = writeln!(text, "  {name:<32} {first:>14} {second:>14} {all:>14}");
    };
    let cells = |show: &dyn Fn(Numbers) -> String| COLUMNS.map(|(_, of)| show(of(now)));
    row("", COLUMNS.map(|(name, _)| name.to_owned()));
    row("transactions/s", COLUMNS.map(|(_, of)| format!("{:.0}", rate(now, before, of))));
    row("refused by steering", cells(&|side| side.refused_steering.to_string()));
    row("exits", cells(&|side| side.exits.to_string()));
    row("on preferred networks", cells(&|side| format!("{:.1} %", side.preferred_share * 100.0)));
    row("latency p50, p99 (µs)", cells(&|side| format!("{:.0}, {:.0}", side.p50_us, side.p99_us)));
    row(
        "lost, duplicated, mismatched",
        cells(&|side| format!("{}, {}, {}", side.lost, side.duplicated, side.mismatched)),
    );
}

/// A network's counts, 4G first, then 2G and 3G.
#[derive(Default)]
struct Row {
    shown: String,
    plmn: String,
    registered: [u64; 2],
    refused: [u64; 2],
}

fn networks(now: &Report, text: &mut String) {
    let mut rows: Vec<Row> = Vec::new();
    for network in &now.networks {
        let place = rows.iter().position(|row| row.plmn == network.plmn).unwrap_or_else(|| {
            let name: String = network.name.chars().take(24).collect();
            let shown = format!("{} {name}", network.country);
            rows.push(Row { shown, plmn: network.plmn.clone(), ..Row::default() });
            rows.len() - 1
        });
        let Some(row) = rows.get_mut(place) else { continue };
        let access = network.stack as usize;
        if let Some(registered) = row.registered.get_mut(access) {
            *registered += network.registered;
        }
        if let Some(refused) = row.refused.get_mut(access) {
            *refused += network.refused;
        }
    }
    let _ = writeln!(text, "\n  {:<31} {:>21} {:>21}", "", "4G          ", "2G/3G         ");
    let _ = writeln!(
        text,
        "  {:<24} {:<6} {:>11} {:>9} {:>11} {:>9}",
        "visited network", "PLMN", "registered", "refused", "registered", "refused"
    );
    for Row { shown, plmn, registered, refused } in &rows {
        let [eps, map] = registered;
        let [eps_refused, map_refused] = refused;
        let _ = writeln!(
            text,
            "  {:<24} {plmn:<6} {eps:>11} {eps_refused:>9} {map:>11} {map_refused:>9}",
            shown.chars().take(24).collect::<String>(),
        );
    }
}

/// Columns that a list of counts takes before it goes on in the next line.
const COUNTS_COLUMNS: usize = 45;

fn counts(map: &std::collections::BTreeMap<String, u64>) -> String {
    if map.is_empty() {
        return "none".to_owned();
    }
    let parts: Vec<String> = map.iter().map(|(name, count)| format!("{name} {count}")).collect();
    let mut text = String::new();
    let mut line = 0;
    for part in parts {
        let length = part.chars().count();
        if line > 0 && line + length > COUNTS_COLUMNS {
            let _ = write!(text, "\n{:35}", "");
            line = 0;
        } else if line > 0 {
            text.push_str(" · ");
        }
        text.push_str(&part);
        line += length + 3;
    }
    text
}

/// The table at the end.
pub(super) fn final_table(report: &Report) -> String {
    let mut text = format!("\x1b[J\n  after {:.1} s\n\n", report.seconds);
    if !std::io::stdout().is_terminal() {
        text = text.replace("\x1b[J", "");
    }
    stacks(report, &Report::default(), &mut text);
    let mut row = |name: &str, cells: [String; 3]| {
        let [first, second, all] = cells;
        let _ = writeln!(text, "  {name:<32} {first:>14} {second:>14} {all:>14}");
    };
    let cells = |show: &dyn Fn(Numbers) -> u64| COLUMNS.map(|(_, of)| show(of(report)).to_string());
    row("transactions", cells(&|side| side.transactions));
    row("asked by home networks", cells(&|side| side.home_requests));
    row("in the gateway's records", cells(&|side| side.recorded));
    text.push('\n');
    let mut row = |name: &str, value: String| {
        let _ = writeln!(text, "  {name:<32} {value}");
    };
    row("missing in the records", report.unrecorded().to_string());
    row("attaches begun, registered", format!("{}, {}", report.attaches, report.registered));
    row("left without service", report.abandoned.to_string());
    for (name, of) in COLUMNS.iter().take(2) {
        let side = of(report);
        row(&format!("{name}: refused, by provenance"), counts(&side.refusals));
        row(&format!("{name}: exits, by reason"), counts(&side.exits_by_reason));
        row(&format!("{name}: answers"), counts(&side.answers));
    }
    row(
        "gateway CPU a transaction",
        format!("{:.2} µs, over all", report.total.cpu_us_per_transaction),
    );
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
