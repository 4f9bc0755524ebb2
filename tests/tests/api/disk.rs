//! What a node takes when its disk fills up (DESIGN §4.6).

use domain::nodes::Disk;
use serde_json::{Value, json};

use super::World;

fn alert(severity: &str) -> Value {
    json!({"severity": severity, "text": "Fire in the turbine hall", "to": {"groups": ["duty"]}})
}

#[tokio::test]
async fn a_filling_disk_refuses_all_but_critical_alerts_then_all_and_takes_them_again_by_itself() {
    let world = World::start().await;
    world.add_people().await;
    let client = world.trusted().await;
    let first = client.post("/v1/alerts", alert("critical")).await;
    let number = first.expect(201)["number"].as_str().unwrap().to_owned();
    for (disk, free_mb, high, critical) in [
        (Disk::Ample, 300, 201, 201),
        (Disk::CriticalOnly, 200, 507, 201),
        (Disk::ResultsOnly, 40, 507, 507),
        (Disk::Ample, 300, 201, 201),
    ] {
        world.machine.set_disk(disk, free_mb);
        for (severity, expected) in [("high", high), ("critical", critical)] {
            let answer = client.post("/v1/alerts", alert(severity)).await;
            assert_eq!(answer.status.as_u16(), expected, "{free_mb} MB: {answer:?}");
            if expected == 507 {
                let problem: Value = serde_json::from_str(&answer.text).unwrap();
                let detail = problem["detail"].as_str().unwrap();
                assert!(detail.contains(&format!("{free_mb} MB")), "{detail}");
                assert!(detail.contains("ask another node"), "{detail}");
            }
        }
    }
    // What becomes of alerts that are there is always taken.
    world.machine.set_disk(Disk::ResultsOnly, 1);
    let note = json!({"reason": "false alarm"});
    let ended = format!("/v1/alerts/{number}/call-off");
    client.post(&ended, note).await.expect(200);
}
