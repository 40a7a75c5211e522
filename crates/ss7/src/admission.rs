//! Who may come in: a configured peer, from where it may come; where several come from the same
//! address, by what it calls itself.

use std::net::IpAddr;
use std::sync::Arc;

use procedure::LinkId;
use relay::{Admission, Caller, Hello, Stack};

use crate::Ss7;
use crate::config::{LinkConfig, Role};
use crate::link::{State, frames};
use crate::view::m3ua::{FRAME_OCTETS_MAX, Kind, Message, error, frame_octets, tag};

/// Asked by every listener, changed by nobody.
#[derive(Debug)]
pub(crate) struct Doorkeeper {
    state: Arc<State>,
}

impl Doorkeeper {
    /// For the links that `state` was made with.
    #[must_use]
    pub(crate) const fn new(state: Arc<State>) -> Self {
        Self { state }
    }

    /// The links whose peer dials and may come from here.
    fn from(&self, source: IpAddr) -> impl Iterator<Item = (LinkId, &LinkConfig)> {
        let source = source.to_canonical();
        let links = self.state.scope.links.iter().enumerate();
        links.filter_map(move |(index, link)| {
            let link = link.as_ref().filter(|link| !link.connects)?;
            let is_known = link.addresses.iter().any(|known| known.to_canonical() == source);
            is_known.then_some((LinkId(u32::try_from(index).ok()?), link))
        })
    }
}

/// Whether the peer speaks first, with an ASPUP.
const fn speaks(role: Role) -> bool {
    !matches!(role, Role::Asp | Role::IpspSingle { leads: true })
}

impl Admission for Doorkeeper {
    fn expects(&self, source: IpAddr) -> bool {
        self.from(source).next().is_some()
    }

    fn ppid(&self) -> u32 {
        <Ss7 as Stack>::PPID
    }

    /// One address, one link: it is that link's from the start, and its machine judges what comes.
    //= RFC 4666 §4.3.4.1
    fn hello(&self, first: &[u8], caller: &Caller<'_>) -> Hello {
        let mut links = self.from(caller.source);
        let refuse = |code: Option<u32>, field, why| Hello::Refused {
            reply: code.map(|code| frames::error(code, &[], first)).unwrap_or_default(),
            field,
            why,
        };
        let Some((only, _)) = links.next() else {
            return refuse(None, "", "nobody that we know comes from this address");
        };
        if links.next().is_none() {
            return Hello::Admitted(only);
        }
        let length = match frame_octets(first) {
            Ok(Some(length)) => length,
            Ok(None) => return Hello::Incomplete,
            Err(wrong) => return refuse(Some(wrong.code), wrong.field, wrong.why),
        };
        let Some(frame) = first.get(..length) else {
            debug_assert!(length <= FRAME_OCTETS_MAX);
            return Hello::Incomplete;
        };
        let message = match Message::new(frame) {
            Ok(message) if message.kind() == Kind::ASP_UP => message,
            Ok(message) if message.kind() == Kind::ERROR => {
                return refuse(None, "Message Type", "the first message is not ASPUP");
            }
            Ok(_) => {
                let why = "the first message is not ASPUP";
                return refuse(Some(error::REFUSED), "Message Type", why);
            }
            Err(wrong) => return refuse(Some(wrong.code), wrong.field, wrong.why),
        };
        let Some(says) = message.find(tag::ASP_IDENTIFIER).and_then(|says| says.number()) else {
            let why = "is missing, and several peers come from this address";
            return refuse(Some(error::IDENTIFIER_REQUIRED), "ASP Identifier", why);
        };
        let mut its = self.from(caller.source).filter(|(_, link)| speaks(link.role));
        match its.find(|(_, link)| link.asp_identifier == Some(says)) {
            Some((link, _)) => Hello::Admitted(link),
            None => {
                let why = "is nobody's that comes from this address";
                refuse(Some(error::INVALID_IDENTIFIER), "ASP Identifier", why)
            }
        }
    }
}

#[cfg(test)]
mod tests;
