//! Trying to register, and what a rejection does.

use super::super::calendar::{Why, millis, seconds};
use super::super::ground::NONE;
use super::{
    ANSWER_S, ATTEMPTS_MAX, Behaviour, CS_ATTEMPTS_MAX, Cause, Handset, NEVER, News, Op, PATIENCE,
    Said, Stage, State, T3211_S, T3402_S, T3411_S,
};

impl Handset {
    /// Begins an attempt on the chosen network.
    pub(super) fn attempt(&mut self, id: u32, stage: &mut Stage<'_>) {
        if stage.ground.node(self.network, self.area, stage.tick).is_none() {
            return self.search_on(id, stage);
        }
        self.next_attempt();
        self.stop_excuse(stage.tick);
        if self.is_home(stage.ground) {
            // At home nothing of it passes an exchange.
            return self.served(id, stage);
        }
        self.choose_radio(stage);
        self.is_moving = false;
        self.state = State::Authenticating;
        self.pending = 1;
        self.ask(id, if self.on_2g { Op::Sai } else { Op::Air }, stage);
        self.wait(id, seconds(ANSWER_S), stage);
    }

    /// The radio that both it and the network have.
    fn choose_radio(&mut self, stage: &Stage<'_>) {
        let network = stage.ground.network(self.network).map(|network| network.access);
        let device = stage.ground.class(self.class).map(|class| class.access);
        let (Some(network), Some(device)) = (network, device) else { return };
        let on_4g = network.has_4g() && device.has_4g();
        let on_2g = network.has_2g() && device.has_2g();
        self.on_2g = on_2g && (self.on_2g || !on_4g);
    }

    pub(super) fn register(&mut self, id: u32, stage: &mut Stage<'_>) {
        self.state = State::Registering;
        self.worst = Said::Yes;
        self.send_registration(id, stage);
        self.wait(id, seconds(ANSWER_S), stage);
    }

    /// What the network asks of the home network in this attempt. A phone on 2G or 3G registers in
    /// both domains, the second a moment later.
    pub(super) fn send_registration(&mut self, id: u32, stage: &mut Stage<'_>) {
        self.pending = 1;
        if !self.on_2g {
            return self.ask(id, Op::Ulr, stage);
        }
        if !self.has_voice(stage) {
            return self.ask(id, Op::Ugl, stage);
        }
        self.pending = 2;
        self.ask(id, Op::Ul, stage);
        let wait = millis(self.between(200, 1500));
        stage.calendar.at(stage.tick + wait, id, Why::Second(self.attempt));
    }

    /// The network's word is against it, or it heard nothing.
    pub(super) fn rejected(&mut self, id: u32, said: Said, stage: &mut Stage<'_>) {
        let Some(network) = stage.ground.network(self.network) else { return };
        if said.is_steering() && self.resends < u8::try_from(network.resends).unwrap_or(u8::MAX) {
            //= GSMA IR.73
            // A network that steers against steering does not tell the handset.
            self.resends += 1;
            // A dialogue of its own: its identifier is a new one.
            self.attempt = (self.attempt + 1) & 0x1f;
            let wait = millis(network.resend_ms);
            stage.calendar.at(stage.tick + wait, id, Why::Resend(self.attempt));
            return self.wait(id, wait + seconds(ANSWER_S), stage);
        }
        if !said.is_steering() {
            self.excuse(stage.tick);
        }
        let cause = match said {
            Said::NoRoaming => network.cause,
            Said::NoRadio => network.cause_rat,
            Said::NoSubscription | Said::Unreachable => Cause::Cells,
            Said::Failed | Said::Yes => Cause::Failure,
        };
        match self.behaviour(stage) {
            Behaviour::Blind => self.insist(id, stage),
            Behaviour::Manual if self.attempts < PATIENCE => {
                self.attempts += 1;
                self.insist(id, stage);
            }
            _ => self.obey(id, cause, stage),
        }
    }

    /// The same network again after its own pause, whatever was said.
    fn insist(&mut self, id: u32, stage: &mut Stage<'_>) {
        let (least, most) = stage.ground.class(self.class).map_or((10, 20), |class| class.retry_s);
        self.state = State::Waiting;
        let pause = self.between(seconds(least), seconds(most));
        self.wait(id, pause, stage);
    }

