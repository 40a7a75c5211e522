//! Policies side by side as a picture: two curves over the world's time, written by hand.

use std::fmt::Write as _;

use super::figures::{CURVE_S, Figures, Point};

const WIDTH: f64 = 900.0;
const PANEL: f64 = 230.0;
/// Room for what is written left of, above and between the panels.
const LEFT: f64 = 70.0;
const RIGHT: f64 = 120.0;
const TOP: f64 = 50.0;
const GAP: f64 = 60.0;
/// Told apart also by who does not see all colours (Okabe and Ito).
/// Points of a curve; more of them are put together.
const POINTS_MAX: usize = 240;
const COLOURS: [&str; 5] = ["#888888", "#d55e00", "#cc79a7", "#0072b2", "#009e73"];

/// One panel: its title, its highest value, and which value of a point it shows.
struct Panel<'a> {
    title: &'a str,
    top: f64,
    highest: f64,
    value: fn(&Point) -> f64,
}

/// The picture of one scenario under some policies.
#[must_use]
pub fn picture(figures: &[Figures]) -> String {
    let Some(first) = figures.first() else { return String::new() };
    let height = TOP + 2.0 * PANEL + 2.0 * GAP;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         font-family=\"sans-serif\" font-size=\"13\">\n\
         <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#ffffff\"/>\n\
         <text x=\"{LEFT}\" y=\"24\" font-size=\"16\">{}: {} subscribers, seed {}</text>\n",
        escaped(&first.scenario),
        first.subscribers,
        first.seed
    );
    let refused: fn(&Point) -> f64 = |point| point.refused_a_second;
    let highest = figures.iter().flat_map(|one| &one.curve).map(refused).fold(1.0, f64::max);
    let panels = [
        Panel {
            title: "on preferred networks, % of those abroad",
            top: TOP,
            highest: 100.0,
            value: |point| point.preferred_share,
        },
        Panel {
            title: "registrations refused by steering, a second",
            top: TOP + PANEL + GAP,
            highest,
            value: refused,
        },
    ];
    let points = figures.iter().map(|one| one.curve.len()).max().unwrap_or(0).max(2);
    for panel in &panels {
        frame(&mut out, panel, points);
        for (one, colour) in figures.iter().zip(COLOURS.iter().cycle()) {
            curve(&mut out, panel, one, colour, points);
        }
    }
    for (place, (one, colour)) in figures.iter().zip(COLOURS.iter().cycle()).enumerate() {
        let y = TOP + 20.0 * (place as f64 + 1.0);
        let x = WIDTH - RIGHT + 15.0;
        let name = escaped(&one.policy);
        let _ = writeln!(
            out,
            "<path d=\"M{x} {y}h24\" stroke=\"{colour}\" stroke-width=\"3\"/>\
             <text x=\"{}\" y=\"{}\">{name}</text>",
            x + 30.0,
            y + 4.0
        );
    }
    out + "</svg>\n"
}

/// Axes, their numbers and the title.
fn frame(out: &mut String, panel: &Panel<'_>, points: usize) {
    let (right, bottom) = (WIDTH - RIGHT, panel.top + PANEL);
    let _ = writeln!(
        out,
        "<text x=\"{LEFT}\" y=\"{}\">{}</text>\
         <path d=\"M{LEFT} {}V{bottom}H{right}\" fill=\"none\" stroke=\"#333333\"/>",
        panel.top - 8.0,
        panel.title,
        panel.top
    );
    for quarter in 0..=4 {
        let part = f64::from(quarter) / 4.0;
        let y = bottom - part * PANEL;
        let _ = writeln!(
            out,
            "<path d=\"M{LEFT} {y}H{right}\" stroke=\"#dddddd\"/>\
             <text x=\"{}\" y=\"{}\" text-anchor=\"end\">{:.0}</text>",
            LEFT - 8.0,
            y + 4.0,
            part * panel.highest
        );
        let x = LEFT + part * (right - LEFT);
        let minutes = part * points as f64 * f64::from(CURVE_S) / 60.0;
        let _ = writeln!(
            out,
            "<text x=\"{x}\" y=\"{}\" text-anchor=\"middle\">{minutes:.0} min</text>",
            bottom + 18.0
        );
    }
}

fn curve(out: &mut String, panel: &Panel<'_>, one: &Figures, colour: &str, points: usize) {
    let step = (WIDTH - RIGHT - LEFT) / points as f64;
    let mut path = String::new();
    let each = one.curve.len().div_ceil(POINTS_MAX).max(1);
    for (place, points) in one.curve.chunks(each).enumerate() {
        let value = points.iter().map(|point| (panel.value)(point)).sum::<f64>();
        let x = LEFT + (place * each + points.len()) as f64 * step;
        let y = panel.top + PANEL - value / points.len() as f64 / panel.highest * PANEL;
        let _ = write!(path, "{}{x:.1} {y:.1}", if place == 0 { 'M' } else { 'L' });
    }
    let _ = writeln!(
        out,
        "<path d=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.6\" \
         stroke-linejoin=\"round\"/>"
    );
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_holds_a_curve_for_each_policy_and_panel() {
        let figures = |policy: &str| Figures {
            scenario: "a < b".to_owned(),
            policy: policy.to_owned(),
            seed: 1,
            subscribers: 2,
            transactions: 0,
            preferred_share_1m: 0.0,
            preferred_share_10m: 0.0,
            reachable_share_10m: 0.0,
            served_share_10m: 0.0,
            extra_signalling_pct: 0.0,
            refused: 0,
            subscribers_refused: 0,
            no_service_s: crate::world::Spread::default(),
            over_limit: 0,
            rotations: 0,
            stranded: 0,
            exits: std::collections::BTreeMap::new(),
            share_error: None,
            curve: vec![Point { preferred_share: 50.0, refused_a_second: 8.0 }; 3],
        };
        let drawn = picture(&[figures("one"), figures("two")]);
        assert!(drawn.starts_with("<svg ") && drawn.ends_with("</svg>\n"));
        assert_eq!(drawn.matches("stroke-linejoin").count(), 4);
        assert!(drawn.contains("a &lt; b") && drawn.contains(">two</text>"));
        // Half of a hundred is in the middle of the first panel, the highest at the top of the other.
        let middle = TOP + PANEL / 2.0;
        assert_eq!(drawn.matches(&format!(" {middle:.1}L")).count(), 4);
        assert_eq!(drawn.matches(&format!(" {:.1}L", TOP + PANEL + GAP)).count(), 4);
    }
}
