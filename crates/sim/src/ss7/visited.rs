//! A VLR or an SGSN: asks the home for its roamers, answers what the home asks, and checks every
//! message against the dialogue it belongs to. No sockets and no clock.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use sccp::SccpAddress;

use super::map::{self, Context, Operation, Version, code};
use super::message::{self, Dialogue, Kind, Part, Reading, Tid, Unit};
use super::outcome::{Answer, Ledger, Outcome};
use super::table::{Found, Table};
use super::title::{self, MobileTitle, plan, ssn};
use super::{Outbox, send};
use crate::tally::Tally;

/// Which node is played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Circuit-switched: updateLocation, versions 1 to 3.
    Vlr,
    /// Packet-switched: updateGprsLocation, version 3.
    Sgsn,
}

impl Role {
    fn ssn(self) -> u8 {
        if self == Self::Vlr { ssn::VLR } else { ssn::SGSN }
    }

    /// The operation by which it registers a roamer.
    #[must_use]
    pub fn registers_by(self) -> Operation {
        match self {
            Self::Vlr => Operation::UpdateLocation,
            Self::Sgsn => Operation::UpdateGprsLocation,
        }
    }
}

/// Who a visited node is, and how it finds homes.
#[derive(Clone, Debug)]
pub struct Identity {
    /// VLR or SGSN.
    pub role: Role,
    /// Its E.164 number.
    pub number: String,
    /// The MSC's E.164 number (VLR only).
    pub msc: String,
    /// The SGSN's address.
    pub gsn: Ipv4Addr,
    /// How IMSIs become titles of E.214.
    pub titles: Vec<MobileTitle>,
    /// Call this HLR number (E.164) instead of a title made from the IMSI.
    pub hlr: Option<String>,
    /// Digits of an IMSI.
    pub imsi_digits: usize,
    /// Send XUDT instead of UDT.
    pub extended: bool,
    /// The first transaction identifier; runs that follow each other should have different ones.
    pub first_tid: u32,
}

impl Identity {
    /// A node with this number; the MSC has the same.
    #[must_use]
    pub fn new(role: Role, number: &str) -> Self {
        Self {
            role,
            number: number.to_owned(),
            msc: number.to_owned(),
            gsn: Ipv4Addr::new(192, 0, 2, 1),
            titles: Vec::new(),
            hlr: None,
            imsi_digits: 15,
            extended: false,
            first_tid: 1,
        }
    }
}

#[derive(Debug)]
struct Open<T> {
    imsi: u64,
    /// When it should have been sent; latency counts from here.
    intended: u64,
    operation: Operation,
    version: Version,
    /// A message has come back, so the application context is settled.
    established: bool,
    tag: T,
}

/// What a message meant for whoever runs the node; everything is counted already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard<T> {
    /// Nothing to be told.
    Nothing,
    /// The right end of a dialogue.
    Answered {
        /// What was given with the question.
        tag: T,
        /// The subscriber.
        imsi: u64,
        /// What was asked, and how it ended.
        answer: Answer,
        /// The answer came from the address that was called, not from a home's own: somebody on
        /// the way gave it.
        steered: bool,
    },
    /// A dialogue ended by a message that contradicts it.
    Spoiled(T),
    /// The home ended the subscriber's registration here.
    Cancelled(u64),
}

/// The node's dialogues and counters. `T` is what the caller wants back with an answer.
#[derive(Debug)]
pub struct Visited<T> {
    identity: Identity,
    address: SccpAddress,
    table: Table<Open<T>>,
    /// Transactions, faults and latency.
    pub tally: Tally<Answer>,
    /// What contradicted its dialogue, by kind.
    pub faults: BTreeMap<&'static str, u64>,
    /// Outcomes that came from a home, and what homes asked here.
    pub home: Ledger,
    /// Outcomes that somebody on the way gave in a home's place.
    pub steered: Ledger,
    /// insertSubscriberData answered.
    pub inserted: u64,
}

