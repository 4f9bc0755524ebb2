//! People from files over HTTP: reports, what waits for a person, the freeze, and every format there and back.

use serde_json::{Value, json};

use super::World;
use super::client::Answer;

/// Twenty people, `p00` to `p19`; the first is on duty.
async fn twenty(world: &World) {
    let people: Vec<Value> = (0..20)
        .map(|n| {
            json!({
                "key": format!("p{n:02}"), "name": format!("Person {n}"), "language": "fi", "duty": n == 0,
                "methods": [{"kind": "sms", "address": format!("+3584012345{n:02}")}],
            })
        })
        .collect();
    let body = json!({ "people": people });
    world.operator().put("/v1/people", body).await.expect(200);
}

async fn import(world: &World, query: &str, file: impl Into<Vec<u8>>) -> Answer {
    let path = format!("/v1/directory/imports{query}");
    world.operator().upload(&path, file.into()).await
}

#[tokio::test]
async fn every_line_is_reported_and_a_dry_run_changes_nothing() {
    let world = World::start().await;
    twenty(&world).await;
    let operator = world.operator();
    let body = json!({ "prefixes": ["+358"] });
    operator
        .put("/v1/directory/prefixes", body)
        .await
        .expect(200);
    let csv = "key,name,sms,skills,groups\n\
               p01,Person 1,+358401234501,,\n\
               p02,Person Two,+358401234502,,\n\
               new,New,+46701234567,network,field\n\
               bad,Bad,123,,\n";
    let dry = import(&world, "?dry_run=true", csv).await.expect(200);
    assert_eq!(dry["applied"], false);
    let verdicts: Vec<&Value> = (0..4).map(|at| &dry["lines"][at]["verdict"]).collect();
    assert_eq!(verdicts, ["unchanged", "changed", "added", "refused"]);
    assert_eq!(dry["lines"][1]["fields"], json!(["name"]));
    assert!(
        dry["lines"][2]["warnings"][0]
            .as_str()
            .unwrap()
            .contains("no text may go")
    );
    assert!(
        dry["lines"][3]["reason"]
            .as_str()
            .unwrap()
            .contains("no country code")
    );
    operator
        .get("/v1/people/new")
        .await
        .refusal(404, "not-found");
    let strict = import(&world, "?strict=true", csv).await.expect(200);
    assert_eq!(strict["applied"], false);
    let real = import(&world, "", csv).await.expect(200);
    assert_eq!(
        (&real["applied"], &real["waits"]),
        (&json!(true), &json!([]))
    );
    let new = operator.get("/v1/people/new").await.expect(200);
    assert_eq!(new["skills"], json!(["network"]));
    assert_eq!(new["groups"], json!(["field"]));
    let again = import(&world, "", csv).await.expect(200);
    assert_eq!(
        (&again["unchanged"], &again["applied"]),
        (&json!(3), &json!(false))
    );
    world.stop().await;
}

#[tokio::test]
async fn what_is_too_much_waits_is_shown_and_happens_when_approved() {
    let world = World::start().await;
    twenty(&world).await;
    let operator = world.operator();
    let csv = "key,sms\np00,+358409999999\n";
    let answer = import(&world, "?source=hr", csv).await.expect(202);
    assert!(
        answer["waits"][0]
            .as_str()
            .unwrap()
            .contains("duty number of p00"),
        "{answer}"
    );
    let id = answer["import"].as_str().unwrap().to_owned();
    let path = format!("/v1/directory/imports/{id}");
    let shown = operator.get(&path).await.expect(200);
    assert_eq!(
        (
            &shown["state"],
            &shown["source"],
            &shown["changes"][0]["fields"]
        ),
        (
            &json!("waiting"),
            &json!("hr"),
            &json!([{ "field": "methods", "before": "sms:+358401234500", "after": "sms:+358409999999" }])
        )
    );
    assert_eq!(
        operator.get("/v1/directory").await.expect(200)["waiting"],
        1
    );
    // A complete list that leaves somebody out takes the place of what waited.
    let rest: String = (0..19)
        .map(|n| format!("p{n:02},+3584012345{n:02}\n"))
        .collect();
    let complete = format!("key,sms\n{rest}");
    let answer = import(&world, "?source=hr&complete=true", complete)
        .await
        .expect(202);
    assert_eq!(answer["absent"], json!(["p19"]));
    operator
        .post(&format!("{path}/approve"), json!({}))
        .await
        .refusal(409, "conflict");
    let second = format!(
        "/v1/directory/imports/{}",
        answer["import"].as_str().unwrap()
    );
    assert_eq!(
        operator.get(&second).await.expect(200)["removes"],
        json!(["p19"])
    );
    operator.get("/v1/people/p19").await.expect(200);
    let done = operator.post(&format!("{second}/approve"), json!({})).await;
    assert_eq!(done.expect(200)["applied"], 1);
    operator
        .get("/v1/people/p19")
        .await
        .refusal(404, "not-found");
    let states: Vec<Value> = operator.get("/v1/directory/imports").await.expect(200)["imports"]
        .as_array()
        .unwrap()
        .iter()
        .map(|import| import["state"].clone())
        .collect();
    assert!(
        states.contains(&json!("replaced")) && states.contains(&json!("approved")),
        "{states:?}"
    );
    operator
        .post("/v1/directory/imports/nonsense/approve", json!({}))
        .await
        .refusal(404, "not-found");
    world.stop().await;
}

