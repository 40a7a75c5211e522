//! What is shipped is what stands in the folder, and it is right.
#![allow(clippy::disallowed_methods, reason = "tests read the folder")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use policy::Source;
use procedure::{Policy, Symbols};

#[path = "../../policy/tests/words/mod.rs"]
#[allow(unreachable_pub, reason = "shared by several tests")]
mod words;
use words::Words;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies")
}

#[test]
fn the_list_matches_the_folder() {
    let mut there = BTreeSet::new();
    for (dir, prefix) in [(folder(), ""), (folder().join("cases"), "cases/")] {
        for entry in std::fs::read_dir(dir).expect("the folder") {
            let path = entry.expect("an entry").path();
            if path.extension().is_some_and(|extension| extension == "toml") {
                let name = path.file_name().expect("a name").to_string_lossy().into_owned();
                there.insert(format!("{prefix}{name}"));
            }
        }
    }
    let shipped: BTreeSet<String> =
        config::SHIPPED.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(there, shipped);
    assert_eq!(config::SHIPPED.first().map(|(name, _)| *name), Some("gateway.toml"));
}

#[test]
fn it_loads_without_a_warning_and_every_case_passes() {
    let loaded = config::load(None, &Words).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
    let engine = loaded.engine(Symbols::default(), Arc::new(Words), 1, 0).expect("an engine");
    let report = engine.ruleset().compiled().run_cases(&Words);
    let failed: Vec<String> = report.failed.iter().map(ToString::to_string).collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert!(report.passed > 10);
    assert!(loaded.gateway.peers.len() >= 14);
    assert_eq!(engine.version(), 1);
}

#[test]
fn the_same_files_from_disk_load_too() {
    let path = folder().join("gateway.toml");
    let loaded = config::load(Some(&path), &Words).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    let shipped = config::load(None, &Words).expect("the shipped ones");
    assert_eq!(loaded.gateway.peers, shipped.gateway.peers);
    let texts = |sources: &[Source]| -> Vec<String> {
        sources.iter().map(|source| source.text.clone()).collect()
    };
    assert_eq!(texts(&loaded.sources), texts(&shipped.sources));
    assert_eq!(
        texts(&loaded.reread(&loaded.sources).expect("still there")),
        texts(&shipped.sources)
    );
}
