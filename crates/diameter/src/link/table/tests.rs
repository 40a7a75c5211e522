use std::fmt::Write;

use super::*;

const STATES: [State; 8] = [
    State::Closed,
    State::WaitConnAck,
    State::WaitICea,
    State::WaitReturns,
    State::Open,
    State::Suspect,
    State::Reopen,
    State::Closing,
];

const EVENTS: [Event; 20] = [
    Event::Start,
    Event::ConnAck,
    Event::ConnNack,
    Event::Cer { won: true },
    Event::Cer { won: false },
    Event::Cea,
    Event::NonCea,
    Event::PeerDisc,
    Event::RivalGone,
    Event::Timeout,
    Event::Tick(Silence::Quiet),
    Event::Tick(Silence::Once),
    Event::Tick(Silence::Twice),
    Event::Heard,
    Event::Dwa { enough: false },
    Event::Dwa { enough: true },
    Event::Dpr,
    Event::Dpa,
    Event::TeardownTimeout,
    Event::Stop,
];

/// Every pair that does something, drawn: the whole machine on one page.
const DRAWN: &str = "\
Closed Start -> WaitConnAck Connect
Closed Cer { won: true } -> Open Accept
Closed Cer { won: false } -> Open Accept
Closed Stop -> Closed Quit
WaitConnAck ConnAck -> WaitICea SendCer
WaitConnAck ConnNack -> Closed Cleanup
WaitConnAck Cer { won: true } -> Open Accept
WaitConnAck Cer { won: false } -> Open Accept
WaitConnAck Timeout -> Closed Cleanup
WaitConnAck Stop -> Closed Quit
WaitICea Cer { won: true } -> Open Accept
WaitICea Cer { won: false } -> WaitReturns Hold
WaitICea Cea -> Open Use
WaitICea NonCea -> Closed Cleanup
WaitICea PeerDisc -> Closed Cleanup
WaitICea Timeout -> Closed Cleanup
WaitICea Stop -> Closed Quit
WaitReturns Cer { won: true } -> WaitReturns Reject
WaitReturns Cer { won: false } -> WaitReturns Reject
WaitReturns Cea -> Open Use
WaitReturns NonCea -> Open Accept
WaitReturns PeerDisc -> Open Accept
WaitReturns RivalGone -> WaitICea None
WaitReturns Timeout -> Closed Cleanup
WaitReturns Stop -> Closed Quit
Open Cer { won: true } -> Open Probe
Open Cer { won: false } -> Open Probe
Open PeerDisc -> Closed Cleanup
Open Timeout -> Open TakeOver
Open Tick(Quiet) -> Open SendDwr
Open Tick(Once) -> Suspect Failover
Open Tick(Twice) -> Suspect Failover
Open Dpr -> Closing SendDpa
Open Stop -> Closing SendDpr
Suspect Cer { won: true } -> Open TakeOver
Suspect Cer { won: false } -> Open TakeOver
Suspect PeerDisc -> Closed Cleanup
Suspect Timeout -> Open TakeOver
Suspect Tick(Quiet) -> Closed GiveUp
Suspect Tick(Once) -> Closed GiveUp
Suspect Tick(Twice) -> Closed GiveUp
Suspect Heard -> Open Failback
Suspect Dwa { enough: false } -> Open Failback
Suspect Dwa { enough: true } -> Open Failback
Suspect Dpr -> Closing SendDpa
Suspect Stop -> Closing SendDpr
Reopen Cer { won: true } -> Reopen Probe
Reopen Cer { won: false } -> Reopen Probe
Reopen PeerDisc -> Closed Cleanup
Reopen Timeout -> Open TakeOver
Reopen Tick(Quiet) -> Reopen SendDwr
Reopen Tick(Once) -> Reopen Watch
Reopen Tick(Twice) -> Closed GiveUp
Reopen Dwa { enough: true } -> Open Failback
Reopen Dpr -> Closing SendDpa
Reopen Stop -> Closing SendDpr
Closing Cer { won: true } -> Open TakeOver
Closing Cer { won: false } -> Open TakeOver
Closing PeerDisc -> Closed Cleanup
Closing Dpr -> Closing SendDpa
Closing Dpa -> Closed Cleanup
Closing TeardownTimeout -> Closed Cleanup
";

fn draw() -> String {
    let mut text = String::new();
    for state in STATES {
        for event in EVENTS {
            let (next, action) = transition(state, event, false);
            if (next, action) != (state, Action::None) {
                let event = format!("{event:?}");
                let _ = writeln!(text, "{state:?} {event} -> {next:?} {action:?}");
            }
        }
    }
    text
}

#[test]
fn the_whole_table() {
    assert_eq!(draw(), DRAWN, "\n{}", draw());
}

#[test]
fn doubt_changes_only_where_a_link_opens() {
    for state in STATES {
        for event in EVENTS {
            let (calm, action) = transition(state, event, false);
            let (doubtful, same) = transition(state, event, true);
            assert_eq!(action, same, "{state:?} {event:?}");
            let opens = matches!(action, Action::Accept | Action::Use | Action::TakeOver);
            if opens {
                assert_eq!((calm, doubtful), (State::Open, State::Reopen), "{state:?} {event:?}");
            } else {
                assert_eq!(calm, doubtful, "{state:?} {event:?}");
            }
        }
    }
}

//= RFC 6733 §5.6
#[test]
fn no_state_is_a_trap() {
    for state in STATES {
        let (stopped, _) = transition(state, Event::Stop, false);
        assert!(matches!(stopped, State::Closed | State::Closing), "{state:?}");
        let (parted, action) = transition(State::Closing, Event::TeardownTimeout, false);
        assert_eq!((parted, action), (State::Closed, Action::Cleanup));
        if state.is_open() || state == State::Closing {
            assert_eq!(transition(state, Event::PeerDisc, false).0, State::Closed, "{state:?}");
        }
    }
}
