#![allow(clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use super::*;
use crate::diameter::base::Identity;
use crate::diameter::{command, parse, result};
use crate::roaming::{Access, Customer, VisitedNetwork};
use crate::ss7::asp::AspConfig;
use crate::ss7::links::LinkConfig;
use crate::ss7::map::{Operation, code};
use crate::ss7::outcome;
use crate::ss7::visited::Role;

const STEERED: Said = Said::Diameter(parse::Outcome::Experimental(result::ROAMING_NOT_ALLOWED));
const SUCCESS: Said = Said::Diameter(parse::Outcome::Base(result::SUCCESS));
const OK: Said = Said::Map(outcome::Outcome::Success);
const NO: Said = Said::Map(outcome::Outcome::Error(code::ROAMING_NOT_ALLOWED));
const BROKEN: Said = Said::Map(outcome::Outcome::Error(code::SYSTEM_FAILURE));

const SAI: Request = Request::Map(Role::Vlr, Operation::SendAuthenticationInfo);
const UL: Request = Request::Map(Role::Vlr, Operation::UpdateLocation);
const UGL: Request = Request::Map(Role::Sgsn, Operation::UpdateGprsLocation);
const PURGES: [Request; 2] =
    [Request::Map(Role::Vlr, Operation::PurgeMs), Request::Map(Role::Sgsn, Operation::PurgeMs)];
const AIR: Request = Request::Diameter(command::AUTHENTICATION_INFORMATION);
const ULR: Request = Request::Diameter(command::UPDATE_LOCATION);
const PUR: Request = Request::Diameter(command::PURGE_UE);

fn network(plmn: &str, access: Access) -> VisitedNetwork {
    let (name, country) = (plmn.into(), "GB".into());
    VisitedNetwork { name, plmn: plmn.parse().unwrap(), country, access, signal: 1.0 }
}

fn mme(plmn: &str) -> VisitedNetwork {
    let identity = Identity::new("mme1.visited.lab");
    network(plmn, Access::Mme { identity, source_ip: None })
}

fn stp(plmn: &str) -> VisitedNetwork {
    let gateway = sctp::Peer { addresses: Vec::new(), port: 1, encapsulation_port: 1 };
    let link = LinkConfig::new(gateway, AspConfig::new(1, 2));
    network(plmn, Access::Stp { vlr: "4477001".into(), sgsn: "4477002".into(), link })
}

fn customer() -> Customer {
    Customer {
        name: "home".into(),
        realm: Some("home.lab".into()),
        title: Some("21407=34609".parse().unwrap()),
        imsi: "214070000000001..214070000000001".parse().unwrap(),
        countries: vec!["GB".into()],
        preferred: vec!["23410".parse().unwrap()],
    }
}

fn config(sticky: f64, map_share: f64) -> RoamersConfig {
    let to = std::net::SocketAddr::from(([127, 0, 0, 1], 1));
    let networks = vec![mme("23410"), mme("23415"), stp("23410"), stp("23415")];
    let mut config = RoamersConfig::new(to, networks, vec![customer()]);
    config.sticky_share = sticky;
    config.map_share = map_share;
    config.silent_share = 0.0;
    config
}

fn requests(asks: &[Ask]) -> Vec<Request> {
    asks.iter().map(|ask| ask.tag.request).collect()
}

/// One handset and what it has asked for last.
struct Play {
    population: Population,
    asks: Vec<Ask>,
}

impl Play {
    fn new(config: RoamersConfig) -> Self {
        Self { population: Population::new(config), asks: Vec::new() }
    }

    fn begin(&mut self) -> bool {
        self.asks.clear();
        self.population.begin(&mut self.asks)
    }

    /// Lets the handset's timer run out.
    fn wait(&mut self) {
        assert_eq!(self.asks, [], "nothing is under way");
        assert!(self.population.due(u64::MAX, &mut self.asks));
    }

    /// Answers what was asked, in this order of places.
    fn answer(&mut self, said: &[(usize, Said)]) {
        let asked = std::mem::take(&mut self.asks);
        assert_eq!(asked.len(), said.len(), "{asked:?}");
        for (place, said) in said {
            assert_eq!(self.asks, [], "it waits for all of a step");
            let tag = asked.get(*place).unwrap().tag;
            self.population.answered(tag, *said, 0, &mut self.asks);
        }
    }

    /// Answers the authentication with success and every registration alike; gives the PLMN that
    /// was tried, and whether over 4G.
    fn attempt(&mut self, refuse: bool) -> (String, bool) {
        let network = self.asks.first().unwrap().network;
        match requests(&self.asks).as_slice() {
            [AIR] => {
                self.answer(&[(0, SUCCESS)]);
                assert_eq!(requests(&self.asks), [ULR]);
                self.answer(&[(0, if refuse { STEERED } else { SUCCESS })]);
            }
            [SAI] => {
                self.answer(&[(0, OK)]);
                assert_eq!(requests(&self.asks), [UL, UGL]);
                assert!(self.asks.iter().all(|ask| ask.network == network), "{:?}", self.asks);
                let said = if refuse { NO } else { OK };
                self.answer(&[(0, said), (1, said)]);
            }
            other => panic!("{other:?}"),
        }
        let tried = self.population.config.networks.get(network).unwrap();
        (tried.plmn.to_string(), tried.access.stack() == Stack::Diameter)
    }
}

/// The networks that were tried until the last one accepted, and whether each over 4G.
fn tried(sticky: f64, map_share: f64, refusals: usize) -> (Vec<(String, bool)>, Play) {
    let mut play = Play::new(config(sticky, map_share));
    assert!(play.begin());
    let mut networks = Vec::new();
    for _ in 0..refusals {
        networks.push(play.attempt(true));
        play.wait();
    }
    networks.push(play.attempt(false));
    (networks, play)
}

