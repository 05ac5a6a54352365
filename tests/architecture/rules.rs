//! The rules: which rooms there are, whom each may reach, and what must not be named.

/// Each room and the rooms it may reach. A new room gets a line here.
pub const ROOMS: &[(&str, &[&str])] = &[
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
    ("report", &["domain", "projections", "export", "engine", "log", "vault", "clock"]),
    ("payments", &["domain", "projections", "engine", "vault", "clock", "config"]),
    ("media", &["domain", "projections", "engine", "clock", "config", "media byte code"]),
    ("mail", &["domain", "projections", "engine", "vault", "clock", "config"]),
    ("hooks", &["domain", "projections", "engine", "vault", "clock"]),
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
            "hooks",
            "report",
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
            "hooks",
            "report",
            "web",
        ],
    ),
    ("main", &["cli"]),
    ("lib", &[]),
];

/// Rooms inside `media` that hold byte code only.
const BYTE_CODE: &[&str] = &["codec", "fmp4", "hls", "vtt"];
/// Rooms where everything comes in as an argument.
pub const PURE: &[&str] = &["domain", "projections", "export", "media byte code"];

/// What the pure core never names, and why. A name covers everything beneath it.
pub const IMPURE: &[(&str, &str)] = &[
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
pub const EXPORT_MAY: &[&str] =
    &["std::io::Write", "std::io::Seek", "std::io::Result", "std::io::Error", "std::io::ErrorKind"];
/// What opens people's data on a page, and what tells the log of it first.
pub const OPENS: &[&str] = &[".contacts()", "Contacts::new(", "Profiles::new("];
pub const TELLS: &[&str] = &[".shows(", ".tells("];
/// Pages that show donors what they themselves have typed, and the room that has the doors to it.
pub const OPENS_UNTOLD: &[&str] =
    &["src/web/app.rs", "src/web/pages/donate.rs", "src/web/pages/card.rs", "src/web/pages/thanks.rs"];
pub const PRINTING: &[&str] = &["print", "println", "eprint", "eprintln"];
pub const UNFINISHED: &[&str] = &["todo", "unimplemented", "dbg"];

pub const VAGUE_ROOMS: &[&str] =
    &["util", "utils", "helper", "helpers", "manager", "managers", "service", "services", "common", "misc"];

/// The room a module path from the crate's root lies in.
pub fn room_of(module: &[String]) -> String {
    match module {
        [media, part, ..] if media == "media" && BYTE_CODE.iter().any(|code| part.starts_with(code)) => {
            "media byte code".into()
        }
        [room, ..] => room.clone(),
        [] => "lib".into(),
    }
}
