//! Reads the sources as syntax and holds what the design promises: who may reach whom, what the pure core never
//! touches, that every golden file is read by something, and the names of the house.

// A panic is how a test fails, and syntax has more kinds of nodes than these rules are about.
#![allow(clippy::indexing_slicing, clippy::wildcard_enum_match_arm)]

use proc_macro2::{Span, TokenStream, TokenTree};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use syn::visit::Visit;

/// Each room and the rooms it may reach. A new room gets a line here.
const ROOMS: &[(&str, &[&str])] = &[
    // The pure core.
    ("domain", &[]),
    ("projections", &["domain"]),
    ("export", &["domain", "projections"]),
    // `media` itself holds `Frame`, the one meeting type.
    ("media byte code", &["media"]),
    // Beneath the shell.
    ("log", &["domain"]),
    ("vault", &["domain"]),
    ("clock", &[]),
    ("config", &["domain"]),
    ("engine", &["domain", "projections", "log", "vault", "clock"]),
    // The shell.
    ("payments", &["domain", "projections", "engine", "vault", "clock", "config"]),
    ("media", &["domain", "projections", "engine", "clock", "config", "media byte code"]),
    ("mail", &["domain", "projections", "engine", "vault", "clock", "config"]),
    ("live", &["domain", "projections", "engine", "vault", "clock", "config"]),
    (
        "web",
        &[
            "domain",
            "projections",
            "export",
            "engine",
            "log",
            "vault",
            "clock",
            "config",
            "payments",
            "media",
            "mail",
            "live",
        ],
    ),
    // On top.
    (
        "cli",
        &[
            "domain",
            "projections",
            "export",
            "engine",
            "log",
            "vault",
            "clock",
            "config",
            "payments",
            "media",
            "mail",
            "live",
            "web",
        ],
    ),
    ("main", &["cli"]),
    ("lib", &[]),
];

/// Rooms inside `media` that hold byte code only.
const BYTE_CODE: &[&str] = &["codec", "fmp4", "hls", "vtt"];

/// Rooms where everything comes in as an argument.
const PURE: &[&str] = &["domain", "projections", "export", "media byte code"];

/// What the pure core never names, and why. A name covers everything beneath it.
const IMPURE: &[(&str, &str)] = &[
    ("std::time::SystemTime", "a clock"),
    ("std::time::Instant", "a clock"),
    ("std::time::UNIX_EPOCH", "a clock"),
    ("chrono::Utc::now", "a clock"),
    ("chrono::offset::Utc::now", "a clock"),
    ("chrono::Local", "a clock"),
    ("chrono::offset::Local", "a clock"),
    ("std::fs", "I/O"),
    ("std::net", "I/O"),
    ("std::io", "I/O"),
    ("std::env", "I/O"),
    ("std::process", "I/O"),
    ("std::thread", "I/O"),
    ("tokio", "I/O"),
    ("sled", "I/O"),
    ("libc", "I/O"),
    ("tracing", "I/O"),
    ("reqwest", "I/O"),
    ("hyper", "I/O"),
    ("axum", "I/O"),
    ("rand", "randomness"),
    ("getrandom", "randomness"),
    ("uuid::Uuid::new_v4", "randomness"),
    ("uuid::Uuid::now_v7", "randomness"),
    ("uuid::Uuid::now_v6", "randomness"),
    ("uuid::Uuid::now_v1", "randomness"),
    ("std::f32", "a float"),
    ("std::f64", "a float"),
];

/// An export writes into what it is given: the trait and the words of its signature, nothing that opens anything.
const EXPORT_MAY: &[&str] = &["std::io::Write", "std::io::Result", "std::io::Error", "std::io::ErrorKind"];

const PRINTING: &[&str] = &["print", "println", "eprint", "eprintln"];
const UNFINISHED: &[&str] = &["todo", "unimplemented", "dbg"];
const VAGUE_ROOMS: &[&str] =
    &["util", "utils", "helper", "helpers", "manager", "managers", "service", "services", "common", "misc"];

/// A promise broken at a place.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Broken {
    file: String,
    line: usize,
    rule: String,
}

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.rule)
    }
}

/// Sources by path from the package's folder, golden files by theirs.
#[derive(Default)]
struct Tree {
    rust: BTreeMap<String, String>,
    scripts: BTreeMap<String, String>,
    golden: BTreeSet<String>,
}