    //= TS 24.301 §5.5.1.2.5
    //= TS 24.008 §4.4.4.7
    fn obey(&mut self, id: u32, cause: Cause, stage: &mut Stage<'_>) {
        match cause {
            Cause::Plmn => {
                self.forbidden |= self.bit();
                self.search_on(id, stage);
            }
            Cause::Roaming => {
                self.forbid_area(stage);
                self.tried |= self.bit();
                self.search_on(id, stage);
            }
            Cause::Cells => self.other_cells(id, stage),
            // Limited service here, and no search: only its user or another area helps.
            Cause::Area => {
                self.forbid_area(stage);
                self.limited(id, true, stage);
            }
            Cause::Failure => self.try_again(id, stage),
        }
    }

    /// #15: another area or radio of the same network; here that is its 2G or 3G, if there is any.
    fn other_cells(&mut self, id: u32, stage: &mut Stage<'_>) {
        let both = stage.ground.network(self.network).is_some_and(|one| one.access.has_2g())
            && stage.ground.class(self.class).is_some_and(|class| class.access.has_2g());
        if both && !self.on_2g {
            self.on_2g = true;
            self.state = State::Waiting;
            let pause = self.between(seconds(2), seconds(4));
            return self.wait(id, pause, stage);
        }
        self.on_2g = false;
        self.forbid_area(stage);
        self.tried |= self.bit();
        self.search_on(id, stage);
    }

    /// #17: again after a while, then elsewhere, and where there is nothing else a long pause.
    //= TS 24.301 §5.5.1.2.6
    //= TS 24.008 §4.4.4.9
    fn try_again(&mut self, id: u32, stage: &mut Stage<'_>) {
        let (most, pause) =
            if self.on_2g { (CS_ATTEMPTS_MAX, T3211_S) } else { (ATTEMPTS_MAX, T3411_S) };
        self.attempts += 1;
        if self.attempts < most {
            self.state = State::Waiting;
            return self.wait(id, seconds(pause), stage);
        }
        self.attempts = 0;
        self.tried |= self.bit();
        if self.choose(stage).is_some() {
            return self.search_on(id, stage);
        }
        self.tried = 0;
        self.state = State::Waiting;
        self.wait(id, seconds(T3402_S), stage);
    }

    /// Nowhere left to go. A device that keeps to the letter stays so until its user acts; the
    /// others try again after a while what they had given up.
    //= TS 23.122 §4.4.3.1.1
    pub(super) fn limited(&mut self, id: u32, hard: bool, stage: &mut Stage<'_>) {
        let Some(class) = stage.ground.class(self.class) else { return };
        self.state = State::Limited;
        self.tried = 0;
        let pause = if hard || self.is_strict {
            // From here on it is its user's time: told apart, not hidden.
            if self.refused_since != NEVER {
                stage.news.push((id, News::Stranded));
                self.excuse(stage.tick);
            }
            self.around(seconds(class.toggle_s))
        } else {
            self.between(seconds(class.retry_s.0), seconds(class.retry_s.1))
        };
        self.wait(id, pause, stage);
    }

    /// Its timer has ended.
    pub(super) fn timed(&mut self, id: u32, stage: &mut Stage<'_>) {
        match self.state {
            State::Searching => self.select(id, stage),
            State::Waiting => self.attempt(id, stage),
            State::Limited => {
                // Whatever is there, forbidden or not, as a user by hand would.
                self.network = self.best(stage).unwrap_or(NONE);
                self.attempts = 0;
                if self.network == NONE {
                    self.search_on(id, stage);
                } else {
                    self.attempt(id, stage);
                }
            }
            State::Authenticating | State::Registering => {
                self.next_attempt();
                self.rejected(id, Said::Failed, stage);
            }
            State::Off | State::Registered => {}
        }
    }

    pub(super) const fn bit(&self) -> u16 {
        1 << (self.network & 15)
    }

    fn forbid_area(&mut self, stage: &Stage<'_>) {
        if let Some(node) = stage.ground.node(self.network, self.area, stage.tick) {
            self.forbidden_areas |= 1 << (node & 63);
        }
    }
}
