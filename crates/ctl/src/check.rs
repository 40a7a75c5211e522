//! `ipxctl check`: are the files right, and do they decide as they promise?

use std::process::ExitCode;

use config::{Diagnostics, Origin};
use policy::Diagnostic;

use crate::{Which, say, tell};

/// Checks the configuration.
#[derive(Debug, clap::Args)]
pub(crate) struct Check {
    #[command(flatten)]
    which: Which,
}

impl Check {
    pub(crate) fn run(&self) -> ExitCode {
        let (loaded, engine) = match self.which.load(crate::unix_s()) {
            Ok(both) => both,
            Err(status) => return status,
        };
        let ruleset = engine.ruleset();
        let compiled = ruleset.compiled();
        let report = compiled.run_cases(&stacks::vocabulary());
        let mut list: Vec<Diagnostic> = loaded.warnings.clone();
        list.extend(report.failed.iter().cloned());
        if !list.is_empty() {
            // What it returns is for mistakes; warnings alone are none.
            let _status = tell(&Diagnostics { list, sources: loaded.sources.clone() });
        }
        let counts = compiled.counts();
        let gateway = &loaded.gateway;
        let origin = match &loaded.origin {
            Origin::Shipped => "the shipped policies".to_owned(),
            Origin::Files(path) => path.display().to_string(),
        };
        say(format_args!(
            "{origin}: {} peers, {} customers, {} groups, {} routes, {} screening rules, {} plans",
            gateway.peers.len(),
            counts.customers,
            counts.groups,
            counts.routes,
            counts.screening,
            counts.plans,
        ));
        say(format_args!("cases: {} passed, {} failed", report.passed, report.failed.len()));
        if report.failed.is_empty() {
            ExitCode::SUCCESS
        } else {
            ExitCode::from(crate::STATUS_MISTAKES)
        }
    }
}
