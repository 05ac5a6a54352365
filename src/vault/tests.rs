use super::*;

const FIRST: ErasureId = ErasureId(Uuid::from_u128(0x0193_4f2a_0000_7000_8000_0000_0000_0001));
const SECOND: ErasureId = ErasureId(Uuid::from_u128(0x0193_4f2a_0000_7000_8000_0000_0000_0002));

fn vault() -> (tempfile::TempDir, Vault) {
    let dir = tempfile::tempdir().unwrap();
    let vault = Vault::open(&dir.path().join("vault")).unwrap();
    (dir, vault)
}

fn reopen(dir: &tempfile::TempDir, vault: Vault) -> Result<Vault, Fault> {
    drop(vault);
    Vault::open(&dir.path().join("vault"))
}

#[test]
fn what_was_sealed_opens_after_a_restart_and_for_nobody_else() {
    let (dir, vault) = vault();
    let (ann, bob) = (vault.person_id("ann@example.org"), vault.person_id("bob@example.org"));
    let sealed = vault.seal(ann, "address", "1 Main St".as_bytes()).unwrap();
    vault.seal(bob, "address", b"2 Main St").unwrap();
    vault.commit().unwrap();
    let vault = reopen(&dir, vault).unwrap();
    assert_eq!(vault.unseal(ann, "address", &sealed).unwrap().unwrap(), b"1 Main St");
    assert!(matches!(vault.unseal(ann, "name", &sealed), Err(Fault::Tampered { .. })));
    assert!(matches!(vault.unseal(bob, "address", &sealed), Err(Fault::Tampered { .. })));
    let stranger = vault.person_id("eve@example.org");
    assert!(matches!(vault.unseal(stranger, "address", &sealed), Err(Fault::NoKey { .. })));
    for bytes in [vec![], vec![1; 10], sealed.bytes().iter().map(|byte| byte ^ 1).collect()] {
        assert!(matches!(vault.unseal(ann, "address", &Sealed::new(&bytes)), Err(Fault::Tampered { .. })));
    }
}

#[test]
fn an_erased_key_is_gone_from_memory_and_disk_and_a_new_one_does_not_bring_it_back() {
    let (dir, vault) = vault();
    let ann = vault.person_id("ann@example.org");
    let sealed = vault.seal(ann, "name", b"Ann").unwrap();
    vault.commit().unwrap();
    let path = dir.path().join("vault/keys");
    let key = std::fs::read(&path).unwrap()[16..48].to_vec();
    assert!(vault.erase(ann, FIRST).unwrap());
    assert!(!vault.erase(ann, FIRST).unwrap());
    let bytes = std::fs::read(&path).unwrap();
    assert!(!bytes.windows(32).any(|window| window == key), "the key is still in the file");
    assert_eq!(vault.unseal(ann, "name", &sealed).unwrap(), None);
    let vault = reopen(&dir, vault).unwrap();
    assert_eq!(vault.unseal(ann, "name", &sealed).unwrap(), None);
    let again = vault.seal(ann, "name", b"Ann again").unwrap();
    vault.commit().unwrap();
    let vault = reopen(&dir, vault).unwrap();
    assert_eq!(vault.unseal(ann, "name", &sealed).unwrap(), None);
    assert_eq!(vault.unseal(ann, "name", &again).unwrap().unwrap(), b"Ann again");
}

#[test]
fn erasures_told_again_take_what_is_older_and_leave_what_came_after() {
    let (dir, vault) = vault();
    let path = dir.path().join("vault/keys");
    let ann = vault.person_id("ann@example.org");
    let before = vault.seal(ann, "name", b"Ann").unwrap();
    vault.commit().unwrap();
    let backup = std::fs::read(&path).unwrap();
    assert!(!vault.is_sealed_since(FIRST, ann, "name", &before));
    assert!(vault.erase(ann, FIRST).unwrap());
    let after = vault.seal(ann, "name", b"Ann again").unwrap();
    vault.commit().unwrap();
    assert!(vault.is_sealed_since(FIRST, ann, "name", &after));
    assert!(!vault.is_sealed_since(FIRST, ann, "name", &before));
    for _ in 0..2 {
        assert!(!vault.erase(ann, FIRST).unwrap(), "the key was made after this erasure");
        assert_eq!(vault.unseal(ann, "name", &after).unwrap().unwrap(), b"Ann again");
    }
    let vault = reopen(&dir, vault).unwrap();
    assert!(!vault.erase(ann, FIRST).unwrap(), "and is known to be so after a restart");
    assert_eq!(vault.unseal(ann, "name", &after).unwrap().unwrap(), b"Ann again");
    assert!(vault.erase(ann, SECOND).unwrap());
    assert_eq!(vault.unseal(ann, "name", &after).unwrap(), None);
    drop(vault);
    // An older vault is put back: it has the first key, and has heard of no erasure.
    std::fs::write(&path, &backup).unwrap();
    let vault = Vault::open(&dir.path().join("vault")).unwrap();
    assert_eq!(vault.unseal(ann, "name", &before).unwrap().unwrap(), b"Ann");
    assert!(vault.erase(ann, SECOND).unwrap());
    assert_eq!(vault.unseal(ann, "name", &before).unwrap(), None);
    assert!(!std::fs::read(&path).unwrap().windows(32).any(|window| window == &backup[16..48]));
    // One that never had a key is told too: what they are sealed with from now on was made after.
    let bob = vault.person_id("bob@example.org");
    assert!(!vault.erase(bob, FIRST).unwrap());
    let sealed = vault.seal(bob, "name", b"Bob").unwrap();
    vault.commit().unwrap();
    let vault = reopen(&dir, vault).unwrap();
    assert!(!vault.erase(bob, FIRST).unwrap());
    assert_eq!(vault.unseal(bob, "name", &sealed).unwrap().unwrap(), b"Bob");
}

