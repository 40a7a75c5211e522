//! What must hold of view, correlate, describe, rewrite, answer and complain, whatever the bytes.

use diameter::Diameter;
use procedure::{Code, LinkId, Malformed, Refusal, StackId, Time};
use relay::{Arrival, Exchange, Onward, Stack};
use sim::diameter::parse;
use tests::desk::{self, Peer};

use crate::walk;

const ARRIVAL: Arrival = Arrival { link: LinkId(0), time: Time(0), stack: StackId(0) };

thread_local! {
    static STACK: Diameter =
        desk::stack(&[walk::MME, walk::HSS].map(Peer::new));
}

pub(crate) fn hold(frame: &[u8]) {
    STACK.with(|stack| {
        if let Ok(Some(octets)) = stack.frame_octets(frame) {
            assert!(octets >= 20 && octets.is_multiple_of(4));
        }
        match stack.view(frame) {
            Ok(view) => readable(stack, frame, &view),
            Err(malformed) => unreadable(stack, frame, &malformed),
        }
    });
}

fn readable(stack: &Diameter, frame: &[u8], view: &<Diameter as Stack>::View<'_>) {
    assert_eq!(stack.frame_octets(frame), Ok(Some(frame.len())));
    let _ = stack.outcome(view);
    match stack.correlate(view) {
        Exchange::Passes { .. } => unreachable!("Diameter's are numbered by each hop"),
        Exchange::Closes { label, .. } => {
            assert_eq!(rewritten(stack, view, Onward::Answer { label }), frame);
        }
        Exchange::Opens { label, .. } => {
            let _ = stack.describe(view, &ARRIVAL);
            for hide_origin in [false, true] {
                let asker = LinkId(0);
                let onward = Onward::Request { label, asker, resent: true, hide_origin };
                let out = rewritten(stack, view, onward);
                sound(stack, &out);
            }
            for refusal in Refusal::ALL {
                let mut out = Vec::new();
                assert_ne!(stack.answer(view, refusal, &mut out), Code::None);
                sound(stack, &out);
            }
        }
    }
}

fn rewritten(stack: &Diameter, view: &<Diameter as Stack>::View<'_>, onward: Onward) -> Vec<u8> {
    // Behind what waits already, as in an outbox.
    let mut out = vec![0xee; 7];
    stack.rewrite(view, &onward, &mut out);
    assert_eq!(out[..7], [0xee; 7]);
    out.split_off(7)
}

/// A message that leaves can be read again: by us and by the simulator's parser.
fn sound(stack: &Diameter, frame: &[u8]) {
    let message = parse::Message::parse(frame).unwrap_or_else(|why| panic!("{why}: {frame:02x?}"));
    assert!(message.avps().all(|avp| avp.is_ok()), "{frame:02x?}");
    if let Err(why) = stack.view(frame) {
        // Only the limit of a frame may be in the way, since a Route-Record was added.
        assert!(frame.len() > 65_536 || why.why.contains("limit"), "{why:?}: {frame:02x?}");
    }
}

fn unreadable(stack: &Diameter, frame: &[u8], malformed: &Malformed) {
    assert!(malformed.offset as usize <= frame.len().max(24), "{malformed:?}");
    let mut out = Vec::new();
    let code = stack.complain(frame, malformed, &mut out);
    assert_eq!(code == Code::None, out.is_empty());
    if !out.is_empty() {
        sound(stack, &out);
        let (asked, answered) = (frame, parse::Message::parse(&out).unwrap());
        assert!(!answered.is_request());
        assert_eq!(asked[12..20], out[12..20], "the asker finds its answer");
    }
}
