//! Dialogues through the stack on the walk: a visited network's node, the gateway, a home's HLR.
#![allow(missing_docs, clippy::indexing_slicing, clippy::unwrap_used, clippy::panic)]

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex};

use procedure::{
    Act, Code, Decision, Digits, Domain, Finish, Group, LinkId, Member, Policy, Procedure,
    Provenance, Record, Refusal, Rules, StackId, Symbol, Time, Verdict, WorkerId,
};
use relay::{AnyStack, Board, ConnId, Gateway, Output, Setup, Side};
use ss7::Ss7;
use ss7::config::{Config, LinkConfig, Role, Server, Timers, TrafficMode};
use ss7::translate::{Rule, Table};
use ss7::view::View;
use ss7::view::m3ua::{Data, Kind, Label, Message, PointCode, Variant, Writer, tag};
use ss7::view::sccp::write::{AddressBuffer, Fields, TitleFields};
use ss7::view::sccp::{Unitdata, cause};
use ss7::view::tcap::Transaction;

const OWN: PointCode = PointCode(0x0801);
const VISITED: PointCode = PointCode(0x1809);
const HOME: PointCode = PointCode(0x1009);
const VISITED_SERVER: Symbol = Symbol(1);
const HOME_SERVER: Symbol = Symbol(2);
const UL: &str = "624a4804000010016b1a2818060700118605010101a00d600ba1090607040000010001036c26a124020101020102301c040812040700000000f1810791447700091042040791447700091032";
const UL_RNA: &str = "643d4904000010016b262824060700118605010101a0196117a109060704000001000103a203020100a305a1030201006c0da30b02010102010830030a0100";
const UL_OK: &str = "64454904000010016b262824060700118605010101a0196117a109060704000001000103a203020100a305a1030201006c15a213020101300e02010230090407914306070000f1";

fn hex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

fn rule(name: u32, prefix: &str, to: Symbol) -> Rule {
    Rule {
        name: Symbol(name),
        translation_type: None,
        plan: None,
        nature: None,
        ssn: None,
        from: None,
        prefix: prefix.parse().unwrap(),
        to,
        point_code: None,
        strip: 0,
        prepend: Digits::EMPTY,
        set_plan: None,
        set_nature: None,
        set_translation_type: None,
        set_ssn: None,
        route_on_ssn: false,
    }
}

fn config() -> Config {
    let here = vec![IpAddr::V4(Ipv4Addr::LOCALHOST)];
    let link = |titles: &[&str]| {
        Some(LinkConfig {
            role: Role::Sgp,
            connects: false,
            asp_identifier: None,
            addresses: here.clone(),
            titles: titles.iter().map(|title| title.parse().unwrap()).collect(),
        })
    };
    let server = |name, context, code, link| Server {
        name,
        routing_context: Some(context),
        network_appearance: None,
        point_codes: vec![code],
        mode: TrafficMode::Loadshare,
        links: vec![LinkId(link)],
        links_min: 1,
        registers: false,
    };
    let to_identity = Rule {
        plan: Some(6),
        strip: 5,
        prepend: "34609".parse().unwrap(),
        set_plan: Some(7),
        ..rule(12, "21407", HOME_SERVER)
    };
    let rules = vec![rule(10, "4477", VISITED_SERVER), rule(11, "34609", HOME_SERVER), to_identity];
    let servers = vec![server(VISITED_SERVER, 101, VISITED, 0), server(HOME_SERVER, 102, HOME, 1)];
    let codes: Vec<_> = servers.iter().map(|it| (it.point_codes[0], it.name)).collect();
    Config {
        variant: Variant::Itu,
        point_codes: vec![OWN],
        network_indicator: 0,
        links: vec![link(&["4477"]), link(&["34609"])],
        servers,
        table: Table::new(rules, &codes),
        timers: Timers::default(),
        dialogue_timeout_ms: 5_000,
        abort_expired: true,
        refuse_connections: false,
    }
}

/// Refuses registrations while it is told to; keeps what it was asked.
#[derive(Default)]
struct Desk {
    refuse: Mutex<Option<Refusal>>,
    asked: Mutex<Vec<Asked>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Asked {
    act: Act,
    domain: Domain,
    imsi: Option<String>,
    serving: Option<String>,
    origin: String,
    spoofed: bool,
}

struct Shared(Arc<Desk>);

impl Rules for Shared {
    fn decide(&self, _: Time, procedure: &Procedure<'_>) -> Decision {
        self.0.asked.lock().unwrap().push(Asked {
            act: procedure.act,
            domain: procedure.domain,
            imsi: procedure.imsi.map(procedure::Imsi::in_clear),
            serving: procedure.serving.map(Digits::in_clear),
            origin: String::from_utf8_lossy(procedure.origin.host).into_owned(),
            spoofed: procedure.spoofed,
        });
        let mut decision = Decision::forward(None);
        if let (Some(refusal), Act::Register) = (*self.0.refuse.lock().unwrap(), procedure.act) {
            decision.verdict = Verdict::Refuse(refusal);
            decision.refused_by = Some(procedure::Stage::Steer);
        }
        decision
    }

