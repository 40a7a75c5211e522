//! The SS7 stack: M3UA over SCTP, SCCP with global-title translation, TCAP and MAP read in place.
//!
//! ```text
//!            link/           view/               correlate      describe/       route     rewrite
//! message ─▷ ASPUP BEAT … ─▷ M3UA ▷ SCCP ▷ TCAP ─▷ addresses, ─▷ MAP: act,   ─▷ title ─▷ … label,
//!            DUNA DAVA …     offsets              transactions   IMSI, node     ▷ server   called
//!              │   ▲                                                                     answer
//!              ▼   │                                                                     … as HLR
//!          state: who is active for which server, on all workers
//! ```
//!
//! The gateway stands between: dialogues keep the numbers of their ends, messages their octets. It
//! speaks for itself only where it refuses, and then as the node that was asked.
//!
//! | standard | here |
//! |---|---|
//! | RFC 4666 §3 messages | `view/m3ua/` |
//! | RFC 4666 §4 ASP, AS, SSNM, RKM | `link/`, `admission.rs` |
//! | Q.713 messages, addresses | `view/sccp/` |
//! | Q.714 §2 routing, translation | `route.rs`, `translate/` |
//! | Q.714 §3 connections | `connections/` |
//! | Q.714 §4 segments | `view/mod.rs`, `correlate.rs` |
//! | Q.773 TCAP | `view/tcap.rs`, `view/ber.rs` |
//! | Q.774 transactions | `correlate.rs` |
//! | TS 29.002 MAP | `describe/map/`, `answer/`, `vocabulary.rs` |

mod admission;
pub mod answer;
pub mod config;
pub mod connections;
mod correlate;
pub mod describe;
pub mod link;
mod rewrite;
pub mod route;
pub mod translate;
pub mod view;
pub mod vocabulary;

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use procedure::{Act, Code, Domain, Layer, LinkId, Malformed, Node, Procedure, Refusal, Symbol};
use relay::{Admission, Arrival, Broken, Exchange, Link, Onward, Part, Segment, Stack};

use config::{Config, Server, TrafficMode};
use connections::{Couplings, Origin};
use correlate::mix;
use describe::map::Map;
use link::State;
use route::Route;
use translate::Table;
use view::View;
use view::m3ua::{self, Data, Kind, Label, Writer, tag};
use view::sccp::address::ssn;
use view::sccp::connection::Connection;
use view::sccp::{Unitdata, cause, kind, write};
use view::tcap::Kind::{Begin, Unidirectional};
use view::tcap::{Dialogue, Transaction};
use vocabulary::MAP;

/// Hops that a message of ours may make.
//= Q.713 §3.18
const HOPS: u8 = 15;
/// Octets of an offending message that an Error gives back.
const DIAGNOSTIC_OCTETS: usize = 40;

/// The stack: a configuration, a table that is exchanged whole, and the state of the servers. A
/// clone for each worker is cheap.
#[derive(Clone)]
pub struct Ss7 {
    shared: Arc<Shared>,
}

struct Shared {
    config: Config,
    secret: u64,
    table: ArcSwap<Table>,
    state: Arc<State>,
    connections: Couplings,
}

impl fmt::Debug for Ss7 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ss7").field("config", &self.shared.config).finish_non_exhaustive()
    }
}

impl Ss7 {
    /// The stack of this configuration; `secret` keys its hashes.
    #[must_use]
    pub fn new(config: Config, secret: u64) -> Self {
        let (state, table) = (State::new(&config), ArcSwap::from_pointee(config.table.clone()));
        let connections = Couplings::new(secret);
        Self { shared: Arc::new(Shared { config, secret, table, state, connections }) }
    }

    /// Puts other translations in force; dialogues and links stay as they are.
    pub fn set_table(&self, table: Table) {
        self.shared.table.store(Arc::new(table));
    }

    /// The doorkeeper for this configuration's peers.
    #[must_use]
    pub fn admission(&self) -> Arc<dyn Admission> {
        Arc::new(admission::Doorkeeper::new(Arc::clone(&self.shared.state)))
    }

    fn server(&self, name: Symbol) -> Option<&Server> {
        self.shared.config.servers.iter().find(|server| server.name == name)
    }

    /// The server that a message came from: that of its context, or the only one of its link.
    fn origin(&self, data: &Data<'_>, link: LinkId) -> Option<Symbol> {
        let mut own = self.shared.config.servers.iter().filter(|it| it.links.contains(&link));
        match data.context {
            Some((_, context)) => own.find(|server| server.routing_context == Some(context)),
            None => own.next(),
        }
        .map(|server| server.name)
    }

