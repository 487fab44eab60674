//! Charts as SVG: pure functions of their numbers. Widths are in units of the view box; the page
//! scales them.

use maud::{Markup, PreEscaped, html};

/// A point with its 95 % interval.
#[derive(Debug, Clone)]
pub(crate) struct Interval {
    pub(crate) label: String,
    /// No number where there is none.
    pub(crate) value: f64,
    /// Above `high`: everything but what lies between, as a ratio has it whose denominator may be 0.
    pub(crate) low: f64,
    pub(crate) high: f64,
    /// Drawn in the accent colour.
    pub(crate) strong: bool,
}

/// A line of points in order of x.
#[derive(Debug, Clone)]
pub(crate) struct Series {
    pub(crate) name: &'static str,
    pub(crate) class: &'static str,
    pub(crate) points: Vec<(f64, f64)>,
}

/// A linear scale from data to the view box.
#[derive(Debug, Clone, Copy)]
struct Scale {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
}

impl Scale {
    /// Covers the finite ones of `values`, and 0 if `zero`.
    fn of(values: impl Iterator<Item = f64>, zero: bool, from: f64, to: f64) -> Self {
        let start = if zero { (0.0, 0.0) } else { (f64::INFINITY, f64::NEG_INFINITY) };
        let (low, high) = values.filter(|value| value.is_finite()).fold(start, |(low, high), value| (low.min(value), high.max(value)));
        let (low, high) = if low < high {
            (low, high)
        } else if low.is_finite() {
            (low - 1.0, low + 1.0)
        } else {
            (0.0, 1.0)
        };
        Self { low, high, from, to }
    }

    /// Where a value stands; what lies outside stands at the edge, and no number at the start.
    fn at(&self, value: f64) -> f64 {
        if value.is_nan() {
            return self.from;
        }
        let share = ((value - self.low) / (self.high - self.low)).clamp(-0.02, 1.02);
        self.from + share * (self.to - self.from)
    }

    /// About five round numbers inside.
    fn ticks(&self) -> Vec<f64> {
        let rough = (self.high - self.low) / 5.0;
        let power = 10_f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 2.5, 5.0, 10.0].into_iter().map(|step| step * power).find(|step| *step >= rough).unwrap_or(10.0 * power);
        let first = (self.low / step).ceil();
        (0..12).map(|place| (first + f64::from(place)) * step).take_while(|tick| *tick <= self.high + step * 1e-9).collect()
    }
}

/// 1234 as 1.2k: short enough for an axis.
pub(crate) fn short(value: f64) -> String {
    let size = value.abs();
    let text = if size >= 1e6 {
        format!("{:.1}M", value / 1e6)
    } else if size >= 1e4 {
        format!("{:.0}k", value / 1e3)
    } else if size >= 1e3 {
        format!("{:.1}k", value / 1e3)
    } else if size >= 10.0 || value.fract() == 0.0 {
        format!("{value:.0}")
    } else if size >= 0.1 {
        format!("{value:.2}")
    } else {
        format!("{value:.3}")
    };
    text.replace('-', "−")
}

fn svg(title: &str, width: f64, height: f64, body: &Markup) -> Markup {
    html! {
        svg viewBox=(format!("0 0 {width} {height}")) role="img" aria-label=(title) preserveAspectRatio="xMinYMin meet" {
            title { (title) }
            (body)
        }
    }
}

fn text(x: f64, y: f64, class: &str, words: &str) -> Markup {
    html! { text x=(round(x)) y=(round(y)) class=(class) { (words) } }
}

fn line(x1: f64, y1: f64, x2: f64, y2: f64, class: &str) -> Markup {
    html! { line x1=(round(x1)) y1=(round(y1)) x2=(round(x2)) y2=(round(y2)) class=(class) {} }
}

/// One decimal is a tenth of a pixel: enough, and a smaller file.
fn round(value: f64) -> String {
    format!("{value:.1}")
}

