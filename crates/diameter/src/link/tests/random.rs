//! Whatever comes in whatever order: [`Stage::check`] holds after each event.

use proptest::prelude::*;

use super::*;

/// One thing that may happen.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// Our attempt, if one runs, succeeds or fails.
    Connected(bool),
    Called,
    /// A frame of this kind over one of the live connections.
    Frame(u8, u8),
    Ended(u8),
    Expire,
    Pass(u16),
    Stop,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => any::<bool>().prop_map(Step::Connected),
        4 => Just(Step::Called),
        12 => (any::<u8>(), 0..18_u8).prop_map(|(conn, kind)| Step::Frame(conn, kind)),
        2 => any::<u8>().prop_map(Step::Ended),
        6 => Just(Step::Expire),
        2 => (0..40_000_u16).prop_map(Step::Pass),
        1 => Just(Step::Stop),
    ]
}

fn frame(kind: u8, label: u32, host: &str, realm: &str) -> Vec<u8> {
    match kind {
        0..=3 => samples::cer(host, realm),
        4..=7 => samples::cea(label, 2001, host, realm),
        8 => samples::cea(label, 5010, host, realm),
        9 => samples::cea(label ^ 1, 2001, host, realm),
        10 => samples::cer("nobody.lab", realm),
        11 => dwr(),
        12 | 13 => dwa(),
        14 => dpr(u32::from(label.is_multiple_of(3))),
        15 => dpa(),
        16 => samples::message(REQUEST, 999, (1, 1), &[]),
        _ => samples::ulr(),
    }
}

impl Stage {
    fn pick(&self, at: u8) -> Option<ConnId> {
        let count = self.live.len().max(1);
        self.live.iter().nth(usize::from(at) % count).copied()
    }

    fn play(&mut self, step: Step, host: &str, realm: &str) {
        match step {
            Step::Connected(true) if self.connects > 0 => {
                self.opened(Side::Initiator);
            }
            Step::Connected(false) if self.connects > 0 => self.failed(),
            Step::Called => {
                self.opened(Side::Responder);
            }
            Step::Frame(at, kind) => {
                let Some(conn) = self.pick(at) else { return };
                let label = self.machine.hop_by_hop.unwrap_or(0);
                self.received(conn, &frame(kind, label, host, realm));
            }
            Step::Ended(at) => {
                if let Some(conn) = self.pick(at) {
                    self.closed(conn);
                }
            }
            Step::Expire => {
                self.expire();
            }
            Step::Pass(ms) => self.pass_ms(u64::from(ms)),
            Step::Stop => self.stop(),
            _ => {}
        }
        self.sent.clear();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn no_order_of_events_breaks_the_machine(
        initiator in any::<bool>(),
        steps in proptest::collection::vec(step(), 1..60),
    ) {
        let (link, host, realm) = if initiator {
            (HSS, "hss1.home.lab", "home.lab")
        } else {
            (MME, "mme1.visited.lab", "visited.lab")
        };
        let mut stage = Stage::new(link);
        stage.start();
        for step in steps {
            stage.play(step, host, realm);
        }
    }

    #[test]
    fn no_octets_break_the_machine(
        frames in proptest::collection::vec(
            proptest::collection::vec(any::<u8>(), 0..80), 1..20),
    ) {
        for prepare in 0..3_u8 {
            let mut stage = Stage::new(if prepare == 0 { HSS } else { MME });
            match prepare {
                0 => {
                    stage.start();
                    stage.opened(Side::Initiator);
                }
                1 => {
                    stage.opened(Side::Responder);
                }
                _ => {
                    stage.open_from_mme();
                }
            }
            for frame in &frames {
                let Some(conn) = stage.pick(0) else { break };
                stage.run(|machine, now, fx| machine.received(now, conn, frame, fx));
            }
        }
    }
}
