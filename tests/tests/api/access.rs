//! Who may ask for what.

use std::time::Duration;

use domain::access::Scope;
use domain::ports::Replica;
use hyper::Method;
use serde_json::json;

use super::World;
use tests::fake_replica::START;

#[tokio::test]
async fn whatever_is_wrong_with_a_key_the_answer_is_the_same() {
    let world = World::start().await;
    let good = world.key(&Scope::ALL, None).await;
    let expired = world.key(&Scope::ALL, Some(START)).await;
    let revoked = world.key(&Scope::ALL, None).await;
    let revoked_id = revoked.split('_').nth(1).unwrap();
    world
        .operator()
        .delete(&format!("/v1/keys/{revoked_id}"))
        .await
        .expect(200);
    let unknown = {
        let other = World::start().await;
        // One more entry, so that the generated key is another one.
        other.key(&[], None).await;
        other.key(&[], None).await;
        other.key(&[], None).await;
        other.key(&[], None).await;
        other.key(&[], None).await
    };
    let mut wrong_secret = good.clone();
    wrong_secret.replace_range(20..21, if &good[20..21] == "x" { "y" } else { "x" });
    let mut answers = Vec::new();
    for key in [
        None,
        Some("nonsense"),
        Some(&wrong_secret),
        Some(&unknown),
        Some(&expired),
        Some(&revoked),
    ] {
        let answer = world.caller(key).get("/v1/alerts").await;
        assert_eq!(
            answer.headers["www-authenticate"],
            "Bearer realm=\"holdfast\""
        );
        answers.push(answer.refusal(401, "not-authenticated").to_string());
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
    world
        .caller(Some(&good))
        .get("/v1/alerts")
        .await
        .expect(200);
    world.stop().await;
}

#[tokio::test]
async fn a_key_with_another_secret_but_a_right_check_sum_is_refused() {
    let world = World::start().await;
    let good = world.key(&Scope::ALL, None).await;
    let id = good.split('_').nth(1).unwrap();
    let forged_secret = "A".repeat(43);
    let crc = format!("{:08x}", crc(format!("hf_{id}_{forged_secret}").as_bytes()));
    let forged = format!("hf_{id}_{forged_secret}_{crc}");
    world
        .caller(Some(&forged))
        .get("/v1/alerts")
        .await
        .refusal(401, "not-authenticated");
    world.stop().await;
}

#[tokio::test]
async fn a_key_unknown_here_is_not_called_bad_while_the_others_cannot_be_asked() {
    let world = World::start().await;
    let good = world.key(&Scope::ALL, None).await;
    let parts: Vec<&str> = good.split('_').collect();
    let id: String = parts[1].chars().rev().collect();
    let unknown = format!("hf_{id}_{}", parts[2]);
    let unknown = format!("{unknown}_{:08x}", crc(unknown.as_bytes()));
    let stranger = world.caller(Some(&unknown));
    let answer = stranger.get("/v1/alerts").await;
    answer.refusal(401, "not-authenticated");
    world.replica.set_leader(None);
    let answer = stranger.get("/v1/alerts").await;
    answer.refusal(503, "no-quorum");
    let known = world.caller(Some(&good)).get("/v1/alerts").await;
    known.expect(200);
    world.stop().await;
}

#[tokio::test]
async fn a_key_does_what_its_scopes_say_and_nothing_else() {
    let world = World::start().await;
    let reader = world.caller(Some(&world.key(&[Scope::AlertRead], None).await));
    reader.get("/v1/alerts").await.expect(200);
    let answer = reader.post("/v1/alerts", json!({})).await;
    assert!(
        answer.headers["www-authenticate"]
            .to_str()
            .unwrap()
            .contains("scope=\"alert:create\"")
    );
    answer.refusal(403, "not-allowed");
    for path in [
        "/v1/people",
        "/v1/keys",
        "/v1/cluster",
        "/v1/nodes",
        "/v1/metrics",
    ] {
        reader.get(path).await.refusal(403, "not-allowed");
    }
    world.stop().await;
}

#[tokio::test]
async fn a_key_made_over_the_socket_works_until_it_is_revoked() {
    let world = World::start().await;
    let operator = world.operator();
    let made = operator
        .post(
            "/v1/keys",
            json!({"name": "SCADA", "scopes": ["alert:read"]}),
        )
        .await
        .expect(201);
    let key = made["key"].as_str().unwrap();
    assert_eq!(made["durability"], "replicated");
    let caller = world.caller(Some(key));
    caller.get("/v1/alerts").await.expect(200);

    let listed = operator.get("/v1/keys").await.expect(200);
    assert_eq!(listed["keys"][0]["name"], "SCADA");
    assert_eq!(listed["keys"][0]["created_by"], "operator:n1");
    assert!(
        !listed.to_string().contains(&key[12..55]),
        "a list never shows a secret"
    );

    operator
        .delete(&format!("/v1/keys/{}", made["id"].as_str().unwrap()))
        .await
        .expect(200);
    caller
        .get("/v1/alerts")
        .await
        .refusal(401, "not-authenticated");
    operator
        .delete("/v1/keys/nosuchkey")
        .await
        .refusal(404, "not-found");
    world.stop().await;
}

#[tokio::test]
async fn a_repeated_request_for_a_key_does_not_hand_out_a_secret_that_does_not_work() {
    let world = World::start().await;
    let operator = world.operator().with("idempotency-key", "make-it-once");
    let body = json!({"name": "SCADA", "scopes": ["alert:read"]});
    operator.post("/v1/keys", body.clone()).await.expect(201);
    operator
        .post("/v1/keys", body)
        .await
        .refusal(409, "conflict");
    assert_eq!(
        world.operator().get("/v1/keys").await.expect(200)["keys"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    world.stop().await;
}

#[tokio::test]
async fn a_key_ends_by_itself_in_cluster_time() {
    let world = World::start().await;
    let expires_at = world.replica.now() + Duration::from_secs(60);
    let caller = world.caller(Some(
        &world.key(&[Scope::AlertRead], Some(expires_at)).await,
    ));
    caller.get("/v1/alerts").await.expect(200);
    world.replica.advance(Duration::from_secs(61));
    caller
        .get("/v1/alerts")
        .await
        .refusal(401, "not-authenticated");
    world.stop().await;
}

#[tokio::test]
async fn a_wrong_request_for_a_key_names_what_is_wrong() {
    let world = World::start().await;
    let body = json!({"name": "", "scopes": ["alert:everything"], "expires_at": "soon"});
    let problem = world
        .operator()
        .post("/v1/keys", body)
        .await
        .refusal(422, "invalid-input");
    let pointers: Vec<&str> = problem["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| error["pointer"].as_str().unwrap())
        .collect();
    assert_eq!(pointers, ["#/name", "#/scopes/0", "#/expires_at"]);
    world.stop().await;
}

/// CRC-32 (ISO-HDLC), bit by bit.
fn crc(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 {
                (crc >> 1) ^ 0xedb8_8320
            } else {
                crc >> 1
            };
        }
    }
    !crc
}

#[tokio::test]
async fn too_much_at_once_is_asked_to_wait_and_alerts_of_people_and_critical_ones_are_not() {
    let world = World::start().await;
    world.add_people().await;
    let key = world.key(&[Scope::AlertCreate], None).await;
    let kai = world.caller(Some(&key));
    let raise = |severity: &str| json!({ "severity": severity, "text": "Smoke", "to": { "people": ["anna"] } });
    for _ in 0..60 {
        kai.post("/v1/alerts", raise("low")).await.expect(201);
    }
    let refused = kai.post("/v1/alerts", raise("low")).await;
    assert_eq!(refused.headers["retry-after"], "1");
    refused.refusal(429, "too-many");
    kai.post("/v1/alerts", raise("critical")).await.expect(201);
    world.replica.advance(Duration::from_secs(1));
    kai.post("/v1/alerts", raise("low")).await.expect(201);

    let maria = world.signed_in("maria", None, &["incident-manager"]).await;
    let room = |number: u32| format!("/v1/rooms/room-{number}");
    let named = json!({ "name": "Kitchen" });
    let mut refused = None;
    for number in 0..40 {
        let answer = maria.put(&room(number), named.clone()).await;
        if answer.status == 429 {
            refused = Some(answer);
            break;
        }
        answer.expect(200);
    }
    refused
        .expect("a flood of changes is asked to wait")
        .refusal(429, "too-many");
    maria.post("/v1/alerts", raise("low")).await.expect(201);
    let limits = world.operator().get("/v1/limits").await.expect(200);
    for name in ["raises", "changes"] {
        let all = limits["limits"].as_array().unwrap();
        let limit = all.iter().find(|limit| limit["name"] == name).unwrap();
        assert_eq!(limit["turned_away"], 1, "{limit}");
    }
    world.stop().await;
}

#[tokio::test]
async fn every_way_in_stands_behind_the_same_limit() {
    let world = World::start().await;
    let stranger = world.caller(None);
    let page = ::api::permissions();
    let section = page
        .split("\n## ")
        .find(|section| section.starts_with("Whoever is not signed in yet"))
        .unwrap();
    let ways: Vec<(Method, String)> = section
        .lines()
        .filter_map(|line| line.strip_prefix("- ")?.split_once(' '))
        .map(|(method, path)| (method.parse().unwrap(), path.replace(['{', '}'], "")))
        .collect();
    assert!(ways.len() >= 7, "{ways:?}");
    let guess = json!({ "code": "00000-00000-00000-00000-00000" });
    for _ in 0..100 {
        let answer = stranger.post("/v1/invitations/accept", guess.clone()).await;
        assert_ne!(answer.status, 429, "{}", answer.text);
    }
    for (method, path) in ways {
        let body = (method == Method::POST).then(|| ("application/json", b"{}".to_vec()));
        let answer = stranger.send(method.clone(), &path, body).await;
        assert_eq!(answer.status, 429, "{method} {path}: {}", answer.text);
    }
    world.stop().await;
}