impl Interval {
    /// What is covered, endless ends as infinities.
    fn spans(&self) -> Vec<(f64, f64)> {
        if self.low.is_nan() || self.high.is_nan() {
            vec![]
        } else if self.low <= self.high {
            vec![(self.low, self.high)]
        } else {
            vec![(f64::NEG_INFINITY, self.high), (self.low, f64::INFINITY)]
        }
    }
}

/// Characters of a label that are shown; all of it is in its title.
const MOST_SHOWN: usize = 40;

/// Points with intervals, one a line; a rule at 0. What goes on beyond the axis ends in an arrow.
pub(crate) fn intervals(title: &str, rows: &[Interval], unit: &str) -> Markup {
    let longest = rows.iter().map(|row| row.label.chars().count().min(MOST_SHOWN)).max().unwrap_or(0);
    let (left, right, step) = ((7.0 * longest as f64 + 30.0).max(150.0), 610.0, 34.0);
    let height = 44.0 + step * rows.len() as f64;
    let scale = Scale::of(rows.iter().flat_map(|row| [row.value, row.low, row.high]), true, left, right);
    let body = html! {
        @for tick in scale.ticks() {
            (line(scale.at(tick), 8.0, scale.at(tick), height - 30.0, "grid"))
            (text(scale.at(tick), height - 16.0, "tick middle", &short(tick)))
        }
        (line(scale.at(0.0), 8.0, scale.at(0.0), height - 30.0, "zero"))
        @for (place, row) in rows.iter().enumerate() {
            @let y = 24.0 + step * place as f64;
            @let class = if row.strong { "mark strong" } else { "mark" };
            (shortened(left - 18.0, y + 4.0, &row.label))
            @for (low, high) in row.spans() {
                (line(scale.at(low), y, scale.at(high), y, if row.strong { "whisker strong" } else { "whisker" }))
                @if low == f64::NEG_INFINITY { (text(scale.at(low), y + 4.0, "tick middle", "◂")) }
                @if high == f64::INFINITY { (text(scale.at(high), y + 4.0, "tick middle", "▸")) }
            }
            @if row.value.is_finite() { circle cx=(round(scale.at(row.value))) cy=(round(y)) r="6" class=(class) {} }
        }
        (text(right, height, "tick end", unit))
    };
    // Room for letters that hang below the line.
    svg(title, 640.0, height + 6.0, &body)
}

/// A label that ends at x.
fn shortened(x: f64, y: f64, label: &str) -> Markup {
    if label.chars().count() <= MOST_SHOWN {
        return text(x, y, "label end", label);
    }
    let start: String = label.chars().take(MOST_SHOWN - 1).collect();
    html! { text x=(round(x)) y=(round(y)) class="label end" { title { (label) } (start) "…" } }
}

/// Lines over a common x axis, with 0 on both.
pub(crate) fn lines(title: &str, series: &[Series], x_label: &str, y_label: &str) -> Markup {
    drawn(title, series, x_label, y_label, true)
}

/// The same where 0 on the upright axis would flatten what there is to see.
pub(crate) fn levels(title: &str, series: &[Series], x_label: &str, y_label: &str) -> Markup {
    drawn(title, series, x_label, y_label, false)
}

