//! What outcomes teach: when it is not worth it, not possible or not wise to refuse.

#[allow(unreachable_pub, reason = "shared by several tests")]
mod desk;
#[allow(unreachable_pub, reason = "shared by several tests")]
mod words;

use desk::{Desk, Message, PLANS, ULR};
use policy::{Past, PastEnd};
use procedure::{Access, Code, Domain, Exit, Finish, Outcome};

fn plan(more: &str) -> String {
    format!(
        "[[plan]]\nname = \"p\"\ncustomer = \"iberia\"\ncountry = \"GB\"\npreferred = [\"23410\"]\n{more}\n"
    )
}

fn imsi(n: usize) -> &'static str {
    Box::leak(format!("2140700{n:08}").into_boxed_str())
}

/// A device that goes on asking the same network until it is accepted; how often it was refused.
fn insists(desk: &Desk, n: usize, host: &'static str) -> usize {
    let message = Message { imsi: imsi(n), host, ..ULR };
    (0..20).take_while(|_| desk.wait_ms(3_000).attach(&message).starts_with("no")).count()
}

/// A device that goes to the preferred network when refused; whether it was refused.
fn moves(desk: &Desk, n: usize, host: &'static str) -> bool {
    let refused = desk.wait_ms(3_000).attach(&Message { imsi: imsi(n), host, ..ULR });
    if refused.starts_with("no") {
        desk.wait_ms(3_000).attach(&Message { imsi: imsi(n), host: "p", visited: "23410", ..ULR });
    }
    refused.starts_with("no")
}

#[test]
fn an_area_without_a_way_out_costs_almost_nothing_and_the_next_one_is_another_matter() {
    let desk = Desk::new(&plan(""));
    let first: usize = (0..50).map(|n| insists(&desk, n, "valley")).sum();
    let later: usize = (50..1_050).map(|n| insists(&desk, n, "valley")).sum();
    assert!(first < 100, "{first}");
    assert!(later < 4 * 1_000 / 20, "{later} refusals for a thousand");
    assert!(later > 4, "probes go on: {later}");
    let city = (2_000..2_100).filter(|n| moves(&desk, *n, "city")).count();
    assert_eq!(city, 100);
    let decision = desk.decide(&Message { imsi: imsi(5_000), host: "valley", ..ULR });
    let estimate = decision.because.iter().find_map(|reason| match reason.outcome {
        Outcome::Learned { moved_pct } => Some(moved_pct),
        _ => None,
    });
    assert!(estimate.is_some_and(|pct| pct < 10), "{estimate:?}");
}

#[test]
fn an_area_that_gets_coverage_is_taken_up_again() {
    let desk = Desk::new(&plan("probe_pct = 10"));
    (0..100).for_each(|n| _ = insists(&desk, n, "valley"));
    let refused = (1_000..3_000).map(|n| moves(&desk, n, "valley")).collect::<Vec<_>>();
    let at_first = refused[..20].iter().filter(|refused| **refused).count();
    let at_last = refused[1_900..].iter().filter(|refused| **refused).count();
    assert!(at_first < 10 && at_last == 100, "{at_first}, then {at_last}");
}

#[test]
fn to_observe_teaches_nothing() {
    let desk = Desk::new(&plan("mode = \"observe\""));
    for n in 0..100 {
        desk.wait_ms(1_000).say(&Message { imsi: imsi(n), ..ULR });
    }
    desk.engine.reload(&desk::sources(&plan(""))).expect("now it acts");
    assert_eq!(desk.say(&Message { imsi: imsi(500), ..ULR }), "no1");
}

#[test]
fn a_device_that_comes_back_and_tries_no_other_is_taken_at_its_word() {
    let desk = Desk::new(&plan("returns_max = 2\nlearn = false"));
    let say = |visited| desk.wait_ms(10_000).say(&Message { visited, ..ULR });
    assert_eq!([say("23415"), say("23415"), say("23415")], ["no1", "no2", "exit:returns"]);
    let other = |visited| desk.wait_ms(10_000).say(&Message { visited, imsi: imsi(2), ..ULR });
    let said = ["23415", "23430", "23415", "23415", "23415", "23415"].map(other);
    assert_eq!(said, ["no1", "no1", "no2", "no3", "no4", "exit:attempts"], "it does look around");
}

#[test]
fn a_network_that_insists_burns_no_attempts() {
    let desk = Desk::new(&plan("resend_ms = 2000"));
    assert_eq!(desk.say(&ULR), "no1");
    for _ in 0..20 {
        let again = desk.wait_ms(1_000).decide(&ULR);
        assert_eq!(desk.word(&again), "no1");
        assert!(again.because.iter().any(|reason| reason.outcome == Outcome::Resend));
    }
    assert_eq!(desk.wait_ms(8_000).say(&ULR), "no2", "the handset's own retry");
    for _ in 0..100 {
        desk.wait_ms(1_000).say(&ULR);
    }
    assert_eq!(desk.say(&ULR), "settled", "and it cannot go on for ever");
}

