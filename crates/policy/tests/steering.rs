//! Steering in virtual time: what is refused, how often, and when it gives in.

#[allow(unreachable_pub, reason = "shared by several tests")]
mod desk;
#[allow(unreachable_pub, reason = "shared by several tests")]
mod words;

use desk::{Desk, Message, PLANS, ULR, sources};
use procedure::{Act, Domain, Exit, Outcome, Policy as _, Refusal, Verdict};

fn plan(more: &str) -> String {
    format!(
        "[[plan]]\nname = \"p\"\ncustomer = \"iberia\"\ncountry = \"GB\"\npreferred = [\"23410\"]\n{more}\n"
    )
}

/// Says the same message again and again, ten seconds apart.
fn series(desk: &Desk, message: &Message, count: usize) -> Vec<String> {
    (0..count).map(|_| desk.wait_ms(10_000).say(message)).collect()
}

#[test]
fn four_refusals_then_accepted_and_held_then_steered_again() {
    let desk = Desk::new(&plan("learn = false"));
    assert_eq!(series(&desk, &ULR, 4), ["no1", "no2", "no3", "no4"]);
    let exit = desk.wait_ms(10_000).decide(&ULR);
    assert_eq!((exit.exit, exit.attempt), (Some(Exit::Attempts), 4));
    assert!(matches!(exit.verdict, Verdict::Forward { .. }));
    desk.home_answers(&ULR, &exit, true);
    assert_eq!(series(&desk, &ULR, 3), ["settled", "settled", "settled"]);
    assert_eq!(desk.wait_ms(3_500_000).say(&ULR), "settled", "held for an hour");
    assert_eq!(desk.wait_ms(3_600_000).say(&ULR), "no1", "and not for ever");
}

#[test]
fn a_preferred_network_is_accepted_and_ends_the_episode_once_its_time_is_over() {
    let desk = Desk::new(PLANS);
    let preferred = Message { visited: "23410", ..ULR };
    assert_eq!(series(&desk, &ULR, 2), ["no1", "no2"]);
    let accepted = desk.decide(&preferred);
    assert_eq!((desk.word(&accepted).as_str(), accepted.preferred), ("preferred", Some(true)));
    desk.home_answers(&preferred, &accepted, true);
    assert_eq!(desk.wait_ms(10_000).say(&ULR), "no3", "bouncing at once goes on counting");
    assert_eq!(desk.wait_ms(10_000).attach(&preferred), "preferred");
    assert_eq!(desk.wait_ms(600_000).say(&ULR), "no1", "later it is a new visit");
    assert_eq!(desk.wait_ms(600_000).say(&ULR), "exit:time", "of somebody who is still refused");
}

#[test]
fn whoever_never_reached_a_preferred_network_is_accepted_when_time_is_up() {
    let desk = Desk::new(PLANS);
    assert_eq!(desk.say(&ULR), "no1");
    assert_eq!(desk.wait_ms(89_900).say(&ULR), "no2");
    assert_eq!(desk.wait_ms(100).say(&ULR), "exit:time");
    assert_eq!(desk.wait_ms(1_000_000).say(&ULR), "settled");
}

#[test]
fn networks_are_counted_apart_and_together() {
    let desk = Desk::new(&plan("refusals_max = 3\nepisode_refusals_max = 5"));
    let other = Message { visited: "23430", ..ULR };
    let third = Message { visited: "23420", ..ULR };
    assert_eq!(series(&desk, &ULR, 2), ["no1", "no2"]);
    assert_eq!(series(&desk, &other, 3), ["no1", "no2", "no3"]);
    assert_eq!(desk.say(&third), "exit:total");
    assert_eq!(desk.say(&ULR), "settled");
    assert_eq!(desk.say(&other), "settled");
}

#[test]
fn more_networks_than_can_be_told_apart_are_accepted() {
    let desk = Desk::new(&plan("episode_refusals_max = 20"));
    let networks = ["23415", "23420", "23430", "23433"];
    for visited in networks {
        assert_eq!(desk.say(&Message { visited, ..ULR }), "no1");
    }
    assert_eq!(desk.say(&Message { visited: "23455", ..ULR }), "exit:total");
    for visited in networks {
        assert_eq!(desk.say(&Message { visited, ..ULR }), "settled", "and held wherever they go");
    }
}

