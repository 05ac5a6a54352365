//! Where files are made: how far each is, and that so many are made at once.

use futures_util::future::join_all;
use groundswell::domain::privacy::{Access, Command as Privacy};
use groundswell::domain::{Command, ledger};
use groundswell::engine::Engine;
use groundswell::export::actblue::Report;
use groundswell::report::desk::Desk;
use groundswell::report::selection::Selection;
use groundswell::report::{Format, Order, Parts};
use std::time::Duration;
use uuid::Uuid;

/// Files made at once, as README says.
const FILES_MAX: usize = 16;
/// Events: more than the chunks that are made ahead of a reader.
const EVENTS: usize = 4_000;

fn order(name: &str) -> Order {
    Order {
        id: Uuid::now_v7(),
        format: Format::Jsonl,
        selection: Selection::default(),
        who: "shell:test".into(),
        name: name.into(),
        reason: String::new(),
        report: Report::default(),
        filing: None,
    }
}

/// Records an event of some 700 bytes.
async fn look(engine: &Engine, key: String) {
    let (of, reason) = ("x".repeat(390), "y".repeat(190));
    let access = Access { who: "staff:test".into(), what: "ledger".into(), of, reason };
    engine.execute(Command::Privacy(Privacy::Export(access)), key, "test").await.unwrap();
}

async fn read(mut parts: Parts) -> usize {
    let mut lines = 0;
    while let Some(part) = parts.recv().await {
        lines += part.unwrap().iter().filter(|byte| **byte == b'\n').count();
    }
    lines
}

async fn until(done: impl Fn() -> bool) {
    let wait = async {
        while !done() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(crate::server::PATIENCE, wait).await.expect("it never comes to that");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_tells_how_far_it_is_and_only_so_many_are_made_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let (engine, mut writer) = Engine::open(dir.path()).unwrap();
    let start = Command::Ledger(ledger::Command::Start { mode: ledger::Mode::Simulated });
    engine.execute(start, "start".into(), "test").await.unwrap();
    for hundred in 0..EVENTS / 100 {
        join_all((0..100).map(|number| look(&engine, format!("look {hundred} {number}")))).await;
    }
    let desk = Desk::new(engine.clone());
    let slow = desk.take(order("Ana Ruiz")).await.unwrap();
    until(|| desk.making().first().is_some_and(|known| known.done > 0)).await;
    let making = desk.making();
    assert_eq!((making.len(), making[0].format, making[0].name.as_str()), (1, Format::Jsonl, "Ana Ruiz"));
    assert_eq!(making[0].of, engine.world().seq, "every event is looked at");
    assert!(making[0].done < making[0].of, "nobody reads it: {making:?}");

    let mut others = vec![];
    for number in 1..FILES_MAX {
        others.push(desk.take(order(&format!("reader {number}"))).await.unwrap());
    }
    let before = engine.world().seq;
    let door = desk.clone();
    let mut waits = Box::pin(async move { door.take(order("one too many")).await });
    let looks = async {
        for number in 0..20 {
            look(&engine, format!("meanwhile {number}")).await;
        }
    };
    tokio::select! {
        _ = &mut waits => panic!("it did not wait its turn"),
        () = looks => {}
    }
    assert_eq!((desk.making().len(), engine.world().seq), (FILES_MAX, before + 20), "it is not taken yet");
    // Whoever goes away makes room, and so does whoever has all.
    drop(others.pop());
    let late = waits.await.unwrap();
    let begun = making[0].of;
    let lines = usize::try_from(begun).unwrap() + 1;
    assert_eq!(read(slow).await, lines, "a file is as of its beginning, and says first who took it");
    assert!(read(late).await > EVENTS + FILES_MAX);
    drop(others);
    until(|| desk.making().is_empty()).await;
    drop((desk, engine));
    writer.ended().await.unwrap();
}
