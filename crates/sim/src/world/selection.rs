//! Which network a handset tries next.

use super::super::calendar::seconds;
use super::super::ground::{GOOD_SIGNAL, NONE};
use super::{Handset, NOTHING_S, Stage, State};

impl Handset {
    /// Looks for networks from the beginning: the whole spectrum.
    pub(super) fn search_all(&mut self, id: u32, stage: &mut Stage<'_>) {
        self.next_attempt();
        self.state = State::Searching;
        (self.network, self.tried, self.attempts) = (NONE, 0, 0);
        let scan = self.between(seconds(5), seconds(15));
        self.wait(id, scan, stage);
    }

    /// The next of those found.
    pub(super) fn search_on(&mut self, id: u32, stage: &mut Stage<'_>) {
        self.next_attempt();
        self.state = State::Searching;
        let scan = self.between(seconds(1), seconds(3));
        self.wait(id, scan, stage);
    }

    pub(super) fn select(&mut self, id: u32, stage: &mut Stage<'_>) {
        if let Some(network) = self.choose(stage) {
            if network != self.network {
                self.attempts = 0;
            }
            self.network = network;
            return self.attempt(id, stage);
        }
        if self.heard(stage) != 0 {
            return self.limited(id, false, stage);
        }
        self.excuse(stage.tick);
        self.network = NONE;
        self.wait(id, seconds(NOTHING_S), stage);
    }

    fn heard(&self, stage: &Stage<'_>) -> u16 {
        let Some(class) = stage.ground.class(self.class) else { return 0 };
        stage.ground.heard(class, self.customer(stage.ground), self.area, stage.tick)
    }

    /// The network it was registered on, the home network, those that the SIM lists, then those
    /// with a good signal at random, then the others by signal.
    //= TS 23.122 §4.4.3.1.1
    pub(super) fn choose(&mut self, stage: &Stage<'_>) -> Option<u8> {
        let customer = self.customer(stage.ground);
        let home = stage.ground.home(customer);
        let open = self.heard(stage) & !self.forbidden & !self.tried;
        let mut best: Option<(u64, u8)> = None;
        for network in (0..16).filter(|network| open >> network & 1 != 0) {
            let node = stage.ground.node(network, self.area, stage.tick)?;
            if self.forbidden_areas >> (node & 63) & 1 != 0 {
                continue;
            }
            let signal = stage.ground.signal(network, self.area, self.hearing);
            let listed = self.is_listed && stage.ground.preferred(customer) >> network & 1 != 0;
            let rank = match () {
                () if network == self.last => 5 << 40,
                () if network == home => 4 << 40,
                () if listed => 3 << 40 | u64::from(signal),
                () if signal >= GOOD_SIGNAL => 2 << 40 | self.random.bits() >> 32,
                () => 1 << 40 | u64::from(signal),
            };
            if best.is_none_or(|(before, _)| rank > before) {
                best = Some((rank, network));
            }
        }
        best.map(|(_, network)| network)
    }

    /// The strongest of all that are there.
    pub(super) fn best(&self, stage: &Stage<'_>) -> Option<u8> {
        let heard = self.heard(stage);
        let there = (0..16).filter(|network| heard >> network & 1 != 0);
        there.max_by_key(|network| stage.ground.signal(*network, self.area, self.hearing))
    }
}
