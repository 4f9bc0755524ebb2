//! The daemon of gammu, with its file queue.

use tests::require::require_program;

use super::{Bench, MODEM, PHONE, Peer, texts_in, wait_for};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gammu_smsd_sends_and_receives_long_texts_and_hears_of_delivery() {
    let Some(daemon) = require_program("gammu-smsd", "gammu-smsd") else {
        return;
    };
    let bench = Bench::start().await;
    let [inbox, outbox, sent, failed] =
        ["inbox/", "outbox/", "sent/", "failed/"].map(|name| bench.make_directory(name));
    let (port, log) = (bench.world.port("a"), bench.path("log"));
    let config = bench.write(
        "smsdrc",
        &format!(
            "[gammu]\ndevice = {}\nconnection = at115200\n\n[smsd]\nservice = files\nlogfile = {}\ndebuglevel = 255\n\
             inboxpath = {inbox}\noutboxpath = {outbox}\nsentsmspath = {sent}\nerrorsmspath = {failed}\n\
             deliveryreport = log\ncommtimeout = 1\nreceivefrequency = 1\nstatusfrequency = 5\n",
            port.display(),
            log.display(),
        ),
    );
    let long = "Hälytys: kokoonnutaan koulun pihalla. "
        .repeat(8)
        .trim_end()
        .to_owned();
    // The number is part of the name; "d" at the end asks for a delivery report.
    let queued = format!("{outbox}/OUTC20260101_000000_00_{PHONE}_test.txtd");
    std::fs::write(format!("{queued}.new"), &long).unwrap();
    std::fs::rename(format!("{queued}.new"), &queued).unwrap();
    let peer = Peer::start(&daemon, &["-c", config.to_str().unwrap()], &bench);

    assert_eq!(bench.texts(1).await, [(MODEM.to_owned(), long)]);
    wait_for("the move to the sent folder", || {
        texts_in(&sent).contains("koulun").then_some(())
    })
    .await;
    wait_for("the delivery report", || {
        std::fs::read_to_string(&log)
            .ok()
            .filter(|log| log.contains("+CDS: "))
    })
    .await;
    assert_eq!(texts_in(&failed), "");

    let answer = "4711 1, tulen kahdenkymmenen minuutin päästä. ".repeat(5);
    bench.client.send(PHONE, MODEM, &answer).await.unwrap();
    wait_for("the answer's arrival", || {
        texts_in(&inbox).contains("minuutin").then_some(())
    })
    .await;
    let names: String = std::fs::read_dir(&inbox)
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(names.contains(PHONE), "{names}");
    bench.end(Some(peer)).await;
}
