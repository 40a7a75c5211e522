//! What the rules are about, for whoever builds a world around them.

use std::sync::Arc;

use procedure::Plmn;

use crate::{Compiled, Country};

/// One customer.
#[derive(Clone, Debug)]
pub struct CustomerOutline {
    /// Its name.
    pub name: Arc<str>,
    /// Its home networks.
    pub plmns: Vec<Plmn>,
    /// The realms it is reached under, its standard ones where the file names none.
    pub realms: Vec<String>,
}

/// One steering plan.
#[derive(Clone, Debug)]
pub struct PlanOutline {
    /// Its name.
    pub name: Arc<str>,
    /// Whose subscribers it steers.
    pub customer: Arc<str>,
    /// Where.
    pub countries: Vec<Country>,
    /// To which networks.
    pub preferred: Vec<Plmn>,
    /// The same by how welcome they are, best first.
    pub tiers: Vec<TierOutline>,
    /// It acts, and does not only observe.
    pub enforced: bool,
}

/// Networks that a plan likes equally well.
#[derive(Clone, Debug)]
pub struct TierOutline {
    /// Which.
    pub networks: Vec<Plmn>,
    /// Target shares in hundredths, in the order of the networks; none where they do not matter.
    pub shares: Vec<f32>,
}

impl Compiled {
    /// The customers, in the order of the file.
    #[must_use]
    pub fn customers(&self) -> Vec<CustomerOutline> {
        let realms = |plmns: &[Plmn], realms: &[String]| match realms {
            [] => plmns.iter().map(|plmn| self.networks.realm(*plmn)).collect(),
            realms => realms.to_vec(),
        };
        let outline = |customer: &crate::customers::Customer| CustomerOutline {
            name: self.symbols.name(customer.name),
            plmns: customer.plmns.clone(),
            realms: realms(&customer.plmns, &customer.realms),
        };
        self.customers.list.iter().map(outline).collect()
    }

    /// The plans, in the order of the file.
    #[must_use]
    pub fn plans(&self) -> Vec<PlanOutline> {
        let tier = |tier: &crate::steer::plan::Tier| TierOutline {
            networks: tier.networks.clone(),
            shares: tier.shares.clone(),
        };
        let outline = |plan: &crate::steer::plan::Plan| PlanOutline {
            name: self.symbols.name(plan.name),
            customer: self.symbols.name(plan.customer),
            countries: plan.countries.clone(),
            preferred: plan.preferred().collect(),
            tiers: plan.tiers.iter().map(tier).collect(),
            enforced: plan.terms.mode == crate::Mode::Enforce,
        };
        self.steering.plans.iter().map(outline).collect()
    }
}
