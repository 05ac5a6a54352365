//! Styles, scripts and fonts, embedded in the binary and addressed by a hash of their content.
//!
//! A file's address changes whenever its bytes do, so the handler may tell browsers to keep it for ever.

include!(concat!(env!("OUT_DIR"), "/assets.rs"));

/// One embedded file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asset {
    /// The logical name a template asks for, such as `site.css`.
    pub name: &'static str,
    /// The address it is served under, such as `/static/site-1A2B3C4D.css`.
    pub path: &'static str,
    /// The file itself.
    pub bytes: &'static [u8],
    /// The value of its `Content-Type` header.
    pub content_type: &'static str,
}

/// Gives the address of the file with this logical name, or one that answers 404 when a template misspells it.
#[must_use]
pub fn asset(name: &str) -> &'static str {
    ASSETS.iter().find(|asset| asset.name == name).map_or("/static/no-such-asset", |asset| asset.path)
}

/// Finds the file served under this address.
#[must_use]
pub fn find(path: &str) -> Option<Asset> {
    ASSETS.iter().find(|asset| asset.path == path).copied()
}

#[cfg(test)]
mod tests {
    use super::{ASSETS, asset, find};

    #[test]
    fn every_asset_is_found_under_its_own_address() {
        for entry in ASSETS {
            assert_eq!(find(asset(entry.name)), Some(*entry));
            assert!(!entry.bytes.is_empty(), "{} is empty", entry.name);
        }
    }

    #[test]
    fn every_asset_a_template_names_exists() {
        let mut folders = vec![std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("templates")];
        let mut named = 0;
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let text = std::fs::read_to_string(&path).unwrap();
                for tail in text.split("asset(\"").skip(1) {
                    let name = tail.split('"').next().unwrap();
                    assert!(ASSETS.iter().any(|asset| asset.name == name), "{} names {name}", path.display());
                    named += 1;
                }
            }
        }
        assert!(named > 0);
    }

    #[test]
    fn an_unknown_address_is_nothing() {
        assert_eq!(find("/static/../Cargo.toml"), None);
        assert_eq!(find("/static/"), None);
    }
}
