//! Reading a TOML file so that every mistake is found: each key is asked for by name and kind, what
//! was not asked for is an unknown key, and every complaint has its place.

use std::cell::RefCell;
use std::ops::{Range, RangeInclusive};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::{Diagnostic, Source};

/// Where complaints are gathered while several files are read.
#[derive(Debug, Default)]
pub struct Complaints {
    all: RefCell<Vec<Diagnostic>>,
    /// What is no TOML. Of its file nothing else is said, for whatever seems to be missing or wrong
    /// there may only not have been read.
    unread: RefCell<Vec<Diagnostic>>,
}

impl Complaints {
    /// Adds one.
    pub fn push(&self, diagnostic: Diagnostic) {
        self.all.borrow_mut().push(diagnostic);
    }

    /// Whether a file is no TOML: then a name that nobody declares may stand in it.
    #[must_use]
    pub fn has_unread(&self) -> bool {
        !self.unread.borrow().is_empty()
    }

    /// All of them, in the order of files and places.
    #[must_use]
    pub fn into_sorted(self, sources: &[Source]) -> Vec<Diagnostic> {
        let unread = self.unread.into_inner();
        let mut all = self.all.into_inner();
        all.retain(|found| unread.iter().all(|unread| unread.file != found.file));
        all.extend(unread);
        let rank = |file: &str| sources.iter().position(|source| source.name == file);
        all.sort_by_key(|d| (rank(&d.file), d.span.start, d.message.clone()));
        all.dedup();
        all
    }
}

/// A value and where it stands.
#[derive(Clone, Debug)]
pub struct At<'a, T> {
    /// The value.
    pub value: T,
    /// Its place.
    pub span: Range<usize>,
    /// Its file.
    pub source: &'a Source,
}

impl<T> At<'_, T> {
    /// A complaint about this value.
    #[must_use]
    pub fn complain(&self, message: impl Into<String>) -> Diagnostic {
        self.source.complain(self.span.clone(), message)
    }
}

/// One parsed file.
pub struct Document<'a> {
    source: &'a Source,
    root: Spanned<DeTable<'a>>,
}

impl<'a> Document<'a> {
    /// Parses as much as can be read; the parser's complaints go where all the others go.
    #[must_use]
    pub fn parse(source: &'a Source, complaints: &Complaints) -> Self {
        let (root, errors) = DeTable::parse_recoverable(&source.text);
        for error in errors {
            let span = error.span().unwrap_or(0..0);
            let message = error.message().replace('\n', "; ");
            complaints.unread.borrow_mut().push(source.complain(span, message));
        }
        Self { source, root }
    }

    /// The file's top level.
    #[must_use]
    pub fn root<'d>(&'d self, complaints: &'d Complaints) -> Section<'d> {
        Section::new(self.source, self.root.get_ref(), self.root.span(), complaints)
    }
}

/// One table of a file, and which of its keys were asked for.
pub struct Section<'d> {
    source: &'d Source,
    table: &'d DeTable<'d>,
    span: Range<usize>,
    complaints: &'d Complaints,
    known: RefCell<Vec<&'static str>>,
}

impl<'d> Section<'d> {
    fn new(
        source: &'d Source,
        table: &'d DeTable<'_>,
        span: Range<usize>,
        complaints: &'d Complaints,
    ) -> Self {
        Self { source, table, span, complaints, known: RefCell::default() }
    }

