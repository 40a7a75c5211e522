//! The visited VLRs and SGSNs of the world and the HLRs of its home networks: MAP over M3UA. What is
//! sent is stamped from messages that the published codecs made once; all that comes is read by them.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;

use procedure::{Digits, LinkId, Symbols};
use sccp::SccpAddress;
use stacks::ss7::config::{LinkConfig, Role, Server, Timers, TrafficMode};
use stacks::ss7::translate::{Rule, Table};
use stacks::ss7::view::m3ua::{PointCode, Variant};

use super::calendar::{TICKS_A_SECOND, millis};
use super::checkers::Mix;
use super::ground::{Ground, NONE};
use super::handset::{Ask, Op, Said};
use super::s6a::{Heard, hop, unhop};
use crate::ids::{self, Random};
use crate::ss7::asp::{Asp, AspConfig};
use crate::ss7::map::{self, Operation, Version, code};
use crate::ss7::message::{self, Kind, Part, Reading, Tid, Unit};
use crate::ss7::title::{self, plan, ssn};

/// The gateway's point code, and those of the others from here on.
const GATEWAY_CODE: u32 = 0x4001;
const FIRST_CODE: u32 = 0x1001;
/// Longest wait of an HLR's answer, in ticks.
const WAIT_MAX: u32 = 8 * TICKS_A_SECOND;
/// Stand in templates for what is stamped over them.
const MARK_TID: u32 = 0xa5c3_5a3c;
const MARK_IMSI: u64 = 987_654_321_012_345;

/// A message with places for identifiers.
struct Template {
    octets: Vec<u8>,
    tid: Option<usize>,
    imsi: Option<usize>,
}

impl Template {
    fn new(octets: Vec<u8>) -> Self {
        let find = |mark: &[u8]| octets.windows(mark.len()).position(|window| window == mark);
        let tid = find(&MARK_TID.to_be_bytes());
        let imsi = find(&title::tbcd(&MARK_IMSI.to_string()));
        Self { octets, tid, imsi }
    }

    fn stamp(&self, out: &mut Vec<u8>, tid: u32, imsi: u64) {
        let at = out.len();
        out.extend_from_slice(&self.octets);
        let mut put = |place: Option<usize>, octets: &[u8]| {
            let start = place.map(|place| at + place);
            if let Some(place) = start.and_then(|start| out.get_mut(start..start + octets.len())) {
                place.copy_from_slice(octets);
            }
        };
        put(self.tid, &tid.to_be_bytes());
        let mut digits = [0; 15];
        ids::digits(&mut digits, imsi);
        let half = |at: usize| digits.get(at).map_or(0xf, |digit| digit - b'0');
        let packed: [u8; 8] = std::array::from_fn(|pair| half(2 * pair + 1) << 4 | half(2 * pair));
        put(self.imsi, &packed);
    }
}

/// A VLR's or SGSN's number: its network's digits, its node's, and which of the two it is.
fn number(ground: &Ground, node: u8, packet: bool) -> String {
    let network = ground.nodes.get(usize::from(node)).map_or(0, |node| node.network);
    let title = ground.numbers.networks.get(usize::from(network));
    format!("{}{node:02}{}", title.map_or("", |title| title), 1 + u8::from(packet))
}

/// The node that a number belongs to.
fn node_of(number: &str) -> Option<u8> {
    let (rest, _) = number.split_at_checked(number.len().checked_sub(1)?)?;
    rest.get(rest.len().checked_sub(2)?..)?.parse().ok()
}

fn hlr_number(ground: &Ground, customer: usize) -> String {
    let title = ground.numbers.homes.get(customer);
    format!("{}0001", title.map_or("", |title| title))
}

fn visited(ground: &Ground, node: u8, packet: bool) -> SccpAddress {
    let number = number(ground, node, packet);
    title::address(plan::E164, &number, if packet { ssn::SGSN } else { ssn::VLR })
}

fn home(ground: &Ground, customer: usize) -> SccpAddress {
    title::address(plan::E164, &hlr_number(ground, customer), ssn::HLR)
}

const fn operation(op: Op) -> Operation {
    match op {
        Op::Ul => Operation::UpdateLocation,
        Op::Ugl => Operation::UpdateGprsLocation,
        _ => Operation::SendAuthenticationInfo,
    }
}

/// One end of an association: an application server process that is up.
pub(super) struct End {
    asp: Asp,
    replies: Vec<(u16, Vec<u8>)>,
}

