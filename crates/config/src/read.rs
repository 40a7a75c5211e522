//! Reading `gateway.toml`: every key, its default and its limits.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;

use policy::{Complaints, Document, REALM_EXPECTED, Section, Source, realm};
use procedure::LinkId;

use crate::files;
use crate::gateway::{
    DiameterSettings, Gateway, JournalSettings, LogFormat, LogLevel, LogSettings, SctpSettings,
    Transport,
};
use crate::peers::{self, ADDRESS_EXPECTED, after_first_dot, identity};
use crate::ss7;

/// Peers by name.
type Links = Vec<(String, LinkId)>;
/// Groups of links by name.
type Groups = Vec<(String, Vec<LinkId>)>;

/// Shortest watchdog interval unless `watchdog_min_ms` says otherwise.
//= RFC 3539 §3.4.1
pub const WATCHDOG_MIN_MS: u64 = 6_000;
/// Longest frame that a Diameter header can announce.
//= RFC 6733 §3
pub const FRAME_OCTETS_MAX: u64 = 0x00ff_ffff;
/// Most workers.
pub const WORKERS_MAX: u64 = 64;

/// The names of all peers and servers, for checking who is meant when something else is wrong.
pub(crate) fn declared(source: &Source) -> (Links, Groups) {
    let unheard = Complaints::default();
    let document = Document::parse(source, &unheard);
    let root = document.root(&unheard);
    let names = |key| {
        let sections = root.sections(key);
        let names = sections.iter().filter_map(|section| section.text("name"));
        names.map(|name| name.value.to_owned()).collect::<Vec<_>>()
    };
    let servers = names("server").into_iter().map(|name| (name, Vec::new()));
    (names("peer").into_iter().zip((0..).map(LinkId)).collect(), servers.collect())
}

/// Reads the file as far as it can be read; nothing when it cannot be used.
pub(crate) fn gateway(source: &Source, dir: &Path, complaints: &Complaints) -> Option<Gateway> {
    let document = Document::parse(source, complaints);
    let root = document.root(complaints);
    let empty = Document::parse(files::EMPTY, complaints);
    let section = |key| root.section(key).unwrap_or_else(|| empty.root(complaints));
    let own = root.section("gateway");
    if own.is_none() {
        root.push(root.at().complain("there is no [gateway]"));
    }
    let diameter = diameter(&section("diameter"));
    let sctp = sctp(&section("sctp"));
    let listens = peers::listens(&root, dir);
    if listens.is_empty() {
        let complaint = root.at().complain("there is no [[listen]]: nobody could connect");
        root.push(complaint.as_warning());
    }
    let tls = listens.iter().find(|listen| matches!(listen.transport, Transport::Tls(_)));
    let tls = tls.map(|listen| listen.transport.clone());
    let peers = peers::peers(&root, dir, tls.as_ref());
    let ss7 = ss7::settings(&root, &peers);
    if ss7.is_none() && peers.iter().any(|peer| peer.diameter().is_none()) {
        let help = "say at least the gateway's own `point_code`";
        root.push(root.at().complain("there are M3UA peers, but no [ss7]").with_help(help));
    }
    let admin = section("admin");
    let address = admin.parsed("listen", ADDRESS_EXPECTED, |text| text.parse().ok());
    let admin_address = address.map_or(ADMIN, |address| address.value);
    admin.finish();
    let journal = journal(&section("journal"), dir);
    let log = log(&section("log"));
    root.finish();
    let own = own?;
    let host = identity(&own, "origin_host");
    let realm = own.parsed("origin_realm", REALM_EXPECTED, realm).map(|realm| realm.value);
    let product = own.text("product_name").map_or("ipxd".to_owned(), |name| name.value.to_owned());
    let workers = own.number("workers", 1..=WORKERS_MAX).and_then(|n| usize::try_from(n).ok());
    let subscribers = own.number("subscribers_max", 1024..=1 << 32);
    let policies = own.text("policies").map_or(".", |path| path.value).to_owned();
    own.finish();
    let origin_host = host?.value;
    Some(Gateway {
        origin_realm: realm.unwrap_or_else(|| after_first_dot(&origin_host)),
        origin_host,
        product_name: product,
        workers,
        subscribers_max: subscribers
            .and_then(|n| usize::try_from(n).ok())
            .unwrap_or(policy::SUBSCRIBERS_MAX),
        policies: files::join(dir, &policies),
        diameter,
        sctp,
        ss7,
        listens,
        peers,
        admin: admin_address,
        journal,
        log,
    })
}

const ADMIN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9868);

