use tests::world::{PREFERRED, STEERED, imsi};

use crate::{Stage, answers};

#[test]
fn four_refusals_then_exit_then_held_and_every_exchange_recorded() {
    let folder = tests::scratch("operator-steering");
    let stage = Stage::new(&folder);
    let refused = stage.register(1, 4, STEERED);
    assert_eq!(answers(&refused), [("exp:5004", 4)]);
    let accepted = stage.register(1, 3, STEERED);
    assert_eq!(answers(&accepted), [("2001", 3)]);
    let welcome = stage.register(2, 2, PREFERRED);
    assert_eq!(answers(&welcome), [("2001", 2)]);
    assert_eq!(stage.home.counters.total(), 5, "the home network never saw what was refused");

    let all = || Some(stage.daemon.records()).filter(|records| records.len() >= 9);
    let limit = std::time::Duration::from_secs(5);
    let records = tests::children::eventually(limit, all).expect("nine records");
    let registers: Vec<_> = records.iter().filter(|line| line["act"] == "register").collect();
    assert_eq!(registers.len(), 9);
    for (number, line) in registers.iter().take(4).enumerate() {
        assert_eq!(line["attempt"], number + 1);
        assert_eq!(line["provenance"], "steering");
        assert_eq!((&line["experimental"], &line["vendor"]), (&5004.into(), &10415.into()));
        assert_eq!(line["because"][0]["rule"], "gb");
    }
    assert_eq!(registers[4]["exit"], "attempts");
    assert_eq!(registers[5]["because"][0]["outcome"], "settled");
    assert_eq!(registers[8]["preferred"], true);
    let same = registers[0]["subscriber"] == registers[6]["subscriber"];
    assert!(same && registers[0]["subscriber"] != registers[8]["subscriber"]);
    let metrics = stage.daemon.get("/metrics").unwrap();
    let counted = "ipx_steering_refusals_total{customer=\"home\",visited=\"23410\"} 4";
    assert!(metrics.contains(counted), "{metrics}");

    let files = std::fs::read_dir(folder.join("journal")).unwrap();
    for file in files.flatten() {
        let text = std::fs::read_to_string(file.path()).unwrap();
        assert!(!text.contains(&imsi(1)), "an IMSI in clear in {}", file.path().display());
    }
    assert!(!stage.daemon.log().contains(&imsi(1)) && !metrics.contains(&imsi(1)));
}
