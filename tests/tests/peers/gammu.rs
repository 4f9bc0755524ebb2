//! The `gammu` command line.

use std::path::{Path, PathBuf};

use serde_json::json;
use tests::require::require_program;
use tokio::{process::Command, time::timeout};

use super::{Bench, MODEM, PATIENCE, PHONE, Peer, wait_for};

fn program() -> Option<PathBuf> {
    require_program("gammu", "gammu")
}

fn config(bench: &Bench) -> PathBuf {
    let port = bench.world.port("a");
    bench.write(
        "gammurc",
        &format!(
            "[gammu]\ndevice = {}\nconnection = at115200\n",
            port.display()
        ),
    )
}

/// Runs gammu to its end; gives whether it succeeded and what it said.
async fn run(gammu: &Path, config: &Path, arguments: &[&str]) -> (bool, String) {
    let mut command = Command::new(gammu);
    command
        .arg("-c")
        .arg(config)
        .args(arguments)
        .env("LC_ALL", "C.UTF-8")
        .kill_on_drop(true);
    let output = timeout(PATIENCE, command.output())
        .await
        .expect("gammu ends")
        .unwrap();
    let said = [output.stdout, output.stderr]
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .concat();
    (output.status.success(), said)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gammu_identifies_the_modem_and_its_network() {
    let Some(gammu) = program() else { return };
    let bench = Bench::start().await;
    let config = config(&bench);
    let (well, said) = run(&gammu, &config, &["identify"]).await;
    assert!(well, "{said}");
    for part in ["Holdfast", "353584010000012", "244998401000001"] {
        assert!(said.contains(part), "{part} in {said}");
    }
    let (well, said) = run(&gammu, &config, &["networkinfo"]).await;
    assert!(well, "{said}");
    for part in ["home network", "244 99", "\"Emulated\"", "attached"] {
        assert!(said.contains(part), "{part} in {said}");
    }
    bench.end(None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gammu_sends_short_and_long_texts_and_shows_a_refusal() {
    let Some(gammu) = program() else { return };
    let bench = Bench::start().await;
    let config = config(&bench);
    let (well, said) = run(
        &gammu,
        &config,
        &["sendsms", "TEXT", PHONE, "-text", "short {one} €"],
    )
    .await;
    assert!(well && said.contains("message reference=0"), "{said}");
    let long = "Kokoontumispaikka: koulun piha. "
        .repeat(12)
        .trim_end()
        .to_owned();
    let (well, said) = run(
        &gammu,
        &config,
        &["sendsms", "TEXT", PHONE, "-len", "400", "-text", &long],
    )
    .await;
    assert!(well && said.contains("message reference=3"), "{said}");
    let unicode = [
        "sendsms",
        "TEXT",
        PHONE,
        "-unicode",
        "-text",
        "避難してください",
    ];
    let (well, said) = run(&gammu, &config, &unicode).await;
    assert!(well, "{said}");
    let texts = bench.texts(3).await;
    assert_eq!(
        texts,
        ["short {one} €", &long, "避難してください"]
            .map(|text| (MODEM.to_owned(), text.to_owned()))
    );
    bench
        .client
        .set("a", json!({ "submit_always": { "cms": 38 } }))
        .await
        .unwrap();
    let (well, said) = run(&gammu, &config, &["sendsms", "TEXT", PHONE, "-text", "no"]).await;
    assert!(!well && said.contains("error 38"), "{said}");
    bench.end(None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gammu_lists_and_deletes_what_phones_sent() {
    let Some(gammu) = program() else { return };
    let bench = Bench::start().await;
    let config = config(&bench);
    let long = "Tulen heti, odottakaa siellä. ".repeat(10);
    bench.client.send(PHONE, MODEM, "4711 1").await.unwrap();
    bench.client.send(PHONE, MODEM, &long).await.unwrap();
    let arrived = async {
        loop {
            let (_, said) = run(&gammu, &config, &["geteachsms"]).await;
            if said.contains("3 SMS parts in 2 SMS sequences") {
                return said;
            }
        }
    };
    let said = timeout(PATIENCE, arrived)
        .await
        .expect("both messages are listed");
    assert!(
        said.contains("4711 1") && said.contains(PHONE) && said.contains(long.trim_end()),
        "{said}"
    );
    let (well, said) = run(&gammu, &config, &["getallsms"]).await;
    assert!(
        well && said.contains("3 SMS parts in 3 SMS sequences"),
        "{said}"
    );
    let (well, said) = run(&gammu, &config, &["deleteallsms", "1"]).await;
    assert!(well, "{said}");
    let (_, said) = run(&gammu, &config, &["getallsms"]).await;
    assert!(said.contains("0 SMS parts"), "{said}");
    bench.end(None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gammu_monitors_signal_and_incoming_messages() {
    let Some(gammu) = program() else { return };
    let bench = Bench::start().await;
    let config = config(&bench);
    let log = bench.path("output");
    let arguments = ["-c", config.to_str().unwrap(), "monitor"];
    // Without a terminal gammu keeps what it says until its buffer is full.
    let stdbuf = require_program("stdbuf", "coreutils").expect("every Debian has it");
    let arguments = [["-oL", gammu.to_str().unwrap()].as_slice(), &arguments].concat();
    let peer = Peer::start(&stdbuf, &arguments, &bench);
    let said = |part: &'static str| {
        let log = log.clone();
        move || {
            std::fs::read_to_string(&log)
                .ok()
                .filter(|said| said.contains(part))
        }
    };
    let first = wait_for("the first round", said("GPRS")).await;
    assert!(
        first.contains("-71 dBm") && first.contains("SIM SMS status"),
        "{first}"
    );
    bench.client.send(PHONE, MODEM, "4711 1").await.unwrap();
    wait_for("the message's arrival", said("SMS message received")).await;
    wait_for("the message's text", said("4711 1")).await;
    bench.end(Some(peer)).await;
}