impl Tree {
    fn read() -> Self {
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
    fn check(&self) -> Vec<Broken> {
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
            if *path != "tests/architecture.rs" {
                texts.append(&mut reader.texts);
            }
        }
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

/// `#[test]`, `#[cfg(test)]` or `#[cfg(all(test, ...))]`.
fn only_in_tests(attrs: &[syn::Attribute]) -> bool {
    attrs.iter().any(|attr| {
        if attr.path().is_ident("test") {
            return true;
        }
        let syn::Meta::List(list) = &attr.meta else { return false };
        let inside = list.tokens.to_string().replace(' ', "");
        attr.path().is_ident("cfg") && (inside == "test" || inside.starts_with("all(test,"))
    })
}

/// Walks one file.
struct Reader<'a> {
    path: &'a str,
    room: String,
    is_test: bool,
    /// The module the walk is in: `["domain", "donation"]`.
    module: Vec<String>,
    /// What names brought in by `use` stand for.
    names: BTreeMap<String, Vec<String>>,
    texts: Vec<String>,
    broken: Vec<Broken>,
}

impl<'a> Reader<'a> {
    fn new(path: &'a str, is_test: bool) -> Self {
        let inside = path.strip_prefix("src/").unwrap_or(path);
        let module: Vec<String> = inside.trim_end_matches(".rs").split('/').map(Into::into).collect();
        let room = room_of(&module);
        let module = if room == "lib" || room == "main" { vec![] } else { module };
        Self { path, room, is_test, module, names: BTreeMap::new(), texts: vec![], broken: vec![] }
    }

    fn broke(&mut self, span: Span, rule: impl Into<String>) {
        self.broken.push(Broken { file: self.path.into(), line: span.start().line, rule: rule.into() });
    }

    fn is_pure(&self) -> bool {
        !self.is_test && PURE.contains(&self.room.as_str())
    }

    fn check_file_name(&mut self) {
        if self.path.ends_with("/mod.rs") {
            self.broke(Span::call_site(), "foo.rs stands beside foo/: no mod.rs");
        }
        for part in self.path.trim_end_matches(".rs").split('/') {
            if VAGUE_ROOMS.contains(&part) {
                self.broke(Span::call_site(), format!("a room called {part} says nothing: name what it is about"));
            }
        }
        if !self.is_test && !ROOMS.iter().any(|(room, _)| *room == self.room) {
            let rule =
                format!("the room {} has no line in ROOMS of tests/architecture.rs: say what it may reach", self.room);
            self.broke(Span::call_site(), rule);
        }
    }

    fn learn_names(&mut self, file: &syn::File) {
        struct Names(Vec<(String, Vec<String>)>);
        impl<'ast> Visit<'ast> for Names {
            fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
                for leaf in leaves(&item.tree) {
                    if let Some(name) = leaf.name {
                        self.0.push((name, leaf.path));
                    }
                }
            }
        }
        let mut names = Names(vec![]);
        names.visit_file(file);
        for (name, path) in names.0 {
            let path = self.resolved(&path);
            self.names.insert(name, path);
        }
    }

    /// The path with `crate`, `self` and `super` resolved: `["crate", "domain", "money"]`.
    fn resolved(&self, path: &[String]) -> Vec<String> {
        let mut base = self.module.clone();
        let mut rest = path;
        match path.first().map(String::as_str) {
            Some("crate" | "groundswell") => return [vec!["crate".into()], path[1..].to_vec()].concat(),
            Some("self") => rest = &path[1..],
            Some("super") => {
                while rest.first().is_some_and(|part| part == "super") {
                    base.pop();
                    rest = &rest[1..];
                }
            }
            _ => return path.to_vec(),
        }
        [vec!["crate".into()], base, rest.to_vec()].concat()
    }

    fn check_path(&mut self, path: &[String], span: Span) {
        if self.is_test {
            return;
        }
        let known = path.first().and_then(|first| self.names.get(first));
        let full = match known {
            Some(stands_for) => [stands_for.clone(), path[1..].to_vec()].concat(),
            None => self.resolved(path),
        };
        if full.first().is_some_and(|first| first == "crate") {
            self.check_direction(&full[1..], span);
        }
        if !self.is_pure() {
            return;
        }
        let text = full.join("::").replacen("core::", "std::", 1);
        for (name, what) in IMPURE {
            let beneath = text == *name || text.strip_prefix(name).is_some_and(|rest| rest.starts_with("::"));
            let glob_above = text.strip_suffix("::*").is_some_and(|above| name.starts_with(&format!("{above}::")));
            let may = |allowed: &&str| text == **allowed || text.starts_with(&format!("{allowed}::"));
            let allowed = self.room == "export" && (text == "std::io" || EXPORT_MAY.iter().any(may));
            if (beneath || glob_above) && !allowed {
                self.broke(span, format!("the pure core touches {what}: {text}"));
            }
        }
        if matches!(path, [only] if only == "f32" || only == "f64")
            || matches!(path.first().map(String::as_str), Some("f32" | "f64"))
        {
            self.broke(span, format!("the pure core touches a float: {}", path.join("::")));
        }
    }

