//! An application server process made by hand, at the gateway of the shipped laboratory: it says what
//! a test wants it to, right or wrong.
#![allow(clippy::panic, clippy::missing_panics_doc, reason = "that is how a test fails")]

use std::future::poll_fn;
use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use sctp::{Association, Backend, Endpoint, Event, Peer, Settings};
use ss7::view::m3ua::{Data, Kind, Label, Message, PointCode, Writer, tag};
use ss7::view::sccp::Unitdata;
use ss7::view::sccp::write::{AddressBuffer, Fields, TitleFields};
use tokio::time::timeout;

use crate::daemon::Daemon;

/// Where everybody is.
pub const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const PATIENCE: Duration = Duration::from_secs(20);
/// 2-0-1, the gateway.
pub const GATEWAY: PointCode = PointCode(2 << 11 | 1);
/// The gateway's SCTP port.
pub const PORT: u16 = 2905;

/// The shipped laboratory on ports of its own, and the UDP port of its SCTP.
///
/// # Panics
/// If it does not start.
#[must_use]
pub fn start(name: &str) -> (Daemon, u16) {
    let folder = crate::scratch(name);
    let shipped = std::fs::read_to_string(crate::root().join("policies/gateway.toml"))
        .expect("it is shipped");
    // Nobody holds the port between here and the daemon's start, or the test fails and says so.
    let free =
        UdpSocket::bind((HERE, 0)).and_then(|socket| socket.local_addr()).expect("a port").port();
    let policies = crate::root().join("policies");
    let text = shipped
        .replace("policies = \".\"", &format!("policies = \"{}\"", policies.display()))
        .replace("\"127.0.0.1:3868\"", "\"127.0.0.1:0\"")
        .replace("\"127.0.0.1:9868\"", "\"127.0.0.1:0\"")
        .replace("encapsulation_port = 9899 ", &format!("encapsulation_port = {free} "))
        .replace("# directory = \"records\"", "directory = \"journal\"")
        .replace("clear_identities = false", "clear_identities = true");
    (Daemon::start(&folder, &text), free)
}

/// A peer of the shipped laboratory.
#[derive(Clone, Copy, Debug)]
pub struct Seat {
    /// Its ASP identifier.
    pub identifier: u32,
    /// The routing context of its server.
    pub context: u32,
    /// Its point code.
    pub code: PointCode,
}

/// `iberia-hlr1`.
pub const IBERIA_HLR: Seat = seat(1, 101, [2, 1, 1]);
/// `rhine-hlr1`.
pub const RHINE_HLR: Seat = seat(3, 102, [2, 2, 1]);
/// `gb-23430-stp1`, of a network that iberia does not prefer.
pub const OTHER_GB: Seat = seat(6, 203, [3, 3, 1]);
/// `fr-20801-stp1`, of a network that iberia prefers.
pub const PREFERRED_FR: Seat = seat(7, 204, [4, 1, 1]);

const fn seat(identifier: u32, context: u32, [zone, area, point]: [u32; 3]) -> Seat {
    Seat { identifier, context, code: PointCode(zone << 11 | area << 3 | point) }
}

/// An application server process.
pub struct Asp {
    /// Its association with the gateway.
    pub association: Association,
    /// Who it is.
    pub seat: Seat,
    _endpoint: Endpoint,
}

impl Asp {
    /// An association with the gateway at that UDP port, over which nothing was said yet.
    ///
    /// # Panics
    /// If it cannot be made.
    pub async fn connect(port: u16, seat: Seat) -> Self {
        let backend = Backend::Udp { encapsulation_port: 0 };
        let settings = Settings::default();
        let endpoint = Endpoint::bind(backend, &[HERE], 0, &settings, Arc::new(|_| true));
        let endpoint = endpoint.expect("an endpoint");
        let peer = Peer { addresses: vec![HERE], port: PORT, encapsulation_port: port };
        let association = endpoint.connect(&peer).await.expect("connected");
        Self { association, seat, _endpoint: endpoint }
    }

    /// One that is up and active for its server.
    ///
    /// # Panics
    /// If it does not become so.
    pub async fn join(port: u16, seat: Seat) -> Self {
        let mut asp = Self::connect(port, seat).await;
        asp.up();
        asp.hear(Kind::ASP_UP_ACK).await;
        asp.active(seat.context);
        asp.hear(Kind::ASP_ACTIVE_ACK).await;
        asp
    }

    /// Says ASPUP.
    pub fn up(&mut self) {
        let mut up = Vec::new();
        let _ =
            Writer::new(&mut up, Kind::ASP_UP).number(tag::ASP_IDENTIFIER, self.seat.identifier);
        self.say(&up);
    }

    /// Says ASPAC for a routing context.
    pub fn active(&mut self, context: u32) {
        let mut active = Vec::new();
        let _ = Writer::new(&mut active, Kind::ASP_ACTIVE).number(tag::ROUTING_CONTEXT, context);
        self.say(&active);
    }

