//! From a checked configuration to a running gateway: who is given what.
//!
//! ```text
//! gateway.toml ▷ stacks ▷ gateway values ▷ net ─▷ records ▷ journal ▷ files, metrics
//! policies/    ▷ engine ────┘               └─▷ board ▷ admin API
//! ```

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use config::{Gateway as Settings, Loaded, Protocol, SctpBackend, Transport};
use procedure::{LinkId, StackId, Symbols, WorkerId};
use relay::{Admission, Board, Gateway};

use crate::admin::{Admin, Peer};
use crate::names::DaemonNames;
use crate::reload::{Reloader, SetTitles};
use crate::signalling;

/// The running gateway, all but its admin API.
pub(crate) struct Assembled {
    pub(crate) running: net::Running,
    pub(crate) journal: Arc<journal::Handle>,
    pub(crate) admin: Arc<Admin>,
    pub(crate) reloader: Arc<Reloader>,
}

/// Why the gateway cannot start; text for people.
pub(crate) type Trouble = String;

/// Starts everything that a configuration names.
pub(crate) fn assemble(loaded: &Loaded, seed: u64) -> Result<Assembled, Trouble> {
    let settings = &loaded.gateway;
    let vocabulary: Arc<dyn procedure::Vocabulary + Send + Sync> = Arc::new(stacks::vocabulary());
    let symbols = Symbols::default();
    let clock = net::Clock::new();
    let started = clock.started_unix_s();
    let engine = loaded.engine(symbols.clone(), Arc::clone(&vocabulary), seed, started);
    let engine = Arc::new(engine.map_err(|mistakes| mistakes.to_string())?);
    let links = settings.peers.iter().map(|peer| peer.name.as_str().into()).collect();
    let names = DaemonNames::new(links, stacks::NAMES.to_vec(), vocabulary, &engine);
    crate::restore::restore(&engine, &settings.journal, epoch_us(&clock));
    let (sink, journal) = start_journal(settings, &clock, Arc::new(names))?;
    let board = Arc::new(Board::new(settings.peers.len()));
    let titles = loaded.titles(&loaded.sources).map_err(|mistakes| mistakes.to_string())?;
    let table = signalling::table(settings.ss7.as_ref(), &titles.0, &titles.1, &symbols);
    let stacks = stacks::Stacks::new(stacks::Config {
        diameter: diameter(settings, &clock),
        ss7: signalling::ss7(settings, table, &symbols),
        secret: random_seed(),
    });
    let doors = stacks.admissions();
    let (endpoints, connects) = sctp(settings, &doors)?;
    let count = workers(settings);
    let worker = |_| {
        let (stacks, board, sink) = (stacks.clone(), Arc::clone(&board), sink.clone());
        let policy = Arc::clone(&engine);
        let links = settings.peers.iter().map(|peer| stack(peer.protocol())).collect();
        let request_timeout_ms = settings.diameter.request_timeout_ms;
        net::WorkerSetup {
            gateway: Box::new(move |worker: WorkerId| {
                Gateway::new(relay::Setup {
                    worker,
                    workers: count,
                    stacks: stacks.list(),
                    links,
                    policy,
                    board,
                    request_timeout_ms,
                    seed,
                })
            }),
            sink: Box::new(move |records| sink.submit(records)),
        }
    };
    let setup = net::Setup {
        workers: (0..count).map(worker).collect(),
        listeners: listeners(settings, &doors)?,
        endpoints,
        peers: peers(settings, connects)?,
        symbols: symbols.clone(),
        clock,
    };
    let running = net::spawn(setup).map_err(|error| error.to_string())?;
    let journal = Arc::new(journal);
    let ss7 = settings.ss7.clone();
    let set_titles: SetTitles = Box::new(move |titles, destinations| {
        stacks.set_titles(signalling::table(ss7.as_ref(), titles, destinations, &symbols));
    });
    let reloader = Arc::new(Reloader::new(loaded.clone(), engine, set_titles));
    let admin = Admin {
        board,
        peers: settings.peers.iter().map(shown).collect(),
        journal: Arc::clone(&journal),
        door: running.counters(),
        reloader: Arc::clone(&reloader),
    };
    Ok(Assembled { running, journal, admin: Arc::new(admin), reloader })
}

