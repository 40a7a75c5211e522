//! What an HSS says to a request: no sockets and no clock here.

use std::collections::HashMap;

use super::config::HssConfig;
use super::counters::Tally;
use crate::diameter::base;
use crate::diameter::parse::{Message, Outcome};
use crate::diameter::s6a::{self, Request, Tail};
use crate::diameter::{S6A, avp, command, result};
use crate::ids;

/// The fields of a request that decide its answer.
#[derive(Clone, Copy, Default)]
struct Seen<'a> {
    session: &'a [u8],
    origin_host: &'a [u8],
    origin_realm: &'a [u8],
    imsi: &'a [u8],
    visited: &'a [u8],
}

fn read<'a>(request: &Message<'a>) -> Seen<'a> {
    let mut seen = Seen::default();
    for found in request.avps().map_while(Result::ok) {
        match (found.vendor, found.code) {
            (0, avp::SESSION_ID) => seen.session = found.data,
            (0, avp::ORIGIN_HOST) => seen.origin_host = found.data,
            (0, avp::ORIGIN_REALM) => seen.origin_realm = found.data,
            (0, avp::USER_NAME) => seen.imsi = found.data,
            _ if found.is_3gpp(avp::VISITED_PLMN_ID) => seen.visited = found.data,
            _ => {}
        }
    }
    seen
}

struct Prepared {
    outcome: Outcome,
    tail: Tail,
}

/// The prepared answers of one HSS, and where its subscribers are.
pub(super) struct Desk {
    config: HssConfig,
    success: Prepared,
    ula: Prepared,
    aia: Prepared,
    unknown: Prepared,
    missing: Prepared,
    rejects: Vec<([u8; 3], Prepared)>,
    serving: HashMap<u64, (Vec<u8>, Vec<u8>)>,
    budget: Budget,
    next_request: u32,
}

impl Desk {
    pub(super) fn new(config: HssConfig) -> Self {
        let me = &config.identity;
        let plain = |outcome| Prepared { outcome, tail: Tail::plain(me, outcome) };
        let success = Outcome::Base(result::SUCCESS);
        Self {
            success: plain(success),
            ula: Prepared { outcome: success, tail: s6a::ula(me) },
            aia: Prepared { outcome: success, tail: s6a::aia(me) },
            unknown: plain(Outcome::Experimental(result::USER_UNKNOWN)),
            missing: plain(Outcome::Base(result::MISSING_AVP)),
            rejects: config
                .rejects
                .iter()
                .map(|(plmn, code)| (plmn.octets(), plain(Outcome::Experimental(*code))))
                .collect(),
            serving: HashMap::new(),
            budget: Budget::new(config.capacity),
            next_request: 0,
            config,
        }
    }

    /// Lets the capacity grow with time; call it before a batch. `elapsed` is seconds since then.
    pub(super) fn advance(&mut self, elapsed: f64) {
        self.budget.refill(elapsed);
    }

    /// Answers one request of an application, and counts it.
    pub(super) fn answer(&mut self, request: &Message<'_>, out: &mut Vec<u8>, tally: &mut Tally) {
        tally.request(request.command);
        let seen = read(request);
        if tally.recent.seen(seen.origin_host, request.end_to_end) {
            let count =
                if request.is_retransmit() { &mut tally.flagged } else { &mut tally.unflagged };
            *count += 1;
        }
        tally.retransmits += u64::from(request.is_retransmit());
        let known = matches!(
            request.command,
            command::UPDATE_LOCATION
                | command::AUTHENTICATION_INFORMATION
                | command::PURGE_UE
                | command::NOTIFY
        );
        let refusal = if request.application != S6A || !known {
            Some(result::COMMAND_UNSUPPORTED)
        } else if self.budget.take() {
            None
        } else {
            Some(result::TOO_BUSY)
        };
        if let Some(code) = refusal {
            tally.answer(Outcome::Base(code));
            return base::protocol_error(out, &self.config.identity, request, code);
        }
        let prepared = self.choose(request.command, &seen);
        tally.answer(prepared.outcome);
        prepared.tail.answer(out, request, seen.session);
        if prepared.outcome.is_success() {
            self.registered(request.command, &seen, out, tally);
        }
    }

    fn choose(&self, command: u32, seen: &Seen<'_>) -> &Prepared {
        if seen.session.is_empty() || seen.imsi.is_empty() {
            return &self.missing;
        }
        if !self.config.subscribers.know(seen.imsi) {
            return &self.unknown;
        }
        match command {
            command::UPDATE_LOCATION => {
                let reject = self.rejects.iter().find(|(plmn, _)| plmn == seen.visited);
                reject.map_or(&self.ula, |(_, prepared)| prepared)
            }
            command::AUTHENTICATION_INFORMATION => &self.aia,
            _ => &self.success,
        }
    }

    /// After a success: counts registrations and, where asked for, cancels at the node left behind.
    //= TS 29.272 §5.2.1.1.3
    // When another MME was registered, the HSS sends it a Cancel-Location-Request.
    fn registered(&mut self, command: u32, seen: &Seen<'_>, out: &mut Vec<u8>, tally: &mut Tally) {
        tally.registrations += u64::from(command == command::UPDATE_LOCATION);
        let Some(imsi) = ids::number(seen.imsi).filter(|_| self.config.cancel) else { return };
        if command == command::PURGE_UE {
            if self.serving.get(&imsi).is_some_and(|(host, _)| host == seen.origin_host) {
                self.serving.remove(&imsi);
            }
        } else if command == command::UPDATE_LOCATION {
            let node = (seen.origin_host.to_vec(), seen.origin_realm.to_vec());
            let left = self.serving.insert(imsi, node);
            if let Some((host, realm)) = left.filter(|(host, _)| host != seen.origin_host) {
                tally.cancels += 1;
                self.cancel(seen.imsi, &host, &realm, out);
            }
        }
    }

    fn cancel(&mut self, imsi: &[u8], host: &[u8], realm: &[u8], out: &mut Vec<u8>) {
        let utf8 = |bytes| std::str::from_utf8(bytes).unwrap_or_default();
        self.next_request = self.next_request.wrapping_add(1);
        let session = format!("{};1;{}", self.config.identity.host, self.next_request);
        let request = Request {
            me: &self.config.identity,
            session: &session,
            realm: utf8(realm),
            host: Some(utf8(host)),
            imsi: utf8(imsi),
            visited: [0; 3],
            rat: s6a::EUTRAN,
        };
        request.clr(out, (self.next_request, self.next_request));
    }
}

/// A token bucket of one second's capacity.
struct Budget {
    rate: Option<f64>,
    tokens: f64,
}

impl Budget {
    fn new(rate: Option<u32>) -> Self {
        Self { rate: rate.map(f64::from), tokens: 0.0 }
    }

    fn refill(&mut self, elapsed: f64) {
        if let Some(rate) = self.rate {
            // A tenth of a second may be saved up: a burst longer than that is over capacity.
            self.tokens = (self.tokens + rate * elapsed).min((rate / 10.0).max(1.0));
        }
    }

    fn take(&mut self) -> bool {
        if self.rate.is_none() {
            return true;
        }
        let enough = self.tokens >= 1.0;
        if enough {
            self.tokens -= 1.0;
        }
        enough
    }
}
