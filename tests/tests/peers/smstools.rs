//! The SMS Server Tools' daemon.

use tests::require::require_program;

use super::{Bench, MODEM, PHONE, Peer, texts_in, wait_for};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn smstools_sends_and_receives_long_texts() {
    let Some(daemon) = require_program("smsd", "smstools") else {
        return;
    };
    let bench = Bench::start().await;
    let mut config = String::from(
        "devices = GSM1\nloglevel = 7\ndelaytime = 1\ndelaytime_mainprocess = 1\nerrorsleeptime = 1\nblocktime = 1\n",
    );
    for name in ["incoming", "outgoing", "checked", "failed", "sent", "stats"] {
        config.push_str(&format!("{name} = {}\n", bench.make_directory(name)));
    }
    for (setting, name) in [("logfile", "log"), ("infofile", "info"), ("pidfile", "pid")] {
        config.push_str(&format!("{setting} = {}\n", bench.path(name).display()));
    }
    let port = bench.world.port("a");
    config.push_str(&format!(
        "[GSM1]\ndevice = {}\nincoming = yes\nbaudrate = 115200\n",
        port.display()
    ));
    let config = bench.write("smsd.conf", &config);
    let long = "Kokoonnutaan koulun pihalla. "
        .repeat(10)
        .trim_end()
        .to_owned();
    let outgoing = format!(
        "To: {}\nAlphabet: UTF-8\n\n{long}",
        PHONE.trim_start_matches('+')
    );
    std::fs::write(bench.path("outgoing/one"), outgoing).unwrap();
    let argument = format!("-c{}", config.display());
    // -t keeps it in the foreground.
    let peer = Peer::start(&daemon, &[&argument, "-t"], &bench);

    assert_eq!(bench.texts(1).await, [(MODEM.to_owned(), long)]);
    let sent = bench.path("sent").display().to_string();
    wait_for("the move to the sent folder", || {
        texts_in(&sent).contains("Sent: ").then_some(())
    })
    .await;

    let answer = "4711 1, tulen heti kun ehdin. ".repeat(8);
    bench.client.send(PHONE, MODEM, &answer).await.unwrap();
    let incoming = bench.path("incoming").display().to_string();
    let text = wait_for("the answer's arrival", || {
        let text = texts_in(&incoming);
        text.contains(answer.trim_end()).then_some(text)
    })
    .await;
    assert!(
        text.contains(&format!("From: {}", PHONE.trim_start_matches('+'))),
        "{text}"
    );
    bench.end(Some(peer)).await;
}