    /// Where a message goes; looked up once.
    fn route(&self, view: &View<'_>, arrival: Option<&Arrival>) -> Route {
        if let Some(route) = view.route.get() {
            return route;
        }
        let from = arrival.and_then(|arrival| self.origin(&view.data, arrival.link));
        let find = || route::find(&self.shared.config, &self.shared.table.load(), view, from);
        let route = match &view.connection {
            Some(message) if self.couples(view) => self.couple(view, message, arrival, from, find),
            _ => find(),
        };
        view.route.set(Some(route));
        route
    }

    /// Whether a message belongs to a connection through us.
    fn couples(&self, view: &View<'_>) -> bool {
        let config = &self.shared.config;
        !config.refuse_connections && config.point_codes.contains(&view.data.dpc)
    }

    /// Where a message of a connection through us goes; it opens, changes or ends it.
    fn couple(
        &self,
        view: &View<'_>,
        message: &Connection<'_>,
        arrival: Option<&Arrival>,
        server: Option<Symbol>,
        find: impl FnOnce() -> Route,
    ) -> Route {
        let Some(arrival) = arrival else { return Route::nowhere(cause::UNQUALIFIED) };
        let origin = Origin { server, code: view.data.opc, own: view.data.dpc };
        let connections = &self.shared.connections;
        let (route, coupled) = if message.kind == kind::CR {
            connections.open(arrival.time, message, origin, find())
        } else {
            connections.pass(arrival.time, message, origin)
        };
        view.coupled.set(coupled);
        route
    }

    /// Whether a link may speak for the calling party. One that may speak for some titles only asks
    /// nothing without saying for which.
    fn may_speak(&self, view: &View<'_>, link: LinkId, asks: bool) -> bool {
        let links = &self.shared.config.links;
        let Some(own) = links.get(link.0 as usize).and_then(Option::as_ref) else { return false };
        let calling = (view.unit.as_ref().map(|unit| unit.calling))
            .or(view.connection.as_ref().map(|request| request.calling));
        let title = calling.and_then(|calling| calling.title);
        let Some(digits) = title.map(|title| title.digits()) else {
            return own.titles.is_empty() || !asks;
        };
        own.titles.is_empty() || own.titles.iter().any(|prefix| digits.starts_with(*prefix))
    }

    /// What the sender of a message of a connection is told; nothing where it is of none.
    fn answer_connection(&self, view: &View<'_>, refusal: Refusal, out: &mut Vec<u8>) -> Code {
        let cause = self.route(view, None).cause;
        let mut code = Code::None;
        self.reply(view, out, |out| {
            let start = out.len();
            code = self.shared.connections.answer(view, cause, refusal, out);
            out.len() > start
        });
        code
    }

    /// Appends the message as it is given back to its sender, of one that came in segments the first,
    /// where it asks for that.
    fn give_back(&self, view: &View<'_>, cause: u8, out: &mut Vec<u8>) -> Code {
        let Some(unit) = &view.unit else { return Code::None };
        if self.reply(view, out, |out| write::give_back(unit, cause, HOPS, out)) {
            return Code::Returned(u32::from(cause));
        }
        Code::None
    }

    /// Appends a message of ours back to where one came from; nothing where that cannot be.
    fn reply(
        &self,
        view: &View<'_>,
        out: &mut Vec<u8>,
        unit: impl FnOnce(&mut Vec<u8>) -> bool,
    ) -> bool {
        let start = out.len();
        let data = &view.data;
        let mut is_built = false;
        let _ = Writer::new(out, Kind::DATA)
            .maybe(tag::NETWORK_APPEARANCE, data.appearance)
            .maybe(tag::ROUTING_CONTEXT, data.context.map(|context| context.1))
            .data(&Label::of(data).back(), |out| is_built = unit(out));
        if !is_built {
            out.truncate(start);
        }
        is_built
    }
}

