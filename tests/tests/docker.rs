//! The files under `docker/`, judged without a container engine: everything they name exists, every
//! command is one that the programs take, and the same world runs without containers.
#![allow(clippy::disallowed_methods, reason = "a test reads files, opens sockets and waits")]
#![allow(clippy::panic, clippy::indexing_slicing, reason = "that is how a test fails")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use serde_json::Value;
use tests::children::{Running, eventually};
use tests::daemon::Daemon;

/// The compose network, and the loopback addresses that stand in for it.
const NETWORK: [&str; 2] = ["172.30.0.", "127.30.0."];

fn docker(path: &str) -> PathBuf {
    tests::root().join("docker").join(path)
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn yaml(path: &str) -> Value {
    let text = text(&docker(path));
    serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn words(list: &Value) -> Vec<String> {
    let list = list.as_array().map(Vec::as_slice).unwrap_or_default();
    list.iter().map(|word| word.as_str().expect("a text").to_owned()).collect()
}

/// A service of the compose file.
struct Service {
    name: String,
    value: Value,
}

impl Service {
    fn all() -> Vec<Self> {
        let compose = yaml("compose.yaml");
        let services = compose["services"].as_object().expect("services").clone();
        services.into_iter().map(|(name, value)| Self { name, value }).collect()
    }

    fn named(name: &str) -> Self {
        let found = Self::all().into_iter().find(|service| service.name == name);
        found.unwrap_or_else(|| panic!("there is no service {name}"))
    }

    fn command(&self) -> Vec<String> {
        words(&self.value["command"])
    }

    fn address(&self) -> Option<&str> {
        self.value["networks"]["ipx"]["ipv4_address"].as_str()
    }

    fn is_simulated(&self) -> bool {
        self.command().first().is_some_and(|program| program == "ipxsim")
    }
}

/// The Dockerfile's instructions and what they are given.
fn instructions() -> Vec<(String, String)> {
    let text = text(&docker("Dockerfile")).replace("\\\n", " ");
    let lines =
        text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
            (word.to_owned(), rest.trim().to_owned())
        })
        .collect()
}

#[test]
fn the_image_is_built_from_what_is_there_and_does_not_run_as_root() {
    let instructions = instructions();
    let known = ["FROM", "WORKDIR", "COPY", "RUN", "USER", "VOLUME", "EXPOSE", "CMD"];
    for (word, _) in &instructions {
        assert!(known.contains(&word.as_str()), "{word} is no instruction that this test knows");
    }
    let built: BTreeSet<&str> = instructions
        .iter()
        .filter(|(word, rest)| word == "RUN" && rest.contains("cargo build"))
        .flat_map(|(_, rest)| rest.split("--bin ").skip(1))
        .filter_map(|rest| rest.split_whitespace().next())
        .collect();
    let shown = text(&docker("Dockerfile.dockerignore"));
    let shown: Vec<&str> = shown.lines().filter_map(|line| line.strip_prefix('!')).collect();
    for (_, rest) in instructions.iter().filter(|(word, _)| word == "COPY") {
        let files: Vec<&str> = rest.split_whitespace().collect();
        let (_, sources) = files.split_last().expect("COPY has a target");
        let from_build = sources.first().is_some_and(|word| word.starts_with("--from="));
        for source in sources.iter().filter(|word| !word.starts_with("--")) {
            if from_build {
                let program = source.strip_prefix("/src/target/release/").expect("a program");
                assert!(built.contains(program), "{program} is copied but not built");
            } else {
                assert!(tests::root().join(source).exists(), "COPY {source}: not there");
                assert!(shown.contains(source), "{source} is ignored");
            }
        }
    }
    let user = instructions.iter().rfind(|(word, _)| word == "USER").map(|(_, user)| user.as_str());
    let user = user.expect("a USER");
    assert!(!user.starts_with('0') && !user.starts_with("root"), "{user} runs the gateway");
    let stages = instructions.iter().filter(|(word, _)| word == "FROM").count();
    assert_eq!(stages, 2, "a stage that builds, and one that is shipped");
    let (last, command) = instructions.last().expect("instructions");
    assert_eq!(last, "CMD");
    let command = words(&serde_json::from_str(command).expect("CMD in JSON"));
    assert_eq!(command, Service::named("gateway").command(), "compose runs what the image runs");
}

