//! One line for each way an exchange ends, and what never stands in any line.
#![allow(missing_docs, reason = "tests")]

use journal::read::LINE_OCTETS_MAX;
use journal::{Key, Lines, Schema};
use procedure::{
    Access, Act, Because, Code, Domain, Finish, Layer, LinkId, Malformed, Provenance, Record,
    Symbols, Time,
};
use serde_json::{Value, json};

mod common;
use common::{EPOCH_US, IMSI, World, answered, exited, refused};

const KEY: [u8; 32] = [7; 32];

fn write(
    records: &[Record],
    clear: bool,
    world: (std::sync::Arc<dyn journal::Names>, Symbols),
) -> Vec<u8> {
    let mut schema = Schema::new(EPOCH_US, Key::new(KEY), clear, world.0);
    let mut out = Vec::new();
    records.iter().for_each(|record| schema.write(record, &mut out));
    out
}

fn bare(finish: Finish, symbols: &Symbols) -> Record {
    Record {
        closed: Time(1_500_000),
        to: None,
        sends: 0,
        application: 0,
        operation: 0,
        act: Act::Transit,
        domain: Domain::Unknown,
        access: Access::Unknown,
        imsi: None,
        customer: None,
        home: None,
        visited: None,
        preferred: None,
        finish,
        code: Code::None,
        success: false,
        because: Because::default(),
        answer_octets: 0,
        ..answered(symbols)
    }
}

/// `openssl enc -aes-256-ecb -nopad` of the digits as nibbles, their number, and "ipx imsi".
fn pseudonym() -> &'static str {
    "bcad01d627f084265238e71ee3e84e0b"
}

/// The fields that every line has, with those of an S6a registration.
fn expected(of: &[Value]) -> Value {
    let mut whole = json!({
        "v": 1, "opened_us": EPOCH_US + 1_500, "latency_us": 2_500, "stack": "diameter",
        "worker": 1, "exchange": "0000000000000abc", "from": "mme \"one\"", "sends": 1,
        "request_octets": 400, "answer_octets": 200,
    });
    for part in of {
        let fields = part.as_object().expect("fields").clone();
        whole.as_object_mut().expect("fields").extend(fields);
    }
    whole
}

fn registration() -> Value {
    json!({
        "application": 16_777_251, "application_name": "s6a", "operation": 316,
        "operation_name": "ulr", "act": "register", "domain": "eps", "access": "4g",
        "subscriber": pseudonym(), "customer": "acme", "home": "21407", "home_country": "ES",
        "visited": "23410", "visited_country": "GB",
    })
}

fn nothing_known() -> Value {
    json!({
        "latency_us": 0, "sends": 0, "application": 0, "operation": 0, "act": "transit",
        "success": false, "answer_octets": 0,
    })
}

/// A record of each kind and its line.
fn cases(symbols: &Symbols) -> Vec<(Record, Value)> {
    let steered = json!({"stage": "steer", "rule": "plan-gb", "outcome": "refuse",
        "refusal": "roaming-not-allowed"});
    let learned =
        json!({"stage": "steer", "rule": "plan-gb", "outcome": "learned", "moved_pct": 40});
    let exit = json!({"stage": "steer", "rule": "plan-gb", "outcome": "exit", "exit": "attempts"});
    let answer = json!({"to": "hss-2", "finish": "answered", "result": 2001, "success": true});
    let expired = Record {
        to: Some(LinkId(9)),
        sends: 2,
        repeat: true,
        finish: Finish::Expired,
        code: Code::Base(3002),
        provenance: Provenance::Expired,
        ..bare(Finish::Expired, symbols)
    };
    let why = Malformed {
        layer: Layer::Diameter,
        field: "AVP Length",
        offset: 20,
        why: "past the \"end\"",
        code: 5014,
    };
    let dialogue = |code, said: Value| {
        let record = Record { code, frames: 5, ..bare(Finish::Passed, symbols) };
        let frames = json!({"finish": "passed", "frames": 5});
        (record, expected(&[nothing_known(), frames, said]))
    };
    vec![
        (
            answered(symbols),
            expected(&[
                registration(),
                answer.clone(),
                json!({
            "preferred": true,
            "because": [{"stage": "steer", "rule": "plan-gb", "outcome": "preferred"},
                {"stage": "route", "rule": "home", "outcome": "to", "group": "hss"}]}),
            ]),
        ),
        (
            exited(symbols),
            expected(&[
                registration(),
                answer,
                json!({
            "preferred": false, "exit": "attempts", "because": [learned, exit]}),
            ]),
        ),
        (
            refused(symbols, 2),
            expected(&[
                registration(),
                json!({
            "sends": 0, "preferred": false, "finish": "refused", "experimental": 5004,
            "vendor": 10_415, "success": false, "provenance": "steering", "attempt": 2,
            "because": [steered]}),
            ]),
        ),
        (
            bare(Finish::Discarded, symbols),
            expected(&[
                nothing_known(),
                json!({
            "finish": "discarded"}),
            ]),
        ),
        (
            expired,
            expected(&[
                nothing_known(),
                json!({
            "finish": "expired", "to": "?", "sends": 2, "repeat": true, "result": 3002,
            "provenance": "expired"}),
            ]),
        ),
        (bare(Finish::Stray, symbols), expected(&[nothing_known(), json!({"finish": "stray"})])),
        (
            bare(Finish::Malformed(why), symbols),
            expected(&[
                nothing_known(),
                json!({
            "finish": "malformed", "malformed_layer": "diameter", "malformed_field": "AVP Length",
            "malformed_offset": 20, "malformed_why": "past the \"end\""}),
            ]),
        ),
        dialogue(Code::Error(8), json!({"error": 8})),
        dialogue(Code::Reject(258), json!({"reject": 258})),
        dialogue(Code::Abort(Code::USER_ABORT), json!({"abort": 65_536})),
        dialogue(Code::Returned(1), json!({"returned": 1})),
    ]
}

