//! Lines of what was measured, drawn by the server: no script, no style but that of the stylesheet. What a line shows is said in
//! words below it.

use ambit_app::Point;
use maud::{Markup, html};

const WIDTH: i64 = 300;
const HEIGHT: f64 = 60.0;
/// Where so many times the usual step passes without a value, the line is interrupted.
const GAP: i64 = 3;

/// What is drawn.
pub(super) struct Chart<'a> {
    pub(super) title: &'a str,
    /// Each line with its name; empty where there is one alone.
    pub(super) lines: Vec<(&'a str, Vec<Point>)>,
    /// From when until when, in milliseconds since the Unix epoch.
    pub(super) span: (i64, i64),
}

impl Chart<'_> {
    /// The chart with its words; nothing where nothing was measured. `words` are those for "now", "mean" and "highest".
    pub(super) fn draw(&self, words: [&str; 3], value: impl Fn(f64) -> String) -> Markup {
        let known: Vec<_> = self.lines.iter().filter(|(_, points)| !points.is_empty()).collect();
        let high = known.iter().flat_map(|(_, points)| points).map(|point| point.high).fold(0.0, f64::max);
        let said: Vec<String> = known.iter().map(|(name, points)| said(name, points, words, &value)).collect();
        html! {
            @if !known.is_empty() {
                figure.chart {
                    figcaption { strong { (self.title) } @for line in &said { " " span.detail { (line) } } }
                    svg viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } preserveAspectRatio="none" role="img" aria-label={ (self.title) ": " (said.join("; ")) } {
                        @for (n, (_, points)) in known.iter().enumerate() {
                            path class={ "line-" (n) } d=(path(points, self.span, high)) {}
                        }
                    }
                }
            }
        }
    }
}

fn said(name: &str, points: &[Point], [now, mean, highest]: [&str; 3], value: &impl Fn(f64) -> String) -> String {
    let last = points.last().map_or(0.0, |point| point.mean);
    let count = u32::try_from(points.len()).unwrap_or(u32::MAX);
    let average = points.iter().map(|point| point.mean).sum::<f64>() / f64::from(count.max(1));
    let high = points.iter().map(|point| point.high).fold(0.0, f64::max);
    let name = if name.is_empty() { String::new() } else { format!("{name}: ") };
    format!("{name}{now} {}, {mean} {}, {highest} {}", value(last), value(average), value(high))
}

fn path(points: &[Point], (from, until): (i64, i64), high: f64) -> String {
    let span = (until - from).max(1);
    let step = points.windows(2).filter_map(|pair| Some(pair.last()?.at - pair.first()?.at)).min().unwrap_or(span);
    let mut path = String::new();
    let mut before: Option<i64> = None;
    for point in points {
        let x = (point.at - from).clamp(0, span) * WIDTH * 10 / span;
        let y = if high > 0.0 { HEIGHT - 1.0 - point.mean.max(0.0) / high * (HEIGHT - 2.0) } else { HEIGHT - 1.0 };
        let joined = before.is_some_and(|before| point.at - before <= step * GAP);
        let verb = if joined { 'L' } else { 'M' };
        path.push_str(&format!("{verb}{}.{} {y:.1}", x / 10, x % 10));
        if !joined {
            // A single value is a dot.
            path.push_str("h0.5");
        }
        before = Some(point.at);
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(at: i64, mean: f64) -> Point {
        Point { at, low: mean, mean, high: mean }
    }

    #[test]
    fn a_line_goes_from_the_least_to_the_highest_and_is_interrupted_where_nothing_is_known() {
        let points = [point(0, 0.0), point(10, 4.0), point(100, 2.0)];
        assert_eq!(path(&points, (0, 100), 4.0), "M0.0 59.0h0.5L30.0 1.0M300.0 30.0h0.5");
        assert_eq!(path(&[point(50, 0.0)], (0, 100), 0.0), "M150.0 59.0h0.5");
    }

    #[test]
    fn what_a_line_shows_is_said_in_words() {
        let lines = vec![("p50", vec![point(0, 1.0), point(10, 3.0)]), ("p95", Vec::new())];
        let chart = Chart { title: "<b>", lines, span: (0, 10) };
        let drawn = chart.draw(["now", "mean", "highest"], |value| format!("{value:.0} ms")).into_string();
        assert!(drawn.contains("p50: now 3 ms, mean 2 ms, highest 3 ms") && !drawn.contains("p95"), "{drawn}");
        assert!(drawn.contains("&lt;b&gt;") && !drawn.contains("style="), "{drawn}");
        let nothing = Chart { title: "x", lines: vec![("", Vec::new())], span: (0, 10) };
        assert_eq!(nothing.draw([""; 3], |_| String::new()).into_string(), "");
    }
}
