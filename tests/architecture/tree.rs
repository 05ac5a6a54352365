//! All sources and golden files, and what is wrong with them.

use crate::reader::{Reader, only_in_tests};
use crate::rules::{OPENS, OPENS_UNTOLD, TELLS};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use syn::visit::Visit;

/// A promise broken at a place.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Broken {
    pub file: String,
    pub line: usize,
    pub rule: String,
}

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.rule)
    }
}

/// Sources by path from the package's folder, golden files by theirs.
#[derive(Default)]
pub struct Tree {
    pub rust: BTreeMap<String, String>,
    pub scripts: BTreeMap<String, String>,
    pub golden: BTreeSet<String>,
}

impl Tree {
    pub fn read() -> Self {
        // Read when run, not when compiled: the same program can look at another checkout.
        let root = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_else(|_| env!("CARGO_MANIFEST_DIR").into());
        let root = Path::new(&root);
        let mut tree = Tree::default();
        for folder in ["src", "tests", "benches", "examples"] {
            for path in files_below(root, folder) {
                let text = || fs::read_to_string(root.join(&path)).unwrap_or_default();
                match path.rsplit('.').next() {
                    Some("rs") => drop(tree.rust.insert(path.clone(), text())),
                    Some("js" | "mjs" | "ts" | "py" | "sh") => drop(tree.scripts.insert(path.clone(), text())),
                    _ => {}
                }
            }
        }
        // Notes and makers beside golden files say where those come from; no test reads them.
        let made = |path: &String| ![".md", ".mjs", ".js", ".py", ".sh"].iter().any(|end| path.ends_with(end));
        tree.golden = files_below(root, "fixtures").into_iter().filter(made).collect();
        tree
    }

    /// Every broken promise, in order of place.
    pub fn check(&self) -> Vec<Broken> {
        let mut broken = vec![];
        let mut parsed = BTreeMap::new();
        for (path, text) in &self.rust {
            match syn::parse_file(text) {
                Ok(file) => drop(parsed.insert(path.as_str(), file)),
                Err(error) => {
                    let line = error.span().start().line;
                    broken.push(Broken { file: path.clone(), line, rule: format!("can't be parsed: {error}") });
                }
            }
        }
        let mut test_files = BTreeSet::new();
        for (path, file) in &parsed {
            find_test_files(&file.items, &folder_of(path), &mut test_files);
        }
        let mut texts = vec![];
        for (path, file) in &parsed {
            let is_test = !path.starts_with("src/")
                || test_files.iter().any(|stem| {
                    *path == format!("{stem}.rs") || path.strip_prefix(stem).is_some_and(|rest| rest.starts_with('/'))
                });
            let mut reader = Reader::new(path, is_test);
            reader.check_file_name();
            reader.learn_names(file);
            reader.visit_file(file);
            broken.append(&mut reader.broken);
            if !path.starts_with("tests/architecture/") {
                texts.append(&mut reader.texts);
            }
        }
        self.look_for_the_untold(&mut broken);
        for path in &self.golden {
            let name = path.rsplit('/').next().unwrap_or(path);
            let folders: Vec<&str> = path.match_indices('/').skip(1).map(|(at, _)| &path[..at]).collect();
            let named = |text: &String| {
                text.contains(name) || folders.iter().any(|folder| text.trim_end_matches('/').ends_with(folder))
            };
            if !texts.iter().any(named) && !self.scripts.values().any(|text| text.contains(name)) {
                let rule = "no test and no source reads this golden file: read it or delete it".into();
                broken.push(Broken { file: path.clone(), line: 1, rule });
            }
        }
        broken.sort();
        broken.dedup();
        broken
    }

    /// A page of the staff that opens people's data tells the log who sees it.
    fn look_for_the_untold(&self, broken: &mut Vec<Broken>) {
        let has = |text: &str, words: &[&str]| words.iter().any(|word| text.contains(word));
        let pages = self.rust.iter().filter(|(path, _)| path.starts_with("src/web"));
        for (path, text) in pages.filter(|(path, _)| !OPENS_UNTOLD.contains(&path.as_str())) {
            let line = text.lines().position(|line| has(line, OPENS));
            if let Some(line) = line.filter(|_| !has(text, TELLS)) {
                let rule = "opens people's data and tells nobody: call shows first".into();
                broken.push(Broken { file: path.clone(), line: line + 1, rule });
            }
        }
    }
}

fn files_below(root: &Path, folder: &str) -> Vec<String> {
    let mut found = vec![];
    let Ok(entries) = fs::read_dir(root.join(folder)) else { return found };
    for entry in entries.flatten() {
        let path = format!("{folder}/{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            // The fuzz targets are built in a folder of their own, which holds others' sources.
            if entry.file_name() != "target" {
                found.extend(files_below(root, &path));
            }
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Where the modules declared in a file lie: `src/log` for `src/log.rs`, `src` for `src/lib.rs`.
fn folder_of(path: &str) -> String {
    let stem = path.strip_suffix(".rs").unwrap_or(path);
    match stem.rsplit_once('/') {
        Some((folder, "lib" | "main" | "mod")) => folder.into(),
        _ => stem.into(),
    }
}

fn find_test_files(items: &[syn::Item], folder: &str, found: &mut BTreeSet<String>) {
    for item in items {
        if let syn::Item::Mod(module) = item {
            let stem = format!("{folder}/{}", module.ident);
            match &module.content {
                None if only_in_tests(&module.attrs) => drop(found.insert(stem)),
                Some((_, items)) => find_test_files(items, &stem, found),
                None => {}
            }
        }
    }
}