impl<T> Visited<T> {
    /// A node without dialogues.
    #[must_use]
    pub fn new(identity: Identity) -> Self {
        Self {
            address: title::address(plan::E164, &identity.number, identity.role.ssn()),
            table: Table::new(identity.first_tid),
            tally: Tally::default(),
            faults: BTreeMap::new(),
            home: Ledger::default(),
            steered: Ledger::default(),
            inserted: 0,
            identity,
        }
    }

    /// Who it is.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Dialogues that wait for their end.
    #[must_use]
    pub fn outstanding(&self) -> usize {
        self.table.open()
    }

    fn digits(&self, imsi: u64) -> String {
        format!("{imsi:0width$}", width = self.identity.imsi_digits)
    }

    fn called(&self, digits: &str) -> SccpAddress {
        match &self.identity.hlr {
            Some(number) => title::address(plan::E164, number, ssn::HLR),
            None => {
                let title = MobileTitle::of(&self.identity.titles, digits);
                title::address(plan::E214, &title, ssn::HLR)
            }
        }
    }

    /// Opens a dialogue for an operation, in the version nearest to `wanted`.
    pub fn ask(
        &mut self,
        (operation, wanted): (Operation, Version),
        (imsi, tag): (u64, T),
        (intended, now): (u64, u64),
        out: &mut Outbox,
    ) {
        let version = operation.nearest(wanted);
        let digits = self.digits(imsi);
        let node = map::Node {
            number: &self.identity.number,
            msc: &self.identity.msc,
            gsn: self.identity.gsn.octets(),
            packet: self.identity.role == Role::Sgsn,
        };
        let argument = map::argument(operation, version, &digits, &node);
        let open = Open { imsi, intended, operation, version, established: false, tag };
        let id = self.table.insert(open, now);
        let context = (version > Version::V1).then(|| operation.context(version));
        let data = message::begin(Tid::of(id), context, message::invoke(operation, argument));
        self.tally.sent += 1;
        let called = self.called(&digits);
        self.send(called, id, data, out);
    }

    fn send(&self, called: SccpAddress, id: u32, data: Vec<u8>, out: &mut Outbox) {
        let unit = Unit { called, calling: self.address.clone(), data, returned: None };
        send(unit, self.identity.extended, id, out);
    }

    /// Ends what began longer than `timeout` before `now`, and gives the tags.
    pub fn expire(&mut self, now: u64, timeout: u64, mut lost: impl FnMut(T)) {
        let tally = &mut self.tally;
        self.table.expire(now, timeout, |open| {
            tally.lost += 1;
            lost(open.tag);
        });
    }

    /// Ends everything, because no association is left.
    pub fn abandon(&mut self, mut gone: impl FnMut(T)) {
        let tally = &mut self.tally;
        self.table.expire(u64::MAX, 0, |open| {
            tally.asker_gone += 1;
            gone(open.tag);
        });
    }

    fn fault(&mut self, kind: &'static str) {
        *self.faults.entry(kind).or_default() += 1;
    }

    fn stray(&mut self, kind: &'static str) -> Heard<T> {
        self.tally.mismatched += 1;
        self.fault(kind);
        Heard::Nothing
    }

    /// Takes an SCCP message.
    pub fn receive(&mut self, sccp: &[u8], now: u64, out: &mut Outbox) -> Heard<T> {
        match Unit::read(sccp) {
            Some(unit) => self.take(unit, now, out),
            None => self.stray("no unitdata"),
        }
    }

    /// Takes a unitdata message.
    pub fn take(&mut self, unit: Unit, now: u64, out: &mut Outbox) -> Heard<T> {
        let Some(reading) = message::read(&unit.data) else { return self.stray("no TCAP") };
        if let Some(cause) = unit.returned {
            return self.returned(&reading, cause, now);
        }
        if !title::is_for(&unit.called, &self.identity.number, self.identity.role.ssn()) {
            return self.stray("called address not ours");
        }
        if reading.kind == Kind::Begin {
            return self.asked(&unit, &reading, out);
        }
        let Some(id) = reading.dtid.and_then(Tid::number) else {
            return self.stray("no transaction of ours");
        };
        match self.table.find(id) {
            Found::Open => self.goes_on(id, unit, &reading, now, out),
            Found::Answered => {
                self.tally.duplicated += 1;
                Heard::Nothing
            }
            Found::Lost => {
                self.tally.late += 1;
                if let Some(peer) = reading.otid {
                    self.send(unit.calling, id, message::unknown_dialogue(peer), out);
                }
                Heard::Nothing
            }
            Found::Unknown => self.stray("no transaction of ours"),
        }
    }