#[tokio::test]
async fn while_frozen_imports_are_refused_with_the_reason_and_hands_are_not() {
    let world = World::start().await;
    twenty(&world).await;
    let operator = world.operator();
    let body = json!({ "reason": "HR moves house" });
    operator
        .post("/v1/directory/freeze", body)
        .await
        .expect(200);
    let problem = import(&world, "", "key,name\np05,Five\n")
        .await
        .refusal(409, "conflict");
    assert!(
        problem["detail"]
            .as_str()
            .unwrap()
            .contains("HR moves house"),
        "{problem}"
    );
    import(&world, "?dry_run=true", "key,name\np05,Five\n")
        .await
        .expect(200);
    assert_eq!(
        operator.get("/v1/directory").await.expect(200)["frozen"]["reason"],
        "HR moves house"
    );
    let body = json!({"name": "Five", "methods": [{"kind": "sms", "address": "+358401234505"}]});
    operator.put("/v1/people/p05", body).await.expect(200);
    operator
        .post("/v1/directory/thaw", json!({}))
        .await
        .expect(200);
    import(&world, "", "key,name\np06,Six\n").await.expect(200);
    world.stop().await;
}

#[tokio::test]
async fn an_export_comes_back_without_changing_anything() {
    let world = World::start().await;
    twenty(&world).await;
    let operator = world.operator();
    let body = json!({
        "name": "=Anna", "languages": ["fi", "sv"], "kind": "supplier", "zone": "Europe/Helsinki",
        "methods": [{"kind": "email", "address": "anna@example.org"}, {"kind": "sms", "address": "+358 40 7654321"}],
        "tags": ["night"], "skills": ["network"], "sites": ["Åbo"], "hours": "mon-fri 8:00-16:00",
        "wishes": {"never_voice": true, "wake_by": "p01", "answer_minutes": 20}, "note": "-1",
    });
    operator.put("/v1/people/anna", body).await.expect(200);
    let shown = operator.get("/v1/people/anna").await.expect(200);
    assert_eq!(shown["hours"], "Mon-Fri 08:00-16:00");
    assert_eq!(shown["methods"][0]["state"], "unverified");
    for format in ["csv", "xlsx", "vcard"] {
        let path = format!("/v1/directory/export?format={format}");
        let file = operator.get(&path).await.bytes;
        let report = import(&world, "?complete=true", file).await.expect(200);
        assert_eq!(
            (&report["unchanged"], &report["format"], &report["absent"]),
            (&json!(21), &json!(format), &json!([])),
            "{report}"
        );
    }
    world.stop().await;
}

#[tokio::test]
async fn files_that_are_none_are_refused_in_words() {
    let world = World::start().await;
    for (file, word) in [
        (&b"name,phone\nAnna,1\n"[..], "unknown column \"phone\""),
        (b"", "empty"),
        (b"PK\x03\x04", "spreadsheet"),
    ] {
        let problem = import(&world, "", file).await.refusal(422, "invalid-input");
        assert!(
            problem["detail"].as_str().unwrap().contains(word),
            "{problem}"
        );
    }
    let large = vec![b'x'; (10 << 20) + 1];
    import(&world, "", large).await.refusal(413, "too-large");
    world.stop().await;
}

