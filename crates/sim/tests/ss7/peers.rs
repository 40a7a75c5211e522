//! What the ends say to each other, and that they agree on it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sctp::Peer;
use sim::hss::Subscribers;
use sim::mme::{Live, Load};
use sim::ss7::asp::AspConfig;
use sim::ss7::hlr::{Hlr, HlrCounters, HlrSnapshot};
use sim::ss7::home::HomeConfig;
use sim::ss7::links::LinkConfig;
use sim::ss7::load::{Procedure, VisitedConfig, VisitedReport, run};
use sim::ss7::map::{Operation, Version, code};
use sim::ss7::outcome::Outcome;
use sim::ss7::visited::{Identity, Role};

use crate::gateway::{Gateway, Hook, Server};

pub(crate) const HLR: &str = "34609000001";
pub(crate) const VLR: &str = "447700900123";
pub(crate) const VLR2: &str = "33600000001";
pub(crate) const SGSN: &str = "447700900200";

pub(crate) fn servers() -> Vec<Server> {
    let server = |context, digits| Server { context, point_code: 0x800 + context, digits };
    vec![server(1, None), server(2, Some(VLR)), server(3, Some(VLR2)), server(4, Some(SGSN))]
}

pub(crate) fn transparent() -> Hook {
    Box::new(|sccp| (vec![sccp], Vec::new()))
}

fn link(gateway: &Peer, context: u32, connections: usize) -> LinkConfig {
    let mut asp = AspConfig::new(0x800 + context, 9);
    asp.network_indicator = 2;
    asp.routing_context = Some(context);
    asp.heartbeat = 100_000_000;
    let mut link = LinkConfig::new(gateway.clone(), asp);
    link.connections = connections;
    link
}

pub(crate) fn home(gateway: &Peer, config: HomeConfig) -> Hlr {
    Hlr::new(config, link(gateway, 1, 2), Duration::from_secs(5))
}

pub(crate) fn visited(gateway: &Peer, number: &str) -> VisitedConfig {
    let context = servers().iter().find(|s| s.digits == Some(number)).unwrap().context;
    let role = if number == SGSN { Role::Sgsn } else { Role::Vlr };
    let mut identity = Identity::new(role, number);
    identity.titles = vec!["21407=34609".parse().unwrap()];
    let imsi = "214070000000000..214070000000999".parse().unwrap();
    let mut config = VisitedConfig::new(identity, link(gateway, context, 2), imsi);
    config.load = Load::Window(256);
    config.timeout = Duration::from_secs(20);
    config
}

/// A world: the gateway and the home run while `scene` plays.
pub(crate) fn play<T, F: Future<Output = T>>(
    hook: Hook,
    config: HomeConfig,
    scene: impl FnOnce(Peer, HlrCounters) -> F,
) -> (T, HlrSnapshot) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (gateway, peer) = Gateway::bind(servers(), hook);
        let gateway = tokio::spawn(gateway.run());
        let hlr = home(&peer, config);
        let counters = hlr.counters();
        let (handle, stop) = sim::stop();
        let hlr = tokio::spawn(hlr.run(stop));
        while counters.snapshot().ready < 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let done = scene(peer, counters.clone()).await;
        handle.stop();
        hlr.await.unwrap().unwrap();
        gateway.abort();
        (done, counters.snapshot())
    })
}

pub(crate) async fn go(config: VisitedConfig) -> VisitedReport {
    let (_handle, stop) = sim::stop();
    run(config, stop, Arc::new(Live::default())).await.unwrap()
}

#[test]
fn ten_thousand_dialogues_none_lost_and_both_ends_agree() {
    let (report, home) = play(transparent(), HomeConfig::new(HLR), |peer, _| async move {
        let mut config = visited(&peer, VLR);
        config.count = Some(10_000);
        config.procedure = Procedure::Mix;
        config.versions = vec![Version::V1, Version::V2, Version::V3];
        go(config).await
    });
    assert!(report.report.is_clean(), "{report} {home:?}");
    assert_eq!(report.report.answered, 10_000);
    assert_eq!(report.outcomes, home.counts.outcomes);
    assert_eq!(report.outcomes.count(Operation::SendAuthenticationInfo, Outcome::Success), 5_500);
    assert_eq!(report.outcomes.count(Operation::UpdateLocation, Outcome::Success), 4_000);
    assert_eq!(report.outcomes.count(Operation::PurgeMs, Outcome::Success), 500);
    assert_eq!((report.inserted, home.counts.inserted), (4_000, 4_000));
    assert!(report.faults.is_empty() && home.counts.faults.is_empty(), "{report} {home:?}");
    assert_eq!((report.links.connected, report.links.unsent, home.links.connected), (2, 0, 2));
    assert!(report.links.asp.beats > 0 && report.links.asp.beats_returned > 0, "{report:?}");
    assert_eq!((report.links.asp.malformed, home.links.asp.malformed), (0, 0));
}

