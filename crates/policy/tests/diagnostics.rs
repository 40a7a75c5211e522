//! Every mistake in one go, each with its line and column and what would have been right.

#[allow(unreachable_pub, reason = "shared by several tests")]
mod desk;
#[allow(unreachable_pub, reason = "shared by several tests")]
mod words;

use policy::{Context, Source, compile};
use procedure::{LinkId, Symbols};
use words::Words;

/// What a set of files is told, as lines.
fn told(sources: &[Source]) -> Vec<String> {
    let symbols = Symbols::default();
    let peers = [("hss1".to_owned(), LinkId(0)), ("hss2".to_owned(), LinkId(1))];
    let context = Context {
        symbols: &symbols,
        vocabulary: &Words,
        peers: Some(&peers),
        groups: &[],
        started_unix_s: 0,
    };
    match compile(sources, &context) {
        Ok(compiled) => desk::lines(compiled.warnings()),
        Err(mistakes) => desk::lines(&mistakes),
    }
}

fn steering(text: &str) -> Vec<String> {
    told(&desk::sources(text))
}

#[test]
fn one_file_with_many_mistakes_has_them_all_told() {
    let text = r#"[[plan]]
name = "a"
customer = "iberai"
country = "GB"
prefered = ["23410"]
preferred = ["23410", "2341", "99988"]
refusals_max = 5
episode_s = 120
hold_s = "long"
mode = "watch"
[[plan]]
name = "a"
customer = "rhine"
preferred = ["20801"]
country = "GB"
[[plan.answer]]
domain = "eps"
code = 5001
[plam]
"#;
    let expected = [
        "3:12: error: there is no customer `iberai` (did you mean `iberia`?)",
        "5:1: error: unknown key `prefered` (did you mean `preferred`?)",
        "6:23: error: `2341` is no value for `preferred` (expected five or six digits, MCC then MNC, as \"23410\")",
        "6:31: error: no network `99988` is known (networks.toml can add it to the built-in list)",
        "7:16: error: `refusals_max` is out of range (from 1 to 4)",
        "8:13: error: `episode_s` is out of range (from 5 to 119)",
        "9:10: error: `hold_s` is a string, but a whole number was expected",
        "10:8: error: `watch` is no value for `mode` (known: enforce, observe, off)",
        "12:8: error: two rules are called `a` (the first stands at policies/steering.toml:2)",
        "14:14: error: `20801` is not in this plan's country (it is 208-01 Orange (Orange S.A.), FR; the plan is for GB)",
        "18:8: error: code 5001 is not a legal refusal of register in eps (legal: 5004 roaming-not-allowed, 5420 unknown-subscription, 5421 rat-not-allowed)",
        "19:2: error: unknown key `plam` (did you mean `plan`?)",
    ];
    let told = steering(text);
    let expected: Vec<String> =
        expected.iter().map(|line| format!("policies/steering.toml:{line}")).collect();
    assert_eq!(told, expected, "{}", told.join("\n"));
}

#[test]
fn mistakes_in_several_files_come_in_the_order_of_the_files() {
    let told = told(&[
        Source::new("p/networks.toml", "[[network]]\nplmn = \"2141\"\n"),
        Source::new("p/customers.toml", "[[customer]]\nname = \"\"\nplmns = [\"21407\"]\n"),
        Source::new("p/stering.toml", ""),
        Source::new(
            "p/routes.toml",
            "[[group]]\nname = \"g\"\nmembers = [{ peer = \"hss3\", weight = 0 }, { peer = \"hss1\" }]\n\
             [[route]]\nname = \"r\"\napplication = \"s6b\"\ncommand = \"url\"\nto = \"h\"\n\
             destination_realm = \"*x.org\"\n",
        ),
        Source::new(
            "p/screening.toml",
            "[built_in]\norigin-owns-subscriber = \"no\"\n[[rule]]\nname = \"all\"\nanswer = \"unauthorized\"\n",
        ),
        Source::new(
            "p/cases/a.toml",
            "[[case]]\nname = \"c\"\nexpect = { verdict = \"refused\" }\n",
        ),
    ]);
    let starts = [
        "p/networks.toml:1:1: error: this network has no `plmn`",
        "p/networks.toml:2:8: error: `2141` is no value for `plmn`",
        "p/customers.toml:2:8: error: `name` is empty",
        "p/stering.toml:1:1: error: `stering.toml` is no policy file (did you mean `steering.toml`?)",
        "p/routes.toml:3:21: error: there is no peer `hss3` (did you mean `hss1`?)",
        "p/routes.toml:3:38: error: `weight` is out of range",
        "p/routes.toml:6:15: error: no application `s6b` is known (did you mean `s6a`?)",
        "p/routes.toml:7:11: error: no command `url` is known (did you mean `ulr`?)",
        "p/routes.toml:8:6: error: there is no group `h` (did you mean `g`?)",
        "p/routes.toml:9:21: error: `*x.org` is no value for `destination_realm`",
        "p/screening.toml:2:26: error: `no` is no value for `origin-owns-subscriber`",
        "p/screening.toml:3:1: error: this rule matches everything",
        "p/screening.toml:5:10: error: `unauthorized` is no value for `answer` (did you mean `unauthorised`?)",
        "p/cases/a.toml:3:22: error: `refused` is no value for `verdict` (did you mean `refuse`?)",
    ];
    for start in starts {
        assert!(told.iter().any(|line| line.starts_with(start)), "{start}\n{}", told.join("\n"));
    }
    let order: Vec<&str> = told.iter().filter_map(|line| line.split(':').next()).collect();
    let mut files = order.clone();
    files.dedup();
    assert_eq!(
        files,
        [
            "p/networks.toml",
            "p/customers.toml",
            "p/stering.toml",
            "p/routes.toml",
            "p/screening.toml",
            "p/cases/a.toml"
        ]
    );
}