    fn learn(&self, _: &Record) {}

    fn group(&self, name: Symbol) -> Option<&Group> {
        static GROUPS: std::sync::OnceLock<[Group; 2]> = std::sync::OnceLock::new();
        let groups = GROUPS.get_or_init(|| {
            [0, 1].map(|link| Group {
                members: vec![Member { link: LinkId(link), priority: 1, weight: 1 }],
            })
        });
        groups.get(name.0 as usize - 1)
    }
}

impl Policy for Shared {
    fn rules(&self) -> Arc<dyn Rules> {
        Arc::new(Self(Arc::clone(&self.0)))
    }

    fn version(&self) -> u64 {
        1
    }
}

struct World {
    gateway: Gateway,
    desk: Arc<Desk>,
    now: Time,
    conns: [ConnId; 2],
    records: Vec<Record>,
}

impl World {
    /// Both peers are active.
    fn up() -> Self {
        let desk = Arc::new(Desk::default());
        let stack: Box<dyn AnyStack> = Box::new(Ss7::new(config(), 7));
        let mut gateway = Gateway::new(Setup {
            worker: WorkerId(0),
            workers: 1,
            stacks: vec![stack],
            links: vec![StackId(0); 2],
            policy: Arc::new(Shared(Arc::clone(&desk))),
            board: Arc::new(Board::new(2)),
            request_timeout_ms: 4_000,
            seed: 1,
        });
        let now = Time::default();
        gateway.start(now);
        let mut conns = [ConnId(0); 2];
        for link in 0..2 {
            conns[link as usize] = gateway.opened(now, LinkId(link), Side::Responder).unwrap();
        }
        let mut world = Self { gateway, desk, now, conns, records: Vec::new() };
        for link in 0..2 {
            let (mut up, mut active) = (Vec::new(), Vec::new());
            let _ = Writer::new(&mut up, Kind::ASP_UP);
            let context = 101 + u32::try_from(link).unwrap();
            let _ =
                Writer::new(&mut active, Kind::ASP_ACTIVE).number(tag::ROUTING_CONTEXT, context);
            world.receive(link, &up);
            world.receive(link, &active);
            let kinds: Vec<_> =
                world.sent(link).iter().map(|it| Message::new(it).unwrap().kind()).collect();
            assert!(kinds.contains(&Kind::ASP_UP_ACK) && kinds.contains(&Kind::ASP_ACTIVE_ACK));
        }
        // What the first one was told of the second.
        world.sent(0);
        world
    }

    fn receive(&mut self, link: usize, message: &[u8]) {
        self.gateway.message(self.now, self.conns[link], message);
        self.settle();
    }

    fn settle(&mut self) {
        while let Some(output) = self.gateway.poll() {
            assert!(!matches!(output, Output::Close(_)), "a link was lost");
        }
        self.records.append(self.gateway.records());
    }

    fn sent(&mut self, link: usize) -> Vec<Vec<u8>> {
        let mut all = Vec::new();
        while let Some((message, _, ppid)) = self.gateway.outbox_message(self.conns[link]) {
            assert_eq!(ppid, 3);
            let message = message.to_vec();
            self.gateway.sent(self.conns[link], message.len());
            all.push(message);
        }
        all
    }

