//! Charts from figures, in whole numbers.

use crate::web::view::chart::{Chart, ChartBand, ChartBar, ChartTick};

/// The height of a chart.
const HEIGHT: u64 = 1_000;
/// Words at the bottom at most: what a phone has room for.
const TICKS_MAX: usize = 6;

/// A span of equal ones: the area's value at its middle, the bar's over all of it.
pub struct Point {
    /// The area's.
    pub value: u64,
    /// The bar's.
    pub bar: u64,
    /// What whoever points at it reads.
    pub title: String,
    /// What stands beneath it, where there is room.
    pub label: String,
}

/// What stands around a chart.
pub struct Words {
    /// What it shows, in a sentence.
    pub summary: String,
    /// What the area is.
    pub area: String,
    /// What the bars are.
    pub bars: String,
}

/// Draws points that are each so many units wide.
pub fn chart(words: Words, points: &[Point], unit: u64, bands: Vec<ChartBand>) -> Chart {
    let most = |of: fn(&Point) -> u64| points.iter().map(of).max().unwrap_or(0).max(1);
    let (highest, longest) = (most(|point| point.value), most(|point| point.bar));
    let width = count(points.len()).saturating_mul(unit).max(1);
    let left = |at: usize| count(at).saturating_mul(unit);
    let bar = |(at, point): (usize, &Point)| {
        let height = scaled(point.bar, longest);
        let y = HEIGHT.saturating_sub(height);
        ChartBar { x: left(at), width: unit, y, height, title: point.title.clone() }
    };
    let step = points.len().div_ceil(TICKS_MAX).max(1);
    let tick = |(at, point): (usize, &Point)| {
        let permille = left(at).saturating_mul(1_000) / width;
        ChartTick { permille, label: point.label.clone() }
    };
    Chart {
        summary: words.summary,
        width,
        area_label: words.area,
        area: outline(points, highest, unit, width),
        bars_label: words.bars,
        bars: points.iter().enumerate().map(bar).collect(),
        bands,
        ticks: points.iter().enumerate().step_by(step).map(tick).collect(),
    }
}

/// The line through the middle of each point, and back along the bottom.
fn outline(points: &[Point], highest: u64, unit: u64, width: u64) -> String {
    let y = |point: &Point| HEIGHT.saturating_sub(scaled(point.value, highest));
    let (Some(first), Some(last)) = (points.first(), points.last()) else { return String::new() };
    let mut path = format!("M0 {HEIGHT}L0 {}", y(first));
    for (at, point) in points.iter().enumerate() {
        let middle = count(at).saturating_mul(unit).saturating_add(unit / 2);
        path.push_str(&format!("L{middle} {}", y(point)));
    }
    path.push_str(&format!("L{width} {}L{width} {HEIGHT}Z", y(last)));
    path
}

/// What is there shows, however little it is.
fn scaled(value: u64, most: u64) -> u64 {
    let height = u128::from(value).saturating_mul(u128::from(HEIGHT)) / u128::from(most.max(1));
    u64::try_from(height).unwrap_or(HEIGHT).max(u64::from(value > 0).saturating_mul(8))
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(values: &[(u64, u64)]) -> Chart {
        let point = |(value, bar): &(u64, u64)| Point {
            value: *value,
            bar: *bar,
            title: format!("{value}, {bar}"),
            label: value.to_string(),
        };
        let points: Vec<Point> = values.iter().map(point).collect();
        let words = Words { summary: String::new(), area: String::new(), bars: String::new() };
        chart(words, &points, 10, vec![])
    }

    #[test]
    fn the_highest_fills_the_height_and_nothing_is_lost() {
        let chart = drawn(&[(0, 0), (50, 1), (100, 4_000)]);
        assert_eq!(chart.area, "M0 1000L0 1000L5 1000L15 500L25 0L30 0L30 1000Z");
        let bars: Vec<_> = chart.bars.iter().map(|bar| (bar.x, bar.y, bar.height)).collect();
        assert_eq!(bars, [(0, 1_000, 0), (10, 992, 8), (20, 0, 1_000)]);
        assert_eq!(chart.width, 30);
    }

    #[test]
    fn words_have_room_and_extremes_do_no_harm() {
        assert_eq!(drawn(&[]).area, "");
        assert_eq!(drawn(&[(u64::MAX, u64::MAX)]).bars[0].height, 1_000);
        let many = drawn(&vec![(1, 1); 1_440]);
        assert_eq!((many.ticks.len(), many.ticks[1].permille), (6, 166));
    }
}
