//! `ipxctl whatif` through the program: what it foretells against what happens.
#![allow(
    missing_docs,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test reads files, and fails by panicking"
)]

mod captures;
mod damaged;
mod population;
mod records;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tests::world;

use population::{Handset, Journal, NETWORKS, Truth, live};

const KEY: [u8; 32] = [0x5a; 32];

/// A folder with a gateway, its policies and a journal.
struct Stage {
    folder: PathBuf,
}

impl Stage {
    fn new(name: &str) -> Self {
        let folder = tests::scratch(&format!("whatif-{name}"));
        let stage = Self { folder };
        stage.policies("policies", &policies(""));
        stage.gateway(KEY);
        stage
    }

    /// Writes `gateway.toml` with this key.
    fn gateway(&self, key: [u8; 32]) {
        let mut text = format!(
            "[gateway]\norigin_host = \"{}\"\npolicies = \"policies\"\n\
             [[listen]]\naddress = \"127.0.0.1:3868\"\n[admin]\nlisten = \"127.0.0.1:0\"\n\
             [journal]\ndirectory = \"journal\"\npseudonym_key = \"{}\"\n",
            world::GATEWAY,
            key.iter().map(|octet| format!("{octet:02x}")).collect::<String>(),
        );
        let names = NETWORKS.iter().map(|network| (format!("mme-{network}"), *network));
        for (name, host) in names.chain([("hss".to_owned(), "hss")]) {
            text += &format!(
                "[[peer]]\nname = \"{name}\"\norigin_host = \"{host}.lab.test\"\naddresses = [\"127.0.0.1\"]\n"
            );
        }
        std::fs::write(self.folder.join("gateway.toml"), text).unwrap();
    }

    /// Writes a folder of policies.
    fn policies(&self, name: &str, policies: &[(&'static str, String)]) -> PathBuf {
        let folder = self.folder.join(name);
        std::fs::create_dir_all(&folder).unwrap();
        for (file, text) in policies {
            std::fs::write(folder.join(file), text).unwrap();
        }
        folder
    }

    fn journal(&self) -> PathBuf {
        self.folder.join("journal")
    }

    /// Lets handsets register under these steering terms and keeps the records.
    fn record(&self, handsets: &[Handset], terms: &str) -> Truth {
        let journal = Journal { folder: &self.journal(), key: KEY, clear: false };
        live(handsets, &policies(terms), Some(&journal))
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let config = self.folder.join("gateway.toml");
        let mut command = Command::new(tests::daemon::built("ctl", "ipxctl"));
        command.args(["whatif", "--config"]).arg(config).args(arguments);
        command.output().unwrap()
    }

    /// Tries a folder of policies; the object that is printed.
    fn try_policies(&self, folder: &Path, more: &[&str]) -> Value {
        let folder = folder.display().to_string();
        let arguments = [&["--json", "--policies", &folder], more].concat();
        let output = self.run(&arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

/// The world's policies with more terms in its plan, and the gateway's home as it is here.
fn policies(terms: &str) -> Vec<(&'static str, String)> {
    let mut policies = world::policies(&["hss"]);
    let steering = policies.iter_mut().find(|(name, _)| *name == "steering.toml").unwrap();
    steering.1.push_str(terms);
    steering.1.push('\n');
    policies
}

fn number(report: &Value, path: &str) -> u64 {
    let found = report.pointer(path).unwrap_or_else(|| panic!("{path} in {report:#}"));
    found.as_u64().unwrap_or_else(|| panic!("{path} is {found}"))
}

/// Whether any word of a text could be a subscriber of ours.
fn shows_an_imsi(text: &str) -> bool {
    let digits = |c: char| !c.is_ascii_digit();
    text.split(digits).any(|word| word.len() >= 14 && word.starts_with(world::HOME_PLMN))
}