#[test]
fn every_finish_as_documented() {
    let world = World::shared();
    let (records, lines): (Vec<_>, Vec<_>) = cases(&world.1).into_iter().unzip();
    let out = write(&records, false, world);
    let text = String::from_utf8(out).expect("UTF-8");
    assert!(text.ends_with('\n'));
    let written: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(written, lines);
}

#[test]
fn lines_read_back() {
    let world = World::shared();
    let records: Vec<_> = cases(&world.1).into_iter().map(|(record, _)| record).collect();
    let mut out = write(&records, true, world);
    out.extend_from_slice(b"{\"v\":1,\"half\n");
    let again = String::from_utf8(out.clone()).expect("UTF-8").replace("\"v\":1", "\"v\":2");
    let lines: Vec<_> = Lines::new(&out[..]).collect();
    let refused = lines[2].as_ref().expect("a line");
    assert_eq!(
        (refused.experimental, refused.vendor, refused.result),
        (Some(5004), Some(10_415), None)
    );
    assert_eq!(refused.because[0].refusal.as_deref(), Some("roaming-not-allowed"));
    assert_eq!((refused.attempt, refused.imsi.as_deref()), (2, Some(IMSI)));
    assert_eq!(refused.subscriber.as_deref(), Some(pseudonym()));
    assert_eq!(lines.iter().filter(|line| line.is_ok()).count(), records.len());
    assert_eq!(
        (lines[7].as_ref().expect("a line").error, lines[7].as_ref().expect("a line").frames),
        (Some(8), Some(5))
    );
    assert!(lines[11].as_ref().is_err_and(|error| error.to_string().starts_with("line 12: ")));
    assert!(Lines::new(again.as_bytes()).all(|line| line.is_err()), "another version is refused");
}

#[test]
fn a_line_without_end_takes_no_memory_and_the_next_one_is_read() {
    let world = World::shared();
    let (record, _) = cases(&world.1).remove(0);
    let good = write(&[record], false, world);
    for octets in [LINE_OCTETS_MAX - 1, LINE_OCTETS_MAX, LINE_OCTETS_MAX + 1, 5 * LINE_OCTETS_MAX] {
        let text = [&vec![b'x'; octets][..], b"\n", &good].concat();
        let lines: Vec<_> =
            Lines::new(std::io::BufReader::with_capacity(1000, &text[..])).collect();
        assert_eq!(lines.iter().map(Result::is_ok).collect::<Vec<_>>(), [false, true], "{octets}");
        // The last one may have been cut.
        assert_eq!(
            Lines::new(&text[..octets]).map(|line| line.is_err()).collect::<Vec<_>>(),
            [true]
        );
    }
}

#[test]
fn no_identity_in_clear_unless_asked() {
    let holds = |out: &[u8], digits: &str| {
        out.windows(digits.len()).any(|window| window == digits.as_bytes())
    };
    for clear in [false, true] {
        let world = World::shared();
        let records: Vec<_> = cases(&world.1).into_iter().map(|(record, _)| record).collect();
        let out = write(&records, clear, world);
        assert_eq!(holds(&out, IMSI), clear);
        // Nor the part behind the network, which would be enough.
        assert_eq!(holds(&out, &IMSI[5..]), clear);
        assert!(holds(&out, pseudonym()));
    }
}

#[test]
fn every_field_is_documented_and_every_documented_field_occurs() {
    let table = include_str!("../src/schema.rs").lines();
    let mut documented: Vec<&str> = table
        .filter_map(|line| line.strip_prefix("//! | `")?.split_once('`'))
        .map(|(name, _)| name)
        .collect();
    let world = World::shared();
    let records: Vec<_> = cases(&world.1).into_iter().map(|(record, _)| record).collect();
    let out = write(&records, true, world);
    let mut written = Vec::new();
    for line in out.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let line: Value = serde_json::from_slice(line).expect("JSON");
        for (name, value) in line.as_object().expect("an object") {
            written.push(name.clone());
            let rules = value.as_array().into_iter().flatten().filter_map(Value::as_object);
            written.extend(rules.flat_map(|rule| rule.keys().map(|key| format!("{name}[].{key}"))));
        }
    }
    written.sort();
    written.dedup();
    documented.sort_unstable();
    assert_eq!(written, documented);
}

#[test]
fn names_that_come_later_are_found() {
    let world = World::shared();
    let early = answered(&world.1);
    let mut schema = Schema::new(EPOCH_US, Key::new(KEY), false, world.0);
    let mut out = Vec::new();
    schema.write(&early, &mut out);
    let late = Record { customer: Some(world.1.intern("späť\n")), ..early };
    schema.write(&late, &mut out);
    let last = Lines::new(&out[..]).last().expect("two lines").expect("a line");
    assert_eq!(last.customer.as_deref(), Some("späť\n"));
}
