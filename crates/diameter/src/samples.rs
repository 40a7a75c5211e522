//! Frames and a configuration for this crate's tests.

use procedure::LinkId;

use crate::view::{Header, REQUEST, base, code};
use crate::write::Writer;
use crate::{Config, Diameter, PeerConfig};

pub(crate) const MME: LinkId = LinkId(0);
pub(crate) const HSS: LinkId = LinkId(1);

/// A ULR as python-diameter 0.9.0 writes it; scapy, bromelia and pycrate encode it identically.
const ULR: &str = "010000e0c000013c000000000000000100000002000001074000001c6d6d65312e76697369746564\
                   2e6c61623b313b3100000104400000200000010a4000000c000028af000001024000000c01000023\
                   000001154000000c0000000100000108400000186d6d65312e766973697465642e6c616200000128\
                   40000013766973697465642e6c6162000000011b40000010686f6d652e6c61620000000140000017\
                   3231343037303030303030303030310000000408c0000010000028af000003ec0000057dc0000010\
                   000028af000000220000057fc000000f000028af12f47000";

/// The ULR. Its header says application 0, as that library leaves it unless told: set here.
pub(crate) fn ulr() -> Vec<u8> {
    let digits: Vec<u8> = ULR.bytes().filter(u8::is_ascii_hexdigit).collect();
    let octet = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).expect("hex"), 16);
    let mut frame: Vec<u8> =
        digits.chunks(2).map(|pair| octet(pair).expect("two hex digits")).collect();
    frame[8..12].copy_from_slice(&crate::S6A.to_be_bytes());
    frame
}

/// A gateway between one visited MME, which connects to us, and one home HSS, which we connect to.
pub(crate) fn config() -> Config {
    let mut config = Config::new("gw.ipx.lab", "ipx.lab");
    config.host_addresses = vec![std::net::Ipv4Addr::LOCALHOST.into()];
    let mme = PeerConfig::new(MME, "mme1.visited.lab", "visited.lab");
    let mut hss = PeerConfig::new(HSS, "hss1.home.lab", "home.lab");
    hss.initiate = true;
    config.peers = vec![mme, hss];
    config
}

pub(crate) fn diameter() -> Diameter {
    Diameter::new(config())
}

/// A message of the base protocol with these AVPs.
pub(crate) fn message(flags: u8, command: u32, ids: (u32, u32), avps: &[(u32, &[u8])]) -> Vec<u8> {
    let header = Header {
        length: 0,
        flags,
        command,
        application: base::APPLICATION,
        hop_by_hop: ids.0,
        end_to_end: ids.1,
    };
    let mut out = Vec::new();
    let mut writer = Writer::new(&mut out, &header);
    for (code, data) in avps {
        writer.avp(*code, data);
    }
    writer.finish();
    out
}

/// What a CER or CEA of `host` carries.
pub(crate) fn introduction<'a>(host: &'a str, realm: &'a str) -> Vec<(u32, &'a [u8])> {
    vec![
        (code::ORIGIN_HOST, host.as_bytes()),
        (code::ORIGIN_REALM, realm.as_bytes()),
        (code::HOST_IP_ADDRESS, &[0, 1, 127, 0, 0, 1]),
        (code::VENDOR_ID, &[0, 0, 0, 0]),
        (code::PRODUCT_NAME, b"lab"),
        (code::AUTH_APPLICATION_ID, &[0xff, 0xff, 0xff, 0xff]),
    ]
}

pub(crate) fn cer(host: &str, realm: &str) -> Vec<u8> {
    message(REQUEST, base::CAPABILITIES, (7, 8), &introduction(host, realm))
}

pub(crate) fn cea(hop_by_hop: u32, result: u32, host: &str, realm: &str) -> Vec<u8> {
    let result = result.to_be_bytes();
    let mut avps = introduction(host, realm);
    avps.insert(0, (code::RESULT_CODE, &result));
    message(0, base::CAPABILITIES, (hop_by_hop, 8), &avps)
}
