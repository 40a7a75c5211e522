//! Where a message goes by its own address, and what it is called on the way.
//!
//! ```text
//!            our point code?
//!   no ─▷ point-code route, passed on as it is        (MTP transfer)
//!  yes ─▷ called party routes on title ─▷ translation ─▷ server, point code, new called party
//!                          on SSN ─▷ nobody is here   (SCMG was the link's)
//! ```
//!
//! Nothing goes back to the server it came from: two nodes whose tables point at each other would
//! send a message without a hop counter round for ever.
//= Q.714 §2.3

use procedure::Symbol;

use crate::config::Config;
use crate::translate::{Asked, Table};
use crate::view::View;
use crate::view::m3ua::PointCode;
use crate::view::sccp::cause;
use crate::view::sccp::write::AddressBuffer;

/// A way for one message.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    /// To this server; `None` where nothing leads anywhere.
    pub server: Option<Symbol>,
    /// Why nothing does, or what is wrong if the server cannot be reached: an SCCP return cause.
    pub cause: u8,
    /// The rule that spoke, by its name.
    pub rule: Option<Symbol>,
    /// New point codes; `None` where the message keeps its own.
    pub label: Option<(PointCode, PointCode)>,
    /// The new called party; `None` where it stays.
    pub called: Option<AddressBuffer>,
    /// The hop counter as it leaves.
    pub hops: Option<u8>,
    /// It would go back to where it came from.
    pub looped: bool,
}

impl Route {
    pub(crate) const fn nowhere(cause: u8) -> Self {
        let (rule, label, called) = (None, None, None);
        Self { server: None, cause, rule, label, called, hops: None, looped: false }
    }

    /// A message without a hop counter would go round for ever.
    const fn back(cause: u8) -> Self {
        Self { looped: true, ..Self::nowhere(cause) }
    }
}

/// The way of a message that came from `from`.
pub(crate) fn find(config: &Config, table: &Table, view: &View<'_>, from: Option<Symbol>) -> Route {
    let data = &view.data;
    if view.is_connection && config.refuse_connections {
        return Route::nowhere(cause::UNQUALIFIED);
    }
    if !config.point_codes.contains(&data.dpc) {
        let server = table.destination(data.dpc);
        if server.is_some() && server == from {
            return Route::back(cause::NETWORK_FAILURE);
        }
        return Route { server, ..Route::nowhere(cause::NETWORK_FAILURE) };
    }
    let (called, hops) = match (&view.unit, &view.connection) {
        (Some(unit), _) => (&unit.called, unit.hops),
        (None, Some(request)) => (&request.called, request.hops),
        (None, None) => return Route::nowhere(cause::UNEQUIPPED),
    };
    if called.routes_on_ssn || called.title.is_none() {
        return Route::nowhere(cause::UNEQUIPPED);
    }
    let Some(asked) = Asked::of(called, from) else {
        return Route::nowhere(cause::UNEQUIPPED);
    };
    let Some(rule) = table.translate(&asked) else { return Route::nowhere(cause::NO_TRANSLATION) };
    //= Q.714 §2.5
    let hops = hops.map(|hops| hops.saturating_sub(1));
    if hops == Some(0) {
        return Route::nowhere(cause::HOP_COUNTER);
    }
    if from == Some(rule.to) {
        return Route::back(cause::HOP_COUNTER);
    }
    let server = config.servers.iter().find(|server| server.name == rule.to);
    let first = server.and_then(|server| server.point_codes.first().copied());
    let Some(dpc) = rule.point_code.or(first) else {
        return Route::nowhere(cause::NO_TRANSLATION);
    };
    let ansi = config.is_ansi();
    let Ok(called) = rule.readdress(called, ansi) else {
        return Route::nowhere(cause::UNQUALIFIED);
    };
    // The originator is now the gateway: that is where an answer by point code has to come.
    let own = config.point_codes.first().copied().unwrap_or_default();
    Route {
        server: Some(rule.to),
        cause: cause::NETWORK_FAILURE,
        rule: Some(rule.name),
        label: Some((own, dpc)),
        called,
        hops,
        looped: false,
    }
}
