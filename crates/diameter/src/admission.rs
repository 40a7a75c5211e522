//! Who may come in: a configured peer, from where it may come, with the certificate it must hold.

use std::net::IpAddr;
use std::sync::Arc;

use procedure::Malformed;
use relay::{Admission, Caller, Hello, Stack};

use crate::Diameter;
use crate::config::{PeerConfig, Shared};
use crate::link::capabilities::{self, Capabilities};
use crate::view::{HEADER_OCTETS, complaint, frame_octets};

/// Octets of the longest CER: a stranger gets no more of our memory than this.
pub(crate) const HELLO_OCTETS_MAX: usize = 16_384;

/// Asked by every listener, changed by nobody.
#[derive(Debug)]
pub(crate) struct Doorkeeper {
    shared: Arc<Shared>,
}

impl Doorkeeper {
    pub(crate) const fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// The peer behind a CER.
    fn judge(&self, cer: &[u8], caller: &Caller<'_>) -> Result<Hello, Malformed> {
        let read = Capabilities::read(cer, &self.shared.limits())?;
        let Some(host) = read.origin_host else {
            return Err(complaint("Origin-Host", cer.len(), "is missing", 5005));
        };
        let mut why = ("is nobody's that we know", 3010);
        for peer in self.shared.named(host) {
            match admit(peer, caller) {
                Ok(()) => return Ok(Hello::Admitted(peer.link)),
                Err(reason) => why = reason,
            }
        }
        Err(complaint("Origin-Host", HEADER_OCTETS, why.0, why.1))
    }
}

/// Whether a caller with this peer's name may be this peer; why not, and the code for that.
//= RFC 6733 §5.3, §13.1
fn admit(peer: &PeerConfig, caller: &Caller<'_>) -> Result<(), (&'static str, u32)> {
    if !comes_from(peer, caller.source) {
        return Err(("is a peer's that does not come from this address", 3010));
    }
    let expected = peer.certificate_name.as_deref().unwrap_or(&peer.origin_host);
    match caller.certificate {
        None if peer.tls => Err(("is a peer's that comes only over TLS", 5017)),
        Some(names) if !names.iter().any(|name| name.eq_ignore_ascii_case(expected)) => {
            Err(("is not what the certificate says", 3010))
        }
        _ => Ok(()),
    }
}

fn comes_from(peer: &PeerConfig, source: IpAddr) -> bool {
    let source = source.to_canonical();
    peer.addresses.is_empty() || peer.addresses.iter().any(|known| known.to_canonical() == source)
}

impl Admission for Doorkeeper {
    fn expects(&self, source: IpAddr) -> bool {
        self.shared.config.peers.iter().any(|peer| comes_from(peer, source))
    }

    fn ppid(&self) -> u32 {
        <Diameter as Stack>::PPID
    }

    fn hello(&self, first: &[u8], caller: &Caller<'_>) -> Hello {
        let silent = |why| Hello::Refused { reply: Vec::new(), field: "", why };
        let limit = HELLO_OCTETS_MAX.min(self.shared.config.frame_octets_max);
        let length = match frame_octets(first, limit) {
            Ok(Some(length)) => length,
            Ok(None) => return Hello::Incomplete,
            //= RFC 6733 §7.1.5
            // Another version, or a length that cannot be: a CER is told so all the same.
            Err(malformed) if capabilities::is_request(first) => {
                let reply = capabilities::refuse(&self.shared, first, &malformed);
                return Hello::Refused { reply, field: malformed.field, why: malformed.why };
            }
            Err(malformed) => {
                let (field, why) = (malformed.field, malformed.why);
                return Hello::Refused { reply: Vec::new(), field, why };
            }
        };
        if first.len() >= 8 && !capabilities::is_request(first) {
            return silent("the first message is not a CER");
        }
        let Some(cer) = first.get(..length) else { return Hello::Incomplete };
        match self.judge(cer, caller) {
            Ok(hello) => hello,
            Err(malformed) => Hello::Refused {
                reply: capabilities::refuse(&self.shared, cer, &malformed),
                field: malformed.field,
                why: malformed.why,
            },
        }
    }
}

#[cfg(test)]
mod tests;
