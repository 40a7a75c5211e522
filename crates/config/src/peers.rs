//! Listeners and peers: who may come, from where, over what, and who it is then.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use policy::{At, REALM_EXPECTED, Section, realm};

use crate::clashes;
use crate::gateway::{
    DiameterPeer, Listen, Peer, Protocol, SctpBackend, Speaks, TlsFiles, Transport,
};
use crate::ss7;

/// Most peers, so that every table over links has a bound.
pub const PEERS_MAX: usize = 4096;
/// The UDP port of encapsulated SCTP.
//= RFC 6951 §5.1
pub const ENCAPSULATION_PORT: u16 = 9899;

pub(crate) const ADDRESS_EXPECTED: &str = "an address and a port, as \"127.0.0.1:3868\"";

pub(crate) fn listens(root: &Section<'_>, dir: &Path) -> Vec<Listen> {
    root.sections("listen").iter().filter_map(|listen| read_listen(listen, dir)).collect()
}

fn read_listen(section: &Section<'_>, dir: &Path) -> Option<Listen> {
    let _there = section.required("address");
    let address = section.parsed("address", ADDRESS_EXPECTED, |text| text.parse().ok());
    let also = addresses(section, "also");
    let protocol = protocol(section);
    let transport = transport(section, dir, protocol, None);
    section.finish();
    if !also.is_empty() && !matches!(transport, None | Some(Transport::Sctp(_))) {
        let at = section.place_of("also").unwrap_or_else(|| section.at());
        section.push(at.complain("only SCTP has several addresses"));
    }
    Some(Listen { address: address?.value, also, transport: transport?, protocol })
}

fn protocol(section: &Section<'_>) -> Protocol {
    let protocols = [Protocol::Diameter, Protocol::M3ua].map(|each| (each.name(), each));
    section.word("protocol", &protocols).map_or(Protocol::Diameter, |protocol| protocol.value)
}

fn addresses(section: &Section<'_>, key: &'static str) -> Vec<IpAddr> {
    let all = section.all_parsed(key, "an IP address", |text| text.parse().ok());
    all.into_iter().map(|address| address.value).collect()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Tcp,
    Tls,
    Kernel,
    Udp,
    Raw,
}

/// `transport` and what it needs; `shared` TLS files serve where a peer names none.
fn transport(
    section: &Section<'_>,
    dir: &Path,
    protocol: Protocol,
    shared: Option<&Transport>,
) -> Option<Transport> {
    let kinds = [
        ("tcp", Kind::Tcp),
        ("tls", Kind::Tls),
        ("sctp", Kind::Kernel),
        ("sctp-udp", Kind::Udp),
        ("sctp-raw", Kind::Raw),
    ];
    let kind = section.word("transport", &kinds).map(|kind| kind.value);
    let (certificate, key, trust) =
        (file(section, "certificate", dir), file(section, "key", dir), file(section, "trust", dir));
    let port = section.number("encapsulation_port", 1..=65_535);
    let complain = |key, what: &str, help: &str| {
        let at = section.place_of(key).unwrap_or_else(|| section.at());
        section.push(at.complain(what).with_help(help));
    };
    let given = certificate.is_some() || key.is_some() || trust.is_some();
    if given && kind != Some(Kind::Tls) {
        let what = "TLS files are given, but `transport` is not tls";
        complain("certificate", what, "say `transport = \"tls\"`");
    }
    if port.is_some() && kind != Some(Kind::Udp) {
        let what = "`encapsulation_port` is for SCTP inside UDP";
        complain("encapsulation_port", what, "say `transport = \"sctp-udp\"`");
    }
    let port = port.and_then(|port| u16::try_from(port).ok()).unwrap_or(ENCAPSULATION_PORT);
    match kind {
        None | Some(Kind::Tcp | Kind::Tls) if protocol == Protocol::M3ua => {
            let help = "say \"sctp\" (the kernel's), \"sctp-udp\" or \"sctp-raw\" (our own)";
            complain("transport", "M3UA needs SCTP", help);
            None
        }
        None | Some(Kind::Tcp) => Some(Transport::Tcp),
        Some(Kind::Kernel) => Some(Transport::Sctp(SctpBackend::Kernel)),
        Some(Kind::Udp) => Some(Transport::Sctp(SctpBackend::Udp { encapsulation_port: port })),
        Some(Kind::Raw) => Some(Transport::Sctp(SctpBackend::Raw)),
        Some(Kind::Tls) => match (certificate, key, trust, shared) {
            (Some(certificate), Some(key), Some(trust), _) => {
                Some(Transport::Tls(TlsFiles { certificate, key, trust }))
            }
            (None, None, None, Some(shared)) => Some(shared.clone()),
            _ => {
                let help = "three PEM files; both sides show a certificate";
                complain("transport", "TLS needs `certificate`, `key` and `trust`", help);
                None
            }
        },
    }
}

