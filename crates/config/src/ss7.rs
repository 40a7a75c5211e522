//! The SS7 side: `[ss7]`, `[[server]]` and M3UA peers of `gateway.toml`, and `titles.toml`.

use procedure::{Digits, LinkId};

use policy::{At, Complaints, Document, Section, Source};

use crate::clashes;
use crate::gateway::Peer;

/// Longest list of digits in an address, with what a translation puts before it.
//= Q.713 §3.4.2.3
const DIGITS_EXPECTED: &str = "1 to 19 decimal digits";

/// Everything about SS7 that is read at start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ss7Settings {
    /// Whose point codes and addresses are spoken.
    pub variant: Variant,
    /// The gateway's own point codes, the primary one first.
    pub point_codes: Vec<u32>,
    /// Network indicator of what the gateway originates.
    pub network_indicator: u8,
    /// How long nothing may be heard of a dialogue.
    pub dialogue_timeout_ms: u64,
    /// Abort an expired dialogue toward its originator.
    pub abort_expired: bool,
    /// Refuse connection-oriented SCCP instead of passing it on.
    pub refuse_connections: bool,
    /// Between two heartbeats.
    pub heartbeat_ms: u64,
    /// Between two questions about destinations that are out of reach; 0: none.
    pub audit_ms: u64,
    /// The first wait before connecting again.
    pub connect_backoff_ms: u64,
    /// The longest one.
    pub connect_backoff_max_ms: u64,
    /// How long a server may be without an active process, T(r).
    pub recovery_ms: u64,
    /// The application servers.
    pub servers: Vec<Server>,
}

/// Whose point codes and addresses are spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    /// 14 bits, 3-8-3.
    Itu,
    /// 24 bits, 8-8-8.
    Ansi,
}

/// An M3UA peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct M3uaPeer {
    /// What the peer is.
    pub role: PeerRole,
    /// Its ASP identifier, or ours toward it.
    pub asp_identifier: Option<u32>,
    /// Calling titles it may speak for, as prefixes; empty: any.
    pub titles: Vec<Digits>,
}

/// What a peer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerRole {
    /// An application server process; we are its signalling gateway.
    Asp,
    /// A signalling gateway; we are an application server process.
    Sg,
    /// An equal; one exchange for both directions.
    Ipsp,
    /// An equal; one exchange for each direction.
    IpspDouble,
}

/// An application server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Its name, which policies may use as that of a group.
    pub name: String,
    /// Its routing context.
    pub routing_context: Option<u32>,
    /// Network appearance told in its messages.
    pub network_appearance: Option<u32>,
    /// The point codes behind it, the usual destination first.
    pub point_codes: Vec<u32>,
    /// How its traffic is shared.
    pub mode: TrafficMode,
    /// The links that may serve it.
    pub links: Vec<LinkId>,
    /// Links that must be active before it is.
    pub links_min: u8,
    /// Its links may register for it by its routing key.
    pub registers: bool,
}

/// How traffic is shared among the active links of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrafficMode {
    /// All to the one that became active last.
    Override,
    /// To each its share.
    Loadshare,
    /// Everything to everyone.
    Broadcast,
}

/// A numbering plan of global titles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TitlePlan {
    /// Telephone numbers.
    E164,
    /// Mobile identities.
    E212,
    /// Mobile global titles.
    E214,
}

/// One rule of global-title translation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Title {
    /// Its name in explanations.
    pub name: String,
    /// Translation type, or any.
    pub translation_type: Option<u8>,
    /// Numbering plan, or any.
    pub plan: Option<TitlePlan>,
    /// Nature of address as coded, or any.
    pub nature: Option<u8>,
    /// Called subsystem, or any.
    pub ssn: Option<u8>,
    /// The server the message came from, or any.
    pub from: Option<String>,
    /// The digits it begins with; empty: all.
    pub prefix: Digits,
    /// The server it goes to.
    pub to: String,
    /// The point code it goes to, else the server's first.
    pub point_code: Option<u32>,
    /// Digits taken off the front.
    pub strip: u8,
    /// Digits put there instead.
    pub prepend: Digits,
    /// New numbering plan.
    pub set_plan: Option<TitlePlan>,
    /// New nature of address.
    pub set_nature: Option<u8>,
    /// New translation type.
    pub set_translation_type: Option<u8>,
    /// New subsystem.
    pub set_ssn: Option<u8>,
    /// Route on subsystem number from here on.
    pub route_on_ssn: bool,
}

