//! An HLR: answers VLRs and SGSNs, brings them the subscription inside the dialogue, cancels at the
//! node left behind, and keeps a ledger of what it decided. No sockets and no clock.

use std::collections::{BTreeMap, HashMap};

use sccp::SccpAddress;
use serde::Serialize;

use super::map::{self, Context, Operation, Version, code};
use super::message::{self, Dialogue, Kind, Part, Reading, Tid, Unit};
use super::outcome::{Answer, Ledger, Outcome};
use super::table::{Found, Table};
use super::title::{self, plan, ssn};
use super::{Outbox, send};
use crate::hss::Subscribers;

/// An HLR's configuration. [`HomeConfig::new`] gives the usual values.
#[derive(Clone, Debug)]
pub struct HomeConfig {
    /// Its E.164 number.
    pub number: String,
    /// Who is known; others are answered unknownSubscriber.
    pub subscribers: Subscribers,
    /// UL and UGL from node numbers that start so are answered roamingNotAllowed.
    pub refuse: Vec<String>,
    /// Bring the subscription (insertSubscriberData) inside the dialogue of UL and UGL.
    pub insert: bool,
    /// Keep the serving nodes of each subscriber and send cancelLocation to the one left behind.
    pub cancel: bool,
    /// Send XUDT instead of UDT.
    pub extended: bool,
    /// Digits of an IMSI.
    pub imsi_digits: usize,
    /// The first transaction identifier.
    pub first_tid: u32,
}

impl HomeConfig {
    /// An HLR that knows everyone and plays all of the dialogue.
    #[must_use]
    pub fn new(number: &str) -> Self {
        Self {
            number: number.to_owned(),
            subscribers: Subscribers::All,
            refuse: Vec::new(),
            insert: true,
            cancel: true,
            extended: false,
            imsi_digits: 15,
            first_tid: 0x4000_0000,
        }
    }
}

/// What an HLR has counted. All counts are since its start.
#[derive(Clone, Debug, Default, Serialize, PartialEq, Eq)]
pub struct HomeCounts {
    /// Dialogues opened by visited nodes, by operation.
    pub requests: BTreeMap<&'static str, u64>,
    /// What was decided, and what visited nodes said to cancelLocation.
    pub outcomes: Ledger,
    /// insertSubscriberData acknowledged.
    pub inserted: u64,
    /// Successful UL and UGL.
    pub registrations: u64,
    /// cancelLocation sent.
    pub cancels: u64,
    /// cancelLocation without an answer in time.
    pub cancels_lost: u64,
    /// Registrations whose visited node did not go on, or aborted.
    pub abandoned: u64,
    /// Messages of dialogues that had ended.
    pub late: u64,
    /// What contradicted its dialogue or could not be read, by kind.
    pub faults: BTreeMap<&'static str, u64>,
}

#[derive(Debug)]
struct Open {
    imsi: u64,
    operation: Operation,
    version: Version,
    node: u32,
}

/// Where a subscriber is: nodes by number from 1, with the version each spoke; 0 for nowhere.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    vlr: u32,
    sgsn: u32,
    vlr_version: u8,
}

/// The HLR's dialogues, registrations and counters.
#[derive(Debug)]
pub struct Home {
    config: HomeConfig,
    address: SccpAddress,
    table: Table<Open>,
    places: HashMap<u64, Place>,
    /// Node numbers by index from 1.
    nodes: Vec<String>,
    indexes: HashMap<String, u32>,
    /// The counters.
    pub counts: HomeCounts,
}

/// A question, as far as every operation has it.
struct Question {
    imsi: u64,
    node: Option<String>,
    operation: Operation,
    version: Version,
    context: Option<Context>,
    invoke: i8,
    peer: Tid,
}

impl Home {
    /// An HLR without registrations.
    #[must_use]
    pub fn new(config: HomeConfig) -> Self {
        Self {
            address: title::address(plan::E164, &config.number, ssn::HLR),
            table: Table::new(config.first_tid),
            places: HashMap::new(),
            nodes: Vec::new(),
            indexes: HashMap::new(),
            counts: HomeCounts::default(),
            config,
        }
    }

