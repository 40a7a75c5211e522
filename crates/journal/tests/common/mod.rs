//! Names and records for tests and benches.
#![allow(dead_code, unreachable_pub, missing_docs, reason = "each test uses its own part")]

use std::sync::Arc;

use journal::Names;
use procedure::{
    Access, Act, Because, Code, Domain, Exit, Finish, LinkId, Outcome, Plmn, Provenance, Record,
    Refusal, StackId, Stage, Symbols, Time, WorkerId,
};

pub const EPOCH_US: u64 = 1_700_000_000_000_000;
pub const IMSI: &str = "214070123456789";

/// A small world: two links, a growing table of symbols, S6a.
pub struct World {
    pub symbols: Symbols,
    spain: Arc<str>,
    britain: Arc<str>,
}

impl Default for World {
    fn default() -> Self {
        Self { symbols: Symbols::default(), spain: "ES".into(), britain: "GB".into() }
    }
}

impl World {
    pub fn shared() -> (Arc<dyn Names>, Symbols) {
        let world = Self::default();
        let symbols = world.symbols.clone();
        (Arc::new(world), symbols)
    }
}

impl Names for World {
    fn links(&self) -> Vec<Arc<str>> {
        vec!["mme \"one\"".into(), "hss-2".into()]
    }

    fn symbols(&self) -> Vec<Arc<str>> {
        self.symbols.names()
    }

    fn stack(&self, _: StackId) -> &str {
        "diameter"
    }

    fn operation(
        &self,
        application: u32,
        operation: u32,
    ) -> (Option<&'static str>, Option<&'static str>) {
        let application = (application == 16_777_251).then_some("s6a");
        let operation = match operation {
            316 => Some("ulr"),
            318 => Some("air"),
            _ => None,
        };
        (application, application.and(operation))
    }

    fn country(&self, plmn: Plmn) -> Option<Arc<str>> {
        match plmn.mcc() {
            214 => Some(Arc::clone(&self.spain)),
            234 => Some(Arc::clone(&self.britain)),
            _ => None,
        }
    }
}

/// An answered S6a ULR.
pub fn answered(symbols: &Symbols) -> Record {
    let mut because = Because::default();
    because.push(Stage::Steer, symbols.intern("plan-gb"), Outcome::Preferred);
    because.push(Stage::Route, symbols.intern("home"), Outcome::To(symbols.intern("hss")));
    Record {
        opened: Time(1_500_000),
        closed: Time(4_000_000),
        stack: StackId(0),
        worker: WorkerId(1),
        from: LinkId(0),
        to: Some(LinkId(1)),
        sends: 1,
        application: 16_777_251,
        operation: 316,
        act: Act::Register,
        domain: Domain::Eps,
        access: Access::FourG,
        repeat: false,
        imsi: IMSI.parse().ok(),
        customer: Some(symbols.intern("acme")),
        home: "21407".parse().ok(),
        visited: "23410".parse().ok(),
        preferred: Some(true),
        finish: Finish::Answered,
        code: Code::Base(2001),
        success: true,
        provenance: Provenance::None,
        attempt: 0,
        exit: None,
        because,
        frames: 2,
        request_octets: 400,
        answer_octets: 200,
        exchange: 0xabc,
    }
}

/// The same, refused by steering.
pub fn refused(symbols: &Symbols, attempt: u8) -> Record {
    let mut because = Because::default();
    let refusal = Refusal::RoamingNotAllowed;
    because.push(Stage::Steer, symbols.intern("plan-gb"), Outcome::Refuse(refusal));
    Record {
        to: None,
        sends: 0,
        preferred: Some(false),
        finish: Finish::Refused,
        code: Code::Experimental { vendor: 10_415, code: 5004 },
        success: false,
        provenance: Provenance::Steering,
        attempt,
        because,
        ..answered(symbols)
    }
}

/// The same, let pass by exit control.
pub fn exited(symbols: &Symbols) -> Record {
    let mut because = Because::default();
    let plan = symbols.intern("plan-gb");
    because.push(Stage::Steer, plan, Outcome::Learned { moved_pct: 40 });
    because.push(Stage::Steer, plan, Outcome::Exit(Exit::Attempts));
    Record { preferred: Some(false), exit: Some(Exit::Attempts), because, ..answered(symbols) }
}