/// Application, operation and so on of what a message asks.
fn describe<'v>(view: &'v View<'_>, map: Option<Map<'_>>, blank: Procedure<'v>) -> Procedure<'v> {
    let Some(unit) = &view.unit else { return blank };
    let context = match view.tcap.as_ref().and_then(|tcap| tcap.dialogue) {
        Some(Dialogue::Request(context) | Dialogue::Response(context)) => context.map(),
        _ => None,
    };
    let known = Procedure {
        application: MAP | context.map_or(0, |(number, _)| u32::from(number)),
        domain: domain(unit),
        origin: Node { host: view.calling.octets(), realm: &[] },
        destination: Node { host: view.called.octets(), realm: &[] },
        ..blank
    };
    let Some(map) = map else { return known };
    Procedure {
        act: map.act,
        domain: if map.domain == Domain::Unknown { known.domain } else { map.domain },
        operation: map.operation.unwrap_or_default(),
        imsi: map.imsi,
        tac: map.tac,
        subscriber: map.msisdn,
        serving: map.serving,
        initial: map.act == Act::Register,
        ..known
    }
}

/// The domain by the subsystems that talk.
fn domain(unit: &Unitdata<'_>) -> Domain {
    let is = |number| unit.calling.ssn == Some(number) || unit.called.ssn == Some(number);
    if is(ssn::SGSN) {
        Domain::Ps
    } else if is(ssn::VLR) || is(ssn::MSC) {
        Domain::Cs
    } else {
        Domain::Unknown
    }
}

impl Stack for Ss7 {
    type View<'a> = View<'a>;

    const NAME: &'static str = "ss7";
    //= RFC 4666 §1.4.7
    const PPID: u32 = 3;
    const LAYER: Layer = Layer::M3ua;

    fn frame_octets(&self, bytes: &[u8]) -> Result<Option<usize>, Malformed> {
        m3ua::frame_octets(bytes)
    }

    /// Traffic of one signalling link selection stays on one stream; what manages links is on 0.
    //= RFC 4666 §1.4.7
    fn lane(&self, frame: &[u8]) -> u16 {
        m3ua::sls(frame).map_or(0, |sls| 1 + u16::from(sls))
    }

    fn link(&self, link: LinkId) -> Box<dyn Link> {
        match link::Machine::new(Arc::clone(&self.shared.state), link) {
            Some(machine) => Box::new(machine),
            None => Box::new(link::Unconfigured),
        }
    }

    fn carries(&self, link: LinkId, group: Option<Symbol>) -> bool {
        let state = &self.shared.state;
        // A gateway may have said that it cannot reach what is behind the server.
        let usual = group.and_then(|group| self.server(group)?.point_codes.first().copied());
        state.carries(link, group) && usual.is_none_or(|code| state.passes(link, code))
    }

    fn is_broadcast(&self, group: Symbol) -> bool {
        self.server(group).is_some_and(|server| server.mode == TrafficMode::Broadcast)
    }

    fn stands_for(&self, link: LinkId, other: LinkId) -> bool {
        let servers = |link| self.shared.state.servers_of(link);
        link == other || servers(link).any(|one| servers(other).any(|another| one == another))
    }

    fn patience_ms(&self) -> u64 {
        self.shared.config.dialogue_timeout_ms
    }

