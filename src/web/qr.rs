//! Square codes for phones' cameras.

use qrcode::render::svg::Color;
use qrcode::{EcLevel, QrCode};

/// The width asked for, in pixels; as a drawing it is as sharp at any other.
const WIDTH: u32 = 640;

/// The code of an address, as an SVG; `None` where it is longer than a code can hold.
pub fn svg(address: &str) -> Option<String> {
    // A quarter may be unreadable: it is filmed off screens, over a moving picture, through compression.
    let code = QrCode::with_error_correction_level(address, EcLevel::Q).ok()?;
    let drawing =
        code.render().min_dimensions(WIDTH, WIDTH).dark_color(Color("#15141a")).light_color(Color("#fff")).build();
    Some(drawing.split_once("?>").map_or(drawing.clone(), |(_, svg)| svg.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_drawn_and_what_is_too_long_is_not() {
        let drawn = svg("https://rally.example/r/women-for-rivera/donate?via=qr").unwrap();
        assert!(drawn.starts_with("<svg") && drawn.ends_with("</svg>"), "{drawn}");
        assert_ne!(drawn, svg("https://rally.example/r/women-for-rivera/donate?via=qs").unwrap());
        assert_eq!(svg(&"x".repeat(3_000)), None);
    }
}