    fn check_direction(&mut self, path: &[String], span: Span) {
        let to = if path.is_empty() || path[0] == "*" { "the crate's root".into() } else { room_of(path) };
        // What lies at the root is a room; a name in capitals is a macro or an item of lib.rs.
        let allowed =
            ROOMS.iter().find(|(room, _)| *room == self.room).map(|(_, allowed)| *allowed).unwrap_or_default();
        if to != self.room && !allowed.contains(&to.as_str()) {
            let may = if allowed.is_empty() { "nothing of ours".into() } else { allowed.join(", ") };
            self.broke(span, format!("{} reaches {to}; it may reach {may}", self.room));
        }
    }

    fn check_macro_name(&mut self, name: &str, span: Span) {
        if UNFINISHED.contains(&name) {
            self.broke(span, format!("{name}! is unfinished work"));
        }
        if self.is_pure() && PRINTING.contains(&name) {
            self.broke(span, format!("the pure core touches I/O: {name}!"));
        }
    }

    /// Tokens that syntax doesn't reach: bodies and arguments of macros, arguments of attributes.
    fn walk_tokens(&mut self, tokens: TokenStream) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut at = 0;
        while at < tokens.len() {
            match &tokens[at] {
                TokenTree::Group(group) => self.walk_tokens(group.stream()),
                TokenTree::Literal(literal) => {
                    let after_dot = at > 0 && is_punct(&tokens[at - 1], '.');
                    self.check_literal(&syn::Lit::new(literal.clone()), after_dot);
                }
                TokenTree::Ident(first) => {
                    let (mut path, start) = (vec![first.to_string()], at);
                    while at + 3 < tokens.len() && is_punct(&tokens[at + 1], ':') && is_punct(&tokens[at + 2], ':') {
                        let TokenTree::Ident(next) = &tokens[at + 3] else { break };
                        path.push(next.to_string());
                        at += 3;
                    }
                    if tokens.get(at + 1).is_some_and(|next| is_punct(next, '!')) {
                        self.check_macro_name(path.last().map_or("", String::as_str), first.span());
                    }
                    // A field or method of this name is no path; nor is `$crate` the start of one of ours.
                    if start == 0 || !is_punct(&tokens[start - 1], '.') {
                        self.check_path(&path, first.span());
                    }
                }
                TokenTree::Punct(_) => {}
            }
            at += 1;
        }
    }

    fn check_literal(&mut self, literal: &syn::Lit, is_field: bool) {
        match literal {
            syn::Lit::Str(text) => self.texts.push(text.value()),
            syn::Lit::Float(float) if self.is_pure() && !is_field => {
                self.broke(float.span(), format!("the pure core touches a float: {float}"));
            }
            syn::Lit::Int(int) if self.is_pure() && matches!(int.suffix(), "f32" | "f64") => {
                self.broke(int.span(), format!("the pure core touches a float: {int}"));
            }
            _ => {}
        }
    }

    fn within(&mut self, attrs: &[syn::Attribute], walk: impl FnOnce(&mut Self)) {
        let before = self.is_test;
        self.is_test |= only_in_tests(attrs);
        walk(self);
        self.is_test = before;
    }
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        let attrs: &[syn::Attribute] = match item {
            syn::Item::Fn(item) => &item.attrs,
            syn::Item::Mod(item) => &item.attrs,
            syn::Item::Use(item) => &item.attrs,
            syn::Item::Impl(item) => &item.attrs,
            syn::Item::Struct(item) => &item.attrs,
            syn::Item::Enum(item) => &item.attrs,
            syn::Item::Const(item) => &item.attrs,
            syn::Item::Static(item) => &item.attrs,
            syn::Item::Macro(item) => &item.attrs,
            _ => &[],
        };
        self.within(attrs, |reader| syn::visit::visit_item(reader, item));
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.within(&item.attrs, |reader| syn::visit::visit_impl_item_fn(reader, item));
    }

    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        let name = module.ident.to_string();
        if VAGUE_ROOMS.contains(&name.as_str()) {
            self.broke(module.ident.span(), format!("a room called {name} says nothing: name what it is about"));
        }
        self.module.push(name);
        syn::visit::visit_item_mod(self, module);
        self.module.pop();
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        for leaf in leaves(&item.tree) {
            if leaf.path.last().is_some_and(|last| last == "*") && !matches!(item.vis, syn::Visibility::Inherited) {
                self.broke(leaf.span, format!("pub use {}: name what is offered", leaf.path.join("::")));
            }
            self.check_path(&leaf.path, leaf.span);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let parts: Vec<String> = path.segments.iter().map(|part| part.ident.to_string()).collect();
        if let Some(first) = path.segments.first() {
            self.check_path(&parts, first.ident.span());
        }
        syn::visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        if let Some(last) = call.path.segments.last() {
            self.check_macro_name(&last.ident.to_string(), last.ident.span());
        }
        self.visit_path(&call.path);
        self.walk_tokens(call.tokens.clone());
    }

    fn visit_attribute(&mut self, attr: &'ast syn::Attribute) {
        if let syn::Meta::List(list) = &attr.meta {
            self.walk_tokens(list.tokens.clone());
        }
        // `#[doc = "..."]` is prose: a golden file named there is not read there.
    }

    fn visit_lit(&mut self, literal: &'ast syn::Lit) {
        self.check_literal(literal, false);
    }
}

