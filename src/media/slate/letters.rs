//! Text as coverage: the house's font (Archivo, heavy and wide), by the rasterizer of `ab_glyph`.
//!
//! The rasterizer speaks in floats; they stay in this file, rounded to pixels at its edge.
#![allow(clippy::float_arithmetic, clippy::as_conversions, reason = "outlines are floats, pixels are not")]

use ab_glyph::{Font, FontRef, Glyph, GlyphId, PxScale, ScaleFont, VariableFont, point};
use unicode_normalization::UnicodeNormalization;

include!(concat!(env!("OUT_DIR"), "/fonts.rs"));

/// The heaviest and widest that the font goes, as headings are set on the pages.
const VARIATIONS: [(&[u8; 4], f32); 2] = [(b"wght", 900.0), (b"wdth", 125.0)];

/// Large type is set a little tight: in hundredths of its size.
const TIGHT: f32 = -2.0;

/// The parts of the font that could be read.
pub(super) struct Letters {
    fonts: Vec<FontRef<'static>>,
}

/// How much of each pixel a line of text covers, 0 to 255.
pub(super) struct Line {
    /// In pixels.
    pub width: usize,
    /// `width` times the height, by rows from the top of the tallest accent to the lowest tail.
    pub cover: Vec<u8>,
}

impl Letters {
    /// Reads the embedded fonts.
    pub fn new() -> Self {
        let read = |bytes: &&'static [u8]| {
            let mut font = FontRef::try_from_slice(bytes).ok()?;
            for (axis, value) in VARIATIONS {
                font.set_variation(axis, value);
            }
            Some(font)
        };
        Self { fonts: FONTS.iter().filter_map(read).collect() }
    }

    /// What of a text can be drawn: signs that the font lacks are left out, and if it lacks a letter nothing is drawn, for
    /// half a word is worse than none.
    pub fn drawable(&self, text: &str) -> String {
        let mut drawn = String::new();
        for letter in text.nfc() {
            if letter.is_whitespace() {
                drawn.push(' ');
            } else if self.find(letter).is_some() {
                drawn.push(letter);
            } else if letter.is_alphanumeric() {
                return String::new();
            }
        }
        drawn.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
    }

    fn find(&self, letter: char) -> Option<(&FontRef<'static>, GlyphId)> {
        let ids = self.fonts.iter().map(|font| (font, font.glyph_id(letter)));
        ids.into_iter().find(|(_, id)| id.0 != 0)
    }

    /// How wide the text is at `size` pixels.
    pub fn width(&self, text: &str, size: u16) -> usize {
        let (_, end) = self.set(text, size);
        end.ceil().max(0.0) as usize
    }

    /// Draws one line at `size` pixels.
    pub fn line(&self, text: &str, size: u16) -> Line {
        let (glyphs, end) = self.set(text, size);
        let (width, height) = (end.ceil().max(0.0) as usize + 2, usize::from(size) * 5 / 4);
        let mut cover = vec![0_u8; width * height];
        for (font, glyph) in glyphs {
            let Some(outline) = font.outline_glyph(glyph) else { continue };
            let bounds = outline.px_bounds();
            let (left, top) = (bounds.min.x as i64, bounds.min.y as i64);
            outline.draw(|x, y, share| {
                let (x, y) = (left + i64::from(x), top + i64::from(y));
                let at = usize::try_from(x).ok().filter(|x| *x < width).zip(usize::try_from(y).ok());
                if let Some(pixel) = at.and_then(|(x, y)| cover.get_mut(y * width + x)) {
                    *pixel = pixel.saturating_add((share * 255.0) as u8);
                }
            });
        }
        Line { width, cover }
    }

    /// Places the letters on a line whose top is 0; also where the text ends.
    fn set(&self, text: &str, size: u16) -> (Vec<(&FontRef<'static>, Glyph)>, f32) {
        let size = f32::from(size);
        let scale = PxScale::from(size);
        let figure = (b'0'..=b'9').filter_map(|digit| self.find(char::from(digit)));
        // Figures share one width, so that a clock does not jiggle.
        let figure = figure.map(|(font, id)| font.as_scaled(scale).h_advance(id)).fold(0.0, f32::max);
        let (mut glyphs, mut x) = (Vec::new(), 0.0_f32);
        for letter in text.chars() {
            let Some((font, id)) = self.find(letter) else { continue };
            let own = font.as_scaled(scale).h_advance(id);
            let advance = if letter.is_ascii_digit() { figure } else { own };
            let at = point(x + (advance - own) / 2.0, size);
            glyphs.push((font, id.with_scale_and_position(scale, at)));
            x += advance + size * TIGHT / 100.0;
        }
        (glyphs, x)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_in_the_house_font_covers_pixels_and_grows_with_its_size() {
        let letters = Letters::new();
        assert_eq!(letters.fonts.len(), FONTS.len());
        let line = letters.line("Rivera’28", 80);
        assert_eq!(line.cover.len(), line.width * 100);
        assert!(line.cover.contains(&255) && line.cover.contains(&0));
        assert!(letters.width("Rivera’28", 80) > letters.width("Rivera’28", 40));
        assert_eq!(letters.width("11:11", 40), letters.width("08:54", 40));
    }

    #[test]
    fn what_the_font_lacks_leaves_no_boxes() {
        let letters = Letters::new();
        for (text, drawn) in [
            ("Women for Rivera", "Women for Rivera"),
            ("Škoda, Łódź,  Nguye\u{302}\u{303}n", "Škoda, Łódź, Nguyễn"),
            ("Vote 🗳️ now", "Vote now"),
            ("Голосуй", ""),
            ("投票 2028", ""),
            ("", ""),
        ] {
            assert_eq!(letters.drawable(text), drawn, "{text}");
        }
    }
}
