//! The campaign's colour: text on it, and a shade that can be read on the dark stage.
//!
//! Contrast is the ratio of WCAG 2.2 (relative luminance, section 1.4.3); it is display arithmetic, not money.
#![allow(clippy::float_arithmetic)]

/// The contrast that text needs.
const TEXT_CONTRAST: f64 = 4.5;
/// The contrast that a shape or a large figure needs: on the dark stage the accent is a ground, never small text.
const SHAPE_CONTRAST: f64 = 3.0;
/// The dark theme's paper.
const DARK_PAPER: Rgb = Rgb(0x13, 0x12, 0x18);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Rgb(u8, u8, u8);

/// A colour for both themes, as CSS texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accent {
    /// For the light theme: the campaign's own.
    pub light: String,
    /// Text on it.
    pub on_light: String,
    /// For the dark theme and the stage: the same, lightened until it can be read there.
    pub dark: String,
    /// Text on it.
    pub on_dark: String,
}

impl Accent {
    /// From `#rrggbb`; a neutral red where it is not one.
    pub fn new(hex: &str) -> Self {
        let own = parse(hex).unwrap_or(Rgb(0xd6, 0x30, 0x1f));
        let mut dark = own;
        // Each step takes an eighth of the way to white; white itself is readable, so this ends.
        while contrast(dark, DARK_PAPER) < SHAPE_CONTRAST && dark != Rgb(255, 255, 255) {
            let up = |channel: u8| channel.saturating_add(((255 - channel) / 8).max(1));
            dark = Rgb(up(dark.0), up(dark.1), up(dark.2));
        }
        Self { light: css(own), on_light: on(own), dark: css(dark), on_dark: on(dark) }
    }
}

fn parse(hex: &str) -> Option<Rgb> {
    let digits = hex.strip_prefix('#').filter(|digits| digits.len() == 6 && digits.is_ascii())?;
    let channel = |range: std::ops::Range<usize>| u8::from_str_radix(digits.get(range)?, 16).ok();
    Some(Rgb(channel(0..2)?, channel(2..4)?, channel(4..6)?))
}

fn css(Rgb(red, green, blue): Rgb) -> String {
    format!("#{red:02x}{green:02x}{blue:02x}")
}

/// White where it can be read, then our near-black; on the greys between, black: white or black always can.
fn on(ground: Rgb) -> String {
    let texts = [Rgb(255, 255, 255), Rgb(0x0e, 0x0d, 0x12)];
    let readable = texts.into_iter().find(|text| contrast(ground, *text) >= TEXT_CONTRAST);
    css(readable.unwrap_or(Rgb(0, 0, 0)))
}

fn contrast(one: Rgb, other: Rgb) -> f64 {
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

fn luminance(Rgb(red, green, blue): Rgb) -> f64 {
    let linear = |channel: u8| {
        let share = f64::from(channel) / 255.0;
        if share <= 0.04045 { share / 12.92 } else { ((share + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_colour_can_be_read_in_both_themes() {
        for hex in ["#d6301f", "#ffffff", "#000000", "#ffd400", "#123456", "#00ff00", "#777777", "#0000ff"] {
            let accent = Accent::new(hex);
            let pair = |ground: &str, text: &str| contrast(parse(ground).unwrap(), parse(text).unwrap());
            assert!(pair(&accent.light, &accent.on_light) >= TEXT_CONTRAST, "{hex}: {accent:?}");
            assert!(pair(&accent.dark, &accent.on_dark) >= TEXT_CONTRAST, "{hex}: {accent:?}");
            assert!(contrast(parse(&accent.dark).unwrap(), DARK_PAPER) >= SHAPE_CONTRAST, "{hex}: {accent:?}");
        }
    }
}
