//! A handset: a small machine that looks for a network, registers, is refused, and does about it
//! what the standards or its maker say. No clock, no socket: what it wants goes into a [`Stage`].
//!
//! **The clock of refusals** runs from the first refusal by steering until there is service again:
//! without that refusal the handset would have been served then. It stands still while something
//! else keeps the handset from service (no coverage, a failing home network, no power, a user who is
//! waited for, which is counted by itself), so it tells what refusals cost, apart from the handset's
//! own search before the first of them.

use super::calendar::{Calendar, Why, millis, seconds};
use super::ground::{Ground, NONE};
pub(super) use super::said::{Ask, News, Op, Said};
use super::scenario::{Behaviour, Cause, Class};
use crate::ids::Random;

/// A time that never was.
pub(super) const NEVER: u32 = u32::MAX;
/// A user by hand gives up after so many tries, and leaves it to the handset.
const PATIENCE: u8 = 8;
//= TS 24.301 §5.5.1.2.6
const ATTEMPTS_MAX: u8 = 5;
//= TS 24.008 §4.4.4.9
const CS_ATTEMPTS_MAX: u8 = 4;
/// T3411, and the T3211 of 2G and 3G.
//= TS 24.301 §10.2
//= TS 24.008 §11.2
const T3411_S: u32 = 10;
const T3211_S: u32 = 15;
/// T3402, and the T3212 that stands in its place in 2G and 3G.
const T3402_S: u32 = 720;
/// How long a network waits for its home network before it gives up.
const ANSWER_S: u32 = 15;
/// A module with several identities waits so long for service before it takes the next.
const ROTATE_S: u32 = 120;
/// Between two searches where there is nothing at all.
const NOTHING_S: u32 = 30;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Not there, or without power.
    Off,
    /// Looking for a network.
    Searching,
    Authenticating,
    Registering,
    /// Will try the same network again.
    Waiting,
    /// Nowhere left to go: waits, then tries what it had given up.
    Limited,
    Registered,
}

/// One device. Small: there are millions.
#[derive(Clone, Debug)]
pub(super) struct Handset {
    pub(super) random: Random,
    hearing: u32,
    /// Nodes whose area it may not roam in. Cleared when it is switched off.
    forbidden_areas: u64,
    /// Networks on its SIM's list of forbidden ones.
    forbidden: u16,
    /// Networks that failed it in this search.
    tried: u16,
    pub(super) state: State,
    pub(super) class: u8,
    pub(super) identity: u8,
    pub(super) area: u8,
    pub(super) network: u8,
    /// Where it was registered last.
    last: u8,
    /// It is on 2G or 3G.
    on_2g: bool,
    is_listed: bool,
    is_strict: bool,
    /// It moves within the network it is registered on: no attach.
    is_moving: bool,
    attempts: u8,
    resends: u8,
    /// Tells the answers of this attempt from older ones; five bits.
    attempt: u8,
    timer: u8,
    pub(super) visit: u8,
    stop: u8,
    /// Its power, or its stretch without service: numbers that tell a late event.
    power: u8,
    gap: u8,
    pending: u8,
    worst: Said,
    /// The first refusal since there was service.
    refused_since: u32,
    /// Something else keeps it from service since then; and how long that was before.
    excused_since: u32,
    excused: u32,
}

/// What a handset may touch.
pub(super) struct Stage<'a> {
    pub(super) ground: &'a Ground,
    pub(super) tick: u32,
    pub(super) calendar: &'a mut Calendar,
    pub(super) asks: &'a mut Vec<Ask>,
    pub(super) news: &'a mut Vec<(u32, News)>,
}

impl Handset {
    /// A device that is not there yet.
    pub(super) fn new(handset: u32, class: u8, ground: &Ground, seed: u64) -> Self {
        let mut random = Random::new(Random::new(seed ^ u64::from(handset) << 20).bits());
        let own = ground.class(class);
        let mut is = |percent: u32| random.unit() * 100.0 < f64::from(percent);
        let (is_listed, is_strict, on_2g) = own
            .map_or((false, false, false), |own| (is(own.listed), is(own.strict), is(own.on_2g)));
        Self {
            hearing: u32::try_from(random.bits() >> 32).unwrap_or(0),
            random,
            forbidden_areas: 0,
            forbidden: 0,
            tried: 0,
            state: State::Off,
            class,
            identity: 0,
            area: NONE,
            network: NONE,
            last: NONE,
            on_2g,
            is_listed,
            is_strict,
            is_moving: false,
            attempts: 0,
            resends: 0,
            attempt: 0,
            timer: 0,
            visit: 0,
            stop: 0,
            power: 0,
            gap: 0,
            pending: 0,
            worst: Said::Yes,
            refused_since: NEVER,
            excused_since: NEVER,
            excused: 0,
        }
    }

