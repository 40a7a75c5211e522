//! What must hold whatever devices do: nobody is refused more than a plan allows, and nobody who was
//! accepted is thrown out.

#[allow(unreachable_pub, reason = "shared by several tests")]
mod desk;
#[allow(unreachable_pub, reason = "shared by several tests")]
mod words;

use std::collections::BTreeMap;

use desk::{Desk, Message, ULR};
use procedure::{Domain, Verdict};
use proptest::prelude::*;

const NETWORKS: [&str; 8] =
    ["23410", "23415", "23420", "23430", "23433", "23450", "23455", "23458"];
const IMSIS: [&str; 2] = ["214070000000001", "214070000000002"];
/// Plans of several kinds, which all have to keep the promises.
const KINDS: [&str; 5] = [
    "preferred = [\"23410\"]",
    "preferred = [\"23410\"]\nlearn = false",
    "preferred = [\"23410\"]\nreturns_max = 1\nprobe_pct = 50",
    "preferred = [\"23410\"]\nallowed = [\"23420\"]\n[[plan.override]]\nname = \"o\"\nimsi_prefixes = \"214070000000002\"\nepisode_refusals_max = 2",
    "[[plan.tier]]\nnetworks = \"23410\"\n[[plan.tier]]\nnetworks = [\"23430\", \"23450\"]\nshares = [50, 50]",
];
const HOLD_MS: u64 = 600_000;
const EPISODE_MS: u64 = 90_000;

#[derive(Clone, Debug)]
struct Step {
    wait_ms: u64,
    network: usize,
    imsi: usize,
    domain: usize,
    /// What the home network says, where it is asked.
    success: bool,
    reload: bool,
}

fn step() -> impl Strategy<Value = Step> {
    let wait = prop_oneof![
        4 => 0_u64..4_000,
        4 => 1_000_u64..40_000,
        1 => 60_000_u64..1_000_000,
    ];
    (wait, 0..NETWORKS.len(), 0..IMSIS.len(), 0..3_usize, any::<bool>(), 0..20_u8).prop_map(
        |(wait_ms, network, imsi, domain, success, reload)| Step {
            wait_ms,
            network,
            imsi,
            domain,
            success,
            reload: reload == 0,
        },
    )
}

/// A judge that shares nothing with the engine: it only looks at what each subscriber lived through.
#[derive(Default)]
struct Judge {
    /// By subscriber and network: when accepted by the home network.
    accepted: BTreeMap<(usize, usize), u64>,
    /// By subscriber: each counted refusal's time, network and attempt.
    refused: BTreeMap<usize, Vec<(u64, usize)>>,
    last_attempt: BTreeMap<(usize, usize), (u64, u8)>,
}

impl Judge {
    fn refusal(&mut self, now: u64, step: &Step, attempt: u8, max: u8) {
        assert!(attempt >= 1 && attempt <= max, "attempt {attempt} of {max}");
        let key = (step.imsi, step.network);
        if let Some(accepted) = self.accepted.get(&key) {
            assert!(now >= accepted + HOLD_MS, "refused {} ms after a yes", now - accepted);
        }
        // Domains of one attach share an attempt: only a new number, or a late one, is counted.
        let counted =
            self.last_attempt.get(&key).is_none_or(|(at, n)| *n != attempt || now - at > 3_050);
        if counted {
            self.last_attempt.insert(key, (now, attempt));
            let refused = self.refused.entry(step.imsi).or_default();
            refused.push((now, step.network));
            let inside = |(at, _): &&(u64, usize)| now - at < EPISODE_MS;
            let here = refused.iter().filter(inside).filter(|(_, n)| *n == step.network).count();
            assert!(
                here <= usize::from(max),
                "{here} refusals on one network in an episode's time"
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nobody_is_refused_too_often_and_nobody_settled_is_refused(
        steps in prop::collection::vec(step(), 1..120),
        max in 1_u8..=4,
        total in 1_u8..=12,
        kind in 0..KINDS.len(),
    ) {
        let steering = format!(
            "[[plan]]\nname = \"p\"\ncustomer = \"iberia\"\ncountry = \"GB\"\n\
             refusals_max = {max}\nepisode_refusals_max = {total}\nhold_s = {}\n{}\n",
            HOLD_MS / 1_000, KINDS[kind]
        );
        let desk = Desk::new(&steering);
        let mut judge = Judge::default();
        for step in &steps {
            desk.wait_ms(step.wait_ms);
            if step.reload {
                desk.engine.reload(&desk::sources(&steering)).expect("the same files");
            }
            let message = Message {
                visited: NETWORKS[step.network],
                imsi: IMSIS[step.imsi],
                domain: [Domain::Cs, Domain::Ps, Domain::Eps][step.domain],
                ..ULR
            };
            let decision = desk.decide(&message);
            let now = desk.now.get();
            match decision.verdict {
                Verdict::Refuse(_) => {
                    prop_assert!(step.network != 0, "a preferred network was refused");
                    judge.refusal(now, step, decision.attempt, max);
                }
                _ => {
                    desk.home_answers(&message, &decision, step.success);
                    if step.success && step.network != 0 {
                        judge.accepted.insert((step.imsi, step.network), now);
                    }
                }
            }
        }
    }

    /// A device that only ever tries one network gets service in the episode's time, whatever its
    /// rhythm.
    #[test]
    fn a_stubborn_device_gets_service_in_time(waits in prop::collection::vec(100_u64..30_000, 1..200)) {
        let desk = Desk::new(desk::PLANS);
        let start = desk.now.get();
        for wait in waits {
            if matches!(desk.decide(&ULR).verdict, Verdict::Forward { .. }) {
                return Ok(());
            }
            prop_assert!(desk.now.get() - start < EPISODE_MS);
            desk.wait_ms(wait);
        }
    }
}
