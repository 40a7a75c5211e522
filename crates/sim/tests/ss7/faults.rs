//! Every kind of fault that a relay or a home can commit is noticed as what it is.

use std::time::Duration;

use sim::mme::Load;
use sim::ss7::home::HomeConfig;
use sim::ss7::load::{Procedure, VisitedReport};
use sim::ss7::map::{self, Operation, Version, code};
use sim::ss7::message::{self, Kind, Part, Unit};
use sim::ss7::outcome::Outcome;

use crate::gateway::Hook;
use crate::peers::{HLR, VLR, go, play, visited};

/// Changes every message of `kind` that goes to the visited node.
fn bend(kind: Kind, mut bent: impl FnMut(u64, Vec<u8>) -> Vec<Vec<u8>> + Send + 'static) -> Hook {
    let mut seen = 0;
    Box::new(move |sccp| {
        let unit = Unit::read(&sccp).unwrap();
        let reading = message::read(&unit.data).unwrap();
        let (_, _, ssn) = sim::ss7::title::parts(&unit.called);
        if reading.kind != kind || ssn == 6 {
            return (vec![sccp], Vec::new());
        }
        seen += 1;
        (bent(seen - 1, sccp), Vec::new())
    })
}

fn faulty(hook: Hook, procedure: Procedure, count: u64) -> VisitedReport {
    let (report, _) = play(hook, HomeConfig::new(HLR), |peer, _| async move {
        let mut config = visited(&peer, VLR);
        config.procedure = procedure;
        config.count = Some(count);
        config.load = Load::Rate(400.0);
        config.timeout = Duration::from_millis(400);
        go(config).await
    });
    assert_eq!(report.report.transactions, count);
    report
}

#[test]
fn a_home_that_does_not_answer() {
    let drop_tenth = bend(Kind::End, |n, sccp| if n % 10 == 3 { vec![] } else { vec![sccp] });
    let report = faulty(drop_tenth, Procedure::Sai, 200).report;
    assert_eq!((report.lost, report.answered), (20, 180), "{report}");
    assert_eq!((report.duplicated, report.mismatched, report.late), (0, 0, 0), "{report}");
}

#[test]
fn an_end_that_comes_twice() {
    let twice = bend(Kind::End, |_, sccp| vec![sccp.clone(), sccp]);
    let report = faulty(twice, Procedure::Ul, 200).report;
    assert_eq!((report.answered, report.duplicated), (200, 200), "{report}");
    assert_eq!((report.lost, report.mismatched), (0, 0), "{report}");
}

#[test]
fn an_end_for_somebody_elses_dialogue() {
    // The high octet of the transaction identifier (after tag 49, length 4) is changed.
    let wrong = bend(Kind::End, |_, mut sccp| {
        let at = sccp.windows(2).position(|w| w == [0x49, 4]).unwrap();
        sccp[at + 2] ^= 0x70;
        vec![sccp]
    });
    let report = faulty(wrong, Procedure::Sai, 100);
    assert_eq!((report.report.mismatched, report.report.lost), (100, 100), "{report}");
    assert_eq!(report.faults.get("no transaction of ours"), Some(&100));
}

#[test]
fn answers_that_were_swapped() {
    // Each second End carries the one before's transaction, so one is answered twice, one never.
    let mut kept: Option<Vec<u8>> = None;
    let swapped = bend(Kind::End, move |n, sccp| {
        if n % 2 == 0 {
            kept = Some(sccp.clone());
            vec![sccp]
        } else {
            kept.take().into_iter().collect()
        }
    });
    let report = faulty(swapped, Procedure::Sai, 100).report;
    assert_eq!((report.answered, report.duplicated, report.lost), (50, 50, 50), "{report}");
}

/// Rewrites the End of each dialogue.
fn rewritten(write: impl Fn(message::Tid, Unit) -> Unit + Send + 'static) -> Hook {
    bend(Kind::End, move |_, sccp| {
        let unit = Unit::read(&sccp).unwrap();
        let tid = message::read(&unit.data).unwrap().dtid.unwrap();
        vec![write(tid, unit).write(false, true)]
    })
}

