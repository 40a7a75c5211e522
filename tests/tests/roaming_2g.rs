//! MAP through the daemon with the shipped policies, over our own SCTP: an Update Location is
//! refused as the home network would, four times, then let through to the HLR; one attempt counter
//! with 4G; what is recorded.
#![allow(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test reads files and clocks, and fails by panicking"
)]

use std::future::poll_fn;
use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use sctp::{Association, Backend, Endpoint, Event, Peer, Settings};
use ss7::view::m3ua::{Data, Kind, Label, Message, PointCode, Writer, tag};
use ss7::view::sccp::Unitdata;
use ss7::view::sccp::write::{AddressBuffer, Fields, TitleFields};
use tests::children::eventually;
use tests::daemon::Daemon;
use tokio::time::timeout;

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const PATIENCE: Duration = Duration::from_secs(20);
/// 2-0-1, the gateway of the shipped laboratory.
const GATEWAY: PointCode = PointCode(2 << 11 | 1);
/// Longer than registrations of one attach are taken for one.
const BETWEEN: Duration = Duration::from_millis(3_300);

/// The shipped laboratory on ports of its own.
fn start(name: &str) -> (Daemon, u16) {
    let folder = tests::scratch(name);
    let shipped = std::fs::read_to_string(tests::root().join("policies/gateway.toml")).unwrap();
    // Nobody holds the port between here and the daemon's start, or the test fails and says so.
    let free = UdpSocket::bind((HERE, 0)).unwrap().local_addr().unwrap().port();
    let policies = tests::root().join("policies");
    let text = shipped
        .replace("policies = \".\"", &format!("policies = \"{}\"", policies.display()))
        .replace("\"127.0.0.1:3868\"", "\"127.0.0.1:0\"")
        .replace("\"127.0.0.1:9868\"", "\"127.0.0.1:0\"")
        .replace("encapsulation_port = 9899 ", &format!("encapsulation_port = {free} "))
        .replace("# directory = \"records\"", "directory = \"journal\"")
        .replace("clear_identities = false", "clear_identities = true");
    (Daemon::start(&folder, &text), free)
}

/// An application server process.
struct Asp {
    association: Association,
    context: u32,
    code: PointCode,
    _endpoint: Endpoint,
}

impl Asp {
    async fn join(port: u16, identifier: u32, context: u32, code: u32) -> Self {
        let backend = Backend::Udp { encapsulation_port: 0 };
        let endpoint =
            Endpoint::bind(backend, &[HERE], 0, &Settings::default(), Arc::new(|_| true)).unwrap();
        let peer = Peer { addresses: vec![HERE], port: 2905, encapsulation_port: port };
        let association = endpoint.connect(&peer).await.expect("connected");
        let mut asp = Self { association, context, code: PointCode(code), _endpoint: endpoint };
        let (mut up, mut active) = (Vec::new(), Vec::new());
        let _ = Writer::new(&mut up, Kind::ASP_UP).number(tag::ASP_IDENTIFIER, identifier);
        let _ = Writer::new(&mut active, Kind::ASP_ACTIVE).number(tag::ROUTING_CONTEXT, context);
        asp.say(&up);
        asp.hear(Kind::ASP_UP_ACK).await;
        asp.say(&active);
        asp.hear(Kind::ASP_ACTIVE_ACK).await;
        asp
    }

    fn say(&mut self, message: &[u8]) {
        self.association.try_send(1, 3, message).expect("room");
        self.association.flush();
    }

