//! Two gateways with TLS between them, and somebody with the wrong certificate.

use std::path::Path;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tests::children::eventually;
use tests::daemon::Daemon;
use tests::world::{Neighbour, PREFERRED, STEERED, gateway_toml, write_policies};

use crate::{HSS, Home, MME, UP_WITHIN, answers, ask};

const INNER: &str = "inner.ipx.lab";
const OUTER: &str = "gateway.ipx.lab";

/// Writes an authority, and a certificate and key for each name, as PEM files.
fn certificates(folder: &Path, names: &[&str]) {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    std::fs::write(folder.join("ca.pem"), authority.pem()).unwrap();
    for name in names {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![(*name).to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &authority).unwrap();
        std::fs::write(folder.join(format!("{name}.pem")), certificate.pem()).unwrap();
        std::fs::write(folder.join(format!("{name}.key")), key.serialize_pem()).unwrap();
    }
}

fn files(folder: &Path, name: &str) -> String {
    let path = |file: &str| folder.join(file).display().to_string();
    let (certificate, key) = (path(&format!("{name}.pem")), path(&format!("{name}.key")));
    let trust = path("ca.pem");
    format!(
        "transport = \"tls\"\ncertificate = \"{certificate}\"\nkey = \"{key}\"\ntrust = \"{trust}\"\n"
    )
}

/// The gateway beside the home network: only TLS, and knows the outer gateway and the HSS.
fn inner(folder: &Path, certificates: &Path) -> (Daemon, String) {
    write_policies(&folder.join("policies"), &[HSS]);
    // The HSS speaks in clear, so the listener in clear comes first; `listen()` gives that one.
    let more = format!(
        "[[listen]]\naddress = \"127.0.0.1:0\"\n{}\n\
         [[peer]]\nname = \"outer\"\norigin_host = \"{OUTER}\"\naddresses = [\"127.0.0.1\"]\n\
         realms = [\"*\"]\n{}",
        files(certificates, INNER),
        files(certificates, INNER),
    );
    let neighbours = [Neighbour { host: HSS, connect: None }];
    let text = gateway_toml("127.0.0.1:0", &["127.0.0.1"], &neighbours, &more);
    let daemon = Daemon::start(folder, &text.replace(OUTER_OWN, INNER_OWN));
    let tls = daemon.listens()[1].to_string();
    (daemon, tls)
}

const OUTER_OWN: &str = "[gateway]\norigin_host = \"gateway.ipx.lab\"";
const INNER_OWN: &str = "[gateway]\norigin_host = \"inner.ipx.lab\"";

/// The gateway beside the visited network, which calls the inner one with `identity`.
fn outer(folder: &Path, certificates: &Path, identity: &str, to: &str) -> Daemon {
    write_policies(&folder.join("policies"), &["inner"]);
    let more = format!(
        "[[peer]]\nname = \"inner\"\norigin_host = \"{INNER}\"\nconnect = \"{to}\"\n\
         realms = [\"*\"]\n{}\n[diameter]\nconnect_backoff_ms = 100\n",
        files(certificates, identity),
    );
    let neighbours = [Neighbour { host: MME, connect: None }];
    Daemon::start(folder, &gateway_toml("127.0.0.1:0", &["127.0.0.1"], &neighbours, &more))
}

#[test]
fn a_registration_crosses_two_gateways_over_tls() {
    let folder = tests::scratch("operator-tls");
    let [first, second] = ["inner", "outer"].map(|name| folder.join(name));
    for folder in [&first, &second] {
        std::fs::create_dir_all(folder).unwrap();
    }
    certificates(&folder, &[INNER, OUTER]);
    let (inner, tls) = inner(&first, &folder);
    let _home = Home::connect(inner.listen());
    inner.wait_up(&[HSS], UP_WITHIN);
    let outer = outer(&second, &folder, OUTER, &tls);
    outer.wait_up(&["inner"], UP_WITHIN);
    assert_eq!(answers(&ask(outer.listen(), 1, 20, PREFERRED)), [("2001", 20)]);
    assert_eq!(answers(&ask(outer.listen(), 2, 4, STEERED)), [("exp:5004", 4)]);
}

#[test]
fn a_certificate_of_another_name_is_not_the_peer() {
    let folder = tests::scratch("operator-tls-wrong");
    let [first, second] = ["inner", "outer"].map(|name| folder.join(name));
    for folder in [&first, &second] {
        std::fs::create_dir_all(folder).unwrap();
    }
    certificates(&folder, &[INNER, OUTER, "mallory.ipx.lab"]);
    let (inner, tls) = inner(&first, &folder);
    let outer = outer(&second, &folder, "mallory.ipx.lab", &tls);
    let turned_away = || {
        let door = inner.peers()["door"].clone();
        let refused = door
            .as_object()?
            .iter()
            .any(|(why, count)| why != "admitted" && count.as_u64().unwrap_or_default() > 0);
        refused.then_some(())
    };
    eventually(Duration::from_secs(10), turned_away).expect("counted at the door");
    let up = |daemon: &Daemon, name: &str| {
        let peers = daemon.peers();
        peers["peers"]
            .as_array()
            .unwrap()
            .iter()
            .any(|peer| peer["name"] == name && peer["up"] == true)
    };
    assert!(!up(&inner, "outer") && !up(&outer, "inner"));
}
