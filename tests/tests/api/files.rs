//! Files in rooms over HTTP: sent in pieces, looked at, shown, given out, and refused.

use domain::access::Scope;
use domain::files::Command as Files;
use domain::nodes::{Command as Nodes, Disk, Found};
use domain::ports::{Freshness, Replica as _};
use domain::{Command, FileId, files};
use hyper::Method;
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};

use super::World;
use super::alerts::expand;
use super::client::{Answer, Client};

/// Founds the cluster, so that its node has a name.
pub(super) async fn found(world: &World) {
    let found = Found {
        cluster_id: [7; 16],
        organisation: "Aurora Energy".to_owned(),
        node_name: "alpha".to_owned(),
        pin: [0; 32],
        addresses: vec![],
    };
    world.apply(Command::Nodes(Nodes::Found(found))).await;
}

/// A founded cluster with the room of an alert to Anna.
async fn alerted() -> World {
    let world = World::start().await;
    found(&world).await;
    world.add_people().await;
    for text in ["Fire in hall 2", "Flood"] {
        let to = if text == "Flood" { "bela" } else { "anna" };
        let alert = json!({"severity": "high", "text": text, "to": {"people": [to]}});
        let raised = world.operator().post("/v1/alerts", alert).await.expect(201);
        expand(&world, &raised).await;
    }
    world
}

fn jpeg(len: usize) -> Vec<u8> {
    let mut bytes = vec![0xff, 0xd8, 0xff, 0xe0];
    bytes.extend((4..len).map(|n| u8::try_from(n % 251).unwrap()));
    bytes
}

fn announced(name: &str, bytes: &[u8]) -> Value {
    let sha256 = data_encoding::HEXLOWER.encode(digest(&SHA256, bytes).as_ref());
    json!({"name": name, "size": bytes.len(), "sha256": sha256})
}

/// Announces a file; the path of its bytes.
async fn announce(client: &Client, room: &str, name: &str, bytes: &[u8]) -> String {
    let path = format!("/v1/rooms/{room}/files");
    let made = client.post(&path, announced(name, bytes)).await.expect(201);
    format!("{path}/{}/bytes", made["file"].as_str().unwrap())
}

async fn put(client: &Client, path: &str, offset: usize, bytes: &[u8]) -> Answer {
    let body = ("application/octet-stream", bytes.to_vec());
    let path = format!("{path}?offset={offset}");
    client.send(Method::PUT, &path, Some(body)).await
}

/// Puts a file into a room; the path of its bytes.
pub(super) async fn share(client: &Client, room: &str, name: &str, bytes: &[u8]) -> String {
    let path = announce(client, room, name, bytes).await;
    for (piece, offset) in bytes.chunks(1 << 20).zip((0..).step_by(1 << 20)) {
        put(client, &path, offset, piece).await.expect(200);
    }
    path
}

async fn last_message(client: &Client, room: &str) -> Value {
    let path = format!("/v1/rooms/{room}/messages");
    let said = client.get(&path).await.expect(200);
    said["messages"].as_array().unwrap().last().unwrap().clone()
}