#[test]
fn every_file_that_the_compose_file_names_exists() {
    for Service { name, value } in Service::all() {
        for volume in words(&value["volumes"]) {
            let source = volume.split(':').next().unwrap_or_default();
            if source.starts_with('.') {
                assert!(docker(source).exists(), "{name}: {source} is not there");
            } else {
                let volumes = &yaml("compose.yaml")["volumes"];
                assert!(volumes.get(source).is_some(), "{name}: there is no volume {source}");
            }
        }
        if let Some(context) = value["build"]["context"].as_str() {
            let file = value["build"]["dockerfile"].as_str().expect("a dockerfile");
            assert!(docker(context).join(file).is_file(), "{name}: {file} is not there");
        }
        assert!(value["image"].is_string(), "{name} has no image");
    }
}

#[test]
fn scrapes_and_queries_go_where_somebody_listens() {
    let config: Value = serde_json::to_value(yaml("prometheus.yml")).expect("JSON");
    let target = config["scrape_configs"][0]["static_configs"][0]["targets"][0].as_str();
    let (host, port) = target.and_then(|target| target.split_once(':')).expect("host:port");
    assert_eq!(host, Service::named(host).name);
    assert!(text(&docker("gateway.toml")).contains(&format!("listen = \"0.0.0.0:{port}\"")));

    let source = yaml("grafana/provisioning/datasources/prometheus.yaml");
    let source = &source["datasources"][0];
    assert_eq!(source["url"], "http://prometheus:9090");
    let image = Service::named("prometheus").value["image"].clone();
    assert!(image.as_str().is_some_and(|image| image.starts_with("prom/prometheus:v")));

    let folder = yaml("grafana/provisioning/dashboards/ipx.yaml");
    let folder = folder["providers"][0]["options"]["path"].as_str().expect("a path").to_owned();
    let mounts = words(&Service::named("grafana").value["volumes"]);
    assert!(mounts.iter().any(|mount| mount.contains(&format!(":{folder}:"))), "{folder}");
    for panel in panels() {
        assert_eq!(panel["datasource"]["uid"], source["uid"], "{}", panel["title"]);
    }
}

#[test]
fn every_command_is_one_that_the_programs_take() {
    let check = Service::named("gateway").value["healthcheck"]["test"].clone();
    let check = words(&check);
    assert_eq!(check.first().map(String::as_str), Some("CMD"));
    let commands = Service::all().into_iter().map(|service| service.command());
    let commands = commands.chain([check[1..].to_vec()]).filter(|command| !command.is_empty());
    for command in commands {
        // Arguments are read in order, so a wrong one is complained about before `--help` is met.
        let mut process = Command::new(program(&command[0]));
        process.args(&command[1..]).arg("--help").stdin(Stdio::null());
        let output = process.output().expect("it starts");
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {complaint}", command.join(" "));
    }
}

#[test]
fn the_same_world_runs_without_containers_and_the_dashboard_has_its_metrics() {
    let folder = tests::scratch("docker");
    let mut daemon = Daemon::start(&folder, &configuration());
    let simulated: Vec<Service> =
        Service::all().into_iter().filter(Service::is_simulated).collect();
    let peers: Vec<Running> =
        simulated.iter().map(|service| start_peer(service, &daemon, &folder)).collect();
    let names: Vec<&str> = simulated.iter().map(|service| service.name.as_str()).collect();
    daemon.wait_up(&names, Duration::from_secs(15));
    let metrics = || daemon.get("/metrics").unwrap_or_default();
    let steered = eventually(Duration::from_secs(15), || {
        let text = metrics();
        let has = |name: &str| text.lines().any(|line| line.starts_with(name));
        let both = has("ipx_steering_refusals_total{") && has("ipx_registrations_total{");
        both.then_some(())
    });
    assert!(steered.is_some(), "nobody was steered:\n{}", metrics());
    let documented = text(&tests::root().join("crates/journal/METRICS.md"));
    let text = metrics();
    for (title, name) in panels().iter().flat_map(names_in) {
        let live = text.contains(&format!("# TYPE {} ", name.trim_end_matches("_total")))
            || text.contains(&format!("# TYPE {name} "));
        let known = live || documented.contains(&format!("`{name}`"));
        assert!(known, "panel {title}: there is no metric {name}");
    }
    daemon.assert_alive();
    drop(peers);
}