    /// Where a subscriber is registered: numbers of VLR and SGSN.
    #[must_use]
    pub fn place(&self, imsi: u64) -> (Option<&str>, Option<&str>) {
        let place = self.places.get(&imsi).copied().unwrap_or_default();
        (self.name(place.vlr), self.name(place.sgsn))
    }

    /// Subscribers registered at a VLR or an SGSN.
    #[must_use]
    pub fn registered(&self) -> usize {
        self.places.len()
    }

    /// Dialogues that are open.
    #[must_use]
    pub fn outstanding(&self) -> usize {
        self.table.open()
    }

    fn name(&self, index: u32) -> Option<&str> {
        let index = usize::try_from(index).ok()?.checked_sub(1)?;
        self.nodes.get(index).map(String::as_str)
    }

    fn index(&mut self, number: &str) -> u32 {
        if let Some(index) = self.indexes.get(number) {
            return *index;
        }
        self.nodes.push(number.to_owned());
        let index = u32::try_from(self.nodes.len()).unwrap_or(u32::MAX);
        self.indexes.insert(number.to_owned(), index);
        index
    }

    fn digits(&self, imsi: u64) -> String {
        format!("{imsi:0width$}", width = self.config.imsi_digits)
    }

    fn fault(&mut self, kind: &'static str) {
        *self.counts.faults.entry(kind).or_default() += 1;
    }

    fn send(&self, called: SccpAddress, id: u32, data: Vec<u8>, out: &mut Outbox) {
        let calling = self.address.clone();
        send(Unit { called, calling, data, returned: None }, self.config.extended, id, out);
    }

    /// Gives up dialogues that began longer than `timeout` before `now`.
    pub fn expire(&mut self, now: u64, timeout: u64) {
        let counts = &mut self.counts;
        self.table.expire(now, timeout, |open| match open.operation {
            Operation::CancelLocation => counts.cancels_lost += 1,
            _ => counts.abandoned += 1,
        });
    }

    /// Takes an SCCP message.
    pub fn receive(&mut self, sccp: &[u8], now: u64, out: &mut Outbox) {
        let Some(unit) = Unit::read(sccp) else { return self.fault("no unitdata") };
        let Some(reading) = message::read(&unit.data) else { return self.fault("no TCAP") };
        if unit.returned.is_some() {
            return self.returned(&reading);
        }
        let (_, _, called) = title::parts(&unit.called);
        if called != ssn::HLR {
            return self.fault("called subsystem not ours");
        }
        if reading.kind == Kind::Begin {
            return self.asked(unit.calling, &reading, now, out);
        }
        match reading.dtid.and_then(Tid::number) {
            Some(id) => self.goes_on(id, unit.calling, &reading, now, out),
            None => self.fault("no transaction of ours"),
        }
    }

    fn returned(&mut self, reading: &Reading) {
        self.fault("message returned");
        if let Some(open) = reading.otid.and_then(Tid::number).and_then(|id| self.table.remove(id))
        {
            self.abandon(&open);
        }
    }

    fn abandon(&mut self, open: &Open) {
        match open.operation {
            Operation::CancelLocation => self.counts.cancels_lost += 1,
            _ => self.counts.abandoned += 1,
        }
    }

    fn question(reading: &Reading) -> Option<Question> {
        let Part::Invoke { id, operation, parameter } = &reading.part else { return None };
        let operation = Operation::of(*operation)?;
        let (context, version) = match reading.dialogue {
            Dialogue::Request(context) => (Some(context), Version::of(context.version)?),
            Dialogue::Absent => (None, Version::V1),
            _ => return None,
        };
        let subject = map::subject(operation, version, parameter.as_deref()?)?;
        Some(Question {
            imsi: subject.imsi,
            node: subject.node,
            operation,
            version,
            context,
            invoke: *id,
            peer: reading.otid?,
        })
    }