fn is_punct(token: &TokenTree, wanted: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == wanted)
}

/// The room a module path from the crate's root lies in.
fn room_of(module: &[String]) -> String {
    match module {
        [media, part, ..] if media == "media" && BYTE_CODE.iter().any(|code| part.starts_with(code)) => {
            "media byte code".into()
        }
        [room, ..] => room.clone(),
        [] => "lib".into(),
    }
}

/// One path that a `use` brings in.
struct Leaf {
    path: Vec<String>,
    name: Option<String>,
    span: Span,
}

fn leaves(tree: &syn::UseTree) -> Vec<Leaf> {
    match tree {
        syn::UseTree::Path(path) => leaves(&path.tree)
            .into_iter()
            .map(|mut leaf| {
                if leaf.path.last().is_some_and(|last| last == "self") && leaf.path.len() == 1 {
                    leaf.path.clear();
                    leaf.name = leaf.name.filter(|name| name != "self").or_else(|| Some(path.ident.to_string()));
                }
                leaf.path.insert(0, path.ident.to_string());
                leaf
            })
            .collect(),
        syn::UseTree::Name(name) => {
            let name_text = name.ident.to_string();
            vec![Leaf { path: vec![name_text.clone()], name: Some(name_text), span: name.ident.span() }]
        }
        syn::UseTree::Rename(rename) => {
            let (path, name) = (vec![rename.ident.to_string()], Some(rename.rename.to_string()));
            vec![Leaf { path, name, span: rename.ident.span() }]
        }
        syn::UseTree::Glob(glob) => {
            vec![Leaf { path: vec!["*".into()], name: None, span: glob.star_token.spans[0] }]
        }
        syn::UseTree::Group(group) => group.items.iter().flat_map(leaves).collect(),
    }
}

#[test]
fn the_sources_keep_every_promise() {
    let broken = Tree::read().check();
    let shown: Vec<String> = broken.iter().map(ToString::to_string).collect();
    assert!(broken.is_empty(), "\n{}\n", shown.join("\n"));
}

/// A tree of one Rust source.
fn one(path: &str, text: &str) -> Tree {
    Tree { rust: BTreeMap::from([(path.into(), text.into())]), ..Tree::default() }
}

