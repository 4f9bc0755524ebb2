//! The OpenAPI document that is checked in is the one the program speaks by.

use std::path::Path;

use serde_json::{Value, json};

use super::World;

const CHECKED_IN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/openapi.json");

/// Set to 1 to write the file anew instead of comparing it.
const BLESS: &str = "HOLDFAST_BLESS";

#[test]
fn the_document_checked_in_is_the_one_served() {
    let served = ::api::openapi();
    if std::env::var(BLESS).is_ok_and(|value| value == "1") {
        std::fs::write(Path::new(CHECKED_IN), &served).unwrap();
    }
    let checked_in = std::fs::read_to_string(CHECKED_IN).unwrap_or_default();
    assert!(
        checked_in == served,
        "docs/openapi.json is out of date: run this test with {BLESS}=1 and look at the change"
    );
}

#[test]
fn the_page_about_permissions_is_the_one_the_guard_goes_by() {
    let page = ::api::permissions();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/permissions.md");
    if std::env::var(BLESS).is_ok_and(|value| value == "1") {
        std::fs::write(path, &page).unwrap();
    }
    let checked_in = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        checked_in == page,
        "docs/permissions.md is out of date: run this test with {BLESS}=1 and look at the change"
    );
}

#[test]
fn every_operation_says_what_it_needs_and_how_it_fails() {
    let document: Value = serde_json::from_str(&::api::openapi()).unwrap();
    let mut ids = std::collections::BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let what = format!("{method} {path}");
            assert!(
                ids.insert(operation["operationId"].to_string()),
                "{what}: its id stands twice"
            );
            assert!(operation["summary"].is_string(), "{what} has no summary");
            if !path.starts_with("/v1/") {
                continue;
            }
            let security = &operation["security"][0];
            let by_address = [
                "get /v1/about",
                "get /v1/calendars/{feed}",
                "post /v1/sign-in",
                "post /v1/sign-in/{attempt}",
                "post /v1/sign-in/{attempt}/text",
                "post /v1/sign-in/glass",
                "get /v1/sign-in/passkey",
                "post /v1/sign-in/passkey",
                "post /v1/invitations/accept",
            ];
            let by_address = by_address.contains(&what.as_str()) && *security == json!({});
            assert!(
                security["api_key"][0].is_string()
                    || security["session"][0].is_string()
                    || security["source_token"][0].is_string()
                    || by_address,
                "{what} names no scope"
            );
            assert!(
                operation["responses"]["default"].is_object(),
                "{what} does not say how it fails"
            );
        }
    }
}

#[tokio::test]
async fn the_admin_listener_serves_the_document() {
    let world = World::start().await;
    let served = world.admin().get("/openapi.json").await;
    assert_eq!(served.text, ::api::openapi());
    world
        .caller(None)
        .get("/openapi.json")
        .await
        .refusal(401, "not-authenticated");
    world.stop().await;
}