#[test]
fn a_flipped_bit_of_a_marked_slot_is_seen() {
    let (dir, vault) = vault();
    let path = dir.path().join("vault/keys");
    let ann = vault.person_id("ann@example.org");
    vault.seal(ann, "name", b"Ann").unwrap();
    vault.commit().unwrap();
    vault.erase(ann, FIRST).unwrap();
    drop(vault);
    let whole = std::fs::read(&path).unwrap();
    for byte in 0..whole.len() {
        let mut flipped = whole.clone();
        flipped[byte] ^= 4;
        std::fs::write(&path, &flipped).unwrap();
        let fault = Vault::open(&dir.path().join("vault")).unwrap_err();
        assert!(matches!(fault, Fault::DamagedSlot { slot: 0, .. }), "byte {byte}: {fault}");
    }
}

#[test]
fn an_address_gives_one_person_however_it_is_spelt() {
    let (dir, vault) = vault();
    let id = vault.person_id("jos\u{e9}@example.org");
    for spelling in [" jos\u{e9}@example.org\n", "JOS\u{c9}@Example.ORG", "jose\u{301}@example.org"] {
        assert_eq!(vault.person_id(spelling), id, "{spelling:?}");
    }
    assert_ne!(vault.person_id("jose@example.org"), id);
    let vault = reopen(&dir, vault).unwrap();
    assert_eq!(vault.person_id("jos\u{e9}@example.org"), id);
    assert_ne!(vault.derive("ab", b"c"), vault.derive("a", b"bc"));
}

#[test]
fn a_torn_last_slot_is_dropped_and_any_other_damage_is_refused() {
    let (dir, vault) = vault();
    let path = dir.path().join("vault/keys");
    let ann = vault.person_id("ann@example.org");
    let sealed = vault.seal(ann, "name", b"Ann").unwrap();
    vault.commit().unwrap();
    drop(vault);
    let whole = std::fs::read(&path).unwrap();
    assert_eq!(whole.len(), 64);
    for torn in [vec![9; 63], vec![0; 64]] {
        std::fs::write(&path, [whole.clone(), torn].concat()).unwrap();
        let vault = Vault::open(&dir.path().join("vault")).unwrap();
        assert_eq!(vault.unseal(ann, "name", &sealed).unwrap().unwrap(), b"Ann");
        vault.seal(vault.person_id("bob@example.org"), "name", b"Bob").unwrap();
        vault.commit().unwrap();
        let vault = reopen(&dir, vault).unwrap();
        assert_eq!(vault.people.read().len(), 2);
    }
    for byte in 0..whole.len() {
        let mut flipped = whole.clone();
        flipped[byte] ^= 4;
        std::fs::write(&path, &flipped).unwrap();
        let fault = Vault::open(&dir.path().join("vault")).unwrap_err();
        assert!(matches!(fault, Fault::DamagedSlot { slot: 0, .. }), "byte {byte}: {fault}");
    }
}

#[test]
fn a_lost_or_cut_master_secret_is_refused_when_keys_exist() {
    let (dir, vault) = vault();
    let ann = vault.person_id("ann@example.org");
    vault.seal(ann, "name", b"Ann").unwrap();
    vault.commit().unwrap();
    drop(vault);
    let path = dir.path().join("vault/master");
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&path).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    for damage in [Some(31), None] {
        match damage {
            Some(length) => std::fs::write(&path, vec![7; length]).unwrap(),
            None => std::fs::remove_file(&path).unwrap(),
        }
        assert!(matches!(Vault::open(&dir.path().join("vault")), Err(Fault::NoMaster { .. })));
    }
}

#[test]
fn threads_share_one_key_a_person_and_a_second_vault_is_refused() {
    let (dir, vault) = vault();
    let people: Vec<_> = (0..20).map(|n| vault.person_id(&format!("p{n}@example.org"))).collect();
    let sealed: Vec<_> = std::thread::scope(|scope| {
        let (vault, people) = (&vault, &people);
        let work = move || people.iter().map(|p| (*p, vault.seal(*p, "n", b"x").unwrap())).collect::<Vec<_>>();
        let threads: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(move || {
                    let all = work();
                    vault.commit().unwrap();
                    all
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert!(matches!(Vault::open(&dir.path().join("vault")), Err(Fault::Held { .. })));
    let vault = reopen(&dir, vault).unwrap();
    assert_eq!(vault.people.read().len(), 20);
    for (person, sealed) in sealed {
        assert_eq!(vault.unseal(person, "n", &sealed).unwrap().unwrap(), b"x");
    }
    assert_eq!(format!("{vault:?}"), "Vault");
}