impl End {
    /// The `place`th application server.
    fn new(place: usize) -> Self {
        let context = FIRST_CODE + u32::try_from(place).unwrap_or(0);
        let mut config = AspConfig::new(context, GATEWAY_CODE);
        (config.routing_context, config.asp_id) = (Some(context), Some(context));
        config.heartbeat = 0;
        Self { asp: Asp::new(config), replies: Vec::new() }
    }

    /// The association is there.
    pub(super) fn up(&mut self, out: &mut Vec<u8>) {
        self.asp.up(2, 0, &mut self.replies);
        self.reply(out);
    }

    /// Takes a message; gives the unitdata in it.
    fn take(&mut self, message: &[u8], out: &mut Vec<u8>) -> Option<Vec<u8>> {
        let data = self.asp.receive(message, 0, &mut self.replies);
        self.reply(out);
        data
    }

    fn reply(&mut self, out: &mut Vec<u8>) {
        self.replies.drain(..).for_each(|(_, octets)| out.extend(octets));
    }

    fn template(&self, called: SccpAddress, calling: SccpAddress, data: Vec<u8>) -> Template {
        let unit = Unit { called, calling, data, returned: None };
        Template::new(self.asp.data(0, unit.write(false, true)).1)
    }
}

/// Messages one behind the other.
//= RFC 4666 §3.1
fn messages(mut octets: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let length = octets.get(4..8)?.first_chunk::<4>().map(|word| u32::from_be_bytes(*word))?;
        let (message, rest) = octets.split_at_checked(usize::try_from(length).ok()?)?;
        octets = rest;
        Some(message)
    })
}

/// The messages of a buffer, for who hands them on one by one; and whether one is traffic.
pub(super) fn each(octets: &[u8], mut call: impl FnMut(&[u8], bool)) {
    messages(octets).for_each(|message| call(message, message.get(2) == Some(&1)));
}

fn read(sccp: &[u8]) -> Option<(Unit, Reading)> {
    let unit = Unit::read(sccp)?;
    let reading = message::read(&unit.data)?;
    Some((unit, reading))
}

type Templates = HashMap<u64, Template, BuildHasherDefault<Mix>>;

/// All VLRs and SGSNs of one network, behind its signal transfer point.
pub(super) struct Visited {
    pub(super) end: End,
    templates: Templates,
}

impl Visited {
    pub(super) fn new(place: usize) -> Self {
        Self { end: End::new(place), templates: Templates::default() }
    }

    /// Appends what opens a dialogue.
    pub(super) fn ask(
        &mut self,
        ground: &Ground,
        ask: &Ask,
        customer: u8,
        imsi: u64,
        out: &mut Vec<u8>,
    ) {
        let key = u64::from(ask.node) << 16 | (ask.op as u64) << 8 | u64::from(customer);
        let end = &self.end;
        let template = self.templates.entry(key).or_insert_with(|| {
            let (operation, packet) = (operation(ask.op), ask.op == Op::Ugl);
            let number = number(ground, ask.node, packet);
            let node = map::Node { number: &number, msc: &number, gsn: [192, 0, 2, 1], packet };
            let mark = MARK_IMSI.to_string();
            let argument = map::argument(operation, Version::V3, &mark, &node);
            let context = Some(operation.context(Version::V3));
            let invoke = message::invoke(operation, argument);
            let data = message::begin(Tid::of(MARK_TID), context, invoke);
            end.template(
                home(ground, usize::from(customer)),
                visited(ground, ask.node, packet),
                data,
            )
        });
        template.stamp(out, hop(ask), imsi);
    }

    /// Takes what came.
    pub(super) fn take(&mut self, octets: &[u8], heard: &mut Vec<Heard>, out: &mut Vec<u8>) -> u64 {
        let mut wrong = 0;
        for message in messages(octets) {
            let Some(sccp) = self.end.take(message, out) else { continue };
            wrong += u64::from(self.read(&sccp, heard, out).is_none());
        }
        wrong
    }

    fn read(&self, sccp: &[u8], heard: &mut Vec<Heard>, out: &mut Vec<u8>) -> Option<()> {
        let (unit, reading) = read(sccp)?;
        if unit.returned.is_some() {
            let own = reading.otid.and_then(Tid::number)?;
            heard.extend(unhop(own, Said::Unreachable));
            return Some(());
        }
        if reading.kind == Kind::Begin {
            //= TS 29.002 §19.1.2
            // The home network cancels a location: nothing more is known of the subscriber here.
            let Part::Invoke { id, .. } = reading.part else { return None };
            let cancel = Operation::CancelLocation;
            let result = map::result(cancel, Version::V3, "", false);
            let component = message::success(id, cancel, result);
            let data = message::end(reading.otid?, Some(cancel.context(Version::V3)), component);
            let (called, calling) = (unit.calling, unit.called);
            let unit = Unit { called, calling, data, returned: None };
            out.extend(self.end.asp.data(0, unit.write(false, true)).1);
            return Some(());
        }
        let said = match (reading.kind, &reading.part) {
            (Kind::End, Part::Result { .. }) => Said::Yes,
            (Kind::End, Part::Error { error: code::ROAMING_NOT_ALLOWED, .. }) => Said::NoRoaming,
            _ => Said::Failed,
        };
        heard.push(unhop(reading.dtid.and_then(Tid::number)?, said)?);
        Some(())
    }
}

