//! Sources over HTTP: tokens, webhooks, signs of life, silences, the stop; and a real Alertmanager.

use std::process::{Child, Command as Program, Stdio};
use std::time::{Duration, Instant};

use domain::access::Scope;
use serde_json::json;
use tests::require::require_program;

use super::World;
use super::client::Client;

const PATIENCE: Duration = Duration::from_secs(60);

async fn source(world: &World, key: &str, kind: &str) -> String {
    let operator = world.operator();
    let mut body = json!({"name": "Hall 2", "kind": kind, "calls": {"groups": ["duty"]}});
    if kind == "heartbeat" {
        body["beat"] = json!({"every_s": 60, "grace_s": 30});
    }
    operator
        .put(&format!("/v1/sources/{key}"), body)
        .await
        .expect(200);
    let made = operator
        .post(&format!("/v1/sources/{key}/token"), json!({}))
        .await
        .expect(201);
    made["token"].as_str().unwrap().to_owned()
}

async fn alerts(world: &World) -> Vec<(String, String)> {
    let listed = world.operator().get("/v1/alerts").await.expect(200);
    let rows = listed["alerts"].as_array().unwrap().iter();
    rows.map(|alert| {
        let word = |key: &str| alert[key].as_str().unwrap_or_default().to_owned();
        (word("state"), word("text"))
    })
    .collect()
}

#[tokio::test]
async fn a_token_opens_its_own_source_and_nothing_else() {
    let world = World::start().await;
    world.add_people().await;
    let token = source(&world, "prom", "webhook").await;
    let other = source(&world, "scada", "webhook").await;
    let nobody = world.caller(None);
    let fire = json!({"text": "Pump 3 has tripped", "key": "p3"});
    let by_path = format!("/v1/sources/prom/{token}/in");
    nobody.post(&by_path, fire.clone()).await.expect(200);
    let by_header = world.caller(Some(&token));
    by_header
        .post("/v1/sources/prom/in", fire.clone())
        .await
        .expect(200);
    assert_eq!(
        alerts(&world).await,
        [("open".to_owned(), "Pump 3 has tripped".to_owned())]
    );

    nobody
        .post(&format!("/v1/sources/prom/{other}/in"), fire.clone())
        .await
        .refusal(401, "not-authenticated");
    by_header
        .post("/v1/sources/scada/in", fire.clone())
        .await
        .refusal(401, "not-authenticated");
    by_header
        .post("/v1/sources/none/in", fire.clone())
        .await
        .refusal(401, "not-authenticated");
    by_header
        .get("/v1/alerts")
        .await
        .refusal(401, "not-authenticated");
    let key = world.key(&Scope::ALL, None).await;
    world
        .caller(Some(&key))
        .post("/v1/sources/prom/in", fire.clone())
        .await
        .refusal(401, "not-authenticated");

    world
        .operator()
        .post("/v1/sources/prom/token", json!({}))
        .await
        .expect(201);
    nobody
        .post(&by_path, fire)
        .await
        .refusal(401, "not-authenticated");
    let listed = world.operator().get("/v1/sources").await.text;
    assert!(!listed.contains(&token[4..]), "no token is shown again");
    world.stop().await;
}

