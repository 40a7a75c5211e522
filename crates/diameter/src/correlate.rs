//! **correlate**: which exchange a message belongs to.

use relay::Exchange;

use crate::view::View;

/// A request opens an exchange; an answer closes the one that its Hop-by-Hop Identifier names on
/// this connection, if its End-to-End Identifier and its command are the request's.
//= RFC 6733 §3
pub(crate) const fn correlate(view: &View<'_>) -> Exchange {
    let header = &view.header;
    let label = header.hop_by_hop;
    let check = (header.end_to_end as u64) << 32 | header.command as u64;
    if header.is_request() {
        Exchange::Opens { label, check }
    } else {
        Exchange::Closes { label, check }
    }
}
