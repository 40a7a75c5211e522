//! Names for the numbers in a record: supplied by the daemon, kept here as snapshots.

use std::sync::Arc;

use procedure::{LinkId, Plmn, StackId, Symbol};

use crate::json;

/// After a look-up that found nothing, how many further misses pass before the snapshot is taken
/// anew. A symbol that really is new is found at once; a foreign one cannot make us copy the table
/// for every record.
const MISSES_BETWEEN_REFRESHES: u32 = 64;

/// What the daemon knows by name.
pub trait Names: Send + Sync {
    /// The configured links by [`LinkId`]. Asked at the start and when an unknown link appears.
    fn links(&self) -> Vec<Arc<str>>;

    /// [`procedure::Symbols::names`]. Asked at the start and when an unknown symbol appears.
    fn symbols(&self) -> Vec<Arc<str>>;

    /// A stack's name. Asked for every record: a look-up in a small table.
    fn stack(&self, stack: StackId) -> &str;

    /// [`procedure::Vocabulary::name`]. Asked for every record.
    fn operation(
        &self,
        application: u32,
        operation: u32,
    ) -> (Option<&'static str>, Option<&'static str>);

    /// The ISO 3166 code of a network's country; `None` for a network that does not exist. Asked
    /// up to twice for every record.
    fn country(&self, plmn: Plmn) -> Option<Arc<str>>;
}

/// One name, raw and as a JSON string.
#[derive(Clone, Debug)]
pub struct Name {
    /// As configured.
    pub raw: Arc<str>,
    /// With quotes and escapes.
    pub(crate) quoted: Box<[u8]>,
}

impl Name {
    fn new(raw: Arc<str>) -> Self {
        let mut quoted = Vec::with_capacity(raw.len() + 2);
        json::string(&mut quoted, &raw);
        Self { raw, quoted: quoted.into() }
    }
}

/// A snapshot of the names, refreshed only when an unknown number appears.
pub struct Lexicon {
    names: Arc<dyn Names>,
    symbols: Vec<Name>,
    links: Vec<Name>,
    misses: u32,
    unknown: Name,
}

impl Lexicon {
    /// A snapshot of what `names` knows now.
    #[must_use]
    pub fn new(names: Arc<dyn Names>) -> Self {
        let mut lexicon = Self {
            names,
            symbols: Vec::new(),
            links: Vec::new(),
            misses: 0,
            unknown: Name::new("?".into()),
        };
        lexicon.refresh();
        lexicon
    }

    /// The name of a symbol, `?` if nobody knows it.
    pub fn symbol(&mut self, symbol: Symbol) -> &Name {
        let place = symbol.0 as usize;
        self.refresh_if(place >= self.symbols.len());
        self.symbols.get(place).unwrap_or(&self.unknown)
    }

    /// The name of a link, `?` if nobody knows it.
    pub fn link(&mut self, link: LinkId) -> &Name {
        let place = link.0 as usize;
        self.refresh_if(place >= self.links.len());
        self.links.get(place).unwrap_or(&self.unknown)
    }

    /// The names that are asked for each time.
    #[must_use]
    pub fn names(&self) -> &dyn Names {
        &*self.names
    }

    fn refresh_if(&mut self, missed: bool) {
        if missed {
            if self.misses.is_multiple_of(MISSES_BETWEEN_REFRESHES) {
                self.refresh();
            }
            self.misses = self.misses.wrapping_add(1);
        }
    }

    /// Tables only grow, so only their new ends are taken in.
    fn refresh(&mut self) {
        let symbols = self.names.symbols().into_iter().skip(self.symbols.len());
        self.symbols.extend(symbols.map(Name::new));
        let links = self.names.links().into_iter().skip(self.links.len());
        self.links.extend(links.map(Name::new));
    }
}