#[test]
fn a_repeat_gets_the_same_answer_and_counts_nothing() {
    let desk = Desk::new(PLANS);
    let first = Message { exchange: Some(42), ..ULR };
    let second = Message { exchange: Some(43), ..ULR };
    assert_eq!(series(&desk, &first, 5), ["no1"; 5]);
    let replayed = desk.decide(&first);
    let outcomes: Vec<Outcome> = replayed.because.iter().map(|reason| reason.outcome).collect();
    assert_eq!(outcomes, [Outcome::Replay, Outcome::Refuse(Refusal::RoamingNotAllowed)]);
    assert_eq!(desk.say(&second), "no2");
    assert_eq!(desk.say(&first), "no1", "an older one still has its own answer");
}

#[test]
fn the_domains_of_one_attach_are_one_attempt() {
    let desk = Desk::new(PLANS);
    let over = |domain| Message { domain, ..ULR };
    for attempt in ["no1", "no2", "no3", "no4"] {
        desk.wait_ms(10_000);
        assert_eq!(desk.say(&over(Domain::Cs)), attempt);
        assert_eq!(desk.wait_ms(900).say(&over(Domain::Ps)), attempt);
        assert_eq!(desk.wait_ms(900).say(&over(Domain::Eps)), attempt);
    }
    assert_eq!(desk.wait_ms(10_000).say(&over(Domain::Cs)), "exit:attempts");
    assert_eq!(desk.wait_ms(900).say(&over(Domain::Ps)), "settled");
}

#[test]
fn the_same_domain_again_or_too_late_is_another_attempt() {
    let desk = Desk::new(PLANS);
    assert_eq!(desk.say(&ULR), "no1");
    assert_eq!(desk.wait_ms(500).say(&ULR), "no2");
    assert_eq!(desk.wait_ms(3_100).say(&Message { domain: Domain::Cs, ..ULR }), "no3");
    let elsewhere = Message { domain: Domain::Ps, visited: "23430", ..ULR };
    assert_eq!(desk.wait_ms(100).say(&elsewhere), "no1", "another network is another attempt");
}

#[test]
fn only_registrations_are_refused() {
    let desk = Desk::new(PLANS);
    for act in Act::ALL.into_iter().filter(|act| *act != Act::Register) {
        for _ in 0..6 {
            let decision = desk.wait_ms(1_000).decide(&Message { act, ..ULR });
            let steered = decision.refused_by == Some(procedure::Stage::Steer);
            assert!(!steered && decision.attempt == 0, "{act:?}");
        }
    }
    assert_eq!(desk.say(&ULR), "no1", "and nothing was counted");
}

#[test]
fn two_customers_and_two_subscribers_do_not_mix() {
    let desk = Desk::new(PLANS);
    let rhine = Message { imsi: "262010000000001", ..ULR };
    let second = Message { imsi: "214070000000002", ..ULR };
    assert_eq!(series(&desk, &ULR, 3), ["no1", "no2", "no3"]);
    assert_eq!(desk.say(&rhine), "no1");
    assert_eq!(desk.say(&second), "no1");
    assert_eq!(desk.say(&Message { visited: "23430", ..rhine }), "preferred");
    let stranger = Message { imsi: "222010000000001", ..ULR };
    assert_eq!(desk.say(&stranger), "unsteered");
}

#[test]
fn a_reload_keeps_every_count_and_every_hold() {
    let desk = Desk::new(PLANS);
    let held = Message { imsi: "214070000000009", ..ULR };
    assert_eq!(series(&desk, &held, 5).last().map(String::as_str), Some("exit:attempts"));
    assert_eq!(series(&desk, &ULR, 3), ["no1", "no2", "no3"]);
    let report = desk.engine.reload(&sources(PLANS)).expect("the same files");
    assert_eq!((report.version, desk.engine.version()), (2, 2));
    assert_eq!(series(&desk, &ULR, 2), ["no4", "exit:attempts"]);
    assert_eq!(desk.say(&held), "settled");
}