    fn asked(&mut self, from: SccpAddress, reading: &Reading, now: u64, out: &mut Outbox) {
        let Some(question) = Self::question(reading) else {
            return self.not_understood(from, reading, out);
        };
        let supported = question.operation.nearest(question.version) == question.version;
        let expected = question.operation.context(question.version);
        if !supported || question.context.is_some_and(|c| c != expected) {
            self.fault("application context");
            let data = message::unsupported(question.peer, expected);
            return self.send(from, question.peer.number().unwrap_or(0), data, out);
        }
        *self.counts.requests.entry(question.operation.name()).or_default() += 1;
        if let Some(error) = self.refusal(&question) {
            let parameter = (error == code::ROAMING_NOT_ALLOWED)
                .then(|| map::roaming_not_allowed(question.version))
                .flatten();
            let failure = message::failure(question.invoke, error, parameter);
            return self.decide(from, &question, Outcome::Error(error), failure, out);
        }
        let registers =
            matches!(question.operation, Operation::UpdateLocation | Operation::UpdateGprsLocation);
        if registers && self.config.insert {
            return self.insert(from, &question, now, out);
        }
        let packet = title::parts(&from).2 == ssn::SGSN;
        let number = &self.config.number;
        let result = map::result(question.operation, question.version, number, packet);
        let success = message::success(question.invoke, question.operation, result);
        let node = question.node.as_deref().map_or(0, |n| self.index(n));
        self.decide(from, &question, Outcome::Success, success, out);
        if registers {
            self.register((question.operation, question.version), question.imsi, node, now, out);
        } else if question.operation == Operation::PurgeMs {
            self.purge(question.imsi, node, packet);
        }
    }

    fn not_understood(&mut self, from: SccpAddress, reading: &Reading, out: &mut Outbox) {
        self.fault("a question that is not played");
        let (Part::Invoke { id, .. }, Some(peer)) = (&reading.part, reading.otid) else { return };
        let context = match reading.dialogue {
            Dialogue::Request(context) => Some(context),
            _ => None,
        };
        let failure = message::failure(*id, code::UNEXPECTED_DATA_VALUE, None);
        let data = message::end(peer, context, failure);
        self.send(from, peer.number().unwrap_or(0), data, out);
    }

    fn refusal(&self, question: &Question) -> Option<u8> {
        if !self.config.subscribers.know(self.digits(question.imsi).as_bytes()) {
            return Some(code::UNKNOWN_SUBSCRIBER);
        }
        let refuses = |n: &String| self.config.refuse.iter().any(|p| n.starts_with(p.as_str()));
        let registers = question.operation.may_fail_with(code::ROAMING_NOT_ALLOWED);
        (registers && question.node.as_ref().is_some_and(refuses))
            .then_some(code::ROAMING_NOT_ALLOWED)
    }

    /// Ends a dialogue with its first message backwards.
    fn decide(
        &mut self,
        to: SccpAddress,
        question: &Question,
        outcome: Outcome,
        component: tcap::Component,
        out: &mut Outbox,
    ) {
        let data = message::end(question.peer, question.context, component);
        self.send(to, question.peer.number().unwrap_or(0), data, out);
        let answer = Answer { operation: question.operation, outcome };
        self.counts.outcomes.enter(question.imsi, answer);
    }

    //= TS 29.002 §19.1.1.4
    // The HLR invokes insertSubscriberData in the dialogue that the VLR opened.
    fn insert(&mut self, to: SccpAddress, question: &Question, now: u64, out: &mut Outbox) {
        let node = question.node.as_deref().map_or(0, |n| self.index(n));
        let (imsi, operation, version) = (question.imsi, question.operation, question.version);
        let id = self.table.insert(Open { imsi, operation, version, node }, now);
        let packet = operation == Operation::UpdateGprsLocation;
        let argument = map::subscription(&self.digits(imsi), packet);
        let invoke = message::invoke(Operation::InsertSubscriberData, argument);
        let data = message::proceed(Tid::of(id), question.peer, question.context, invoke);
        self.send(to, question.peer.number().unwrap_or(0), data, out);
    }