    /// Our own message came back.
    fn returned(&mut self, reading: &Reading, cause: u8, now: u64) -> Heard<T> {
        let id = reading.otid.and_then(Tid::number);
        match id.filter(|id| self.table.find(*id) == Found::Open) {
            Some(id) => self.finish(id, Outcome::Returned(cause), true, now),
            None => self.stray("returned message of no dialogue"),
        }
    }

    fn goes_on(
        &mut self,
        id: u32,
        unit: Unit,
        reading: &Reading,
        now: u64,
        out: &mut Outbox,
    ) -> Heard<T> {
        let steered = match self.check(id, &unit, reading) {
            Ok(steered) => steered,
            Err(kind) => return self.spoil(id, kind),
        };
        match (reading.kind, &reading.part) {
            (Kind::Abort(cause), _) => self.finish(id, Outcome::Aborted(cause), steered, now),
            (Kind::Continue, Part::Invoke { id: invoke, operation: 7, parameter }) => {
                match self.insert(id, *invoke, parameter.as_deref(), reading.otid) {
                    Ok(data) => self.send(unit.calling, id, data, out),
                    Err(kind) => return self.spoil(id, kind),
                }
                Heard::Nothing
            }
            (Kind::End, part) => match self.ending(id, part) {
                Ok(outcome) => self.finish(id, outcome, steered, now),
                Err(kind) => self.spoil(id, kind),
            },
            _ => self.spoil(id, "unexpected component"),
        }
    }

