//! A donor's proof, checked by the program with nothing but a published head.

use crate::server::{House, give, run, said};
use std::fs;
use std::process::Command;

fn verify(proof: &std::path::Path, head: &str) -> std::process::Output {
    let program = env!("CARGO_BIN_EXE_groundswell");
    Command::new(program).args(["verify-receipt", proof.to_str().unwrap(), "--head", head]).output().unwrap()
}

#[tokio::test]
async fn a_receipt_proves_its_donation_and_nothing_else() {
    let house = House::new().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("proof.json");
    let donation = give(&house.server, "25", "joan@example.org").await;
    give(&house.server, "50", "omar@example.org").await;
    let page = house.server.get(&donation).await.text();
    assert!(page.contains("proof.json"), "{page}");
    let proof = house.server.get(&format!("{donation}/proof.json")).await;
    assert_eq!(proof.status, 200, "{}", proof.text());
    let head = house.server.get("/api/v1/head").await.json()["head"].as_str().unwrap().to_owned();
    fs::write(&file, &proof.body).unwrap();

    let good = verify(&file, &head);
    assert!(good.status.success(), "{}", said(&good));
    let id = donation.rsplit('/').next().unwrap();
    assert!(said(&good).contains("donation.settled") && said(&good).contains(id), "{}", said(&good));
    assert!(!proof.text().contains("omar"), "nobody else's line");

    // Later gifts don't touch it: the head it names is still in the log.
    give(&house.server, "75", "zoe@example.org").await;
    assert!(verify(&file, &head).status.success());
    assert!(run(&["verify", "--head", &head], &house.data()).status.success());

    let later = house.server.get("/api/v1/head").await.json()["head"].as_str().unwrap().to_owned();
    for (head, word) in [(later.as_str(), "not against the one given"), ("12", "64 hex digits")] {
        let refused = verify(&file, head);
        assert_eq!(refused.status.code(), Some(1));
        assert!(said(&refused).contains(word), "{}", said(&refused));
    }
    let text = proof.text();
    fs::write(&file, text.replace("2500", "9500")).unwrap();
    assert_ne!(text, text.replace("2500", "9500"));
    assert_eq!(verify(&file, &head).status.code(), Some(1));
    fs::write(&file, "{}").unwrap();
    assert!(said(&verify(&file, &head)).contains("is no proof"));
    for path in ["/r/call/donate/00000000-0000-0000-0000-000000000000/proof.json", "/r/call/donate/x/proof.json"] {
        assert_eq!(house.server.get(path).await.status, 404);
    }
}
