//! What must hold of the whole walk, whatever two introduced peers say and however it is cut.
//!
//! The input is a script: a step's octet, a length of two octets, and so many octets that arrive.
//! The step says from whom (bit 0), and how much time passes before (bits 1 to 6).

use procedure::{LinkId, Time};
use relay::{ConnId, Gateway, Output};
use sim::diameter::parse;
use tests::desk::{self, Desk, Peer, Settings};

pub(crate) const MME: &str = "mme1.visited.lab";
pub(crate) const HSS: &str = "hss1.home.lab";
const TIMEOUT_MS: u64 = 1_000;

struct Play {
    gateway: Gateway,
    now: Time,
    conns: [ConnId; 2],
    open: [bool; 2],
    tails: [Vec<u8>; 2],
    out: [Vec<u8>; 2],
}

pub(crate) fn hold(script: &[u8]) {
    let mut play = Play::new();
    let mut rest = script;
    while let [step, a, b, tail @ ..] = rest {
        let octets = usize::from(u16::from_be_bytes([*a, *b])).min(tail.len());
        let (chunk, after) = tail.split_at(octets);
        rest = after;
        play.pass(u64::from(step >> 1 & 0x3f) * 20);
        play.say(usize::from(step & 1), chunk);
    }
    play.end();
}

impl Play {
    fn new() -> Self {
        let peers = [MME, HSS].map(Peer::new);
        let settings = Settings { workers: 1, request_timeout_ms: TIMEOUT_MS, seed: 1 };
        let mut gateway = Desk::new(&peers, settings).gateways.remove(0);
        let now = Time::from_ms(1);
        let introduce =
            |at: u32| desk::introduce(&mut gateway, now, LinkId(at), &peers[at as usize]);
        let conns = [0, 1].map(introduce);
        let (open, tails, out) = ([true; 2], [vec![], vec![]], [vec![], vec![]]);
        Self { gateway, now, conns, open, tails, out }
    }

    fn say(&mut self, peer: usize, chunk: &[u8]) {
        if !self.open[peer] {
            return;
        }
        self.tails[peer].extend_from_slice(chunk);
        let mut tail = std::mem::take(&mut self.tails[peer]);
        let taken = self.gateway.received(self.now, self.conns[peer], &tail);
        assert!(taken <= tail.len());
        self.tails[peer] = tail.split_off(taken);
        self.settle();
    }

    fn pass(&mut self, wait_ms: u64) {
        let until = self.now.plus_ms(wait_ms);
        while let Some(deadline) = self.gateway.deadline().filter(|at| *at <= until) {
            self.now = self.now.max(deadline);
            self.gateway.expire(self.now);
            self.settle();
        }
        self.now = until;
    }

    fn settle(&mut self) {
        while let Some(output) = self.gateway.poll() {
            match output {
                Output::Write(conn) => self.take(conn),
                Output::Close(conn) => {
                    self.take(conn);
                    if let Some(peer) = self.peer(conn) {
                        self.open[peer] = false;
                    }
                    self.gateway.closed(self.now, conn, "");
                }
                _ => {}
            }
        }
        self.gateway.records().clear();
    }

    fn peer(&self, conn: ConnId) -> Option<usize> {
        (0..2).find(|peer| self.conns[*peer] == conn && self.open[*peer])
    }

    /// What leaves is whole messages.
    fn take(&mut self, conn: ConnId) {
        let octets = desk::written(&mut self.gateway, conn);
        let Some(peer) = self.peer(conn) else { return };
        let out = &mut self.out[peer];
        out.extend_from_slice(&octets);
        while let Some(length) = parse::frame_length(out).expect("framed") {
            let rest = out.split_off(length);
            parse::Message::parse(out).expect("a message");
            *out = rest;
        }
        assert!(out.is_empty(), "half a message: {out:02x?}");
    }

    /// When every deadline is over, nothing is left open.
    fn end(mut self) {
        self.pass(2 * TIMEOUT_MS);
        assert!(self.gateway.is_drained());
    }
}
