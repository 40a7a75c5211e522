//! Shares between the preferred networks of a tier, held by closed loop: new registrations are
//! counted over a sliding time, and a newcomer on a network that has drifted above its target may be
//! asked, once, to try another.

use super::cells::{Cell, Cells};
use super::packed::Tick;
use crate::hash;
use procedure::{Plmn, Symbol};

/// Sets of eight.
const SETS: usize = 2048;
/// The sliding time is between one and two of these.
const HALF_WINDOW: Tick = Tick::from_ms(900_000);
/// Registrations before which a share says nothing.
const COUNT_MIN: u32 = 40;

/// New registrations in this half of the window and in the one before.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    now: u32,
    before: u32,
    turned: Tick,
}

impl Cell for Count {}

impl Count {
    fn turn(&mut self, now: Tick) {
        let age = now.since(self.turned).word() / HALF_WINDOW.word();
        if age > 0 {
            self.before = if age == 1 { self.now } else { 0 };
            self.now = 0;
            self.turned = now;
        }
    }
}

/// All counts.
#[derive(Debug)]
pub(crate) struct Shares(Cells<Count>);

impl Default for Shares {
    fn default() -> Self {
        Self(Cells::new(SETS))
    }
}

impl Shares {
    /// A newcomer was accepted.
    pub(crate) fn note(&self, plan: Symbol, network: Plmn, now: Tick) {
        let _room = self.0.with(key(plan, network), now, |_, count| {
            count.turn(now);
            count.now = count.now.saturating_add(1);
        });
    }

    /// A network's share in hundredths among those of its tier; nothing before enough were seen.
    pub(crate) fn share(
        &self,
        plan: Symbol,
        network: Plmn,
        tier: impl Iterator<Item = Plmn>,
        now: Tick,
    ) -> Option<f32> {
        let seen = |network| {
            let count = self.0.with_known(key(plan, network), |count| {
                count.turn(now);
                count.now.saturating_add(count.before)
            });
            count.unwrap_or(0)
        };
        let all: u32 = tier.map(seen).fold(0, u32::saturating_add);
        (all >= COUNT_MIN).then(|| seen(network) as f32 * 100.0 / all as f32)
    }
}

const fn key(plan: Symbol, network: Plmn) -> u64 {
    hash::word(3, (plan.0 as u64) << 32 | network.word() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_slides() {
        let shares = Shares::default();
        let networks: [Plmn; 2] = ["23410", "23430"].map(|plmn| plmn.parse().expect("a PLMN"));
        let at = |s: u64| Tick::from_ms(s * 1_000);
        let share = |now| shares.share(Symbol(1), networks[0], networks.into_iter(), at(now));
        for n in 0..100 {
            shares.note(Symbol(1), networks[usize::from(n % 4 == 0)], at(2_000 + n));
        }
        assert_eq!(share(2_100), Some(75.0));
        assert_eq!(share(3_100), Some(75.0), "the half before still counts");
        assert_eq!(share(9_000), None, "and is forgotten");
    }
}