    /// The next message of a kind; others are passed over.
    async fn hear(&mut self, kind: Kind) -> Vec<u8> {
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

    fn data(&mut self, called: &AddressBuffer, calling: &AddressBuffer, tcap: &[u8]) {
        let (called, calling) = (called.octets(), calling.octets());
        let mut udt = vec![9, 0x81];
        let pointers = [3, 3 + called.len(), 3 + called.len() + calling.len()];
        udt.extend(pointers.map(|pointer| u8::try_from(pointer).unwrap()));
        for one in [called, calling, tcap] {
            udt.push(u8::try_from(one.len()).unwrap());
            udt.extend_from_slice(one);
        }
        let (opc, dpc) = (self.code, GATEWAY);
        let label = Label { opc, dpc, service: 3, network: 0, priority: 0, sls: 1 };
        let mut out = Vec::new();
        let _ = Writer::new(&mut out, Kind::DATA)
            .number(tag::ROUTING_CONTEXT, self.context)
            .data(&label, |out| out.extend_from_slice(&udt));
        self.say(&out);
    }

    async fn tcap(&mut self) -> Vec<u8> {
        let message = self.hear(Kind::DATA).await;
        let data = Data::new(&message).unwrap();
        Unitdata::new(data.user, false).unwrap().data.to_vec()
    }
}

fn title(ssn: u8, plan: u8, digits: &str) -> AddressBuffer {
    let digits = digits.parse().unwrap();
    let title = TitleFields { indicator: 4, translation_type: 0, plan, nature: 4, digits };
    AddressBuffer::new(&Fields { ssn: Some(ssn), title: Some(title), ..Fields::default() })
}

fn part(tag: u8, value: &[u8]) -> Vec<u8> {
    [&[tag, u8::try_from(value.len()).unwrap()], value].concat()
}

/// An Update Location (2) or Update GPRS Location (23) of 214070000000001 from 447953000001.
fn register(operation: u8, otid: u8) -> Vec<u8> {
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

#[test]
fn a_roamer_is_refused_four_times_and_then_let_in() {
    let (daemon, port) = start("roaming-2g");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut home = Asp::join(port, 1, 101, 2 << 11 | 1 << 3 | 1).await;
        // 234-30, which the shipped plan does not prefer.
        let mut visited = Asp::join(port, 6, 203, 3 << 11 | 3 << 3 | 1).await;
        let hlr = title(6, 7, "346090000000001");
        let (vlr, sgsn) = (title(7, 1, "447953000001"), title(149, 1, "447953000001"));
        let refused = [0x02, 1, 8, 0x30, 3, 0x0a, 1, 0];
        for attempt in 1..=4 {
            // Both domains of one attach: one attempt.
            for (calling, operation) in [(&vlr, 2), (&sgsn, 23)] {
                visited.data(&hlr, calling, &register(operation, attempt * 16 + operation % 8));
                let answer = visited.tcap().await;
                assert_eq!(answer[0], 0x64, "an End: attempt {attempt}");
                assert!(answer.ends_with(&refused), "attempt {attempt}: {answer:02x?}");
            }
            tokio::time::sleep(BETWEEN).await;
        }
        visited.data(&hlr, &vlr, &register(2, 0x7f));
        let asked = home.tcap().await;
        assert_eq!(asked, register(2, 0x7f), "octet for octet");
        let result = part(0x6c, &part(0xa2, &[2, 1, 1]));
        home.data(&vlr, &hlr, &part(0x64, &[part(0x49, &[0, 0, 0, 0x7f]), result].concat()));
        assert_eq!(visited.tcap().await[0], 0x64);
    });
    let records = || Some(daemon.records()).filter(|records| records.len() >= 9);
    let records = eventually(PATIENCE, records).expect("a record of each dialogue");
    let of = |name: &str| records.iter().map(|record| record[name].clone()).collect::<Vec<_>>();
    assert!(of("stack").iter().all(|stack| stack == "ss7"));
    assert!(of("imsi").iter().all(|imsi| imsi == "214070000000001"));
    assert!(of("visited").iter().all(|visited| visited == "23430"));
    let attempts: Vec<_> = records.iter().filter_map(|record| record["attempt"].as_u64()).collect();
    assert_eq!(attempts, [1, 1, 2, 2, 3, 3, 4, 4, 4], "the last says after how many it was let in");
    let last = records.last().unwrap();
    assert_eq!((&last["finish"], &last["exit"]), (&"answered".into(), &"attempts".into()));
    assert_eq!((&last["operation_name"], &last["domain"]), (&"ul".into(), &"cs".into()));
    assert_eq!((&last["from"], &last["to"]), (&"gb-23430-stp1".into(), &"iberia-hlr1".into()));
}
