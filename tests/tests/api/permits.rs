//! What one administrator alone does not do, over HTTP (decision 39): asked for by one, let by another, done once.

use std::time::Duration;

use serde_json::{Value, json};

use super::World;
use super::client::Answer;
use super::device::Device;

async fn asks(device: &Device, method: &str, path: &str, body: &str) -> Answer {
    let ask = json!({ "method": method, "path": path, "body": body, "reason": "Bela takes over" });
    device.post("/v1/permits", ask).await
}

async fn number(device: &Device, method: &str, path: &str, body: &str) -> u64 {
    let asked = asks(device, method, path, body).await.expect(201);
    asked["number"].as_u64().unwrap()
}

async fn lets(device: &Device, number: u64) -> Answer {
    let path = format!("/v1/permits/{number}/let");
    device.post(&path, json!({})).await
}

async fn state(device: &Device, number: u64) -> Value {
    let listed = device.get("/v1/permits").await.expect(200);
    let permits = listed["permits"].as_array().unwrap();
    let found = permits.iter().find(|permit| permit["number"] == number);
    found.unwrap().clone()
}

#[tokio::test]
async fn an_administrator_is_made_by_two_word_by_word_and_once() {
    let world = World::start().await;
    world.add_people().await;
    let root = world.signed_in("root", Some("anna"), &["admin"]).await;
    let dora = world.signed_in("dora", None, &["admin"]).await;
    let bela = world.signed_in("bela", Some("bela"), &["responder"]).await;
    let (path, wanted) = ("/v1/accounts/bela/roles", json!({ "roles": ["admin"] }));
    root.put(path, wanted.clone())
        .await
        .refusal(409, "takes-two");

    let asked = number(&root, "PUT", path, &wanted.to_string()).await;
    let again = number(&root, "PUT", path, &wanted.to_string()).await;
    assert_eq!(asked, again, "asked twice it is one");
    let seen = state(&dora, asked).await;
    assert_eq!(seen["state"], "waiting");
    assert_eq!(seen["what"], "roles");
    assert_eq!(seen["about"], "bela");
    assert_eq!(seen["body"], wanted.to_string());
    assert_eq!(seen["asked_by"], "account:root");
    assert_eq!(seen["mine"], false);
    assert_eq!(state(&root, asked).await["mine"], true);
    root.put(path, wanted.clone())
        .await
        .refusal(409, "takes-two");
    lets(&root, asked).await.refusal(409, "conflict");
    lets(&bela, asked).await.refusal(403, "not-allowed");
    lets(&dora, asked).await.expect(200);
    lets(&dora, 77).await.refusal(404, "not-found");

    // Neither somebody else, nor in other words, nor for somebody else.
    dora.put(path, wanted.clone())
        .await
        .refusal(409, "takes-two");
    let more = json!({ "roles": ["admin", "auditor"] });
    root.put(path, more).await.refusal(409, "takes-two");
    let other = "/v1/accounts/dora/roles";
    let less = json!({ "roles": [] });
    root.put(other, less).await.refusal(409, "takes-two");

    root.put(path, wanted.clone()).await.expect(200);
    let done = state(&root, asked).await;
    assert_eq!(done["state"], "used");
    assert_eq!(done["let_by"], "account:dora");
    let back = json!({ "roles": ["responder"] });
    root.put(path, back.clone()).await.refusal(409, "takes-two");
    world.operator().put(path, back).await.expect(200);
    root.put(path, wanted).await.refusal(409, "takes-two");
    world.stop().await;
}

#[tokio::test]
async fn what_was_let_is_over_after_an_hour_and_what_is_dropped_at_once() {
    let world = World::start().await;
    let root = world.signed_in("root", None, &["admin"]).await;
    let operator = world.operator();
    let (path, wanted) = ("/v1/accounts/root/invitation", json!({}));
    let asked = number(&root, "POST", path, &wanted.to_string()).await;
    operator
        .delete(&format!("/v1/permits/{asked}"))
        .await
        .expect(200);
    assert_eq!(state(&root, asked).await["state"], "dropped");
    root.post(path, wanted.clone())
        .await
        .refusal(409, "takes-two");

    let anew = number(&root, "POST", path, &wanted.to_string()).await;
    assert_ne!(anew, asked);
    let permit = format!("/v1/permits/{anew}/let");
    operator.post(&permit, json!({})).await.expect(200);
    assert_eq!(state(&root, anew).await["state"], "ready");
    world.replica.advance(Duration::from_secs(3_600));
    operator
        .post(&permit, json!({}))
        .await
        .refusal(409, "conflict");
    let listed = operator.get("/v1/permits").await.expect(200);
    assert_eq!(listed["permits"][0]["number"], anew);
    assert_eq!(listed["permits"][0]["state"], "void");
    world.stop().await;
}

#[tokio::test]
async fn only_what_takes_two_is_asked_for_and_only_by_administrators() {
    let world = World::start().await;
    let root = world.signed_in("root", None, &["admin"]).await;
    let maria = world.signed_in("maria", None, &["incident-manager"]).await;
    asks(&root, "GET", "/v1/accounts", "")
        .await
        .refusal(422, "invalid-input");
    asks(&root, "POST", "/v1/alerts", "{}")
        .await
        .refusal(422, "invalid-input");
    asks(&root, "PUT", "/v1/accounts/root/roles", &"x".repeat(4_001))
        .await
        .refusal(422, "invalid-input");
    asks(&maria, "POST", "/v1/cluster/invitations", "{}")
        .await
        .refusal(403, "not-allowed");
    maria.get("/v1/permits").await.refusal(403, "not-allowed");
    assert_eq!(
        root.get("/v1/permits").await.expect(200)["permits"],
        json!([])
    );
    world.stop().await;
}

#[tokio::test]
async fn spending_more_takes_two_and_spending_less_takes_one() {
    let world = World::start().await;
    let root = world.signed_in("root", None, &["admin"]).await;
    let path = "/v1/budgets/cluster";
    let budget = |day: u32| json!({ "day_parts": day });
    world.operator().put(path, budget(500)).await.expect(200);
    root.put(path, budget(400)).await.expect(200);
    root.put(path, budget(5_000))
        .await
        .refusal(409, "takes-two");
    root.delete(path).await.refusal(409, "takes-two");
    let asked = number(&root, "PUT", path, &budget(5_000).to_string()).await;
    world
        .operator()
        .post(&format!("/v1/permits/{asked}/let"), json!({}))
        .await
        .expect(200);
    root.put(path, budget(5_000)).await.expect(200);
    assert_eq!(state(&root, asked).await["state"], "used");
    world.stop().await;
}
