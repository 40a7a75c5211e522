//! How the load of simulated MMEs is set up.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;

use crate::diameter::command;
use crate::ids::{ImsiRange, Plmn};

/// Which requests are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Procedure {
    /// Update-Location only.
    Ulr,
    /// Authentication-Information only.
    Air,
    /// AIR, then after its success ULR for the same subscriber; each is a transaction.
    Attach,
    /// Of 20 requests 9 AIR, 8 ULR, 2 PUR and 1 NOR.
    Mix,
}

impl Procedure {
    pub(super) fn command(self, number: u64) -> u32 {
        match (self, number % 20) {
            (Self::Ulr, _) => command::UPDATE_LOCATION,
            (Self::Air | Self::Attach, _) => command::AUTHENTICATION_INFORMATION,
            (Self::Mix, 19) => command::NOTIFY,
            (Self::Mix, 9 | 17) => command::PURGE_UE,
            (Self::Mix, n) if n % 2 == 1 || n == 18 => command::UPDATE_LOCATION,
            (Self::Mix, _) => command::AUTHENTICATION_INFORMATION,
        }
    }
}

impl FromStr for Procedure {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "ulr" => Ok(Self::Ulr),
            "air" => Ok(Self::Air),
            "attach" => Ok(Self::Attach),
            "mix" => Ok(Self::Mix),
            _ => Err(format!("'{text}': expected ulr, air, attach or mix")),
        }
    }
}

/// When requests are sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Load {
    /// Closed loop: this many outstanding over all connections (at least one on each).
    Window(usize),
    /// Open loop: this many requests a second over all connections, whatever the answers do. The
    /// ULRs of [`Procedure::Attach`] come on top, each as soon as its AIR is answered.
    /// Latency counts from the intended send time, so a stall is not hidden.
    Rate(f64),
}

/// A load run. [`MmeConfig::new`] gives the usual values.
#[derive(Clone, Debug)]
pub struct MmeConfig {
    /// Where to connect; with several addresses the connections take turns.
    pub connect: Vec<SocketAddr>,
    /// Origin-Host of each connection: `{n}` becomes its number from 1. Without `{n}` and with
    /// more than one connection, a number is put behind the first label, in place of a final 1.
    pub origin_host: String,
    /// Local address to connect from.
    pub source_ip: Option<IpAddr>,
    /// How many connections, each an own peer.
    pub connections: usize,
    /// Closed or open loop.
    pub load: Load,
    /// Stop after this many requests.
    pub count: Option<u64>,
    /// Stop after this long.
    pub duration: Option<Duration>,
    /// The subscribers, taken in turn.
    pub imsi: ImsiRange,
    /// Visited-PLMN-Id.
    pub visited: Plmn,
    /// Destination-Realm.
    pub destination_realm: String,
    /// Destination-Host, where wanted.
    pub destination_host: Option<String>,
    /// Which requests.
    pub procedure: Procedure,
    /// Threads over which the connections are spread.
    pub threads: usize,
    /// A request without an answer for so long is lost.
    pub timeout: Duration,
    /// Silence after which a DWR is sent.
    pub watchdog: Duration,
}

impl MmeConfig {
    /// One connection, 64 outstanding, ULR, 10 s timeout; set `count` or `duration`.
    #[must_use]
    pub fn new(connect: SocketAddr, origin_host: &str, imsi: ImsiRange, visited: Plmn) -> Self {
        Self {
            connect: vec![connect],
            origin_host: origin_host.into(),
            source_ip: None,
            connections: 1,
            load: Load::Window(64),
            count: None,
            duration: None,
            imsi,
            visited,
            destination_realm: String::new(),
            destination_host: None,
            procedure: Procedure::Ulr,
            threads: 1,
            timeout: Duration::from_secs(10),
            watchdog: Duration::from_secs(30),
        }
    }

    /// The Origin-Host of the connection numbered `n` from 1.
    #[must_use]
    pub fn host(&self, n: usize) -> String {
        if self.origin_host.contains("{n}") {
            return self.origin_host.replace("{n}", &n.to_string());
        }
        if self.connections <= 1 {
            return self.origin_host.clone();
        }
        let (label, realm) = self.origin_host.split_once('.').unwrap_or((&self.origin_host, ""));
        let stem = label.strip_suffix('1').unwrap_or(label);
        if realm.is_empty() { format!("{stem}{n}") } else { format!("{stem}{n}.{realm}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_connection_has_its_own_host() {
        let imsi = "214070000000000..214070000000009".parse().unwrap();
        let to = SocketAddr::from(([127, 0, 0, 1], 1));
        let mut config = MmeConfig::new(to, "mme1.a.b", imsi, "23410".parse().unwrap());
        assert_eq!(config.host(1), "mme1.a.b");
        config.connections = 4;
        assert_eq!(config.host(3), "mme3.a.b");
        config.origin_host = "x{n}-y.a".into();
        assert_eq!(config.host(2), "x2-y.a");
    }

    #[test]
    fn the_mix_has_its_shares() {
        let count = |c| (0..20).filter(|n| Procedure::Mix.command(*n) == c).count();
        assert_eq!(count(command::AUTHENTICATION_INFORMATION), 9);
        assert_eq!(count(command::UPDATE_LOCATION), 8);
        assert_eq!(count(command::PURGE_UE), 2);
        assert_eq!(count(command::NOTIFY), 1);
    }
}
