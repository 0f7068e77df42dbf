//! A plot of runs as SVG: latency by percentile on a logarithmic scale, and throughput as bars.

use std::fmt::Write as _;

use crate::report::{FlowReport, PERCENTILES};

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 380.0;
const LEFT: f64 = 70.0;
const PLOT_WIDTH: f64 = 420.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 330.0;
const BARS_LEFT: f64 = 570.0;
const BARS_WIDTH: f64 = 260.0;
const COLOURS: [&str; 6] = ["#1b6ca8", "#c8553d", "#588157", "#8e5ea2", "#b08900", "#555555"];

/// The text of the picture, one line and one bar a flow. More than six flows share colours.
pub fn svg(title: &str, flows: &[&FlowReport]) -> String {
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"{LEFT}\" y=\"20\" font-size=\"14\">{}</text>\n",
        escape(title)
    );
    let values = || flows.iter().flat_map(|flow| PERCENTILES.map(|p| flow.latency_us(p).max(1.0)));
    let low = values().fold(f64::INFINITY, f64::min).max(1.0).log10().floor();
    let high = values().fold(10.0, f64::max).log10().ceil().max(low + 1.0);
    let y = |us: f64| BOTTOM - (us.max(1.0).log10() - low) / (high - low) * (BOTTOM - TOP);
    let mut decade = low;
    while decade <= high {
        let (us, at) = (10_f64.powf(decade), y(10_f64.powf(decade)));
        line(&mut out, (LEFT, at), (LEFT + PLOT_WIDTH, at), "#dddddd");
        label(&mut out, (LEFT - 8.0, at + 4.0), "end", &format!("{us:.0} us"));
        decade += 1.0;
    }
    let step = PLOT_WIDTH / (PERCENTILES.len() - 1) as f64;
    let xs = || (0..PERCENTILES.len()).map(|place| LEFT + step * place as f64);
    for (x, percentile) in xs().zip(PERCENTILES) {
        let name = if percentile == 100.0 { "max".to_owned() } else { format!("p{percentile}") };
        label(&mut out, (x, BOTTOM + 18.0), "middle", &name);
    }
    let most = flows.iter().map(|flow| flow.per_second()).fold(1.0, f64::max);
    for (place, (flow, colour)) in flows.iter().zip(COLOURS.iter().cycle()).enumerate() {
        let points: Vec<String> = xs()
            .zip(PERCENTILES)
            .map(|(x, percentile)| format!("{x:.1},{:.1}", y(flow.latency_us(percentile))))
            .collect();
        let points = points.join(" ");
        let _ = writeln!(
            out,
            "<polyline points=\"{points}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>"
        );
        let top = TOP + 45.0 * place as f64;
        let width = flow.per_second() / most * BARS_WIDTH;
        let name = format!("{}, {}: {:.0}/s", flow.name, flow.load(), flow.per_second());
        label(&mut out, (BARS_LEFT, top), "start", &name);
        let _ = writeln!(
            out,
            "<rect x=\"{BARS_LEFT}\" y=\"{:.1}\" width=\"{width:.1}\" height=\"16\" fill=\"{colour}\"/>",
            top + 6.0
        );
    }
    out.push_str("</svg>\n");
    out
}

fn line(out: &mut String, (x1, y1): (f64, f64), (x2, y2): (f64, f64), colour: &str) {
    let _ = writeln!(
        out,
        "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" stroke=\"{colour}\"/>"
    );
}

fn label(out: &mut String, (x, y): (f64, f64), anchor: &str, text: &str) {
    let _ = writeln!(out, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{}</text>", escape(text));
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