fn file(section: &Section<'_>, key: &'static str, dir: &Path) -> Option<PathBuf> {
    let text = section.text(key)?;
    let path = dir.join(text.value);
    if !path.is_file() {
        section.push(text.complain(format!("there is no file {}", path.display())));
    }
    Some(path)
}

pub(crate) fn peers(root: &Section<'_>, dir: &Path, tls: Option<&Transport>) -> Vec<Peer> {
    let sections = root.sections("peer");
    let mut peers: Vec<(Peer, &Section<'_>)> = Vec::new();
    if let Some(section) = sections.get(PEERS_MAX) {
        section.push(section.at().complain(format!("there are more than {PEERS_MAX} peers")));
    }
    for section in &sections {
        let name = section.required("name");
        let protocol = protocol(section);
        let host = match protocol {
            Protocol::Diameter => identity(section, "origin_host"),
            Protocol::M3ua => None,
        };
        if let Some(name) = &name
            && peers.iter().any(|(peer, _)| peer.name == name.value)
        {
            section.push(name.complain(format!("two peers are called `{}`", name.value)));
        }
        let is_host = |peer: &Peer, host: &str| {
            peer.diameter().is_some_and(|diameter| diameter.origin_host == host)
        };
        if let Some(host) = &host
            && peers.iter().any(|(peer, _)| is_host(peer, &host.value))
        {
            section.push(host.complain(format!("two peers are `{}`", host.value)));
        }
        let speaks = match protocol {
            Protocol::Diameter => diameter(section, host).map(Speaks::Diameter),
            Protocol::M3ua => ss7::peer(section).map(Speaks::M3ua),
        };
        let peer = read_peer(section, dir, tls, name.map(|name| name.value), protocol, speaks);
        peers.extend(peer.map(|peer| (peer, section)));
    }
    clashes::peers(&peers);
    peers.into_iter().map(|(peer, _)| peer).collect()
}

fn read_peer(
    section: &Section<'_>,
    dir: &Path,
    tls: Option<&Transport>,
    name: Option<&str>,
    protocol: Protocol,
    speaks: Option<Speaks>,
) -> Option<Peer> {
    let mut from = addresses(section, "addresses");
    let connect = section.parsed("connect", ADDRESS_EXPECTED, |text| text.parse().ok());
    let connect: Option<SocketAddr> = connect.map(|connect| connect.value);
    let connect_also = addresses(section, "connect_also");
    let transport = transport(section, dir, protocol, tls);
    section.finish();
    if from.is_empty() {
        match connect {
            Some(connect) => from.extend(std::iter::once(connect.ip()).chain(connect_also.clone())),
            None => {
                let complaint = section.at().complain("this peer has no `addresses`");
                section.push(complaint.with_help("say from where it may connect, or `connect`"));
            }
        }
    }
    Some(Peer {
        name: name?.to_owned(),
        addresses: from,
        connect,
        connect_also,
        transport: transport?,
        speaks: speaks?,
    })
}

fn diameter(section: &Section<'_>, host: Option<At<'_, String>>) -> Option<DiameterPeer> {
    let own_realm = section.parsed("realm", REALM_EXPECTED, realm).map(|realm| realm.value);
    let certificate = section.text("certificate_name").map(|name| name.value.to_owned());
    let realms =
        section.all_parsed("realms", "a realm, \"*.\" and the end of one, or \"*\"", |text| {
            let name = text.strip_prefix("*.").unwrap_or(text);
            (text == "*" || realm(name).is_some()).then(|| text.to_ascii_lowercase())
        });
    let origin_host = host?.value;
    let realm = own_realm.unwrap_or_else(|| after_first_dot(&origin_host));
    let mut realms: Vec<String> = realms.into_iter().map(|realm| realm.value).collect();
    if realms.is_empty() {
        realms.push(realm.clone());
    }
    Some(DiameterPeer {
        certificate_name: certificate.unwrap_or_else(|| origin_host.clone()),
        origin_host,
        realm,
        realms,
    })
}

/// A Diameter identity that must be there: a full host name.
//= RFC 6733 §4.3.1
pub(crate) fn identity<'d>(section: &Section<'d>, key: &'static str) -> Option<At<'d, String>> {
    section.required(key)?;
    section.parsed(key, "a full host name, as \"mme1.example.org\"", |text| {
        realm(text).filter(|name| name.contains('.'))
    })
}

pub(crate) fn after_first_dot(host: &str) -> String {
    host.split_once('.').map_or(host, |(_, rest)| rest).to_owned()
}
