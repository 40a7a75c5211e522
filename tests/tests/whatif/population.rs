//! Handsets that come to a country, a policy that speaks on each of their registrations, and the
//! records of it as the daemon's journal would hold them: what `whatif` foretells can be held against
//! what these very handsets do under the other policy.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::path::Path;
use std::sync::Arc;

use journal::{Key, Names, Rotation, Schema, Writer};
use policy::{Engine, Memory, Setup, Source};
use procedure::{
    Access, Act, Code, Decision, Domain, Finish, Imsi, LinkId, Node, Plmn, Policy, Procedure,
    Provenance, Record, StackId, Symbols, Time, Verdict, WorkerId,
};
use tests::world;

/// 2026-01-05 08:00 UTC.
pub(crate) const EPOCH_US: u64 = 1_767_600_000_000_000;
const S6A: u32 = 16_777_251;
const ULR: u32 = 316;
const AIR: u32 = 318;
/// Links: one for each visited network.
pub(crate) const NETWORKS: [&str; 3] = ["23410", "23415", "23420"];

/// What a handset does when it is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// It turns to the preferred network.
    Moves,
    /// It asks again where it is.
    Insists,
}

/// One handset.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Handset {
    pub(crate) number: u64,
    pub(crate) arrives_ms: u64,
    pub(crate) network: &'static str,
    pub(crate) manner: Manner,
    /// The home network says no to it.
    pub(crate) denied: bool,
    /// Each try comes over these, one soon after the other.
    pub(crate) domains: &'static [Domain],
    /// So long after it was accepted it registers again.
    pub(crate) again_ms: Option<u64>,
}

/// Over 2G and 3G: location update and GPRS location update.
pub(crate) const COMBINED: &[Domain] = &[Domain::Cs, Domain::Ps];
/// Between two domains of one try.
const BETWEEN_MS: u64 = 150;
/// The number of a try that comes again later.
const AGAIN: u64 = 100;

/// What really happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Truth {
    pub(crate) registrations: u64,
    pub(crate) refused: u64,
    pub(crate) refused_tries: u64,
    pub(crate) barred: u64,
    pub(crate) people_refused: u64,
    pub(crate) on_preferred: u64,
    pub(crate) records: u64,
}

/// So many, one every `every_ms`, of which `moves_pct` of a hundred move.
pub(crate) fn handsets(count: u64, every_ms: u64, moves_pct: u64) -> Vec<Handset> {
    let handset = |number: u64| Handset {
        number,
        arrives_ms: 60_000 + number * every_ms,
        network: NETWORKS[0],
        manner: if number * 37 % 100 < moves_pct { Manner::Moves } else { Manner::Insists },
        denied: false,
        domains: &[Domain::Eps],
        again_ms: None,
    };
    (0..count).map(handset).collect()
}

struct Links {
    symbols: Symbols,
}

impl Names for Links {
    fn links(&self) -> Vec<Arc<str>> {
        NETWORKS.iter().map(|network| format!("mme-{network}").into()).collect()
    }

    fn symbols(&self) -> Vec<Arc<str>> {
        self.symbols.names()
    }

    fn stack(&self, _: StackId) -> &str {
        "diameter"
    }

    fn operation(&self, _: u32, operation: u32) -> (Option<&'static str>, Option<&'static str>) {
        (Some("s6a"), Some(if operation == ULR { "ulr" } else { "air" }))
    }

    fn country(&self, _: Plmn) -> Option<Arc<str>> {
        Some("GB".into())
    }
}

/// Where records go.
pub(crate) struct Journal<'p> {
    pub(crate) folder: &'p Path,
    pub(crate) key: [u8; 32],
    pub(crate) clear: bool,
}

