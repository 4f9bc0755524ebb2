//! People and groups over HTTP.

use serde_json::{Value, json};

use super::World;

#[tokio::test]
async fn people_are_added_shown_listed_and_removed() {
    let world = World::start().await;
    world.add_people().await;
    let operator = world.operator();
    let anna = operator.get("/v1/people/anna").await.expect(200);
    assert_eq!(
        anna["methods"][0],
        json!({"kind": "sms", "address": "+358401234567", "state": "unverified", "how": ""}),
        "stored in one form"
    );
    assert_eq!(anna["groups"], json!(["duty"]));

    let page = operator.get("/v1/people?limit=1").await.expect(200);
    assert_eq!(
        (&page["people"][0]["key"], &page["next"]),
        (&json!("anna"), &json!("anna"))
    );
    let rest = operator
        .get("/v1/people?limit=1&after=anna")
        .await
        .expect(200);
    assert_eq!(rest["people"][0]["key"], "bela");

    operator.delete("/v1/people/bela").await.expect(200);
    operator
        .delete("/v1/people/bela")
        .await
        .refusal(404, "not-found");
    operator
        .get("/v1/people/bela")
        .await
        .refusal(404, "not-found");
    world.stop().await;
}

#[tokio::test]
async fn a_number_without_country_code_is_refused_at_its_place_and_nobody_is_taken() {
    let world = World::start().await;
    let operator = world.operator();
    let people = json!({"people": [
        {"key": "anna", "name": "Anna", "methods": [{"kind": "sms", "address": "+358401234567"}]},
        {"key": "bela", "name": "Bela", "methods": [{"kind": "sms", "address": "0401234568"}]},
        {"key": "ceci", "name": "Ceci", "methods": [{"kind": "email", "address": "ceci"}]},
    ]});
    let problem = operator
        .put("/v1/people", people)
        .await
        .refusal(422, "invalid-input");
    assert_eq!(
        problem["errors"][0]["pointer"],
        "#/people/1/methods/0/address"
    );
    assert!(
        problem["errors"][0]["detail"]
            .as_str()
            .unwrap()
            .contains("country code")
    );
    assert_eq!(
        problem["errors"][1]["pointer"],
        "#/people/2/methods/0/address"
    );
    assert_eq!(
        operator.get("/v1/people").await.expect(200)["people"],
        json!([])
    );
    world.stop().await;
}

#[tokio::test]
async fn groups_are_added_shown_listed_and_removed() {
    let world = World::start().await;
    world.add_people().await;
    let operator = world.operator();
    let groups =
        json!({"groups": [{"key": "all", "name": "Everyone", "members": ["bela", "anna"]}]});
    assert_eq!(
        operator.put("/v1/groups", groups).await.expect(200)["count"],
        1
    );
    assert_eq!(
        operator.get("/v1/groups/all").await.expect(200)["members"],
        json!(["bela", "anna"])
    );
    let keys: Vec<Value> = operator.get("/v1/groups").await.expect(200)["groups"]
        .as_array()
        .unwrap()
        .iter()
        .map(|group| group["key"].clone())
        .collect();
    assert_eq!(keys, ["all", "duty"]);
    let unknown = json!({"name": "Strangers", "members": ["anna", "nobody"]});
    let problem = operator
        .put("/v1/groups/strangers", unknown)
        .await
        .refusal(422, "unknown-recipient");
    assert!(problem["detail"].as_str().unwrap().contains("nobody"));
    operator.delete("/v1/groups/all").await.expect(200);
    operator
        .get("/v1/groups/all")
        .await
        .refusal(404, "not-found");
    world.stop().await;
}

#[tokio::test]
async fn keys_with_blanks_and_foreign_letters_are_refused_in_words() {
    let world = World::start().await;
    let body = json!({"name": "Anna", "methods": [{"kind": "sms", "address": "+358401234567"}]});
    let problem = world
        .operator()
        .put("/v1/people/an%20na", body)
        .await
        .refusal(422, "invalid-input");
    assert!(problem["detail"].as_str().unwrap().contains("not a key"));
    world.stop().await;
}
