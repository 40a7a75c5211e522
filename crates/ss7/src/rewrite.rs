//! **rewrite**: the message as it leaves toward the server it was routed to.
//!
//! M3UA's own parameters are those of the association it leaves over; the rest is the message that
//! came, with another routing label and called party where the route says so, octet for octet.

use crate::config::Server;
use crate::connections::Coupled;
use crate::route::Route;
use crate::view::View;
use crate::view::m3ua::{self, Data, Kind, Label, Writer, tag};
use crate::view::sccp::Unitdata;
use crate::view::sccp::connection::{Connection, Reference, Renumbered};
use crate::view::sccp::write::{AddressBuffer, Changes, change, rebuild};

/// Appends the message; of one that came in segments, each of them.
pub(crate) fn rewrite(
    view: &View<'_>,
    route: &Route,
    server: Option<&Server>,
    ansi: bool,
    out: &mut Vec<u8>,
) {
    let Some(segments) = view.segments else {
        return one(&view.data, view.unit.as_ref(), connection(view).as_ref(), route, server, out);
    };
    for frame in m3ua::frames(segments) {
        let Ok(data) = Data::new(frame) else { continue };
        let unit = Unitdata::new(data.user, ansi).ok();
        //= Q.714 §2.5
        let hops = unit.and_then(|unit| unit.hops).filter(|_| route.hops.is_some());
        let route = Route { hops: hops.map(|hops| hops.saturating_sub(1)), ..*route };
        one(&data, unit.as_ref(), None, &route, server, out);
    }
}

/// A message of a connection through us, and the references on its way out.
type Section<'a> = (Connection<'a>, Reference, Option<Reference>);

fn connection<'a>(view: &View<'a>) -> Option<Section<'a>> {
    let Coupled::Onward { from, to, .. } = view.coupled.get() else { return None };
    Some((view.connection?, from, to))
}

fn one(
    data: &Data<'_>,
    unit: Option<&Unitdata<'_>>,
    section: Option<&Section<'_>>,
    route: &Route,
    server: Option<&Server>,
    out: &mut Vec<u8>,
) {
    let context = server.and_then(|server| server.routing_context);
    let appearance = server.and_then(|server| server.network_appearance);
    let same_link = data.context.map(|context| context.1) == context
        && data.appearance == appearance
        && !data.has_more;
    if same_link && route.label.is_none() && route.called.is_none() && route.hops.is_none() {
        return out.extend_from_slice(data.frame);
    }
    let (opc, dpc) = route.label.unwrap_or((data.opc, data.dpc));
    let label = Label { opc, dpc, ..Label::of(data) };
    let _ = Writer::new(out, Kind::DATA)
        .maybe(tag::NETWORK_APPEARANCE, appearance)
        .maybe(tag::ROUTING_CONTEXT, context)
        .data(&label, |out| match (unit, section) {
            (Some(unit), _) => {
                let called = route.called.as_ref().map(AddressBuffer::octets);
                let changes = Changes { called, hops: route.hops };
                // A layout so odd that a pointer would not reach is laid out as usual instead.
                if !change(unit, &changes, out) {
                    rebuild(unit, &changes, out);
                }
            }
            (None, Some((message, from, to))) => {
                let called = route.called.as_ref().map(AddressBuffer::octets);
                let changes = Renumbered { to: *to, from: Some(*from), called, hops: route.hops };
                message.renumber(&changes, out);
            }
            (None, None) => out.extend_from_slice(data.user),
        });
}
