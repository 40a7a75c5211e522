//! The smallest protocol that has a length, a greeting and a destination.
//!
//! A frame: length (4, of all), kind (`H` hello, `?` request, `!` answer, `B` bye), link (1: in a
//! hello the sender's own, in a request the one asked), label (4), check (8), payload.

use std::net::IpAddr;
use std::sync::Arc;

use procedure::{
    Code, Decision, Group, Layer, LinkId, Malformed, Policy, Procedure, Record, Refusal, Rules,
    Time,
};
use relay::{
    Admission, Arrival, Caller, ConnId, Effect, Effects, Exchange, Hello, Link, LinkTimer, Onward,
    Passage, Side, Stack,
};

pub(crate) const HEAD: usize = 18;
const FRAME_MAX: usize = 64 << 10;
const RECONNECT_MS: u64 = 50;
/// What a refused caller is told.
pub(crate) const NO: &[u8] = b"you are not known here";

/// One frame.
pub(crate) fn frame(kind: u8, link: u8, label: u32, check: u64, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut out, kind, link, label, check, payload);
    out
}

fn write(out: &mut Vec<u8>, kind: u8, link: u8, label: u32, check: u64, payload: &[u8]) {
    out.extend_from_slice(&((HEAD + payload.len()) as u32).to_be_bytes());
    out.extend_from_slice(&[kind, link]);
    out.extend_from_slice(&label.to_be_bytes());
    out.extend_from_slice(&check.to_be_bytes());
    out.extend_from_slice(payload);
}

pub(crate) fn length(bytes: &[u8]) -> usize {
    u32::from_be_bytes(bytes[..4].try_into().expect("four")) as usize
}

pub(crate) fn label(frame: &[u8]) -> u32 {
    u32::from_be_bytes(frame[6..10].try_into().expect("four"))
}

pub(crate) fn check(frame: &[u8]) -> u64 {
    u64::from_be_bytes(frame[10..18].try_into().expect("eight"))
}

fn malformed(why: &'static str) -> Malformed {
    Malformed { layer: Layer::Diameter, field: "toy", offset: 0, why, code: 0 }
}

pub(crate) struct View<'a>(&'a [u8]);

/// The stack; by link whether we connect.
#[derive(Clone)]
pub(crate) struct Toy(pub(crate) Arc<Vec<bool>>);

impl Stack for Toy {
    type View<'a> = View<'a>;
    const NAME: &'static str = "toy";
    const PPID: u32 = 0;
    const LAYER: Layer = Layer::Diameter;

    fn frame_octets(&self, bytes: &[u8]) -> Result<Option<usize>, Malformed> {
        if bytes.len() < 4 {
            return Ok(None);
        }
        match length(bytes) {
            octets if !(HEAD..=FRAME_MAX).contains(&octets) => Err(malformed("length")),
            octets => Ok(Some(octets)),
        }
    }

    fn link(&self, link: LinkId) -> Box<dyn Link> {
        let dials = self.0[link.0 as usize];
        Box::new(ToyLink { own: link.0 as u8, dials, conn: None, up: false, stopping: false })
    }

    fn view<'a>(&self, frame: &'a [u8]) -> Result<View<'a>, Malformed> {
        Ok(View(frame))
    }

    fn correlate(&self, view: &View<'_>) -> Exchange {
        let (label, check) = (label(view.0), check(view.0));
        if view.0[4] == b'?' {
            Exchange::Opens { label, check }
        } else {
            Exchange::Closes { label, check }
        }
    }

    fn describe<'v>(&self, view: &'v Self::View<'_>, arrival: &Arrival) -> Procedure<'v> {
        Procedure {
            named: Some(LinkId(u32::from(view.0[5]))),
            exchange: check(view.0),
            ..Procedure::unknown(arrival.stack, arrival.link, arrival.time)
        }
    }

    fn outcome(&self, _: &View<'_>) -> (Code, bool) {
        (Code::Base(0), true)
    }

    fn rewrite(&self, view: &View<'_>, onward: &Onward, out: &mut Vec<u8>) {
        let label = match *onward {
            Onward::Request { label, .. } | Onward::Answer { label } => label,
            Onward::Pass { .. } => unreachable!("it numbers its own exchanges"),
        };
        write(out, view.0[4], view.0[5], label, check(view.0), &view.0[HEAD..]);
    }

    fn answer(&self, view: &View<'_>, refusal: Refusal, out: &mut Vec<u8>) -> Code {
        write(out, b'!', 255, label(view.0), check(view.0), refusal.name().as_bytes());
        Code::Base(1)
    }

    fn complain(&self, _: &[u8], _: &Malformed, _: &mut Vec<u8>) -> Code {
        Code::None
    }
}

