//! The smallest stack that can take the walk, and two workers' worth of harness around it.
//!
//! A frame is ten octets: kind, what, and two numbers. `?` asks and `!` answers, with label and
//! check; what is `r` for register, `x` for unreadable and so on. `b`, `c`, `e` and `a` begin,
//! continue, end and stand alone: the numbers are those of the end it goes to and of the one it
//! comes from, 0 where there is none.

#![allow(dead_code, reason = "each test uses its part")]

use std::sync::Arc;

use procedure::{
    Access, Act, Code, Decision, Domain, Group, Layer, LinkId, Malformed, Member, Policy,
    Procedure, Record, Refusal, Rules, StackId, Symbol, Time, Verdict, WorkerId,
};
use relay::{
    AnyStack, Arrival, Board, ConnId, Effect, Effects, Exchange, Gateway, Keys, Link, LinkTimer,
    Onward, Output, Part, Passage, Post, Setup, Side, Stack,
};

pub(crate) const OCTETS: usize = 10;

pub(crate) struct Toy;

pub(crate) struct View<'a>(&'a [u8]);

fn number(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(bytes[at..at + 4].try_into().expect("four octets"))
}

pub(crate) fn frame(kind: u8, what: u8, label: u32, check: u32) -> Vec<u8> {
    let mut frame = vec![kind, what];
    frame.extend(label.to_be_bytes());
    frame.extend(check.to_be_bytes());
    frame
}

pub(crate) fn label(frame: &[u8]) -> u32 {
    number(frame, 2)
}

impl Stack for Toy {
    type View<'a> = View<'a>;
    const NAME: &'static str = "toy";
    const PPID: u32 = 0;
    const LAYER: Layer = Layer::Diameter;

    fn frame_octets(&self, bytes: &[u8]) -> Result<Option<usize>, Malformed> {
        match bytes.first() {
            Some(b'?' | b'!' | b'a' | b'b' | b'c' | b'e') => Ok(Some(OCTETS)),
            Some(_) => Err(malformed("kind")),
            None => Ok(None),
        }
    }

    fn link(&self, _: LinkId) -> Box<dyn Link> {
        Box::new(ToyLink::default())
    }

    fn view<'a>(&self, frame: &'a [u8]) -> Result<View<'a>, Malformed> {
        if frame[1] == b'x' { Err(malformed("what")) } else { Ok(View(frame)) }
    }

    fn correlate(&self, view: &View<'_>) -> Exchange {
        let (label, check) = (number(view.0, 2), u64::from(number(view.0, 6)));
        let part = match view.0[0] {
            b'b' => Some(Part::Opens),
            b'c' => Some(Part::Continues),
            b'e' => Some(Part::Ends),
            b'a' => Some(Part::Alone),
            _ => None,
        };
        if let Some(part) = part {
            // Spread over the shards as the hashes of a real stack are.
            let key =
                |number: u64| (number > 0).then(|| number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
            return Exchange::Passes {
                part,
                keys: Keys { to: key(label.into()), from: key(check) },
            };
        }
        if view.0[0] == b'?' {
            Exchange::Opens { label, check }
        } else {
            Exchange::Closes { label, check }
        }
    }

    fn describe<'v>(&self, view: &'v Self::View<'_>, arrival: &Arrival) -> Procedure<'v> {
        let passes = !matches!(view.0[0], b'?' | b'!');
        Procedure {
            // Askers' numbers are small.
            led: passes.then_some(Symbol(u32::from((1..20).contains(&number(view.0, 2))))),
            act: if view.0[1] == b't' { Act::Transit } else { Act::Register },
            domain: Domain::Eps,
            access: Access::FourG,
            application: 1,
            operation: u32::from(view.0[1]),
            exchange: u64::from(number(view.0, 6)),
            looped: view.0[1] == b'l',
            spoofed: view.0[1] == b's',
            ..Procedure::unknown(arrival.stack, arrival.link, arrival.time)
        }
    }

    fn outcome(&self, view: &View<'_>) -> (Code, bool) {
        (Code::Base(u32::from(view.0[1])), view.0[1] == b'k')
    }

    fn rewrite(&self, view: &View<'_>, onward: &Onward, out: &mut Vec<u8>) {
        let (label, what) = match *onward {
            Onward::Request { label, resent, .. } => (label, if resent { b'T' } else { view.0[1] }),
            Onward::Pass { .. } => return out.extend(view.0),
            Onward::Answer { label } => (label, view.0[1]),
        };
        out.extend(frame(view.0[0], what, label, number(view.0, 6)));
    }

    fn answer(&self, view: &View<'_>, refusal: Refusal, out: &mut Vec<u8>) -> Code {
        let what = refusal.name().as_bytes()[0];
        if view.0[0] == b'a' {
            return Code::None;
        }
        out.extend(frame(b'!', what, number(view.0, 2), number(view.0, 6)));
        Code::Base(u32::from(what))
    }

    fn patience_ms(&self) -> u64 {
        9000
    }

    fn abandon(&self, view: &View<'_>, out: &mut Vec<u8>) -> Code {
        out.extend(frame(b'e', b'p', number(view.0, 6), 0));
        Code::Abort(1)
    }

    fn complain(&self, bytes: &[u8], _: &Malformed, out: &mut Vec<u8>) -> Code {
        out.extend(frame(b'!', b'm', number(bytes, 2), number(bytes, 6)));
        Code::Base(u32::from(b'm'))
    }
}

