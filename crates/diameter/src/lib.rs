//! Diameter: the base protocol's links, and the five verbs over its messages.
//!
//! ```text
//!           link/            view/          correlate    describe/     rewrite | answer
//! bytes ─▷ CER DWR DPR ─▷ header, AVPs ─▷ R? Hop-by-Hop ─▷ s6a … ─▷ … patches | from scratch ─▷
//!           │    ▲            one pass      End-to-End     Transit
//!           ▼    │
//!         table.rs: (state, event) ─▷ (state, action)
//!
//! admission: who a caller is, from its CER, its address and its certificate
//! ```
//!
//! No dictionary: an application, a command or an AVP that is not known here passes byte for byte.
//!
//! | standard | here |
//! |---|---|
//! | RFC 6733 §2.1, §5.6 peers, elections | `link/`, `link/table.rs`, `link/election.rs` |
//! | RFC 6733 §3, §4 header, AVPs | `view/` |
//! | RFC 6733 §5.3 capabilities | `link/capabilities.rs`, `admission.rs` |
//! | RFC 6733 §5.4 parting | `link/disconnect.rs` |
//! | RFC 6733 §5.5, RFC 3539 §3.4 watchdog | `link/watchdog.rs` |
//! | RFC 6733 §6.1, §6.2 relaying | `correlate.rs`, `rewrite.rs` |
//! | RFC 6733 §7 errors | `answer.rs` |
//! | TS 29.272 S6a, S6d | `describe/s6a.rs`, `answer.rs` |
//! | TS 29.212 §5.3.31 RAT-Type | `describe/s6a.rs` |
//! | TS 29.2xx numbers and names | `vocabulary.rs` |

mod admission;
mod answer;
mod config;
mod correlate;
mod describe;
mod link;
mod rewrite;
pub mod view;
mod vocabulary;
mod write;

#[cfg(test)]
mod samples;

pub use answer::legal;
pub use config::{AVPS_MAX, Config, FRAME_OCTETS_CEILING, FRAME_OCTETS_MAX, PeerConfig};
pub use view::View;
pub use vocabulary::{DiameterVocabulary, S6A, S6C, S13, SGD, SLG, SLH, SWX};

use std::sync::Arc;

use procedure::{Code, Layer, LinkId, Malformed, Procedure, Refusal};
use relay::{Admission, Arrival, Exchange, Link, Onward, Stack};

use crate::config::Shared;

/// The stack: an immutable configuration behind a pointer, so a clone for each worker is cheap.
#[derive(Clone, Debug)]
pub struct Diameter {
    shared: Arc<Shared>,
}

impl Diameter {
    /// The stack of this configuration.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self { shared: Arc::new(Shared::new(config)) }
    }

    /// The configuration in force.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.shared.config
    }

    /// The doorkeeper for this configuration's peers.
    #[must_use]
    pub fn admission(&self) -> Arc<dyn Admission> {
        Arc::new(admission::Doorkeeper::new(Arc::clone(&self.shared)))
    }
}

impl Stack for Diameter {
    type View<'a> = View<'a>;

    const NAME: &'static str = "diameter";
    const PPID: u32 = 46;
    const LAYER: Layer = Layer::Diameter;

    #[inline]
    fn frame_octets(&self, bytes: &[u8]) -> Result<Option<usize>, Malformed> {
        view::frame_octets(bytes, self.shared.config.frame_octets_max)
    }

    fn link(&self, link: LinkId) -> Box<dyn Link> {
        Box::new(link::Machine::new(Arc::clone(&self.shared), link))
    }

    #[inline]
    fn view<'a>(&self, frame: &'a [u8]) -> Result<Self::View<'a>, Malformed> {
        View::new(frame, &self.shared.limits())
    }

    #[inline]
    fn correlate(&self, view: &Self::View<'_>) -> Exchange {
        correlate::correlate(view)
    }

    #[inline]
    fn describe<'v>(&self, view: &'v Self::View<'_>, arrival: &Arrival) -> Procedure<'v> {
        describe::describe(&self.shared, view, arrival)
    }

    #[inline]
    fn outcome(&self, view: &Self::View<'_>) -> (Code, bool) {
        describe::outcome(view)
    }

    #[inline]
    fn rewrite(&self, view: &Self::View<'_>, onward: &Onward, out: &mut Vec<u8>) {
        rewrite::rewrite(&self.shared, view, onward, out);
    }

    fn answer(&self, view: &Self::View<'_>, refusal: Refusal, out: &mut Vec<u8>) -> Code {
        answer::answer(&self.shared, view, refusal, out)
    }

    fn complain(&self, frame: &[u8], malformed: &Malformed, out: &mut Vec<u8>) -> Code {
        answer::complain(&self.shared, frame, malformed, out)
    }
}
