//! A card as a picture: YUV 4:2:0 planes (BT.709, limited range), all in whole numbers.

use super::card::Card;
use super::letters::{Letters, Line};

/// Of the picture, in pixels: what most sources send.
pub(super) const WIDTH: usize = 1_280;
/// Of the picture, in pixels.
pub(super) const HEIGHT: usize = 720;

/// What is left free at both sides, in pixels.
const MARGIN: usize = 72;
/// Headline sizes in pixels, the first that fits is taken.
const SIZES: [u16; 8] = [112, 96, 84, 72, 60, 50, 42, 36];
/// Lines that a headline may have: more would reach the bands.
const LINES_MAX: usize = 4;
/// The height that a headline may take, in pixels.
const HEADLINE_MAX: usize = 300;
/// The bar's type, in pixels, the first that fits is taken; below the last the text is cut.
const BAR_SIZES: [u16; 4] = [40, 36, 32, 28];
/// The bar's height, in pixels.
const BAR_HEIGHT: usize = 76;
/// Where the bar ends, in pixels from the top.
const BAR_BOTTOM: usize = 640;

type Rgb = [u8; 3];

/// The dark stage.
const STAGE: Rgb = [0x14, 0x14, 0x1d];
const WHITE: Rgb = [0xff, 0xff, 0xff];
const INK: Rgb = [0x0e, 0x0d, 0x12];

/// Three bands as behind the stage of the pages: where in percent of the height, and how much of the accent in percent.
const BANDS: [(usize, usize, u32); 3] = [(9, 16, 100), (21, 28, 56), (33, 40, 28)];

/// A picture.
pub(super) struct Canvas {
    /// `WIDTH` times `HEIGHT`.
    pub y: Vec<u8>,
    /// A quarter of that.
    pub u: Vec<u8>,
    /// A quarter of that.
    pub v: Vec<u8>,
}

impl Canvas {
    /// Draws a card.
    pub fn draw(card: &Card, letters: &Letters) -> Self {
        let [y, u, v] = yuv(STAGE);
        let mut canvas =
            Self { y: vec![y; WIDTH * HEIGHT], u: vec![u; WIDTH * HEIGHT / 4], v: vec![v; WIDTH * HEIGHT / 4] };
        let accent = visible(card.accent);
        for (from, to, share) in BANDS {
            let colour = mix(accent, STAGE, share);
            canvas.fill(0, HEIGHT * from / 100, WIDTH, HEIGHT * (to - from) / 100, colour);
        }
        let room = WIDTH - 2 * MARGIN;
        let bar = letters.drawable(&card.bar);
        let fits = |size: &u16| letters.width(&bar, *size) <= room - 2 * 24;
        let [.., smallest] = BAR_SIZES;
        let bar_size = BAR_SIZES.into_iter().find(fits).unwrap_or(smallest);
        let bar = fitted(&bar, bar_size, room - 2 * 24, letters);
        let mut bottom = BAR_BOTTOM;
        if bar.is_empty() {
            canvas.fill(MARGIN, BAR_BOTTOM - 12, 240, 12, accent);
            bottom -= 24;
        } else {
            let line = letters.line(&bar, bar_size);
            let top = BAR_BOTTOM - BAR_HEIGHT;
            canvas.fill(MARGIN, top, line.width + 2 * 24, BAR_HEIGHT, accent);
            canvas.ink(&line, MARGIN + 24, top + 32 - usize::from(bar_size) / 2, on(accent));
            bottom -= BAR_HEIGHT + 12;
        }
        let headline = letters.drawable(&card.headline);
        let (size, lines) = broken(if headline.is_empty() { "Live" } else { &headline }, room, letters);
        let step = usize::from(size) * 21 / 20;
        let mut top = bottom.saturating_sub(step * lines.len() + usize::from(size) / 4);
        for text in lines {
            canvas.ink(&letters.line(&text, size), MARGIN, top, WHITE);
            top += step;
        }
        canvas
    }

    fn fill(&mut self, left: usize, top: usize, width: usize, height: usize, colour: Rgb) {
        let [y, u, v] = yuv(colour);
        for (plane, value, half) in [(&mut self.y, y, 1), (&mut self.u, u, 2), (&mut self.v, v, 2)] {
            let across = WIDTH / half;
            for row in plane.chunks_exact_mut(across).skip(top / half).take(height / half) {
                row.iter_mut().skip(left / half).take(width / half).for_each(|pixel| *pixel = value);
            }
        }
    }

    /// Lays a line of text over the picture.
    fn ink(&mut self, line: &Line, left: usize, top: usize, colour: Rgb) {
        let [y, u, v] = yuv(colour);
        let rows = line.cover.chunks_exact(line.width.max(1));
        for (row, cover) in self.y.chunks_exact_mut(WIDTH).skip(top).zip(rows) {
            for (pixel, share) in row.iter_mut().skip(left).zip(cover) {
                *pixel = blend(*pixel, y, *share);
            }
        }
        // A colour sample covers two pixels by two: it takes the upper left one's share, which is not told from the mean.
        for (plane, value) in [(&mut self.u, u), (&mut self.v, v)] {
            let rows = line.cover.chunks_exact(line.width.max(1)).step_by(2);
            for (row, cover) in plane.chunks_exact_mut(WIDTH / 2).skip(top / 2).zip(rows) {
                for (pixel, share) in row.iter_mut().skip(left / 2).zip(cover.iter().step_by(2)) {
                    *pixel = blend(*pixel, value, *share);
                }
            }
        }
    }
}

