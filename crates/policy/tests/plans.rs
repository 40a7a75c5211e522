//! What a plan can say beyond four refusals: tiers, shares, bars, overrides, dates.

#[allow(unreachable_pub, reason = "shared by several tests")]
mod desk;
#[allow(unreachable_pub, reason = "shared by several tests")]
mod words;

use desk::{CUSTOMERS, Desk, Message, ULR};
use policy::Source;
use procedure::{Access, Domain, Verdict};

fn plan(more: &str) -> String {
    format!("[[plan]]\nname = \"p\"\ncustomer = \"iberia\"\ncountry = \"GB\"\n{more}\n")
}

/// A subscriber by number.
fn imsi(n: usize) -> &'static str {
    Box::leak(format!("2140700{n:08}").into_boxed_str())
}

fn on(visited: &'static str, n: usize) -> Message {
    Message { visited, imsi: imsi(n), ..ULR }
}

#[test]
fn whoever_is_on_a_lower_tier_is_asked_up_once_and_then_welcome() {
    let desk = Desk::new(&plan(
        "[[plan.tier]]\nnetworks = \"23410\"\n[[plan.tier]]\nnetworks = \"23430\"",
    ));
    assert_eq!(desk.attach(&on("23410", 1)), "preferred");
    assert_eq!(desk.attach(&on("23430", 2)), "no1");
    assert_eq!(desk.wait_ms(10_000).attach(&on("23430", 2)), "exit:attempts");
    assert_eq!(desk.wait_ms(10_000).attach(&on("23430", 2)), "preferred", "settled there");
    assert_eq!(desk.attach(&on("23415", 3)), "no1");
    let second = desk.wait_ms(10_000).decide(&on("23430", 3));
    assert_eq!(desk.word(&second), "preferred", "refused once is enough to get there");
    assert_eq!(second.preferred, Some(true));
}

#[test]
fn a_share_that_has_drifted_turns_newcomers_away_once_and_nobody_else() {
    let desk =
        Desk::new(&plan("preferred = [\"23410\", \"23430\"]\nshares = [80, 20]\nlearn = false"));
    for n in 0..100 {
        desk.wait_ms(100).attach(&on(if n % 2 == 0 { "23410" } else { "23430" }, n));
    }
    assert_eq!(desk.attach(&on("23410", 200)), "preferred", "below its target");
    assert_eq!(desk.attach(&on("23430", 1)), "preferred", "settled there");
    assert_eq!(desk.attach(&on("23430", 2)), "preferred", "settled on the other, and lost it");
    assert_eq!(desk.attach(&on("23430", 201)), "no1");
    assert_eq!(desk.wait_ms(10_000).attach(&on("23430", 201)), "exit:attempts");
    assert_eq!(desk.wait_ms(86_000_000).attach(&on("23430", 1)), "preferred", "a day later still");
    assert_eq!(desk.attach(&on("23430", 202)), "preferred", "nothing is known of today yet");
}

#[test]
fn the_loop_brings_shares_to_their_targets() {
    let desk =
        Desk::new(&plan("preferred = [\"23410\", \"23430\"]\nshares = [60, 40]\nlearn = false"));
    let mut accepted = [0_u32; 2];
    let networks = ["23410", "23430"];
    for n in 0..4_000 {
        // Three of ten devices see the first network first; the refused go to the other.
        let first = usize::from(n * 7 % 10 >= 3);
        desk.wait_ms(200);
        let place = [first, 1 - first]
            .into_iter()
            .find(|place| matches!(desk.attach(&on(networks[*place], n)).as_str(), "preferred"));
        accepted[place.expect("accepted somewhere")] += u32::from(n >= 1_000);
    }
    let share = f64::from(accepted[0]) * 100.0 / f64::from(accepted[0] + accepted[1]);
    assert!((54.0..=66.0).contains(&share), "{share}");
}

#[test]
fn a_barred_network_is_refused_for_good_and_an_allowed_one_never() {
    let desk = Desk::new(&plan(
        "preferred = \"23410\"\nbarred = \"23420\"\nallowed = \"23415\"\nreturns_max = 1",
    ));
    for _ in 0..8 {
        let decision = desk.wait_ms(10_000).decide(&on("23420", 1));
        assert!(matches!(decision.verdict, Verdict::Refuse(_)) && decision.attempt == 0);
        assert_eq!(decision.provenance(), procedure::Provenance::Barring);
        assert_eq!(desk.attach(&on("23415", 1)), "accept");
    }
    assert_eq!(desk.say(&on("23430", 1)), "no1", "nothing of that was counted");
}

#[test]
fn a_whole_country_is_barred_but_for_the_sister() {
    let desk = Desk::new(&plan("bar_country = true\nallowed = \"23430\""));
    assert_eq!(desk.say(&on("23410", 1)), "no0");
    assert_eq!(desk.say(&on("23499", 1)), "no0");
    assert_eq!(desk.attach(&on("23430", 1)), "accept");
    let observing = Desk::new(&plan("bar_country = true\nallowed = \"23430\"\nmode = \"observe\""));
    assert_eq!(observing.say(&on("23410", 1)), "would-refuse");
}