    /// Addresses and dialogue portion; true when the answer came from the address that was called.
    //= Q.774 §3.2.2.1
    // The first message backwards carries the AARE, later ones carry no dialogue portion.
    fn check(&mut self, id: u32, unit: &Unit, reading: &Reading) -> Result<bool, &'static str> {
        let Some(open) = self.table.get_mut(id) else { return Err("no dialogue") };
        let (imsi, first) = (open.imsi, !open.established);
        open.established = true;
        let context: Option<Context> =
            (open.version > Version::V1).then(|| open.operation.context(open.version));
        let aborted = matches!(reading.kind, Kind::Abort(_));
        let right = match (reading.dialogue, context) {
            (Dialogue::Accepted(accepted), Some(asked)) => first && accepted == asked,
            (Dialogue::Absent, None) => true,
            (Dialogue::Absent, Some(_)) => !first || aborted,
            _ => aborted,
        };
        if !right {
            return Err("dialogue portion");
        }
        let called = self.called(&self.digits(imsi));
        let swapped = title::parts(&unit.calling) == title::parts(&called);
        match title::parts(&unit.calling) {
            _ if swapped => Ok(self.identity.hlr.is_none()),
            (plan::E164, digits, ssn::HLR) if !digits.is_empty() => Ok(false),
            _ => Err("calling address"),
        }
    }

    fn insert(
        &mut self,
        id: u32,
        invoke: i8,
        argument: Option<&[u8]>,
        peer: Option<Tid>,
    ) -> Result<Vec<u8>, &'static str> {
        let Some(open) = self.table.get_mut(id) else { return Err("no dialogue") };
        if !matches!(open.operation, Operation::UpdateLocation | Operation::UpdateGprsLocation) {
            return Err("insertSubscriberData outside a registration");
        }
        let isd = Operation::InsertSubscriberData;
        let subject = argument.and_then(|a| map::subject(isd, open.version, a));
        match (subject, peer) {
            (Some(subject), Some(peer)) if [0, open.imsi].contains(&subject.imsi) => {
                self.inserted += 1;
                let result = message::success(invoke, isd, None);
                Ok(message::proceed(Tid::of(id), peer, None, result))
            }
            _ => Err("insertSubscriberData's argument"),
        }
    }

    fn ending(&mut self, id: u32, part: &Part) -> Result<Outcome, &'static str> {
        let Some(open) = self.table.get_mut(id) else { return Err("no dialogue") };
        match part {
            Part::Result { id: message::INVOKE_ID, operation, parameter } => {
                if operation.is_some_and(|code| code != open.operation.code()) {
                    return Err("operation of the result");
                }
                if !map::is_result(open.operation, open.version, parameter.as_deref()) {
                    return Err("result");
                }
                Ok(Outcome::Success)
            }
            Part::Error { id: message::INVOKE_ID, error, parameter } => {
                if !open.operation.may_fail_with(*error) {
                    return Err("error that the operation does not allow");
                }
                if !map::is_error_parameter(*error, open.version, parameter.as_deref()) {
                    return Err("parameter of the error");
                }
                Ok(Outcome::Error(*error))
            }
            Part::Reject => Ok(Outcome::Rejected),
            Part::Result { .. } | Part::Error { .. } => Err("invoke ID"),
            Part::None | Part::Invoke { .. } => Err("unexpected component"),
        }
    }

    fn finish(&mut self, id: u32, outcome: Outcome, steered: bool, now: u64) -> Heard<T> {
        let Some(open) = self.table.remove(id) else { return Heard::Nothing };
        let answer = Answer { operation: open.operation, outcome };
        self.tally.answer(answer, now.saturating_sub(open.intended));
        let ledger = if steered { &mut self.steered } else { &mut self.home };
        ledger.enter(open.imsi, answer);
        Heard::Answered { tag: open.tag, imsi: open.imsi, answer, steered }
    }

    fn spoil(&mut self, id: u32, kind: &'static str) -> Heard<T> {
        self.tally.mismatched += 1;
        self.fault(kind);
        match self.table.remove(id) {
            Some(open) => {
                self.tally.spoiled += 1;
                Heard::Spoiled(open.tag)
            }
            None => Heard::Nothing,
        }
    }

    /// A home asks: cancelLocation, or insertSubscriberData in a dialogue of its own.
    fn asked(&mut self, unit: &Unit, reading: &Reading, out: &mut Outbox) -> Heard<T> {
        let Part::Invoke { id, operation, parameter } = &reading.part else {
            return self.stray("Begin without Invoke");
        };
        let (context, version) = match reading.dialogue {
            Dialogue::Request(context) => (Some(context), Version::of(context.version)),
            Dialogue::Absent => (None, Some(Version::V1)),
            _ => (None, None),
        };
        let (Some(version), Some(peer)) = (version, reading.otid) else {
            return self.stray("dialogue portion of a Begin");
        };
        let asked = Operation::of(*operation);
        let subject = asked
            .and_then(|op| map::subject(op, version, parameter.as_deref().unwrap_or_default()));
        let (component, heard) = match (asked, subject) {
            (Some(op @ Operation::CancelLocation), Some(subject)) => {
                let answer = Answer { operation: op, outcome: Outcome::Success };
                self.home.enter(subject.imsi, answer);
                let result = map::result(op, version, &self.identity.number, false);
                (message::success(*id, op, result), Heard::Cancelled(subject.imsi))
            }
            (Some(op @ Operation::InsertSubscriberData), Some(_)) => {
                self.inserted += 1;
                (message::success(*id, op, None), Heard::Nothing)
            }
            (Some(_), None) => {
                self.fault("argument of a home's question");
                (message::failure(*id, code::UNEXPECTED_DATA_VALUE, None), Heard::Nothing)
            }
            _ => {
                self.fault("a home's question that is not played");
                (message::failure(*id, code::FACILITY_NOT_SUPPORTED, None), Heard::Nothing)
            }
        };
        let sls = peer.number().unwrap_or(0);
        self.send(unit.calling.clone(), sls, message::end(peer, context, component), out);
        heard
    }
}