struct ToyLink {
    own: u8,
    dials: bool,
    conn: Option<ConnId>,
    up: bool,
    stopping: bool,
}

impl ToyLink {
    fn again(&self, now: Time, fx: &mut Effects<'_>) {
        if self.dials && !self.stopping {
            let at = now.plus_ms(RECONNECT_MS);
            fx.list.push(Effect::Arm { timer: LinkTimer::Reconnect, at });
        }
    }
}

impl Link for ToyLink {
    fn start(&mut self, _: Time, fx: &mut Effects<'_>) {
        if self.dials {
            fx.list.push(Effect::Connect);
        }
    }

    fn opened(&mut self, _: Time, conn: ConnId, side: Side, fx: &mut Effects<'_>) {
        if self.conn.is_some() {
            fx.list.push(Effect::Close { conn });
            return;
        }
        self.conn = Some(conn);
        if side == Side::Initiator {
            fx.list.push(Effect::Send { conn, frame: frame(b'H', self.own, 0, 0, &[]) });
        }
    }

    fn failed(&mut self, now: Time, fx: &mut Effects<'_>) {
        self.again(now, fx);
    }

    fn received(&mut self, _: Time, conn: ConnId, got: &[u8], fx: &mut Effects<'_>) -> Passage {
        match (got[4], self.up) {
            (b'H', false) => {
                self.up = true;
                if !self.dials {
                    fx.list.push(Effect::Send { conn, frame: frame(b'H', self.own, 0, 0, &[]) });
                }
                fx.list.push(Effect::Up { conn });
                Passage::Base
            }
            (b'?' | b'!', true) => Passage::Traffic,
            _ => Passage::Premature,
        }
    }

    fn closed(&mut self, now: Time, conn: ConnId, fx: &mut Effects<'_>) {
        if self.conn == Some(conn) {
            (self.conn, self.up) = (None, false);
            fx.list.push(Effect::Down);
            self.again(now, fx);
        }
    }

    fn expired(&mut self, _: Time, _: LinkTimer, fx: &mut Effects<'_>) {
        fx.list.push(Effect::Connect);
    }

    fn stop(&mut self, _: Time, fx: &mut Effects<'_>) {
        self.stopping = true;
        if let Some(conn) = self.conn.take() {
            fx.list.push(Effect::Send { conn, frame: frame(b'B', self.own, 0, 0, &[]) });
            fx.list.push(Effect::Close { conn });
            fx.list.push(Effect::Down);
        }
    }

    fn state(&self) -> &'static str {
        if self.up { "up" } else { "down" }
    }
}

/// Lets everything go where it is addressed to.
pub(crate) struct Anything;

impl Rules for Anything {
    fn decide(&self, _: Time, _: &Procedure<'_>) -> Decision {
        Decision::forward(None)
    }

    fn learn(&self, _: &Record) {}

    fn group(&self, _: procedure::Symbol) -> Option<&Group> {
        None
    }
}

impl Policy for Anything {
    fn rules(&self) -> Arc<dyn Rules> {
        Arc::new(Self)
    }

    fn version(&self) -> u64 {
        0
    }
}

/// Knows `links` links; where TLS is spoken, link `i` has to own the name `linkI.lab`.
pub(crate) struct Doorkeeper {
    pub(crate) links: u8,
    pub(crate) expected: fn(IpAddr) -> bool,
}

impl Admission for Doorkeeper {
    fn expects(&self, source: IpAddr) -> bool {
        (self.expected)(source)
    }

    fn ppid(&self) -> u32 {
        <Toy as Stack>::PPID
    }

    fn hello(&self, first: &[u8], caller: &Caller<'_>) -> Hello {
        if first.len() < HEAD {
            return Hello::Incomplete;
        }
        let link = first[5];
        let name = format!("link{link}.lab");
        let owns = |names: &[String]| names.contains(&name);
        let refused = |why| Hello::Refused { reply: NO.to_vec(), field: "", why };
        if first[4] != b'H' || link >= self.links {
            refused("stranger")
        } else if !caller.certificate.is_none_or(owns) {
            refused("another's certificate")
        } else {
            Hello::Admitted(LinkId(u32::from(link)))
        }
    }
}