/// Where a point code is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// The point code.
    pub point_code: u32,
    /// The server it is reached over.
    pub to: String,
}

const PLANS: [(&str, TitlePlan); 3] =
    [("e164", TitlePlan::E164), ("e212", TitlePlan::E212), ("e214", TitlePlan::E214)];
/// Nature of address indicator.
//= Q.713 §3.4.2.3.1
const NATURES: [(&str, u8); 4] =
    [("unknown", 0), ("subscriber", 1), ("national", 3), ("international", 4)];

/// A point code in decimal, or by its parts: 3-8-3 bits for ITU, 8-8-8 for ANSI.
#[must_use]
pub(crate) fn point_code(text: &str, variant: Variant) -> Option<u32> {
    let (widths, max) = match variant {
        Variant::Itu => ([3, 8, 3], (1 << 14) - 1),
        Variant::Ansi => ([8, 8, 8], (1 << 24) - 1),
    };
    let parts: Vec<u32> = text.split('-').map(|part| part.parse().ok()).collect::<Option<_>>()?;
    let code = match parts.as_slice() {
        [code] => *code,
        [_, _, _] => parts.iter().zip(widths).try_fold(0, |code, (part, width)| {
            (*part < 1 << width).then_some(code << width | part)
        })?,
        _ => return None,
    };
    (code <= max).then_some(code)
}

const fn point_code_expected(variant: Variant) -> &'static str {
    match variant {
        Variant::Itu => "a point code of 14 bits, as \"2-10-1\" or \"4177\"",
        Variant::Ansi => "a point code of 24 bits, as \"5-10-1\" or \"330241\"",
    }
}

/// `[ss7]` and the servers.
pub(crate) fn settings(root: &Section<'_>, peers: &[Peer]) -> Option<Ss7Settings> {
    let servers = root.sections("server");
    let Some(section) = root.section("ss7") else {
        for server in servers {
            server.push(server.at().complain("there are servers, but no [ss7]"));
        }
        return None;
    };
    let variants = [("itu", Variant::Itu), ("ansi", Variant::Ansi)];
    let variant = section.word("variant", &variants).map_or(Variant::Itu, |word| word.value);
    let indicators = [("international", 0), ("national", 2)];
    let indicator = section.word("network_indicator", &indicators).map_or(0, |word| word.value);
    let point_codes = values(&point_codes(&section, variant));
    if point_codes.is_empty() {
        section.push(section.at().complain("`point_code` is missing: the gateway's own"));
    }
    let connections = [("pass", false), ("refuse", true)];
    let ms = |key, range, otherwise| section.number(key, range).unwrap_or(otherwise);
    let mut settings = Ss7Settings {
        variant,
        point_codes,
        network_indicator: indicator,
        dialogue_timeout_ms: ms("dialogue_timeout_ms", 100..=600_000, 30_000),
        abort_expired: section.flag("abort_expired").unwrap_or(false),
        refuse_connections: section
            .word("connection_oriented", &connections)
            .is_some_and(|word| word.value),
        heartbeat_ms: ms("heartbeat_ms", 100..=600_000, 30_000),
        audit_ms: ms("audit_ms", 0..=600_000, 30_000),
        connect_backoff_ms: ms("connect_backoff_ms", 10..=60_000, 1_000),
        connect_backoff_max_ms: ms("connect_backoff_max_ms", 10..=600_000, 30_000),
        recovery_ms: ms("recovery_ms", 10..=60_000, 2_000),
        servers: Vec::new(),
    };
    section.finish();
    for section in &servers {
        let read = server(section, &settings, peers);
        settings.servers.extend(read);
    }
    Some(settings)
}

fn point_codes<'d>(section: &Section<'d>, variant: Variant) -> Vec<At<'d, u32>> {
    let expected = point_code_expected(variant);
    section.all_parsed("point_code", expected, |text| point_code(text, variant))
}

