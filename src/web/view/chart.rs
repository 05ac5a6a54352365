//! Part `chart`: an area over time and bars beneath, drawn by the server; a table beside it says the same in words.

use askama::Template;

/// A chart. Places are in units of its own, which the browser stretches to any width; heights are in parts of 1,000.
#[derive(Debug, Clone, Template)]
#[template(path = "parts/chart.html")]
pub struct Chart {
    /// What it shows, in a sentence.
    pub summary: String,
    /// Units from its left to its right end.
    pub width: u64,
    /// What the area is, with its highest value: `Most in the room: 43,918`.
    pub area_label: String,
    /// The outline of the area, as SVG's path data.
    pub area: String,
    /// What the bars are, with the highest: `Best minute: $38,420`.
    pub bars_label: String,
    /// The bars.
    pub bars: Vec<ChartBar>,
    /// What was on, beneath the chart and shaded in turn.
    pub bands: Vec<ChartBand>,
    /// Words at the bottom.
    pub ticks: Vec<ChartTick>,
}

/// A bar, and what whoever points at it reads.
#[derive(Debug, Clone)]
pub struct ChartBar {
    /// Where it begins.
    pub x: u64,
    /// How wide it is.
    pub width: u64,
    /// Where its top is, from above.
    pub y: u64,
    /// How high it is.
    pub height: u64,
    /// The figures in words.
    pub title: String,
}

/// A span of the chart with a name.
#[derive(Debug, Clone)]
pub struct ChartBand {
    /// Where it begins.
    pub x: u64,
    /// How wide it is.
    pub width: u64,
    /// The number of its line in the table.
    pub number: usize,
    /// Its name.
    pub name: String,
    /// A figure under the name.
    pub figure: String,
}

/// A word at a place.
#[derive(Debug, Clone)]
pub struct ChartTick {
    /// How far from the left, in thousandths.
    pub permille: u64,
    /// The word.
    pub label: String,
}