/// Lets the handsets register under these policies, and writes what happened.
pub(crate) fn live(
    handsets: &[Handset],
    policies: &[(&'static str, String)],
    journal: Option<&Journal<'_>>,
) -> Truth {
    let symbols = Symbols::default();
    let engine = engine(policies, symbols.clone());
    let rules = engine.rules();
    let mut out = journal.map(|journal| {
        let names = Arc::new(Links { symbols });
        let schema = Schema::new(EPOCH_US, Key::new(journal.key), journal.clear, names);
        (schema, Writer::open(Rotation::in_directory(journal.folder)).unwrap())
    });
    let mut write = |record: &Record| {
        if let Some((schema, writer)) = &mut out {
            writer.push(|line| schema.write(record, line));
            writer.flush().unwrap();
        }
    };
    let mut truth = Truth::default();
    let mut due: BinaryHeap<Reverse<(u64, usize, &'static str, u64)>> = handsets
        .iter()
        .enumerate()
        .map(|(place, handset)| Reverse((handset.arrives_ms, place, handset.network, 0)))
        .collect();
    while let Some(Reverse((at_ms, place, network, tries))) = due.pop() {
        let handset = &handsets[place];
        let imsi: Imsi = world::imsi(handset.number).parse().unwrap();
        let visited: Plmn = network.parse().unwrap();
        let asked = |act, operation, domain: Domain, at_ms: u64| Procedure {
            act,
            domain,
            access: if domain == Domain::Eps { Access::FourG } else { Access::ThreeG },
            application: S6A,
            operation,
            imsi: Some(imsi),
            visited: Some(visited),
            origin: Node { host: network.as_bytes(), realm: b"" },
            exchange: (place as u64) << 20
                | tries << 8
                | (domain as u64) << 1
                | u64::from(operation == AIR),
            ..Procedure::unknown(StackId(0), link(network), Time::from_ms(at_ms))
        };
        let authentication = asked(Act::Authenticate, AIR, handset.domains[0], at_ms - 200);
        let decision = rules.decide(authentication.arrived, &authentication);
        write(&record(&authentication, &decision, false));
        truth.records += 1;
        let mut next = None;
        for (domain, after_ms) in handset.domains.iter().zip((0..).step_by(BETWEEN_MS as usize)) {
            let registration = asked(Act::Register, ULR, *domain, at_ms + after_ms);
            let decision = rules.decide(registration.arrived, &registration);
            let record = record(&registration, &decision, handset.denied);
            rules.learn(&record);
            write(&record);
            truth.records += 1;
            truth.registrations += 1;
            match record.provenance {
                Provenance::Steering => {
                    truth.refused += 1;
                    truth.people_refused += u64::from(tries == 0 && after_ms == 0);
                    next = Some(match handset.manner {
                        Manner::Moves => world::PREFERRED,
                        Manner::Insists => network,
                    });
                }
                Provenance::Barring => truth.barred += 1,
                _ => truth.on_preferred += u64::from(record.success && network == world::PREFERRED),
            }
        }
        if let Some(next) = next {
            truth.refused_tries += 1;
            due.push(Reverse((at_ms + 10_000, place, next, tries + 1)));
        } else if let Some(again_ms) = handset.again_ms.filter(|_| tries < AGAIN) {
            due.push(Reverse((at_ms + again_ms, place, network, AGAIN)));
        }
    }
    truth
}

fn link(network: &str) -> LinkId {
    LinkId(NETWORKS.iter().position(|known| *known == network).unwrap() as u32)
}

fn engine(policies: &[(&'static str, String)], symbols: Symbols) -> Engine {
    let of = |(name, text): &(&'static str, String)| Source::new(*name, text.clone());
    let sources: Vec<Source> = policies.iter().map(of).collect();
    let peers = (0..).map(LinkId);
    let names = NETWORKS.iter().map(|network| format!("mme-{network}"));
    let mut peers: Vec<_> = names.zip(peers).collect();
    peers.push(("hss".to_owned(), LinkId(3)));
    let setup = Setup {
        symbols,
        vocabulary: Arc::new(stacks::vocabulary()),
        peers: Some(peers),
        groups: Vec::new(),
        memory: Arc::new(Memory::new(1 << 20, 1)),
        started_unix_s: EPOCH_US / 1_000_000,
    };
    Engine::new(&sources, setup).unwrap()
}

fn record(procedure: &Procedure<'_>, decision: &Decision, denied: bool) -> Record {
    let refused = matches!(decision.verdict, Verdict::Refuse(_));
    let said = |code| Code::Experimental { vendor: 10_415, code };
    let (finish, code) = match (refused, denied) {
        (true, _) => (Finish::Refused, said(5004)),
        (false, true) => (Finish::Answered, said(5420)),
        (false, false) => (Finish::Answered, Code::Base(2001)),
    };
    let own = decision.provenance();
    Record {
        opened: procedure.arrived,
        closed: procedure.arrived.plus_ms(40),
        stack: procedure.stack,
        worker: WorkerId(0),
        from: procedure.from,
        to: None,
        sends: 1,
        application: procedure.application,
        operation: procedure.operation,
        act: procedure.act,
        domain: procedure.domain,
        access: procedure.access,
        repeat: false,
        imsi: procedure.imsi,
        customer: decision.customer,
        home: decision.home,
        visited: decision.visited,
        preferred: decision.preferred,
        finish,
        code,
        success: !refused && !denied,
        provenance: if !refused && denied { Provenance::Relayed } else { own },
        attempt: decision.attempt,
        exit: decision.exit,
        because: decision.because,
        frames: 2,
        request_octets: 400,
        answer_octets: 200,
        exchange: procedure.exchange,
    }
}
