//! Thousands of requests that a program not ours makes from the OpenAPI document, well-formed and not: none makes a node fail, and
//! every answer is one the document names (SECURITY V2.2.2).

use std::path::PathBuf;
use std::time::Duration;

use domain::access::Scope;
use serde_json::json;
use tests::require::skip;
use tokio::process::Command;
use tokio::time::timeout;

use super::World;

/// For how long requests are made.
const MAKE_S: &str = "40";

/// How long all of it may take, reading the document and reporting included.
const WHOLE: Duration = Duration::from_secs(150);

/// What is looked at in every answer. An answer the document does not name is held against what it says of errors.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,\
                      response_schema_conformance";

/// Schemathesis, where the tests' runner put it.
fn schemathesis() -> Option<PathBuf> {
    let tools = std::env::var_os("HOLDFAST_TOOLS").map(PathBuf::from);
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let tools = tools.or(home.map(|home| home.join(".cache/holdfast-tools")))?;
    let program = tools.join("bin/schemathesis");
    if program.is_file() {
        return Some(program);
    }
    skip("schemathesis is not installed; tests/run puts it beside the cargo tools");
    None
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_made_from_the_document_meets_a_failure_or_an_answer_it_does_not_name() {
    let Some(program) = schemathesis() else {
        return;
    };
    let world = World::start().await;
    world.add_people().await;
    let raise = json!({ "text": "Pump 3", "severity": "high", "to": { "groups": ["duty"] } });
    let operator = world.operator();
    operator.post("/v1/alerts", raise).await.expect(201);
    let key = world.key(&Scope::ALL, None).await;
    let folder = tempfile::tempdir().unwrap();
    let document = folder.path().join("openapi.json");
    std::fs::write(&document, ::api::openapi()).unwrap();
    let run = Command::new(program)
        .current_dir(folder.path())
        .args(["--no-color", "run"])
        .arg(&document)
        .args(["--url", &format!("https://{}", world.https)])
        .args(["--tls-verify", "false"])
        .args(["--header", &format!("Authorization: Bearer {key}")])
        .args(["--generation-with-security-parameters", "false"])
        .args(["--generation-database", "none"])
        .args(["--phases", "examples,coverage,fuzzing"])
        .args(["--checks", CHECKS])
        .args(["--max-examples", "10", "--max-time", MAKE_S, "--seed", "7"])
        .args(["--suppress-health-check", "all", "--warnings", "off"])
        // A stream has no end; a node that is not ready says 503 by this path, and is well.
        .args(["--exclude-path", "/v1/events", "--exclude-path", "/readyz"])
        .kill_on_drop(true)
        .output();
    let ran = timeout(WHOLE, run).await.unwrap().unwrap();
    let said = String::from_utf8_lossy(&ran.stdout);
    let end = said.len().saturating_sub(20_000);
    let end = said.char_indices().map(|(at, _)| at).find(|at| *at >= end);
    assert!(
        ran.status.success(),
        "{}\n{}",
        &said[end.unwrap_or_default()..],
        String::from_utf8_lossy(&ran.stderr)
    );
    // It ran, and the node is what it was.
    assert!(
        said.contains("/v1/alerts") || said.contains("generated"),
        "{said}"
    );
    operator.get("/v1/alerts").await.expect(200);
    world.stop().await;
}
