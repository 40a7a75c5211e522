//! Peers around the gateway value: a visited network's node, a home's HLR, and another visited
//! network; and the messages they say.
#![allow(dead_code, reason = "each test uses its part")]

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex};

use procedure::{
    Act, Decision, Digits, Domain, Group, LinkId, Member, Policy, Procedure, Record, Refusal,
    Rules, StackId, Symbol, Time, Verdict, WorkerId,
};
use relay::{AnyStack, Board, ConnId, Gateway, Output, Post, Setup, Side};
use ss7::Ss7;
use ss7::config::{Config, LinkConfig, Role, Server, Timers, TrafficMode};
use ss7::translate::{Rule, Table};
use ss7::view::m3ua::{Data, Kind, Label, Message, PointCode, Variant, Writer, tag};
use ss7::view::sccp::Unitdata;
use ss7::view::sccp::write::{AddressBuffer, Fields, TitleFields};

pub(crate) const OWN: PointCode = PointCode(0x0801);
pub(crate) const VISITED: PointCode = PointCode(0x1809);
pub(crate) const HOME: PointCode = PointCode(0x1009);
pub(crate) const VISITED_SERVER: Symbol = Symbol(1);
pub(crate) const HOME_SERVER: Symbol = Symbol(2);
pub(crate) const OTHER: PointCode = PointCode(0x1811);
pub(crate) const OTHER_SERVER: Symbol = Symbol(3);
/// Links: the visited network's, the home's, and another visited network's.
pub(crate) const LINKS: usize = 3;
pub(crate) const UL: &str = "624a4804000010016b1a2818060700118605010101a00d600ba1090607040000010001036c26a124020101020102301c040812040700000000f1810791447700091042040791447700091032";
pub(crate) const UL_RNA: &str = "643d4904000010016b262824060700118605010101a0196117a109060704000001000103a203020100a305a1030201006c0da30b02010102010830030a0100";
pub(crate) const UL_OK: &str = "64454904000010016b262824060700118605010101a0196117a109060704000001000103a203020100a305a1030201006c15a213020101300e02010230090407914306070000f1";

pub(crate) fn hex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

pub(crate) fn rule(name: u32, prefix: &str, to: Symbol) -> Rule {
    Rule::new(Symbol(name), prefix.parse().unwrap(), to)
}