#[test]
fn of_what_is_no_toml_only_that_is_told_and_the_other_files_are_still_read() {
    for (wrong, place) in [
        ("[[customer]]\nplmns = [\"21407\"]\nfoo = 1\nname = \n", "4:"),
        ("[[customer]]\nname = \"iberia\nplmns = [\"21407\"]\n", "2:"),
        ("[[customer]\nname = \"iberia\"\nplmns = [\"21407\"]\n", "1:"),
        ("name\n[[customer]]\nplmns = [\"21407\"]\n", "1:"),
    ] {
        let told = told(&[
            Source::new("p/networks.toml", ""),
            Source::new("p/customers.toml", wrong),
            Source::new(
                "p/steering.toml",
                "[[plan]]\nname = \"a\"\ncustomer = \"iberia\"\ncountry = \"GB\"\n\
                 preferred = [\"23410\"]\nfoo = 1\n",
            ),
        ]);
        let (unread, rest): (Vec<_>, Vec<_>) =
            told.iter().partition(|line| line.starts_with("p/customers.toml:"));
        let start = format!("p/customers.toml:{place}");
        assert!(matches!(&unread[..], [only] if only.starts_with(&start)), "{wrong}{told:#?}");
        assert_eq!(rest.len(), 1, "{told:#?}");
        let unknown = rest.iter().all(|line| line.contains("6:1: error: unknown key `foo`"));
        assert!(unknown, "{told:#?}");
    }
}

#[test]
fn an_illegal_code_names_the_legal_ones_of_its_domain() {
    let text = "[[plan]]\nname = \"a\"\ncustomer = \"iberia\"\ncountry = \"GB\"\npreferred = [\"23410\"]\n[[plan.answer]]\ndomain = \"cs\"\ncode = 5421\n";
    assert_eq!(
        steering(text),
        ["policies/steering.toml:8:8: error: code 5421 is not a legal refusal of register in cs \
          (legal: 8 roaming-not-allowed)"]
    );
}

#[test]
fn a_case_that_fails_says_where_it_stands_and_what_came_instead() {
    let mut sources = desk::sources(desk::PLANS);
    sources.push(Source::new(
        "policies/cases/a.toml",
        "[[case]]\nname = \"wrong\"\nimsi = \"214070000000001\"\nvisited = \"23415\"\nattempt = 2\n\
         expect = { verdict = \"forward\", rule = \"iberia-gb\" }\n",
    ));
    let symbols = Symbols::default();
    let context = Context {
        symbols: &symbols,
        vocabulary: &Words,
        peers: None,
        groups: &[],
        started_unix_s: 0,
    };
    let compiled = compile(&sources, &context).expect("right files");
    let report = compiled.run_cases(&Words);
    assert_eq!(
        desk::lines(&report.failed),
        ["policies/cases/a.toml:2:8: error: case `wrong` fails: verdict is refuse, not forward \
          (these rules spoke: iberia-gb)"]
    );
}