fn values(codes: &[At<'_, u32>]) -> Vec<u32> {
    codes.iter().map(|code| code.value).collect()
}

fn server(section: &Section<'_>, settings: &Ss7Settings, peers: &[Peer]) -> Option<Server> {
    let others = &settings.servers;
    let name = section.required("name");
    if let Some(name) = &name
        && others.iter().any(|server| server.name == name.value)
    {
        section.push(name.complain(format!("two servers are called `{}`", name.value)));
    }
    let number = |key| section.number(key, 0..=u64::from(u32::MAX)).map(|n| n as u32);
    let routing_context = number("routing_context");
    let network_appearance = number("network_appearance");
    let same = others
        .iter()
        .find(|other| routing_context.is_some() && other.routing_context == routing_context);
    if let (Some(same), Some(at)) = (same, section.place_of("routing_context")) {
        let complaint = format!("this is the routing context of `{}`", same.name);
        section.push(at.complain(complaint));
    }
    let codes = point_codes(section, settings.variant);
    for code in &codes {
        clashes::point_code(section, code, &settings.point_codes, others);
    }
    let point_codes = values(&codes);
    if point_codes.is_empty() {
        section.push(section.at().complain("`point_code` is missing: the nodes behind it"));
    }
    let modes = [
        ("override", TrafficMode::Override),
        ("loadshare", TrafficMode::Loadshare),
        ("broadcast", TrafficMode::Broadcast),
    ];
    let mode = section.word("mode", &modes).map_or(TrafficMode::Loadshare, |word| word.value);
    let members = section.texts("peers");
    if members.is_empty() {
        section.push(section.at().complain("`peers` is missing: the peers that serve it"));
    }
    let links = members.iter().filter_map(|member| link(section, member, peers)).collect();
    let links_min = section.number("peers_min", 1..=255).map_or(1, |n| n as u8);
    let registers = section.flag("registers").unwrap_or(false);
    section.finish();
    Some(Server {
        name: name?.value.to_owned(),
        routing_context,
        network_appearance,
        point_codes,
        mode,
        links,
        links_min,
        registers,
    })
}

/// The link of a peer that a server names.
fn link(section: &Section<'_>, member: &At<'_, &str>, peers: &[Peer]) -> Option<LinkId> {
    let place = peers.iter().position(|peer| peer.name == member.value);
    let Some(place) = place else {
        let names = peers.iter().map(|peer| peer.name.as_str());
        let complaint = member.complain(format!("no peer is called `{}`", member.value));
        section.push(match policy::nearest(member.value, names) {
            Some(name) => complaint.with_help(format!("did you mean `{name}`?")),
            None => complaint,
        });
        return None;
    };
    if peers.get(place).is_some_and(|peer| peer.diameter().is_some()) {
        section.push(member.complain(format!("`{}` does not speak M3UA", member.value)));
        return None;
    }
    u32::try_from(place).ok().map(LinkId)
}

/// What is particular to an M3UA peer.
pub(crate) fn peer(section: &Section<'_>) -> Option<M3uaPeer> {
    let roles = [
        ("asp", PeerRole::Asp),
        ("sg", PeerRole::Sg),
        ("ipsp", PeerRole::Ipsp),
        ("ipsp-double", PeerRole::IpspDouble),
    ];
    let _there = section.required("role");
    let role = section.word("role", &roles);
    let asp_identifier = section.number("asp_identifier", 0..=u64::from(u32::MAX));
    let titles = section.all_parsed("titles", DIGITS_EXPECTED, |text| text.parse().ok());
    Some(M3uaPeer {
        role: role?.value,
        asp_identifier: asp_identifier.map(|n| n as u32),
        titles: titles.into_iter().map(|title| title.value).collect(),
    })
}

/// `titles.toml`: which server a global title or a point code leads to.
pub(crate) fn titles(
    source: &Source,
    settings: Option<&Ss7Settings>,
    complaints: &Complaints,
) -> (Vec<Title>, Vec<Destination>) {
    let document = Document::parse(source, complaints);
    let root = document.root(complaints);
    let (titles, destinations) = (root.sections("title"), root.sections("destination"));
    root.finish();
    let Some(settings) = settings else {
        if !titles.is_empty() || !destinations.is_empty() {
            let help =
                "gateway.toml needs [ss7], a [[server]] and a peer with `protocol = \"m3ua\"`";
            let complaint = root.at().complain("there are titles, but no [ss7]: nobody asks them");
            root.push(complaint.with_help(help).as_warning());
        }
        return Default::default();
    };
    let mut names: Vec<&str> = Vec::new();
    let (mut all, mut rules) = (Vec::new(), clashes::Rules::new());
    for section in &titles {
        if let Some(name) = section.required("name") {
            if names.contains(&name.value) {
                section.push(name.complain(format!("two titles are called `{}`", name.value)));
            }
            names.push(name.value);
        }
        for rule in read_title(section, settings) {
            clashes::title(section, &rule, &mut rules);
            all.push(rule);
        }
    }
    let read = |section: &Section<'_>| {
        let expected = point_code_expected(settings.variant);
        let _there = section.required("point_code");
        let codes =
            section.all_parsed("point_code", expected, |text| point_code(text, settings.variant));
        let to = to(section, "to", settings);
        section.finish();
        let to = to.unwrap_or_default();
        codes
            .into_iter()
            .map(|code| Destination { point_code: code.value, to: to.clone() })
            .collect()
    };
    (all, destinations.iter().flat_map(|section| -> Vec<_> { read(section) }).collect())
}