/// A line cut to what fits, with an ellipsis.
fn fitted(text: &str, size: u16, room: usize, letters: &Letters) -> String {
    if letters.width(text, size) <= room {
        return text.to_owned();
    }
    let mut kept = text.to_owned();
    while kept.pop().is_some() {
        let shorter = format!("{}…", kept.trim_end());
        if letters.width(&shorter, size) <= room {
            return shorter;
        }
    }
    String::new()
}

/// The largest size at which the text fits, or the next if that saves a line; and its lines. What fits at no size is cut.
fn broken(text: &str, room: usize, letters: &Letters) -> (u16, Vec<String>) {
    let mut taken: Option<(u16, Vec<String>)> = None;
    let [.., smallest] = SIZES;
    for size in SIZES {
        let lines = wrapped(text, size, room, letters);
        let low = usize::from(size) * 21 / 20 * lines.len() <= HEADLINE_MAX;
        let fits = low && lines.len() <= LINES_MAX && lines.iter().all(|line| letters.width(line, size) <= room);
        match &taken {
            Some((_, before)) if lines.len() < before.len() => return (size, lines),
            Some(_) => break,
            None if fits || size == smallest => taken = Some((size, lines)),
            None => {}
        }
    }
    let (size, lines) = taken.unwrap_or((smallest, Vec::new()));
    (size, lines.iter().take(LINES_MAX).map(|line| fitted(line, size, room, letters)).collect())
}

fn wrapped(text: &str, size: u16, room: usize, letters: &Letters) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if letters.width(&format!("{line} {word}"), size) <= room => {
                line.push(' ');
                line.push_str(word);
            }
            Some(_) | None => lines.push(word.to_owned()),
        }
    }
    lines
}

fn blend(under: u8, over: u8, share: u8) -> u8 {
    let (under, over, share) = (u32::from(under), u32::from(over), u32::from(share));
    byte((under * (255 - share) + over * share + 127) / 255)
}

fn byte(value: u32) -> u8 {
    u8::try_from(value).unwrap_or(u8::MAX)
}

fn mix(over: Rgb, under: Rgb, percent: u32) -> Rgb {
    let [a, b, c] = over;
    let [d, e, f] = under;
    [(a, d), (b, e), (c, f)]
        .map(|(over, under)| byte((u32::from(over) * percent + u32::from(under) * (100 - percent)) / 100))
}

/// Luma in thousandths, by BT.709.
fn luma([red, green, blue]: Rgb) -> u32 {
    213 * u32::from(red) + 715 * u32::from(green) + 72 * u32::from(blue)
}

/// The accent, lightened until it can be told from the stage.
fn visible(accent: Rgb) -> Rgb {
    let mut colour = accent;
    // Each step takes an eighth of the way to white, which is light enough, so this ends.
    while luma(colour) < 55_000 {
        colour = colour.map(|channel| channel.saturating_add(((255 - channel) / 8).max(1)));
    }
    colour
}

/// White or ink, whichever can be read on the ground.
fn on(ground: Rgb) -> Rgb {
    if luma(ground) > 140_000 { INK } else { WHITE }
}

/// BT.709, limited range.
fn yuv(colour: Rgb) -> [u8; 3] {
    let [red, green, blue] = colour.map(i64::from);
    let y = 16_000 + (183 * red + 614 * green + 62 * blue);
    let u = 128_000 + (-101 * red - 338 * green + 439 * blue);
    let v = 128_000 + (439 * red - 399 * green - 40 * blue);
    [y, u, v].map(|value| u8::try_from((value + 500).div_euclid(1_000)).unwrap_or(u8::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn card(headline: &str, bar: &str) -> Card {
        Card { headline: headline.into(), bar: bar.into(), accent: [0xd6, 0x30, 0x1f] }
    }

    #[test]
    fn colours_are_those_of_the_standard() {
        assert_eq!(yuv([0, 0, 0]), [16, 128, 128]);
        assert_eq!(yuv([255, 255, 255]), [235, 128, 128]);
        assert_eq!(yuv([255, 0, 0]), [63, 102, 240]);
    }

    #[test]
    fn any_title_fits_and_leaves_the_margins_free() {
        let letters = Letters::new();
        let long = "An Evening of Extraordinarily Long Speeches for Everybody Who Cares about the Whole of Our State and Its Many Counties";
        let word = "W".repeat(120);
        for title in ["Go", "Answer the Call: Women for Rivera", long, &word, "Голосуй", ""] {
            for card in [card(title, "Starts in 12:34"), card("We’ll be right back", title)] {
                let canvas = Canvas::draw(&card, &letters);
                let ground = yuv(STAGE)[0];
                let mut below = canvas.y.chunks_exact(WIDTH).skip(HEIGHT * 41 / 100);
                let free = |row: &[u8]| {
                    row.iter().take(MARGIN - 8).chain(row.iter().skip(WIDTH - MARGIN + 8)).all(|pixel| *pixel == ground)
                };
                assert!(below.all(free), "{title}");
                let inked = canvas.y.chunks_exact(WIDTH).skip(HEIGHT * 41 / 100).flatten().any(|pixel| *pixel > 200);
                assert!(inked, "{title}");
            }
        }
    }

    #[test]
    fn any_accent_can_be_told_from_the_stage_and_read_upon() {
        for accent in [[0, 0, 0], [255, 255, 255], [0, 0, 255], [255, 212, 0], [0xd6, 0x30, 0x1f]] {
            let shown = visible(accent);
            let apart = luma(shown).abs_diff(luma(on(shown)));
            assert!(luma(shown) >= 55_000 && apart > 90_000, "{accent:?} {apart}");
        }
    }
}
