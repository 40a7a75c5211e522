use std::fmt::Write;

use super::*;

const ASPS: [Asp; 3] = [Asp::Down, Asp::Inactive, Asp::Active];
const ASP_EVENTS: [AspEvent; 8] = [
    AspEvent::Up,
    AspEvent::Down,
    AspEvent::Active,
    AspEvent::Inactive { rest: true },
    AspEvent::Inactive { rest: false },
    AspEvent::Replaced { rest: true },
    AspEvent::Replaced { rest: false },
    AspEvent::Lost,
];
const ASKERS: [Asker; 6] =
    [Asker::Down, Asker::Rising, Asker::Activating, Asker::Inactive, Asker::Active, Asker::Parting];
const ASKER_EVENTS: [AskerEvent; 9] = [
    AskerEvent::Opened,
    AskerEvent::UpAck,
    AskerEvent::DownAck,
    AskerEvent::Settled { any: true },
    AskerEvent::Settled { any: false },
    AskerEvent::Wanted,
    AskerEvent::Retry,
    AskerEvent::Stop,
    AskerEvent::Lost,
];

/// Every pair that does something, drawn: the whole machine on one page.
const ASP_DRAWN: &str = "\
Down Up -> Inactive AckUp
Down Down -> Down AckDown
Down Active -> Down Unexpected
Down Inactive { rest: true } -> Down Unexpected
Down Inactive { rest: false } -> Down Unexpected
Down Lost -> Down Forget
Inactive Up -> Inactive AckUp
Inactive Down -> Down AckDown
Inactive Active -> Active Activate
Inactive Inactive { rest: true } -> Inactive Deactivate
Inactive Inactive { rest: false } -> Inactive Deactivate
Inactive Lost -> Down Forget
Active Up -> Inactive AckUpAgain
Active Down -> Down AckDown
Active Active -> Active Activate
Active Inactive { rest: true } -> Active Deactivate
Active Inactive { rest: false } -> Inactive Deactivate
Active Replaced { rest: false } -> Inactive None
Active Lost -> Down Forget
";

const ASKER_DRAWN: &str = "\
Down Opened -> Rising SendUp
Down Lost -> Down Settle
Rising UpAck -> Activating SendActive
Rising DownAck -> Rising Wait
Rising Retry -> Rising SendUp
Rising Stop -> Parting Part
Rising Lost -> Down Settle
Activating DownAck -> Rising Wait
Activating Settled { any: true } -> Active Settle
Activating Settled { any: false } -> Inactive Settle
Activating Wanted -> Activating Wait
Activating Retry -> Activating SendActive
Activating Stop -> Parting Part
Activating Lost -> Down Settle
Inactive DownAck -> Rising Wait
Inactive Wanted -> Activating Wait
Inactive Stop -> Parting Part
Inactive Lost -> Down Settle
Active DownAck -> Rising Wait
Active Settled { any: false } -> Inactive Settle
Active Wanted -> Activating Wait
Active Stop -> Parting Part
Active Lost -> Down Settle
Parting DownAck -> Down Close
Parting Lost -> Down Settle
";

/// By state: none, idle, few, enough; then the same once T(r) has run out.
const STANDING_DRAWN: &str = "\
Down: Down Inactive Inactive Active; Down Inactive Inactive Active
Inactive: Down Inactive Inactive Active; Down Inactive Inactive Active
Active: Pending Pending Active Active; Pending Pending Active Active
Pending: Pending Pending Active Active; Down Inactive Active Active
";

#[test]
fn the_whole_keeper() {
    let mut text = String::new();
    for state in ASPS {
        for event in ASP_EVENTS {
            let (next, action) = asp(state, event);
            if (next, action) != (state, AspAction::None) {
                let _ = writeln!(text, "{state:?} {event:?} -> {next:?} {action:?}");
            }
        }
    }
    assert_eq!(text, ASP_DRAWN, "\n{text}");
}

#[test]
fn the_whole_asker() {
    let mut text = String::new();
    for state in ASKERS {
        for event in ASKER_EVENTS {
            let (next, action) = asker(state, event);
            if (next, action) != (state, AskerAction::None) {
                let _ = writeln!(text, "{state:?} {event:?} -> {next:?} {action:?}");
            }
        }
    }
    assert_eq!(text, ASKER_DRAWN, "\n{text}");
}

#[test]
fn the_whole_server() {
    let mut text = String::new();
    for state in [Standing::Down, Standing::Inactive, Standing::Active, Standing::Pending] {
        let row = |is_over| {
            [Members::None, Members::Idle, Members::Few, Members::Enough]
                .map(|members| format!("{:?}", standing(state, members, is_over)))
                .join(" ")
        };
        let _ = writeln!(text, "{state:?}: {}; {}", row(false), row(true));
    }
    assert_eq!(text, STANDING_DRAWN, "\n{text}");
}
