#![allow(clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

use policy::{Networks, Source};

use super::*;
use crate::world::plans::numbers;
use crate::world::scenario::Scenario;

/// One area, three networks: 23410 is preferred and the others are heard better; the last words
/// refusals as `cause`.
fn scenario(cause: &str, class: &str) -> Scenario {
    let text = format!(
        "name = \"t\"\nminutes = 60\nsubscribers = 1\n\
         [[area]]\nname = \"here\"\n[[area]]\nname = \"there\"\nshare = 0\n\
         [[network]]\nplmn = \"23410\"\nsignal = 60\nspread = 0\ncause = \"{cause}\"\n\
         [[network]]\nplmn = \"23415\"\nsignal = 40\nspread = 0\ncause = \"{cause}\"\nareas = [\"here\"]\n\
         [[network]]\nplmn = \"21407\"\nareas = []\n\
         [[customer]]\nname = \"c\"\nplmn = \"21407\"\n\
         [[class]]\nname = \"k\"\nimsi_prefixes = [\"2140701\", \"2140702\"]\n{class}\n"
    );
    crate::world::read(&Source::new("t.toml", text)).expect("a scenario")
}

/// One handset and everything around it.
struct Bench {
    ground: Ground,
    calendar: Calendar,
    handset: Handset,
    tick: u32,
    asks: Vec<Ask>,
    news: Vec<News>,
}

impl Bench {
    fn new(cause: &str, class: &str) -> Self {
        let scenario = scenario(cause, class);
        let ground =
            Ground::new(scenario.clone(), &Networks::built_in(), vec![1], numbers(&scenario, None));
        let handset = Handset::new(0, 0, &ground, 1);
        let calendar = Calendar::new(seconds(3600));
        let mut bench =
            Self { ground, calendar, handset, tick: 1, asks: Vec::new(), news: Vec::new() };
        bench.with(|handset, stage| handset.woken(0, Why::Arrive, stage));
        bench
    }

