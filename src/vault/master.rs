//! The master secret: 32 random bytes in a file that only its owner may read.

use super::{Fault, Key, random, sync_folder};
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// Reads the secret, or makes one on a first start. A vault that has keys but no secret is refused: a new secret would give
/// everybody another id.
pub(super) fn load(dir: &Path, has_keys: bool) -> Result<Key, Fault> {
    let path = dir.join("master");
    match std::fs::read(&path) {
        Ok(bytes) => {
            let bytes = zeroize::Zeroizing::new(bytes);
            <[u8; 32]>::try_from(bytes.as_slice()).map(Key::new).map_err(|_| Fault::NoMaster { path })
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && has_keys => Err(Fault::NoMaster { path }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let secret = Key::new(random()?);
            let new = dir.join("master.new");
            let io = |source| Fault::Io { doing: "writing", path: path.clone(), source };
            // Written beside and renamed, so that a crash leaves the whole secret or none.
            let mut file =
                OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new).map_err(io)?;
            file.write_all(&*secret).and_then(|()| file.sync_all()).map_err(io)?;
            std::fs::rename(&new, &path).map_err(io)?;
            sync_folder(dir)?;
            Ok(secret)
        }
        Err(source) => Err(Fault::Io { doing: "reading", path, source }),
    }
}
