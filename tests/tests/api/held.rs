//! Alerts that need a second person, over HTTP.

use domain::access::Scope;
use serde_json::json;

use super::World;

#[tokio::test]
async fn an_alert_above_the_threshold_waits_until_another_key_agrees() {
    let world = World::start().await;
    world.add_people().await;
    let operator = world.operator();
    let nobody = json!({"people_over": 0});
    operator
        .put("/v1/second-person", nobody)
        .await
        .refusal(422, "invalid-input");
    let setting = json!({"people_over": 0, "cost_over": "25.00", "people": ["anna"]});
    operator.put("/v1/second-person", setting).await.expect(200);
    let set = operator.get("/v1/second-person").await.expect(200);
    assert_eq!(set["second_person"]["cost_over"], "25.00");

    let scopes = [Scope::AlertCreate, Scope::AlertRead];
    let (kai, olga) = (
        world.key(&scopes, None).await,
        world.key(&scopes, None).await,
    );
    let (kai, olga) = (world.caller(Some(&kai)), world.caller(Some(&olga)));
    let raise = json!({"severity": "high", "text": "Fire in hall 2", "to": {"groups": ["duty"]}});
    let foreseen = kai
        .post("/v1/alerts/preview", raise.clone())
        .await
        .expect(200);
    assert_eq!(foreseen["second_person"].as_array().unwrap().len(), 1);
    let held = kai.post("/v1/alerts", raise).await.expect(202);
    assert_eq!(held["held"]["state"], "awaiting_second_person");
    assert_eq!(held["held"]["asked"], 1);
    let listed = olga.get("/v1/held-alerts").await.expect(200);
    assert_eq!(listed["held"][0]["number"], 1);
    assert_eq!(kai.get("/v1/alerts").await.expect(200)["alerts"], json!([]));

    let say =
        |decision: &str, name: &str| json!({"decision": decision, "name": name, "reason": "seen"});
    let path = "/v1/held-alerts/1/decide";
    kai.post(path, say("approve", "Kai"))
        .await
        .refusal(409, "conflict");
    kai.post(path, say("release", "Kai"))
        .await
        .refusal(409, "conflict");
    kai.post(path, say("maybe", "Kai"))
        .await
        .refusal(422, "invalid-input");
    kai.post(path, say("release", ""))
        .await
        .refusal(422, "invalid-input");
    let went = olga.post(path, say("approve", "Olga")).await.expect(200);
    assert_eq!(went["alert"], "1");
    let alert = kai.get("/v1/alerts/1").await.expect(200);
    assert!(
        alert["raised_by"].as_str().unwrap().starts_with("key:"),
        "{alert}"
    );
    olga.post(path, say("refuse", "Olga"))
        .await
        .refusal(409, "conflict");
    olga.post("/v1/held-alerts/9/decide", say("approve", "Olga"))
        .await
        .refusal(404, "not-found");
    let shown = kai.get("/v1/held-alerts/1").await.expect(200);
    assert_eq!(
        (&shown["state"], &shown["decided_as"]),
        (&json!("approved"), &json!("Olga"))
    );
    world.stop().await;
}

#[tokio::test]
async fn what_went_at_once_stays_listed_until_somebody_else_reviewed_it() {
    let world = World::start().await;
    world.add_people().await;
    let operator = world.operator();
    let setting = json!({"people_over": 0, "critical_at_once": true, "groups": ["duty"]});
    operator.put("/v1/second-person", setting).await.expect(200);
    let raise =
        json!({"severity": "critical", "text": "Fire in hall 2", "to": {"groups": ["duty"]}});
    operator.post("/v1/alerts", raise).await.expect(201);
    let listed = operator
        .get("/v1/held-alerts?show=to_review")
        .await
        .expect(200);
    assert_eq!(listed["held"][0]["state"], "went_at_once");
    let seen = json!({"name": "Olga", "note": "in order"});
    let path = "/v1/held-alerts/1/review";
    operator
        .post(path, seen.clone())
        .await
        .refusal(409, "conflict");
    let olga = world.key(&[Scope::AlertCreate], None).await;
    let olga = world.caller(Some(&olga));
    olga.post(path, seen).await.expect(200);
    let listed = operator
        .get("/v1/held-alerts?show=to_review")
        .await
        .expect(200);
    assert_eq!(listed["held"], json!([]));
    operator.delete("/v1/second-person").await.expect(200);
    let set = operator.get("/v1/second-person").await.expect(200);
    assert_eq!(set["second_person"], json!(null));
    world.stop().await;
}
