//! A mistake in a file, with its place and what would have been right.

use std::fmt;
use std::ops::Range;

/// The text of one file and the name by which people know it. Who reads files gives them in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Source {
    /// Its path as it shall be shown (`policies/steering.toml`).
    pub name: String,
    /// What stands in it.
    pub text: String,
}

/// Whether a mistake forbids using the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The files are not used.
    Error,
    /// The files are used; somebody should look.
    Warning,
}

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The name of the [`Source`].
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// The same place in octets of the text.
    pub span: Range<usize>,
    /// What is wrong.
    pub message: String,
    /// What was expected, or the nearest known name.
    pub help: Option<String>,
    /// Whether it forbids using the files.
    pub severity: Severity,
}

impl Source {
    /// A source from a name and a text.
    #[must_use]
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self { name: name.into(), text: text.into() }
    }

    /// A complaint about a span of this source.
    #[must_use]
    pub fn complain(&self, span: Range<usize>, message: impl Into<String>) -> Diagnostic {
        let (line, column) = self.place(span.start);
        Diagnostic {
            file: self.name.clone(),
            line,
            column,
            span,
            message: message.into(),
            help: None,
            severity: Severity::Error,
        }
    }

    /// Line and column, both from 1, of an offset in octets.
    #[must_use]
    pub fn place(&self, offset: usize) -> (usize, usize) {
        let mut end = offset.min(self.text.len());
        while !self.text.is_char_boundary(end) {
            end -= 1;
        }
        let before = self.text.get(..end).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        (line, before.get(line_start..).unwrap_or_default().chars().count() + 1)
    }
}

impl Diagnostic {
    /// Adds what was expected.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds the nearest of the known names, or all of them where none is near and they are few.
    #[must_use]
    pub fn with_nearest<'n>(self, wrong: &str, known: impl IntoIterator<Item = &'n str>) -> Self {
        let known: Vec<&str> = known.into_iter().collect();
        match nearest(wrong, known.iter().copied()) {
            Some(near) => self.with_help(format!("did you mean `{near}`?")),
            None if known.is_empty() => self,
            None if known.len() <= 16 => self.with_help(format!("known: {}", known.join(", "))),
            None => self,
        }
    }

    /// The same as a warning.
    #[must_use]
    pub fn as_warning(mut self) -> Self {
        self.severity = Severity::Warning;
        self
    }

    /// Whether it forbids using the files.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

/// One line that tools can read: `file:line:column: error: message (help)`.
impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, column, message, .. } = self;
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        write!(f, "{file}:{line}:{column}: {severity}: {message}")?;
        self.help.as_ref().map_or(Ok(()), |help| write!(f, " ({help})"))
    }
}

/// The known name that is fewest edits away, if that is few enough to be meant.
#[must_use]
pub fn nearest<'n>(wrong: &str, known: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let wrong = wrong.to_ascii_lowercase();
    let limit = (wrong.chars().count() / 3).max(1);
    known
        .into_iter()
        .map(|name| (edits(&wrong, &name.to_ascii_lowercase()), name))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// Fewest insertions, removals, replacements and swaps of neighbours between two words.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    let mut previous = None;
    for (i, a) in a.chars().enumerate() {
        let mut next = vec![i + 1];
        let at = |row: &[usize], i: usize| row.get(i).copied().unwrap_or(usize::MAX / 2);
        for (j, b_char) in b.iter().enumerate() {
            let replaced = at(&row, j) + usize::from(a != *b_char);
            let mut best = replaced.min(at(&row, j + 1) + 1).min(at(&next, j) + 1);
            let behind = j.checked_sub(1).and_then(|j| b.get(j));
            if previous == Some(*b_char) && behind == Some(&a) {
                best = best.min(at(&before, j - 1) + 1);
            }
            next.push(best);
        }
        previous = Some(a);
        before = std::mem::replace(&mut row, next);
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_characters_and_lines_from_one() {
        let source = Source::new("x", "a = 1\nñb = 2\n");
        assert_eq!(source.place(0), (1, 1));
        assert_eq!(source.place(6), (2, 1));
        assert_eq!(source.place(8), (2, 2), "ñ is two octets, one column");
        assert_eq!(source.place(999), (3, 1));
    }

    #[test]
    fn the_nearest_name_is_found_and_a_far_one_is_not() {
        assert_eq!(nearest("prefered", ["preferred", "networks"]), Some("preferred"));
        assert_eq!(nearest("memebrs", ["name", "members"]), Some("members"));
        assert_eq!(nearest("colour", ["name", "members"]), None);
        assert_eq!(edits("abcd", "acbd"), 1);
        assert_eq!(edits("", "abc"), 3);
    }
}
