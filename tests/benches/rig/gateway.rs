//! The gateway under test, with everything on: routes, screening, steering, records on disk,
//! metrics.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;

use super::load::{home_host, visited_host};
use super::place::Place;
use super::process::Process;
use super::{HOME, Outcome, program};

/// Of every twenty blocks of so many subscribers one belongs to an operator that prefers another
/// network: its registrations are refused.
const BLOCK: u64 = 1_000;
const BLOCKS: u64 = 2_000;
const STEERED_OF: u64 = 20;

/// Starts `ipxd` between `connections` MMEs and as many homes.
pub(crate) fn start(place: &Place, connections: usize) -> Outcome<Process> {
    place.write("policies/routes.toml", &routes(connections))?;
    let mut process = run(place, &configuration(place, connections))?;
    process.listening(place.relay)?;
    Ok(process)
}

/// Starts `ipxd` between a visited network's ASP and a home's, over our own SCTP inside UDP.
pub(crate) fn start_signalling(place: &Place) -> Outcome<Process> {
    place.write("policies/networks.toml", NETWORKS)?;
    place.write("policies/titles.toml", TITLES)?;
    let mut process = run(place, &signalling(place))?;
    process.listening(place.admin)?;
    Ok(process)
}

fn run(place: &Place, configuration: &str) -> Outcome<Process> {
    let config = place.write("gateway.toml", configuration)?;
    place.write("policies/customers.toml", &customers())?;
    place.write("policies/steering.toml", STEERING)?;
    let mut command = Command::new(program("ipxd")?);
    command.arg("run").arg("--config").arg(config);
    Process::start(place, command)
}

/// The share of requests that is refused, about: askers take their subscribers in turn, but not in
/// step.
pub(crate) fn steered_share() -> f64 {
    1.0 / STEERED_OF as f64
}

/// Saves the steering file with nothing in it changed but a comment.
pub(crate) fn save_policies(place: &Place, edition: u32) -> Outcome<()> {
    let text = format!("# edition {edition}\n{STEERING}");
    place.write("policies/steering.toml", &text).map(|_| ())
}

const STEERING: &str = r#"
[[plan]]
name = "own-in-gb"
customer = "operator"
country = "GB"
preferred = ["23410"]

[[plan]]
name = "virtual-in-gb"
customer = "virtual operator"
country = "GB"
preferred = ["23415"]
learn = false                         # nobody can move here, and the HLR is the host's: each is to be refused
"#;

const NETWORKS: &str = r#"
[[network]]
plmn = "23410"
country = "GB"
titles = ["447802"]

[[network]]
plmn = "21407"
country = "ES"
titles = ["34609"]
"#;

const TITLES: &str = r#"
[[title]]
name = "home"
prefix = "34609"
to = "home"

[[title]]
name = "visited"
prefix = "447802"
to = "visited"
"#;

/// Point codes and routing contexts of the gateway, the home and the visited network.
pub(crate) const OWN_CODE: u32 = 1;
pub(crate) const HOME_CODE: u32 = 2;
pub(crate) const VISITED_CODE: u32 = 3;
/// The UDP port of the gateway's SCTP.
pub(crate) const ENCAPSULATION_PORT: u16 = 9899;

fn signalling(place: &Place) -> String {
    let mut text = format!(
        "[gateway]\norigin_host = \"gateway.ipx.example\"\npolicies = \"policies\"\n\n\
         [ss7]\npoint_code = \"0-0-{OWN_CODE}\"\n\n\
         [admin]\nlisten = \"{}\"\n\n\
         [journal]\ndirectory = \"records\"\nkeep_files = 4\n\n\
         [[listen]]\nprotocol = \"m3ua\"\naddress = \"{}:2905\"\n\
         transport = \"sctp-udp\"\nencapsulation_port = {ENCAPSULATION_PORT}\n",
        place.admin,
        place.relay.ip()
    );
    for (name, code) in [("home", HOME_CODE), ("visited", VISITED_CODE)] {
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "\n[[peer]]\nname = \"{name}-asp\"\nprotocol = \"m3ua\"\nrole = \"asp\"\n\
             transport = \"sctp-udp\"\naddresses = [\"{}\"]\nasp_identifier = {code}\n\n\
             [[server]]\nname = \"{name}\"\nrouting_context = {code}\n\
             point_code = \"0-0-{code}\"\npeers = [\"{name}-asp\"]\n",
            place.asker
        );
    }
    text
}

fn customers() -> String {
    let steered = (STEERED_OF - 1..BLOCKS).step_by(STEERED_OF as usize);
    let prefixes: Vec<String> = steered.map(|block| format!("\"21407{block:07}\"")).collect();
    format!(
        "[[customer]]\nname = \"operator\"\nplmns = [\"21407\"]\n\n\
         [[customer]]\nname = \"virtual operator\"\nimsi_prefixes = [{}]\n",
        prefixes.join(", ")
    )
}

fn routes(connections: usize) -> String {
    let members: Vec<String> =
        (1..=connections).map(|number| format!("{{ peer = \"home-{number}\" }}")).collect();
    format!(
        "[[group]]\nname = \"homes\"\nmembers = [{}]\n\n\
         [[route]]\nname = \"to the homes\"\ndestination_realm = \"{HOME}\"\nto = \"homes\"\n",
        members.join(", ")
    )
}

fn configuration(place: &Place, connections: usize) -> String {
    let mut text = format!(
        "[gateway]\norigin_host = \"gateway.ipx.example\"\npolicies = \"policies\"\n\n\
         [diameter]\nconnect_backoff_ms = 100\nconnect_backoff_max_ms = 200\n\n\
         [admin]\nlisten = \"{}\"\n\n\
         [journal]\ndirectory = \"records\"\nkeep_files = 4\n\n\
         [[listen]]\naddress = \"{}\"\n",
        place.admin, place.relay
    );
    for number in 1..=connections {
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "\n[[peer]]\nname = \"visited-{number}\"\norigin_host = \"{}\"\naddresses = [\"{}\"]\n\
             \n[[peer]]\nname = \"home-{number}\"\norigin_host = \"{}\"\nconnect = \"{}\"\n",
            visited_host(number),
            place.asker,
            home_host(number),
            place.home(number)
        );
    }
    text
}

/// The value of a metric without labels, or the sum over its labels, as the gateway says it now.
pub(crate) fn metric(place: &Place, name: &str) -> Outcome<f64> {
    let text = get(place.admin, "/metrics")?;
    let values = text.lines().filter_map(|line| {
        let rest = line.strip_prefix(name)?;
        let ours = rest.starts_with(['{', ' ']);
        ours.then(|| rest.rsplit(' ').next()?.parse::<f64>().ok()).flatten()
    });
    Ok(values.sum())
}

/// A page of the admin server.
fn get(address: SocketAddr, path: &str) -> Outcome<String> {
    let failed = |error: std::io::Error| format!("http://{address}{path}: {error}");
    let mut stream = TcpStream::connect(address).map_err(failed)?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).map_err(failed)?;
    let mut page = String::new();
    stream.read_to_string(&mut page).map_err(failed)?;
    match page.split_once("\r\n\r\n") {
        Some((head, body)) if head.contains(" 200 ") => Ok(body.to_owned()),
        _ => Err(format!("http://{address}{path}: {}", page.lines().next().unwrap_or("nothing"))),
    }
}
