//! How a simulated population is set up.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::diameter::base::Identity;
use crate::ids::{ImsiRange, Plmn};
use crate::ss7::links::LinkConfig;
use crate::ss7::title::MobileTitle;

/// One access of a visited network. A network with several, 4G beside 2G and 3G or a pool of MMEs,
/// stands in the list once for each, with the same PLMN.
#[derive(Clone, Debug)]
pub struct VisitedNetwork {
    /// A name for displays, for example `O2 UK`.
    pub name: String,
    /// Whose it is; Visited-PLMN-Id of Diameter requests.
    pub plmn: Plmn,
    /// The country's name, shared by networks a handset may choose between.
    pub country: String,
    /// Who asks the home network.
    pub access: Access,
    /// How strong its signal is: a handset's chance of picking it is in proportion.
    pub signal: f64,
}

/// The nodes of one access, and how they reach the gateway.
#[derive(Clone, Debug)]
pub enum Access {
    /// 4G: an MME, a Diameter peer of its own.
    Mme {
        /// Origin-Host and Origin-Realm.
        identity: Identity,
        /// Local address to connect from.
        source_ip: Option<IpAddr>,
    },
    /// 2G and 3G: a VLR and an SGSN behind one signalling transfer point.
    Stp {
        /// The VLR's E.164 number.
        vlr: String,
        /// The SGSN's E.164 number.
        sgsn: String,
        /// The transfer point's associations.
        link: LinkConfig,
    },
}

impl Access {
    /// The stack that it speaks.
    #[must_use]
    pub fn stack(&self) -> Stack {
        match self {
            Self::Mme { .. } => Stack::Diameter,
            Self::Stp { .. } => Stack::Ss7,
        }
    }

    /// Its name in the signalling network: Origin-Host, or the VLR's number.
    #[must_use]
    pub fn node(&self) -> &str {
        match self {
            Self::Mme { identity, .. } => &identity.host,
            Self::Stp { vlr, .. } => vlr,
        }
    }
}

/// The stacks that handsets' networks speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Stack {
    /// 4G.
    Diameter,
    /// 2G and 3G.
    Ss7,
}

impl Stack {
    /// Both, in the order of their numbers.
    pub const ALL: [Self; 2] = [Self::Diameter, Self::Ss7];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Diameter => "diameter",
            Self::Ss7 => "ss7",
        }
    }
}

/// A home network whose subscribers roam.
#[derive(Clone, Debug)]
pub struct Customer {
    /// A name for displays.
    pub name: String,
    /// Destination-Realm of its subscribers' requests; without one they do not use 4G.
    pub realm: Option<String>,
    /// How its subscribers' IMSIs become titles of its HLR; without it they do not use 2G and 3G.
    pub title: Option<MobileTitle>,
    /// Its subscribers.
    pub imsi: ImsiRange,
    /// The countries they travel to; each attach picks one.
    pub countries: Vec<String>,
    /// Networks on which a registration counts as preferred. Countries in which none is listed
    /// do not enter the preferred share.
    pub preferred: Vec<Plmn>,
}

impl Customer {
    /// Whether its subscribers can use this access.
    pub(super) fn can_use(&self, access: &Access) -> bool {
        match access {
            Access::Mme { .. } => self.realm.is_some(),
            Access::Stp { .. } => self.title.is_some(),
        }
    }
}

/// A simulated population. [`RoamersConfig::new`] gives the usual values.
#[derive(Clone, Debug)]
pub struct RoamersConfig {
    /// The gateway that all MMEs connect to.
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
    /// Share (0 to 1) of tries over 2G and 3G, where a network has these and 4G.
    pub map_share: f64,
    /// Share (0 to 1) of detaches without a purge, as when the battery dies. The HSS then cancels
    /// at the old MME when the handset comes back elsewhere.
    pub silent_share: f64,
    /// The mean time a handset stays registered; each stay is between half and one and a half.
    pub settled: Duration,
    /// Pause before the next try after a refusal. Real handsets wait T3411, 10 s.
    pub retry: Duration,
    /// Tries in one attach before the handset gives up.
    pub tries: u32,
    /// A request or dialogue without an answer for so long is lost.
    pub timeout: Duration,
    /// Silence after which an MME sends a DWR.
    pub watchdog: Duration,
    /// The same seed gives every handset the same character and choices.
    pub seed: u64,
}

impl RoamersConfig {
    /// 200 attaches a second, three handsets of ten sticky, six tries of ten over 2G and 3G, stays of
    /// 5 s, a retry after 100 ms.
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
            map_share: 0.6,
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
                let usable =
                    |n: &VisitedNetwork| n.country == *country && customer.can_use(&n.access);
                if !self.networks.iter().any(usable) {
                    return Err(format!(
                        "customer {} roams to {country}, where no visited network is that it can use",
                        customer.name
                    ));
                }
            }
        }
        Ok(())
    }
}
