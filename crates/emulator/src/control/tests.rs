//! The whole world through its socket and its terminals.

use std::{path::Path, time::Duration};

use serde_json::json;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::UnixStream,
};

use super::*;
use crate::{World, WorldConfig, event::Event, mail::MailConfig, modem::ModemConfig};

const PHONE: &str = "+358405550001";

async fn world(directory: &Path) -> (World, Client) {
    let config = WorldConfig {
        modems: vec![
            ModemConfig::new("a", "+358401000001"),
            ModemConfig::new("b", "+358401000002"),
        ],
        phones: vec![PHONE.to_owned()],
        mail: vec![MailConfig {
            name: "m1".to_owned(),
            ..MailConfig::default()
        }],
        ..WorldConfig::new(directory)
    };
    let world = World::start(config).await.unwrap();
    let client = Client::connect(world.control_socket()).await.unwrap();
    (world, client)
}

/// A program on a port: writes, and reads until the text appears.
fn converse(port: &Path, write: &str, until: &str) -> String {
    use std::io::{Read, Write};
    let mut port = std::fs::File::options()
        .read(true)
        .write(true)
        .open(port)
        .unwrap();
    port.write_all(write.as_bytes()).unwrap();
    let mut said = Vec::new();
    let mut buffer = [0; 256];
    while !String::from_utf8_lossy(&said).contains(until) {
        let len = port.read(&mut buffer).unwrap();
        assert!(len > 0, "port closed after {said:?}");
        said.extend_from_slice(&buffer[..len]);
    }
    String::from_utf8(said).unwrap()
}

async fn on_port(world: &World, modem: &str, write: &'static str, until: &'static str) -> String {
    let port = world.port(modem);
    tokio::task::spawn_blocking(move || converse(&port, write, until))
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_talks_to_a_modem_again_and_again_and_after_a_replug() {
    let directory = tempfile::tempdir().unwrap();
    let (world, client) = world(directory.path()).await;
    for _ in 0..20 {
        assert_eq!(
            on_port(&world, "a", "ATE0\rAT+CSQ\r", "99\r\n\r\nOK\r\n")
                .await
                .matches("OK")
                .count(),
            2
        );
    }
    let before = std::fs::read_link(world.port("a")).unwrap();
    client.unplug("a").await.unwrap();
    assert!(!client.modems().await.unwrap()[0].plugged);
    let gone = async {
        while world.port("a").exists() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(1), gone)
        .await
        .unwrap();
    let hold = std::fs::File::open(world.port("b")).unwrap();
    client.replug("a").await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(world.port("a").exists(), "was {before:?}");
    assert_eq!(on_port(&world, "a", "AT\r", "OK").await, "AT\r\r\nOK\r\n");
    drop(hold);
    world.stop().await;
    assert_eq!(
        std::fs::read_dir(directory.path()).unwrap().count(),
        0,
        "nothing is left behind"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unplugged_port_reads_as_its_end() {
    let directory = tempfile::tempdir().unwrap();
    let (world, client) = world(directory.path()).await;
    let port = world.port("a");
    let reader = tokio::task::spawn_blocking(move || {
        use std::io::Read;
        let mut port = std::fs::File::open(port).unwrap();
        let mut buffer = [0; 16];
        port.read(&mut buffer)
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    client.unplug("a").await.unwrap();
    let read = tokio::time::timeout(Duration::from_secs(2), reader)
        .await
        .unwrap()
        .unwrap();
    assert!(matches!(read, Ok(0) | Err(_)), "{read:?}");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_phone_and_a_modem_text_each_other_and_subscribers_hear_of_it() {
    let directory = tempfile::tempdir().unwrap();
    let (world, client) = world(directory.path()).await;
    let mut events = client.subscribe().await.unwrap();
    let sent = on_port(
        &world,
        "a",
        "AT+CMGS=15\r002100 0C91534850550010 0000 02E834\x1a",
        "+CMGS: 0",
    )
    .await;
    assert!(sent.contains("\r\n> "), "{sent:?}");
    let inbox = client
        .wait_inbox(PHONE, 1, Duration::from_secs(5))
        .await
        .unwrap();
    assert_eq!(
        (inbox[0].from.as_str(), inbox[0].text.as_str()),
        ("+358401000001", "hi")
    );
    assert!(matches!(events.next().await.unwrap(), Event::Submitted { modem, .. } if modem == "a"));
    assert!(
        matches!(events.next().await.unwrap(), Event::PhoneReceived { message, .. } if message.text == "hi")
    );
    client
        .set("b", json!({ "absence_ms": [5, 5] }))
        .await
        .unwrap();
    client.send(PHONE, "+358401000002", "moi").await.unwrap();
    let heard = async {
        while !matches!(events.next().await.unwrap(), Event::ModemReceived { modem, .. } if modem == "b")
        {
        }
    };
    tokio::time::timeout(Duration::from_secs(5), heard)
        .await
        .unwrap();
    assert!(
        on_port(&world, "b", "AT+CPMS?\r", "OK")
            .await
            .contains("\"SM\",1,20")
    );
    client.clear_inbox(PHONE).await.unwrap();
    assert!(client.inbox(PHONE, 0).await.unwrap().is_empty());
    world.stop().await;
}

#[tokio::test]
async fn wrong_requests_are_refused_with_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let (world, client) = world(directory.path()).await;
    let refused = |error: ClientError| {
        let ClientError::Refused(text) = error else {
            panic!("{error}")
        };
        text
    };
    let error = refused(client.unplug("x").await.unwrap_err());
    assert_eq!(error, "no modem is called \"x\"; list the modems");
    refused(client.set("a", json!({ "typo": 1 })).await.unwrap_err());
    refused(client.inbox("+1", 0).await.unwrap_err());
    refused(client.mails("m2", 0).await.unwrap_err());
    let mut raw = BufReader::new(UnixStream::connect(world.control_socket()).await.unwrap());
    for (ask, reply) in [
        ("what\n", "\"ok\":false"),
        ("{\"op\":\"fly\",\"id\":7}\n", "\"id\":7,\"ok\":false"),
        (
            "{\"op\":\"modems\",\"id\":\"q\"}\n",
            "\"id\":\"q\",\"ok\":true",
        ),
    ] {
        raw.get_mut().write_all(ask.as_bytes()).await.unwrap();
        let mut line = String::new();
        raw.read_line(&mut line).await.unwrap();
        assert!(line.contains(reply), "{ask} {line}");
    }
    let second = World::start(WorldConfig::new(directory.path())).await;
    assert!(matches!(second, Err(crate::StartError::Control { .. })));
    world.stop().await;
}