fn drawn(title: &str, series: &[Series], x_label: &str, y_label: &str, zero: bool) -> Markup {
    let (left, right, top, bottom, height) = (60.0, 610.0, 16.0, 250.0, 300.0);
    let points = || series.iter().flat_map(|series| series.points.iter());
    let x = Scale::of(points().map(|point| point.0), true, left, right);
    let y = Scale::of(points().map(|point| point.1), zero, bottom, top);
    let longest = series.iter().map(|series| series.name.chars().count()).max().unwrap_or(0);
    let legend = right - (7.5 * longest as f64 + 32.0).max(150.0);
    let body = html! {
        @for tick in y.ticks() {
            (line(left, y.at(tick), right, y.at(tick), "grid"))
            (text(left - 8.0, y.at(tick) + 4.0, "tick end", &short(tick)))
        }
        @for tick in x.ticks() { (text(x.at(tick), bottom + 18.0, "tick middle", &short(tick))) }
        @for series in series {
            @let path = series.points.iter().map(|point| format!("{},{}", round(x.at(point.0)), round(y.at(point.1)))).collect::<Vec<_>>().join(" ");
            polyline points=(path) class=(format!("line {}", series.class)) {}
            @if series.class == "main" {
                @for point in &series.points { circle cx=(round(x.at(point.0))) cy=(round(y.at(point.1))) r="3.5" class="mark strong" {} }
            }
        }
        @for (place, series) in series.iter().filter(|series| !series.name.is_empty()).enumerate() {
            @let at = bottom - 62.0 + 18.0 * place as f64;
            (line(legend, at - 4.0, legend + 24.0, at - 4.0, &format!("line {}", series.class)))
            (text(legend + 32.0, at, "label", series.name))
        }
        (text(right, bottom + 40.0, "tick end", x_label))
        (text(left, height - 10.0, "tick", y_label))
    };
    svg(title, 640.0, height, &body)
}

/// Two histograms over the same bins, one up and one down: where they face each other, like is
/// compared with like.
pub(crate) fn mirrored(title: &str, up: &[u32], down: &[u32], names: [&str; 2], x_label: &str) -> Markup {
    let (left, right, middle, reach) = (60.0, 610.0, 130.0, 105.0);
    let most = |bins: &[u32]| f64::from(bins.iter().copied().max().unwrap_or(0).max(1));
    let width = (right - left) / up.len().max(1) as f64;
    // Square roots: small bins must stay visible beside large ones.
    let tall = |count: u32, most: f64| reach * (f64::from(count) / most).sqrt();
    let bars = |bins: &[u32], upward: bool, class: &str| {
        let top = most(bins);
        html! {
            @for (place, count) in bins.iter().enumerate() {
                @let size = tall(*count, top);
                rect x=(round(left + width * place as f64 + 1.0)) width=(round(width - 2.0)) y=(round(if upward { middle - size } else { middle })) height=(round(size)) class=(class) {
                    title { (count) }
                }
            }
        }
    };
    let body = html! {
        (bars(up, true, "bar strong"))
        (bars(down, false, "bar"))
        (line(left, middle, right, middle, "zero"))
        @for tick in 0..=5_u8 {
            @let x = left + (right - left) * f64::from(tick) / 5.0;
            (text(x, middle + reach + 24.0, "tick middle", &short(f64::from(tick) / 5.0)))
        }
        (text(right, 24.0, "label end", names[0]))
        (text(right, middle + reach - 6.0, "label end", names[1]))
        (text(right, middle + reach + 44.0, "tick end", x_label))
    };
    svg(title, 640.0, 285.0, &body)
}

/// Bars with labels, one a line.
pub(crate) fn bars(title: &str, rows: &[(String, f64, String)]) -> Markup {
    let (left, right, step) = (200.0, 560.0, 26.0);
    let scale = Scale::of(rows.iter().map(|row| row.1), true, left, right);
    let body = html! {
        @for (place, (label, value, words)) in rows.iter().enumerate() {
            @let y = 6.0 + step * place as f64;
            (text(left - 10.0, y + 15.0, "label end", label))
            rect x=(round(scale.at(value.min(0.0)))) y=(round(y)) width=(round((scale.at(*value) - scale.at(0.0)).abs())) height="19" rx="3" class="bar strong" {}
            (text(scale.at(value.max(0.0)) + 8.0, y + 15.0, "tick", words))
        }
    };
    svg(title, 640.0, 12.0 + step * rows.len() as f64, &body)
}

