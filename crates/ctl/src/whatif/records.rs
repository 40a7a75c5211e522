//! Traffic out of a journal's files.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};

use config::Gateway;
use journal::{Key, Line, Lines, PSEUDONYM_OCTETS};
use procedure::{Act, Code, LinkId, Provenance, StackId};

use super::progress::Progress;
use super::traffic::{Asker, End, Event, Traffic, made_up};

/// 2000-01-01 in microseconds since 1970: no record of ours is older, so a line that says so is broken.
const EARLIEST_US: u64 = 946_684_800_000_000;
/// 2100-01-01, likewise.
const LATEST_US: u64 = 4_102_444_800_000_000;
/// Longest time from a record's opening to its end that is believed.
const LATENCY_US_MAX: u64 = 600_000_000;
/// Ends of these are named in records; the last line of a file may be torn.
const NAME: (&str, &str) = ("records", ".jsonl");

/// Reads all files `records*.jsonl` of a folder.
///
/// # Errors
/// The folder or a file cannot be read.
pub(crate) fn read(folder: &Path, gateway: &Gateway, key: &Key) -> Result<Traffic, String> {
    let mut files = files(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    files.sort();
    if files.is_empty() {
        return Err(format!("{}: there are no files {}*{}", folder.display(), NAME.0, NAME.1));
    }
    let mut progress = Progress::new("records read");
    let mut reader = Reader { key, links: links(gateway), traffic: Traffic::default() };
    for path in &files {
        let complain = |error: io::Error| format!("{}: {error}", path.display());
        reader.traffic.reading.files += 1;
        for line in Lines::open(path).map_err(complain)? {
            match line {
                Ok(line) => reader.take(&line),
                Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                    reader.traffic.reading.unread += 1;
                }
                Err(error) => return Err(complain(error)),
            }
            progress.step();
        }
    }
    progress.end();
    reader.traffic.finish();
    Ok(reader.traffic)
}

fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let name = entry?.file_name();
        let text = name.to_string_lossy();
        if text.starts_with(NAME.0) && text.ends_with(NAME.1) {
            found.push(folder.join(&name));
        }
    }
    Ok(found)
}

/// What is known of each link by its name: its place, and its node's name where it has one.
fn links(gateway: &Gateway) -> HashMap<String, (LinkId, Vec<u8>)> {
    let host = |peer: &config::Peer| {
        peer.diameter().map_or(peer.name.as_str(), |own| &own.origin_host).as_bytes().to_vec()
    };
    let peers = gateway.peers.iter().zip((0..).map(LinkId));
    peers.map(|(peer, link)| (peer.name.clone(), (link, host(peer)))).collect()
}

struct Reader<'k> {
    key: &'k Key,
    links: HashMap<String, (LinkId, Vec<u8>)>,
    traffic: Traffic,
}

impl Reader<'_> {
    fn take(&mut self, line: &Line) {
        let is_sane = (EARLIEST_US..LATEST_US).contains(&line.opened_us);
        if !is_sane || line.latency_us > LATENCY_US_MAX {
            self.traffic.reading.unread += 1;
            return;
        }
        self.traffic.reading.records += 1;
        let pseudonym = pseudonym(line, self.key);
        if line.act == Act::Authenticate.name() {
            if let Some(pseudonym) = pseudonym {
                self.traffic.authentication(line.opened_us, pseudonym);
            }
            return;
        }
        // An answer that nobody waited for is no registration of its own.
        if line.act != Act::Register.name() || matches!(&*line.finish, "stray" | "malformed") {
            return;
        }
        self.traffic.reading.registrations += 1;
        let Some(end) = end(line) else {
            self.traffic.reading.screened += 1;
            return;
        };
        if !self.traffic.has_room() {
            return;
        }
        let home = || line.home.as_deref()?.parse().ok();
        let who = pseudonym.and_then(|pseudonym| {
            self.traffic.who(pseudonym, || match line.imsi(self.key) {
                Some(imsi) => Some((imsi, false)),
                None => Some((made_up(home()?, pseudonym)?, true)),
            })
        });
        let Some(who) = who else {
            self.traffic.reading.unnamed += 1;
            return;
        };
        let node = self.traffic.node(self.asker(&line.from));
        self.traffic.events.push(event(line, who, node, end));
    }

    /// The node that a link leads to: a record does not say who spoke over it.
    fn asker(&self, from: &str) -> Asker {
        match self.links.get(from) {
            Some((link, host)) => {
                Asker { link: Some(*link), host: host.clone(), ..Asker::default() }
            }
            None => Asker { host: from.as_bytes().to_vec(), ..Asker::default() },
        }
    }
}

fn event(line: &Line, who: u32, node: u32, end: End) -> Event {
    let stack = stacks::NAMES.iter().position(|name| *name == line.stack);
    let is = |outcome: &str| {
        line.because.iter().any(|spoken| spoken.stage == "steer" && spoken.outcome == outcome)
    };
    Event {
        opened_us: line.opened_us,
        latency_us: u32::try_from(line.latency_us).unwrap_or(u32::MAX),
        who,
        node,
        visited: line.visited.as_deref().and_then(|visited| visited.parse().ok()),
        tac: None,
        stack: StackId(stack.and_then(|place| u8::try_from(place).ok()).unwrap_or(0)),
        application: line.application,
        operation: line.operation,
        domain: line.domain(),
        access: line.access(),
        exchange: u64::from_str_radix(&line.exchange, 16).unwrap_or(0),
        repeat: line.repeat,
        dragged: 0,
        preferred: line.preferred,
        attempt: line.attempt,
        insists: line.exit.is_some() && line.attempt > 0,
        held: is("settled"),
        end,
    }
}

/// How it ended; nothing where screening refused it.
fn end(line: &Line) -> Option<End> {
    let by = |provenance: Provenance| line.provenance.as_deref() == Some(provenance.name());
    Some(if line.success {
        End::Accepted
    } else if by(Provenance::Screening) {
        return None;
    } else if by(Provenance::Steering) {
        End::Refused
    } else if by(Provenance::Barring) {
        End::Barred
    } else if line.finish == "expired" {
        End::Expired
    } else if line.finish == "answered" {
        End::Home(code(line))
    } else {
        End::Else
    })
}

fn code(line: &Line) -> Code {
    if let Some(code) = line.experimental {
        return Code::Experimental { vendor: line.vendor.unwrap_or_default(), code };
    }
    let told = [
        (line.result, Code::Base as fn(u32) -> Code),
        (line.error, Code::Error),
        (line.reject, Code::Reject),
        (line.abort, Code::Abort),
        (line.returned, Code::Returned),
    ];
    let told = told.into_iter().find_map(|(code, of)| Some(of(code?)));
    told.unwrap_or(Code::None)
}

fn pseudonym(line: &Line, key: &Key) -> Option<[u8; PSEUDONYM_OCTETS]> {
    let Some(digits) = line.subscriber.as_deref() else {
        return line.imsi(key).map(|imsi| key.pseudonym(imsi));
    };
    if digits.len() != 2 * PSEUDONYM_OCTETS {
        return None;
    }
    u128::from_str_radix(digits, 16).ok().map(u128::to_be_bytes)
}
