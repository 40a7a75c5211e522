//! The configured servers as each message asks for them: by name, and by link and routing context.
//! Made once of the configuration, so that 800 of them cost no more than one.

use procedure::{LinkId, Symbol};

use crate::config::Server;

/// The servers, and where each is found among them.
pub(crate) struct Servers {
    all: Box<[Server]>,
    /// In the order of names; the first one of a name in the configuration is meant.
    by_name: Box<[(Symbol, usize)]>,
    /// Of each link those that it may serve, in the order of the configuration.
    by_link: Box<[Vec<usize>]>,
}

impl Servers {
    pub(crate) fn new(servers: &[Server], links: usize) -> Self {
        let mut by_name: Vec<_> =
            servers.iter().enumerate().map(|(place, server)| (server.name, place)).collect();
        by_name.sort_unstable();
        by_name.dedup_by_key(|(name, _)| *name);
        let mut by_link = vec![Vec::new(); links];
        for (place, server) in servers.iter().enumerate() {
            for link in &server.links {
                if let Some(its) =
                    by_link.get_mut(link.0 as usize).filter(|its| its.last() != Some(&place))
                {
                    its.push(place);
                }
            }
        }
        Self { all: servers.into(), by_name: by_name.into(), by_link: by_link.into() }
    }

    /// The server of a name.
    pub(crate) fn named(&self, name: Symbol) -> Option<&Server> {
        let found = self.by_name.binary_search_by_key(&name, |(name, _)| *name).ok()?;
        self.all.get(self.by_name.get(found)?.1)
    }

    /// The server that a message came from: that of its context, or the only one of its link.
    pub(crate) fn origin(&self, link: LinkId, context: Option<u32>) -> Option<&Server> {
        let its = self.by_link.get(link.0 as usize)?;
        let mut its = its.iter().filter_map(|place| self.all.get(*place));
        match context {
            Some(_) => its.find(|server| server.routing_context == context),
            None => its.next(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::TrafficMode;

    fn server(name: u32, context: Option<u32>, links: &[u32]) -> Server {
        Server {
            name: Symbol(name),
            routing_context: context,
            network_appearance: None,
            point_codes: Vec::new(),
            mode: TrafficMode::Override,
            links: links.iter().copied().map(LinkId).collect(),
            links_min: 1,
            registers: false,
        }
    }

    /// As they were looked for before: one after the other.
    fn origin_of(all: &[Server], link: LinkId, context: Option<u32>) -> Option<&Server> {
        let mut own = all.iter().filter(|server| server.links.contains(&link));
        match context {
            Some(_) => own.find(|server| server.routing_context == context),
            None => own.next(),
        }
    }

    #[test]
    fn eight_hundred_are_found_as_if_one_looked_through_them_all() {
        // Names in no order and some of them twice, contexts shared between links, links in two servers.
        let all: Vec<_> = (0..800u32)
            .map(|n| {
                let context = (n % 5 != 0).then_some(n / 2 % 97);
                server(n * 7919 % 701, context, &[n % 400, n * 31 % 400, n % 400])
            })
            .collect();
        let servers = Servers::new(&all, 400);
        for name in 0..=701 {
            let expected = all.iter().find(|server| server.name == Symbol(name));
            assert_eq!(servers.named(Symbol(name)), expected, "{name}");
        }
        for link in (0..=400).map(LinkId) {
            for context in (0..98).map(Some).chain([None]) {
                let expected = origin_of(&all, link, context);
                assert_eq!(servers.origin(link, context), expected, "{link:?} {context:?}");
            }
        }
    }
}