#[test]
fn each_contradiction_is_named() {
    let sai = Operation::SendAuthenticationInfo;
    let v3 = Some(sai.context(Version::V3));
    let result = move |id| message::success(id, sai, map::result(sai, Version::V3, HLR, false));
    let with = move |data: Box<dyn Fn(message::Tid) -> Vec<u8> + Send>| {
        rewritten(move |tid, unit| Unit { data: data(tid), ..unit })
    };
    let cases: Vec<(&str, Hook)> = vec![
        (
            "dialogue portion",
            with(Box::new(move |t| message::end(t, Some(sai.context(Version::V2)), result(1)))),
        ),
        ("dialogue portion", with(Box::new(move |t| message::end(t, None, result(1))))),
        ("invoke ID", with(Box::new(move |t| message::end(t, v3, result(2))))),
        (
            "result",
            with(Box::new(move |t| {
                let v2 = map::result(sai, Version::V2, HLR, false);
                message::end(t, v3, message::success(1, sai, v2))
            })),
        ),
        (
            "error that the operation does not allow",
            with(Box::new(move |t| {
                let parameter = map::roaming_not_allowed(Version::V3);
                message::end(t, v3, message::failure(1, code::ROAMING_NOT_ALLOWED, parameter))
            })),
        ),
        (
            "calling address",
            rewritten(|_, mut unit| {
                unit.calling = sim::ss7::title::address(1, "34609000001", 8);
                unit
            }),
        ),
        (
            "no TCAP",
            rewritten(|_, mut unit| {
                unit.data.push(0);
                unit
            }),
        ),
    ];
    for (kind, hook) in cases {
        let report = faulty(hook, Procedure::Sai, 20);
        assert_eq!(report.faults.get(kind), Some(&20), "{kind}: {report}");
        assert_eq!((report.report.answered, report.report.mismatched), (0, 20), "{kind}");
    }
}

/// A gateway that refuses every other UL in the home's place, addresses swapped.
fn steering() -> Hook {
    let mut seen = 0u64;
    Box::new(move |sccp| {
        let unit = Unit::read(&sccp).unwrap();
        let reading = message::read(&unit.data).unwrap();
        let Part::Invoke { id, operation: 2, .. } = reading.part else {
            return (vec![sccp], Vec::new());
        };
        seen += 1;
        if seen.is_multiple_of(2) {
            return (vec![sccp], Vec::new());
        }
        let (context, version) = match reading.dialogue {
            message::Dialogue::Request(c) => (Some(c), Version::of(c.version).unwrap()),
            _ => (None, Version::V1),
        };
        let parameter = map::roaming_not_allowed(version);
        let error = message::failure(id, code::ROAMING_NOT_ALLOWED, parameter);
        let data = message::end(reading.otid.unwrap(), context, error);
        let answer = Unit { called: unit.calling, calling: unit.called, data, returned: None };
        (Vec::new(), vec![answer.write(false, true)])
    })
}

#[test]
fn what_is_steered_is_told_from_what_the_home_refused() {
    let (report, home) = play(steering(), HomeConfig::new(HLR), |peer, _| async move {
        let mut config = visited(&peer, VLR);
        config.versions = vec![Version::V1, Version::V2, Version::V3];
        config.count = Some(1_000);
        config.procedure = Procedure::Attach;
        go(config).await
    });
    assert!(report.report.is_clean(), "{report}");
    let ul = Operation::UpdateLocation;
    let steered = report.steered.count(ul, Outcome::Error(code::ROAMING_NOT_ALLOWED));
    let accepted = report.outcomes.count(ul, Outcome::Success);
    assert!(steered > 100 && accepted > 100, "{report}");
    assert!(steered.abs_diff(accepted) <= 1, "{report}");
    assert_eq!(report.outcomes, home.counts.outcomes);
}

#[test]
fn a_refusal_with_the_wrong_parameter_for_its_version_is_noticed() {
    let ul = Operation::UpdateLocation;
    for (version, wrong) in
        [(Version::V1, Version::V2), (Version::V2, Version::V3), (Version::V3, Version::V2)]
    {
        let hook: Hook = Box::new(move |sccp| {
            let unit = Unit::read(&sccp).unwrap();
            let tid = message::read(&unit.data).unwrap().otid.unwrap();
            let parameter = map::roaming_not_allowed(wrong);
            let error = message::failure(1, code::ROAMING_NOT_ALLOWED, parameter);
            let context = (version > Version::V1).then(|| ul.context(version));
            let data = message::end(tid, context, error);
            let answer = Unit { called: unit.calling, calling: unit.called, data, returned: None };
            (Vec::new(), vec![answer.write(true, true)])
        });
        let (report, _) = play(hook, HomeConfig::new(HLR), |peer, _| async move {
            let mut config = visited(&peer, VLR);
            config.versions = vec![version];
            config.count = Some(10);
            go(config).await
        });
        assert_eq!(report.faults.get("parameter of the error"), Some(&10), "{version:?} {report}");
    }
}