#[test]
fn each_broken_promise_is_named_with_file_line_and_rule() {
    for (path, text, line, rule) in [
        // Who may reach whom.
        ("src/domain/x.rs", "use crate::log::Log;", 1, "domain reaches log"),
        ("src/domain/x.rs", "\nfn f() { crate::engine::go() }", 2, "domain reaches engine"),
        ("src/domain/x.rs", "use super::super::vault::Vault;", 1, "domain reaches vault"),
        ("src/domain.rs", "use super::config;", 1, "domain reaches config"),
        ("src/domain/x.rs", "mod a { use super::super::super::web::X; }", 1, "domain reaches web"),
        ("src/domain/x.rs", "fn f() { format!(\"{}\", crate::clock::now()) }", 1, "domain reaches clock"),
        ("src/domain/x.rs", "#[serde(with = crate::web::x)] struct A;", 1, "domain reaches web"),
        ("src/domain/x.rs", "use crate as c; fn f() { c::web::go() }", 1, "domain reaches web"),
        ("src/domain/x.rs", "use crate::*;", 1, "domain reaches the crate's root"),
        ("src/projections/x.rs", "use crate::{domain, export};", 1, "projections reaches export"),
        ("src/projections.rs", "fn f(_: &crate::log::Head) {}", 1, "projections reaches log"),
        ("src/export/csv.rs", "use crate::engine::Engine;", 1, "export reaches engine"),
        ("src/log/sled.rs", "use crate::engine::Engine;", 1, "log reaches engine"),
        ("src/vault.rs", "use crate::log::Log;", 1, "vault reaches log"),
        ("src/engine.rs", "use crate::payments::stripe;", 1, "engine reaches payments"),
        ("src/engine.rs", "use crate::media::Frame;", 1, "engine reaches media"),
        ("src/engine/x.rs", "use crate::{live, mail};", 1, "engine reaches live"),
        ("src/engine/x.rs", "use crate::config::Config;", 1, "engine reaches config"),
        ("src/media/fmp4/x.rs", "use crate::engine::Engine;", 1, "media byte code reaches engine"),
        ("src/media/codec_h264.rs", "use crate::domain::id;", 1, "media byte code reaches domain"),
        ("src/payments/stripe.rs", "use crate::web::problem;", 1, "payments reaches web"),
        ("src/live.rs", "use crate::web::parts;", 1, "live reaches web"),
        ("src/web/x.rs", "use crate::cli::Args;", 1, "web reaches cli"),
        ("src/main.rs", "fn main() { groundswell::web::serve() }", 1, "main reaches web"),
        ("src/novel.rs", "", 0, "the room novel has no line in ROOMS"),
        // What the pure core never touches.
        ("src/domain/x.rs", "use std::time::SystemTime;", 1, "a clock: std::time::SystemTime"),
        ("src/domain/x.rs", "use std::time; fn f() { time::Instant::now(); }", 1, "a clock: std::time::Instant::now"),
        ("src/domain/x.rs", "use std::time::*;", 1, "a clock: std::time::*"),
        ("src/domain/x.rs", "use chrono::Utc;\nfn f() { Utc::now(); }", 2, "a clock: chrono::Utc::now"),
        ("src/domain/x.rs", "use chrono::Utc as U;\nfn f() { vec![U::now()]; }", 2, "a clock: chrono::Utc::now"),
        ("src/domain/x.rs", "use chrono::{DateTime, Local};", 1, "a clock: chrono::Local"),
        ("src/projections/x.rs", "fn f() { std::fs::read(\"x\"); }", 1, "I/O: std::fs::read"),
        ("src/export/x.rs", "use std::net::TcpStream;", 1, "I/O: std::net"),
        ("src/export/x.rs", "use std::io::{Read, Write};", 1, "I/O: std::io::Read"),
        ("src/export/x.rs", "use std::io; fn f() { io::stdout(); }", 1, "I/O: std::io::stdout"),
        ("src/domain/x.rs", "use std::io::Write;", 1, "I/O: std::io::Write"),
        ("src/domain/x.rs", "fn f() { tokio::spawn(g()); }", 1, "I/O: tokio::spawn"),
        ("src/domain/x.rs", "fn f() { println!(\"x\"); }", 1, "I/O: println!"),
        ("src/domain/x.rs", "macro_rules! a { () => { eprintln!() } }", 1, "I/O: eprintln!"),
        ("src/domain/x.rs", "use rand::Rng;", 1, "randomness: rand"),
        ("src/domain/x.rs", "fn f() { getrandom::fill(b); }", 1, "randomness: getrandom"),
        ("src/domain/x.rs", "use uuid::Uuid; fn f() { Uuid::now_v7(); }", 1, "randomness: uuid::Uuid::now_v7"),
        ("src/domain/x.rs", "fn f() { uuid::Uuid::new_v4(); }", 1, "randomness: uuid::Uuid::new_v4"),
        ("src/domain/x.rs", "struct A(f64);", 1, "a float: f64"),
        ("src/domain/x.rs", "fn f(a: i64) { a as f32; }", 1, "a float: f32"),
        ("src/export/x.rs", "const A: i64 = g(1.5);", 1, "a float: 1.5"),
        ("src/export/x.rs", "fn f() { format!(\"{}\", 1e3); }", 1, "a float: 1e3"),
        ("src/media/hls.rs", "fn f() { let x = 2f64; }", 1, "a float: 2f64"),
        ("src/media/hls/x.rs", "use std::time::Instant;", 1, "a clock: std::time::Instant"),
        // The names of the house.
        ("src/web/mod.rs", "", 0, "no mod.rs"),
        ("src/web/util.rs", "", 0, "a room called util"),
        ("src/web/x.rs", "mod helpers {}", 1, "a room called helpers"),
        ("src/web/x.rs", "pub use y::*;", 1, "pub use y::*"),
        ("src/web/x.rs", "pub(crate) use y::{z, w::*};", 1, "pub use y::w::*"),
        ("src/web/x.rs", "fn f() { todo!() }", 1, "todo! is unfinished"),
        ("tests/x.rs", "fn f() { unimplemented!() }", 1, "unimplemented! is unfinished"),
        ("src/web/x.rs", "#[cfg(test)] mod t { fn f() { vec![dbg!(1)]; } }", 1, "dbg! is unfinished"),
        ("src/web/x.rs", "fn f( {", 1, "can't be parsed"),
    ] {
        let broken = one(path, text).check();
        let wanted =
            |broken: &Broken| broken.file == path && broken.rule.contains(rule) && (line == 0 || broken.line == line);
        assert!(broken.iter().any(wanted), "{path}: {text:?} should break \"{rule}\" on line {line}: {broken:?}");
    }
}

