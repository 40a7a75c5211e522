//! The SS7 stack's configuration from the checked settings.

use config::{Destination, Gateway, PeerRole, Server, Speaks, Ss7Settings, Title, TitlePlan};
use procedure::Symbols;
use stacks::ss7::config as own;
use stacks::ss7::translate::{Rule, Table};
use stacks::ss7::view::m3ua::{PointCode, Variant};
use stacks::ss7::view::sccp::address::plan;

/// Everything the stack is configured with; `None` where there is no SS7.
pub(crate) fn ss7(settings: &Gateway, table: Table, symbols: &Symbols) -> Option<own::Config> {
    let ss7 = settings.ss7.as_ref()?;
    Some(own::Config {
        variant: match ss7.variant {
            config::Variant::Itu => Variant::Itu,
            config::Variant::Ansi => Variant::Ansi,
        },
        point_codes: point_codes(&ss7.point_codes),
        network_indicator: ss7.network_indicator,
        links: settings.peers.iter().map(link).collect(),
        servers: ss7.servers.iter().map(|server| self::server(server, symbols)).collect(),
        table,
        timers: own::Timers {
            recovery_ms: ss7.recovery_ms,
            heartbeat_ms: ss7.heartbeat_ms,
            audit_ms: ss7.audit_ms,
            connect_backoff_ms: ss7.connect_backoff_ms,
            connect_backoff_max_ms: ss7.connect_backoff_max_ms,
            ..own::Timers::default()
        },
        dialogue_timeout_ms: ss7.dialogue_timeout_ms,
        abort_expired: ss7.abort_expired,
        refuse_connections: ss7.refuse_connections,
    })
}

fn point_codes(codes: &[u32]) -> Vec<PointCode> {
    codes.iter().copied().map(PointCode).collect()
}

fn link(peer: &config::Peer) -> Option<own::LinkConfig> {
    let Speaks::M3ua(own) = &peer.speaks else { return None };
    let connects = peer.connect.is_some();
    Some(own::LinkConfig {
        role: match own.role {
            PeerRole::Asp => own::Role::Sgp,
            PeerRole::Sg => own::Role::Asp,
            PeerRole::Ipsp => own::Role::IpspSingle { leads: connects },
            PeerRole::IpspDouble => own::Role::IpspDouble,
        },
        connects,
        asp_identifier: own.asp_identifier,
        addresses: peer.addresses.clone(),
        titles: own.titles.clone(),
    })
}

fn server(server: &Server, symbols: &Symbols) -> own::Server {
    own::Server {
        name: symbols.intern(&server.name),
        routing_context: server.routing_context,
        network_appearance: server.network_appearance,
        point_codes: point_codes(&server.point_codes),
        mode: match server.mode {
            config::TrafficMode::Override => own::TrafficMode::Override,
            config::TrafficMode::Loadshare => own::TrafficMode::Loadshare,
            config::TrafficMode::Broadcast => own::TrafficMode::Broadcast,
        },
        links: server.links.clone(),
        links_min: server.links_min,
        registers: server.registers,
    }
}

/// The translations of these rules; every server's point codes lead to it unless a route says
/// otherwise.
pub(crate) fn table(
    ss7: Option<&Ss7Settings>,
    titles: &[Title],
    destinations: &[Destination],
    symbols: &Symbols,
) -> Table {
    let given = destinations.iter().map(|one| (PointCode(one.point_code), symbols.intern(&one.to)));
    let servers = ss7.iter().flat_map(|ss7| &ss7.servers);
    let own = servers.flat_map(|server| {
        let name = symbols.intern(&server.name);
        server.point_codes.iter().map(move |code| (PointCode(*code), name))
    });
    let all: Vec<_> = given.chain(own).collect();
    Table::new(titles.iter().map(|title| rule(title, symbols)).collect(), &all)
}

fn rule(title: &Title, symbols: &Symbols) -> Rule {
    let number = |plan: TitlePlan| match plan {
        TitlePlan::E164 => plan::E164,
        TitlePlan::E212 => plan::E212,
        TitlePlan::E214 => plan::E214,
    };
    Rule {
        name: symbols.intern(&title.name),
        translation_type: title.translation_type,
        plan: title.plan.map(number),
        nature: title.nature,
        ssn: title.ssn,
        from: title.from.as_deref().map(|from| symbols.intern(from)),
        prefix: title.prefix,
        to: symbols.intern(&title.to),
        point_code: title.point_code.map(PointCode),
        strip: title.strip,
        prepend: title.prepend,
        set_plan: title.set_plan.map(number),
        set_nature: title.set_nature,
        set_translation_type: title.set_translation_type,
        set_ssn: title.set_ssn,
        route_on_ssn: title.route_on_ssn,
    }
}
