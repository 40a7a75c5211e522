//! Anybody's bytes as records or as a capture.

use bolero::check;

use crate::Stage;
use crate::population::handsets;

#[test]
fn broken_lines_are_counted_and_the_others_replayed() {
    let stage = Stage::new("broken");
    let truth = stage.record(&handsets(40, 2_000, 50), "");
    let path = stage.journal().join("records.jsonl");
    let mut text = std::fs::read(&path).unwrap();
    text.extend(b"{}\n\nnot JSON\n\xff\xfe\n{\"v\":1,\"opened_us\":3}\n");
    text.extend(vec![b'x'; 1 << 20]);
    text.extend(b"\n{\"v\":1");
    std::fs::write(&path, &text).unwrap();
    let report = stage.try_policies(&stage.folder.join("policies"), &[]);
    assert_eq!(report["input"]["unread"], 7);
    assert_eq!(report["in_force"]["refused_by_steering"], truth.refused);
}

#[test]
fn any_bytes_as_records_or_capture_end_well() {
    let stage = Stage::new("any");
    stage.record(&handsets(4, 2_000, 50), "");
    let lines = std::fs::read(stage.journal().join("records.jsonl")).unwrap();
    let own = stage.folder.join("policies").display().to_string();
    let (folder, capture) = (stage.folder.join("any"), stage.folder.join("any.pcap"));
    std::fs::create_dir_all(&folder).unwrap();
    check!().with_iterations(12).for_each(|input: &[u8]| {
        let mut damaged = lines.clone();
        for (at, octet) in input.iter().enumerate() {
            let place = (at * 131 + usize::from(*octet) * 17) % damaged.len();
            damaged[place] = *octet;
        }
        std::fs::write(folder.join("records.jsonl"), &damaged).unwrap();
        std::fs::write(&capture, [&[0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0], input].concat()).unwrap();
        let (folder, capture) = (folder.display().to_string(), capture.display().to_string());
        for source in [["--records", &folder], ["--capture", &capture]] {
            let output = stage.run(&[&["--policies", &own][..], &source].concat());
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(matches!(output.status.code(), Some(0 | 1)), "{said}");
            assert!(!said.contains("panicked"), "{said}");
        }
    });
}