    /// The customer whose identity it uses now.
    pub(super) fn customer(&self, ground: &Ground) -> u8 {
        let class = ground.class(self.class);
        let customer = class.and_then(|class| class.customers.get(usize::from(self.identity)));
        customer.copied().unwrap_or(NONE)
    }

    pub(super) fn is_home(&self, ground: &Ground) -> bool {
        self.network != NONE && self.network == ground.home(self.customer(ground))
    }

    /// Whether what was entered into the calendar still matters.
    pub(super) fn awaits(&self, why: Why) -> bool {
        match why {
            Why::Timer(timer) => timer == self.timer,
            Why::PowerOn(power) => power == self.power,
            Why::Rotate(gap) => gap == self.gap,
            Why::Resend(attempt) | Why::Second(attempt) => attempt == self.attempt,
            _ => true,
        }
    }

    /// Something that was entered into the calendar happens.
    pub(super) fn woken(&mut self, id: u32, why: Why, stage: &mut Stage<'_>) {
        match why {
            Why::Arrive => self.arrive(id, stage),
            _ if !self.awaits(why) => {}
            Why::Timer(_) => self.timed(id, stage),
            Why::Background => self.background(id, stage),
            Why::Move => self.travel(id, stage),
            Why::Leave => self.leave(id, stage),
            Why::PowerOn(_) => self.switched_on(id, stage),
            Why::Rotate(_) => self.rotate(id, stage),
            Why::Resend(_) if self.state == State::Registering => {
                self.worst = Said::Yes;
                self.send_registration(id, stage);
            }
            Why::Second(_) => match self.state {
                State::Registering => self.ask(id, Op::Ugl, stage),
                // The visitor location register that the MME tells of a combined attach.
                State::Registered => self.ask(id, Op::Ul, stage),
                _ => {}
            },
            _ => {}
        }
    }

    /// An answer came to a request of its network.
    pub(super) fn answered(
        &mut self,
        id: u32,
        op: Op,
        attempt: u8,
        said: Said,
        stage: &mut Stage<'_>,
    ) {
        if attempt != self.attempt {
            return;
        }
        if op.is_registration() && said.is_steering() {
            self.count_refusal(id, stage);
        }
        let expected = match self.state {
            State::Authenticating => matches!(op, Op::Air | Op::Sai),
            State::Registering => op.is_registration(),
            _ => false,
        };
        if !expected {
            return;
        }
        self.worst = self.worst.max(said);
        self.pending = self.pending.saturating_sub(1);
        if self.pending > 0 {
            return;
        }
        match (self.state, self.worst) {
            (State::Authenticating, Said::Yes) => self.register(id, stage),
            (_, Said::Yes) => self.served(id, stage),
            (_, said) => self.rejected(id, said, stage),
        }
    }

    fn count_refusal(&mut self, id: u32, stage: &mut Stage<'_>) {
        let again = self.resends > 0 || self.worst.is_steering();
        stage.news.push((id, News::Refused { network: self.network, again }));
        // A domain that is refused later takes nothing from who is registered in the other.
        if self.refused_since == NEVER && self.state != State::Registered {
            self.refused_since = stage.tick;
            self.excused = 0;
        }
    }

    fn arrive(&mut self, id: u32, stage: &mut Stage<'_>) {
        let Some(class) = stage.ground.class(self.class) else { return };
        self.place(class, stage);
        stage.calendar.at(stage.tick + seconds(60), id, Why::OneMinute(self.visit));
        stage.calendar.at(stage.tick + seconds(600), id, Why::TenMinutes);
        if class.background > 0 {
            self.plan_background(id, class, stage);
        }
        if class.stay_s > 0 {
            self.plan_move(id, class, stage);
        }
        if class.leave_s > 0 {
            let stay = self.around(seconds(class.leave_s));
            stage.calendar.at(stage.tick + stay, id, Why::Leave);
        }
        self.unserved(id, stage);
        self.search_all(id, stage);
    }