    fn with(&mut self, call: impl FnOnce(&mut Handset, &mut Stage<'_>)) {
        let mut news = Vec::new();
        let mut stage = Stage {
            ground: &self.ground,
            tick: self.tick,
            calendar: &mut self.calendar,
            asks: &mut self.asks,
            news: &mut news,
        };
        call(&mut self.handset, &mut stage);
        self.news.extend(news.into_iter().map(|(_, news)| news));
    }

    /// Until it asks something, or for so many seconds.
    fn until_asked(&mut self, most_s: u32) -> Option<Ask> {
        let end = self.tick + seconds(most_s);
        while self.tick < end {
            if !self.asks.is_empty() {
                return Some(self.asks.remove(0));
            }
            self.tick += 1;
            for event in self.calendar.take(self.tick) {
                self.with(|handset, stage| handset.woken(0, event.why, stage));
            }
        }
        None
    }

    fn say(&mut self, ask: Ask, said: Said) {
        self.with(|handset, stage| handset.answered(0, ask.op, ask.attempt, said, stage));
    }

    /// Its next registration, after the authentication before it.
    fn registration(&mut self, most_s: u32) -> Option<Ask> {
        let ask = self.until_asked(most_s)?;
        assert!(matches!(ask.op, Op::Air | Op::Sai), "{ask:?}");
        self.say(ask, Said::Yes);
        let ask = self.until_asked(1)?;
        assert!(ask.op.is_registration(), "{ask:?}");
        Some(ask)
    }

    /// Its next registration is refused by steering; the network it was on.
    fn refused(&mut self, most_s: u32) -> Option<u8> {
        let ask = self.registration(most_s)?;
        let network = self.handset.network;
        self.say(ask, Said::NoRoaming);
        Some(network)
    }

    fn power_cycle(&mut self) {
        let back = self.tick + seconds(10);
        self.with(|handset, stage| handset.switched_off(0, back, stage));
        self.asks.clear();
    }
}

#[test]
fn a_handset_is_small() {
    assert!(size_of::<Handset>() <= 96, "{}", size_of::<Handset>());
}

/// #11 is kept on the SIM: the network is not tried again, not even after a power cycle.
#[test]
fn a_forbidden_network_outlives_a_power_cycle() {
    let mut bench = Bench::new("#11", "");
    assert_eq!(bench.refused(20), Some(0), "the strongest first");
    assert_eq!(bench.refused(5), Some(1), "then the other");
    bench.power_cycle();
    // Both are forbidden: it waits its 10 to 20 s of limited service before it tries them again.
    let from = bench.tick;
    assert_eq!(bench.refused(60), Some(0));
    assert!(bench.tick - from >= seconds(10 + 5 + 10), "{}", bench.tick - from);
}

/// #13 is cleared by a power cycle.
#[test]
fn a_forbidden_area_does_not_outlive_a_power_cycle() {
    let mut bench = Bench::new("#13", "");
    assert_eq!(bench.refused(20), Some(0));
    assert_eq!(bench.refused(5), Some(1));
    bench.power_cycle();
    let from = bench.tick;
    assert_eq!(bench.refused(60), Some(0));
    assert!(bench.tick - from < seconds(10 + 15 + 1), "{}", bench.tick - from);
}

/// #15 sends a phone to the other radio of the same network, and from there to another network.
#[test]
fn no_suitable_cells_leads_to_the_networks_other_radio() {
    let mut bench = Bench::new("#15", "access = \"both\"\ndata_only = true");
    let first = bench.registration(20).expect("asks");
    assert_eq!((first.op, bench.handset.network), (Op::Ulr, 0));
    bench.say(first, Said::NoRoaming);
    let second = bench.registration(5).expect("asks again");
    assert_eq!((second.op, bench.handset.network), (Op::Ugl, 0));
    bench.say(second, Said::NoRoaming);
    assert_eq!(bench.refused(5), Some(1));
}

/// #12 ends the search: nothing happens until the user acts.
#[test]
fn area_not_allowed_waits_for_the_user() {
    let mut bench = Bench::new("#12", "toggle_s = 600");
    assert_eq!(bench.refused(20), Some(0));
    assert_eq!(bench.until_asked(299), None);
    assert!(bench.until_asked(700).is_some());
}

/// #17 is tried five times ten seconds apart, then elsewhere.
#[test]
fn a_network_failure_is_tried_again() {
    let mut bench = Bench::new("#17", "");
    for time in 1..=5 {
        let before = bench.tick;
        assert_eq!(bench.refused(20), Some(0), "attempt {time}");
        assert!(time == 1 || bench.tick - before >= seconds(T3411_S));
    }
    assert_eq!(bench.refused(5), Some(1));
}

#[test]
fn a_blind_module_insists() {
    let mut bench =
        Bench::new("#11", "behaviour = \"blind\"\nretry_least_s = 5\nretry_most_s = 10");
    for _ in 0..10 {
        assert_eq!(bench.refused(20), Some(0));
    }
}

#[test]
fn a_user_by_hand_insists_for_a_while() {
    let mut bench = Bench::new("#11", "behaviour = \"manual\"");
    for _ in 0..=PATIENCE {
        assert_eq!(bench.refused(20), Some(0));
    }
    assert_eq!(bench.refused(5), Some(1));
}

/// After success a network is forbidden no longer, but for a module that never clears its list.
#[test]
fn a_sticky_module_never_forgets() {
    for (behaviour, forgets) in [("automatic", true), ("sticky", false)] {
        let mut bench =
            Bench::new("#11", &format!("behaviour = \"{behaviour}\"\ndata_only = true"));
        assert_eq!(bench.refused(20), Some(0));
        assert_eq!(bench.refused(5), Some(1));
        let ask = bench.registration(30).expect("the last resort");
        assert_eq!(bench.handset.network, 0);
        bench.say(ask, Said::Yes);
        assert_eq!(bench.handset.state, State::Registered);
        assert_eq!(bench.handset.forbidden & 1 == 0, forgets, "{behaviour}");
    }
}

#[test]
fn a_module_with_several_identities_takes_the_next_after_two_minutes() {
    let mut bench = Bench::new("#11", "behaviour = \"multi-imsi\"\ndata_only = true");
    let arrived = bench.tick;
    while bench.handset.identity == 0 && bench.refused(60).is_some() {}
    assert_eq!(bench.handset.identity, 1);
    assert_eq!(bench.news.iter().filter(|news| **news == News::Rotated).count(), 1);
    let after = bench.tick - arrived;
    assert!((seconds(ROTATE_S)..seconds(ROTATE_S + 40)).contains(&after), "{after}");
    assert_eq!(bench.handset.forbidden, 1 << bench.handset.network, "the new SIM's list was empty");
}

/// To the letter: without service until the user acts.
#[test]
fn a_strict_handset_waits_for_its_user() {
    let mut bench = Bench::new("#11", "strict_percent = 100\ntoggle_s = 300");
    assert_eq!(bench.refused(20), Some(0));
    assert_eq!(bench.refused(5), Some(1));
    assert_eq!(bench.until_asked(140), None);
    assert!(bench.until_asked(400).is_some());
}

/// The clock of refusals runs from the first of them to service, and not while a home fails.
#[test]
fn the_clock_counts_what_refusals_cost() {
    let mut bench = Bench::new("#11", "data_only = true");
    let ask = bench.registration(20).expect("asks");
    let refused = bench.tick;
    bench.say(ask, Said::NoRoaming);
    let ask = bench.until_asked(5).expect("asks elsewhere");
    let failed = bench.tick;
    bench.say(ask, Said::Failed);
    let ask = bench.until_asked(20).expect("asks again");
    let excused = bench.tick - failed;
    bench.say(ask, Said::Yes);
    let ask = bench.until_asked(1).expect("registers");
    bench.say(ask, Said::Yes);
    let whole = bench.tick - refused;
    assert_eq!(excused, seconds(T3411_S));
    assert!(bench.news.contains(&News::Unserved { ticks: whole - excused }), "{:?}", bench.news);
}

/// A network that steers against steering repeats by itself; the handset hears nothing of it.
#[test]
fn anti_steering_repeats_are_one_attempt() {
    let mut bench = Bench::new("#11", "data_only = true");
    bench.ground.scenario.networks[0].resends = 2;
    let mut ask = bench.registration(20).expect("asks");
    for _ in 0..2 {
        bench.say(ask, Said::NoRoaming);
        ask = bench.until_asked(3).expect("the network repeats");
        assert_eq!((ask.op, bench.handset.state), (Op::Ulr, State::Registering));
    }
    bench.say(ask, Said::NoRoaming);
    let again = bench.news.iter().filter(|news| matches!(news, News::Refused { again: true, .. }));
    assert_eq!(again.count(), 2);
    assert_eq!(bench.refused(5), Some(1));
}

/// The order of TS 23.122: the list of the SIM before the stronger network.
#[test]
fn listed_networks_come_first() {
    let mut bench = Bench::new("#11", "listed_percent = 100");
    bench.ground.preferred = vec![0b10];
    assert_eq!(bench.refused(20), Some(1));
}
