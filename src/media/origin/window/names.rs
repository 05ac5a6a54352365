//! What the playlists and files of a program are called, and what a name means.

/// The playlist of picture and sound.
pub(in crate::media::origin) const VIDEO: &str = "video.m3u8";
/// The playlists of lower qualities are named like it, with a number from 2 on.
const LOWER: (&str, &str) = ("video-", ".m3u8");
/// The playlist of the sound alone.
pub(in crate::media::origin) const SOUND: &str = "sound.m3u8";
/// The playlist of picture and sound, from where a language's captions are.
pub(super) const FROM_CAPTIONS: &str = "../../";

/// The number in a name, if it is written the one way that we write it.
fn number(digits: &str) -> Option<u64> {
    let number: u64 = digits.parse().ok()?;
    (number.to_string() == digits).then_some(number)
}

pub(super) fn between(name: &str, before: &str, after: &str) -> Option<u64> {
    number(name.strip_prefix(before)?.strip_suffix(after)?)
}

/// The lower quality that a playlist's name means.
pub(in crate::media::origin) fn lower_playlist(name: &str) -> Option<usize> {
    usize::try_from(between(name, LOWER.0, LOWER.1)?).ok()?.checked_sub(2)
}

pub(super) fn lower_name(layer: usize) -> String {
    format!("{}{}{}", LOWER.0, layer.saturating_add(2), LOWER.1)
}

/// What the names of a quality's files begin with; nothing for the best.
pub(super) fn prefix(layer: Option<usize>) -> String {
    layer.map_or_else(String::new, |layer| format!("v{}", layer.saturating_add(2)))
}

/// The lower quality that a file's name begins with, and the rest of it.
pub(super) fn quality(name: &str) -> Option<(Option<usize>, &str)> {
    let Some(rest) = name.strip_prefix('v') else { return Some((None, name)) };
    let (digits, _) = rest.split_at_checked(rest.find(|at: char| !at.is_ascii_digit())?)?;
    let layer = usize::try_from(number(digits)?).ok()?.checked_sub(2)?;
    Some((Some(layer), rest.strip_prefix(digits)?))
}

/// The segment and part that a part's address names.
pub(in crate::media::origin) fn part_number(name: &str) -> Option<(u64, u64)> {
    let (_, name) = quality(name)?;
    let (segment, part) = name.strip_prefix('p')?.strip_suffix(".m4s")?.split_once('.')?;
    Some((number(segment)?, number(part)?))
}
