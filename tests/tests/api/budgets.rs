//! Budgets of SMS, numbers no text goes to, and readiness, over HTTP.

use domain::access::Scope;
use serde_json::json;

use super::World;

#[tokio::test]
async fn a_budget_refuses_in_words_what_does_not_fit_and_never_what_is_critical() {
    let world = World::start().await;
    world.add_people().await;
    let operator = world.operator();
    let none = operator.get("/v1/budgets").await.expect(200);
    assert_eq!(
        (&none["budgets"], &none["today"]["parts"]),
        (&json!([]), &json!(0))
    );
    operator
        .put("/v1/budgets/anna", json!({"day_parts": 5}))
        .await
        .refusal(422, "invalid-input");
    let one = json!({"day_parts": 1, "month_cost": "25.00", "reserve_percent": 90});
    operator.put("/v1/budgets/keys", one).await.expect(200);
    let set = operator.get("/v1/budgets").await.expect(200);
    assert_eq!(set["budgets"][0]["month_cost"], "25.00");

    let key = world.key(&[Scope::AlertCreate], None).await;
    let kai = world.caller(Some(&key));
    let raise =
        |severity: &str| json!({"severity": severity, "text": "Fire", "to": {"groups": ["duty"]}});
    let foreseen = kai
        .post("/v1/alerts/preview", raise("high"))
        .await
        .expect(200);
    assert!(
        foreseen["over_budget"]
            .as_str()
            .unwrap()
            .contains("SMS budget"),
        "{foreseen}"
    );
    let refused = kai
        .post("/v1/alerts", raise("high"))
        .await
        .refusal(409, "over-budget");
    assert!(
        refused["detail"]
            .as_str()
            .unwrap()
            .contains("Critical alerts still go"),
        "{refused}"
    );
    kai.post("/v1/alerts", raise("critical")).await.expect(201);
    operator.post("/v1/alerts", raise("high")).await.expect(201);
    operator.delete("/v1/budgets/keys").await.expect(200);
    kai.post("/v1/alerts", raise("high")).await.expect(201);
    world.stop().await;
}

#[tokio::test]
async fn a_number_no_text_goes_to_is_shown_before_it_matters() {
    let world = World::start().await;
    let operator = world.operator();
    let eve = json!({"name": "Eve", "language": "en", "methods": [{"kind": "sms", "address": "+881612345678"}]});
    let put = operator.put("/v1/people/eve", eve).await.expect(200);
    assert!(
        put["warnings"][0].as_str().unwrap().contains("satellite"),
        "{put}"
    );
    let raise = json!({"severity": "high", "text": "Fire", "to": {"people": ["eve"]}});
    let foreseen = operator.post("/v1/alerts/preview", raise).await.expect(200);
    assert!(
        foreseen["warnings"].to_string().contains("get no text"),
        "{foreseen}"
    );
    let wrong = json!({"barred": [{"prefix": "881", "what": "satellite"}]});
    operator
        .put("/v1/directory/barred", wrong)
        .await
        .refusal(422, "invalid-input");
    operator
        .put("/v1/directory/barred", json!({"barred": []}))
        .await
        .expect(200);
    let shown = operator.get("/v1/directory").await.expect(200);
    assert_eq!(shown["barred_prefixes"], json!([]));
    world.stop().await;
}

#[tokio::test]
async fn readiness_says_who_cannot_be_counted_on_and_what_to_do() {
    let world = World::start().await;
    world.add_people().await;
    let operator = world.operator();
    let all = operator.get("/v1/readiness").await.expect(200);
    assert!(all["to_put_right"].as_u64().unwrap() > 0, "{all}");
    let anna = operator
        .get("/v1/readiness?about=person:anna")
        .await
        .expect(200);
    assert_eq!(anna["scores"][0]["about"], "person:anna");
    assert!(
        anna["scores"][0]["reasons"][0]["to_do"].is_string(),
        "{anna}"
    );
    operator
        .get("/v1/readiness?about=anna")
        .await
        .refusal(400, "bad-request");
    operator
        .get("/v1/readiness?about=person:zoe")
        .await
        .refusal(404, "not-found");
    world.stop().await;
}