    /// Where the table stands: its head, not its whole body.
    #[must_use]
    pub fn at(&self) -> At<'d, ()> {
        At { value: (), span: self.span.clone(), source: self.source }
    }

    /// Adds a complaint.
    pub fn push(&self, diagnostic: Diagnostic) {
        self.complaints.push(diagnostic);
    }

    fn value(&self, key: &'static str) -> Option<&'d Spanned<DeValue<'d>>> {
        let mut known = self.known.borrow_mut();
        if !known.contains(&key) {
            known.push(key);
        }
        self.table.iter().find(|(name, _)| name.get_ref() == key).map(|(_, value)| value)
    }

    fn wrong_kind(&self, key: &str, value: &Spanned<DeValue<'_>>, expected: &str) {
        let found = match value.get_ref().type_str() {
            kind @ ("array" | "integer") => format!("an {kind}"),
            kind => format!("a {kind}"),
        };
        let message = format!("`{key}` is {found}, but {expected} was expected");
        self.push(self.source.complain(value.span(), message));
    }

    fn at_value<T>(&self, value: T, span: Range<usize>) -> At<'d, T> {
        At { value, span, source: self.source }
    }

    /// A text, if the key is there.
    #[must_use]
    pub fn text(&self, key: &'static str) -> Option<At<'d, &'d str>> {
        let value = self.value(key)?;
        let Some(text) = value.get_ref().as_str() else {
            self.wrong_kind(key, value, "a text in quotes");
            return None;
        };
        Some(self.at_value(text, value.span()))
    }

    /// A text that must be there and must not be empty.
    #[must_use]
    pub fn required(&self, key: &'static str) -> Option<At<'d, &'d str>> {
        if self.value(key).is_none() {
            self.push(self.at().complain(format!("`{key}` is missing")));
            return None;
        }
        let text = self.text(key)?;
        if text.value.is_empty() {
            self.push(text.complain(format!("`{key}` is empty")));
            return None;
        }
        Some(text)
    }

    /// A whole number inside a range, if the key is there.
    #[must_use]
    pub fn number(&self, key: &'static str, range: RangeInclusive<u64>) -> Option<u64> {
        self.whole(key, self.value(key)?, &range)
    }

    fn whole(
        &self,
        key: &str,
        value: &Spanned<DeValue<'_>>,
        range: &RangeInclusive<u64>,
    ) -> Option<u64> {
        let DeValue::Integer(digits) = value.get_ref() else {
            self.wrong_kind(key, value, "a whole number");
            return None;
        };
        let number = i128::from_str_radix(digits.as_str(), digits.radix()).ok();
        let number = number.and_then(|number| u64::try_from(number).ok());
        match number.filter(|number| range.contains(number)) {
            Some(number) => Some(number),
            None => {
                let message = format!("`{key}` is out of range");
                let help = format!("from {} to {}", range.start(), range.end());
                self.push(self.source.complain(value.span(), message).with_help(help));
                None
            }
        }
    }

    /// A whole number inside a range, or a list of them; empty when the key is not there.
    #[must_use]
    pub fn all_numbers(&self, key: &'static str, range: RangeInclusive<u64>) -> Vec<At<'d, u64>> {
        let Some(value) = self.value(key) else { return Vec::new() };
        let one = |value: &'d Spanned<DeValue<'d>>| {
            let number = self.whole(key, value, &range)?;
            Some(self.at_value(number, value.span()))
        };
        match value.get_ref() {
            DeValue::Array(list) => list.iter().filter_map(one).collect(),
            _ => one(value).into_iter().collect(),
        }
    }

    /// Where a key's value stands, if the key is there.
    #[must_use]
    pub fn place_of(&self, key: &'static str) -> Option<At<'d, ()>> {
        self.value(key).map(|value| self.at_value((), value.span()))
    }

    /// True or false, if the key is there.
    #[must_use]
    pub fn flag(&self, key: &'static str) -> Option<bool> {
        let value = self.value(key)?;
        let flag = value.get_ref().as_bool();
        if flag.is_none() {
            self.wrong_kind(key, value, "true or false");
        }
        flag
    }

    /// A text or a list of texts; empty when the key is not there. Numbers are taken as texts too
    /// where `numbers` says so (commands and applications have names and numbers).
    fn texts_or(&self, key: &'static str, numbers: bool) -> Vec<At<'d, &'d str>> {
        let Some(value) = self.value(key) else { return Vec::new() };
        let one = |value: &'d Spanned<DeValue<'d>>| match value.get_ref() {
            DeValue::String(text) => Some(self.at_value(text.as_ref(), value.span())),
            DeValue::Integer(digits) if numbers => {
                Some(self.at_value(digits.as_str(), value.span()))
            }
            _ => {
                self.wrong_kind(key, value, "a text in quotes");
                None
            }
        };
        match value.get_ref() {
            DeValue::Array(list) => list.iter().filter_map(one).collect(),
            _ => one(value).into_iter().collect(),
        }
    }

    /// A text or a list of texts; empty when the key is not there.
    #[must_use]
    pub fn texts(&self, key: &'static str) -> Vec<At<'d, &'d str>> {
        self.texts_or(key, false)
    }

    /// As [`Self::texts`], where whole numbers may stand beside names.
    #[must_use]
    pub fn names_or_numbers(&self, key: &'static str) -> Vec<At<'d, &'d str>> {
        self.texts_or(key, true)
    }

    /// A text that `parse` turns into a value; `expected` says what would have been right.
    #[must_use]
    pub fn parsed<T>(
        &self,
        key: &'static str,
        expected: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<At<'d, T>> {
        let text = self.text(key)?;
        self.converted(key, expected, &text, parse)
    }

    /// As [`Self::parsed`] for a text or a list of them.
    #[must_use]
    pub fn all_parsed<T>(
        &self,
        key: &'static str,
        expected: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Vec<At<'d, T>> {
        let texts = self.texts(key);
        texts.iter().filter_map(|text| self.converted(key, expected, text, &parse)).collect()
    }

    fn converted<T>(
        &self,
        key: &str,
        expected: &str,
        text: &At<'d, &'d str>,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<At<'d, T>> {
        let value = parse(text.value);
        if value.is_none() {
            let message = format!("`{}` is no value for `{key}`", text.value);
            self.push(text.complain(message).with_help(format!("expected {expected}")));
        }
        Some(self.at_value(value?, text.span.clone()))
    }

    /// One of a few words.
    #[must_use]
    pub fn word<T: Copy>(&self, key: &'static str, words: &[(&str, T)]) -> Option<At<'d, T>> {
        let text = self.text(key)?;
        self.one_of(key, words, &text)
    }

    /// One of a few words, or a list of them.
    #[must_use]
    pub fn words<T: Copy>(&self, key: &'static str, words: &[(&str, T)]) -> Vec<At<'d, T>> {
        self.texts(key).iter().filter_map(|text| self.one_of(key, words, text)).collect()
    }

    fn one_of<T: Copy>(
        &self,
        key: &str,
        words: &[(&str, T)],
        text: &At<'d, &'d str>,
    ) -> Option<At<'d, T>> {
        let found = words.iter().find(|(word, _)| *word == text.value);
        if found.is_none() {
            let names = words.iter().map(|(word, _)| *word);
            let message = format!("`{}` is no value for `{key}`", text.value);
            self.push(text.complain(message).with_nearest(text.value, names));
        }
        found.map(|(_, value)| self.at_value(*value, text.span.clone()))
    }

    /// A table of its own under this key, if it is there.
    #[must_use]
    pub fn section(&self, key: &'static str) -> Option<Self> {
        let value = self.value(key)?;
        match value.get_ref() {
            DeValue::Table(table) => {
                Some(Section::new(self.source, table, value.span(), self.complaints))
            }
            _ => {
                self.wrong_kind(key, value, &format!("a table, [{key}]"));
                None
            }
        }
    }

    /// The tables of a list (`[[key]]`, or inline ones).
    #[must_use]
    pub fn sections(&self, key: &'static str) -> Vec<Self> {
        let Some(value) = self.value(key) else { return Vec::new() };
        let DeValue::Array(list) = value.get_ref() else {
            self.wrong_kind(key, value, &format!("a list of tables, [[{key}]]"));
            return Vec::new();
        };
        let mut sections = Vec::new();
        for item in list.iter() {
            match item.get_ref() {
                DeValue::Table(table) => {
                    sections.push(Section::new(self.source, table, item.span(), self.complaints));
                }
                _ => self.wrong_kind(key, item, "a table"),
            }
        }
        sections
    }

    /// Ends the reading of this table: what nobody asked for is an unknown key.
    pub fn finish(&self) {
        let known = self.known.borrow();
        for (name, _) in self.table.iter() {
            let text: &str = name.get_ref();
            if !known.contains(&text) {
                let complaint = self.source.complain(name.span(), format!("unknown key `{text}`"));
                self.push(complaint.with_nearest(text, known.iter().copied()));
            }
        }
    }
}
