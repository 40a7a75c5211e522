//! MAP through the daemon over our own SCTP on raw IP: an HLR and a VLR with addresses of their own on
//! loopback agree on every outcome. Needs root, and a kernel without SCTP of its own.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a test opens sockets and fails by panicking"
)]

use std::fmt::Write as _;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use sctp::{Backend, Endpoint, Peer, Settings};
use sim::mme::{Live, Load};
use sim::ss7::asp::AspConfig;
use sim::ss7::hlr::Hlr;
use sim::ss7::home::HomeConfig;
use sim::ss7::links::LinkConfig;
use sim::ss7::load::{Procedure, VisitedConfig, VisitedReport, run};
use sim::ss7::visited::{Identity, Role};
use tests::daemon::Daemon;

const GATEWAY: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 1));
const HOME: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
const VISITED: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 3));
/// Not M3UA's own, which a laboratory beside us may have.
const PORT: u16 = 22_905;
const COUNT: u64 = 2_000;
const PATIENCE: Duration = Duration::from_secs(20);

fn configuration() -> String {
    let mut text = format!(
        "[gateway]\norigin_host = \"stp1.ipx.lab\"\npolicies = \"policies\"\n\
         [admin]\nlisten = \"127.0.0.1:0\"\n[journal]\ndirectory = \"journal\"\n\
         [ss7]\npoint_code = \"0-0-1\"\n\
         [[listen]]\nprotocol = \"m3ua\"\naddress = \"{GATEWAY}:{PORT}\"\n\
         transport = \"sctp-raw\"\n"
    );
    for (name, address, code) in [("home", HOME, 2), ("visited", VISITED, 3)] {
        write!(
            text,
            "[[peer]]\nname = \"{name}-asp\"\nprotocol = \"m3ua\"\nrole = \"asp\"\n\
             transport = \"sctp-raw\"\naddresses = [\"{address}\"]\n\
             [[server]]\nname = \"{name}\"\nrouting_context = {code}\n\
             point_code = \"0-0-{code}\"\npeers = [\"{name}-asp\"]\n"
        )
        .unwrap();
    }
    text
}

fn policies(folder: &std::path::Path) {
    std::fs::create_dir_all(folder).unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
    write("customers.toml", "[[customer]]\nname = \"home\"\nplmns = [\"21407\"]\n");
    write(
        "networks.toml",
        "[[network]]\nplmn = \"23410\"\ncountry = \"GB\"\ntitles = [\"447802\"]\n\
         [[network]]\nplmn = \"21407\"\ncountry = \"ES\"\ntitles = [\"34609\"]\n",
    );
    write(
        "titles.toml",
        "[[title]]\nname = \"home\"\nprefix = \"34609\"\nto = \"home\"\n\
         [[title]]\nname = \"visited\"\nprefix = \"447802\"\nto = \"visited\"\n",
    );
}

fn link(local: IpAddr, code: u32) -> LinkConfig {
    let gateway = Peer { addresses: vec![GATEWAY], port: PORT, encapsulation_port: 0 };
    let mut asp = AspConfig::new(code, 1);
    asp.routing_context = Some(code);
    let mut link = LinkConfig::new(gateway, asp);
    (link.backend, link.local) = (Backend::Raw, vec![local]);
    link
}

fn visit() -> VisitedReport {
    let mut identity = Identity::new(Role::Vlr, "447802000001");
    identity.titles = vec!["21407=34609".parse().unwrap()];
    let imsi = "214070000000000..214070000000999".parse().unwrap();
    let mut config = VisitedConfig::new(identity, link(VISITED, 3), imsi);
    config.load = Load::Window(64);
    config.count = Some(COUNT);
    config.procedure = Procedure::Attach;
    let (_handle, stop) = sim::stop();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(run(config, stop, Arc::<Live>::default())).unwrap()
}

#[test]
fn two_thousand_dialogues_over_raw_ip() {
    let anybody = Arc::new(|_: &[IpAddr]| true);
    match Endpoint::bind(Backend::Raw, &[GATEWAY], 0, &Settings::default(), anybody) {
        Ok(_) => {}
        // Then raw IP is not for this machine, as the daemon says as well.
        Err(error) if error.kind() == ErrorKind::Unsupported => {
            return println!("skipped: {error}");
        }
        Err(error) => return tests::skip(&error.to_string()),
    }
    let folder = tests::scratch("sctp-raw");
    policies(&folder.join("policies"));
    let mut daemon = Daemon::start(&folder, &configuration());
    let home = Hlr::new(HomeConfig::new("34609000001"), link(HOME, 2), PATIENCE);
    let counters = home.counters();
    let (handle, stop) = sim::stop();
    let report = std::thread::scope(|scope| {
        scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(home.run(stop)).unwrap();
        });
        daemon.wait_up(&["home-asp"], PATIENCE);
        let report = visit();
        handle.stop();
        report
    });
    daemon.assert_alive();
    assert!(report.report.is_clean(), "{report}");
    assert_eq!(report.report.answered, COUNT);
    let seen = counters.snapshot().counts;
    assert_eq!(report.outcomes, seen.outcomes, "both ends agree");
    assert!(report.faults.is_empty() && seen.faults.is_empty(), "{report} {seen:?}");
}