    /// Where it arrives: an area by its share, or any of its route.
    fn place(&mut self, class: &Class, stage: &Stage<'_>) {
        if !class.route.is_empty() {
            self.stop = u8::try_from(self.random.below(class.route.len())).unwrap_or(0);
            self.area = class.route.get(usize::from(self.stop)).copied().unwrap_or(0);
            return;
        }
        let open = stage.ground.arrivals(class);
        let areas = (0_u8..).zip(&stage.ground.scenario.areas);
        let areas = areas.filter(|(area, _)| open >> area & 1 != 0);
        let whole: usize = areas.clone().map(|(_, area)| area.share as usize).sum();
        let mut point = self.random.below(whole);
        for (area, one) in areas {
            self.area = area;
            match point.checked_sub(one.share as usize) {
                Some(rest) => point = rest,
                None => break,
            }
        }
    }

    fn plan_background(&mut self, id: u32, class: &Class, stage: &mut Stage<'_>) {
        let wait = self.around(seconds(3600) / class.background.max(1));
        stage.calendar.at(stage.tick + wait.max(1), id, Why::Background);
    }

    fn plan_move(&mut self, id: u32, class: &Class, stage: &mut Stage<'_>) {
        let wait = self.around(seconds(class.stay_s));
        stage.calendar.at(stage.tick + wait.max(1), id, Why::Move);
    }

    fn background(&mut self, id: u32, stage: &mut Stage<'_>) {
        let Some(class) = stage.ground.class(self.class) else { return };
        if self.state == State::Registered && !self.is_home(stage.ground) {
            self.ask(id, if self.on_2g { Op::SaiLater } else { Op::AirLater }, stage);
        }
        self.plan_background(id, class, stage);
    }

    /// On to the next area of its route.
    fn travel(&mut self, id: u32, stage: &mut Stage<'_>) {
        let Some(class) = stage.ground.class(self.class) else { return };
        let before = self.area;
        match u8::try_from(class.route.len()).unwrap_or(u8::MAX) {
            0 => self.place(class, stage),
            stops => {
                self.stop = (self.stop + 1) % stops;
                self.area = class.route.get(usize::from(self.stop)).copied().unwrap_or(before);
            }
        }
        self.plan_move(id, class, stage);
        if self.area == before {
            return;
        }
        self.visit = self.visit.wrapping_add(1);
        stage.calendar.at(stage.tick + seconds(60), id, Why::OneMinute(self.visit));
        if self.state == State::Off {
            return;
        }
        let covered = stage.ground.node(self.network, self.area, stage.tick).is_some();
        match self.state {
            State::Registered if covered && self.is_home(stage.ground) => {}
            //= TS 23.401 §5.3.3.1
            // The new node has the vectors from the old one; it only registers.
            State::Registered if covered => {
                self.next_attempt();
                self.unserved(id, stage);
                self.is_moving = true;
                self.register(id, stage);
            }
            State::Registered => self.lost(id, stage),
            _ => self.search_on(id, stage),
        }
    }

    /// The network that it was registered on cannot be heard any more.
    pub(super) fn lost(&mut self, id: u32, stage: &mut Stage<'_>) {
        self.unserved(id, stage);
        self.search_all(id, stage);
    }

    fn leave(&mut self, id: u32, stage: &mut Stage<'_>) {
        if self.state == State::Registered && !self.on_2g && !self.is_home(stage.ground) {
            self.ask(id, Op::Pur, stage);
        }
        self.end_stretch(id, stage);
        self.next_attempt();
        (self.state, self.network) = (State::Off, NONE);
        self.power = self.power.wrapping_add(1);
    }

    /// The power is gone; it comes back at a moment.
    pub(super) fn switched_off(&mut self, id: u32, back: u32, stage: &mut Stage<'_>) {
        self.end_stretch(id, stage);
        self.next_attempt();
        (self.state, self.network) = (State::Off, NONE);
        self.power = self.power.wrapping_add(1);
        stage.calendar.at(back, id, Why::PowerOn(self.power));
    }

    //= TS 24.301 §5.3.3
    // The list of areas for roaming is cleared when it is switched off, that of networks is not.
    fn switched_on(&mut self, id: u32, stage: &mut Stage<'_>) {
        self.forbidden_areas = 0;
        self.unserved(id, stage);
        self.search_all(id, stage);
    }

    /// No service from now on.
    fn unserved(&mut self, id: u32, stage: &mut Stage<'_>) {
        self.gap = self.gap.wrapping_add(1);
        if self.behaviour(stage) == Behaviour::MultiImsi {
            stage.calendar.at(stage.tick + seconds(ROTATE_S), id, Why::Rotate(self.gap));
        }
    }

