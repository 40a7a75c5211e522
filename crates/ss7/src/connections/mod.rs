//! **connections**: sections coupled by local references. Each end numbers the connection for its own
//! section, and so do we for both; a message finds the other section by the number that its sender
//! knows us by, and only from where that section leads.
//!
//! | comes | from whom it may | does |
//! |---|---|---|
//! | CR | anybody who is routed | opens; T(conn est) |
//! | CC | the other end, once | numbers its end; T(iar) |
//! | CREF | the other end instead of CC | ends |
//! | DT1, DT2, AK, ED, EA, RSR, RSC, IT | either end | passes; T(iar) again |
//! | RLSD, ERR | either end | passes; over soon |
//! | RLC | either end | passes, ends |
//!
//! What names no connection of its sender is answered where the standard has an answer; where the
//! other end cannot be reached, the sender is told that the connection is over.
//= Q.714 §3.1
//= Q.714 §3.3

mod table;

use std::sync::{Mutex, MutexGuard, PoisonError};

use procedure::{Code, Refusal, Symbol, Time};

pub use table::{CONNECTIONS_MAX, SERVER_CONNECTIONS_MAX};
pub(crate) use table::{End, Place, Side, reference};

use crate::route::Route;
use crate::view::View;
use crate::view::m3ua::PointCode;
use crate::view::sccp::connection::{self, Connection, Reference};
use crate::view::sccp::{cause, kind};
use table::{Connections, Open};

/// How long a request may be without an answer: T(conn est), 1 to 2 minutes.
//= Q.714 §C.4
const ESTABLISH_MS: u64 = 120_000;
/// How long nothing may be heard of a connection: T(iar), 11 to 21 minutes.
//= Q.714 §C.4
const INACTIVITY_MS: u64 = 21 * 60_000;
/// How long an end that was told that it is over may take to say so too: T(int).
//= Q.714 §C.4
const RELEASE_MS: u64 = 60_000;

/// Why a connection is released.
//= Q.713 §3.11
mod release {
    pub(super) const MTP_FAILURE: u8 = 10;
    pub(super) const NETWORK_CONGESTION: u8 = 11;
}

/// What is wrong with a reference.
//= Q.713 §3.14
mod error {
    pub(super) const UNASSIGNED: u8 = 0;
    pub(super) const INCONSISTENT_SOURCE: u8 = 1;
    pub(super) const POINT_CODE: u8 = 2;
}

/// Why a connection is refused, by why a message would be given back.
//= Q.713 §3.15
const fn refusal_cause(cause: u8) -> u8 {
    match cause {
        cause::NO_TRANSLATION_FOR_NATURE => 18,
        cause::NO_TRANSLATION => 4,
        cause::SUBSYSTEM_CONGESTION => 11,
        cause::SUBSYSTEM_FAILURE => 10,
        cause::UNEQUIPPED => 19,
        cause::NETWORK_FAILURE => 5,
        cause::NETWORK_CONGESTION => 7,
        cause::HOP_COUNTER => 16,
        _ => 15,
    }
}

/// What a message is to the connections through us.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum Coupled {
    /// It is none of theirs.
    #[default]
    No,
    /// It goes on to the other end.
    Onward {
        place: Place,
        /// How the other end numbers the connection; not known to who asks for it.
        to: Option<Reference>,
        /// How we do toward it.
        from: Reference,
        /// How its sender does.
        back: Option<Reference>,
    },
    /// It names no connection of its sender.
    Stray {
        /// Because of this.
        cause: u8,
    },
}

/// Where a message came from and to which of our point codes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin {
    pub(crate) server: Option<Symbol>,
    pub(crate) code: PointCode,
    pub(crate) own: PointCode,
}

/// The connections of all workers.
#[derive(Debug)]
pub(crate) struct Couplings {
    table: Mutex<Connections>,
}

impl Couplings {
    pub(crate) const fn new(secret: u64) -> Self {
        Self { table: Mutex::new(Connections::new(secret)) }
    }

    fn lock(&self) -> MutexGuard<'_, Connections> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A request that `route` leads somewhere opens a connection.
    pub(crate) fn open(
        &self,
        now: Time,
        request: &Connection<'_>,
        from: Origin,
        route: Route,
    ) -> (Route, Coupled) {
        let (Some(server), Some(to), Some((own, code))) = (from.server, route.server, route.label)
        else {
            return (Route { server: None, ..route }, Coupled::No);
        };
        let opener = End { server, code: from.code, own: from.own, reference: request.from };
        let other = End { server: to, code, own, reference: None };
        let deadline = now.plus_ms(ESTABLISH_MS);
        match self.lock().open(now, [opener, other], deadline) {
            Some(place) => {
                let from = reference(place, Side::Other);
                (route, Coupled::Onward { place, to: None, from, back: request.from })
            }
            None => (Route::nowhere(cause::NETWORK_CONGESTION), Coupled::No),
        }
    }