pub(crate) fn config() -> Config {
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
    let grows = Rule { prepend: "34609".parse().unwrap(), ..rule(13, "888", HOME_SERVER) };
    let rules =
        vec![grows, rule(10, "4477", VISITED_SERVER), rule(11, "34609", HOME_SERVER), to_identity];
    let servers = vec![
        server(VISITED_SERVER, 101, VISITED, 0),
        server(HOME_SERVER, 102, HOME, 1),
        server(OTHER_SERVER, 103, OTHER, 2),
    ];
    let codes: Vec<_> = servers.iter().map(|it| (it.point_codes[0], it.name)).collect();
    Config {
        variant: Variant::Itu,
        point_codes: vec![OWN],
        network_indicator: 0,
        links: vec![link(&["4477"]), link(&["34609"]), link(&[])],
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
pub(crate) struct Desk {
    pub(crate) refuse: Mutex<Option<Refusal>>,
    pub(crate) wait_ms: Mutex<Option<u32>>,
    pub(crate) asked: Mutex<Vec<Asked>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) act: Act,
    pub(crate) domain: Domain,
    pub(crate) imsi: Option<String>,
    pub(crate) serving: Option<String>,
    pub(crate) origin: String,
    pub(crate) spoofed: bool,
}

pub(crate) struct Shared(Arc<Desk>);

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
        if let Some(wait_ms) = *self.0.wait_ms.lock().unwrap() {
            decision.verdict = Verdict::Delay { wait_ms, group: None };
        }
        decision
    }

    fn learn(&self, _: &Record) {}

    fn group(&self, name: Symbol) -> Option<&Group> {
        static GROUPS: std::sync::OnceLock<[Group; LINKS]> = std::sync::OnceLock::new();
        let groups = GROUPS.get_or_init(|| {
            [0, 1, 2].map(|link| Group {
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

pub(crate) struct World {
    pub(crate) gateways: Vec<Gateway>,
    pub(crate) desk: Arc<Desk>,
    pub(crate) board: Arc<Board>,
    pub(crate) now: Time,
    pub(crate) conns: [Option<ConnId>; LINKS],
    pub(crate) records: Vec<Record>,
}

impl World {
    /// All peers are active.
    pub(crate) fn up() -> Self {
        Self::of(config(), 1)
    }

    /// The same with another configuration, or more workers.
    pub(crate) fn of(config: Config, workers: u8) -> Self {
        let desk = Arc::new(Desk::default());
        let (stack, board) = (Ss7::new(config, 7), Arc::new(Board::new(LINKS)));
        let gateway = |worker| {
            let stack: Box<dyn AnyStack> = Box::new(stack.clone());
            Gateway::new(Setup {
                worker: WorkerId(worker),
                workers,
                stacks: vec![stack],
                links: vec![StackId(0); LINKS],
                policy: Arc::new(Shared(Arc::clone(&desk))),
                board: Arc::clone(&board),
                request_timeout_ms: 4_000,
                seed: 1,
            })
        };
        let gateways = (0..workers).map(gateway).collect();
        let (now, conns) = (Time::default(), [None; LINKS]);
        let mut world = Self { gateways, desk, board, now, conns, records: Vec::new() };
        for gateway in &mut world.gateways {
            gateway.start(now);
        }
        for link in 0..LINKS {
            world.open(link);
        }
        // What they were told of each other.
        (0..LINKS).for_each(|link| drop(world.sent(link)));
        world
    }

    fn owner(&mut self, link: usize) -> &mut Gateway {
        let workers = self.gateways.len();
        &mut self.gateways[link % workers]
    }

    /// A link's peer connects and becomes active.
    pub(crate) fn open(&mut self, link: usize) {
        let (now, id) = (self.now, LinkId(u32::try_from(link).unwrap()));
        self.conns[link] = self.owner(link).opened(now, id, Side::Responder);
        let (mut up, mut active) = (Vec::new(), Vec::new());
        let _ = Writer::new(&mut up, Kind::ASP_UP);
        let context = 101 + u32::try_from(link).unwrap();
        let _ = Writer::new(&mut active, Kind::ASP_ACTIVE).number(tag::ROUTING_CONTEXT, context);
        self.receive(link, &up);
        self.receive(link, &active);
        let kinds: Vec<_> =
            self.sent(link).iter().map(|it| Message::new(it).unwrap().kind()).collect();
        assert!(kinds.contains(&Kind::ASP_UP_ACK) && kinds.contains(&Kind::ASP_ACTIVE_ACK));
    }

    /// A link's connection ends.
    pub(crate) fn lose(&mut self, link: usize) {
        let (now, conn) = (self.now, self.conns[link].take().unwrap());
        self.owner(link).closed(now, conn, "");
        self.settle();
    }

    pub(crate) fn receive(&mut self, link: usize, message: &[u8]) {
        let (now, conn) = (self.now, self.conns[link].unwrap());
        self.owner(link).message(now, conn, message);
        self.settle();
    }

    pub(crate) fn settle(&mut self) {
        let mut moved = true;
        while std::mem::take(&mut moved) {
            for index in 0..self.gateways.len() {
                while let Some(output) = self.gateways[index].poll() {
                    moved = true;
                    match output {
                        Output::Close(_) => panic!("a link was lost"),
                        Output::Post(to) => {
                            let post = self.gateways[index].take_post(to, Post::default());
                            self.gateways[usize::from(to.0)].posted(self.now, &post);
                        }
                        _ => {}
                    }
                }
                self.records.append(self.gateways[index].records());
            }
        }
    }

    pub(crate) fn sent(&mut self, link: usize) -> Vec<Vec<u8>> {
        let conn = self.conns[link].unwrap();
        let gateway = self.owner(link);
        let mut all = Vec::new();
        while let Some((message, _, ppid)) = gateway.outbox_message(conn) {
            assert_eq!(ppid, 3);
            let message = message.to_vec();
            gateway.sent(conn, message.len());
            all.push(message);
        }
        all
    }

    /// The same without what is not traffic.
    pub(crate) fn traffic(&mut self, link: usize) -> Vec<Vec<u8>> {
        let is_data = |message: &Vec<u8>| Message::new(message).unwrap().kind() == Kind::DATA;
        self.sent(link).into_iter().filter(is_data).collect()
    }

    pub(crate) fn pass_ms(&mut self, ms: u64) {
        self.now = self.now.plus_ms(ms);
        let now = self.now;
        for gateway in &mut self.gateways {
            gateway.expire(now);
        }
        self.settle();
    }
}

pub(crate) fn title(ssn: u8, plan: u8, digits: &str) -> AddressBuffer {
    let digits = digits.parse().unwrap();
    let title = TitleFields { indicator: 4, translation_type: 0, plan, nature: 4, digits };
    AddressBuffer::new(&Fields { ssn: Some(ssn), title: Some(title), ..Fields::default() })
}

pub(crate) fn data(
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
    message(context, opc, dpc, 9, &udt)
}

pub(crate) fn vlr() -> AddressBuffer {
    title(7, 1, "447700900123")
}

pub(crate) fn hlr() -> AddressBuffer {
    title(6, 7, "346090000000001")
}

pub(crate) fn from_visited(tcap: &[u8]) -> Vec<u8> {
    data(101, VISITED, OWN, &hlr(), &vlr(), tcap)
}

pub(crate) fn from_home(tcap: &[u8]) -> Vec<u8> {
    data(102, HOME, OWN, &vlr(), &hlr(), tcap)
}

/// What arrived: context, point codes, called and calling octets, TCAP.
pub(crate) type Seen = (Option<u32>, u32, u32, Vec<u8>, Vec<u8>, Vec<u8>);

pub(crate) fn seen(message: &[u8]) -> Seen {
    let data = Data::new(message).unwrap();
    let unit = Unitdata::new(data.user, false).unwrap();
    let (called, calling) = (unit.called.octets.to_vec(), unit.calling.octets.to_vec());
    (data.context.map(|it| it.1), data.opc.0, data.dpc.0, called, calling, unit.data.to_vec())
}

/// How the segments of one message are said.
#[derive(Clone, Copy)]
pub(crate) struct Segmented<'a> {
    pub(crate) context: u32,
    pub(crate) opc: PointCode,
    pub(crate) dpc: PointCode,
    pub(crate) called: &'a AddressBuffer,
    pub(crate) calling: &'a AddressBuffer,
    pub(crate) sls: u8,
    pub(crate) reference: u8,
    pub(crate) is_long: bool,
}

impl Segmented<'_> {
    /// Each piece as XUDT, or LUDT; the first asks to be given back.
    pub(crate) fn frames(&self, pieces: &[&[u8]]) -> Vec<Vec<u8>> {
        let last = pieces.len() - 1;
        let frame = |(index, piece): (usize, &&[u8])| {
            let first = if index == 0 { 0x80 } else { 0 };
            self.frame(first | u8::try_from(last - index).unwrap(), piece)
        };
        pieces.iter().enumerate().map(frame).collect()
    }

    /// One of them, by the head of its segmentation parameter.
    pub(crate) fn frame(&self, head: u8, piece: &[u8]) -> Vec<u8> {
        let (called, calling) = (self.called.octets(), self.calling.octets());
        let class = 1 | head & 0x80;
        let wide = if self.is_long { 2 } else { 1 };
        let mut unit = vec![if self.is_long { 19 } else { 17 }, class, 15];
        let ends = [called.len() + 1, calling.len() + 1, piece.len() + wide];
        let mut at = 3 + 4 * wide;
        for (index, length) in ends.into_iter().chain([0]).enumerate() {
            let base = 3 + index * wide + (wide - 1);
            let pointer = u16::try_from(at - base).unwrap().to_le_bytes();
            unit.extend_from_slice(&pointer[..wide]);
            assert!(self.is_long || pointer[1] == 0);
            at += length;
        }
        for address in [called, calling] {
            unit.push(u8::try_from(address.len()).unwrap());
            unit.extend_from_slice(address);
        }
        unit.extend_from_slice(&u16::try_from(piece.len()).unwrap().to_le_bytes()[..wide]);
        unit.extend_from_slice(piece);
        unit.extend_from_slice(&[0x10, 4, head, 0, 0, self.reference, 0]);
        message(self.context, self.opc, self.dpc, self.sls, &unit)
    }
}

/// An SCCP message in DATA.
pub(crate) fn message(
    context: u32,
    opc: PointCode,
    dpc: PointCode,
    sls: u8,
    user: &[u8],
) -> Vec<u8> {
    let label = Label { opc, dpc, service: 3, network: 0, priority: 0, sls };
    let mut out = Vec::new();
    let _ = Writer::new(&mut out, Kind::DATA)
        .number(tag::ROUTING_CONTEXT, context)
        .data(&label, |out| out.extend_from_slice(user));
    out
}