#[test]
fn a_plan_that_contradicts_itself_is_told_so() {
    let text = r#"[[plan]]
name = "a"
customer = "iberia"
country = "GB"
preferred = ["23410", "23430"]
shares = [60, 30]
barred = ["23430"]
valid_from = "2026-12-31"
valid_until = "2026-12-01"
hours_utc = "22-06"
returns_max = 4
refusals_max = 3
[[plan.override]]
name = "everybody"
refusals_max = 1
[[plan.override]]
name = "some"
imsi_ranges = ["214070000000002-214070000000001"]
[[plan.override]]
name = "wide"
imsi_prefixes = "21407"
[[plan.override]]
name = "narrow"
imsi_prefixes = "2140755"
[[plan]]
name = "b"
customer = "iberia"
country = "FR"
preferred = ["20801"]
[[plan.tier]]
networks = ["20810"]
shares = [50, 50]
[[plan.tier]]
[[plan]]
name = "c"
customer = "iberia"
country = ["FR", "ES"]
networks = "20815"
preferred = ["20801"]
bar_country = "yes"
[[plan]]
name = "d"
customer = "rhine"
country = "VE"
bar_country = true
"#;
    let expected = [
        "6:11: error: these shares do not add up to 100 (short of it: 90)",
        "7:11: error: `23430` is barred, and preferred as well (a network, with all its operator's codes, plays one part in a plan)",
        "9:15: error: `valid_until` is before `valid_from`",
        "10:13: error: `22-06` is no value for `hours_utc` (expected hours in UTC, as \"22:00-06:00\")",
        "11:15: warning: `returns_max` is never reached (a network ends with 3 (`refusals_max`))",
        "13:1: error: this override holds for everybody (say for whom: imsi_prefixes, imsi_ranges, device, nodes, came_from)",
        "18:16: error: `214070000000002-214070000000001` is no value for `imsi_ranges` (expected two IMSIs of one length, as \"214070000000000-214070000999999\")",
        "23:8: warning: this override never speaks (an earlier one holds for all of them; the first that holds speaks)",
        "25:1: error: a plan has `preferred` or tiers, not both (put the networks of `preferred` into a [[plan.tier]])",
        "32:11: error: 2 shares for 1 networks (one for each, in their order)",
        "33:1: error: this tier has no networks",
        "34:1: error: a plan has a `country` or `networks`, not both",
        "37:18: error: `ES` is this customer's own country (say `national_roaming = true` if its subscribers are to be steered at home)",
        "40:15: error: `bar_country` is a string, but true or false was expected",
        "45:15: warning: nobody of this customer has service in this country (networks that are meant to serve stand in `allowed` or `preferred`)",
    ];
    let told = steering(text);
    let expected: Vec<String> =
        expected.iter().map(|line| format!("policies/steering.toml:{line}")).collect();
    assert_eq!(told, expected, "\n{}", told.join("\n"));
}

#[test]
fn a_plan_that_never_speaks_and_one_without_an_exit_are_told_so() {
    let text = r#"[[plan]]
name = "a"
customer = "iberia"
country = ["GB", "FR"]
preferred = ["23410"]
[[plan]]
name = "b"
customer = "iberia"
country = "GB"
access = ["4g"]
preferred = ["23430"]
[[plan]]
name = "c"
customer = "rhine"
country = "GB"
preferred = ["23430"]
"#;
    let shadowed = steering(text);
    let never = "policies/steering.toml:6:1: warning: this plan never speaks (`a` stands before it and holds wherever it does)";
    assert_eq!(shadowed, [never]);
    let networks = "[[network]]\nplmn = \"00101\"\nname = \"lab\"\ncountry = \"ZZ\"\n";
    let plan = "[[plan]]\nname = \"a\"\ncustomer = \"iberia\"\ncountry = \"ZZ\"\nbarred = [\"00101\"]\npreferred_available = false\n";
    let mut files = desk::sources(plan);
    files.push(Source::new("policies/networks.toml", networks));
    let told = told(&files);
    assert!(told.iter().any(|line| line.contains("this plan has no exit")), "{told:?}");
}

#[test]
fn a_border_with_nowhere_is_told() {
    let text = "[[plan]]\nname = \"a\"\ncustomer = \"iberia\"\ncountry = \"GB\"\npreferred = [\"23410\"]\n\
                [[plan.override]]\nname = \"o\"\ncame_from = [\"FR\", \"QQ\"]\n";
    let wanted = "policies/steering.toml:8:20: error: no network of a country `QQ` is known (two letters of ISO 3166, as \"GB\" for the United Kingdom)";
    assert_eq!(steering(text), [wanted]);
}