/// Upright bars over classes of x.
pub(crate) fn columns(title: &str, values: &[(String, f64)], y_label: &str) -> Markup {
    let (left, right, top, bottom) = (60.0, 610.0, 16.0, 210.0);
    let scale = Scale::of(values.iter().map(|value| value.1), true, bottom, top);
    let width = (right - left) / values.len().max(1) as f64;
    let body = html! {
        @for tick in scale.ticks() {
            (line(left, scale.at(tick), right, scale.at(tick), "grid"))
            (text(left - 8.0, scale.at(tick) + 4.0, "tick end", &short(tick)))
        }
        @for (place, (label, value)) in values.iter().enumerate() {
            @let x = left + width * place as f64;
            rect x=(round(x + 2.0)) width=(round((width - 4.0).max(1.0))) y=(round(scale.at(value.max(0.0)))) height=(round((scale.at(*value) - scale.at(0.0)).abs())) rx="2" class="bar strong" {
                title { (label) ": " (short(*value)) }
            }
            (text(x + width / 2.0, bottom + 18.0, "tick middle", label))
        }
        (text(left, bottom + 40.0, "tick", y_label))
    };
    svg(title, 640.0, 258.0, &body)
}

/// Counts by row and column, darker for more.
pub(crate) fn heat(title: &str, rows: &[&str], columns: &[&str], counts: &[Vec<f64>]) -> Markup {
    let (left, top, wide, high) = (60.0, 26.0, 560.0 / columns.len().max(1) as f64, 30.0);
    let most = counts.iter().flatten().copied().fold(1e-12, f64::max);
    let body = html! {
        @for (column, name) in columns.iter().enumerate() { (text(left + wide * (column as f64 + 0.5), 16.0, "tick middle", name)) }
        @for (row, name) in rows.iter().enumerate() {
            @let y = top + high * row as f64;
            (text(left - 10.0, y + 20.0, "label end", name))
            @for (column, count) in counts.get(row).into_iter().flatten().enumerate() {
                rect x=(round(left + wide * column as f64 + 1.0)) y=(round(y + 1.0)) width=(round(wide - 2.0)) height=(round(high - 2.0)) rx="4" class="heat" style=(format!("opacity:{:.2}", 0.06 + 0.94 * count / most)) {
                    title { (format!("{:.1} %", 100.0 * count)) }
                }
            }
        }
    };
    svg(title, 640.0, top + high * rows.len() as f64 + 6.0, &body)
}

/// A cloud of customers: (x, y, size of the dot, class).
pub(crate) fn scatter(title: &str, points: &[(f64, f64, f64, &'static str)], legend: &[(&'static str, String)]) -> Markup {
    let (left, right, top, bottom) = (14.0, 626.0, 30.0, 380.0);
    // Outliers sit on the frame: 3 standard deviations hold the rest apart.
    let x = Scale { low: -3.0, high: 3.0, from: left, to: right };
    let y = Scale { low: -3.0, high: 3.0, from: bottom, to: top };
    let body = html! {
        rect x=(left) y=(top) width=(right - left) height=(bottom - top) rx="10" class="frame" {}
        @for (across, up, size, class) in points {
            circle cx=(round(x.at(across.clamp(-2.95, 2.95)))) cy=(round(y.at(up.clamp(-2.9, 2.9)))) r=(round(*size)) class=(format!("dot {class}")) {}
        }
        @for (place, (class, name)) in legend.iter().enumerate() {
            @let at = left + 6.0 + 205.0 * place as f64;
            circle cx=(round(at)) cy="14" r="6" class=(format!("dot {class}")) {}
            (text(at + 12.0, 18.0, "label", name))
        }
    };
    svg(title, 640.0, 392.0, &body)
}

