//! Rooms over HTTP: what is said, marked, pinned and read, and what is refused.

use domain::access::Scope;
use domain::bridge;
use domain::inbound::{Command as Inbound, Receive};
use domain::ports::{Freshness, Replica as _};
use domain::{Command, NodeId};
use serde_json::{Value, json};

use super::World;
use super::alerts::expand;
use super::client::Client;

fn fire() -> Value {
    json!({"severity": "high", "text": "Fire in hall 2", "to": {"groups": ["duty"]}})
}

async fn say(client: &Client, room: &str, body: Value) -> u64 {
    let path = format!("/v1/rooms/{room}/messages");
    let said = client.post(&path, body).await.expect(201);
    said["sequence"].as_u64().unwrap()
}

#[tokio::test]
async fn what_is_decided_in_a_room_is_chained_and_verified() {
    let world = World::start().await;
    world.add_people().await;
    let operator = world.operator();
    operator.post("/v1/alerts", fire()).await.expect(201);
    let decision = json!({
        "text": "We close the line, @anna", "person": "anna", "mark": "decision", "unknown": "whether the valve holds",
    });
    let number = say(&operator, "1", decision).await;
    let path = format!("/v1/rooms/1/messages/{number}");
    let edit = json!({"text": "We close line 2", "person": "anna"});
    operator
        .post(
            &format!("{path}/edit"),
            json!({"text": "x", "author": "Eve"}),
        )
        .await
        .refusal(409, "conflict");
    operator
        .post(&format!("{path}/edit"), edit)
        .await
        .expect(200);
    operator
        .post(&format!("{path}/mark"), json!({"mark": "gossip"}))
        .await
        .refusal(422, "invalid-input");
    operator
        .post(&format!("{path}/mark"), json!({"mark": "minutes"}))
        .await
        .expect(200);
    operator
        .post(&format!("{path}/pin"), json!({"pinned": true}))
        .await
        .expect(200);
    let room = operator.get("/v1/rooms/1").await.expect(200);
    let pinned = &room["pinned"][0];
    assert_eq!(
        (&pinned["text"], &pinned["original"], &pinned["mentions"]),
        (
            &json!("We close line 2"),
            &json!("We close the line, @anna"),
            &json!(["anna"])
        )
    );
    let chain = operator.get("/v1/rooms/1/chain").await.expect(200);
    let kinds: Vec<_> = chain["links"]
        .as_array()
        .unwrap()
        .iter()
        .map(|link| link["kind"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["decision", "edit", "minutes"]);
    let verdict = operator.get("/v1/rooms/1/verify").await.expect(200);
    assert_eq!(
        (&verdict["intact"], &verdict["links"], &verdict["head"]),
        (&json!(true), &json!(3), &chain["links"][2]["hash"])
    );
    world.stop().await;
}

#[tokio::test]
async fn an_everyday_room_has_members_and_knows_how_far_each_has_read() {
    let world = World::start().await;
    world.add_people().await;
    let operator = world.operator();
    let ops = json!({"name": "Operations \u{202e}desk"});
    operator.put("/v1/rooms/ops", ops).await.expect(200);
    operator
        .put("/v1/rooms/118", json!({"name": "x"}))
        .await
        .refusal(422, "invalid-input");
    operator
        .put("/v1/rooms/ops/members/anna", json!({"follow": "sms"}))
        .await
        .expect(200);
    operator
        .put("/v1/rooms/ops/members/nobody", json!({}))
        .await
        .refusal(422, "unknown-recipient");
    for text in ["good morning", "pump 3 is back"] {
        say(&operator, "ops", json!({"text": text})).await;
    }
    let unread = |rooms: &Value| {
        let rooms = rooms["rooms"].as_array().unwrap();
        let ops = rooms.iter().find(|room| room["room"] == "ops").unwrap();
        ops["unread"].as_u64()
    };
    let rooms = operator.get("/v1/rooms?person=anna").await.expect(200);
    assert_eq!(unread(&rooms), Some(2));
    let read = json!({"person": "anna", "message": "1"});
    operator.post("/v1/rooms/ops/read", read).await.expect(200);
    let rooms = operator.get("/v1/rooms?person=anna").await.expect(200);
    assert_eq!(unread(&rooms), Some(1));
    let room = operator.get("/v1/rooms/ops").await.expect(200);
    assert_eq!(room["name"], "Operations desk");
    assert_eq!(
        (&room["people"][0]["key"], &room["people"][0]["read"]),
        (&json!("anna"), &json!(1))
    );
    operator
        .get("/v1/rooms/nowhere")
        .await
        .refusal(404, "not-found");
    operator
        .post("/v1/rooms/ops/messages/9/pin", json!({"pinned": true}))
        .await
        .refusal(404, "not-found");
    world.stop().await;
}

#[tokio::test]
async fn huge_and_tricky_messages_get_a_sentence_and_scopes_hold() {
    let world = World::start().await;
    world.add_people().await;
    let operator = world.operator();
    let huge = json!({"text": "x".repeat(10 << 20)});
    let refused = operator.post("/v1/rooms/inbox/messages", huge).await;
    let refused = refused.refusal(413, "too-large");
    assert!(refused["detail"].as_str().unwrap().contains("at most"));
    let long = json!({"text": "x".repeat(4_001)});
    operator
        .post("/v1/rooms/inbox/messages", long)
        .await
        .refusal(422, "invalid-input");
    let tricky = json!({"text": "a\u{202e}b\u{1b}[2J", "author": "A\u{2066}nna"});
    say(&operator, "inbox", tricky).await;
    let said = operator.get("/v1/rooms/inbox/messages").await.expect(200);
    assert_eq!(
        (&said["messages"][0]["text"], &said["messages"][0]["author"]),
        (&json!("a b [2J"), &json!("A nna"))
    );

    let reads = world.key(&[Scope::RoomRead], None).await;
    let reads = world.caller(Some(&reads));
    reads.get("/v1/rooms/inbox/messages").await.expect(200);
    let body = json!({"text": "x"});
    let refused = reads.post("/v1/rooms/inbox/messages", body).await;
    refused.refusal(403, "not-allowed");
    let alerts = world.key(&[Scope::AlertRead], None).await;
    let alerts = world.caller(Some(&alerts));
    alerts.get("/v1/rooms").await.refusal(403, "not-allowed");
    world.stop().await;
}

#[tokio::test]
async fn who_leads_is_in_the_alert_and_in_the_list() {
    let world = World::start().await;
    world.add_people().await;
    let operator = world.operator();
    operator.post("/v1/alerts", fire()).await.expect(201);
    let role = |role: &str, person: Value| json!({"act": "role", "role": role, "person": person});
    let path = "/v1/alerts/1/acts";
    operator
        .post(path, role("king", json!("anna")))
        .await
        .refusal(422, "invalid-input");
    operator
        .post(path, role("leader", json!("nobody")))
        .await
        .refusal(422, "invalid-input");
    let taken = operator.post(path, role("leader", json!("anna"))).await;
    taken.expect(200);
    let alert = operator.get("/v1/alerts/1").await.expect(200);
    assert_eq!(
        (
            &alert["roles"][0]["role"],
            &alert["roles"][0]["person"]["key"]
        ),
        (&json!("leader"), &json!("anna"))
    );
    let listed = operator.get("/v1/alerts").await.expect(200);
    assert_eq!(listed["alerts"][0]["leader"], alert["leader"]);
    assert!(
        alert["leader"]
            .as_str()
            .is_some_and(|name| !name.is_empty())
    );
    operator
        .post(path, role("leader", Value::Null))
        .await
        .expect(200);
    let alert = operator.get("/v1/alerts/1").await.expect(200);
    assert_eq!(
        (&alert["roles"], &alert["leader"]),
        (&json!([]), &Value::Null)
    );
    world.stop().await;
}

/// Lets the loop look at whoever follows a room from outside.
async fn follow_up(world: &World) {
    for _ in 0..5 {
        let mut view = world.replica.read(Freshness::Local).await.unwrap();
        let now = world.replica.now();
        let followers = bridge::due(&mut view, now, 100).await.unwrap();
        drop(view);
        if followers.is_empty() {
            return;
        }
        let command = bridge::Command::FollowUp { followers };
        world.apply(Command::Bridge(command)).await;
    }
}

async fn text(world: &World, number: u8, from: &str, text: &str) {
    let text = Receive {
        key: [number; 16],
        node: NodeId(1),
        channel: "modem".to_owned(),
        from: from.to_owned(),
        text: text.to_owned(),
        sent_at_ms: None,
        wall_ms: 0,
        whole: true,
        call: false,
        damaged: false,
    };
    world.apply(Command::Inbound(Inbound::Receive(text))).await;
}

#[tokio::test]
async fn somebody_with_a_bare_phone_follows_a_room_and_writes_there() {
    let world = World::start().await;
    world.add_people().await;
    let operator = world.operator();
    let raised = operator.post("/v1/alerts", fire()).await.expect(201);
    expand(&world, &raised).await;
    let path = "/v1/rooms/1/followers/bela";
    operator
        .put(path, json!({"by": "email"}))
        .await
        .refusal(422, "invalid-input");
    operator
        .put(path, json!({"by": "app"}))
        .await
        .refusal(422, "invalid-input");
    operator.put(path, json!({"by": "sms"})).await.expect(200);
    let room = operator.get("/v1/rooms/1").await.expect(200);
    assert_eq!(
        (&room["followers"][0]["key"], &room["followers"][0]["by"]),
        (&json!("bela"), &json!("sms"))
    );
    assert_eq!(room["followers"][0]["until"], Value::Null);
    follow_up(&world).await;

    // Gathered, then told at once when everybody is called.
    say(&operator, "1", json!({"text": "gate 5", "person": "anna"})).await;
    follow_up(&world).await;
    let room = operator.get("/v1/rooms/1").await.expect(200);
    let bela = &room["followers"][0];
    assert_eq!((&bela["waiting"], &bela["digests"]), (&json!(1), &json!(0)));
    assert!(bela["due_at"].is_string(), "{bela}");
    say(
        &operator,
        "1",
        json!({"text": "@all out", "person": "anna"}),
    )
    .await;
    follow_up(&world).await;
    let room = operator.get("/v1/rooms/1").await.expect(200);
    let bela = &room["followers"][0];
    assert_eq!((&bela["waiting"], &bela["digests"]), (&json!(0), &json!(1)));
    assert_eq!(room["digests"]["last_hour"], 1);

    // What they write back is theirs, came by text, and is not told them.
    text(&world, 1, "+358401234568", "ROOM 1 on the roof").await;
    follow_up(&world).await;
    let said = operator.get("/v1/rooms/1/messages").await.expect(200);
    let last = said["messages"].as_array().unwrap().last().unwrap();
    assert_eq!(
        (&last["text"], &last["via"], &last["person"]),
        (&json!("on the roof"), &json!("sms"), &json!("bela"))
    );
    let room = operator.get("/v1/rooms/1").await.expect(200);
    assert_eq!(room["followers"][0]["waiting"], 0);

    operator.delete(path).await.expect(200);
    let room = operator.get("/v1/rooms/1").await.expect(200);
    assert_eq!(room["followers"], json!([]));
    world.stop().await;
}

#[tokio::test]
async fn responders_follow_for_themselves_and_for_nobody_else() {
    let world = World::start().await;
    world.add_people().await;
    let operator = world.operator();
    let raised = operator.post("/v1/alerts", fire()).await.expect(201);
    expand(&world, &raised).await;
    let anna = world.signed_in("anna", Some("anna"), &["responder"]).await;
    let by = || json!({"by": "email"});
    anna.put("/v1/rooms/1/followers/anna", by())
        .await
        .expect(200);
    let refused = anna.put("/v1/rooms/1/followers/bela", by()).await;
    assert_eq!(refused.status, 404);
    operator
        .put("/v1/rooms/ops", json!({"name": "Operations"}))
        .await
        .expect(200);
    let refused = anna.put("/v1/rooms/ops/followers/anna", by()).await;
    assert_eq!(refused.status, 404);
    let room = anna.get("/v1/rooms/1").await.expect(200);
    assert_eq!(room["followers"][0]["by"], "email");
    world.stop().await;
}
