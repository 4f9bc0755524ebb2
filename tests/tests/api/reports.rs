//! Reports by anyone over HTTP.

use domain::access::Scope;
use serde_json::json;

use super::World;

#[tokio::test]
async fn a_report_reaches_duty_and_is_decided() {
    let world = World::start().await;
    world.add_people().await;
    let operator = world.operator();
    let duty = json!({"person_alarms": 5, "duty": {"groups": ["duty"]}});
    operator.put("/v1/source-settings", duty).await.expect(200);
    let form = world.key(&[Scope::ReportCreate], None).await;
    let form = world.caller(Some(&form));
    let smoke = json!({"what": "Smoke at gate 2", "who": "Matti", "contact": "+358409999999"});
    let taken = form.post("/v1/reports", smoke).await.expect(201);
    assert_eq!(taken["number"], 1);
    form.get("/v1/reports").await.refusal(403, "not-allowed");
    let listed = operator.get("/v1/reports?open=true").await.expect(200);
    assert_eq!(listed["reports"][0]["state"], "new");
    let told = operator.get("/v1/alerts/1").await.expect(200);
    assert!(
        told["texts"]["en"]
            .as_str()
            .unwrap()
            .contains("Smoke at gate 2"),
        "{told}"
    );

    let decide = async |body| operator.post("/v1/reports/1/decide", body).await;
    let silent = json!({"decision": "wait", "reason": "the guard looks"});
    decide(silent).await.refusal(422, "invalid-input");
    let stranger = json!({"decision": "convene", "reason": "fire", "groups": ["nobody"]});
    decide(stranger).await.refusal(422, "unknown-recipient");
    let convene = json!({"decision": "convene", "reason": "fire", "severity": "critical", "groups": ["duty"]});
    assert_eq!(decide(convene).await.expect(200)["alert"], "2");
    let shown = operator.get("/v1/reports/1").await.expect(200);
    assert_eq!(
        (&shown["state"], &shown["alert"]),
        (&json!("convened"), &json!(2))
    );
    assert_eq!(
        operator.get("/v1/alerts/1").await.expect(200)["state"],
        "resolved"
    );
    operator
        .get("/v1/reports/7")
        .await
        .refusal(404, "not-found");
    let wrong = json!({"what": "x", "who": "y", "contact": "0409999999"});
    form.post("/v1/reports", wrong)
        .await
        .refusal(422, "invalid-input");
    world.stop().await;
}