/// As many workers as configured, else one for each four processors: one carries hundreds of
/// thousands of exchanges a second, and each hand-over between two wakes a thread.
fn workers(settings: &Settings) -> u8 {
    let processors = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let count = settings.workers.unwrap_or_else(|| processors().div_ceil(4));
    u8::try_from(count.clamp(1, 64)).unwrap_or(1)
}

fn shown(peer: &config::Peer) -> Peer {
    Peer {
        name: peer.name.clone(),
        protocol: peer.protocol().name(),
        origin_host: peer.diameter().map(|own| own.origin_host.clone()),
        transport: peer.transport.name(),
        connect: peer.connect,
    }
}

fn start_journal(
    settings: &Settings,
    clock: &net::Clock,
    names: Arc<DaemonNames>,
) -> Result<(journal::Sink, journal::Handle), Trouble> {
    let wanted = &settings.journal;
    let key = match wanted.pseudonym_key {
        Some(key) => key,
        None => random_key().map_err(|error| format!("no randomness for a key: {error}"))?,
    };
    let mut journal = journal::Config::new(epoch_us(clock), journal::Key::new(key));
    journal.clear_identities = wanted.clear_identities;
    journal.queue_records = wanted.queue_records;
    journal.file = wanted.directory.as_ref().map(|directory| journal::Rotation {
        directory: directory.clone(),
        octets: wanted.rotate_octets,
        keep: wanted.keep_files,
    });
    let report = |event| match event {
        journal::Event::Failing(error) => tracing::error!(%error, "records cannot be written"),
        journal::Event::Recovered { lost } => tracing::warn!(lost, "records are written again"),
    };
    journal::spawn(journal, names, report).map_err(|error| match &wanted.directory {
        Some(directory) => format!("records cannot be written to {}: {error}", directory.display()),
        None => format!("the journal cannot start: {error}"),
    })
}

/// The start of the process, in microseconds since 1970.
fn epoch_us(clock: &net::Clock) -> u64 {
    let start = clock.wall(procedure::Time::default());
    let since = start.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

/// A key for this run only: pseudonyms of two runs cannot be joined.
fn random_key() -> io::Result<[u8; 32]> {
    use io::Read as _;
    let mut key = [0; 32];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut key)?;
    Ok(key)
}

/// A seed from the same source, for what needs no secrecy.
pub(crate) fn random_seed() -> u64 {
    let key = random_key().unwrap_or_default();
    u64::from_le_bytes(key.first_chunk().copied().unwrap_or_default())
}

fn diameter(settings: &Settings, clock: &net::Clock) -> stacks::diameter::Config {
    let mut own =
        stacks::diameter::Config::new(settings.origin_host.clone(), settings.origin_realm.clone());
    own.product_name.clone_from(&settings.product_name);
    //= RFC 6733 §8.16
    // It has to grow with each start: the second of the start does.
    own.origin_state_id = u32::try_from(epoch_us(clock) / 1_000_000).unwrap_or(u32::MAX);
    own.host_addresses = host_addresses(settings);
    own.frame_octets_max = settings.diameter.frame_octets_max;
    own.watchdog_ms = settings.diameter.watchdog_ms;
    own.reconnect_min_ms = settings.diameter.connect_backoff_ms;
    own.reconnect_max_ms = settings.diameter.connect_backoff_max_ms;
    own.peers = settings
        .peers
        .iter()
        .zip(0..)
        .filter_map(|(peer, link)| {
            let own = peer.diameter()?;
            Some(stacks::diameter::PeerConfig {
                link: LinkId(link),
                origin_host: own.origin_host.clone(),
                realm: own.realm.clone(),
                initiate: peer.connect.is_some(),
                addresses: peer.addresses.clone(),
                tls: matches!(peer.transport, Transport::Tls(_)),
                certificate_name: Some(own.certificate_name.clone()),
                realms: own.realms.clone(),
            })
        })
        .collect();
    own
}