#[tokio::test]
async fn a_sample_shows_what_would_happen_and_changes_nothing() {
    let world = World::start().await;
    world.add_people().await;
    source(&world, "prom", "alertmanager").await;
    let operator = world.operator();
    let sample = json!({"alerts": [{"status": "firing", "fingerprint": "f1",
        "labels": {"alertname": "DiskFull", "severity": "critical"}, "annotations": {"summary": "92 % on /var"}}]});
    let before = world.replica.applied();
    let told = operator
        .post("/v1/sources/prom/try", sample)
        .await
        .expect(200);
    let signal = &told["signals"][0];
    assert_eq!(
        (
            &signal["what"],
            &signal["people"],
            &signal["severity"],
            &signal["texts"]["und"]
        ),
        (
            &json!("alone"),
            &json!(1),
            &json!("critical"),
            &json!("DiskFull: 92 % on /var")
        )
    );
    let wrong = operator
        .post("/v1/sources/prom/try", json!({"alarms": []}))
        .await;
    let detail = wrong.refusal(422, "invalid-input");
    assert!(
        detail["detail"]
            .as_str()
            .unwrap()
            .contains("it has the fields alarms"),
        "{detail}"
    );
    assert_eq!(world.replica.applied(), before);
    world.stop().await;
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_and_still_alarms_once() {
    let world = World::start().await;
    world.add_people().await;
    let token = source(&world, "prom", "webhook").await;
    let nobody = world.caller(None);
    for _ in 0..3 {
        let path = format!("/v1/sources/prom/{token}/in");
        nobody
            .post(&path, json!({"nothing": "known"}))
            .await
            .refusal(422, "invalid-input");
    }
    let raised = alerts(&world).await;
    assert_eq!(raised.len(), 1);
    assert!(raised[0].1.contains("cannot be read"), "{raised:?}");
    world.stop().await;
}

#[tokio::test]
async fn a_sign_of_life_is_a_fetched_address() {
    let world = World::start().await;
    world.add_people().await;
    let token = source(&world, "backup", "heartbeat").await;
    let nobody = world.caller(None);
    nobody
        .get(&format!("/v1/sources/backup/{token}/beat"))
        .await
        .expect(200);
    let shown = world.operator().get("/v1/sources/backup").await.expect(200);
    assert!(shown["beat"]["last_at"].is_string(), "{shown}");
    let webhook = source(&world, "prom", "webhook").await;
    nobody
        .get(&format!("/v1/sources/prom/{webhook}/beat"))
        .await
        .refusal(422, "invalid-input");
    world.stop().await;
}

#[tokio::test]
async fn a_stop_and_a_silence_hold_what_is_automatic_and_say_so() {
    let world = World::start().await;
    world.add_people().await;
    let token = source(&world, "prom", "webhook").await;
    let operator = world.operator();
    let nobody = world.caller(None);
    let path = format!("/v1/sources/prom/{token}/in");
    let silence = json!({"source": "prom", "matchers": [{"label": "site", "value": "north"}], "for_s": 3_600, "reason": "new switch"});
    let made = operator.post("/v1/silences", silence).await.expect(201);
    let north = json!({"text": "north is down", "labels": {"site": "north"}});
    nobody.post(&path, north).await.expect(200);
    let listed = operator.get("/v1/sources/prom/signals").await.expect(200);
    assert_eq!(listed["signals"][0]["held"], "silence");
    assert_eq!(listed["signals"][0]["silence"], made["id"]);

    let stop = json!({"reason": "maintenance of SCADA", "for_s": 600});
    operator.post("/v1/source-stop", stop).await.expect(200);
    nobody
        .post(&path, json!({"text": "south is down"}))
        .await
        .expect(200);
    let status = operator.get("/v1/cluster").await.expect(200);
    assert!(
        status["alarms"][0]
            .as_str()
            .unwrap()
            .contains("maintenance of SCADA"),
        "{status}"
    );
    let fire = json!({"severity": "high", "text": "Fire", "to": {"groups": ["duty"]}});
    operator.post("/v1/alerts", fire).await.expect(201);
    assert_eq!(alerts(&world).await.len(), 1, "only the person's");
    operator.delete("/v1/source-stop").await.expect(200);
    let id = made["id"].as_str().unwrap();
    operator
        .delete(&format!("/v1/silences/{id}"))
        .await
        .expect(200);
    assert_eq!(alerts(&world).await.len(), 3, "both still last");
    let rooms = operator.get("/v1/rooms/inbox/messages").await.expect(200);
    assert_eq!(rooms["messages"].as_array().unwrap().len(), 3);
    let endless = json!({"source": "prom", "reason": "for ever"});
    operator
        .post("/v1/silences", endless)
        .await
        .refusal(422, "invalid-input");
    world.stop().await;
}

#[tokio::test]
async fn a_storm_of_webhooks_shares_few_commands_and_a_person_is_served_beside_it() {
    let world = World::start().await;
    world.add_people().await;
    let token = source(&world, "prom", "webhook").await;
    let before = world.replica.applied();
    let mut senders = tokio::task::JoinSet::new();
    for n in 0..60 {
        let (nobody, token) = (world.caller(None), token.clone());
        senders.spawn(async move {
            let path = format!("/v1/sources/prom/{token}/in");
            nobody
                .post(&path, json!({"text": format!("pump {n}")}))
                .await
                .status
        });
    }
    let fire = json!({"severity": "critical", "text": "Fire", "to": {"groups": ["duty"]}});
    world.operator().post("/v1/alerts", fire).await.expect(201);
    while let Some(status) = senders.join_next().await {
        let status = status.unwrap();
        assert!(status == 200 || status == 503, "{status}");
    }
    let commands = world.replica.applied() - before;
    assert!(
        commands < 60,
        "{commands} commands for 60 webhooks and a raise"
    );
    assert_eq!(
        alerts(&world).await.len(),
        3,
        "one alone, one bundle, one by hand"
    );
    world.stop().await;
}

/// A program ended by its id when the test ends.
struct Peer(Child);

impl Drop for Peer {
    fn drop(&mut self) {
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

#[tokio::test]
async fn alertmanager_raises_and_closes_knowing_nothing_but_our_url() {
    let Some(program) = require_program("prometheus-alertmanager", "prometheus-alertmanager")
    else {
        return;
    };
    let world = World::start().await;
    world.add_people().await;
    let token = source(&world, "prom", "alertmanager").await;
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("alertmanager.yml");
    let url = format!("https://{}/v1/sources/prom/{token}/in", world.https);
    let yaml = format!(
        "route:\n  receiver: holdfast\n  group_wait: 1s\n  group_interval: 1s\nreceivers:\n- name: holdfast\n  webhook_configs:\n  - url: {url}\n"
    );
    std::fs::write(&config, yaml).unwrap();
    let trusted = dir.path().join("ca.pem");
    let encoded = data_encoding::BASE64.encode(&world.certificate);
    std::fs::write(
        &trusted,
        format!("-----BEGIN CERTIFICATE-----\n{encoded}\n-----END CERTIFICATE-----\n"),
    )
    .unwrap();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let _peer = Peer(
        Program::new(program)
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.path={}", dir.path().display()))
            .arg(format!("--web.listen-address={address}"))
            .arg("--cluster.listen-address=")
            .env("SSL_CERT_FILE", &trusted)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap(),
    );
    let began = Instant::now();
    while tokio::net::TcpStream::connect(address).await.is_err() {
        assert!(began.elapsed() < PATIENCE, "Alertmanager does not start");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let monitor = Client::plain(address);
    let mut alert = json!({"labels": {"alertname": "DiskFull", "instance": "db1", "severity": "critical"},
        "annotations": {"summary": "92 % on /var"}});
    monitor
        .post("/api/v2/alerts", json!([alert]))
        .await
        .expect(200);
    until(&world, "open", "DiskFull: 92 % on /var").await;
    alert["endsAt"] = json!("2026-01-01T00:00:00Z");
    alert["startsAt"] = json!("2025-12-31T00:00:00Z");
    monitor
        .post("/api/v2/alerts", json!([alert]))
        .await
        .expect(200);
    until(&world, "resolved", "DiskFull: 92 % on /var").await;
    let listed = world
        .operator()
        .get("/v1/sources/prom/signals")
        .await
        .expect(200);
    assert_eq!(listed["signals"][0]["labels"]["instance"], "db1");
    world.stop().await;
}

/// Waits until the newest alert is as it should be.
async fn until(world: &World, state: &str, text: &str) {
    let began = Instant::now();
    loop {
        let found = alerts(world).await;
        if found.first() == Some(&(state.to_owned(), text.to_owned())) {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "not {state}: {found:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