#[test]
fn an_sgsn_attaches_in_an_open_loop() {
    let (report, home) = play(transparent(), HomeConfig::new(HLR), |peer, _| async move {
        let mut config = visited(&peer, SGSN);
        config.identity.extended = true;
        config.count = Some(1_000);
        config.load = Load::Rate(1_000.0);
        config.procedure = Procedure::Attach;
        go(config).await
    });
    assert!(report.report.is_clean(), "{report}");
    assert_eq!(report.outcomes, home.counts.outcomes);
    let registered = report.outcomes.count(Operation::UpdateGprsLocation, Outcome::Success);
    assert!((300..=500).contains(&registered), "{report}");
    assert_eq!(home.registered, usize::try_from(registered).unwrap());
}

#[test]
fn who_registers_elsewhere_is_cancelled_where_it_was_in_the_version_spoken_there() {
    let ((first, second), home) = play(transparent(), HomeConfig::new(HLR), |peer, _| async move {
        let mut one = visited(&peer, VLR);
        one.versions = vec![Version::V1, Version::V2, Version::V3];
        // Stays for long enough to hear the cancellations.
        one.load = Load::Rate(300.0);
        one.duration = Some(Duration::from_secs(4));
        one.imsi = "214070000000000..214070000000299".parse().unwrap();
        one.count = Some(300);
        let mut two = visited(&peer, VLR2);
        two.imsi = one.imsi;
        two.count = Some(300);
        let first = tokio::spawn(go(one.clone()));
        first.await.unwrap();
        // The first comes back with nothing of its own to ask but one SAI a second.
        one.procedure = Procedure::Sai;
        one.load = Load::Rate(2.0);
        one.count = Some(5);
        one.duration = None;
        let back = tokio::spawn(go(one));
        tokio::time::sleep(Duration::from_millis(500)).await;
        let second = go(two).await;
        (back.await.unwrap(), second)
    });
    assert!(first.report.is_clean() && second.report.is_clean(), "{first} {second}");
    assert_eq!((home.counts.cancels, home.counts.cancels_lost), (300, 0), "{home:?}");
    assert_eq!(first.outcomes.count(Operation::CancelLocation, Outcome::Success), 300);
    assert_eq!(home.counts.outcomes.count(Operation::CancelLocation, Outcome::Success), 300);
    assert!(home.counts.faults.is_empty() && first.faults.is_empty(), "{home:?} {first}");
}

#[test]
fn refusals_come_as_the_home_was_told_in_every_version() {
    let mut config = HomeConfig::new(HLR);
    config.subscribers = Subscribers::Prefixes(vec!["2140700000005".into()]);
    config.refuse = vec!["4477".into()];
    let (report, home) = play(transparent(), config, |peer, _| async move {
        let mut config = visited(&peer, VLR);
        config.versions = vec![Version::V1, Version::V2, Version::V3];
        config.count = Some(1_000);
        go(config).await
    });
    assert!(report.report.is_clean(), "{report}");
    let ul = Operation::UpdateLocation;
    let error = |code| report.outcomes.count(ul, Outcome::Error(code));
    assert_eq!(error(code::ROAMING_NOT_ALLOWED), 100);
    assert_eq!(error(code::UNKNOWN_SUBSCRIBER), 900);
    assert_eq!(report.outcomes, home.counts.outcomes);
    assert_eq!((home.registered, report.steered.total()), (0, 0));
}

#[test]
fn who_is_turned_away_waits_longer_each_time() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let callers = runtime.block_on(async {
        let (endpoint, peer) = crate::gateway::endpoint();
        let count = Arc::new(AtomicU64::new(0));
        let gateway = tokio::spawn(crate::gateway::turn_away(endpoint, Arc::clone(&count)));
        let (handle, stop) = sim::stop();
        let hlr = tokio::spawn(home(&peer, HomeConfig::new(HLR)).run(stop));
        tokio::time::sleep(Duration::from_secs(2)).await;
        handle.stop();
        hlr.await.unwrap().unwrap();
        gateway.abort();
        count.load(Ordering::Relaxed)
    });
    // Two associations, each at 0, 50, 150, 350, 750 and 1550 ms.
    assert!((4..=12).contains(&callers), "{callers} callers");
}
