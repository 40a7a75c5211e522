//! The machine of a link that this stack was given no configuration for: it never comes up.

use procedure::Time;
use relay::{ConnId, Effect, Effects, Link, LinkTimer, Passage, Side};

pub(crate) struct Idle;

impl Link for Idle {
    fn start(&mut self, _: Time, _: &mut Effects<'_>) {}

    fn opened(&mut self, _: Time, conn: ConnId, _: Side, fx: &mut Effects<'_>) {
        fx.list.push(Effect::Close { conn });
    }

    fn failed(&mut self, _: Time, _: &mut Effects<'_>) {}

    fn received(&mut self, _: Time, _: ConnId, _: &[u8], _: &mut Effects<'_>) -> Passage {
        Passage::Premature
    }

    fn closed(&mut self, _: Time, _: ConnId, _: &mut Effects<'_>) {}

    fn expired(&mut self, _: Time, _: LinkTimer, _: &mut Effects<'_>) {}

    fn stop(&mut self, _: Time, _: &mut Effects<'_>) {}

    fn state(&self) -> &'static str {
        "not configured"
    }
}