#[test]
fn preferred_networks_that_fail_are_no_reason_to_refuse() {
    let desk = Desk::new(&plan("learn = false"));
    for n in 0..30 {
        let there = Message { imsi: imsi(n), visited: "23410", ..ULR };
        let decision = desk.wait_ms(100).decide(&there);
        desk.home_says(&there, &decision, Code::None, Finish::Expired);
        let elsewhere = Message { imsi: imsi(100 + n), visited: "23430", ..ULR };
        let decision = desk.decide(&elsewhere);
        // Accepted elsewhere: it is not the home that fails.
        for _ in 0..2 {
            desk.home_answers(&elsewhere, &decision, true);
        }
    }
    assert_eq!(desk.say(&Message { imsi: imsi(999), ..ULR }), "exit:preferred-down");
    assert_eq!(
        desk.wait_ms(120_000).say(&Message { imsi: imsi(998), ..ULR }),
        "no1",
        "it recovers"
    );
}

#[test]
fn a_home_that_fails_is_no_reason_to_refuse_and_nobody_is_held_for_it() {
    let desk = Desk::new(&plan("learn = false"));
    for n in 0..30 {
        let message = Message { imsi: imsi(n), visited: "23410", ..ULR };
        let decision = desk.wait_ms(100).decide(&message);
        desk.home_says(&message, &decision, Code::None, Finish::Expired);
    }
    let late = Message { imsi: imsi(999), ..ULR };
    assert_eq!(desk.say(&late), "exit:home-failing");
    assert_eq!(desk.wait_ms(5_000).say(&late), "exit:home-failing");
    assert_eq!(desk.wait_ms(120_000).say(&late), "no1");
}

#[test]
fn whom_every_preferred_network_failed_is_let_in_elsewhere() {
    let desk = Desk::new(&plan("learn = false"));
    assert_eq!(desk.say(&ULR), "no1");
    let there = Message { visited: "23410", ..ULR };
    let decision = desk.wait_ms(10_000).decide(&there);
    desk.home_says(&there, &decision, Code::Base(5420), Finish::Answered);
    assert_eq!(desk.wait_ms(10_000).say(&ULR), "exit:preferred-failed");
}

#[test]
fn a_restart_goes_on_with_the_same_counts_and_is_careful_at_first() {
    let desk = Desk::new(PLANS);
    let past = |age_ms, n: usize, end| Past {
        age_ms,
        imsi: imsi(n).parse().expect("an IMSI"),
        visited: "23415".parse().expect("a PLMN"),
        access: Access::FourG,
        domain: Domain::Eps,
        end,
    };
    desk.now.set(1_000);
    desk.engine.restore([
        past(40_000, 1, PastEnd::Refused { attempt: 1 }),
        past(30_000, 1, PastEnd::Refused { attempt: 2 }),
        past(25_000, 2, PastEnd::GaveIn(Exit::Attempts)),
        past(20_000, 1, PastEnd::Refused { attempt: 3 }),
        past(4_000_000, 3, PastEnd::GaveIn(Exit::Attempts)),
        past(10_000, 4, PastEnd::Accepted),
    ]);
    let say = |n| desk.say(&Message { imsi: imsi(n), ..ULR });
    assert_eq!(say(1), "exit:attempts", "three are known, a fourth may have been said");
    assert_eq!(say(2), "settled");
    assert_eq!(say(3), "no1", "its hold is over");
    assert_eq!(say(4), "settled");
    let fresh = |n| {
        let message = Message { imsi: imsi(n), ..ULR };
        let said = |_| desk.wait_ms(5_000).say(&message);
        [0; 5].map(said)
    };
    assert_eq!(fresh(5), ["no1", "no2", "no3", "exit:attempts", "settled"]);
    desk.now.set(130_000);
    assert_eq!(fresh(6)[..4], ["no1", "no2", "no3", "no4"]);
}

#[test]
fn a_plan_that_does_not_learn_teaches_no_other() {
    let both = format!(
        "{}\n[[plan]]\nname = \"q\"\ncustomer = \"rhine\"\ncountry = \"GB\"\npreferred = [\"23410\"]\nlearn = false\n",
        plan("")
    );
    let desk = Desk::new(&both);
    for n in 0..200 {
        let imsi = Box::leak(format!("2620100{n:08}").into_boxed_str());
        let message = Message { imsi, ..ULR };
        while desk.wait_ms(3_000).attach(&message).starts_with("no") {}
    }
    assert_eq!(desk.engine.memory().in_use().areas, 0);
    assert!((0..20).all(|n| moves(&desk, n, "mme1")), "nothing is known of the other's area");
}
