use super::*;
use crate::view::sccp::address::plan;

fn digits(text: &str) -> Digits {
    if text.is_empty() { Digits::EMPTY } else { text.parse().expect("digits") }
}

fn rule(name: u32, prefix: &str) -> Rule {
    Rule::new(Symbol(name), digits(prefix), Symbol(name))
}

fn asked(text: &str) -> Asked {
    Asked {
        translation_type: Some(0),
        plan: Some(plan::E164),
        nature: Some(4),
        ssn: Some(6),
        from: None,
        digits: digits(text),
    }
}

fn found(table: &Table, asked: &Asked) -> Option<u32> {
    table.translate(asked).map(|rule| rule.name.0)
}

#[test]
fn the_longest_prefix_speaks_and_then_who_asks_for_more() {
    let table = Table::new(
        vec![
            rule(1, "44"),
            rule(2, "4478"),
            Rule { ssn: Some(7), ..rule(3, "4478") },
            Rule { ssn: Some(6), plan: Some(plan::E164), ..rule(4, "4478") },
            Rule { plan: Some(plan::E214), ..rule(5, "447800") },
            Rule { from: Some(Symbol(9)), ..rule(6, "") },
            rule(7, "0044"),
        ],
        &[],
    );
    assert_eq!(found(&table, &asked("4412")), Some(1));
    assert_eq!(found(&table, &asked("44781")), Some(4));
    assert_eq!(found(&table, &Asked { ssn: Some(7), ..asked("44781") }), Some(3));
    assert_eq!(found(&table, &Asked { ssn: Some(8), ..asked("44781") }), Some(2));
    assert_eq!(found(&table, &asked("4478001")), Some(4), "another plan does not speak");
    let mobile = Asked { plan: Some(plan::E214), ..asked("4478001") };
    assert_eq!(found(&table, &mobile), Some(5));
    assert_eq!(found(&table, &asked("33")), None);
    assert_eq!(found(&table, &Asked { from: Some(Symbol(9)), ..asked("33") }), Some(6));
    assert_eq!(found(&table, &asked("0044")), Some(7), "zeros in front are digits");
    assert_eq!(found(&table, &asked("4")), None);
}

#[test]
fn many_rules_say_what_few_do() {
    let mut dice = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = |limit: u64| {
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        dice % limit
    };
    let mut text = |most: u64| -> String {
        (0..next(most)).map(|_| char::from(b'0' + next(3) as u8)).collect()
    };
    let rules: Vec<Rule> = (0..2_000).map(|name| rule(name, &text(9))).collect();
    let table = Table::new(rules.clone(), &[]);
    for _ in 0..5_000 {
        let title = text(16);
        let longest = rules
            .iter()
            .filter(|rule| digits(&title).starts_with(rule.prefix))
            .map(|rule| rule.prefix.len())
            .max();
        let found = table.translate(&asked(&title));
        assert_eq!(found.map(|rule| rule.prefix.len()), longest, "{title}");
        assert!(found.is_none_or(|rule| digits(&title).starts_with(rule.prefix)));
    }
}

#[test]
fn destinations_by_point_code() {
    let table = Table::new(Vec::new(), &[(PointCode(7), Symbol(1)), (PointCode(7), Symbol(2))]);
    assert_eq!(table.destination(PointCode(7)), Some(Symbol(1)));
    assert_eq!(table.destination(PointCode(8)), None);
}

fn called(plan: u8, text: &str) -> AddressBuffer {
    let title =
        TitleFields { indicator: 4, translation_type: 0, plan, nature: 4, digits: digits(text) };
    AddressBuffer::new(&Fields { ssn: Some(6), title: Some(title), ..Fields::default() })
}

#[test]
fn identities_become_mobile_titles_and_back() {
    let to_title =
        Rule { strip: 5, prepend: digits("34609"), set_plan: Some(plan::E214), ..rule(1, "21407") };
    let before = called(plan::E212, "214070000000001");
    let address = Address::new(before.octets(), 0, false).expect("an address");
    let after = to_title.readdress(&address, false).expect("it fits").expect("it changes");
    assert_eq!(after, called(plan::E214, "346090000000001"));
    let back =
        Rule { strip: 5, prepend: digits("21407"), set_plan: Some(plan::E212), ..rule(1, "") };
    let address = Address::new(after.octets(), 0, false).expect("an address");
    assert_eq!(back.readdress(&address, false).expect("it fits"), Some(before));
}

#[test]
fn what_a_rule_does_not_change_stays() {
    let before = called(plan::E164, "34609000001");
    let address = Address::new(before.octets(), 0, false).expect("an address");
    assert_eq!(rule(1, "").readdress(&address, false), Ok(None));
    let on_ssn = Rule { route_on_ssn: true, set_ssn: Some(8), ..rule(1, "") };
    let after = on_ssn.readdress(&address, false).expect("it fits").expect("it changes");
    let after = Address::new(after.octets(), 0, false).expect("an address");
    assert!(after.routes_on_ssn && after.ssn == Some(8));
    assert_eq!(after.title.map(|title| title.digits()), address.title.map(|title| title.digits()));
    let long = Rule { prepend: digits("1234567890123"), ..rule(1, "") };
    assert_eq!(long.readdress(&address, false), Err(TooManyDigits));
}
