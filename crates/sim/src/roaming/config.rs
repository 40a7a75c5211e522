//! How a simulated population is set up.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::diameter::base::Identity;
use crate::ids::{ImsiRange, Plmn};

/// One MME of a visited network: a Diameter peer of its own towards the gateway. A network with a
/// pool of MMEs stands in the list once for each, with the same PLMN.
#[derive(Clone, Debug)]
pub struct VisitedNetwork {
    /// A name for displays, for example `O2 UK`.
    pub name: String,
    /// Visited-PLMN-Id of its requests.
    pub plmn: Plmn,
    /// The country's name, shared by networks a handset may choose between.
    pub country: String,
    /// Origin-Host and Origin-Realm.
    pub identity: Identity,
    /// Local address to connect from.
    pub source_ip: Option<IpAddr>,
    /// How strong its signal is: a handset's chance of picking it is in proportion.
    pub signal: f64,
}

/// A home network whose subscribers roam.
#[derive(Clone, Debug)]
pub struct Customer {
    /// A name for displays.
    pub name: String,
    /// Destination-Realm of its subscribers' requests.
    pub realm: String,
    /// Its subscribers.
    pub imsi: ImsiRange,
    /// The countries they travel to; each attach picks one.
    pub countries: Vec<String>,
    /// Networks on which a registration counts as preferred. Countries in which none is listed
    /// do not enter the preferred share.
    pub preferred: Vec<Plmn>,
}

/// A simulated population. [`RoamersConfig::new`] gives the usual values.
#[derive(Clone, Debug)]
pub struct RoamersConfig {
    /// The gateway that all visited networks connect to.
    pub gateway: SocketAddr,
    /// The visited networks.
    pub networks: Vec<VisitedNetwork>,
    /// The home networks.
    pub customers: Vec<Customer>,
    /// New attaches a second over the whole population; retries come on top.
    pub attaches_per_second: f64,
    /// Attaches under way at most; above it no new one starts.
    pub in_progress: usize,
    /// Share (0 to 1) of handsets that try the same network again after a refusal.
    pub sticky_share: f64,
    /// Share (0 to 1) of detaches without a purge, as when the battery dies. The HSS then cancels
    /// at the old MME when the handset comes back elsewhere.
    pub silent_share: f64,
    /// The mean time a handset stays registered; each stay is between half and one and a half.
    pub settled: Duration,
    /// Pause before the next try after a refusal. Real handsets wait T3411, 10 s.
    pub retry: Duration,
    /// Tries in one attach before the handset gives up.
    pub tries: u32,
    /// A request without an answer for so long is lost.
    pub timeout: Duration,
    /// Silence after which an MME sends a DWR.
    pub watchdog: Duration,
    /// The same seed gives every handset the same character and choices.
    pub seed: u64,
}

impl RoamersConfig {
    /// 200 attaches a second, three handsets of ten sticky, stays of 5 s, a retry after 100 ms.
    #[must_use]
    pub fn new(
        gateway: SocketAddr,
        networks: Vec<VisitedNetwork>,
        customers: Vec<Customer>,
    ) -> Self {
        Self {
            gateway,
            networks,
            customers,
            attaches_per_second: 200.0,
            in_progress: 10_000,
            sticky_share: 0.3,
            silent_share: 0.1,
            settled: Duration::from_secs(5),
            retry: Duration::from_millis(100),
            tries: 12,
            timeout: Duration::from_secs(10),
            watchdog: Duration::from_secs(30),
            seed: 1,
        }
    }

    /// What is wrong with the configuration, if anything.
    ///
    /// # Errors
    /// A text that names the country without networks, or what else is missing.
    pub fn check(&self) -> Result<(), String> {
        if self.networks.is_empty() || self.customers.is_empty() {
            return Err("a population needs visited networks and customers".into());
        }
        for customer in &self.customers {
            if customer.countries.is_empty() {
                return Err(format!("customer {} roams nowhere", customer.name));
            }
            for country in &customer.countries {
                if !self.networks.iter().any(|n| n.country == *country) {
                    return Err(format!(
                        "customer {} roams to {country}, where no visited network is",
                        customer.name
                    ));
                }
            }
        }
        Ok(())
    }
}