fn host_addresses(settings: &Settings) -> Vec<IpAddr> {
    let mut addresses: Vec<IpAddr> = Vec::new();
    for listen in &settings.listens {
        //= RFC 6733 §5.3.5
        // Over SCTP all that the peer may see packets from.
        for address in std::iter::once(listen.address.ip()).chain(listen.also.iter().copied()) {
            if !address.is_unspecified() && !addresses.contains(&address) {
                addresses.push(address);
            }
        }
    }
    if addresses.is_empty() {
        addresses.push(IpAddr::from([127, 0, 0, 1]));
    }
    addresses
}

/// The doorkeeper of those who speak a protocol: its stack's place in the list of stacks.
fn door(doors: &[Arc<dyn Admission>], protocol: Protocol) -> Result<Arc<dyn Admission>, Trouble> {
    let place = usize::from(stack(protocol).0);
    doors.get(place).map(Arc::clone).ok_or_else(|| format!("no stack for {}", protocol.name()))
}

/// The stack that speaks a protocol.
const fn stack(protocol: Protocol) -> StackId {
    match protocol {
        Protocol::Diameter => StackId(0),
        Protocol::M3ua => StackId(1),
    }
}

/// SCTP endpoints, those to listen on first, and by peer how it is reached over one of them. Who is
/// connected to is so from the listener of its protocol where there is one, else from any port.
fn sctp(
    settings: &Settings,
    doors: &[Arc<dyn Admission>],
) -> Result<(Vec<net::SctpEndpoint>, Vec<Option<net::Connect>>), Trouble> {
    let mut kinds: Vec<(Protocol, SctpBackend)> = Vec::new();
    let mut endpoints = Vec::new();
    for listen in &settings.listens {
        let Transport::Sctp(kind) = listen.transport else { continue };
        let addresses = std::iter::once(listen.address.ip()).chain(listen.also.iter().copied());
        kinds.push((listen.protocol, kind));
        endpoints.push(net::SctpEndpoint {
            backend: backend(kind),
            addresses: addresses.collect(),
            port: listen.address.port(),
            settings: sctp_settings(settings),
            admission: door(doors, listen.protocol)?,
        });
    }
    let mut connects = Vec::new();
    for peer in &settings.peers {
        let (Transport::Sctp(kind), Some(to)) = (&peer.transport, peer.connect) else {
            connects.push(None);
            continue;
        };
        let protocol = peer.protocol();
        let place =
            kinds.iter().position(|(spoken, own)| *spoken == protocol && own.is_like(*kind));
        let endpoint = match place {
            Some(place) => place,
            None => {
                let any = if to.is_ipv4() { "0.0.0.0" } else { "::" };
                kinds.push((protocol, *kind));
                endpoints.push(net::SctpEndpoint {
                    backend: match kind {
                        SctpBackend::Udp { .. } => sctp::Backend::Udp { encapsulation_port: 0 },
                        other => backend(*other),
                    },
                    addresses: any.parse().into_iter().collect(),
                    port: 0,
                    settings: sctp_settings(settings),
                    admission: door(doors, protocol)?,
                });
                endpoints.len() - 1
            }
        };
        let encapsulation_port = match kind {
            SctpBackend::Udp { encapsulation_port } => *encapsulation_port,
            SctpBackend::Kernel | SctpBackend::Raw => 0,
        };
        let addresses = std::iter::once(to.ip()).chain(peer.connect_also.iter().copied()).collect();
        let peer = sctp::Peer { addresses, port: to.port(), encapsulation_port };
        connects.push(Some(net::Connect::Sctp { endpoint, peer }));
    }
    Ok((endpoints, connects))
}

/// Its timers and limits; what is not configured is as the endpoint's own defaults are.
fn sctp_settings(settings: &Settings) -> sctp::Settings {
    let own = settings.sctp;
    sctp::Settings {
        heartbeat_ms: own.heartbeat_ms,
        rto_initial_ms: own.rto_initial_ms,
        rto_min_ms: own.rto_min_ms,
        rto_max_ms: own.rto_max_ms,
        path_retransmissions_max: own.path_retransmissions_max,
        association_retransmissions_max: own.association_retransmissions_max,
        ..sctp::Settings::default()
    }
}

const fn backend(kind: SctpBackend) -> sctp::Backend {
    match kind {
        SctpBackend::Kernel => sctp::Backend::Kernel,
        SctpBackend::Udp { encapsulation_port } => sctp::Backend::Udp { encapsulation_port },
        SctpBackend::Raw => sctp::Backend::Raw,
    }
}

