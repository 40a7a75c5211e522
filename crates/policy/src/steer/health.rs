//! Who answers registrations and who does not: home networks, and visited networks that a plan
//! prefers. Counts are halved every [`HALF`], so that trouble is noticed and forgotten within a
//! minute.

use std::sync::atomic::{AtomicU32, Ordering};

use super::cells::{Cell, Cells};
use super::packed::Tick;
use crate::hash;
use procedure::{Plmn, Symbol};

/// Sets of eight.
const SETS: usize = 1024;
/// After so long counts weigh half.
const HALF: Tick = Tick::from_ms(20_000);
/// Failures without which nobody is taken for failing.
const FAILURES_MIN: u16 = 10;

/// How registrations ended.
#[derive(Clone, Copy, Debug, Default)]
struct Ends {
    good: u16,
    bad: u16,
    halved: Tick,
}

impl Cell for Ends {}

impl Ends {
    fn decay(&mut self, now: Tick) {
        let age = now.since(self.halved).word() / HALF.word();
        if age > 0 {
            self.good = self.good.checked_shr(age).unwrap_or(0);
            self.bad = self.bad.checked_shr(age).unwrap_or(0);
            self.halved = now;
        }
    }

    const fn is_failing(self) -> bool {
        self.bad >= FAILURES_MIN && self.bad > self.good
    }
}

/// How everybody does.
#[derive(Debug)]
pub(crate) struct Health {
    ends: Cells<Ends>,
    /// When anybody was last seen failing: as long as nobody is, nobody need be looked up.
    trouble: AtomicU32,
}

impl Default for Health {
    fn default() -> Self {
        Self { ends: Cells::new(SETS), trouble: AtomicU32::new(0) }
    }
}

impl Health {
    /// A customer's registration ended on this visited network.
    pub(crate) fn note(&self, customer: Symbol, network: Plmn, good: bool, now: Tick) {
        for key in [home(customer), pair(customer, network)] {
            let _room = self.ends.with(key, now, |_, ends| {
                ends.decay(now);
                let count = if good { &mut ends.good } else { &mut ends.bad };
                *count = count.saturating_add(1);
                if ends.is_failing() {
                    self.trouble.store(now.word(), Ordering::Relaxed);
                }
            });
        }
    }

    /// Whether nobody can be failing now: all that was bad has been halved away.
    pub(crate) fn is_quiet(&self, now: Tick) -> bool {
        let trouble = self.trouble.load(Ordering::Relaxed);
        trouble == 0 || now.word().saturating_sub(trouble) > 16 * HALF.word()
    }

    /// Whether a customer's home network answers most registrations badly or not at all.
    pub(crate) fn home_fails(&self, customer: Symbol, now: Tick) -> bool {
        self.fails(home(customer), now)
    }

    /// Whether most of a customer's registrations on this network fail.
    pub(crate) fn network_fails(&self, customer: Symbol, network: Plmn, now: Tick) -> bool {
        self.fails(pair(customer, network), now)
    }

    fn fails(&self, key: u64, now: Tick) -> bool {
        let found = self.ends.with_known(key, |ends| {
            ends.decay(now);
            ends.is_failing()
        });
        found.unwrap_or(false)
    }
}

const fn home(customer: Symbol) -> u64 {
    hash::word(1, customer.0 as u64)
}

const fn pair(customer: Symbol, network: Plmn) -> u64 {
    hash::word(2, (customer.0 as u64) << 32 | network.word() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn most_must_fail_and_it_is_forgotten_soon() {
        let health = Health::default();
        let (customer, network) = (Symbol(1), "23410".parse().expect("a PLMN"));
        let at = |s: u64| Tick::from_ms(s * 1_000);
        for _ in 0..9 {
            health.note(customer, network, false, at(1));
        }
        assert!(!health.home_fails(customer, at(1)), "few say nothing");
        for _ in 0..9 {
            health.note(customer, network, false, at(2));
        }
        assert!(
            health.home_fails(customer, at(2)) && health.network_fails(customer, network, at(2))
        );
        let other = "23415".parse().expect("a PLMN");
        assert!(!health.network_fails(customer, other, at(2)));
        for _ in 0..40 {
            health.note(customer, other, true, at(3));
        }
        assert!(!health.home_fails(customer, at(3)), "it answers elsewhere");
        assert!(health.network_fails(customer, network, at(3)));
        assert!(!health.network_fails(customer, network, at(60)));
    }
}
