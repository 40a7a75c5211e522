//! A desk to try policies on: an engine from texts, a clock of its own, messages by hand.
#![allow(dead_code, reason = "each test uses its part")]
#![allow(clippy::panic, reason = "a test that cannot begin has failed")]

use std::cell::Cell;
use std::sync::Arc;

use policy::{Engine, Memory, Setup, Source};
use procedure::{
    Access, Act, Because, Code, Decision, Domain, Finish, Imsi, LinkId, Node, Plmn, Policy as _,
    Procedure, Provenance, Record, Refusal, StackId, Stage, Symbols, Time, Verdict, WorkerId,
};

use crate::words::Words;

pub const CUSTOMERS: &str = r#"
[[customer]]
name = "iberia"
plmns = ["21407"]
[[customer]]
name = "rhine"
plmns = ["26201"]
"#;

pub const PLANS: &str = r#"
[[plan]]
name = "iberia-gb"
customer = "iberia"
country = "GB"
preferred = ["23410"]
exempt_imsi_prefixes = ["2140799"]
[[plan]]
name = "rhine-gb"
customer = "rhine"
country = "GB"
preferred = ["23430"]
"#;

/// 2026-11-25 00:00 UTC.
pub const STARTED_UNIX_S: u64 = 20_782 * 86_400;

pub struct Desk {
    pub engine: Engine,
    pub now: Cell<u64>,
    exchange: Cell<u64>,
}

/// One message; what a test does not set is an ordinary ULR of iberia's subscriber.
#[derive(Clone, Debug)]
pub struct Message {
    pub stack: u8,
    pub act: Act,
    pub domain: Domain,
    pub access: Access,
    pub imsi: &'static str,
    pub visited: &'static str,
    /// The serving node's number, which then stands in the place of the visited network and of the
    /// asker's realm.
    pub node: Option<&'static str>,
    pub exchange: Option<u64>,
    pub host: &'static str,
    pub tac: Option<u32>,
    pub origin_realm: Option<&'static str>,
    pub destination_realm: &'static str,
}

pub const ULR: Message = Message {
    stack: 0,
    act: Act::Register,
    domain: Domain::Eps,
    access: Access::FourG,
    imsi: "214070000000001",
    visited: "23415",
    node: None,
    exchange: None,
    host: "mme1",
    tac: None,
    origin_realm: None,
    destination_realm: "epc.mnc007.mcc214.3gppnetwork.org",
};

pub fn sources(steering: &str) -> Vec<Source> {
    vec![
        Source::new("policies/customers.toml", CUSTOMERS),
        Source::new("policies/steering.toml", steering),
    ]
}

impl Desk {
    pub fn new(steering: &str) -> Self {
        Self::with(&sources(steering), policy::SUBSCRIBERS_MAX)
    }

    pub fn with(sources: &[Source], subscribers_max: usize) -> Self {
        let setup = Setup {
            symbols: Symbols::default(),
            vocabulary: Arc::new(Words),
            peers: None,
            groups: Vec::new(),
            memory: Arc::new(Memory::new(subscribers_max, 7)),
            started_unix_s: STARTED_UNIX_S,
        };
        let engine =
            Engine::new(sources, setup).unwrap_or_else(|mistakes| panic!("{:?}", lines(&mistakes)));
        Self { engine, now: Cell::new(1_000_000), exchange: Cell::new(1) }
    }

    /// Lets time pass.
    pub fn wait_ms(&self, ms: u64) -> &Self {
        self.now.set(self.now.get() + ms);
        self
    }

