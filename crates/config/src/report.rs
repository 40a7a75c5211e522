//! Every mistake with the text it stands in: as lines for tools, as pictures for people.

use std::fmt;

use miette::{
    GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteDiagnostic, NamedSource, Report,
};
use policy::{Diagnostic, Severity, Source};

/// Mistakes and the files they stand in.
#[derive(Clone, Debug, Default)]
pub struct Diagnostics {
    /// The mistakes, in the order of files and places.
    pub list: Vec<Diagnostic>,
    /// The files.
    pub sources: Vec<Source>,
}

impl Diagnostics {
    /// The line for tools, then a picture of the place with a caret under it, for each.
    #[must_use]
    pub fn fancy(&self, colours: bool) -> String {
        let theme =
            if colours { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
        let handler = GraphicalReportHandler::new_themed(theme).with_links(false);
        let mut text = String::new();
        for diagnostic in &self.list {
            text.push_str(&format!("{diagnostic}\n"));
            let report = self.report(diagnostic);
            if handler.render_report(&mut text, report.as_ref()).is_err() {
                text.push('\n');
            }
        }
        text
    }

    fn report(&self, diagnostic: &Diagnostic) -> Report {
        let source = self.sources.iter().find(|source| source.name == diagnostic.file);
        let length = source.map_or(0, |source| source.text.len());
        let start = diagnostic.span.start.min(length);
        let end = diagnostic.span.end.clamp(start, length);
        let severity = match diagnostic.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
        };
        let mut drawn = MietteDiagnostic::new(diagnostic.message.clone())
            .with_severity(severity)
            .with_label(LabeledSpan::new(None, start, end - start));
        if let Some(help) = &diagnostic.help {
            drawn = drawn.with_help(help.clone());
        }
        let text = source.map_or_else(String::new, |source| source.text.clone());
        Report::new(drawn).with_source_code(NamedSource::new(&diagnostic.file, text))
    }
}

/// One line each: `file:line:column: error: message (help)`.
impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.list.iter().try_for_each(|diagnostic| writeln!(f, "{diagnostic}"))
    }
}

impl std::error::Error for Diagnostics {}