    /// A message of a connection that there should be.
    pub(crate) fn pass(
        &self,
        now: Time,
        message: &Connection<'_>,
        from: Origin,
    ) -> (Route, Coupled) {
        let stray = |cause| (Route::nowhere(cause::UNQUALIFIED), Coupled::Stray { cause });
        let mut table = self.lock();
        let named = message.to.and_then(|to| table.find(now, to));
        let Some((place, side)) = named else { return stray(error::UNASSIGNED) };
        let Some(open) = table.get(place) else { return stray(error::UNASSIGNED) };
        let sender = *open.end(side);
        if from.server != Some(sender.server) || from.code != sender.code {
            return stray(error::POINT_CODE);
        }
        if let Err(cause) = may(message, side, open) {
            return stray(cause);
        }
        let back = sender.reference.or(message.from);
        if let (kind::CC, Some(reference)) = (message.kind, message.from) {
            open.bind(reference);
        }
        open.releases |= matches!(message.kind, kind::RLSD | kind::ERR);
        let wait_ms = if open.releases { RELEASE_MS } else { INACTIVITY_MS };
        let deadline = now.plus_ms(wait_ms);
        // Once it is over no end keeps it open by talking on.
        let is_over = open.releases && open.deadline < deadline;
        open.deadline = if is_over { open.deadline } else { deadline };
        let receiver = *open.end(side.across());
        if matches!(message.kind, kind::RLC | kind::CREF) {
            table.close(place);
        }
        let route = Route {
            server: Some(receiver.server),
            label: Some((receiver.own, receiver.code)),
            ..Route::nowhere(cause::NETWORK_FAILURE)
        };
        let from = reference(place, side.across());
        (route, Coupled::Onward { place, to: receiver.reference, from, back })
    }

    /// Appends what the sender of a message that does not go on is told.
    //= Q.714 §3.3
    pub(crate) fn answer(
        &self,
        view: &View<'_>,
        cause: u8,
        refusal: Refusal,
        out: &mut Vec<u8>,
    ) -> Code {
        let Some(message) = &view.connection else { return Code::None };
        let coupled = view.coupled.get();
        if let Coupled::Onward { place, .. } = coupled {
            self.lock().close(place);
        }
        let is_congested = refusal == Refusal::Congestion;
        match (message.kind, coupled, message.from, message.to) {
            (kind::CR, _, Some(from), _) => {
                let cause = match refusal {
                    Refusal::Congestion => cause::NETWORK_CONGESTION,
                    Refusal::Unroutable | Refusal::Loop => cause,
                    _ => cause::UNQUALIFIED,
                };
                let cause = refusal_cause(cause);
                connection::refuse(from, cause, out);
                Code::Returned(u32::from(cause))
            }
            (kind::RLC | kind::CREF | kind::ERR, ..) | (_, Coupled::No, ..) => Code::None,
            (kind::RLSD, _, Some(from), Some(to)) => {
                connection::released(from, to, out);
                Code::None
            }
            (_, Coupled::Onward { back: Some(back), .. }, _, Some(to)) => {
                let congestion = release::NETWORK_CONGESTION;
                let cause = if is_congested { congestion } else { release::MTP_FAILURE };
                connection::release(back, to, cause, out);
                Code::None
            }
            (_, Coupled::Stray { cause }, Some(from), _) => {
                connection::error(from, cause, out);
                Code::None
            }
            _ => Code::None,
        }
    }
}

/// Whether an end may say this of an open connection.
fn may(message: &Connection<'_>, side: Side, open: &Open) -> Result<(), u8> {
    let answers = matches!(message.kind, kind::CC | kind::CREF);
    if answers && side == Side::Opener {
        return Err(error::UNASSIGNED);
    }
    let is_known = |known: Reference| message.from.is_none_or(|from| from == known);
    match (open.end(Side::Other).reference, open.end(side).reference) {
        // Nothing else is said before that.
        (None, _) if answers || (message.kind == kind::ERR && side == Side::Other) => Ok(()),
        (None, _) => Err(error::UNASSIGNED),
        (Some(_), _) if message.kind == kind::CREF => Err(error::UNASSIGNED),
        (Some(_), Some(known)) if is_known(known) => Ok(()),
        (Some(_), _) => Err(error::INCONSISTENT_SOURCE),
    }
}