    pub fn decide(&self, message: &Message) -> Decision {
        let visited: Plmn = message.visited.parse().expect("a PLMN");
        let realm =
            message.origin_realm.map_or_else(|| policy::standard_realm(visited), ToOwned::to_owned);
        let (origin, destination) = match message.node {
            Some(node) => (Node { host: node.as_bytes(), realm: b"" }, Node::default()),
            None => (
                Node { host: message.host.as_bytes(), realm: realm.as_bytes() },
                Node { host: b"", realm: message.destination_realm.as_bytes() },
            ),
        };
        self.exchange.set(self.exchange.get() + 1);
        let procedure = Procedure {
            act: message.act,
            domain: message.domain,
            access: message.access,
            application: 16_777_251,
            operation: 316,
            imsi: Some(message.imsi.parse().expect("an IMSI")),
            tac: message.tac,
            visited: message.node.is_none().then_some(visited),
            serving: message.node.map(|node| node.parse().expect("a number")),
            origin,
            destination,
            exchange: message
                .exchange
                .unwrap_or_else(|| self.exchange.get().wrapping_mul(0x9e37_79b9_7f4a_7c15)),
            initial: true,
            ..Procedure::unknown(StackId(message.stack), LinkId(0), self.time())
        };
        self.engine.rules().decide(self.time(), &procedure)
    }

    /// The home network answers what was forwarded.
    pub fn home_answers(&self, message: &Message, decision: &Decision, success: bool) {
        let code = Code::Base(if success { 2001 } else { 5012 });
        self.home_says(message, decision, code, Finish::Answered);
    }

    /// What was forwarded ends with this code, or without an answer.
    pub fn home_says(&self, message: &Message, decision: &Decision, code: Code, finish: Finish) {
        let success = code == Code::Base(2001);
        let imsi: Imsi = message.imsi.parse().expect("an IMSI");
        self.engine.rules().learn(&Record {
            opened: self.time(),
            closed: self.time(),
            stack: StackId(0),
            worker: WorkerId(0),
            from: LinkId(0),
            to: Some(LinkId(1)),
            sends: 1,
            application: 16_777_251,
            operation: 316,
            act: message.act,
            domain: message.domain,
            access: message.access,
            repeat: false,
            imsi: Some(imsi),
            customer: decision.customer,
            home: decision.home,
            visited: decision.visited,
            preferred: decision.preferred,
            finish,
            code,
            success,
            provenance: match finish {
                _ if success => Provenance::None,
                Finish::Expired => Provenance::Expired,
                _ => Provenance::Relayed,
            },
            attempt: decision.attempt,
            exit: decision.exit,
            because: Because::default(),
            frames: 2,
            request_octets: 0,
            answer_octets: 0,
            exchange: 0,
        });
    }

    /// Says it, and has the home network accept what is forwarded.
    pub fn attach(&self, message: &Message) -> String {
        let decision = self.decide(message);
        if matches!(decision.verdict, Verdict::Forward { .. }) {
            self.home_answers(message, &decision, true);
        }
        self.word(&decision)
    }

    /// One word for a decision: `no1` to `no4`, `exit:…`, `preferred`, `settled`, …
    pub fn say(&self, message: &Message) -> String {
        self.word(&self.decide(message))
    }

    pub fn word(&self, decision: &Decision) -> String {
        let steered = decision.because.iter().filter(|reason| reason.stage == Stage::Steer).last();
        match (decision.verdict, decision.exit) {
            (Verdict::Refuse(_), _) if decision.refused_by != Some(Stage::Steer) => {
                "screened".to_owned()
            }
            (Verdict::Refuse(Refusal::RoamingNotAllowed), _) => format!("no{}", decision.attempt),
            (Verdict::Refuse(refusal), _) => format!("{}{}", refusal.name(), decision.attempt),
            (_, Some(exit)) => format!("exit:{}", exit.name()),
            _ => steered.map_or("unsteered".to_owned(), |reason| reason.outcome.name().to_owned()),
        }
    }

    pub fn time(&self) -> Time {
        Time::from_ms(self.now.get())
    }
}

pub fn lines(mistakes: &[policy::Diagnostic]) -> Vec<String> {
    mistakes.iter().map(ToString::to_string).collect()
}
