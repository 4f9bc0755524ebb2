//! Safety checks, conditions by skill and site, and answers that lapse, over HTTP.

use domain::escalation::Command as Escalation;
use domain::{AlertId, Command};
use serde_json::{Value, json};

use super::World;

/// Anna knows first aid and works in Turku, Bela in Espoo; Dora leads.
async fn organisation(world: &World) {
    let sms = |number: &str| json!([{"kind": "sms", "address": number}]);
    let people = json!({"people": [
        {"key": "anna", "name": "Anna Virtanen", "language": "fi", "methods": sms("+358401234567"),
         "skills": ["first-aid"], "sites": ["Turku"]},
        {"key": "bela", "name": "Bela Berg", "language": "sv", "methods": sms("+358401234568"), "sites": ["Espoo"]},
        {"key": "carl", "name": "Carl \"Kalle\" Ek", "language": "en", "methods": sms("+358401234569")},
        {"key": "dora", "name": "Dora Lind", "language": "en", "methods": sms("+358401234570")},
    ]});
    let operator = world.operator();
    operator.put("/v1/people", people).await.expect(200);
}

async fn begin(world: &World, raised: &Value) {
    let alert = AlertId::parse(raised["id"].as_str().unwrap()).unwrap();
    let page = Command::Escalation(Escalation::ExpandPage { alert, page: 0 });
    world.apply(page).await;
}

fn evacuation() -> Value {
    json!({"severity": "critical", "kind": "safety_check", "text": "Evacuate building C",
        "to": {"people": ["anna", "bela", "carl"]}, "lead": {"people": ["dora"]}})
}

#[tokio::test]
async fn who_is_missing_is_listed_by_site_and_name_and_can_be_printed() {
    let world = World::start().await;
    organisation(&world).await;
    let client = world.trusted().await;
    let raised = client.post("/v1/alerts", evacuation()).await.expect(201);
    begin(&world, &raised).await;
    let list = client.get("/v1/alerts/1/missing").await.expect(200);
    assert_eq!((&list["asked"], &list["missing"]), (&json!(3), &json!(3)));
    let sites: Vec<&str> = list["sites"]
        .as_array()
        .unwrap()
        .iter()
        .map(|site| site["site"].as_str().unwrap())
        .collect();
    assert_eq!(sites, ["Espoo", "Turku", ""], "{list}");
    assert!(list["as_of"].as_str().unwrap().starts_with("2026-11-21T"));

    let says = |person: &str, answer: &str| json!({"person": person, "answer": answer});
    client
        .post("/v1/alerts/1/answer", says("anna", "need_help"))
        .await
        .expect(200);
    let seen = json!({"person": "bela", "mark": "safe", "by": "Kalle, gate 3"});
    client
        .post("/v1/alerts/1/mark", seen.clone())
        .await
        .expect(200);
    let again = client.post("/v1/alerts/1/mark", seen).await.expect(200);
    assert_eq!(again["changed"], false);

    let list = client.get("/v1/alerts/1/missing").await.expect(200);
    assert_eq!(
        list["sites"][0]["people"][0]["status"], "need_help",
        "{list}"
    );
    assert_eq!(list["sites"][1]["people"][0]["key"], "carl");
    assert_eq!(list["sites"][1]["people"][0]["status"], Value::Null);
    let all = client
        .get("/v1/alerts/1/missing?all=true")
        .await
        .expect(200);
    let bela = &all["sites"][0]["people"][0];
    assert_eq!(
        (&bela["status"], &bela["answer"]),
        (&json!("safe"), &Value::Null)
    );
    assert_eq!(bela["marks"][0]["by"], "Kalle, gate 3");

    let paper = client.get("/v1/alerts/1/missing?format=text").await;
    assert_eq!(paper.headers["content-type"], "text/plain; charset=utf-8");
    let paper = paper.text;
    assert!(paper.starts_with("SAFETY CHECK 1 "), "{paper}");
    assert!(paper.contains("As of 2026-11-21T"), "{paper}");
    assert!(
        paper.contains("3 asked: 1 missing, 1 need help, 1 safe, 0 not on site"),
        "{paper}"
    );
    assert!(paper.contains("Turku (1)\n[ ] Anna Virtanen"), "{paper}");
    assert!(
        paper.contains("NEED HELP    says need help 2026-11-21T"),
        "{paper}"
    );
    assert!(
        paper.contains("(no site) (1)\n[ ] Carl \"Kalle\" Ek"),
        "{paper}"
    );
    let table = client
        .get("/v1/alerts/1/missing?format=csv&all=true")
        .await
        .text;
    assert_eq!(table.lines().count(), 4, "{table}");
    assert!(table.contains("\"Carl \"\"Kalle\"\" Ek\""), "{table}");

    let shown = client.get("/v1/alerts/1").await.expect(200);
    assert_eq!(shown["kind"], "safety_check");
    let told = shown["deliveries"].as_array().unwrap();
    assert!(
        told.iter()
            .any(|d| d["purpose"] == "update" && d["person"]["key"] == "dora"),
        "{shown}"
    );
    world.stop().await;
}