#[tokio::test]
async fn a_photo_comes_in_pieces_and_is_shown_once_it_is_whole() {
    let world = alerted().await;
    let operator = world.operator();
    let photo = jpeg(2_500);
    let mut new = announced("löydös 4.jpg", &photo);
    new["caption"] = json!("gate 4, @bela");
    new["person"] = json!("anna");
    let made = operator.post("/v1/rooms/1/files", new).await.expect(201);
    assert_eq!(made["durability"], "replicated");
    let file = format!("/v1/rooms/1/files/{}", made["file"].as_str().unwrap());
    let path = format!("{file}/bytes");
    let first = put(&operator, &path, 0, &photo[..1_000]).await.expect(200);
    assert_eq!(
        first,
        json!({"received": 1_000, "size": 2_500, "complete": false})
    );
    // The answer was lost, and the same piece comes again.
    let again = put(&operator, &path, 0, &photo[..1_000]).await;
    assert_eq!(again.headers["upload-offset"], "1000");
    again.refusal(409, "conflict");
    let standing = operator.get(&file).await;
    assert_eq!(standing.headers["upload-offset"], "1000");
    assert_eq!(standing.expect(200)["received"], 1_000);
    operator.get(&path).await.refusal(404, "not-found");
    put(
        &operator,
        &path,
        1_000,
        &[&photo[1_000..], b"more"].concat(),
    )
    .await
    .refusal(422, "invalid-input");
    assert_eq!(last_message(&operator, "1").await["file"], Value::Null);
    let last = put(&operator, &path, 1_000, &photo[1_000..]).await;
    assert_eq!(last.expect(200)["complete"], true);
    let once_more = put(&operator, &path, 2_500, &[]).await.expect(200);
    assert_eq!(once_more["complete"], true);

    let message = last_message(&operator, "1").await;
    assert_eq!(message["text"], "gate 4, @bela\n[löydös 4.jpg, 3 kB]");
    assert_eq!(
        (&message["author"], &message["person"], &message["mentions"]),
        (&json!("Anna Virtanen"), &json!("anna"), &json!(["bela"]))
    );
    let shown = &message["file"];
    assert_eq!(
        (&shown["image"], &shown["stored_on"], &shown["nodes"]),
        (&json!(true), &json!(["alpha"]), &json!(1))
    );
    assert_eq!(shown["line"], "[löydös 4.jpg, 3 kB]");
    let listed = operator.get("/v1/rooms/1/files").await.expect(200);
    assert_eq!(listed["files"], json!([shown]));

    let answer = operator.get(&path).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.bytes, photo);
    for (name, value) in [
        ("content-type", "image/jpeg"),
        ("content-length", "2500"),
        ("x-content-type-options", "nosniff"),
        ("cache-control", "no-store"),
        (
            "content-disposition",
            "inline; filename*=UTF-8''l%C3%B6yd%C3%B6s%204.jpg",
        ),
    ] {
        assert_eq!(answer.headers[name], value);
    }
    let policy = answer.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("sandbox") && policy.contains("default-src 'none'"));
    world.stop().await;
}

#[tokio::test]
async fn what_lies_about_its_kind_its_size_or_its_content_is_not_taken() {
    let world = alerted().await;
    let operator = world.operator();
    let page = b"<html><script>alert(1)</script>".to_vec();
    let path = announce(&operator, "1", "photo.jpg", &page).await;
    let refused = put(&operator, &path, 0, &page).await;
    let refused = refused.refusal(422, "invalid-input");
    let words = refused["detail"].as_str().unwrap();
    assert!(
        words.contains("by its name the file is a JPEG image"),
        "{words}"
    );
    operator.get(&path).await.refusal(404, "not-found");
    // It does not count as under way.
    let files = operator.get("/v1/rooms/1/files").await.expect(200);
    assert_eq!(files["files"], json!([]));

    let photo = jpeg(100);
    let mut other = photo.clone();
    other[50] ^= 1;
    let path = announce(&operator, "1", "photo.jpg", &photo).await;
    let damaged = put(&operator, &path, 0, &other).await;
    damaged.refusal(422, "invalid-input");
    let whole = put(&operator, &path, 0, &photo).await.expect(200);
    assert_eq!(whole["complete"], true, "it may be sent anew");

    let post = |body: Value| operator.post("/v1/rooms/1/files", body);
    for name in [
        "page.html",
        "picture.svg",
        "tool.exe",
        "letter.docm",
        "photo",
    ] {
        let refused = post(announced(name, &photo)).await;
        let refused = refused.refusal(422, "invalid-input");
        assert!(refused["detail"].as_str().unwrap().contains("not taken"));
    }
    let mut huge = announced("photo.jpg", &photo);
    huge["size"] = json!(3_000_001);
    post(huge.clone()).await.refusal(413, "too-large");
    huge["size"] = json!(0);
    post(huge.clone()).await.refusal(422, "invalid-input");
    huge["sha256"] = json!("beef");
    post(huge).await.refusal(422, "invalid-input");
    let nowhere = operator.post("/v1/rooms/77/files", announced("a.jpg", &photo));
    nowhere.await.refusal(404, "unknown-alert");
    world.stop().await;
}

#[tokio::test]
async fn a_full_node_refuses_files_and_says_what_to_do() {
    let world = alerted().await;
    let operator = world.operator();
    let photo = jpeg(2_600_000);
    let path = share(&operator, "1", "photo.jpg", &photo).await;
    let more = announced("more.jpg", &jpeg(2_000_000));
    let full = operator.post("/v1/rooms/1/files", more.clone()).await;
    let full = full.refusal(507, "disk-full");
    assert!(full["detail"].as_str().unwrap().contains("take files away"));
    let file = path.strip_suffix("/bytes").unwrap();
    operator.delete(file).await.expect(200);
    operator.get(&path).await.refusal(404, "not-found");
    let message = last_message(&operator, "1").await;
    assert_eq!(message["file"]["stored_on"], json!([]));
    assert!(message["file"]["removed_at"].is_string(), "{message}");
    assert!(message["text"].as_str().unwrap().contains("photo.jpg"));
    operator
        .post("/v1/rooms/1/files", more.clone())
        .await
        .expect(201);
    world.machine.set_disk(Disk::CriticalOnly, 200);
    let full = operator.post("/v1/rooms/1/files", more).await;
    full.refusal(507, "disk-full");
    world.stop().await;
}