#[test]
fn a_sticky_handset_insists_and_a_moving_one_goes_round() {
    for map_share in [0.0, 0.5, 1.0] {
        let (networks, play) = tried(1.0, map_share, 4);
        assert!(networks.iter().all(|n| n.0 == networks[0].0), "{networks:?}");
        assert_eq!(play.population.stats.attempts, 5);
        let (networks, _) = tried(0.0, map_share, 1);
        assert_ne!(networks[0].0, networks[1].0);
        // Both networks refuse: every pair of tries covers both, whatever the access.
        let (networks, _) = tried(0.0, map_share, 3);
        assert!(networks.chunks(2).all(|two| two[0].0 != two[1].0), "{networks:?}");
    }
}

#[test]
fn one_episode_goes_over_both_accesses() {
    for sticky in [0.0, 1.0] {
        let (networks, play) = tried(sticky, 0.5, 11);
        let over_4g = networks.iter().filter(|(_, over_4g)| *over_4g).count();
        assert!((1..=11).contains(&over_4g), "{networks:?}");
        let snapshot = play.population.stats.snapshot(&play.population.config);
        let [diameter, ss7] = Stack::ALL.map(|stack| &snapshot.stacks[stack.name()]);
        assert_eq!(diameter.registered + ss7.registered, 1, "one attach, whatever it took");
        let refused = |side: &BTreeMap<String, u64>| side.values().sum::<u64>();
        let last = usize::from(networks[11].1);
        let (fourth, map) = (over_4g - last, 11 - (over_4g - last));
        assert_eq!(refused(&diameter.refusals), u64::try_from(fourth).unwrap());
        assert_eq!(refused(&ss7.refusals), u64::try_from(2 * map).unwrap(), "each domain's");
        assert_eq!(snapshot.total.refusals.len(), 2, "{:?}", snapshot.total);
    }
}

#[test]
fn the_share_says_how_often_it_is_2g_or_3g() {
    let (networks, _) = tried(0.0, 0.0, 11);
    assert!(networks.iter().all(|(_, over_4g)| *over_4g), "{networks:?}");
    let (networks, _) = tried(0.0, 1.0, 11);
    assert!(networks.iter().all(|(_, over_4g)| !over_4g), "{networks:?}");
    // Where there is one access only, the share says nothing.
    let mut config = config(0.0, 1.0);
    config.customers[0].title = None;
    let mut play = Play::new(config);
    assert!(play.begin());
    assert_eq!(requests(&play.asks), [AIR]);
    let mut config = self::config(0.0, 1.0);
    config.customers[0].title = None;
    config.networks.retain(|network| network.access.stack() == Stack::Ss7);
    assert!(config.check().is_err());
}

#[test]
fn a_combined_attach_needs_both_domains() {
    for (ul, ugl, again) in
        [(OK, NO, false), (NO, OK, false), (BROKEN, OK, true), (BROKEN, NO, false)]
    {
        for order in [[0, 1], [1, 0]] {
            let mut play = Play::new(config(0.0, 1.0));
            assert!(play.begin());
            let before = play.asks[0].network;
            play.answer(&[(0, OK)]);
            play.answer(&order.map(|place| (place, if place == 0 { ul } else { ugl })));
            assert_eq!(play.population.stats.snapshot(&config(0.0, 1.0)).total.registered, 0);
            play.wait();
            assert_eq!(requests(&play.asks), [SAI], "from the beginning");
            // The worse of two refusals says where it goes.
            assert_eq!(play.asks[0].network == before, again, "{ul} {ugl}");
        }
    }
}

#[test]
fn a_domain_without_an_answer_fails_the_attach_when_the_other_has_ended() {
    let mut play = Play::new(config(0.0, 1.0));
    assert!(play.begin());
    play.answer(&[(0, OK)]);
    let asked = std::mem::take(&mut play.asks);
    play.population.answered(asked[0].tag, OK, 0, &mut play.asks);
    play.population.failed(asked[1].tag, 0, &mut play.asks);
    play.wait();
    assert_eq!((requests(&play.asks), play.asks[0].network), (vec![SAI], asked[0].network));
}

#[test]
fn a_stay_ends_with_a_purge_of_every_domain() {
    for (map_share, purge, said) in [(0.0, &[PUR][..], SUCCESS), (1.0, &PURGES[..], OK)] {
        let (_, mut play) = tried(0.0, map_share, 0);
        play.wait();
        assert_eq!(requests(&play.asks), purge);
        let asked = play.asks.clone();
        assert!(!play.begin());
        play.asks = asked;
        let all: Vec<_> = (0..purge.len()).map(|place| (place, said)).collect();
        play.answer(&all);
        assert!(play.begin(), "it may come again");
    }
}

#[test]
fn an_unknown_subscriber_gives_up_and_tries_are_bounded() {
    let mut play = Play::new(config(0.0, 1.0));
    assert!(play.begin());
    let unknown = Said::Map(outcome::Outcome::Error(code::UNKNOWN_SUBSCRIBER));
    play.answer(&[(0, unknown)]);
    assert_eq!((play.population.stats.barred, play.population.in_progress), (1, 0));

    let mut config = config(1.0, 0.5);
    config.tries = 1;
    let mut play = Play::new(config);
    assert!(play.begin());
    play.attempt(true);
    assert_eq!((play.population.stats.abandoned, play.population.in_progress), (1, 0));
}