/// One home network's HLR.
pub(super) struct Hlr {
    pub(super) end: End,
    customer: usize,
    random: Random,
    latency: u32,
    jitter: u32,
    failures: u32,
    silences: u32,
    templates: Templates,
    /// By subscriber: the node whose VLR, and whose SGSN, serves it.
    serving: Vec<[u8; 2]>,
    ring: Vec<Vec<u8>>,
    next: u32,
}

/// Places in the keys of templates beside those of operations.
const FAILED: u64 = 100;
const CANCEL: u64 = 101;

impl Hlr {
    pub(super) fn new(ground: &Ground, customer: usize, place: usize, seed: u64) -> Option<Self> {
        let one = ground.scenario.customers.get(customer)?;
        Some(Self {
            end: End::new(place),
            customer,
            random: Random::new(seed ^ 0x484c52 ^ (customer as u64) << 32),
            latency: one.latency_ms,
            jitter: one.jitter_ms,
            failures: one.failures,
            silences: one.silences,
            templates: Templates::default(),
            serving: vec![[NONE; 2]; ground.scenario.subscribers as usize],
            ring: vec![Vec::new(); WAIT_MAX as usize + 1],
            next: 0,
        })
    }

    /// What leaves at a tick.
    pub(super) fn due(&mut self, tick: u32) -> Option<&mut Vec<u8>> {
        let slots = self.ring.len();
        self.ring.get_mut(tick as usize % slots)
    }

    pub(super) fn is_at_rest(&self) -> bool {
        self.ring.iter().all(Vec::is_empty)
    }

    /// Takes what the base protocol says while its link comes up.
    pub(super) fn come_up(&mut self, octets: &[u8], out: &mut Vec<u8>) -> u64 {
        let messages = messages(octets);
        messages.map(|message| u64::from(self.end.take(message, out).is_some())).sum()
    }

    /// Takes what came; answers leave after a while.
    pub(super) fn take(
        &mut self,
        ground: &Ground,
        octets: &[u8],
        tick: u32,
        out: &mut Vec<u8>,
    ) -> u64 {
        let mut wrong = 0;
        for message in messages(octets) {
            let Some(sccp) = self.end.take(message, out) else { continue };
            let Some((unit, reading)) = read(&sccp) else {
                wrong += 1;
                continue;
            };
            if reading.kind == Kind::Begin && unit.returned.is_none() {
                wrong += u64::from(self.answer(ground, &unit, &reading, tick).is_none());
            }
        }
        wrong
    }

    fn answer(&mut self, ground: &Ground, unit: &Unit, reading: &Reading, tick: u32) -> Option<()> {
        let jitter = u32::try_from(self.random.below(self.jitter as usize + 1)).ok()?;
        let wait = millis(self.latency + jitter).min(WAIT_MAX - 1);
        let luck = u32::try_from(self.random.below(1000)).ok()?;
        if luck < self.silences {
            return Some(());
        }
        let Part::Invoke { id, operation, parameter } = &reading.part else { return None };
        let operation = Operation::of(*operation)?;
        let subject = map::subject(operation, Version::V3, parameter.as_deref()?)?;
        let (_, calling, from) = title::parts(&unit.calling);
        let (node, packet) = (node_of(calling)?, from == ssn::SGSN);
        let fails = luck < self.silences + self.failures;
        let kind = if fails { FAILED } else { u64::try_from(operation.code()).ok()? };
        let key = u64::from(node) << 16 | kind << 8 | u64::from(packet);
        let (end, customer) = (&self.end, self.customer);
        let template = self.templates.entry(key).or_insert_with(|| {
            let component = if fails {
                message::failure(*id, code::SYSTEM_FAILURE, None)
            } else {
                let hlr = hlr_number(ground, customer);
                message::success(*id, operation, map::result(operation, Version::V3, &hlr, packet))
            };
            let context = Some(operation.context(Version::V3));
            let data = message::end(Tid::of(MARK_TID), context, component);
            end.template(visited(ground, node, packet), home(ground, customer), data)
        });
        let slots = self.ring.len();
        let out = self.ring.get_mut((tick + wait) as usize % slots)?;
        template.stamp(out, reading.otid?.number()?, 0);
        let registers =
            matches!(operation, Operation::UpdateLocation | Operation::UpdateGprsLocation);
        if registers && !fails {
            self.serve(ground, subject.imsi, (node, packet), tick + wait);
        }
        Some(())
    }

