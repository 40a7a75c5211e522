//! What must hold of the SS7 stack's verbs, whatever the bytes: nothing panics, what we write can be
//! read again and complains of nothing, and what cannot be read is told from what can.

use procedure::{Digits, LinkId, Refusal, StackId, Symbol, Time};
use relay::{Arrival, Broken, Exchange, Onward, Part, Stack};
use ss7::Ss7;
use ss7::config::{Config, LinkConfig, Role, Server, Timers, TrafficMode};
use ss7::translate::{Rule, Table};
use ss7::view::View;
use ss7::view::m3ua::{Kind, Message, PointCode, Variant};

const ARRIVAL: Arrival = Arrival { link: LinkId(0), time: Time(0), stack: StackId(1) };
pub(crate) const HOME: Symbol = Symbol(1);
const VISITED: Symbol = Symbol(3);

/// Messages that other codecs agree on: an Update Location, its refusal, a request for vectors.
pub(crate) const SEEDS: [&str; 3] = [
    "010001010000008c00060008000000010210007c000000010000000203020005098103101b0d120600710443060700000000010b12070012044477000910324c624a4804000010016b1a2818060700118605010101a00d600ba1090607040000010001036c26a124020101020102301c040812040700000000f1810791447700091042040791447700091032",
    "010001010000008000060008000000010210006d0000000200000001030200050981030e190b12070012044477000910320b12060011044306070000013f643d4904000010016b262824060700118605010101a0196117a109060704000001000103a203020100a305a1030201006c0da30b02010102010830030a0100000000",
    "0100010100000080000600080000000102100070000000010000000203020006098103101b0d120600710443060700000000010b120700120444770009103240623e4804000010026b1a2818060700118605010101a00d600ba109060704000001000e036c1aa1180201010201383010800812040700000000f1020105830100",
];

thread_local! {
    static STACKS: [Ss7; 2] = [Variant::Itu, Variant::Ansi].map(stack);
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let octets = |hex: &&str| {
        (0..hex.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
            .collect()
    };
    SEEDS.iter().map(octets).collect()
}

fn stack(variant: Variant) -> Ss7 {
    // With this some titles have too many digits.
    Ss7::new(config(variant, "0123456789"), 1)
}

/// Titles that begin with 34 go to the home, and begin with `prepend` there.
pub(crate) fn config(variant: Variant, prepend: &str) -> Config {
    let link = |titles: &[&str]| {
        Some(LinkConfig {
            role: Role::Sgp,
            connects: false,
            asp_identifier: None,
            addresses: Vec::new(),
            titles: titles.iter().map(|title| title.parse().unwrap()).collect(),
        })
    };
    let rule = Rule {
        strip: 2,
        prepend: prepend.parse::<Digits>().unwrap(),
        set_plan: Some(1),
        set_nature: Some(4),
        set_translation_type: Some(9),
        set_ssn: Some(6),
        route_on_ssn: true,
        ..Rule::new(Symbol(2), "34".parse().unwrap(), HOME)
    };
    let server = Server {
        name: HOME,
        routing_context: Some(7),
        network_appearance: Some(3),
        point_codes: vec![PointCode(9)],
        mode: TrafficMode::Loadshare,
        links: vec![LinkId(1)],
        links_min: 1,
        registers: false,
    };
    let visited = Server {
        name: VISITED,
        routing_context: Some(1),
        network_appearance: None,
        point_codes: vec![PointCode(1)],
        links: vec![LinkId(0)],
        ..server.clone()
    };
    Config {
        variant,
        point_codes: vec![PointCode(2)],
        network_indicator: 0,
        links: vec![link(&["4477"]), link(&[])],
        servers: vec![server, visited],
        table: Table::new(vec![rule], &[(PointCode(1), HOME)]),
        timers: Timers::default(),
        dialogue_timeout_ms: 1_000,
        abort_expired: true,
        refuse_connections: false,
    }
}

pub(crate) fn hold(frame: &[u8]) {
    STACKS.with(|stacks| stacks.iter().for_each(|stack| held(stack, frame)));
}

fn held(stack: &Ss7, frame: &[u8]) {
    let _ = stack.lane(frame);
    match stack.view(frame) {
        Ok(view) => {
            assert_eq!(stack.frame_octets(frame), Ok(Some(frame.len())));
            readable(stack, &view);
            if stack.segment(&view).is_some() {
                joined(stack, frame);
            }
        }
        Err(malformed) => {
            let mut out = vec![0xee; 7];
            stack.complain(frame, &malformed, &mut out);
            sound(stack, &out.split_off(7));
        }
    }
}

fn readable(stack: &Ss7, view: &View<'_>) {
    let Exchange::Passes { part, keys } = stack.correlate(view) else {
        panic!("the gateway numbers no dialogue of others");
    };
    assert!(part != Part::Opens || keys.from.is_some(), "a dialogue nobody could find again");
    let procedure = stack.describe(view, &ARRIVAL);
    let _ = stack.outcome(view);
    let mut out = vec![0xee; 7];
    stack.rewrite(view, &Onward::Pass { to: LinkId(1), group: procedure.led }, &mut out);
    let onward = out.split_off(7);
    let again = stack.view(&onward).unwrap_or_else(|why| panic!("{why:?}: {onward:02x?}"));
    let data = |view: &View<'_>| view.unit.as_ref().map(|unit| unit.data.to_vec());
    assert_eq!(data(&again), data(view), "the user's part is not ours to change");
    for refusal in Refusal::ALL {
        let mut out = Vec::new();
        stack.answer(view, refusal, &mut out);
        sound(stack, &out);
    }
    let mut out = Vec::new();
    stack.abandon(view, &mut out);
    sound(stack, &out);
    for why in [Broken::Disordered, Broken::Late, Broken::NoRoom] {
        let mut out = Vec::new();
        stack.break_off(view, why, &mut out);
        sound(stack, &out);
    }
}

/// A segment among others is put together with them, or it is said why not.
fn joined(stack: &Ss7, frame: &[u8]) {
    let (frames, mut room) = (frame.repeat(2), Vec::new());
    let Ok(whole) = stack.join(&frames, &mut room) else { return };
    let procedure = stack.describe(&whole, &ARRIVAL);
    let mut out = Vec::new();
    stack.rewrite(&whole, &Onward::Pass { to: LinkId(1), group: procedure.led }, &mut out);
    let first = stack.frame_octets(&out).unwrap().unwrap();
    assert_eq!(out[..first], out[first..], "two frames");
    sound(stack, &out[..first]);
    for refusal in Refusal::ALL {
        let mut out = Vec::new();
        stack.answer(&whole, refusal, &mut out);
        sound(stack, &out);
    }
}

/// What leaves can be read again.
fn sound(stack: &Ss7, message: &[u8]) {
    if message.is_empty() {
        return;
    }
    let kind = Message::new(message).unwrap_or_else(|why| panic!("{why:?}: {message:02x?}")).kind();
    if kind == Kind::DATA {
        stack.view(message).unwrap_or_else(|why| panic!("{why:?}: {message:02x?}"));
    } else {
        assert_eq!(kind, Kind::ERROR);
    }
}