    fn view<'a>(&self, frame: &'a [u8]) -> Result<View<'a>, Malformed> {
        let ansi = self.shared.config.is_ansi();
        let view = View::new(frame, ansi)?;
        if view.is_connection && view.connection.is_none() && self.couples(&view) {
            Connection::new(view.data.user, ansi).map_err(|malformed| view.inside(malformed))?;
        }
        Ok(view)
    }

    fn segment(&self, view: &View<'_>) -> Option<Segment> {
        correlate::segment(self.shared.secret, view)
    }

    fn join<'a>(&self, frames: &'a [u8], room: &'a mut Vec<u8>) -> Result<View<'a>, Malformed> {
        View::of_segments(frames, room, self.shared.config.is_ansi())
    }

    /// A segment that follows does not ask to be given back; the first one may.
    //= Q.714 §4.1.1.2
    fn break_off(&self, first: &View<'_>, why: Broken, out: &mut Vec<u8>) -> Code {
        let cause = match why {
            Broken::Disordered | Broken::Late => cause::ERROR_IN_TRANSPORT,
            Broken::NoRoom => cause::ERROR_IN_PROCESSING,
        };
        self.give_back(first, cause, out)
    }

    fn correlate(&self, view: &View<'_>) -> Exchange {
        correlate::correlate(self.shared.secret, view)
    }

    fn describe<'v>(&self, view: &'v View<'_>, arrival: &Arrival) -> Procedure<'v> {
        let route = self.route(view, Some(arrival));
        let asks = view.unit.as_ref().is_some_and(|unit| !unit.is_service());
        let tcap = view.tcap.as_ref().filter(|_| asks);
        let map = tcap.and_then(describe::attempt);
        let opens = tcap.is_some_and(|tcap| matches!(tcap.kind, Begin | Unidirectional));
        let exchange = match self.correlate(view) {
            Exchange::Passes { part: Part::Opens | Part::Continues, keys } => keys.from,
            Exchange::Passes { keys, .. } => keys.to,
            Exchange::Opens { .. } | Exchange::Closes { .. } => None,
        };
        let blank = Procedure {
            led: route.server,
            sequence: Some(view.data.sls),
            exchange: exchange.map_or(0, |key| mix(key, self.shared.secret)),
            spoofed: !self.may_speak(view, arrival.link, opens || map.is_some()),
            looped: route.looped,
            ..Procedure::unknown(arrival.stack, arrival.link, arrival.time)
        };
        describe(view, map, blank)
    }

    fn outcome(&self, view: &View<'_>) -> (Code, bool) {
        match (&view.unit, &view.tcap) {
            (Some(unit), _) if unit.is_service() => (Code::Returned(u32::from(unit.class)), false),
            (_, Some(tcap)) => describe::outcome(tcap),
            _ => (Code::None, true),
        }
    }

    fn rewrite(&self, view: &View<'_>, onward: &Onward, out: &mut Vec<u8>) {
        let Onward::Pass { group, .. } = onward else { return };
        let route = self.route(view, None);
        let server = group.and_then(|group| self.server(group));
        rewrite::rewrite(view, &route, server, self.shared.config.is_ansi(), out);
    }

    fn answer(&self, view: &View<'_>, refusal: Refusal, out: &mut Vec<u8>) -> Code {
        let Some(unit) = view.unit.as_ref().filter(|unit| !unit.is_service()) else {
            return self.answer_connection(view, refusal, out);
        };
        let mut code = Code::None;
        let route = self.route(view, None);
        // What cannot be brought to anybody is the network's to give back, not the node's to refuse.
        if !matches!(refusal, Refusal::Unroutable | Refusal::Loop)
            && let Some(tcap) = &view.tcap
            && let Some(asked) = describe::attempt(tcap)
        {
            let tcap = |out: &mut Vec<u8>| code = answer::refuse(tcap, &asked, refusal, out);
            if self.reply(view, out, |out| write::reply(unit, HOPS, out, tcap)) {
                return code;
            }
        }
        let cause = match refusal {
            Refusal::Congestion => cause::NETWORK_CONGESTION,
            Refusal::Unroutable | Refusal::Loop => route.cause,
            _ => cause::UNQUALIFIED,
        };
        self.give_back(view, cause, out)
    }

    fn complain(&self, frame: &[u8], malformed: &Malformed, out: &mut Vec<u8>) -> Code {
        if malformed.layer == Layer::M3ua {
            //= RFC 4666 §3.8.1
            let head = frame.get(..DIAGNOSTIC_OCTETS).unwrap_or(frame);
            let _ = Writer::new(out, Kind::ERROR)
                .number(tag::ERROR_CODE, malformed.code)
                .parameter(tag::DIAGNOSTIC, head);
            return Code::Base(malformed.code);
        }
        //= Q.774 §3.2.1.6
        let ansi = self.shared.config.is_ansi();
        let mut code = Code::None;
        if let Ok(data) = Data::new(frame)
            && let Ok(unit) = Unitdata::new(data.user, ansi)
            && let Ok(part) = Transaction::part(unit.data, 0)
            && let Some(to) = part.otid
        {
            let view = View::unread(data);
            let cause = answer::p_abort::BADLY_FORMATTED;
            let tcap = |out: &mut Vec<u8>| code = answer::abort(to, cause, out);
            if !self.reply(&view, out, |out| write::reply(&unit, HOPS, out, tcap)) {
                return Code::None;
            }
        }
        code
    }

    fn abandon(&self, view: &View<'_>, out: &mut Vec<u8>) -> Code {
        let (Some(unit), Some(tcap)) = (&view.unit, &view.tcap) else { return Code::None };
        let mut code = Code::None;
        if let Some(to) = tcap.otid.filter(|_| self.shared.config.abort_expired) {
            let cause = answer::p_abort::UNRECOGNISED_TRANSACTION;
            let tcap = |out: &mut Vec<u8>| code = answer::abort(to, cause, out);
            if !self.reply(view, out, |out| write::reply(unit, HOPS, out, tcap)) {
                return Code::None;
            }
        }
        code
    }
}
