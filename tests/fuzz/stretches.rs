//! What must hold of the walk of SS7 messages that take more than one frame or exchange: segments of
//! one message, and connections. Two active peers say any of them in any order, damaged or not, with
//! time passing between.
//!
//! The input is steps of four octets: which message; from whom (bit 0), damaged (bits 1 and 2 both
//! set) and how much time passes before (the rest); where the damage is; and what.

use std::sync::Arc;

use procedure::{
    Decision, Group, LinkId, Member, Policy, Procedure, Record, Rules, StackId, Symbol, Time,
    Verdict, WorkerId,
};
use relay::{AnyStack, Board, ConnId, Gateway, Output, Setup, Side};
use ss7::Ss7;
use ss7::config::{Config, Timers};
use ss7::view::View;
use ss7::view::m3ua::{Data, Kind, Label, Message, PointCode, Variant, Writer, tag};
use ss7::view::sccp::kind;

use crate::signalling;

/// By link: routing context and point code.
const PEERS: [(u32, PointCode); 2] = [(1, PointCode(1)), (7, PointCode(9))];
const OWN: PointCode = PointCode(2);
/// A wait's unit; sixteen are longer than a message may be in assembly.
const UNIT_MS: u64 = 1_000;
/// Everything that was begun is over after so long.
const OVER_MS: u64 = 60_000;

/// Everything is forwarded, and now and then something refused or delayed.
struct Any([Group; 2]);

impl Rules for Any {
    fn decide(&self, now: Time, _: &Procedure<'_>) -> Decision {
        let mut decision = Decision::forward(None);
        match now.as_ms() / UNIT_MS % 8 {
            3 => decision.verdict = Verdict::Refuse(procedure::Refusal::RoamingNotAllowed),
            5 => decision.verdict = Verdict::Delay { wait_ms: 300, group: None },
            _ => {}
        }
        decision
    }

    fn learn(&self, _: &Record) {}

    fn group(&self, name: Symbol) -> Option<&Group> {
        let place = if name == signalling::HOME { 1 } else { 0 };
        self.0.get(place)
    }
}

impl Policy for Any {
    fn rules(&self) -> Arc<dyn Rules> {
        Arc::new(Self(groups()))
    }

    fn version(&self) -> u64 {
        1
    }
}

fn groups() -> [Group; 2] {
    [0, 1]
        .map(|link| Group { members: vec![Member { link: LinkId(link), priority: 1, weight: 1 }] })
}

fn message(link: usize, dpc: PointCode, user: &[u8]) -> Vec<u8> {
    let (context, opc) = PEERS[link];
    let label = Label { opc, dpc, service: 3, network: 0, priority: 0, sls: 5 };
    let mut out = Vec::new();
    let _ = Writer::new(&mut out, Kind::DATA)
        .number(tag::ROUTING_CONTEXT, context)
        .data(&label, |out| out.extend_from_slice(user));
    out
}

/// The user's parts of all that is said: segments of an Update Location under two references, and
/// every message of a connection.
pub(crate) fn users() -> Vec<Vec<u8>> {
    let ul = signalling::seeds().remove(0);
    let view = View::new(&ul, false).unwrap();
    let unit = view.unit.unwrap();
    let (called, calling, data) = (unit.called.octets, unit.calling.octets, unit.data);
    let length = |octets: &[u8]| u8::try_from(octets.len()).unwrap();
    let part = |octets: &[u8]| [&[length(octets)], octets].concat();
    let ends = [part(called), part(calling)].concat();
    let mut users = Vec::new();
    for reference in [1, 2] {
        for (place, piece) in data.chunks(data.len().div_ceil(3)).enumerate() {
            let head = if place == 0 { 0x82 } else { 2 - u8::try_from(place).unwrap() };
            let to_data = length(&ends) + 2;
            let pointers = [4, 4 + length(called), to_data, to_data + 1 + length(piece) - 1];
            let first = 0x81;
            let optional = [0x10, 4, head, 0, 0, reference, 0];
            users.push(
                [&[kind::XUDT, first, 15][..], &pointers, &ends, &part(piece), &optional].concat(),
            );
        }
    }
    let optional = [&[4, length(calling)][..], calling, &[0x11, 1, 9, 0]].concat();
    let behind = length(called) + 2;
    users.push([&[kind::CR, 1, 2, 3, 2, 2, behind][..], &part(called), &optional].concat());
    users.push(vec![kind::CC, 0, 0, 0, 4, 5, 6, 2, 0]);
    for kind in [kind::CREF, kind::DT1, kind::DT2, kind::AK, kind::ED, kind::EA, kind::ERR] {
        users.push(vec![kind, 0, 0, 0, 1, 1, 1, 0xaa]);
    }
    for kind in [kind::RLSD, kind::RLC, kind::RSR, kind::RSC, kind::IT] {
        users.push(vec![kind, 0, 0, 0, 4, 5, 6, 2, 0, 0, 0]);
    }
    users
}

/// The same as the first peer says them.
pub(crate) fn messages() -> Vec<Vec<u8>> {
    users().iter().map(|user| message(0, OWN, user)).collect()
}

struct Play {
    gateway: Gateway,
    now: Time,
    conns: [ConnId; 2],
    /// By link: the last reference of ours that its peer was told.
    told: [[u8; 3]; 2],
    frames: u32,
    recorded: u32,
}