fn malformed(field: &'static str) -> Malformed {
    Malformed { layer: Layer::Diameter, field, offset: 0, why: "not of this toy", code: 0 }
}

/// Up as soon as it is connected; down after a frame `p`, and up again with the next one.
#[derive(Default)]
struct ToyLink {
    conn: Option<ConnId>,
    is_paused: bool,
}

impl Link for ToyLink {
    fn start(&mut self, _: Time, _: &mut Effects<'_>) {}

    fn opened(&mut self, _: Time, conn: ConnId, _: Side, fx: &mut Effects<'_>) {
        self.conn = Some(conn);
        fx.list.push(Effect::Up { conn });
    }

    fn failed(&mut self, _: Time, _: &mut Effects<'_>) {}

    fn received(&mut self, _: Time, conn: ConnId, frame: &[u8], fx: &mut Effects<'_>) -> Passage {
        if frame[1] == b'p' {
            self.is_paused = true;
            fx.list.push(Effect::Down);
            return Passage::Base;
        }
        if std::mem::take(&mut self.is_paused) {
            fx.list.push(Effect::Up { conn });
        }
        Passage::Traffic
    }

    fn closed(&mut self, _: Time, _: ConnId, fx: &mut Effects<'_>) {
        self.conn = None;
        fx.list.push(Effect::Down);
    }

    fn expired(&mut self, _: Time, _: LinkTimer, _: &mut Effects<'_>) {}

    fn stop(&mut self, _: Time, fx: &mut Effects<'_>) {
        fx.list.extend(self.conn.take().map(|conn| Effect::Close { conn }));
    }

    fn state(&self) -> &'static str {
        if self.conn.is_some() { "open" } else { "closed" }
    }
}

/// Forwards everything to one group, except what steering refuses: operation `n`.
struct ToyRules(Group, Group);

impl Rules for ToyRules {
    fn decide(&self, _: Time, procedure: &Procedure<'_>) -> Decision {
        let mut decision = Decision::forward(Some(Symbol(0)));
        match u8::try_from(procedure.operation).unwrap_or(0) {
            b'n' => decision.verdict = Verdict::Refuse(Refusal::RoamingNotAllowed),
            b'd' => decision.verdict = Verdict::Delay { wait_ms: 500, group: Some(Symbol(0)) },
            _ => {}
        }
        decision
    }

    fn learn(&self, _: &Record) {}

    fn group(&self, name: Symbol) -> Option<&Group> {
        Some(if name == Symbol(0) { &self.0 } else { &self.1 })
    }
}

struct ToyPolicy(Arc<ToyRules>);

impl Policy for ToyPolicy {
    fn rules(&self) -> Arc<dyn Rules> {
        Arc::<ToyRules>::clone(&self.0)
    }

    fn version(&self) -> u64 {
        1
    }
}

/// Some workers, their posts carried at once, their outboxes kept.
pub(crate) struct Harness {
    pub(crate) now: Time,
    pub(crate) gateways: Vec<Gateway>,
    pub(crate) board: Arc<Board>,
    pub(crate) conns: Vec<Option<ConnId>>,
    pub(crate) records: Vec<Record>,
    /// Posts to this worker lie where they are until it is `None` again.
    pub(crate) held: Option<WorkerId>,
}

impl Harness {
    /// `links` links; those in `homes` make up the one group, by priority.
    pub(crate) fn new(workers: u8, links: u32, homes: &[(u32, u16)]) -> Self {
        let member = |&(link, priority)| Member { link: LinkId(link), priority, weight: 1 };
        let members = homes.iter().map(member).collect();
        let askers = Group { members: vec![member(&(0, 0))] };
        let policy = Arc::new(ToyPolicy(Arc::new(ToyRules(Group { members }, askers))));
        let board = Arc::new(Board::new(links as usize));
        let gateway = |worker| {
            let stacks: Vec<Box<dyn AnyStack>> = vec![Box::new(Toy)];
            Gateway::new(Setup {
                worker: WorkerId(worker),
                workers,
                stacks,
                links: vec![StackId(0); links as usize],
                policy: Arc::<ToyPolicy>::clone(&policy),
                board: Arc::clone(&board),
                request_timeout_ms: 4000,
                seed: 1,
            })
        };
        let gateways = (0..workers).map(gateway).collect();
        let conns = vec![None; links as usize];
        Self { now: Time::default(), gateways, board, conns, records: Vec::new(), held: None }
    }

    pub(crate) fn owner(&mut self, link: u32) -> &mut Gateway {
        let workers = self.gateways.len();
        &mut self.gateways[link as usize % workers]
    }

    pub(crate) fn open(&mut self, link: u32) {
        let now = self.now;
        let conn = self.owner(link).opened(now, LinkId(link), Side::Responder);
        self.conns[link as usize] = conn;
        self.settle();
    }

    pub(crate) fn kill(&mut self, link: u32) {
        let (now, conn) = (self.now, self.conns[link as usize].take().expect("open"));
        self.owner(link).closed(now, conn, "");
        self.settle();
    }

    pub(crate) fn receive(&mut self, link: u32, bytes: &[u8]) -> usize {
        let (now, conn) = (self.now, self.conns[link as usize].expect("open"));
        let consumed = self.owner(link).received(now, conn, bytes);
        self.settle();
        consumed
    }

    /// Everything that waits to leave over a link, frame by frame.
    pub(crate) fn sent(&mut self, link: u32) -> Vec<Vec<u8>> {
        let conn = self.conns[link as usize].expect("open");
        let gateway = self.owner(link);
        let bytes = gateway.outbox(conn).to_vec();
        gateway.sent(conn, bytes.len());
        bytes.chunks(OCTETS).map(<[u8]>::to_vec).collect()
    }

    pub(crate) fn pass_ms(&mut self, ms: u64) {
        self.now = self.now.plus_ms(ms);
        let now = self.now;
        for gateway in &mut self.gateways {
            gateway.expire(now);
        }
        self.settle();
    }

    /// Carries what was held.
    pub(crate) fn release(&mut self) {
        let Some(to) = self.held.take() else { return };
        for index in 0..self.gateways.len() {
            self.carry(index, to);
        }
        self.settle();
    }

    fn carry(&mut self, from: usize, to: WorkerId) {
        let post = self.gateways[from].take_post(to, Post::default());
        self.gateways[usize::from(to.0)].posted(self.now, &post);
    }

    fn settle(&mut self) {
        let mut moved = true;
        while std::mem::take(&mut moved) {
            for index in 0..self.gateways.len() {
                while let Some(output) = self.gateways[index].poll() {
                    moved = true;
                    match output {
                        Output::Post(to) if self.held == Some(to) => {}
                        Output::Post(to) => self.carry(index, to),
                        Output::Close(conn) => self.gateways[index].closed(self.now, conn, ""),
                        Output::Connect(_) | Output::Write(_) | Output::Note { .. } => {}
                    }
                }
                self.records.append(self.gateways[index].records());
            }
        }
    }
}
