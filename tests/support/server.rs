//! The real server as a process of its own, and a client plain enough to send what no browser would.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The program under test.
const PROGRAM: &str = env!("CARGO_BIN_EXE_groundswell");
/// How long the program may take for anything, on a machine that does other things.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// What the tests' staff sign in with.
pub const PASSWORD: &str = "a long pass phrase";

/// The program with nothing of this machine's settings.
pub fn program(args: &[&str], data: &Path) -> Command {
    let mut command = Command::new(PROGRAM);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("GROUNDSWELL_")) {
        command.env_remove(name);
    }
    command.args(args).arg("--data").arg(data).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs a subcommand to its end.
pub fn run(args: &[&str], data: &Path) -> Output {
    program(args, data).output().unwrap()
}

/// Runs a subcommand to its end with a line on its standard input.
pub fn run_with_input(args: &[&str], data: &Path, input: &str) -> Output {
    let mut child = program(args, data).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

/// What a program said, both ways.
pub fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// A running server; it is killed with this value.
pub struct Server {
    child: Child,
    /// Where HTTP listens.
    pub http: SocketAddr,
    /// Where RTMP listens.
    pub rtmp: SocketAddr,
    printed: Arc<Mutex<String>>,
    /// Whether it runs under another program, in a process group with it.
    traced: bool,
}

impl Server {
    /// Serves a folder with the simulated processor.
    pub fn start(data: &Path) -> Self {
        Self::start_with(data, &[])
    }

    /// Serves a folder with these settings in the environment.
    pub fn start_with(data: &Path, env: &[(&str, &str)]) -> Self {
        Self::try_start(data, env).unwrap_or_else(|said| panic!("the server did not start: {said}"))
    }

    /// As [`Server::start_with`]; what it said, where it ended instead.
    pub fn try_start(data: &Path, env: &[(&str, &str)]) -> Result<Self, String> {
        Self::try_start_under(&[], data, env)
    }

    /// As [`Server::try_start`], run by another program such as a tracer.
    pub fn try_start_under(under: &[&str], data: &Path, env: &[(&str, &str)]) -> Result<Self, String> {
        let plain =
            program(&["serve", "--listen", "127.0.0.1:0", "--rtmp", "127.0.0.1:0", "--webrtc", "127.0.0.1:0"], data);
        let mut command = match under {
            [] => plain,
            [tracer, arguments @ ..] => {
                let mut command = Command::new(tracer);
                command.args(arguments).arg(plain.get_program()).args(plain.get_args());
                for (name, value) in plain.get_envs() {
                    match value {
                        Some(value) => command.env(name, value),
                        None => command.env_remove(name),
                    };
                }
                command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
                command
            }
        };
        if !under.is_empty() {
            command.process_group(0);
        }
        let mut child = command.envs(env.iter().copied()).spawn().unwrap();
        let printed = Arc::new(Mutex::new(String::new()));
        let keep = |stream: Box<dyn Read + Send>| {
            let printed = printed.clone();
            std::thread::spawn(move || {
                for line in BufReader::new(stream).lines().map_while(Result::ok) {
                    printed.lock().unwrap().push_str(&format!("{line}\n"));
                }
            })
        };
        let readers = [keep(Box::new(child.stdout.take().unwrap())), keep(Box::new(child.stderr.take().unwrap()))];
        let begun = Instant::now();
        loop {
            let text = printed.lock().unwrap().clone();
            let after = |mark: &str| text.split_once(mark).and_then(|(_, rest)| rest.split_whitespace().next());
            let address = |mark: &str| after(mark).and_then(|text| text.trim_end_matches("/live").parse().ok());
            // Where it has a public address, the log alone says where it listens.
            let http = address("Groundswell is at http://").or_else(|| address("serving listen="));
            let rtmp = address("Encoders send to rtmp://").or_else(|| address(" rtmp="));
            if let (Some(http), Some(rtmp)) = (http, rtmp) {
                return Ok(Self { child, http, rtmp, printed, traced: !under.is_empty() });
            }
            if child.try_wait().unwrap().is_some() {
                readers.into_iter().for_each(|reader| reader.join().unwrap());
                let said = printed.lock().unwrap().clone();
                return Err(said);
            }
            assert!(begun.elapsed() < PATIENCE, "the server does not listen: {text}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// The one-time link's path, printed on a ledger without staff.
    async fn first_link(&self) -> String {
        until("no link for the first account", || async { self.printed().contains("/host/first/") }).await;
        let text = self.printed();
        text[text.find("/host/first/").unwrap()..].split_whitespace().next().unwrap().to_owned()
    }

    /// Everything it printed and logged so far.
    pub fn printed(&self) -> String {
        self.printed.lock().unwrap().clone()
    }

    /// Its resident memory, in KiB.
    pub fn memory_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// Asks it to stop.
    pub fn terminate(&self) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    }

    /// Waits for its end.
    pub fn ended(mut self) -> (ExitStatus, String) {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                std::thread::sleep(Duration::from_millis(50));
                return (status, self.printed());
            }
            assert!(begun.elapsed() < PATIENCE, "the server does not end: {}", self.printed());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Stops it as an operator does, and sees that it ended well.
    pub fn stop(self) {
        self.terminate();
        let (status, printed) = self.ended();
        assert!(status.success(), "{status}: {printed}");
    }

    /// `kill -9`.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// GET.
    pub async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], b"").await
    }

    /// GET with a cookie.
    pub async fn get_as(&self, cookie: &str, path: &str) -> Answer {
        self.send("GET", path, &[("cookie", cookie)], b"").await
    }

    /// Sends a form.
    pub async fn post(&self, path: &str, form: &[(&str, &str)]) -> Answer {
        self.send("POST", path, &[], encode(form).as_bytes()).await
    }

    /// Sends a form with a cookie.
    pub async fn post_as(&self, cookie: &str, path: &str, form: &[(&str, &str)]) -> Answer {
        self.send("POST", path, &[("cookie", cookie)], encode(form).as_bytes()).await
    }

    /// One request on a connection of its own.
    pub async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        try_send(self.http, method, path, headers, body).await.unwrap()
    }

    /// Sends bytes as they are and reads until the other side closes, or for as long as `wait`.
    pub async fn raw(&self, to: SocketAddr, bytes: &[u8], wait: Duration) -> Vec<u8> {
        let mut stream = TcpStream::connect(to).await.unwrap();
        // The server may close while we still send.
        let _ = stream.write_all(bytes).await;
        let _ = stream.shutdown().await;
        let mut answer = vec![];
        let _ = tokio::time::timeout(wait, stream.read_to_end(&mut answer)).await;
        answer
    }

    /// Sees that it lives and has not panicked.
    pub async fn is_well(&self) {
        let answer = self.get("/healthz").await;
        assert_eq!((answer.status, answer.text().as_str()), (200, "ok\n"));
        let printed = self.printed();
        assert!(!printed.contains("panicked"), "{printed}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A tracer that is killed lets go of what it traced, which would live on.
        if self.traced {
            let group = format!("-{}", self.child.id());
            let _ = Command::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status();
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A form as a browser sends it.
pub fn encode(form: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish()
}

/// What a server answered.
pub struct Answer {
    /// The status.
    pub status: u16,
    /// Status line and headers.
    pub head: String,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// Reads an HTTP/1.0 answer.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let status = head.split_whitespace().nth(1)?.parse().ok()?;
        Some(Self { status, head, body: bytes[end + 4..].to_vec() })
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {} {}", self.head, self.text()))
    }

    /// A header's value; empty if there is none.
    pub fn header(&self, name: &str) -> String {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        let mut found = lines.filter(|(key, _)| key.eq_ignore_ascii_case(name));
        found.next().map(|(_, value)| value.to_owned()).unwrap_or_default()
    }

    /// The cookie it sets, as it is sent back.
    pub fn cookie(&self) -> String {
        self.header("set-cookie").split(';').next().unwrap_or_default().to_owned()
    }
}

/// One request; `None` where the connection broke before the whole answer was there.
pub async fn try_send(
    to: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Option<Answer> {
    let mut head = format!("{method} {path} HTTP/1.0\r\nhost: {to}\r\ncontent-length: {}\r\n", body.len());
    if !headers.iter().any(|(name, _)| *name == "content-type") {
        head.push_str("content-type: application/x-www-form-urlencoded\r\n");
    }
    headers.iter().for_each(|(name, value)| head.push_str(&format!("{name}: {value}\r\n")));
    let mut stream = TcpStream::connect(to).await.ok()?;
    stream.write_all(&[head.as_bytes(), b"\r\n", body].concat()).await.ok()?;
    let mut bytes = vec![];
    tokio::time::timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.ok()?.ok()?;
    let answer = Answer::read(&bytes)?;
    let length = answer.header("content-length").parse::<usize>().ok();
    length.is_none_or(|length| length == answer.body.len()).then_some(answer)
}

/// A signed-in member of staff.
pub struct Staff {
    /// The session.
    pub cookie: String,
    /// What its forms send back.
    pub csrf: String,
}

impl Staff {
    /// Makes the first account through the printed link.
    pub async fn first(server: &Server) -> Self {
        let link = server.first_link().await;
        let form = [("name", "Ana Ruiz"), ("email", "ana@example.org"), ("password", PASSWORD)];
        let answer = server.post(&link, &form).await;
        assert_eq!(answer.status, 303, "{}", answer.text());
        Self::with(server, answer.cookie()).await
    }

    /// Signs in.
    pub async fn sign_in(server: &Server, email: &str) -> Self {
        let answer = server.post("/host/sign-in", &[("email", email), ("password", PASSWORD)]).await;
        assert_eq!(answer.status, 303, "{}", answer.text());
        Self::with(server, answer.cookie()).await
    }

    async fn with(server: &Server, cookie: String) -> Self {
        let mut page = server.get_as(&cookie, "/host").await;
        if page.status == 403 {
            page = server.get_as(&cookie, "/finance").await;
        }
        let text = page.text();
        let csrf = text.split_once("name=\"csrf\" value=\"").unwrap().1.split('"').next().unwrap().to_owned();
        Self { cookie, csrf }
    }

    /// Sends a form of theirs.
    pub async fn post(&self, server: &Server, path: &str, form: &[(&str, &str)]) -> Answer {
        let form = [form, &[("csrf", self.csrf.as_str())]].concat();
        server.post_as(&self.cookie, path, &form).await
    }

    /// Makes a rally.
    pub async fn make_rally(&self, server: &Server, slug: &str) {
        let answer = self.post(server, "/host/new", &rally_form(slug)).await;
        assert_eq!(answer.status, 303, "{}", answer.text());
    }
}

/// What a host writes of a rally at this address.
pub fn rally_form(slug: &str) -> Vec<(&str, &str)> {
    vec![
        ("title", "Answer the call"),
        ("slug", slug),
        ("date", "2028-07-25"),
        ("time", "19:30"),
        ("timezone", "America/New_York"),
        ("description", "Come."),
        ("goal", "100000"),
        ("currency", "USD"),
        ("amounts", "15, 25, 50"),
        ("paid_for_by", "Paid for by Rivera for Senate"),
        ("accent", "#d6301f"),
    ]
}

/// A folder with a server, an owner and a rally at `/r/call`.
pub struct House {
    folder: tempfile::TempDir,
    /// The server.
    pub server: Server,
    /// The owner.
    pub owner: Staff,
}

impl House {
    /// On a new folder.
    pub async fn new() -> Self {
        Self::with(&[]).await
    }

    /// On a new folder, with these settings in the environment.
    pub async fn with(env: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let server = Server::start_with(&folder.path().join("data"), env);
        let owner = Staff::first(&server).await;
        owner.make_rally(&server, "call").await;
        Self { folder, server, owner }
    }

    /// The data folder.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Ends this server by `end` and starts another on the same folder.
    pub fn again(self, end: impl FnOnce(Server)) -> Self {
        self.again_with(&[], end)
    }

    /// The same, with these settings in the environment.
    pub fn again_with(self, env: &[(&str, &str)], end: impl FnOnce(Server)) -> Self {
        let Self { folder, server, owner } = self;
        end(server);
        let server = Server::start_with(&folder.path().join("data"), env);
        Self { folder, server, owner }
    }
}

/// A donor's form that is right.
pub fn gift<'a>(amount: &'a str, email: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("amount", "other"),
        ("amount_other", amount),
        ("first_name", "Joan"),
        ("last_name", "Petrie"),
        ("email", email),
        ("address", "1 Main Street"),
        ("city", "Duluth"),
        ("region", "MN"),
        ("postal", "55802"),
        ("country", "US"),
        ("employer", "St. Luke's"),
        ("occupation", "Nurse"),
        ("show_as", "full"),
        ("attest", "us-person-1"),
        ("attest", "own-funds-1"),
        ("attest", "own-card-1"),
        ("attest", "not-contractor-1"),
        ("attest", "adult-1"),
    ]
}

/// Pledges at `/r/call` and returns the donation's address.
pub async fn pledge(server: &Server, amount: &str, email: &str) -> String {
    let answer = server.post("/r/call/donate", &gift(amount, email)).await;
    assert_eq!(answer.status, 303, "{}", answer.text());
    answer.header("location")
}

/// Sends a card as the page's script does; the state it answers.
pub async fn pay(server: &Server, donation: &str, method: &str) -> serde_json::Value {
    let body = serde_json::json!({ "method": method }).to_string();
    let kind = [("content-type", "application/json"), ("accept", "application/json")];
    server.send("POST", &format!("{donation}/pay"), &kind, body.as_bytes()).await.json()
}

/// Pledges and pays with a card that works.
pub async fn give(server: &Server, amount: &str, email: &str) -> String {
    let donation = pledge(server, amount, email).await;
    let answer = pay(server, &donation, "simulated_ok").await;
    assert_eq!(answer["state"], "settled", "{answer}");
    donation
}

/// The rally's public state.
pub async fn state(server: &Server) -> serde_json::Value {
    server.get("/r/call/live.json").await.json()
}

/// The rows of the CSV export, by the names of its columns, without the last, which every file has: the log's head.
pub fn csv_rows(bytes: &[u8]) -> Vec<std::collections::HashMap<String, String>> {
    let mut rows: Vec<std::collections::HashMap<String, String>> =
        csv::Reader::from_reader(bytes).deserialize().map(Result::unwrap).collect();
    let last = rows.pop().expect("a file that ends with the log's head");
    assert_eq!((last["kind"].as_str(), last["payment"].len()), ("ledger head", 64), "{last:?}");
    rows
}

/// A decimal amount of the export in minor units.
pub fn minor(decimal: &str) -> i64 {
    decimal.replace('.', "").parse().unwrap()
}

/// Waits until `done`.
pub async fn until<F: Future<Output = bool>>(what: &str, mut done: impl FnMut() -> F) {
    let begun = Instant::now();
    while !done().await {
        assert!(begun.elapsed() < PATIENCE, "{what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