#[tokio::test]
async fn groups_by_rule_and_within_groups_say_who_is_in_them_and_why() {
    let world = World::start().await;
    twenty(&world).await;
    let operator = world.operator();
    let body = json!({
        "name": "Anna", "methods": [{"kind": "sms", "address": "+358407654321"}], "skills": ["network"],
    });
    operator.put("/v1/people/anna", body).await.expect(200);
    let groups = json!({ "groups": [
        { "key": "network", "name": "Network", "members": ["p03"], "rule": { "all_of": ["skill:network"] } },
        { "key": "all", "name": "All", "members": ["anna", "group:network"] },
    ]});
    operator.put("/v1/groups", groups).await.expect(200);
    let members = operator.get("/v1/groups/all/members").await.expect(200);
    assert_eq!(
        members["members"],
        json!([
            { "key": "anna", "name": "Anna", "why": [
                { "through": [], "matches": [] },
                { "through": ["network"], "matches": ["skill:network"] },
            ]},
            { "key": "p03", "name": "Person 3", "why": [{ "through": ["network"], "matches": [] }] },
        ])
    );
    let page = operator
        .get("/v1/groups/all/members?limit=1")
        .await
        .expect(200);
    assert_eq!((&page["count"], &page["next"]), (&json!(2), &json!(1)));
    let back = json!({ "name": "Network", "members": ["group:all"] });
    let problem = operator
        .put("/v1/groups/network", back)
        .await
        .refusal(422, "invalid-input");
    assert!(
        problem["detail"]
            .as_str()
            .unwrap()
            .contains("all → network → all"),
        "{problem}"
    );
    let wrong = json!({ "name": "N", "rule": { "any_of": ["colour:red"] } });
    let problem = operator
        .put("/v1/groups/n", wrong)
        .await
        .refusal(422, "invalid-input");
    assert_eq!(problem["errors"][0]["pointer"], "#/rule/any_of/0");
    world.stop().await;
}

#[tokio::test]
async fn a_check_asks_everyone_once_and_tells_who_answered() {
    let world = World::start().await;
    twenty(&world).await;
    let operator = world.operator();
    let group = json!({ "name": "First", "members": ["p01", "p02"] });
    operator.put("/v1/groups/first", group).await.expect(200);
    let body = json!({ "groups": ["first"], "people": ["p01"] });
    let first = operator
        .post("/v1/directory/checks", body)
        .await
        .expect(201);
    assert_eq!(
        (&first["asked"], &first["left_out"]),
        (&json!(2), &json!([]))
    );
    let alert = first["alert"].as_str().unwrap();
    let shown = operator
        .get(&format!("/v1/alerts/{alert}"))
        .await
        .expect(200);
    assert_eq!(shown["status"], "test");
    let unknown = json!({ "groups": ["nobody"] });
    operator
        .post("/v1/directory/checks", unknown)
        .await
        .refusal(422, "unknown-recipient");
    let soon = json!({ "people": ["p03"], "remind_after_s": 5 });
    operator
        .post("/v1/directory/checks", soon)
        .await
        .refusal(422, "invalid-input");
    let path = format!("/v1/directory/checks/{}", first["number"].as_str().unwrap());
    operator.get(&path).await.expect(200);
    operator
        .get("/v1/directory/checks/4711")
        .await
        .refusal(404, "not-found");
    world.stop().await;
}

#[tokio::test]
async fn what_was_found_out_about_a_number_is_shown_with_it() {
    let world = World::start().await;
    twenty(&world).await;
    let operator = world.operator();
    let body = json!({
        "method": {"kind": "sms", "address": "+358 40 1234503"}, "state": "verified", "how": "told by phone",
    });
    let path = "/v1/people/p03/verification";
    operator.post(path, body).await.expect(200);
    let method = operator.get("/v1/people/p03").await.expect(200)["methods"][0].clone();
    assert_eq!(
        (&method["state"], &method["how"]),
        (&json!("verified"), &json!("told by phone"))
    );
    assert!(method["at"].is_string());
    let other = json!({ "method": {"kind": "sms", "address": "+358409999999"}, "state": "failed" });
    operator.post(path, other).await.refusal(404, "not-found");
    world.stop().await;
}
