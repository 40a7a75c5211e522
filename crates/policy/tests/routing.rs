//! Routes and screening: the first match speaks, whatever the index does, and exceptions are exceptions.

#[allow(unreachable_pub, reason = "shared by several tests")]
mod desk;
#[allow(unreachable_pub, reason = "shared by several tests")]
mod words;

use desk::{Desk, Message, ULR};
use policy::Source;
use procedure::{Act, Outcome, Verdict};

fn desk(routes: &str, screening: &str) -> Desk {
    let mut sources = desk::sources(desk::PLANS);
    sources.push(Source::new("routes.toml", routes));
    sources.push(Source::new("screening.toml", screening));
    Desk::with(&sources, 1024)
}

const GROUPS: &str = "[[group]]\nname = \"a\"\nmembers = [{ peer = \"x\" }]\n[[group]]\nname = \"b\"\nmembers = [{ peer = \"y\" }]\n";

/// The group an authentication is sent to.
fn group(desk: &Desk, message: &Message) -> String {
    match desk.decide(&Message { act: Act::Authenticate, ..message.clone() }).verdict {
        Verdict::Forward { group: Some(group) } => desk.engine.symbols().name(group).to_string(),
        other => format!("{other:?}"),
    }
}

fn route(name: &str, conditions: &str, to: &str) -> String {
    format!("[[route]]\nname = \"{name}\"\n{conditions}\nto = \"{to}\"\n")
}

#[test]
fn first_match_speaks_across_exact_realms_and_wildcards() {
    let exact = route("exact", "destination_realm = \"one.example\"", "a");
    let wild = route("wild", "destination_realm = \"*.example\"", "b");
    let wild_first = desk(&format!("{GROUPS}{wild}{exact}"), "");
    let exact_first = desk(&format!("{GROUPS}{exact}{wild}"), "");
    let one = Message { destination_realm: "ONE.example", ..ULR };
    let two = Message { destination_realm: "two.example", ..ULR };
    assert_eq!((group(&wild_first, &one), group(&exact_first, &one)), ("b".into(), "a".into()));
    assert_eq!((group(&wild_first, &two), group(&exact_first, &two)), ("b".into(), "b".into()));
    let none = Message { destination_realm: "example", ..ULR };
    assert_eq!(group(&wild_first, &none), "Forward { group: None }");
}

#[test]
fn every_condition_must_hold_and_observing_routes_only_speak() {
    let conditions =
        "imsi_prefix = [\"26201\", \"2140700\"]\nvisited = \"23415\"\ncommand = \"ulr\"";
    let seen = format!("mode = \"observe\"\n{conditions}");
    let desk = desk(
        &format!("{GROUPS}{}{}", route("seen", &seen, "b"), route("sent", conditions, "a")),
        "",
    );
    assert_eq!(group(&desk, &ULR), "a");
    assert_eq!(group(&desk, &Message { visited: "23430", ..ULR }), "Forward { group: None }");
    assert_eq!(
        group(&desk, &Message { imsi: "214071000000001", ..ULR }),
        "Forward { group: None }"
    );
    let decision = desk.decide(&Message { act: Act::Authenticate, ..ULR });
    assert_eq!(decision.because.iter().count(), 2);
}

#[test]
fn a_network_speaks_for_itself_only() {
    let french = Message { origin_realm: Some("epc.mnc001.mcc208.3gppnetwork.org"), ..ULR };
    let hub = Message { origin_realm: Some("hub.example"), ..ULR };
    let strict = desk("", "");
    assert_eq!(strict.say(&french), "screened");
    assert_eq!(strict.say(&hub), "no1", "who cannot be resolved is not judged");
    let observing = desk("", "[built_in]\norigin-speaks-for-visited = \"observe\"\n");
    let decision = observing.decide(&french);
    let outcomes: Vec<&str> = decision.because.iter().map(|reason| reason.outcome.name()).collect();
    assert_eq!(outcomes, ["would-refuse", "refuse"], "screening observes, steering acts");
    let off = desk("", "[built_in]\norigin-speaks-for-visited = \"off\"\n");
    let decision = off.decide(&french);
    let outcomes: Vec<&str> = decision.because.iter().map(|reason| reason.outcome.name()).collect();
    assert_eq!(outcomes, ["refuse"]);
}

#[test]
fn home_orders_come_from_the_home_network() {
    let desk = desk("", "");
    let clr = Message { act: Act::Deregister, ..ULR };
    let own = Message { origin_realm: Some("epc.mnc007.mcc214.3gppnetwork.org"), ..clr.clone() };
    let foreign =
        Message { origin_realm: Some("epc.mnc001.mcc262.3gppnetwork.org"), ..clr.clone() };
    let nobody = Message { origin_realm: Some("example.org"), ..clr };
    assert_eq!(desk.say(&own), "unsteered");
    assert_eq!(desk.say(&foreign), "screened");
    assert_eq!(desk.say(&nobody), "screened");
}

#[test]
fn an_exception_stands_before_what_it_excepts() {
    let rules = "[[rule]]\nname = \"trusted\"\norigin_realm = \"*.mcc208.3gppnetwork.org\"\nanswer = \"accept\"\n\
                 [[rule]]\nname = \"silent\"\nimsi_prefix = \"2140766\"\nanswer = \"discard\"\n";
    let desk = desk("", rules);
    let french = Message { origin_realm: Some("epc.mnc001.mcc208.3gppnetwork.org"), ..ULR };
    let decision = desk.decide(&french);
    assert_eq!(decision.because.iter().next().map(|reason| reason.outcome), Some(Outcome::Accept));
    assert_eq!(decision.refused_by, Some(procedure::Stage::Steer));
    let silent = desk.decide(&Message { imsi: "214076600000001", ..ULR });
    assert_eq!(silent.verdict, Verdict::Discard);
}