fn listeners(
    settings: &Settings,
    doors: &[Arc<dyn Admission>],
) -> Result<Vec<net::Listener>, Trouble> {
    let listener = |listen: &config::Listen| {
        let tls = match &listen.transport {
            Transport::Tcp | Transport::Sctp(_) => None,
            Transport::Tls(files) => Some(with_pem(files, net::ServerTls::new)?),
        };
        let admission = door(doors, listen.protocol)?;
        Ok(net::Listener { address: listen.address, tls, admission })
    };
    let over_tcp = |listen: &&config::Listen| !matches!(listen.transport, Transport::Sctp(_));
    settings.listens.iter().filter(over_tcp).map(listener).collect()
}

fn peers(
    settings: &Settings,
    connects: Vec<Option<net::Connect>>,
) -> Result<Vec<net::PeerTransport>, Trouble> {
    let peer = |((peer, over_sctp), link): ((&config::Peer, Option<net::Connect>), u32)| {
        let tls = match (&peer.transport, peer.diameter()) {
            (Transport::Tls(files), Some(own)) if peer.connect.is_some() => Some(net::PeerTls {
                config: with_pem(files, net::ClientTls::new)?,
                name: net::CertificateName::new(&own.certificate_name)
                    .map_err(|error| format!("peer {}: {error}", peer.name))?,
            }),
            _ => None,
        };
        let name = peer.name.as_str().into();
        let connect = over_sctp.or_else(|| peer.connect.map(net::Connect::Tcp));
        Ok(net::PeerTransport { link: LinkId(link), name, connect, source: None, tls })
    };
    settings.peers.iter().zip(connects).zip(0..).map(peer).collect()
}

/// Reads a listener's or peer's three PEM files and makes something of them.
fn with_pem<T>(
    files: &config::TlsFiles,
    make: impl FnOnce(&net::Pem<'_>) -> Result<T, net::TlsError>,
) -> Result<T, Trouble> {
    let read = |path: &Path| {
        std::fs::read(path).map_err(|error| format!("{} cannot be read: {error}", path.display()))
    };
    let (roots, chain, key) = (read(&files.trust)?, read(&files.certificate)?, read(&files.key)?);
    let pem = net::Pem { roots: &roots, chain: &chain, key: &key };
    make(&pem).map_err(|error| format!("{}: {error}", files.certificate.display()))
}

/// What the configuration's Diameter listeners are overridden with on the command line.
pub(crate) fn listen_elsewhere(settings: &mut Settings, address: SocketAddr) {
    let (also, protocol) = (Vec::new(), Protocol::Diameter);
    settings.listens.retain(|listen| listen.protocol != Protocol::Diameter);
    let own = config::Listen { address, also, transport: Transport::Tcp, protocol };
    settings.listens.insert(0, own);
}

/// Makes every SCTP listener one inside UDP: the first on this port, others on free ones.
pub(crate) fn sctp_in_udp(settings: &mut Settings, port: u16) {
    let mut ports = std::iter::once(port).chain(std::iter::repeat(0));
    for listen in &mut settings.listens {
        if let Transport::Sctp(kind) = &mut listen.transport {
            *kind = SctpBackend::Udp { encapsulation_port: ports.next().unwrap_or(0) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_of_sctp_is_what_its_endpoints_get() {
        let loaded = config::load(None, &stacks::vocabulary()).expect("what is shipped");
        let mut settings = loaded.gateway;
        assert_eq!(sctp_settings(&settings), sctp::Settings::default(), "two lists of defaults");
        settings.sctp = config::SctpSettings {
            heartbeat_ms: 1,
            rto_initial_ms: 2,
            rto_min_ms: 3,
            rto_max_ms: 4,
            path_retransmissions_max: 5,
            association_retransmissions_max: 6,
        };
        let got = sctp_settings(&settings);
        assert_eq!((got.heartbeat_ms, got.rto_initial_ms, got.rto_min_ms), (1, 2, 3));
        let counts = (got.path_retransmissions_max, got.association_retransmissions_max);
        assert_eq!((got.rto_max_ms, counts), (4, (5, 6)));
    }
}
