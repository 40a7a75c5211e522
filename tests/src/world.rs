//! A small world for tests: one home operator, steered in Great Britain, and visited networks.

use std::path::Path;

/// The home operator's realm.
pub const HOME_REALM: &str = "home.lab";
/// The visited operators' realm.
pub const VISITED_REALM: &str = "visited.lab";
/// The gateway's name.
pub const GATEWAY: &str = "gateway.ipx.lab";
/// The gateway's realm.
pub const GATEWAY_REALM: &str = "ipx.lab";
/// A network that the plan prefers.
pub const PREFERRED: &str = "23415";
/// A network in the same country that it does not prefer.
pub const STEERED: &str = "23410";
/// A network elsewhere.
pub const ELSEWHERE: &str = "26201";
/// The first digits of the home operator's IMSIs.
pub const HOME_PLMN: &str = "21407";

/// The policy files, by name, with these peers as the home operator's nodes.
#[must_use]
pub fn policies(home_peers: &[&str]) -> Vec<(&'static str, String)> {
    let customers = format!(
        "[[customer]]\nname = \"home\"\nplmns = [\"{HOME_PLMN}\"]\nrealms = [\"{HOME_REALM}\"]\n"
    );
    let steering = format!(
        "[[plan]]\nname = \"gb\"\ncustomer = \"home\"\ncountry = \"GB\"\npreferred = [\"{PREFERRED}\"]\n\
         learn = false\n"
    );
    let members: Vec<String> =
        home_peers.iter().map(|peer| format!("{{ peer = \"{peer}\" }}")).collect();
    let routes = format!(
        "[[group]]\nname = \"home\"\nmembers = [{}]\n\n\
         [[route]]\nname = \"to-home\"\ndestination_realm = \"{HOME_REALM}\"\nto = \"home\"\n",
        members.join(", ")
    );
    vec![("customers.toml", customers), ("steering.toml", steering), ("routes.toml", routes)]
}

/// Writes the policy files into a folder.
///
/// # Panics
/// If they cannot be written.
pub fn write_policies(folder: &Path, home_peers: &[&str]) {
    std::fs::create_dir_all(folder).expect("a folder for policies");
    for (name, text) in policies(home_peers) {
        std::fs::write(folder.join(name), text).expect("a policy file is written");
    }
}

/// The IMSI of the home operator's subscriber of this number.
#[must_use]
pub fn imsi(number: u64) -> String {
    format!("{HOME_PLMN}{number:010}")
}

/// A neighbour of the gateway, as its `gateway.toml` has it.
#[derive(Clone, Copy, Debug)]
pub struct Neighbour<'a> {
    /// Its Diameter identity, which is also the name it has in policies.
    pub host: &'a str,
    /// Where the gateway connects to; it connects to the gateway where there is none.
    pub connect: Option<&'a str>,
}

/// A `gateway.toml`: listens at `listen`, takes connections of its neighbours from `addresses`,
/// and has policies and journal in folders beside it. `more` is put at the end.
#[must_use]
pub fn gateway_toml(
    listen: &str,
    addresses: &[&str],
    neighbours: &[Neighbour<'_>],
    more: &str,
) -> String {
    let mut text = format!(
        "[gateway]\norigin_host = \"{GATEWAY}\"\npolicies = \"policies\"\n\
         [[listen]]\naddress = \"{listen}\"\n\
         [admin]\nlisten = \"127.0.0.1:0\"\n\
         [journal]\ndirectory = \"journal\"\n"
    );
    for Neighbour { host, connect } in neighbours {
        let connect = connect.map(|at| format!("connect = \"{at}\"\n")).unwrap_or_default();
        let peer = format!(
            "[[peer]]\nname = \"{host}\"\norigin_host = \"{host}\"\n\
             addresses = {addresses:?}\n{connect}"
        );
        text.push_str(&peer);
    }
    text + more
}
