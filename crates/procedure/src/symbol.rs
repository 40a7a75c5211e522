//! Names as small numbers: rules, customers, groups and links keep their symbol across reloads.

use std::collections::HashMap;
use std::sync::{Arc, RwLock};

/// A name that was interned once; equal names are equal symbols for the life of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Symbol(pub u32);

/// The table of names. It only grows, and only with names that stand in configuration files, so a
/// record made under an older policy still finds its names.
#[derive(Clone, Debug, Default)]
pub struct Symbols(Arc<RwLock<Table>>);

#[derive(Debug, Default)]
struct Table {
    names: Vec<Arc<str>>,
    numbers: HashMap<Arc<str>, Symbol>,
}

impl Symbols {
    /// The symbol of `name`, made now if it is new.
    #[must_use]
    pub fn intern(&self, name: &str) -> Symbol {
        if let Some(symbol) = self.find(name) {
            return symbol;
        }
        let mut table = self.0.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(symbol) = table.numbers.get(name) {
            return *symbol;
        }
        let symbol = Symbol(u32::try_from(table.names.len()).unwrap_or(u32::MAX));
        let name: Arc<str> = name.into();
        table.names.push(Arc::clone(&name));
        table.numbers.insert(name, symbol);
        symbol
    }

    /// The symbol of `name` if it was ever interned.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<Symbol> {
        self.0.read().unwrap_or_else(std::sync::PoisonError::into_inner).numbers.get(name).copied()
    }

    /// The name of `symbol`; `?` for a symbol of another table.
    #[must_use]
    pub fn name(&self, symbol: Symbol) -> Arc<str> {
        let table = self.0.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        table.names.get(symbol.0 as usize).map_or_else(|| "?".into(), Arc::clone)
    }

    /// Every name so far, indexed by symbol: what a writer of records keeps to name them without
    /// taking the lock for each.
    #[must_use]
    pub fn names(&self) -> Vec<Arc<str>> {
        self.0.read().unwrap_or_else(std::sync::PoisonError::into_inner).names.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_names_are_equal_symbols() {
        let symbols = Symbols::default();
        let a = symbols.intern("a");
        assert_eq!(symbols.intern("a"), a);
        assert_ne!(symbols.intern("b"), a);
        assert_eq!(&*symbols.name(a), "a");
        assert_eq!(&*symbols.name(Symbol(99)), "?");
        assert_eq!(symbols.find("c"), None);
    }
}