#[test]
fn a_reload_with_a_mistake_leaves_the_running_rules() {
    let desk = Desk::new(PLANS);
    let mistakes = desk.engine.reload(&sources("[[plan]]\nname = \"x\"\n")).expect_err("mistakes");
    assert!(mistakes.len() >= 2, "{:?}", desk::lines(&mistakes));
    assert_eq!(desk.engine.version(), 1);
    assert_eq!(desk.say(&ULR), "no1");
}

#[test]
fn a_home_networks_no_is_neither_a_refusal_of_ours_nor_a_yes() {
    let desk = Desk::new(PLANS);
    let first = desk.decide(&ULR);
    desk.home_answers(&ULR, &first, false);
    assert_eq!(desk.wait_ms(10_000).say(&ULR), "no2");
}

#[test]
fn whoever_the_home_network_accepted_is_left_in_peace() {
    let observing = Desk::new(&plan("mode = \"observe\""));
    let decision = observing.decide(&ULR);
    assert_eq!(observing.word(&decision), "would-refuse");
    assert!(matches!(decision.verdict, Verdict::Forward { .. }));
    assert_eq!(decision.attempt, 1);
    observing.home_answers(&ULR, &decision, true);
    observing.engine.reload(&sources(&plan(""))).expect("now it acts");
    assert_eq!(observing.wait_ms(10_000).say(&ULR), "settled");
}

#[test]
fn exempt_subscribers_and_plans_without_a_way_out_refuse_nobody() {
    let desk = Desk::new(PLANS);
    let meter = Message { imsi: "214079900000001", ..ULR };
    assert_eq!(series(&desk, &meter, 6), ["accept"; 6]);
    let desk = Desk::new(&plan("preferred_available = false"));
    assert_eq!(series(&desk, &ULR, 2), ["exit:no-preferred", "settled"]);
}

#[test]
fn a_refusal_is_worded_by_network_access_and_domain() {
    let desk = Desk::new(&plan(
        "[[plan.answer]]\nvisited = \"23430\"\naccess = \"4g\"\ncode = 5421\n[[plan.answer]]\ndomain = \"ps\"\ncode = 5420",
    ));
    let there = Message { visited: "23430", ..ULR };
    assert_eq!(desk.say(&there), "rat-not-allowed1");
    assert_eq!(desk.say(&ULR), "no1");
    let ps = Message { domain: Domain::Ps, ..ULR };
    assert_eq!(desk.say(&ps), "unknown-subscription1", "the same attempt, worded for its domain");
    let cs = Message { domain: Domain::Cs, ..there };
    assert_eq!(desk.wait_ms(10_000).say(&cs), "no2", "5421 is no answer over CS");
}

#[test]
fn a_full_memory_accepts_without_steering_and_counts_it() {
    let desk = Desk::with(&sources(PLANS), 1);
    let imsis: Vec<String> = (0..2_000).map(|n| format!("2140700{n:08}")).collect();
    let said: Vec<String> = imsis
        .iter()
        .map(|imsi| desk.say(&Message { imsi: Box::leak(imsi.clone().into_boxed_str()), ..ULR }))
        .collect();
    let used = desk.engine.memory().in_use();
    assert!(used.subscribers <= used.subscribers_max && used.full > 1_000);
    assert_eq!(said.iter().filter(|word| *word == "accept").count() as u64, used.full);
    assert!(desk.engine.symbols().find(policy::MEMORY_FULL).is_some());
}

#[test]
fn to_explain_changes_nothing() {
    let desk = Desk::new(PLANS);
    assert_eq!(desk.say(&ULR), "no1");
    let ruleset = desk.engine.ruleset();
    let probe = policy::Probe {
        imsi: ULR.imsi.parse().ok(),
        visited: ULR.visited.parse().ok(),
        ..policy::Probe::default()
    };
    let probe = probe.complete(ruleset.compiled(), &words::Words);
    let mut procedure = probe.procedure();
    procedure.arrived = desk.wait_ms(10_000).time();
    for _ in 0..3 {
        let explanation = ruleset.explain(&procedure, None);
        assert_eq!((explanation.verdict, explanation.attempt), ("refuse", 2));
        assert_eq!(ruleset.explain(&procedure, Some(5)).exit, Some("attempts"));
        assert_eq!(ruleset.explain(&procedure, Some(1)).attempt, 1);
    }
    assert_eq!(desk.say(&ULR), "no2");
}