    fn pass_ms(&mut self, ms: u64) {
        self.now = self.now.plus_ms(ms);
        self.gateway.expire(self.now);
        self.settle();
    }
}

fn title(ssn: u8, plan: u8, digits: &str) -> AddressBuffer {
    let digits = digits.parse().unwrap();
    let title = TitleFields { indicator: 4, translation_type: 0, plan, nature: 4, digits };
    AddressBuffer::new(&Fields { ssn: Some(ssn), title: Some(title), ..Fields::default() })
}

fn data(
    context: u32,
    opc: PointCode,
    dpc: PointCode,
    called: &AddressBuffer,
    calling: &AddressBuffer,
    tcap: &[u8],
) -> Vec<u8> {
    let (called, calling) = (called.octets(), calling.octets());
    let mut udt = vec![9, 0x81, 3, 0, 0];
    udt[3] = u8::try_from(3 + called.len()).unwrap();
    udt[4] = u8::try_from(3 + called.len() + calling.len()).unwrap();
    for part in [called, calling, tcap] {
        udt.push(u8::try_from(part.len()).unwrap());
        udt.extend_from_slice(part);
    }
    let label = Label { opc, dpc, service: 3, network: 0, priority: 0, sls: 9 };
    let mut out = Vec::new();
    let _ = Writer::new(&mut out, Kind::DATA)
        .number(tag::ROUTING_CONTEXT, context)
        .data(&label, |out| out.extend_from_slice(&udt));
    out
}

fn vlr() -> AddressBuffer {
    title(7, 1, "447700900123")
}

fn hlr() -> AddressBuffer {
    title(6, 7, "346090000000001")
}

fn from_visited(tcap: &[u8]) -> Vec<u8> {
    data(101, VISITED, OWN, &hlr(), &vlr(), tcap)
}

fn from_home(tcap: &[u8]) -> Vec<u8> {
    data(102, HOME, OWN, &vlr(), &hlr(), tcap)
}

/// What arrived: context, point codes, called and calling octets, TCAP.
type Seen = (Option<u32>, u32, u32, Vec<u8>, Vec<u8>, Vec<u8>);

fn seen(message: &[u8]) -> Seen {
    let data = Data::new(message).unwrap();
    let unit = Unitdata::new(data.user, false).unwrap();
    let (called, calling) = (unit.called.octets.to_vec(), unit.calling.octets.to_vec());
    (data.context.map(|it| it.1), data.opc.0, data.dpc.0, called, calling, unit.data.to_vec())
}

#[test]
fn a_location_update_there_and_back() {
    let mut world = World::up();
    world.receive(0, &from_visited(&hex(UL)));
    let onward = world.sent(1);
    let (called, calling) = (hlr().octets().to_vec(), vlr().octets().to_vec());
    assert_eq!(onward.len(), 1);
    assert_eq!(
        seen(&onward[0]),
        (Some(102), OWN.0, HOME.0, called.clone(), calling.clone(), hex(UL))
    );
    assert_eq!(
        world.desk.asked.lock().unwrap()[0],
        Asked {
            act: Act::Register,
            domain: Domain::Cs,
            imsi: Some("214070000000001".into()),
            serving: Some("447700900123".into()),
            origin: "447700900123".into(),
            spoofed: false,
        }
    );
    world.receive(1, &from_home(&hex(UL_OK)));
    let back = world.sent(0);
    assert_eq!(seen(&back[0]), (Some(101), OWN.0, VISITED.0, calling, called, hex(UL_OK)));
    let [record] = world.records[..] else { panic!("{:?}", world.records) };
    assert_eq!((record.finish, record.success, record.frames), (Finish::Answered, true, 2));
    assert_eq!((record.act, record.from, record.to), (Act::Register, LinkId(0), Some(LinkId(1))));
}

#[test]
fn steering_answers_as_the_home_would() {
    let mut world = World::up();
    *world.desk.refuse.lock().unwrap() = Some(Refusal::RoamingNotAllowed);
    world.receive(0, &from_visited(&hex(UL)));
    assert!(world.sent(1).is_empty());
    let answer = world.sent(0);
    let expected = (
        Some(101),
        OWN.0,
        VISITED.0,
        vlr().octets().to_vec(),
        hlr().octets().to_vec(),
        hex(UL_RNA),
    );
    assert_eq!(seen(&answer[0]), expected);
    let [record] = world.records[..] else { panic!("{:?}", world.records) };
    assert_eq!((record.finish, record.code), (Finish::Refused, Code::Error(8)));
    assert_eq!(record.provenance, Provenance::Steering);
}

#[test]
fn the_home_says_no_itself() {
    let mut world = World::up();
    world.receive(0, &from_visited(&hex(UL)));
    world.receive(1, &from_home(&hex(UL_RNA)));
    let [record] = world.records[..] else { panic!("{:?}", world.records) };
    assert_eq!((record.finish, record.code), (Finish::Answered, Code::Error(8)));
    assert_eq!((record.success, record.provenance), (false, Provenance::Relayed));
}

#[test]
fn an_identity_becomes_the_home_networks_mobile_title() {
    let mut world = World::up();
    let imsi = title(6, 6, "214070000000001");
    world.receive(0, &data(101, VISITED, OWN, &imsi, &vlr(), &hex(UL)));
    assert_eq!(seen(&world.sent(1)[0]).3, hlr().octets());
}

#[test]
fn what_leads_nowhere_is_given_back() {
    let mut world = World::up();
    let stranger = title(6, 1, "999999");
    world.receive(0, &data(101, VISITED, OWN, &stranger, &vlr(), &hex(UL)));
    let back = world.sent(0);
    let data = Data::new(&back[0]).unwrap();
    let unit = Unitdata::new(data.user, false).unwrap();
    assert!(unit.is_service());
    assert_eq!((unit.class, unit.data), (cause::NO_TRANSLATION, &hex(UL)[..]));
    assert_eq!(world.records[0].code, Code::Returned(u32::from(cause::NO_TRANSLATION)));
}

#[test]
fn nobody_speaks_for_another() {
    let mut world = World::up();
    let other = title(7, 1, "336890000");
    world.receive(0, &data(101, VISITED, OWN, &hlr(), &other, &hex(UL)));
    assert!(world.sent(1).is_empty());
    assert_eq!(world.records[0].finish, Finish::Refused);
    assert_eq!(world.records[0].provenance, Provenance::Screening);
    assert_eq!(world.records[0].code, Code::Error(36), "unexpected data value");
}

#[test]
fn silence_is_recorded_and_the_originator_is_told() {
    let mut world = World::up();
    world.receive(0, &from_visited(&hex(UL)));
    world.sent(1);
    world.pass_ms(6_000);
    let back = world.sent(0);
    let data = Data::new(back.last().unwrap()).unwrap();
    let unit = Unitdata::new(data.user, false).unwrap();
    let abort = Transaction::new(unit.data, 0).unwrap();
    assert_eq!((abort.p_abort, abort.dtid), (Some(1), Some(&[0, 0, 16, 1][..])));
    assert_eq!(world.records[0].finish, Finish::Expired);
}

#[test]
fn what_cannot_be_read_is_aborted_and_harms_nobody() {
    let mut world = World::up();
    let mut broken = hex(UL);
    let components = broken.iter().position(|octet| *octet == 0x6c).unwrap();
    broken[components + 1] = 0x7f;
    world.receive(0, &from_visited(&broken));
    let back = world.sent(0);
    assert_eq!(back.len(), 1);
    let data = Data::new(&back[0]).unwrap();
    let unit = Unitdata::new(data.user, false).unwrap();
    assert_eq!(Transaction::new(unit.data, 0).unwrap().p_abort, Some(2));
    assert!(matches!(world.records[0].finish, Finish::Malformed(_)));
    world.receive(0, &from_visited(&hex(UL)));
    assert_eq!(world.sent(1).len(), 1);
}

#[test]
fn a_connection_through_us_is_refused_and_one_beside_us_passes() {
    let mut world = World::up();
    let connect = |dpc| {
        let label = Label { opc: VISITED, dpc, service: 3, network: 0, priority: 0, sls: 9 };
        let mut out = Vec::new();
        let request = [1, 7, 8, 9, 2, 2, 0, 2, 0x42, 8];
        let _ = Writer::new(&mut out, Kind::DATA)
            .number(tag::ROUTING_CONTEXT, 101)
            .data(&label, |out| out.extend_from_slice(&request));
        out
    };
    world.receive(0, &connect(OWN));
    let refused = world.sent(0);
    assert_eq!(Data::new(&refused[0]).unwrap().user, [3, 7, 8, 9, 15, 0]);
    world.receive(0, &connect(HOME));
    assert_eq!(world.sent(1).len(), 1);
}

#[test]
fn transfer_by_point_code_is_octet_for_octet() {
    let mut world = World::up();
    let there = data(101, VISITED, HOME, &hlr(), &vlr(), &hex(UL));
    world.receive(0, &there);
    let onward = world.sent(1);
    let mut expected = there;
    expected[12..16].copy_from_slice(&102_u32.to_be_bytes());
    assert_eq!(onward, [expected]);
}

proptest::proptest! {
    #[test]
    fn no_octets_panic(place: usize, value: u8, cut: usize) {
        let mut message = from_visited(&hex(UL));
        let place = place % message.len();
        message[place] = value;
        let cut = (8 + cut % (message.len() - 7)) & !3;
        message.truncate(cut.max(8));
        let length = u32::try_from(message.len()).unwrap().to_be_bytes();
        message[4..8].copy_from_slice(&length);
        if let Ok(view) = View::new(&message, false) {
            let stack = Ss7::new(config(), 7);
            let _ = relay::Stack::correlate(&stack, &view);
            let mut out = Vec::new();
            for refusal in [Refusal::RoamingNotAllowed, Refusal::Unroutable] {
                let _ = relay::Stack::answer(&stack, &view, refusal, &mut out);
            }
        }
    }
}