#[test]
fn overrides_hold_for_ranges_devices_nodes_and_comers() {
    let customers = format!(
        "{CUSTOMERS}[[customer]]\nname = \"fleet\"\nimsi_prefixes = \"2140798\"\n\
         [[customer.slice]]\nname = \"meters\"\nimsi_prefixes = \"21407985\"\ndevice = \"iot\"\n"
    );
    let steering = r#"
[[plan]]
name = "p"
customer = "fleet"
country = "GB"
preferred = "23410"
learn = false
[[plan.override]]
name = "range"
imsi_ranges = "214079800000000-214079800000009"
mode = "off"
[[plan.override]]
name = "at the border"
nodes = ["*.border.example", "447785"]
refusals_max = 1
[[plan.override]]
name = "back and forth"
came_from = "FR"
mode = "off"
[[plan.override]]
name = "machines"
device = "iot"
refusals_max = 2
[[plan]]
name = "q"
customer = "fleet"
country = "FR"
preferred = "20801"
"#;
    let desk = Desk::with(
        &[
            Source::new("customers.toml", customers),
            Source::new("devices.toml", "[[device]]\nclass = \"iot\"\ntacs = [\"35672011\"]\n"),
            Source::new("steering.toml", steering),
        ],
        1 << 16,
    );
    let series = |message: &Message, count: usize| -> Vec<String> {
        (0..count).map(|_| desk.wait_ms(10_000).say(message)).collect()
    };
    let phone = Message { imsi: "214079811111111", ..ULR };
    assert_eq!(series(&phone, 5), ["no1", "no2", "no3", "no4", "exit:attempts"]);
    assert_eq!(series(&Message { imsi: "214079800000007", ..ULR }, 2), ["accept", "accept"]);
    let there = Message { imsi: "214079811111112", host: "mme7.border.example", ..ULR };
    assert_eq!(series(&there, 2), ["no1", "exit:attempts"]);
    let meter = Message { imsi: "214079851111111", ..ULR };
    assert_eq!(series(&meter, 3), ["no1", "no2", "exit:attempts"]);
    let typed = Message { imsi: "214079811111113", tac: Some(35_672_011), ..ULR };
    assert_eq!(series(&typed, 3), ["no1", "no2", "exit:attempts"]);
    let comer = Message { imsi: "214079811111114", ..ULR };
    assert_eq!(desk.attach(&Message { visited: "20801", ..comer }), "preferred");
    assert_eq!(desk.wait_ms(60_000).say(&comer), "accept", "from France a minute ago");
    assert_eq!(desk.wait_ms(4_000_000).say(&comer), "no1", "that is long ago");
}

#[test]
fn a_plan_holds_over_its_accesses_from_its_first_day_to_its_last_at_its_hours() {
    let desk = Desk::new(&plan(
        "preferred = \"23410\"\naccess = [\"2g\", \"3g\"]\n[[plan]]\nname = \"q\"\ncustomer = \"iberia\"\n\
         country = \"GB\"\npreferred = \"23415\"\nvalid_from = \"2026-11-26\"\nvalid_until = \"2026-11-26\"\n\
         hours_utc = \"06:00-22:00\"",
    ));
    let cs = Message { domain: Domain::Cs, access: Access::Unknown, ..on("23415", 1) };
    assert_eq!(desk.say(&cs), "no1", "MAP tells no access, its domain does");
    let at = |hours: u64| desk.now.set(hours * 3_600_000);
    for (hour, said) in [(1, "unsteered"), (29, "unsteered"), (31, "no1"), (47, "unsteered")] {
        at(hour);
        let message = Message { access: Access::FourG, ..on("23430", hour as usize) };
        assert_eq!(desk.say(&message), said, "hour {hour}");
    }
    at(55);
    assert_eq!(desk.say(&on("23430", 99)), "unsteered", "the day after");
}

#[test]
fn across_a_border_the_same_episode_goes_on() {
    let both = "[[plan]]\nname = \"gb\"\ncustomer = \"iberia\"\ncountry = \"GB\"\npreferred = \"23410\"\nepisode_s = 30\n\
                [[plan]]\nname = \"ie\"\ncustomer = \"iberia\"\ncountry = \"IE\"\npreferred = \"27201\"\nepisode_s = 30\n";
    let desk = Desk::new(both);
    let (gb, ie) = (on("23415", 1), on("27202", 1));
    assert_eq!(desk.say(&gb), "no1");
    assert_eq!(desk.wait_ms(10_000).say(&ie), "no1");
    assert_eq!(desk.wait_ms(10_000).say(&ie), "no2");
    assert_eq!(desk.wait_ms(10_000).say(&ie), "exit:time", "thirty seconds since the first");
    let second = [on("23415", 2), on("27202", 2)];
    assert_eq!(desk.say(&second[0]), "no1");
    assert_eq!(desk.wait_ms(31_000).say(&second[1]), "exit:time");
    let third = [on("23415", 3), on("23410", 3), on("27202", 3)];
    assert_eq!(desk.say(&third[0]), "no1");
    assert_eq!(desk.wait_ms(5_000).attach(&third[1]), "preferred");
    assert_eq!(desk.wait_ms(26_000).say(&third[2]), "no1", "has arrived since, and travels on");
}

#[test]
fn where_shares_are_fixed_everybody_belongs_to_one_network() {
    let text = plan(
        "preferred = [\"23410\", \"23430\"]\nshares = [70, 30]\nshares_by = \"subscriber\"\nlearn = false",
    );
    let desk = Desk::new(&text);
    let mut first = 0;
    for n in 0..1_000 {
        let (here, there) = (desk.attach(&on("23410", n)), desk.attach(&on("23430", n)));
        match (here.as_str(), there.as_str()) {
            ("preferred", _) => first += 1,
            ("no1", "preferred") => {}
            other => unreachable!("{other:?}"),
        }
    }
    assert!((650..=750).contains(&first), "{first}");
    assert_eq!(Desk::new(&text).attach(&on("23410", 1)), desk.say(&on("23410", 1)), "for good");
}
