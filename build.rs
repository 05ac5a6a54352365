//! Turns the browser assets that `make assets` built into a table the binary embeds, and gives the sources of the folds a
//! number, by which a snapshot knows the build it belongs to.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::{env, fs, process};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=static/dist");
    println!("cargo::rerun-if-changed=static/dist/manifest.json");
    if let Err(reason) =
        write_table().and_then(|()| embed_fonts()).and_then(|()| embed_countries()).and_then(|()| number_folds())
    {
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

/// The slate's letters, in the order in which they are asked for a character.
const FONTS: [&str; 3] = ["slate-latin.ttf", "slate-latin-ext.ttf", "slate-vietnamese.ttf"];

fn embed_fonts() -> Result<(), String> {
    let root = env::var("CARGO_MANIFEST_DIR").map_err(|error| error.to_string())?;
    let out = env::var("OUT_DIR").map_err(|error| error.to_string())?;
    let mut text = format!("/// The house's font, a part of it each.\nconst FONTS: [&[u8]; {}] = [\n", FONTS.len());
    for name in FONTS {
        let path = Path::new(&root).join("static/dist").join(name);
        if !path.is_file() {
            return Err(format!("static/dist/{name} is missing: run `make assets`"));
        }
        let _ = writeln!(text, "    include_bytes!({:?}),", path.display().to_string());
    }
    text.push_str("];\n");
    fs::write(Path::new(&out).join("fonts.rs"), text).map_err(|error| error.to_string())
}

fn embed_countries() -> Result<(), String> {
    let root = env::var("CARGO_MANIFEST_DIR").map_err(|error| error.to_string())?;
    let out = env::var("OUT_DIR").map_err(|error| error.to_string())?;
    let text = fs::read_to_string(Path::new(&root).join("static/dist/countries.json"))
        .map_err(|_| "static/dist/countries.json is missing: run `make assets`".to_owned())?;
    let countries: Vec<(String, String)> = serde_json::from_str(&text)
        .map_err(|error| format!("static/dist/countries.json ({error}): run `make assets`"))?;
    let mut table =
        String::from("/// Code and name, the likely ones first.\npub const COUNTRIES: &[(&str, &str)] = &[\n");
    for (code, name) in countries {
        let _ = writeln!(table, "    ({code:?}, {name:?}),");
    }
    table.push_str("];\n");
    fs::write(Path::new(&out).join("countries.rs"), table).map_err(|error| error.to_string())
}

/// Everything that a snapshot's bytes depend on: what is folded, how, and the libraries that write it.
const FOLDS: [&str; 6] =
    ["src/domain", "src/domain.rs", "src/projections", "src/projections.rs", "src/engine/snapshot.rs", "Cargo.lock"];

fn number_folds() -> Result<(), String> {
    let root = env::var("CARGO_MANIFEST_DIR").map_err(|error| error.to_string())?;
    let out = env::var("OUT_DIR").map_err(|error| error.to_string())?;
    let mut files = Vec::new();
    for name in FOLDS {
        println!("cargo::rerun-if-changed={name}");
        gather(&Path::new(&root).join(name), &mut files)?;
    }
    files.sort();
    let mut hasher = DefaultHasher::new();
    for file in &files {
        fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?.hash(&mut hasher);
    }
    let text = format!(
        "/// A number of the folds' sources: another number, another build, another form.\nconst FOLDS: u64 = {};\n",
        hasher.finish()
    );
    fs::write(Path::new(&out).join("folds.rs"), text).map_err(|error| error.to_string())
}

fn gather(path: &Path, files: &mut Vec<PathBuf>) -> Result<(), String> {
    if !path.is_dir() {
        files.push(path.to_path_buf());
        return Ok(());
    }
    for entry in fs::read_dir(path).map_err(|error| format!("{}: {error}", path.display()))? {
        gather(&entry.map_err(|error| error.to_string())?.path(), files)?;
    }
    Ok(())
}
