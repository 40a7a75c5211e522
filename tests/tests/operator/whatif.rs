use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use tests::children::eventually;
use tests::world::{PREFERRED, STEERED};

use crate::Stage;

const RECORDED: Duration = Duration::from_secs(5);

/// The daemon's own records, read while it runs: pseudonyms of a key that only it knows.
#[test]
fn what_a_running_gateway_recorded_is_replayed() {
    let folder = tests::scratch("operator-whatif");
    let stage = Stage::new(&folder);
    let mut told = 0;
    for subscriber in 0..12 {
        let (count, visited) = if subscriber < 8 { (5, STEERED) } else { (1, PREFERRED) };
        stage.register(subscriber, count, visited);
        told += count;
    }
    let all = || (stage.daemon.records().len() as u64 >= told).then_some(());
    assert!(eventually(RECORDED, all).is_some());
    let records = stage.daemon.records();
    let refused = records.iter().filter(|record| record["provenance"] == "steering").count() as u64;
    assert_eq!(refused, 32);

    let tried = folder.join("tried");
    tests::world::write_policies(&tried, &[crate::HSS]);
    let run = |policies: &std::path::Path| -> Value {
        let mut command = Command::new(tests::daemon::built("ctl", "ipxctl"));
        command.arg("whatif").arg("--config").arg(folder.join("gateway.toml"));
        let output = command.arg("--policies").arg(policies).arg("--json").output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let same = run(&tried);
    assert_eq!(same["in_force"], same["tried"], "{same:#}");
    assert_eq!(same["in_force"]["refused_by_steering"], refused);
    assert_eq!(same["in_force"]["exits"]["attempts"], 8);
    assert_eq!((&same["input"]["made_up"], &same["input"]["unread"]), (&12.into(), &0.into()));
    // The gateway's own folder is as good as any.
    let own = run(&folder.join("policies"));
    assert_eq!(own["tried"], same["tried"]);

    let steering = std::fs::read_to_string(tried.join("steering.toml")).unwrap();
    std::fs::write(tried.join("steering.toml"), steering + "refusals_max = 1\n").unwrap();
    let looser = run(&tried);
    assert_eq!(looser["tried"]["refused_by_steering"], 8);
    assert_eq!(looser["tried"]["passed_over"], 24);
    assert_eq!(looser["newly_refused"], 0);
}
