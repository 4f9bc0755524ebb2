//! Every error is a problem document, whatever was wrong.

use hyper::Method;
use serde_json::json;

use super::World;

#[tokio::test]
async fn unknown_paths_and_methods_are_problems_too() {
    let world = World::start().await;
    let operator = world.operator();
    operator.get("/v1/nothing").await.refusal(404, "not-found");
    operator.get("/nothing").await.refusal(404, "not-found");
    let wrong = operator.send(Method::PATCH, "/v1/alerts/1", None).await;
    assert_eq!(wrong.headers["allow"], "GET");
    wrong.refusal(405, "method-not-allowed");
    operator
        .get("/v1/alerts/not-an-alert")
        .await
        .refusal(404, "unknown-alert");
    operator
        .get("/v1/alerts/1")
        .await
        .refusal(404, "unknown-alert");
    operator
        .get("/v1/alerts?limit=many")
        .await
        .refusal(400, "bad-request");
    operator
        .get("/v1/alerts?consistency=eventual")
        .await
        .refusal(400, "bad-request");
    // Without a key nothing can be learned, not even what exists.
    world
        .caller(None)
        .get("/v1/nothing")
        .await
        .refusal(401, "not-authenticated");
    world
        .admin()
        .get("/v1/alerts")
        .await
        .refusal(404, "not-found");
    world
        .admin()
        .post("/metrics", json!({}))
        .await
        .refusal(405, "method-not-allowed");
    world.stop().await;
}

#[tokio::test]
async fn bodies_that_cannot_be_read_are_problems_that_say_why() {
    let world = World::start().await;
    let operator = world.operator();
    let post = |content_type: &'static str, body: Vec<u8>| {
        let operator = operator.clone();
        async move {
            operator
                .send(Method::POST, "/v1/alerts", Some((content_type, body)))
                .await
        }
    };
    post("text/plain", b"Fire".to_vec())
        .await
        .refusal(415, "unsupported-media-type");
    operator
        .send(Method::POST, "/v1/alerts", None)
        .await
        .refusal(415, "unsupported-media-type");
    post("application/json", b"{\"severity\":".to_vec())
        .await
        .refusal(400, "malformed-json");
    post("application/json", b"".to_vec())
        .await
        .refusal(400, "malformed-json");
    post("application/json", b"\xff\xfe".to_vec())
        .await
        .refusal(400, "malformed-json");
    post("application/json; charset=utf-8", b"[]".to_vec())
        .await
        .refusal(422, "invalid-input");
    post(
        "application/json",
        b"{\"severity\":\"low\",\"txet\":\"Fire\"}".to_vec(),
    )
    .await
    .refusal(422, "invalid-input");
    post("application/json", "[".repeat(100_000).into_bytes())
        .await
        .refusal(422, "invalid-input");
    post(
        "application/json",
        format!("{{\"steps\":{}", "[".repeat(100_000)).into_bytes(),
    )
    .await
    .refusal(422, "invalid-input");
    post("application/json", vec![b' '; 2 * 1024 * 1024])
        .await
        .refusal(413, "too-large");
    world.stop().await;
}

#[tokio::test]
async fn an_unreadable_idempotency_key_is_refused() {
    let world = World::start().await;
    let long = "k".repeat(256);
    for bad in ["", &long] {
        let operator = world.operator().with("idempotency-key", bad);
        operator
            .post("/v1/alerts", json!({"severity": "low"}))
            .await
            .refusal(400, "bad-request");
        operator
            .delete("/v1/people/anna")
            .await
            .refusal(400, "bad-request");
    }
    world.stop().await;
}

#[tokio::test]
async fn changes_asked_for_by_other_sites_pages_are_refused() {
    let world = World::start().await;
    let client = world.trusted().await;
    let evil = client.with("origin", "https://evil.example");
    evil.post("/v1/alerts", json!({}))
        .await
        .refusal(403, "cross-site");
    evil.delete("/v1/people/anna")
        .await
        .refusal(403, "cross-site");
    client
        .with("sec-fetch-site", "cross-site")
        .post("/v1/alerts", json!({}))
        .await
        .refusal(403, "cross-site");
    evil.get("/v1/alerts").await.expect(200);
    world.stop().await;
}

#[tokio::test]
async fn every_answer_carries_the_security_headers_and_no_cookie() {
    let world = World::start().await;
    let client = world.trusted().await;
    for answer in [
        client.get("/v1/alerts").await,
        client.get("/v1/nothing").await,
        client.post("/v1/alerts", json!({})).await,
        world.caller(None).get("/v1/alerts").await,
        world.caller(None).get("/healthz").await,
        world.admin().get("/metrics").await,
    ] {
        let header = |name: &str| answer.headers[name].to_str().unwrap();
        assert_eq!(
            header("strict-transport-security"),
            "max-age=31536000; includeSubDomains"
        );
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert_eq!(header("cache-control"), "no-store");
        assert_eq!(header("referrer-policy"), "no-referrer");
        assert!(header("content-security-policy").starts_with("default-src 'none'"));
        assert!(!answer.headers.contains_key("set-cookie"));
        assert!(!answer.headers.contains_key("access-control-allow-origin"));
    }
    world.stop().await;
}