#[tokio::test]
async fn files_are_for_those_who_may_read_the_room() {
    let world = alerted().await;
    let operator = world.operator();
    let numbers = b"name;number\nBela;+358401234568\n".to_vec();
    let here = share(&operator, "1", "crew.csv", &numbers).await;
    let there = share(&operator, "2", "crew.csv", &numbers).await;
    let key = world.key(&[Scope::RoomRead, Scope::RoomWrite], None).await;
    let other = world.caller(Some(&key));
    let answer = other.get(&here).await;
    assert_eq!(answer.bytes, numbers);
    let how = answer.headers["content-disposition"].to_str().unwrap();
    assert!(how.starts_with("attachment;"), "{how}");
    let key = world.key(&[Scope::AlertRead], None).await;
    let blind = world.caller(Some(&key));
    blind.get(&here).await.refusal(403, "not-allowed");
    world.caller(None).get(&here).await.problem(401);
    // A file is in one room only, whoever asks.
    let moved = here.replace("/rooms/1/", "/rooms/2/");
    operator.get(&moved).await.refusal(404, "not-found");
    // Its bytes come from whoever announced it.
    let photo = jpeg(100);
    let path = announce(&operator, "1", "photo.jpg", &photo).await;
    put(&other, &path, 0, &photo)
        .await
        .refusal(403, "not-allowed");

    let anna = world.signed_in("anna", Some("anna"), &["responder"]).await;
    let answer = anna.get(&here).await;
    assert_eq!(answer.bytes, numbers, "{}", answer.text);
    let listed = anna.get("/v1/rooms/1/files").await.expect(200);
    assert_eq!(listed["files"].as_array().unwrap().len(), 1);
    anna.get(&there).await.problem(404);
    anna.get("/v1/rooms/2/files").await.problem(404);
    let file = here.strip_suffix("/bytes").unwrap();
    anna.delete(file).await.refusal(403, "not-allowed");
    let new = announced("photo.jpg", &photo);
    let made = anna.post("/v1/rooms/1/files", new).await.expect(201);
    let own = format!("/v1/rooms/1/files/{}", made["file"].as_str().unwrap());
    anna.delete(&own).await.expect(200);
    world.stop().await;
}

#[tokio::test]
async fn a_node_without_the_bytes_says_who_has_them() {
    let world = alerted().await;
    let photo = jpeg(5_000);
    let path = share(&world.operator(), "1", "photo.jpg", &photo).await;
    let other = world.beside().await;
    let answer = other.operator().get(&path).await;
    assert_eq!(answer.headers["retry-after"], "1");
    let refused = answer.refusal(503, "unavailable");
    let words = refused["detail"].as_str().unwrap();
    assert!(words.contains("this file is on alpha"), "{words}");
    // An upload is known where it was begun, and begins anew elsewhere.
    let photo = jpeg(6_000);
    let path = announce(&world.operator(), "1", "photo.jpg", &photo).await;
    put(&world.operator(), &path, 0, &photo[..3_000])
        .await
        .expect(200);
    let beside = put(&other.operator(), &path, 3_000, &photo[3_000..]).await;
    assert_eq!(beside.headers["upload-offset"], "0");
    let beside = put(&other.operator(), &path, 0, &photo).await.expect(200);
    assert_eq!(beside["complete"], true);
    other.stop().await;
    world.stop().await;
}

#[tokio::test]
async fn what_never_came_is_forgotten_when_its_time_is_over() {
    let world = alerted().await;
    let operator = world.operator();
    let photo = jpeg(5_000);
    let path = announce(&operator, "1", "photo.jpg", &photo).await;
    put(&operator, &path, 0, &photo[..3_000]).await.expect(200);
    world
        .replica
        .advance(std::time::Duration::from_secs(25 * 3_600));
    let mut view = world.replica.read(Freshness::Local).await.unwrap();
    let over = files::over(&mut view, world.replica.now(), 10).await;
    let over: Vec<FileId> = over.unwrap();
    drop(view);
    assert_eq!(over.len(), 1);
    world
        .apply(Command::Files(Files::Expire { files: over }))
        .await;
    put(&operator, &path, 3_000, &photo[3_000..])
        .await
        .refusal(404, "not-found");
    world.stop().await;
}