    fn rotate(&mut self, id: u32, stage: &mut Stage<'_>) {
        if matches!(self.state, State::Registered | State::Off) {
            return;
        }
        let Some(class) = stage.ground.class(self.class) else { return };
        if self.refused_since != NEVER {
            stage.news.push((id, News::Rotated));
        }
        self.end_stretch(id, stage);
        let identities = u8::try_from(class.prefixes.len().max(1)).unwrap_or(1);
        self.identity = (self.identity + 1) % identities;
        (self.forbidden, self.forbidden_areas) = (0, 0);
        self.unserved(id, stage);
        self.search_all(id, stage);
    }

    /// The clock of refusals ends.
    fn end_stretch(&mut self, id: u32, stage: &mut Stage<'_>) {
        if self.refused_since == NEVER {
            return;
        }
        let excused_now = match self.excused_since {
            NEVER => 0,
            since => stage.tick.saturating_sub(since),
        };
        let whole = stage.tick.saturating_sub(self.refused_since);
        let ticks = whole.saturating_sub(self.excused + excused_now);
        stage.news.push((id, News::Unserved { ticks }));
        (self.refused_since, self.excused_since, self.excused) = (NEVER, NEVER, 0);
    }

    /// How long refusals have kept it from service so far.
    pub(super) fn stretch(&self, tick: u32) -> Option<u32> {
        if self.refused_since == NEVER {
            return None;
        }
        let excused_now = match self.excused_since {
            NEVER => 0,
            since => tick.saturating_sub(since),
        };
        Some(tick.saturating_sub(self.refused_since).saturating_sub(self.excused + excused_now))
    }

    /// Something else than refusals keeps it from service.
    fn excuse(&mut self, tick: u32) {
        if self.refused_since != NEVER && self.excused_since == NEVER {
            self.excused_since = tick;
        }
    }

    fn stop_excuse(&mut self, tick: u32) {
        if self.excused_since != NEVER {
            self.excused += tick.saturating_sub(self.excused_since);
            self.excused_since = NEVER;
        }
    }

    fn served(&mut self, id: u32, stage: &mut Stage<'_>) {
        self.end_stretch(id, stage);
        self.state = State::Registered;
        self.timer = self.timer.wrapping_add(1);
        self.gap = self.gap.wrapping_add(1);
        (self.attempts, self.tried, self.last) = (0, 0, self.network);
        if self.behaviour(stage) != Behaviour::Sticky {
            self.forbidden &= !(1_u16 << (self.network & 15));
        }
        stage.news.push((id, News::Registered { network: self.network }));
        if self.has_voice(stage) && !self.on_2g && !self.is_home(stage.ground) {
            let both = stage.ground.network(self.network).is_some_and(|one| one.access.has_2g());
            if both {
                let wait = millis(self.between(200, 500));
                stage.calendar.at(stage.tick + wait, id, Why::Second(self.attempt));
            }
        }
    }

    fn ask(&self, id: u32, op: Op, stage: &mut Stage<'_>) {
        if let Some(node) = stage.ground.node(self.network, self.area, stage.tick) {
            let (identity, attempt, initial) = (self.identity, self.attempt, !self.is_moving);
            stage.asks.push(Ask { handset: id, identity, node, op, attempt, initial });
        }
    }

    pub(super) fn behaviour(&self, stage: &Stage<'_>) -> Behaviour {
        stage.ground.class(self.class).map_or(Behaviour::Automatic, |class| class.behaviour)
    }

    /// Whether it registers for voice as well.
    fn has_voice(&self, stage: &Stage<'_>) -> bool {
        stage.ground.class(self.class).is_some_and(|class| !class.data_only)
    }

    /// Answers to what was asked before are nobody's now.
    fn next_attempt(&mut self) {
        self.attempt = (self.attempt + 1) & 0x1f;
        self.timer = self.timer.wrapping_add(1);
        (self.resends, self.pending, self.worst) = (0, 0, Said::Yes);
    }

    fn wait(&mut self, id: u32, ticks: u32, stage: &mut Stage<'_>) {
        self.timer = self.timer.wrapping_add(1);
        stage.calendar.at(stage.tick + ticks.max(1), id, Why::Timer(self.timer));
    }

    fn between(&mut self, least: u32, most: u32) -> u32 {
        let span = usize::try_from(most.saturating_sub(least)).unwrap_or(0) + 1;
        least + u32::try_from(self.random.below(span)).unwrap_or(0)
    }

    /// Half as long to half as long again.
    fn around(&mut self, ticks: u32) -> u32 {
        self.between(ticks / 2, ticks / 2 + ticks)
    }
}

#[path = "registering.rs"]
mod registering;
#[path = "selection.rs"]
mod selection;

#[cfg(test)]
#[path = "handset_tests.rs"]
mod tests;