    fn goes_on(
        &mut self,
        id: u32,
        from: SccpAddress,
        reading: &Reading,
        now: u64,
        out: &mut Outbox,
    ) {
        match self.table.find(id) {
            Found::Open => {}
            Found::Answered | Found::Lost => return self.counts.late += 1,
            Found::Unknown => return self.fault("no transaction of ours"),
        }
        match (reading.kind, &reading.part, reading.otid) {
            (Kind::Continue, Part::Result { id: message::INVOKE_ID, .. }, Some(peer))
                if reading.dialogue == Dialogue::Absent =>
            {
                self.inserted(id, from, peer, now, out);
            }
            (Kind::End, part, _) => self.cancelled(id, part),
            (kind, _, _) => {
                if !matches!(kind, Kind::Abort(_)) {
                    self.fault("unexpected component");
                }
                if let Some(open) = self.table.remove(id) {
                    self.abandon(&open);
                }
            }
        }
    }

    /// The subscription has arrived: the registration succeeds.
    fn inserted(&mut self, id: u32, from: SccpAddress, peer: Tid, now: u64, out: &mut Outbox) {
        let Some(open) = self.table.remove(id) else { return };
        self.counts.inserted += 1;
        let result = map::result(open.operation, open.version, &self.config.number, false);
        let success = message::success(message::INVOKE_ID, open.operation, result);
        let data = message::end(peer, None, success);
        self.send(from, peer.number().unwrap_or(0), data, out);
        let answer = Answer { operation: open.operation, outcome: Outcome::Success };
        self.counts.outcomes.enter(open.imsi, answer);
        self.register((open.operation, open.version), open.imsi, open.node, now, out);
    }

    fn cancelled(&mut self, id: u32, part: &Part) {
        let Some(open) = self.table.remove(id) else { return };
        let outcome = match part {
            Part::Result { .. } => Outcome::Success,
            Part::Error { error, .. } => Outcome::Error(*error),
            _ => Outcome::Rejected,
        };
        if open.operation != Operation::CancelLocation {
            self.fault("End of a dialogue that is ours to end");
            return self.abandon(&open);
        }
        self.counts.outcomes.enter(open.imsi, Answer { operation: open.operation, outcome });
    }

    /// Notes where the subscriber is now, and cancels where it was.
    //= TS 23.012 §4.1.2.2
    fn register(
        &mut self,
        (operation, version): (Operation, Version),
        imsi: u64,
        node: u32,
        now: u64,
        out: &mut Outbox,
    ) {
        self.counts.registrations += 1;
        if !self.config.cancel || node == 0 {
            return;
        }
        let place = self.places.entry(imsi).or_default();
        let (before, version, ssn) = if operation == Operation::UpdateLocation {
            let spoken = Version::of(place.vlr_version).unwrap_or(version);
            place.vlr_version = version.number();
            (std::mem::replace(&mut place.vlr, node), spoken, ssn::VLR)
        } else {
            (std::mem::replace(&mut place.sgsn, node), Version::V3, ssn::SGSN)
        };
        if before == 0 || before == node {
            return;
        }
        let Some(called) = self.name(before).map(|n| title::address(plan::E164, n, ssn)) else {
            return;
        };
        let cancel = Operation::CancelLocation;
        let open = Open { imsi, operation: cancel, version, node: before };
        let id = self.table.insert(open, now);
        let context = (version > Version::V1).then(|| cancel.context(version));
        let argument = map::cancel(version, &self.digits(imsi));
        let data = message::begin(Tid::of(id), context, message::invoke(cancel, argument));
        self.counts.cancels += 1;
        self.send(called, id, data, out);
    }

    /// The subscriber has left this node, if it is still the one.
    fn purge(&mut self, imsi: u64, node: u32, packet: bool) {
        let Some(place) = self.places.get_mut(&imsi) else { return };
        let at = if packet { &mut place.sgsn } else { &mut place.vlr };
        if *at == node {
            *at = 0;
        }
        if place.vlr == 0 && place.sgsn == 0 {
            self.places.remove(&imsi);
        }
    }
}