pub(crate) fn hold(input: &[u8]) {
    let users = users();
    let (mut play, mut is_sound) = (Play::new(), true);
    for step in input.as_chunks::<4>().0 {
        let [which, how, at, value] = *step;
        let link = usize::from(how & 1);
        play.pass(u64::from(how >> 3) * UNIT_MS / 2);
        let mut user = users[usize::from(which) % users.len()].clone();
        if !matches!(user[0], kind::XUDT | kind::CR) && value % 4 > 0 {
            user[1..4].copy_from_slice(&play.told[link]);
        }
        if how & 6 == 6 {
            let at = usize::from(at) % user.len();
            user[at] = value;
            is_sound = false;
        }
        let dpc = if value % 16 == 1 { PEERS[1 - link].1 } else { OWN };
        play.say(link, &message(link, dpc, &user));
    }
    play.end(is_sound);
}

impl Play {
    fn new() -> Self {
        // Nobody answers heartbeats here.
        let timers = Timers { heartbeat_ms: 1 << 32, ..Timers::default() };
        let config = Config { timers, ..signalling::config(Variant::Itu, "4912") };
        let stack: Box<dyn AnyStack> = Box::new(Ss7::new(config, 1));
        let mut gateway = Gateway::new(Setup {
            worker: WorkerId(0),
            workers: 1,
            stacks: vec![stack],
            links: vec![StackId(0); 2],
            policy: Arc::new(Any(groups())),
            board: Arc::new(Board::new(2)),
            request_timeout_ms: 1_000,
            seed: 1,
        });
        let now = Time::from_ms(1);
        gateway.start(now);
        let conns = [0, 1].map(|link| gateway.opened(now, LinkId(link), Side::Responder).unwrap());
        let (told, frames, recorded) = ([[0; 3]; 2], 0, 0);
        let mut play = Self { gateway, now, conns, told, frames, recorded };
        for (link, (context, _)) in PEERS.into_iter().enumerate() {
            let (mut up, mut active) = (Vec::new(), Vec::new());
            let _ = Writer::new(&mut up, Kind::ASP_UP);
            let _ =
                Writer::new(&mut active, Kind::ASP_ACTIVE).number(tag::ROUTING_CONTEXT, context);
            play.gateway.message(now, conns[link], &up);
            play.gateway.message(now, conns[link], &active);
            play.settle();
        }
        play
    }

    fn say(&mut self, link: usize, message: &[u8]) {
        self.frames += 1;
        self.gateway.message(self.now, self.conns[link], message);
        self.settle();
    }

    fn pass(&mut self, wait_ms: u64) {
        let until = self.now.plus_ms(wait_ms);
        while let Some(deadline) = self.gateway.deadline().filter(|at| *at <= until) {
            self.now = self.now.max(deadline);
            self.gateway.expire(self.now);
            self.settle();
        }
        self.now = until;
    }

    /// What leaves can be read, and says how we number connections.
    fn settle(&mut self) {
        while let Some(output) = self.gateway.poll() {
            assert!(!matches!(output, Output::Close(_)), "a link was lost");
        }
        for link in 0..2 {
            let conn = self.conns[link];
            while let Some((message, _, _)) = self.gateway.outbox_message(conn) {
                let message = message.to_vec();
                self.gateway.sent(conn, message.len());
                if Message::new(&message).unwrap().kind() != Kind::DATA {
                    continue;
                }
                View::new(&message, false).unwrap_or_else(|why| panic!("{why:?}: {message:02x?}"));
                match *Data::new(&message).unwrap().user {
                    [kind::CR, a, b, c, ..] | [kind::CC, _, _, _, a, b, c, ..] => {
                        self.told[link] = [a, b, c];
                    }
                    _ => {}
                }
            }
        }
        let records = self.gateway.records().drain(..);
        self.recorded += records.map(|record| record.frames).sum::<u32>();
    }

    /// When every deadline is over nothing is left open, and each frame is in one record. One that was
    /// damaged may have been the link's own business instead.
    fn end(mut self, is_sound: bool) {
        self.pass(OVER_MS);
        assert!(self.gateway.is_drained());
        assert!(self.recorded <= self.frames && (!is_sound || self.recorded == self.frames));
    }
}

/// The script that matters most: a whole message, and a whole connection.
#[test]
fn a_message_and_a_connection_go_all_the_way() {
    let mut play = Play::new();
    let users = users();
    for user in &users[..3] {
        play.say(0, &message(0, OWN, user));
    }
    let [cr, cc, rlsd, rlc] = [kind::CR, kind::CC, kind::RLSD, kind::RLC]
        .map(|kind| users.iter().find(|user| user[0] == kind).unwrap().clone());
    play.say(0, &message(0, OWN, &cr));
    for (link, mut user) in [(1, cc), (1, rlsd), (0, rlc)] {
        user[1..4].copy_from_slice(&play.told[link]);
        if link == 0 {
            user[4..7].copy_from_slice(&cr[1..4]);
        }
        play.say(link, &message(link, OWN, &user));
    }
    assert_eq!(play.recorded, 4, "all but the dialogue's, which is open");
    play.end(true);
}