    /// Another node serves the subscriber now: the one before is told.
    //= TS 23.012 §4.1.2.2
    pub(super) fn serve(
        &mut self,
        ground: &Ground,
        imsi: u64,
        (node, packet): (u8, bool),
        tick: u32,
    ) {
        let subscriber = usize::try_from(imsi % 100_000_000).unwrap_or(usize::MAX);
        let serving = self.serving.get_mut(subscriber);
        let Some(serving) = serving.and_then(|both| both.get_mut(usize::from(packet))) else {
            return;
        };
        let before = std::mem::replace(serving, node);
        if before == NONE || before == node {
            return;
        }
        let key = u64::from(before) << 16 | CANCEL << 8 | u64::from(packet);
        let (end, customer) = (&self.end, self.customer);
        let template = self.templates.entry(key).or_insert_with(|| {
            let cancel = Operation::CancelLocation;
            let argument = map::cancel(Version::V3, &MARK_IMSI.to_string());
            let context = Some(cancel.context(Version::V3));
            let invoke = message::invoke(cancel, argument);
            let data = message::begin(Tid::of(MARK_TID), context, invoke);
            end.template(visited(ground, before, packet), home(ground, customer), data)
        });
        self.next = self.next.wrapping_add(1);
        let slots = self.ring.len();
        if let Some(out) = self.ring.get_mut((tick + 1) as usize % slots) {
            template.stamp(out, self.next, imsi);
        }
    }
}

/// The servers of the world, each with one link: first the networks', then the homes'.
pub(super) fn servers(ground: &Ground, first_link: usize) -> Vec<(String, LinkId, u32)> {
    let networks = ground.scenario.networks.iter().map(|network| format!("stp-{}", network.plmn));
    let homes = ground.scenario.customers.iter().map(|customer| format!("hlr-{}", customer.name));
    let server = |(place, name): (usize, String)| {
        let place = u32::try_from(place).unwrap_or(0);
        let link = LinkId(u32::try_from(first_link).unwrap_or(0) + place);
        (name, link, FIRST_CODE + place)
    };
    networks.chain(homes).enumerate().map(server).collect()
}

/// The gateway's SS7 side.
pub(super) fn config(
    ground: &Ground,
    first_link: usize,
    symbols: &Symbols,
) -> stacks::ss7::config::Config {
    let servers = servers(ground, first_link);
    let mut links = vec![None; first_link];
    links.extend(servers.iter().map(|(_, _, context)| {
        Some(LinkConfig {
            role: Role::Sgp,
            connects: false,
            asp_identifier: Some(*context),
            addresses: Vec::new(),
            titles: Vec::new(),
        })
    }));
    let server = |(name, link, context): &(String, LinkId, u32)| Server {
        name: symbols.intern(name),
        routing_context: Some(*context),
        network_appearance: None,
        point_codes: vec![PointCode(*context)],
        mode: TrafficMode::Loadshare,
        links: vec![*link],
        links_min: 1,
        registers: false,
    };
    stacks::ss7::config::Config {
        variant: Variant::Itu,
        point_codes: vec![PointCode(GATEWAY_CODE)],
        network_indicator: 0,
        links,
        servers: servers.iter().map(server).collect(),
        table: table(ground, &servers, symbols),
        timers: Timers::default(),
        dialogue_timeout_ms: 30_000,
        abort_expired: false,
        refuse_connections: false,
    }
}

fn table(ground: &Ground, servers: &[(String, LinkId, u32)], symbols: &Symbols) -> Table {
    let digits = ground.numbers.networks.iter().chain(&ground.numbers.homes);
    let rule = |(digits, (name, ..)): (&String, &(String, LinkId, u32))| {
        Rule::new(
            symbols.intern(name),
            Digits::from_ascii(digits.as_bytes()).unwrap_or(Digits::EMPTY),
            symbols.intern(name),
        )
    };
    let rules = digits.zip(servers).map(rule).collect();
    let codes: Vec<_> =
        servers.iter().map(|(name, _, code)| (PointCode(*code), symbols.intern(name))).collect();
    Table::new(rules, &codes)
}
