//! MAP through the daemon with the shipped policies, over our own SCTP: an Update Location is
//! refused as the home network would, four times, then let through to the HLR; one attempt counter
//! with 4G; what is recorded.
#![allow(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test reads files and clocks, and fails by panicking"
)]

use std::time::Duration;

use ss7::view::m3ua::{Kind, Writer};
use tests::asp::{Asp, IBERIA_HLR, OTHER_GB, part, register, start, title};
use tests::children::eventually;

const PATIENCE: Duration = Duration::from_secs(20);
/// Longer than registrations of one attach are taken for one.
const BETWEEN: Duration = Duration::from_millis(3_300);

#[test]
fn a_roamer_is_refused_four_times_and_then_let_in() {
    let (daemon, port) = start("roaming-2g");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut home = Asp::join(port, IBERIA_HLR).await;
        let mut visited = Asp::join(port, OTHER_GB).await;
        let hlr = title(6, 7, "346090000000001");
        let (vlr, sgsn) = (title(7, 1, "447953000001"), title(149, 1, "447953000001"));
        let refused = [0x02, 1, 8, 0x30, 3, 0x0a, 1, 0];
        for attempt in 1..=4 {
            // Both domains of one attach: one attempt.
            for (calling, operation) in [(&vlr, 2), (&sgsn, 23)] {
                visited.data(&hlr, calling, &register(operation, attempt * 16 + operation % 8));
                let answer = visited.tcap().await;
                assert_eq!(answer[0], 0x64, "an End: attempt {attempt}");
                assert!(answer.ends_with(&refused), "attempt {attempt}: {answer:02x?}");
            }
            tokio::time::sleep(BETWEEN).await;
        }
        visited.data(&hlr, &vlr, &register(2, 0x7f));
        let asked = home.tcap().await;
        assert_eq!(asked, register(2, 0x7f), "octet for octet");
        let result = part(0x6c, &part(0xa2, &[2, 1, 1]));
        home.data(&vlr, &hlr, &part(0x64, &[part(0x49, &[0, 0, 0, 0x7f]), result].concat()));
        assert_eq!(visited.tcap().await[0], 0x64);
    });
    let records = || Some(daemon.records()).filter(|records| records.len() >= 9);
    let records = eventually(PATIENCE, records).expect("a record of each dialogue");
    let of = |name: &str| records.iter().map(|record| record[name].clone()).collect::<Vec<_>>();
    assert!(of("stack").iter().all(|stack| stack == "ss7"));
    assert!(of("imsi").iter().all(|imsi| imsi == "214070000000001"));
    assert!(of("visited").iter().all(|visited| visited == "23430"));
    let attempts: Vec<_> = records.iter().filter_map(|record| record["attempt"].as_u64()).collect();
    assert_eq!(attempts, [1, 1, 2, 2, 3, 3, 4, 4, 4], "the last says after how many it was let in");
    let last = records.last().unwrap();
    assert_eq!((&last["finish"], &last["exit"]), (&"answered".into(), &"attempts".into()));
    assert_eq!((&last["operation_name"], &last["domain"]), (&"ul".into(), &"cs".into()));
    assert_eq!((&last["from"], &last["to"]), (&"gb-23430-stp1".into(), &"iberia-hlr1".into()));
}

#[test]
fn the_log_tells_of_the_death_and_the_return_of_a_peer() {
    let (daemon, port) = start("roaming-2g-log");
    let lines = |what: &str| daemon.log().lines().filter(|line| line.contains(what)).count();
    let wait_for = |count: usize, what: &str| {
        let said = eventually(PATIENCE, || (lines(what) >= count).then_some(()));
        assert!(said.is_some() && lines(what) == count, "{what}: {}", daemon.log());
    };
    let up = "a link is up name=\"iberia-hlr1\" transport=\"sctp\" address=\"127.0.0.1:";
    let down = "a link is down name=\"iberia-hlr1\" why=\"the peer aborted it\"";
    let (reached, lost) = ("a server is available server=", "a server has no active ASP server=");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut home = Asp::join(port, IBERIA_HLR).await;
        wait_for(1, up);
        wait_for(1, reached);
        // Somebody else under its identifier, while it lives.
        let mut second = Asp::connect(port, IBERIA_HLR).await;
        second.up();
        home.hear(Kind::BEAT).await;
        let mut beat = Vec::new();
        let _ = Writer::new(&mut beat, Kind::BEAT_ACK);
        home.say(&beat);
        wait_for(1, "a peer that lives was refused name=\"iberia-hlr1\" address=\"127.0.0.1:");
        assert_eq!((lines(down), lines(lost)), (0, 0), "{}", daemon.log());
        home.association.abort();
        wait_for(1, down);
        wait_for(1, lost);
        let _home = Asp::join(port, IBERIA_HLR).await;
        wait_for(2, up);
        wait_for(2, reached);
    });
    assert!(!daemon.log().contains("code=0"), "{}", daemon.log());
}
