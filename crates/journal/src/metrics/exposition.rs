//! Families that are not folds over records (links, queues, memory) in the same text.

use std::fmt::{Display, Write as _};

/// What a family is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Goes up and down.
    Gauge,
    /// Only goes up; its samples get the suffix `_total`.
    Counter,
}

/// One sample: its labels and its value.
pub type Sample<'a, V> = (&'a [(&'a str, &'a str)], V);

/// Appends a family to the text that `Metrics::encode` makes. `name` is without `_total`.
pub fn family<'a, V: Display>(
    text: &mut String,
    kind: Kind,
    name: &str,
    help: &str,
    samples: impl IntoIterator<Item = Sample<'a, V>>,
) {
    let (word, suffix) = match kind {
        Kind::Gauge => ("gauge", ""),
        Kind::Counter => ("counter", "_total"),
    };
    // Writing to a string does not fail.
    let _ = writeln!(text, "# HELP {name} {}.\n# TYPE {name} {word}", escape(help));
    for (labels, value) in samples {
        let _ = write!(text, "{name}{suffix}");
        for (i, (label, value)) in labels.iter().enumerate() {
            let open = if i == 0 { '{' } else { ',' };
            let _ = write!(text, "{open}{label}=\"{}\"", escape(value));
        }
        let close = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(text, "{close} {value}");
    }
}

/// A label value as the text format wants it.
fn escape(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_a_family() {
        let mut text = String::new();
        let labels = [("link", "hss \"a\""), ("state", "up")];
        family(&mut text, Kind::Gauge, "ipx_links", "Links", [(&labels[..], 1)]);
        family(&mut text, Kind::Counter, "ipx_ticks", "Ticks", [(&[][..], 2.5)]);
        assert_eq!(
            text,
            "# HELP ipx_links Links.\n# TYPE ipx_links gauge\n\
             ipx_links{link=\"hss \\\"a\\\"\",state=\"up\"} 1\n\
             # HELP ipx_ticks Ticks.\n# TYPE ipx_ticks counter\nipx_ticks_total 2.5\n"
        );
    }
}