/// One `[[title]]`: a rule for each of its prefixes.
fn read_title(section: &Section<'_>, settings: &Ss7Settings) -> Vec<Title> {
    let octet = |key| section.number(key, 0..=255).map(|n| n as u8);
    let digits = |text: &str| text.parse().ok();
    let prefixes = section.all_parsed("prefix", DIGITS_EXPECTED, digits);
    let prepend = section.parsed("prepend", DIGITS_EXPECTED, digits);
    let codes = point_code_expected(settings.variant);
    let code = section.parsed("to_point_code", codes, |text| point_code(text, settings.variant));
    let server = to(section, "to", settings);
    let from = section.text("from").is_some().then(|| to(section, "from", settings)).flatten();
    let word = |key| section.word(key, &PLANS).map(|plan| plan.value);
    let nature = |key| section.word(key, &NATURES).map(|nature| nature.value);
    let route_on = section.word("route_on", &[("title", false), ("ssn", true)]);
    let name = section.text("name").map_or("", |name| name.value);
    let rule = Title {
        name: name.to_owned(),
        translation_type: octet("translation_type"),
        plan: word("plan"),
        nature: nature("nature"),
        ssn: octet("ssn"),
        from,
        prefix: Digits::EMPTY,
        to: server.unwrap_or_default(),
        point_code: code.map(|code| code.value),
        strip: section.number("strip", 0..=19).map_or(0, |n| n as u8),
        prepend: prepend.map_or(Digits::EMPTY, |digits| digits.value),
        set_plan: word("set_plan"),
        set_nature: nature("set_nature"),
        set_translation_type: octet("set_translation_type"),
        set_ssn: octet("set_ssn"),
        route_on_ssn: route_on.is_some_and(|word| word.value),
    };
    section.finish();
    if prefixes.is_empty() {
        return vec![rule];
    }
    prefixes.into_iter().map(|prefix| Title { prefix: prefix.value, ..rule.clone() }).collect()
}

/// The server that a key names.
fn to(section: &Section<'_>, key: &'static str, settings: &Ss7Settings) -> Option<String> {
    let name = section.required(key)?;
    if settings.servers.iter().any(|server| server.name == name.value) {
        return Some(name.value.to_owned());
    }
    let names = settings.servers.iter().map(|server| server.name.as_str());
    let complaint = name.complain(format!("no server is called `{}`", name.value));
    section.push(match policy::nearest(name.value, names) {
        Some(name) => complaint.with_help(format!("did you mean `{name}`?")),
        None => complaint,
    });
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn point_codes_by_part_and_whole() {
        assert_eq!(point_code("2-10-1", Variant::Itu), Some(2 << 11 | 10 << 3 | 1));
        assert_eq!(point_code("4177", Variant::Itu), Some(4177));
        assert_eq!(point_code("7-255-7", Variant::Itu), Some(16_383));
        assert_eq!(point_code("5-10-1", Variant::Ansi), Some(5 << 16 | 10 << 8 | 1));
        for wrong in ["8-0-0", "1-256-0", "16384", "1-2", "1-2-3-4", "", "a", "-1"] {
            assert_eq!(point_code(wrong, Variant::Itu), None, "{wrong}");
        }
    }
}