fn diameter(section: &Section<'_>) -> DiameterSettings {
    let least = section.number("watchdog_min_ms", 50..=WATCHDOG_MIN_MS).unwrap_or(WATCHDOG_MIN_MS);
    let settings = DiameterSettings {
        request_timeout_ms: section.number("request_timeout_ms", 50..=60_000).unwrap_or(4_000),
        watchdog_ms: section.number("watchdog_ms", least..=600_000).unwrap_or(30_000),
        connect_backoff_ms: section.number("connect_backoff_ms", 10..=60_000).unwrap_or(1_000),
        connect_backoff_max_ms: section
            .number("connect_backoff_max_ms", 10..=600_000)
            .unwrap_or(30_000),
        frame_octets_max: section
            .number("frame_octets_max", 1024..=FRAME_OCTETS_MAX)
            .and_then(|octets| usize::try_from(octets).ok())
            .unwrap_or(65_536),
    };
    section.finish();
    if settings.connect_backoff_ms > settings.connect_backoff_max_ms {
        let at = section.place_of("connect_backoff_ms").unwrap_or_else(|| section.at());
        section.push(at.complain("`connect_backoff_ms` is more than `connect_backoff_max_ms`"));
    }
    //= RFC 3539 §3.4.1
    // After one interval of silence a peer is asked whether it lives, after two it is suspected.
    if settings.request_timeout_ms > 2 * settings.watchdog_ms {
        let at = section.place_of("request_timeout_ms").unwrap_or_else(|| section.at());
        let message = "`request_timeout_ms` is more than twice `watchdog_ms`";
        let help = "an asker that waits in silence is suspected before it is answered, and the \
                    answer is lost";
        section.push(at.complain(message).with_help(help).as_warning());
    }
    settings
}

fn sctp(section: &Section<'_>) -> SctpSettings {
    let ms = |key, range, otherwise| section.number(key, range).map_or(otherwise, |n| n as u32);
    let count = |key, otherwise| section.number(key, 1..=100).map_or(otherwise, |n| n as u16);
    let settings = SctpSettings {
        heartbeat_ms: ms("heartbeat_ms", 0..=600_000, 5_000),
        rto_initial_ms: ms("rto_initial_ms", 10..=60_000, 500),
        rto_min_ms: ms("rto_min_ms", 10..=60_000, 200),
        rto_max_ms: ms("rto_max_ms", 10..=60_000, 2_000),
        path_retransmissions_max: count("path_retransmissions_max", 3),
        association_retransmissions_max: count("association_retransmissions_max", 6),
    };
    section.finish();
    let complain = |key, what: &str| {
        let at = section.place_of(key).unwrap_or_else(|| section.at());
        section.push(at.complain(what));
    };
    if settings.rto_min_ms > settings.rto_initial_ms {
        complain("rto_min_ms", "`rto_min_ms` is more than `rto_initial_ms`");
    }
    if settings.rto_initial_ms > settings.rto_max_ms {
        complain("rto_initial_ms", "`rto_initial_ms` is more than `rto_max_ms`");
    }
    settings
}

fn journal(section: &Section<'_>, dir: &Path) -> JournalSettings {
    let size =
        |n: Option<u64>, otherwise| n.and_then(|n| usize::try_from(n).ok()).unwrap_or(otherwise);
    let settings = JournalSettings {
        directory: section.text("directory").map(|path| dir.join(path.value)),
        rotate_octets: section.number("rotate_octets", 4096..=1 << 40).unwrap_or(64 << 20),
        keep_files: size(section.number("keep_files", 1..=100_000), 16),
        queue_records: size(section.number("queue_records", 64..=1 << 24), 1 << 18),
        pseudonym_key: pseudonym_key(section, dir),
        restore_s: section.number("restore_s", 0..=RESTORE_S_MAX).unwrap_or(RESTORE_S),
        clear_identities: section.flag("clear_identities").unwrap_or(false),
    };
    section.finish();
    settings
}

/// How far back records are folded at the start unless `restore_s` says otherwise: as long as
/// somebody is usually held.
pub const RESTORE_S: u64 = policy::HOLD_S;
/// Furthest back: the longest hold.
pub const RESTORE_S_MAX: u64 = policy::HOLD_S_MAX;

const KEY_EXPECTED: &str = "64 hexadecimal digits, 32 octets";

fn pseudonym_key(section: &Section<'_>, dir: &Path) -> Option<[u8; 32]> {
    let inline = section.parsed("pseudonym_key", KEY_EXPECTED, hex_32).map(|key| key.value);
    let Some(path) = section.text("pseudonym_key_file") else { return inline };
    if inline.is_some() {
        section.push(path.complain("both `pseudonym_key` and `pseudonym_key_file` are given"));
    }
    let full = dir.join(path.value);
    match files::read(&full).map(|text| hex_32(text.trim())) {
        Ok(Some(key)) => Some(key),
        Ok(None) => {
            let complaint = path.complain(format!("{} holds no key", full.display()));
            section.push(complaint.with_help(format!("expected {KEY_EXPECTED}")));
            None
        }
        Err(error) => {
            section.push(path.complain(format!("{} cannot be read: {error}", full.display())));
            None
        }
    }
}

fn hex_32(text: &str) -> Option<[u8; 32]> {
    let mut key = [0; 32];
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    for (i, octet) in key.iter_mut().enumerate() {
        *octet = u8::from_str_radix(text.get(2 * i..2 * i + 2)?, 16).ok()?;
    }
    Some(key)
}

fn log(section: &Section<'_>) -> LogSettings {
    let formats = [("human", LogFormat::Human), ("json", LogFormat::Json)];
    let levels =
        [LogLevel::Error, LogLevel::Warn, LogLevel::Info, LogLevel::Debug, LogLevel::Trace]
            .map(|level| (level.name(), level));
    let settings = LogSettings {
        format: section.word("format", &formats).map_or(LogFormat::Human, |word| word.value),
        level: section.word("level", &levels).map_or(LogLevel::Info, |word| word.value),
    };
    section.finish();
    settings
}