fn panels() -> Vec<Value> {
    let text = text(&docker("grafana/dashboards/gateway.json"));
    let dashboard: Value = serde_json::from_str(&text).expect("JSON");
    dashboard["panels"].as_array().expect("panels").clone()
}

/// The metrics in a panel's expressions, each with the panel's title.
fn names_in(panel: &Value) -> Vec<(String, String)> {
    let title = panel["title"].as_str().expect("a title").to_owned();
    let targets = panel["targets"].as_array().expect("targets");
    let mut names = Vec::new();
    for target in targets {
        let expression = target["expr"].as_str().expect("an expression");
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let found = expression.split(|c| !is_name(c)).filter(|word| word.starts_with("ipx_"));
        names.extend(found.map(|name| {
            let parts = ["_bucket", "_sum", "_count"];
            let whole = parts.iter().find_map(|part| name.strip_suffix(part)).unwrap_or(name);
            (title.clone(), whole.to_owned())
        }));
    }
    assert!(!names.is_empty(), "panel {title} shows nothing of ours");
    names
}

/// The container's configuration with loopback addresses, free ports and the repository's policies.
fn configuration() -> String {
    let policies = tests::root().join("policies");
    let policies = format!("policies = \"{}\"", policies.display());
    let gateway = Service::named("gateway");
    let own = gateway.address().expect("an address").replace(NETWORK[0], NETWORK[1]);
    let mut text = text(&docker("gateway.toml"));
    for (from, to) in [
        (NETWORK[0], NETWORK[1]),
        ("policies = \"policies\"", &policies),
        ("0.0.0.0:3868", &format!("{own}:0")),
        ("0.0.0.0:9868", "127.0.0.1:0"),
        ("/var/lib/ipx/records", "journal"),
    ] {
        assert!(text.contains(from), "gateway.toml: {from}");
        text = text.replace(from, to);
    }
    text
}

/// A simulated peer with the arguments of its container, connecting from the address that stands
/// in for the container's.
fn start_peer(service: &Service, daemon: &Daemon, folder: &Path) -> Running {
    let gateway = Service::named("gateway");
    let there = format!("{}:3868", gateway.address().expect("an address"));
    let here = service.address().expect("an address").replace(NETWORK[0], NETWORK[1]);
    let command = service.command();
    assert!(command.contains(&there), "{} connects elsewhere", service.name);
    let mut process = Command::new(program(&command[0]));
    for argument in &command[1..] {
        process.arg(argument.replace(&there, &daemon.listen().to_string()));
    }
    process.args(["--source-ip", &here]);
    Running::start(&mut process, &folder.join(format!("{}.log", service.name))).expect("it starts")
}

/// A program of the workspace, built as this test was.
fn program(name: &str) -> PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let own = std::env::current_exe().expect("a program has a path");
        let folder = own.ancestors().nth(2).expect("tests are built two folders down");
        let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command.args(["build", "--quiet", "--workspace"]);
        command.args(["--bin", "ipxd", "--bin", "ipxctl", "--bin", "ipxsim"]);
        let release = folder.file_name().is_some_and(|name| name == "release");
        command.args(release.then_some("--release")).current_dir(tests::root());
        command.args(
            folder
                .parent()
                .into_iter()
                .flat_map(|target| ["--target-dir".as_ref(), target.as_os_str()]),
        );
        assert!(command.status().expect("cargo starts").success(), "the programs do not build");
        folder.to_owned()
    });
    folder.join(name)
}