/// Predicted against measured with intervals; the diagonal is right.
pub(crate) fn calibration(title: &str, groups: &[(f64, f64, f64, f64)], x_label: &str, y_label: &str) -> Markup {
    let (left, right, top, bottom) = (60.0, 610.0, 16.0, 270.0);
    let x = Scale::of(groups.iter().map(|group| group.0), true, left + 12.0, right - 12.0);
    let y = Scale::of(groups.iter().flat_map(|group| [group.0, group.1, group.2, group.3]), true, bottom, top);
    let (from, to) = (x.low, x.high);
    let body = html! {
        @for tick in y.ticks() {
            (line(left, y.at(tick), right, y.at(tick), "grid"))
            (text(left - 8.0, y.at(tick) + 4.0, "tick end", &short(tick)))
        }
        @for tick in x.ticks() { (text(x.at(tick), bottom + 18.0, "tick middle", &short(tick))) }
        (line(left, y.at(0.0), right, y.at(0.0), "zero"))
        (line(x.at(from), y.at(from), x.at(to), y.at(to), "line bound"))
        @for (predicted, value, low, high) in groups {
            (line(x.at(*predicted), y.at(*low), x.at(*predicted), y.at(*high), "whisker strong"))
            circle cx=(round(x.at(*predicted))) cy=(round(y.at(*value))) r="6" class="mark strong" {}
        }
        (text(right, bottom + 40.0, "tick end", x_label))
        (text(left, bottom + 40.0, "tick", y_label))
    };
    svg(title, 640.0, 316.0, &body)
}

/// Differences between the chosen and the others before (hollow) and after weighting (full); the
/// band is ±0.1.
pub(crate) fn love(title: &str, rows: &[(String, f64, f64)]) -> Markup {
    let (left, right, step) = (210.0, 610.0, 21.0);
    let height = 40.0 + step * rows.len() as f64;
    let scale = Scale::of(rows.iter().flat_map(|row| [row.1, row.2, 0.12, -0.12]), true, left, right);
    let body = html! {
        rect x=(round(scale.at(-0.1))) width=(round(scale.at(0.1) - scale.at(-0.1))) y="4" height=(round(height - 34.0)) class="band" {}
        @for tick in scale.ticks() { (text(scale.at(tick), height - 14.0, "tick middle", &short(tick))) }
        (line(scale.at(0.0), 4.0, scale.at(0.0), height - 30.0, "zero"))
        @for (place, (name, raw, weighted)) in rows.iter().enumerate() {
            @let y = 18.0 + step * place as f64;
            (text(left - 10.0, y + 4.0, "label end", name))
            (line(scale.at(*raw), y, scale.at(*weighted), y, "whisker"))
            circle cx=(round(scale.at(*raw))) cy=(round(y)) r="4.5" class="hollow" {}
            circle cx=(round(scale.at(*weighted))) cy=(round(y)) r="4.5" class="mark strong" {}
        }
    };
    svg(title, 640.0, height, &body)
}

/// The page's style sheet.
pub(crate) const STYLE: PreEscaped<&str> = PreEscaped(include_str!("style.css"));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_inside() {
        let ticks = |low: f64, high: f64| Scale { low, high, from: 0.0, to: 1.0 }.ticks();
        assert_eq!(ticks(0.0, 10.0), [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]);
        assert_eq!(ticks(-130.0, 95.0), [-100.0, -50.0, 0.0, 50.0]);
        assert!(ticks(0.0, 1e-9).len() > 2);
    }

    #[test]
    fn charts_of_nothing_and_of_odd_numbers_are_still_charts() {
        let odd = Interval { label: "<script>".into(), value: f64::NAN, low: f64::NEG_INFINITY, high: f64::INFINITY, strong: true };
        for chart in [
            intervals("t", &[], ""),
            intervals("t", &[odd], ""),
            lines("t", &[], "", ""),
            mirrored("t", &[], &[], ["", ""], ""),
            columns("t", &[("a".into(), 0.0)], ""),
            calibration("t", &[], "", ""),
            love("t", &[]),
        ] {
            let text = chart.into_string();
            assert!(text.starts_with("<svg") && !text.contains("<script>"), "{text}");
            assert!(!text.contains("inf") && !text.contains("NaN"), "{text}");
        }
    }
}
