//! One event as a person reads it: the line of the log with its seals closed, or opened.

use crate::domain::codec::{self, CodecError};
use crate::domain::seals::{ACCOUNT, NOTICE, STREAM_KEY, Seal, seals};
use crate::payments::WEBHOOK_BYTES_MAX;
use crate::vault::Vault;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How an event is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// As in the log.
    OneLine,
    /// Over several lines.
    Pretty,
}

/// The envelope, in the order in which a person wants it.
#[derive(Serialize, Deserialize)]
struct Envelope {
    seq: u64,
    at: String,
    kind: String,
    v: u32,
    by: String,
    key: String,
    data: Value,
}

/// The event of a line, with every seal replaced: by the word `sealed`, or, with a vault, by what is in it.
///
/// # Errors
/// [`CodecError`] where it is not an event of a kind known here.
pub fn shown(line: &[u8], vault: Option<&Vault>, style: Style) -> Result<String, CodecError> {
    let recorded = codec::decode(line)?.recorded;
    let mut envelope: Envelope = serde_json::from_slice(line)?;
    for seal in seals(&recorded.event) {
        let held = serde_json::to_value(seal.sealed)?;
        let open = vault.map_or_else(|| "sealed".into(), |vault| opened(vault, &seal));
        replace(&mut envelope.data, &held, &open);
    }
    Ok(match style {
        Style::OneLine => serde_json::to_string(&envelope)?,
        Style::Pretty => serde_json::to_string_pretty(&envelope)?,
    })
}

fn replace(within: &mut Value, held: &Value, open: &Value) {
    if within == held {
        *within = open.clone();
        return;
    }
    match within {
        Value::Array(values) => values.iter_mut().for_each(|value| replace(value, held, open)),
        Value::Object(fields) => fields.values_mut().for_each(|value| replace(value, held, open)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn opened(vault: &Vault, seal: &Seal<'_>) -> Value {
    // Whoever has a stream key can be the campaign on another service; nobody's question is answered by it.
    if seal.context == STREAM_KEY {
        return "hidden".into();
    }
    let bytes = match vault.unseal(seal.person, seal.context, seal.sealed) {
        Ok(Some(bytes)) => bytes,
        Ok(None) => return "erased".into(),
        Err(fault) => return format!("unreadable: {fault}").into(),
    };
    let bytes = if seal.context == NOTICE {
        zstd::bulk::decompress(&bytes, WEBHOOK_BYTES_MAX).unwrap_or_default()
    } else {
        bytes
    };
    let mut value: Value = serde_json::from_slice(&bytes).unwrap_or_else(|_| String::from_utf8_lossy(&bytes).into());
    // A password's hash is of use to nobody but who wants to guess it.
    if seal.context == ACCOUNT
        && let Some(hash) = value.get_mut("password_hash")
    {
        *hash = "hidden".into();
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    fn texts(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::String(text) => found.push(text.clone()),
            Value::Array(values) => values.iter().for_each(|value| texts(value, found)),
            Value::Object(fields) => fields.values().for_each(|value| texts(value, found)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    #[test]
    fn every_seal_of_every_kind_is_closed_and_everything_else_is_shown() {
        let golden = include_str!("../../../fixtures/events/v1.jsonl");
        // The shortest sealed text: a nonce and a tag. A hash in hex digits could be read as one.
        let is_hash = |text: &String| text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let is_sealed = |text: &String| !is_hash(text) && STANDARD.decode(text).is_ok_and(|bytes| bytes.len() >= 40);
        let mut closed = 0;
        for line in golden.lines() {
            let (mut before, mut after) = (vec![], vec![]);
            texts(&serde_json::from_str(line).unwrap(), &mut before);
            let text = shown(line.as_bytes(), None, Style::OneLine).unwrap();
            texts(&serde_json::from_str(&text).unwrap(), &mut after);
            assert_eq!(before.len(), after.len());
            for (before, after) in before.iter().zip(&after) {
                if before != after {
                    assert!(is_sealed(before) && after == "sealed", "{before} became {after}");
                    closed += 1;
                }
                assert!(!is_sealed(after), "{line}");
            }
            let order = ["\"seq\"", "\"at\"", "\"kind\"", "\"v\"", "\"by\"", "\"key\"", "\"data\""];
            assert!(order.is_sorted_by_key(|name| text.find(name).unwrap()), "{text}");
            assert!(!text.contains('\n') && shown(line.as_bytes(), None, Style::Pretty).unwrap().contains('\n'));
        }
        assert!(closed >= 7, "{closed}");
    }

    #[test]
    fn opened_seals_show_what_is_in_them_but_no_password_hash() {
        let dir = tempfile::tempdir().unwrap();
        let vault = Vault::open(dir.path()).unwrap();
        let ana = vault.person_id("ana@example.org");
        let account = br#"{"name":"Ana","email":"ana@example.org","password_hash":"$argon2id$x"}"#;
        let sealed = vault.seal(ana, ACCOUNT, account).unwrap();
        let line = |kind: &str, data: Value| {
            let front = r#"{"seq":7,"at":"2026-09-23T12:00:00Z","kind":"#;
            format!(r#"{front}"{kind}","v":1,"key":"k","by":"shell","data":{data}}}"#).into_bytes()
        };
        let added = line("staff.added", serde_json::json!({ "staff": ana, "role": "host", "account": sealed }));
        let text = shown(&added, Some(&vault), Style::OneLine).unwrap();
        assert!(text.contains("\"name\":\"Ana\"") && text.contains("hidden") && !text.contains("argon2id"), "{text}");
        let body = zstd::bulk::compress(b"{\n \"id\": \"evt_1\"\n}", 3).unwrap();
        let body = vault.seal(ana, NOTICE, &body).unwrap();
        let data = serde_json::json!({ "notice": "evt_1", "what": "x", "sealed_for": ana, "body": body });
        let text = shown(&line("inbox.received", data), Some(&vault), Style::OneLine).unwrap();
        assert!(text.contains(r#""body":{"id":"evt_1"}"#), "{text}");
        vault.erase(ana, crate::domain::id::ErasureId(uuid::Uuid::from_u128(5))).unwrap();
        let text = shown(&added, Some(&vault), Style::OneLine).unwrap();
        assert!(text.contains(r#""account":"erased""#), "{text}");
    }
}
