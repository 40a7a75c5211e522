//! The relays that are compared, and how each is set up and started.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Serialize;

use crate::rig::load::{Homes, home_host};
use crate::rig::place::Place;
use crate::rig::process::Process;
use crate::rig::{HOME, Outcome, VISITED, gateway};

/// A way from the MMEs to the homes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Relay {
    /// No relay: the MMEs connect to the homes.
    None,
    /// The least relay there can be ([`crate::bare`]).
    Bare,
    /// Ours.
    Ipxd,
    /// freeDiameter from Debian.
    FreeDiameter,
    /// HAProxy from Debian, in TCP mode: it knows no Diameter at all.
    Haproxy,
}

impl Relay {
    /// All of them; `None` first, the others are measured against it.
    pub(crate) const ALL: [Self; 5] =
        [Self::None, Self::Bare, Self::Ipxd, Self::FreeDiameter, Self::Haproxy];

    /// Its name on the command line and in the table.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Bare => "bare",
            Self::Ipxd => "ipxd",
            Self::FreeDiameter => "freediameter",
            Self::Haproxy => "haproxy",
        }
    }

    /// Why it cannot run here.
    pub(crate) fn missing(self, place: &Place) -> Option<String> {
        let program = match self {
            Self::FreeDiameter if !place.private => {
                return Some("it ignores loopback addresses, and there is no namespace".into());
            }
            Self::FreeDiameter => "freeDiameterd",
            Self::Haproxy => "haproxy",
            _ => return None,
        };
        find(program).is_none().then(|| format!("{program} is not installed"))
    }

    /// Starts it between `connections` MMEs and the homes, and waits until it is ready.
    pub(crate) fn start(
        self,
        place: &Place,
        homes: &Homes,
        connections: usize,
    ) -> Outcome<Option<Process>> {
        let mut process = match self {
            Self::None => return Ok(None),
            Self::Bare => Process::start(place, bare(place, connections)?)?,
            Self::Ipxd => gateway::start(place, connections)?,
            Self::FreeDiameter => Process::start(place, free_diameter(place, connections)?)?,
            Self::Haproxy => Process::start(place, haproxy(place, connections)?)?,
        };
        process.listening(place.relay)?;
        if matches!(self, Self::Ipxd | Self::FreeDiameter) {
            homes.connected()?;
        }
        Ok(Some(process))
    }
}

fn bare(place: &Place, connections: usize) -> Outcome<Command> {
    let own = std::env::current_exe().map_err(|error| format!("own path: {error}"))?;
    let mut command = Command::new(own);
    command.arg("--serve-bare").arg(place.relay.to_string());
    command.args((1..=connections).map(|number| place.home(number).to_string()));
    Ok(command)
}

/// A plain relay: no TLS, no SCTP, everybody of the two realms is welcome, routes by realm.
fn free_diameter(place: &Place, connections: usize) -> Outcome<Command> {
    let accepted = format!("ALLOW_IPSEC *.{VISITED}\nALLOW_IPSEC *.{HOME}\n");
    let accepted = place.write("acl.conf", &accepted)?;
    let (mut routes, mut peers) = (String::new(), String::new());
    for number in 1..=connections {
        let (host, at) = (home_host(number), place.home(number));
        // Writing to a String cannot fail.
        let _ = writeln!(routes, "dr=\"{HOME}\" : \"{host}\" += 50 ;");
        let _ = writeln!(
            peers,
            "ConnectPeer = \"{host}\" {{ ConnectTo = \"{}\"; No_TLS; Port = {}; \
             Realm = \"{HOME}\"; }};",
            at.ip(),
            at.port()
        );
    }
    let routes = place.write("rt.conf", &routes)?;
    let config = format!(
        "Identity = \"relay.ipx.example\";\nRealm = \"ipx.example\";\nPort = {};\nSecPort = 0;\n\
         No_SCTP;\nNo_IPv6;\nListenOn = \"{}\";\nTwTimer = 30;\nTcTimer = 6;\n\
         AppServThreads = 2;\n\
         LoadExtension = \"acl_wl.fdx\" : \"{}\";\nLoadExtension = \"rt_default.fdx\" : \"{}\";\n\
         {peers}",
        place.relay.port(),
        place.relay.ip(),
        accepted.display(),
        routes.display()
    );
    let config = place.write("freediameter.conf", &config)?;
    let mut command = Command::new(find("freeDiameterd").unwrap_or_default());
    command.arg("-q").arg("-c").arg(config);
    Ok(command)
}

fn haproxy(place: &Place, connections: usize) -> Outcome<Command> {
    let mut config = format!(
        "global\n    nbthread 2\n    maxconn 2000\n\
         defaults\n    mode tcp\n    timeout connect 2s\n    timeout client 60s\n    \
         timeout server 60s\nlisten diameter\n    balance roundrobin\n    bind {}\n",
        place.relay
    );
    for number in 1..=connections {
        // Writing to a String cannot fail.
        let _ = writeln!(config, "    server home{number} {}", place.home(number));
    }
    let config = place.write("haproxy.cfg", &config)?;
    let mut command = Command::new(find("haproxy").unwrap_or_default());
    command.arg("-db").arg("-f").arg(config);
    Ok(command)
}

/// A program on the path, or where Debian puts daemons.
fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain([Path::new("/usr/sbin").into()]);
    folders.map(|folder| folder.join(program)).find(|file| file.is_file())
}
