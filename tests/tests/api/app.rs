//! The app as served: its files, the policy they run under, who may ask from where, and the stream of events.

use domain::access::Scope;
use domain::{AlertId, Command, escalation};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use super::client::{self, Answer};
use super::{MEMBER, World};

#[track_caller]
fn with_status(answer: Answer, status: u16) -> Answer {
    assert_eq!(answer.status.as_u16(), status, "{}", answer.text);
    answer
}

#[tokio::test]
async fn pages_come_without_a_key_and_under_a_strict_policy() {
    let world = World::start().await;
    let nobody = world.caller(None);
    for path in ["/", "/incident/118", "/send", "/wall"] {
        let page = with_status(nobody.get(path).await, 200);
        assert!(page.text.starts_with("<!doctype html>"), "{path}");
        assert_eq!(page.headers["cache-control"], "no-cache");
        assert_eq!(page.headers["x-content-type-options"], "nosniff");
        assert!(page.headers.contains_key("strict-transport-security"));
        assert!(!page.headers.contains_key("set-cookie"));
        let policy = page.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("require-trusted-types-for 'script'"));
        assert!(policy.contains(&format!("connect-src 'self' {MEMBER};")));
        assert!(!policy.contains("unsafe"), "{policy}");
    }
    // What is not the app's is not shown to strangers, and what no longer exists is no page.
    with_status(nobody.get("/nothing").await, 401);
    with_status(nobody.get("/assets/old-1234.js").await, 404);
    world.stop().await;
}

#[tokio::test]
async fn a_file_that_did_not_change_is_not_sent_again() {
    let world = World::start().await;
    let nobody = world.caller(None);
    let page = with_status(nobody.get("/").await, 200);
    let tag = page.headers["etag"].to_str().unwrap();
    let again = nobody.with("if-none-match", tag).get("/").await;
    let again = with_status(again, 304);
    assert!(again.bytes.is_empty());
    assert_eq!(again.headers["etag"], tag);
    let other = nobody.with("if-none-match", "\"other\"").get("/").await;
    with_status(other, 200);
    world.stop().await;
}

#[tokio::test]
async fn a_members_page_may_ask_and_another_sites_may_not() {
    let world = World::start().await;
    let key = world.key(&Scope::ALL, None).await;
    let member = world.caller(Some(&key)).with("origin", MEMBER);
    let report = json!({"who": "Guard", "what": "Smoke at gate 3"});
    let asking = member.with("sec-fetch-site", "same-site");
    let answer = with_status(asking.post("/v1/reports", report).await, 201);
    assert_eq!(answer.headers["access-control-allow-origin"], MEMBER);
    let foreign = world
        .caller(Some(&key))
        .with("origin", "https://evil.example");
    let report = json!({"who": "x", "what": "y"});
    let refused = with_status(foreign.post("/v1/reports", report).await, 403);
    assert!(!refused.headers.contains_key("access-control-allow-origin"));
    let read = with_status(foreign.get("/v1/alerts").await, 200);
    assert!(!read.headers.contains_key("access-control-allow-origin"));
    world.stop().await;
}

#[tokio::test]
async fn whose_cluster_it_is_is_known_before_signing_in() {
    let world = World::start().await;
    let about = world.caller(None).get("/v1/about").await.expect(200);
    assert_eq!(about["members"], json!([MEMBER]));
    assert_eq!(about["node"], 1);
    world.stop().await;
}

#[tokio::test]
async fn a_person_sees_what_they_are_asked_and_what_they_said() {
    let world = World::start().await;
    world.add_people().await;
    let operator = world.operator();
    let raise =
        json!({"text": "Pump 3", "severity": "critical", "to": {"people": ["anna", "bela"]}});
    let raised = operator.post("/v1/alerts", raise).await.expect(201);
    let alert = AlertId::parse(raised["id"].as_str().unwrap()).unwrap();
    let call = escalation::Command::ExpandPage { alert, page: 0 };
    world.apply(Command::Escalation(call)).await;
    let own = |answer: Answer| answer.expect(200);
    let before = own(operator.get("/v1/people/anna/alerts").await);
    assert_eq!(before["alerts"][0]["alert"]["number"], "1");
    assert_eq!(before["alerts"][0]["call"]["answer"], json!(null));
    let said = json!({"person": "anna", "answer": "coming", "eta_minutes": 20});
    operator.post("/v1/alerts/1/answer", said).await.expect(200);
    let after = own(operator.get("/v1/people/anna/alerts").await);
    assert_eq!(after["alerts"][0]["call"]["answer"], "coming");
    assert_eq!(after["alerts"][0]["coming"], 1);
    operator
        .post("/v1/alerts/1/resolve", json!({}))
        .await
        .expect(200);
    let over = own(operator.get("/v1/people/anna/alerts").await);
    assert_eq!(over["alerts"], json!([]));
    operator.get("/v1/people/nobody/alerts").await.expect(404);
    world.stop().await;
}

/// A stream of events, read by hand.
struct Listening(TlsStream<TcpStream>, String);