#[tokio::test]
async fn what_does_not_fit_a_safety_check_is_refused_with_words() {
    let world = World::start().await;
    organisation(&world).await;
    let client = world.trusted().await;
    let raised = client.post("/v1/alerts", evacuation()).await.expect(201);
    begin(&world, &raised).await;
    let coming = json!({"person": "anna", "answer": "coming"});
    let refused = client.post("/v1/alerts/1/answer", coming).await;
    let refused = refused.refusal(422, "invalid-input");
    assert!(
        refused["detail"]
            .as_str()
            .unwrap()
            .contains("known are safe, need_help, not_on_site"),
        "{refused}"
    );
    let mut steps = evacuation();
    steps["to"] = Value::Null;
    steps["steps"] = json!([{"people": ["anna"]}, {"after_s": 60, "people": ["bela"]}]);
    client
        .post("/v1/alerts", steps)
        .await
        .refusal(422, "invalid-input");
    let plain = json!({"severity": "low", "text": "x", "to": {"people": ["anna"]}});
    client.post("/v1/alerts", plain).await.expect(201);
    client
        .get("/v1/alerts/2/missing")
        .await
        .refusal(409, "conflict");
    let mark = json!({"person": "anna", "mark": "safe"});
    client
        .post("/v1/alerts/2/mark", mark)
        .await
        .refusal(422, "invalid-input");
    client
        .get("/v1/alerts/9/missing")
        .await
        .refusal(404, "unknown-alert");
    world.stop().await;
}

#[tokio::test]
async fn conditions_by_skill_and_site_are_resolved_previewed_and_shown() {
    let world = World::start().await;
    organisation(&world).await;
    let client = world.trusted().await;
    let body = |enough: Value| {
        json!({"severity": "high", "text": "Fire",
            "steps": [{"people": ["anna", "bela", "carl"], "enough": enough}]})
    };
    let wanted = json!([{"count": 1, "skill": "first-aid"}, {"count": 1, "each_site": true}]);
    let preview = client
        .post("/v1/alerts/preview", body(wanted.clone()))
        .await
        .expect(200);
    let seen: Vec<String> = preview["steps"][0]["enough"]
        .as_array()
        .unwrap()
        .iter()
        .map(|quota| format!("{} {} of {}", quota["what"], quota["count"], quota["of"]))
        .collect();
    assert_eq!(
        seen,
        [
            "\"first-aid\" 1 of 1",
            "\"Espoo\" 1 of 1",
            "\"Turku\" 1 of 1"
        ]
    );
    let raised = client.post("/v1/alerts", body(wanted)).await.expect(201);
    begin(&world, &raised).await;
    let coming = json!({"person": "anna", "answer": "coming"});
    client.post("/v1/alerts/1/answer", coming).await.expect(200);
    let shown = client.get("/v1/alerts/1").await.expect(200);
    let coming: Vec<&Value> = shown["plan"]["enough"]
        .as_array()
        .unwrap()
        .iter()
        .map(|quota| &quota["coming"])
        .collect();
    assert_eq!(coming, [1, 0, 1], "{shown}");
    assert_eq!(shown["plan"]["satisfied"], false);
    let diver = client
        .post("/v1/alerts", body(json!([{"count": 1, "skill": "diver"}])))
        .await
        .refusal(422, "invalid-input");
    assert!(
        diver["detail"]
            .as_str()
            .unwrap()
            .contains("nobody has the skill \"diver\""),
        "{diver}"
    );

    let template = json!({"name": "Fire", "severity": "high", "texts": {"en": "Fire"},
        "steps": [{"to": ["person:anna", "person:bela"], "enough": [{"count": 1, "site": "Espoo"}, {"all": true, "skill": "diver"}]}],
        "follow_up": {"confirm_within_s": 1800}, "quiet": true});
    let put = client
        .put("/v1/templates/fire", template.clone())
        .await
        .expect(200);
    assert!(
        put["warnings"].to_string().contains("nobody has the skill"),
        "{put}"
    );
    let kept = client.get("/v1/templates/fire").await.expect(200);
    assert_eq!(kept["template"]["steps"][0]["enough"][1]["all"], true);
    assert_eq!(kept["template"]["follow_up"]["confirm_within_s"], 1800);
    let same = client
        .put("/v1/templates/fire", kept["template"].clone())
        .await
        .expect(200);
    assert_eq!(same["changed"], false);
    client
        .post("/v1/alerts", json!({"template": "fire"}))
        .await
        .refusal(422, "invalid-input");
    world.stop().await;
}

#[tokio::test]
async fn a_coming_that_is_to_be_confirmed_says_how_it_stands() {
    let world = World::start().await;
    organisation(&world).await;
    let client = world.trusted().await;
    let body = json!({"severity": "high", "text": "Fire", "to": {"people": ["anna"]},
        "follow_up": {"confirm_within_s": 1800}});
    let raised = client.post("/v1/alerts", body).await.expect(201);
    begin(&world, &raised).await;
    let coming = json!({"person": "anna", "answer": "coming"});
    client.post("/v1/alerts/1/answer", coming).await.expect(200);
    let shown = client.get("/v1/alerts/1").await.expect(200);
    assert_eq!(shown["called"][0]["stands"], "given", "{shown}");
    let odd = json!({"severity": "high", "text": "Fire", "to": {"people": ["anna"]},
        "follow_up": {"confirm_within_s": 5}});
    client
        .post("/v1/alerts", odd)
        .await
        .refusal(422, "invalid-input");
    world.stop().await;
}
