//! Plans and instructions over HTTP: put, found by their scenario, read by those called, overdue.

use std::time::Duration;

use serde_json::{Value, json};

use super::World;
use super::alerts::expand;
use super::files::{found, share};
use super::templates::mail;

const PLAN: &[u8] = b"%PDF-1.7\nCall the provider, +358401234567.\n";

/// A cluster with a template, and the id of a plan that lies in a room.
async fn with_plan() -> (World, String) {
    let world = World::start().await;
    found(&world).await;
    world.add_people().await;
    let operator = world.operator();
    operator.put("/v1/templates/mail", mail()).await.expect(200);
    let room = json!({"name": "Plans"});
    operator.put("/v1/rooms/plans", room).await.expect(200);
    let path = share(&operator, "plans", "mail.pdf", PLAN).await;
    let id = path.split('/').nth(5).unwrap().to_owned();
    (world, id)
}

fn document(file: &str) -> Value {
    json!({
        "title": "Mail is down: what to do", "file": file, "owner": "anna", "review_by": "2099-03-01",
        "templates": ["mail"], "kit": true,
    })
}

#[tokio::test]
async fn a_plan_is_with_every_alert_of_its_scenario() {
    let (world, file) = with_plan().await;
    let operator = world.operator();
    let path = "/v1/documents/mail-plan";
    let put = operator.put(path, document(&file)).await.expect(200);
    assert_eq!(
        (&put["version"], &put["changed"]),
        (&json!(1), &json!(true))
    );
    let again = operator.put(path, document(&file)).await.expect(200);
    assert_eq!(again["changed"], false);
    let listed = operator.get("/v1/documents").await.expect(200);
    let shown = &listed["documents"][0];
    assert_eq!(
        (&shown["key"], &shown["owner"]["name"], &shown["review_by"]),
        (
            &json!("mail-plan"),
            &json!("Anna Virtanen"),
            &json!("2099-03-01")
        )
    );
    assert_eq!(
        (
            &shown["overdue"],
            &shown["kit"],
            &shown["file"]["stored_on"]
        ),
        (&json!(false), &json!(true), &json!(["alpha"]))
    );
    let none = operator.get("/v1/documents?template=power").await;
    assert_eq!(none.expect(200)["documents"], json!([]));

    for raise in [
        json!({"template": "mail", "placeholders": {"what": "Mail"}}),
        json!({"severity": "high", "text": "Fire", "to": {"people": ["anna"]}}),
    ] {
        let raised = operator.post("/v1/alerts", raise).await.expect(201);
        expand(&world, &raised).await;
    }
    // Who is called needs no other right, and gets the file as it is.
    let anna = world.signed_in("anna", Some("anna"), &["responder"]).await;
    let pinned = anna.get("/v1/alerts/1/documents").await.expect(200);
    assert_eq!(pinned["documents"][0]["key"], "mail-plan");
    let answer = anna.get("/v1/alerts/1/documents/mail-plan/bytes").await;
    assert_eq!(answer.bytes, PLAN, "{}", answer.text);
    let how = answer.headers["content-disposition"].to_str().unwrap();
    assert!(how.starts_with("attachment;"), "{how}");
    anna.get("/v1/documents").await.refusal(403, "not-allowed");
    let plain = operator.get("/v1/alerts/2/documents").await.expect(200);
    assert_eq!(plain["documents"], json!([]));
    anna.get("/v1/alerts/2/documents/mail-plan/bytes")
        .await
        .refusal(404, "not-found");

    let held = format!("/v1/rooms/plans/files/{file}");
    operator.delete(&held).await.refusal(409, "conflict");
    operator.delete(path).await.expect(200);
    operator.delete(path).await.refusal(404, "not-found");
    operator.delete(&held).await.expect(200);
    world.stop().await;
}

#[tokio::test]
async fn a_plan_nobody_looked_at_again_in_time_is_shown() {
    let (world, file) = with_plan().await;
    let operator = world.operator();
    let mut plan = document(&file);
    plan["review_by"] = json!("1.3.2027");
    let path = "/v1/documents/mail-plan";
    let refused = operator.put(path, plan.clone()).await;
    let refused = refused.refusal(422, "invalid-input");
    assert_eq!(refused["errors"][0]["pointer"], "#/review_by");
    plan["review_by"] = json!("2026-11-30");
    operator.put(path, plan.clone()).await.expect(200);
    world.replica.advance(Duration::from_secs(60 * 24 * 3_600));
    let listed = operator.get("/v1/documents").await.expect(200);
    assert_eq!(listed["overdue"], 1, "{listed}");
    plan["owner"] = json!("nobody");
    operator
        .put(path, plan.clone())
        .await
        .refusal(422, "unknown-recipient");
    plan["owner"] = Value::Null;
    plan["templates"] = json!(["nothing"]);
    operator.put(path, plan).await.refusal(422, "invalid-input");
    world.stop().await;
}