impl Listening {
    async fn start(world: &World, key: &str, after: &str) -> Self {
        let mut stream = client::connect(world.https, &world.certificate)
            .await
            .unwrap();
        let request = format!(
            "GET /v1/events?after={after} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {key}\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        Self(stream, String::new())
    }

    /// Reads until one more event is there.
    async fn event(&mut self) -> (String, Vec<String>) {
        loop {
            if let Some(start) = self.1.find("event: ")
                && let Some(end) = self.1[start..].find("\n\n")
            {
                let event = self.1[start..start + end].to_owned();
                self.1.drain(..start + end + 2);
                let line = |name: &str| {
                    let found = event.lines().find_map(|line| line.strip_prefix(name));
                    found.unwrap_or_default().to_owned()
                };
                let data: serde_json::Value = serde_json::from_str(&line("data: ")).unwrap();
                let topics = data["topics"].as_array().unwrap().iter();
                let topics = topics.map(|topic| topic.as_str().unwrap().to_owned());
                let kind = line("event: ");
                let what = if kind == "again" { kind } else { line("id: ") };
                return (what, topics.collect());
            }
            let mut buffer = [0; 4096];
            let read = self.0.read(&mut buffer);
            let read = tokio::time::timeout(std::time::Duration::from_secs(10), read);
            let count = read.await.unwrap().unwrap();
            assert!(count > 0, "the stream ended: {}", self.1);
            self.1.push_str(&String::from_utf8_lossy(&buffer[..count]));
        }
    }
}

#[tokio::test]
async fn listeners_hear_what_changed_as_far_as_they_may_and_go_on_where_they_were() {
    let world = World::start().await;
    world.add_people().await;
    let key = world.key(&[Scope::AlertRead, Scope::RoomRead], None).await;
    let mut listening = Listening::start(&world, &key, "").await;
    let (_, everything) = listening.event().await;
    assert_eq!(everything, ["alerts", "deliveries", "rooms", "reports"]);
    let operator = world.operator();
    let raise = json!({"text": "Pump 3", "severity": "critical", "to": {"people": ["anna"]}});
    operator.post("/v1/alerts", raise).await.expect(201);
    let (heard, topics) = listening.event().await;
    assert_eq!(topics, ["alerts", "deliveries", "rooms"]);
    drop(listening);
    let post = json!({"text": "On my way"});
    operator
        .post("/v1/rooms/1/messages", post)
        .await
        .expect(201);
    let mut back = Listening::start(&world, &key, &heard).await;
    let (_, missed) = back.event().await;
    assert_eq!(missed, ["rooms"], "only what was missed");
    world.stop().await;
}

#[tokio::test]
async fn whoever_listens_shows_again_who_they_are_when_a_key_ends() {
    let world = World::start().await;
    let (kept, other) = (
        world.key(&[Scope::AlertRead], None).await,
        world.key(&[Scope::AlertRead], None).await,
    );
    let mut listening = Listening::start(&world, &kept, "").await;
    listening.event().await;
    let id = other.split('_').nth(1).unwrap();
    let operator = world.operator();
    operator.delete(&format!("/v1/keys/{id}")).await.expect(200);
    assert_eq!(listening.event().await.0, "again");
    let nobody = world.caller(None);
    nobody.get("/v1/events").await.expect(401);
    let ended = world.caller(Some(&other));
    ended.get("/v1/events").await.expect(401);
    world.stop().await;
}

#[tokio::test]
async fn somebody_who_may_see_no_alert_listens_too_and_hears_that_a_session_ended() {
    let world = World::start().await;
    let key = world.key(&[Scope::ClusterRead], None).await;
    let mut listening = Listening::start(&world, &key, "").await;
    assert_eq!(listening.event().await.1, ["cluster", "limits"]);
    let admin = world.signed_in("paula", None, &["admin"]).await;
    // Enrolling touched what people may: that was heard already.
    while listening.event().await.0 != "again" {}
    let mut listening = Listening::start(&world, &key, "").await;
    listening.event().await;
    admin.delete("/v1/session").await.expect(200);
    assert_eq!(listening.event().await.0, "again");
    world.stop().await;
}

#[tokio::test]
async fn a_stop_ends_streams_soon() {
    let world = World::start().await;
    let key = world.key(&[Scope::AlertRead], None).await;
    let mut listening = Listening::start(&world, &key, "").await;
    listening.event().await;
    let started = std::time::Instant::now();
    world.stop().await;
    assert!(started.elapsed() < std::time::Duration::from_secs(3));
}

#[tokio::test]
async fn every_file_the_service_worker_keeps_is_served_and_its_hashed_ones_for_ever() {
    let world = World::start().await;
    let nobody = world.caller(None);
    let worker = nobody.get("/sw.js").await;
    if worker.status.as_u16() == 404 {
        eprintln!("skipped: this build has no app");
        return world.stop().await;
    }
    let line = |line: &&str| line.starts_with("const FILES");
    let files = worker.text.lines().find(line).unwrap().split('"');
    let files: Vec<_> = files.filter(|part| part.starts_with('/')).collect();
    assert!(files.len() > 10 && files.contains(&"/"), "{files:?}");
    for file in files {
        let packed = nobody.with("accept-encoding", "gzip, br");
        let answer = with_status(packed.get(file).await, 200);
        let hashed = file.starts_with("/assets/");
        let caching = answer.headers["cache-control"].to_str().unwrap();
        assert_eq!(caching.contains("immutable"), hashed, "{file}: {caching}");
        let text = !file.ends_with(".png");
        let form = answer.headers.get("content-encoding");
        assert!(text || form.is_none(), "{file}");
    }
    world.stop().await;
}