    /// Says a message.
    ///
    /// # Panics
    /// If there is no room for it.
    pub fn say(&mut self, message: &[u8]) {
        self.association.try_send(1, 3, message).expect("room");
        self.association.flush();
    }

    /// The next message of a kind; others are passed over.
    ///
    /// # Panics
    /// If it does not come, or the association ends.
    pub async fn hear(&mut self, kind: Kind) -> Vec<u8> {
        loop {
            let next = poll_fn(|cx| self.association.poll_event(cx));
            match timeout(PATIENCE, next).await.unwrap_or_else(|_| panic!("no {kind:?}")) {
                Event::Data(message) => {
                    let found = Message::new(&message.octets).expect("M3UA").kind();
                    if found == kind {
                        return message.octets;
                    }
                }
                Event::Down { why } => panic!("it has ended: {why}"),
                _ => {}
            }
        }
    }

    /// DATA for the gateway with this SCCP message.
    #[must_use]
    pub fn wrapped(&self, sccp: &[u8]) -> Vec<u8> {
        let (opc, dpc) = (self.seat.code, GATEWAY);
        let label = Label { opc, dpc, service: 3, network: 0, priority: 0, sls: 1 };
        let mut out = Vec::new();
        let _ = Writer::new(&mut out, Kind::DATA)
            .number(tag::ROUTING_CONTEXT, self.seat.context)
            .data(&label, |out| out.extend_from_slice(sccp));
        out
    }

    /// Says DATA for the gateway with this SCCP message.
    pub fn transfer(&mut self, sccp: &[u8]) {
        let message = self.wrapped(sccp);
        self.say(&message);
    }

    /// Says TCAP to somebody behind the gateway.
    pub fn data(&mut self, called: &AddressBuffer, calling: &AddressBuffer, tcap: &[u8]) {
        self.transfer(&unitdata(called, calling, tcap));
    }

    /// TCAP of the next DATA.
    ///
    /// # Panics
    /// If none comes.
    pub async fn tcap(&mut self) -> Vec<u8> {
        let message = self.hear(Kind::DATA).await;
        let data = Data::new(&message).expect("DATA");
        Unitdata::new(data.user, false).expect("unitdata").data.to_vec()
    }
}

/// A unitdata message, in sequence, to be given back where it cannot be delivered.
///
/// # Panics
/// If a part is too long for one.
#[must_use]
pub fn unitdata(called: &AddressBuffer, calling: &AddressBuffer, tcap: &[u8]) -> Vec<u8> {
    let (called, calling) = (called.octets(), calling.octets());
    let mut udt = vec![9, 0x81];
    let pointers = [3, 3 + called.len(), 3 + called.len() + calling.len()];
    udt.extend(pointers.map(|pointer| u8::try_from(pointer).expect("short")));
    for one in [called, calling, tcap] {
        udt.push(u8::try_from(one.len()).expect("short"));
        udt.extend_from_slice(one);
    }
    udt
}

/// An address by title: a subsystem, a numbering plan and digits.
///
/// # Panics
/// If these are no digits.
#[must_use]
pub fn title(ssn: u8, plan: u8, digits: &str) -> AddressBuffer {
    let digits = digits.parse().expect("digits");
    let title = TitleFields { indicator: 4, translation_type: 0, plan, nature: 4, digits };
    AddressBuffer::new(&Fields { ssn: Some(ssn), title: Some(title), ..Fields::default() })
}

/// An element of BER, of less than 128 octets.
///
/// # Panics
/// If it is longer.
#[must_use]
pub fn part(tag: u8, value: &[u8]) -> Vec<u8> {
    [&[tag, u8::try_from(value.len()).ok().filter(|octets| *octets < 0x80).expect("short")], value]
        .concat()
}

/// An Update Location (2) or Update GPRS Location (23) of 214070000000001 from 447953000001.
#[must_use]
pub fn register(operation: u8, otid: u8) -> Vec<u8> {
    let imsi = part(4, &[0x12, 0x04, 0x07, 0, 0, 0, 0, 0xf1]);
    let node = [0x91, 0x44, 0x97, 0x35, 0, 0, 0x10];
    let argument = match operation {
        2 => [imsi, part(0x81, &node), part(4, &node)].concat(),
        _ => [imsi, part(4, &node), part(4, &[4, 10, 0, 0, 1])].concat(),
    };
    let invoke = [&[2, 1, 1, 2, 1, operation][..], &part(0x30, &argument)].concat();
    let context = if operation == 2 { 1 } else { 32 };
    let name = part(0xa1, &part(6, &[4, 0, 0, 1, 0, context, 3]));
    let external = [part(6, &[0, 17, 134, 5, 1, 1, 1]), part(0xa0, &part(0x60, &name))].concat();
    let dialogue = part(0x6b, &part(0x28, &external));
    let components = part(0x6c, &part(0xa1, &invoke));
    part(0x62, &[part(0x48, &[0, 0, 0, otid]), dialogue, components].concat())
}
