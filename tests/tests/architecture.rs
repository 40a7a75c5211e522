//! The dependency rules of the README, and the sizes we aim at, held by a test.
#![allow(clippy::disallowed_methods, clippy::indexing_slicing)]
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

/// What each of our crates may name in `[dependencies]`, of ours. The README draws the same.
const ALLOWED: &[(&str, &[&str])] = &[
    ("procedure", &[]),
    ("octets", &[]),
    ("policy", &["procedure"]),
    ("relay", &["procedure"]),
    ("journal", &["procedure"]),
    ("config", &["policy", "procedure"]),
    ("diameter", &["relay", "octets", "procedure"]),
    ("ss7", &["relay", "octets", "procedure"]),
    ("stacks", &["diameter", "ss7", "relay", "procedure"]),
    ("sctp", &[]),
    ("net", &["relay", "procedure", "sctp"]),
    ("sim", &["sctp", "policy", "procedure", "relay", "stacks"]),
    ("capture", &[]),
    ("ctl", &["capture", "config", "journal", "policy", "relay", "stacks", "procedure"]),
    (
        "daemon",
        &["net", "sctp", "stacks", "policy", "config", "journal", "relay", "procedure", "sim"],
    ),
];

/// Longest source file; a longer one is split by what it does before it grows.
const FILE_LINES_MAX: usize = 500;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Our crates and which of ours each names, build and test dependencies aside.
fn graph() -> BTreeMap<String, BTreeSet<String>> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--no-deps", "--format-version", "1", "--offline"])
        .current_dir(root())
        .output()
        .expect("cargo metadata runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    let name = |value: &serde_json::Value| value["name"].as_str().expect("a name").to_owned();
    let ours: BTreeSet<String> = packages.iter().map(name).collect();
    let dependencies = |package: &serde_json::Value| -> BTreeSet<String> {
        let list = package["dependencies"].as_array().expect("dependencies");
        let normal = list.iter().filter(|dependency| dependency["kind"].is_null());
        normal.map(name).filter(|dependency| ours.contains(dependency)).collect()
    };
    packages.iter().map(|package| (name(package), dependencies(package))).collect()
}

#[test]
fn crates_depend_only_on_what_the_design_allows() {
    let graph = graph();
    let mut wrong = Vec::new();
    for (name, dependencies) in graph.iter().filter(|(name, _)| *name != "tests") {
        let Some((_, allowed)) = ALLOWED.iter().find(|(known, _)| known == name) else {
            wrong.push(format!("{name} is not in the table"));
            continue;
        };
        for dependency in dependencies.iter().filter(|d| !allowed.contains(&d.as_str())) {
            wrong.push(format!("{name} → {dependency}"));
        }
    }
    assert!(wrong.is_empty(), "against the dependency rules: {wrong:#?}");
    assert_eq!(graph.len(), ALLOWED.len() + 1, "a crate of the table is gone");
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() && !path.ends_with("target") {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn files_stay_short_and_only_stacks_names_a_stack() {
    let mut files = Vec::new();
    sources(&root().join("crates"), &mut files);
    assert!(files.len() > 50, "the sources were not found");
    let mut wrong = Vec::new();
    for path in files {
        let text = std::fs::read_to_string(&path).expect("a source");
        let lines = text.lines().count();
        if lines > FILE_LINES_MAX {
            wrong.push(format!("{}: {lines} lines", path.display()));
        }
        let shown = path.display().to_string();
        let may_name =
            ["/diameter/", "/ss7/", "/stacks/", "/sim/"].iter().any(|part| shown.contains(part));
        if !may_name && (text.contains("use diameter::") || text.contains("use ss7::")) {
            wrong.push(format!("{shown} names a stack"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The simulator judges the gateway with codecs of its own. Only its world drives the real value, and
/// that too without the stacks' views.
#[test]
fn only_the_world_of_the_simulator_knows_the_gateway() {
    let folder = root().join("crates/sim/src");
    let mut files = Vec::new();
    sources(&folder, &mut files);
    assert!(files.len() > 30, "the sources were not found");
    let gateway = ["policy::", "procedure::", "relay::", "stacks::"];
    let mut wrong = Vec::new();
    let mut worldly = 0;
    for path in files {
        let text = std::fs::read_to_string(&path).expect("a source");
        let uses = text.lines().any(|line| {
            let line = line.trim_start();
            gateway.iter().any(|name| line.starts_with(&format!("use {name}")))
        });
        let is_world = path.starts_with(folder.join("world"));
        worldly += usize::from(is_world && uses);
        if uses && !is_world {
            wrong.push(format!("{} knows the gateway", path.display()));
        }
        if ["::view", "::describe", "::rewrite"].iter().any(|verb| {
            text.contains(&format!("diameter{verb}")) || text.contains(&format!("ss7{verb}"))
        }) && !text.contains("ss7::view::m3ua::{PointCode")
        {
            wrong.push(format!("{} reads with the gateway's eyes", path.display()));
        }
    }
    assert!(worldly > 3, "the world was not found");
    assert!(wrong.is_empty(), "{wrong:#?}");
}
