//! **view**: a message's fields by offset, nothing copied.
//!
//! - [`m3ua`] the M3UA message and its parameters; [`sccp`] unitdata messages, addresses and titles.
//! - [`tcap`] transactions, dialogue portions and components; [`ber`] the elements under them.

pub mod ber;
pub mod m3ua;
pub mod sccp;
pub mod tcap;

use std::cell::Cell;

use procedure::{Digits, Malformed};

use crate::connections::Coupled;
use crate::route::Route;
use m3ua::Data;
use sccp::address::ssn;
use sccp::connection::Connection;
use sccp::{Unitdata, is_connection};
use tcap::Transaction;

/// A DATA message as the stack sees it.
#[derive(Debug)]
pub struct View<'a> {
    /// M3UA.
    pub data: Data<'a>,
    /// SCCP, where it is a connectionless message.
    pub unit: Option<Unitdata<'a>>,
    /// TCAP, where it can be read.
    pub tcap: Option<Transaction<'a>>,
    /// It belongs to an SCCP connection.
    pub is_connection: bool,
    /// It does, and can be read.
    pub connection: Option<Connection<'a>>,
    /// The messages that it came in, one after the other, where these are several: `data` and `unit`
    /// are those of the first one, `tcap` is that of all.
    pub(crate) segments: Option<&'a [u8]>,
    /// The calling party's digits.
    pub(crate) calling: Ascii,
    /// The called party's.
    pub(crate) called: Ascii,
    /// Where it goes, once that was looked up.
    pub(crate) route: Cell<Option<Route>>,
    /// What it is to the connections through us, once that was looked up.
    pub(crate) coupled: Cell<Coupled>,
}

/// Digits as text, where they can be borrowed from.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ascii {
    octets: [u8; Digits::DIGITS_MAX],
    length: usize,
}

impl Ascii {
    fn of(address: &sccp::Address<'_>) -> Self {
        let mut this = Self::default();
        let digits = address.title.map_or(Digits::EMPTY, |title| title.digits());
        this.length = digits.write(&mut this.octets).len();
        this
    }

    pub(crate) fn octets(&self) -> &[u8] {
        self.octets.get(..self.length).unwrap_or_default()
    }
}

impl<'a> View<'a> {
    /// A message of which only M3UA is read.
    pub(crate) fn unread(data: Data<'a>) -> Self {
        Self {
            data,
            unit: None,
            tcap: None,
            is_connection: false,
            connection: None,
            coupled: Cell::default(),
            segments: None,
            calling: Ascii::default(),
            called: Ascii::default(),
            route: Cell::new(None),
        }
    }

    /// A complaint about the user's part as one about the message.
    pub(crate) fn inside(&self, malformed: Malformed) -> Malformed {
        let base = u32::try_from(self.data.user_offset()).unwrap_or(u32::MAX);
        Malformed { offset: malformed.offset.saturating_add(base), ..malformed }
    }

    /// Reads a whole DATA message.
    ///
    /// # Errors
    /// A layer that has to be read cannot be. What is no SCCP, and what subsystems that are not
    /// MAP's carry, need not be.
    #[inline]
    pub fn new(frame: &'a [u8], ansi: bool) -> Result<Self, Malformed> {
        let data = Data::new(frame)?;
        let base = data.user_offset();
        let mut view = Self::unread(data);
        if data.service != m3ua::SERVICE_SCCP {
            return Ok(view);
        }
        view.is_connection = data.user.first().is_some_and(|kind| is_connection(*kind));
        if view.is_connection {
            // What only passes by its point code need not be read.
            view.connection = Connection::new(data.user, ansi).ok();
            return Ok(view);
        }
        let unit = Unitdata::new(data.user, ansi).map_err(|wrong| view.inside(wrong))?;
        (view.calling, view.called) = (Ascii::of(&unit.calling), Ascii::of(&unit.called));
        let at = base + unit.data_offset();
        view.tcap = match unit.segment {
            Some(segment) if !segment.first => None,
            // What is given back may have been cut.
            _ if unit.is_service() => Transaction::part(unit.data, at).ok(),
            // It is read when all of it is there.
            Some(segment) if segment.remaining > 0 => None,
            _ => transaction(&unit, unit.data, at)?,
        };
        view.unit = Some(unit);
        Ok(view)
    }

    /// Reads the message whose segments are `frames`, each a whole DATA message. Its user's part is
    /// put together in `room`.
    ///
    /// # Errors
    /// As for one that is not segmented, in the places it would then have.
    //= Q.714 §4.1.1.2
    pub fn of_segments(
        frames: &'a [u8],
        room: &'a mut Vec<u8>,
        ansi: bool,
    ) -> Result<Self, Malformed> {
        room.clear();
        let mut first = None;
        for frame in m3ua::frames(frames) {
            let view = Self::new(frame, ansi)?;
            room.extend_from_slice(view.unit.map_or(&[][..], |unit| unit.data));
            first = first.or(Some(view));
        }
        let Some(mut whole) = first else { return Self::new(frames, ansi) };
        if let Some(unit) = &whole.unit {
            let at = whole.data.user_offset() + unit.data_offset();
            whole.tcap = transaction(unit, room, at)?;
        }
        whole.segments = Some(frames);
        Ok(whole)
    }
}

/// The transaction in a user's part that is all there.
fn transaction<'a>(
    unit: &Unitdata<'_>,
    data: &'a [u8],
    at: usize,
) -> Result<Option<Transaction<'a>>, Malformed> {
    if is_map(unit) {
        Transaction::new(data, at).map(Some)
    } else {
        Ok(Transaction::new(data, at).ok())
    }
}

/// Whether a message is to or from a subsystem that speaks MAP: then it has to be readable, or
/// what it asks could not be decided on.
fn is_map(unit: &Unitdata<'_>) -> bool {
    [unit.called.ssn, unit.calling.ssn].into_iter().flatten().any(|number| {
        matches!(
            number,
            ssn::HLR..=ssn::AUC | ssn::GMLC..=ssn::GSMSCF | ssn::SGSN | ssn::GGSN
        )
    })
}