#[test]
fn what_is_allowed_breaks_nothing() {
    for (path, text) in [
        ("src/domain/x.rs", "use super::money::Money; use crate::domain::id; use chrono::{DateTime, Utc};"),
        ("src/domain/x.rs", "#[cfg(test)] mod tests { use super::*; use crate::log::Log; fn f() -> f64 { 1.5 } }"),
        ("src/domain/x.rs", "#[test] fn f() { println!(\"{}\", 1.5); }"),
        ("src/domain/x.rs", "// f64, std::fs::read, todo!()\n/// `Utc::now`\nfn f() { g(\"std::fs 1.5\") }"),
        ("src/domain/x.rs", "fn f(a: ((i64, i64), i64)) { format!(\"{}\", a.0.1); a.0.1; }"),
        ("src/export/csv.rs", "use std::io::{self, Write}; fn f(w: &mut impl Write) -> io::Result<()> { Ok(()) }"),
        ("src/media/codec/x.rs", "use crate::media::Frame; use super::aac;"),
        ("src/clock.rs", "pub fn now() -> D { chrono::Utc::now() }"),
        ("src/engine.rs", "use crate::{clock, domain, log, projections, vault}; use tokio::sync;"),
        ("src/main.rs", "fn main() { groundswell::cli::main() }"),
        ("tests/x.rs", "use groundswell::web; fn f() { println!(\"{}\", 1.5) }"),
    ] {
        assert_eq!(one(path, text).check(), vec![], "{path}: {text}");
    }
}

#[test]
fn a_file_that_only_tests_include_may_do_what_tests_do() {
    let mut tree = one("src/domain/a.rs", "#[cfg(test)] mod tests;");
    tree.rust.insert("src/domain/a/tests.rs".into(), "use std::fs;".into());
    assert_eq!(tree.check(), vec![]);
    tree.rust.insert("src/domain/a.rs".into(), "mod tests;".into());
    assert_eq!(tree.check().len(), 1);
}

#[test]
fn a_golden_file_nobody_reads_is_named() {
    let golden = |reader: &str| {
        let mut tree = one("tests/x.rs", reader);
        tree.golden.insert("fixtures/exports/a.csv".into());
        tree.check().len()
    };
    assert_eq!(golden(""), 1);
    assert_eq!(golden("// fixtures/exports/a.csv"), 1, "a comment reads nothing");
    assert_eq!(golden("/// fixtures/exports/a.csv\nfn f() {}"), 1, "nor does a docstring");
    assert_eq!(golden("fn f() { walk(\"fixtures\") }"), 1, "all of fixtures is too much to claim");
    assert_eq!(golden("fn f() { include_str!(\"../fixtures/exports/a.csv\") }"), 0);
    assert_eq!(golden("fn f() { read(\"a.csv\") }"), 0);
    assert_eq!(golden("fn f() { walk(\"fixtures/exports\") }"), 0);
}
