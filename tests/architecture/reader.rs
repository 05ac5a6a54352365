//! Reads one file's syntax and notes what it may not do.

use crate::rules::{EXPORT_MAY, IMPURE, PRINTING, PURE, ROOMS, UNFINISHED, VAGUE_ROOMS, room_of};
use crate::tree::Broken;
use proc_macro2::{Span, TokenStream, TokenTree};
use std::collections::BTreeMap;
use syn::visit::Visit;

/// `#[test]`, `#[cfg(test)]` or `#[cfg(all(test, ...))]`.
pub fn only_in_tests(attrs: &[syn::Attribute]) -> bool {
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
pub struct Reader<'a> {
    path: &'a str,
    room: String,
    is_test: bool,
    /// The module the walk is in: `["domain", "donation"]`.
    module: Vec<String>,
    /// What names brought in by `use` stand for.
    names: BTreeMap<String, Vec<String>>,
    /// Every text in it, outside of prose.
    pub texts: Vec<String>,
    pub broken: Vec<Broken>,
}

impl<'a> Reader<'a> {
    pub fn new(path: &'a str, is_test: bool) -> Self {
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

    pub fn check_file_name(&mut self) {
        if self.path.ends_with("/mod.rs") {
            self.broke(Span::call_site(), "foo.rs stands beside foo/: no mod.rs");
        }
        for part in self.path.trim_end_matches(".rs").split('/') {
            if VAGUE_ROOMS.contains(&part) {
                self.broke(Span::call_site(), format!("a room called {part} says nothing: name what it is about"));
            }
        }
        if !self.is_test && !ROOMS.iter().any(|(room, _)| *room == self.room) {
            let rule = format!(
                "the room {} has no line in ROOMS of tests/architecture/rules.rs: say what it may reach",
                self.room
            );
            self.broke(Span::call_site(), rule);
        }
    }

    pub fn learn_names(&mut self, file: &syn::File) {
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
