//! Turns the browser assets that `make assets` built into a table the binary embeds.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs, process};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=static/dist");
    println!("cargo::rerun-if-changed=static/dist/manifest.json");
    if let Err(reason) = write_table() {
        // A panic would bury the one line that helps under a backtrace.
        println!("cargo::error={reason}");
        process::exit(1);
    }
}

fn write_table() -> Result<(), String> {
    let root = env::var("CARGO_MANIFEST_DIR").map_err(|error| error.to_string())?;
    let out = env::var("OUT_DIR").map_err(|error| error.to_string())?;
    let dist = Path::new(&root).join("static/dist");
    let text = fs::read_to_string(dist.join("manifest.json")).map_err(|_| {
        "static/dist/manifest.json is missing: run `make assets` (it runs `npm ci && npm run build`), then build again"
            .to_owned()
    })?;
    let manifest: BTreeMap<String, String> = serde_json::from_str(&text)
        .map_err(|error| format!("static/dist/manifest.json is not a map of names ({error}): run `make assets`"))?;
    let mut table = String::from("/// Every embedded file.\npub const ASSETS: &[Asset] = &[\n");
    for (name, file) in &manifest {
        let path = dist.join(file);
        if !path.is_file() {
            return Err(format!("static/dist/{file} is missing: run `make assets`"));
        }
        let content_type = match path.extension().and_then(|extension| extension.to_str()) {
            Some("css") => "text/css; charset=utf-8",
            Some("js") => "text/javascript; charset=utf-8",
            Some("woff2") => "font/woff2",
            Some("svg") => "image/svg+xml",
            other => return Err(format!("static/dist/{file}: no content type is known for {other:?}")),
        };
        let _ = writeln!(
            table,
            "    Asset {{ name: {name:?}, path: {:?}, bytes: include_bytes!({:?}), content_type: {content_type:?} }},",
            format!("/static/{file}"),
            path.display().to_string(),
        );
    }
    table.push_str("];\n");
    fs::write(Path::new(&out).join("assets.rs"), table).map_err(|error| error.to_string())
}
