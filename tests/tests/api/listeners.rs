//! The doors: HTTPS, the socket, the admin listener.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use ::api::Limits;
use domain::Command;
use domain::nodes::{ChannelReport, Command as Nodes, Found};
use serde_json::json;
use tests::fake_replica::{FakeReplica, NODE};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{World, certificate, client};

async fn found(world: &World, up: bool) {
    let found = Found {
        cluster_id: [7; 16],
        organisation: "Aurora Energy".to_owned(),
        node_name: "alpha".to_owned(),
        pin: [0; 32],
        addresses: vec!["127.0.0.1:7400".to_owned()],
    };
    world.apply(Command::Nodes(Nodes::Found(found))).await;
    world
        .apply(Command::Nodes(Nodes::SetReachable {
            node: NODE,
            reachable: true,
        }))
        .await;
    let channel = ChannelReport {
        name: "modem0".to_owned(),
        kind: "sms".to_owned(),
        up,
        reason: if up {
            String::new()
        } else {
            "no SIM".to_owned()
        },
        operator: "Elisa".to_owned(),
        number: "+358401111111".to_owned(),
        signal_dbm: Some(-71),
        rate_per_min: 20,
    };
    world
        .apply(Command::Nodes(Nodes::ReportChannels {
            node: NODE,
            channels: vec![channel],
        }))
        .await;
}

#[tokio::test]
async fn a_node_is_ready_when_an_alert_would_go_out() {
    let world = World::start().await;
    let caller = world.caller(None);
    caller.get("/healthz").await.expect(200);
    assert_eq!(
        caller.get("/readyz").await.expect(503),
        json!({"ready": false, "reasons": ["no_channel"]})
    );
    found(&world, true).await;
    assert_eq!(
        caller.get("/readyz").await.expect(200),
        json!({"ready": true, "reasons": []})
    );
    world.replica.set_leader(None);
    assert_eq!(
        world.admin().get("/readyz").await.expect(503),
        json!({"ready": false, "reasons": ["no_leader"]})
    );
    world.operator().get("/v1/alerts").await.expect(200);
    world
        .operator()
        .get("/v1/alerts?consistency=linearizable")
        .await
        .refusal(503, "no-quorum");
    world.stop().await;
}

#[tokio::test]
async fn nodes_and_cluster_are_shown_and_changed() {
    let world = World::start().await;
    found(&world, false).await;
    let operator = world.operator();
    let nodes = operator.get("/v1/nodes").await.expect(200);
    assert_eq!(nodes["organisation"], "Aurora Energy");
    let channel = &nodes["nodes"][0]["channels"][0];
    assert_eq!(
        (&channel["up"], &channel["reason"]),
        (&json!(false), &json!("no SIM"))
    );
    let cluster = operator.get("/v1/cluster").await.expect(200);
    assert_eq!(
        (&cluster["leader"], &cluster["members"][0]["role"]),
        (&json!(1), &json!("leader"))
    );
    assert_eq!(
        operator.get("/v1/cluster/joins").await.expect(200)["joins"][0]["digits"],
        "123456"
    );
    operator
        .post("/v1/cluster/invitations", json!({}))
        .await
        .expect(201);
    operator
        .post("/v1/cluster/invitations", json!({"valid_for_s": 0}))
        .await
        .refusal(422, "invalid-input");
    operator
        .post("/v1/cluster/promote", json!({"node": 2}))
        .await
        .expect(204);
    operator
        .post("/v1/cluster/transfer", json!({}))
        .await
        .expect(204);
    operator
        .post("/v1/cluster/remove", json!({"node": 404}))
        .await
        .refusal(409, "cluster-refused");
    world.stop().await;
}

#[tokio::test]
async fn metrics_change_when_things_happen() {
    let world = World::start().await;
    found(&world, true).await;
    world.add_people().await;
    let operator = world.operator();
    let alert = json!({"severity": "high", "text": "Fire", "to": {"people": ["anna"]}});
    operator.post("/v1/alerts", alert).await.expect(201);
    operator.get("/v1/people/anna").await.expect(200);
    let text = world.admin().get("/metrics").await.text;
    for line in [
        "holdfast_raft_has_leader 1",
        "holdfast_raft_term 1",
        "holdfast_alerts_open 1",
        "holdfast_deliveries{state=\"pending\"} ",
        "holdfast_channel_up{node=\"1\",channel=\"modem0\",kind=\"sms\"} 1",
        "holdfast_http_requests_total{method=\"POST\",route=\"/v1/alerts\",status=\"201\"} 1",
        "holdfast_http_requests_total{method=\"GET\",route=\"/v1/people/{key}\",status=\"200\"} 1",
    ] {
        assert!(text.contains(line), "{line} in {text}");
    }
    assert!(text.ends_with("# EOF\n"));
    assert!(!text.contains("anna"), "labels name nobody");
    world.replica.set_leader(None);
    assert!(
        world
            .admin()
            .get("/metrics")
            .await
            .text
            .contains("holdfast_raft_has_leader 0")
    );
    let collector = world.caller(Some(
        &world.key(&[domain::access::Scope::MetricsRead], None).await,
    ));
    assert!(
        collector
            .get("/v1/metrics")
            .await
            .text
            .contains("holdfast_raft_term 1")
    );
    world.stop().await;
}

#[tokio::test]
async fn only_the_owner_can_open_the_socket_and_a_stale_one_is_replaced() {
    let world = World::start().await;
    let mode = std::fs::metadata(&world.socket)
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let second = api_at(&world.socket).await;
    assert!(
        second
            .unwrap_err()
            .to_string()
            .contains("another process answers")
    );
    // A process that was killed leaves its socket behind.
    let stale = world.socket.with_extension("stale");
    drop(std::os::unix::net::UnixListener::bind(&stale).unwrap());
    assert!(api_at(&stale).await.is_ok());
    world.stop().await;
}

async fn api_at(socket: &std::path::Path) -> Result<::api::Server, ::api::BindError> {
    let replica = FakeReplica::open().await;
    let config = ::api::ApiConfig {
        https: None,
        admin: None,
        socket: Some(socket.to_owned()),
        limits: Limits::default(),
    };
    let state = ::api::ApiState {
        replica: replica.clone(),
        admin: std::sync::Arc::new(tests::fake_replica::FakeAdmin(replica.clone())),
        clock: std::sync::Arc::new(tests::fake_replica::ReplicaClock(replica)),
        machine: std::sync::Arc::new(domain::ports::UnknownMachine),
        board: domain::watch::Board::default(),
        intake: domain::ports::IntakeTally::default(),
        members: Vec::new(),
        passkey_domain: None,
        raises_per_min: 60,
        files: std::sync::Arc::new(
            cluster::Files::alone(socket.with_extension("files"), Default::default()).unwrap(),
        ),
    };
    ::api::Server::bind(config, state).await
}

#[tokio::test]
async fn a_new_certificate_serves_from_the_next_connection_on() {
    let mut world = World::start().await;
    world.caller(None).get("/healthz").await.expect(200);
    let (fresh, config) = certificate();
    world.tls.send_replace(config);
    assert!(
        client::connect(world.https, &world.certificate)
            .await
            .is_err(),
        "the old one is not served any more"
    );
    world.certificate = fresh;
    world.caller(None).get("/healthz").await.expect(200);
    let (_, connection) = client::connect(world.https, &world.certificate)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        connection.alpn_protocol(),
        None,
        "no protocol was asked for, so none was chosen"
    );
    world.stop().await;
}

#[tokio::test]
async fn whoever_sends_nothing_or_too_much_is_cut_off() {
    let short = Duration::from_millis(300);
    let limits = Limits {
        handshake_time: short,
        header_time: short,
        ..Limits::default()
    };
    let world = World::start_with(limits).await;

    // No handshake.
    let mut silent = TcpStream::connect(world.https).await.unwrap();
    assert_eq!(read_to_end(&mut silent).await, b"");
    // A handshake, then a request that never ends.
    let mut slow = client::connect(world.https, &world.certificate)
        .await
        .unwrap();
    slow.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n")
        .await
        .unwrap();
    let answer = read_to_end(&mut slow).await;
    assert!(
        answer.is_empty() || answer.starts_with(b"HTTP/1.1 408"),
        "{}",
        String::from_utf8_lossy(&answer)
    );
    // A header block of 64 kB.
    let mut large = client::connect(world.https, &world.certificate)
        .await
        .unwrap();
    let header = format!(
        "GET /healthz HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n",
        "y".repeat(64 * 1024)
    );
    _ = large.write_all(header.as_bytes()).await;
    let answer = read_to_end(&mut large).await;
    assert!(
        answer.is_empty() || answer.starts_with(b"HTTP/1.1 431"),
        "{}",
        String::from_utf8_lossy(&answer)
    );
    // Others are served all the while.
    world.caller(None).get("/healthz").await.expect(200);
    world.stop().await;
}

#[tokio::test]
async fn one_address_cannot_take_every_connection() {
    let world = World::start_with(Limits {
        connections_per_address_max: 2,
        ..Limits::default()
    })
    .await;
    let first = TcpStream::connect(world.https).await.unwrap();
    let second = TcpStream::connect(world.https).await.unwrap();
    let mut third = TcpStream::connect(world.https).await.unwrap();
    assert_eq!(read_to_end(&mut third).await, b"", "closed unread");
    drop((first, second));
    tokio::time::sleep(Duration::from_millis(100)).await;
    world.caller(None).get("/healthz").await.expect(200);
    world.stop().await;
}

#[tokio::test]
async fn a_stop_ends_idle_connections_soon() {
    let world = World::start().await;
    let idle = client::connect(world.https, &world.certificate)
        .await
        .unwrap();
    timeout(Duration::from_secs(8), world.stop()).await.unwrap();
    drop(idle);
}

async fn read_to_end(stream: &mut (impl AsyncReadExt + Unpin)) -> Vec<u8> {
    let mut answer = Vec::new();
    // A reset is an end as well.
    _ = timeout(Duration::from_secs(5), stream.read_to_end(&mut answer))
        .await
        .expect("cut off in time");
    answer
}

#[tokio::test]
async fn a_node_that_reaches_nobody_says_so_in_words() {
    let world = World::start().await;
    found(&world, true).await;
    let operator = world.operator();
    let alone = async || {
        let status = operator.get("/v1/cluster").await.expect(200);
        status["alone"].as_str().map(str::to_owned)
    };
    assert_eq!(alone().await, None, "others and a modem");
    world.replica.set_leader(None);
    assert_eq!(alone().await, None, "a modem of its own");
    found(&world, false).await;
    let words = alone().await.unwrap();
    assert!(words.contains("this node reaches nobody"), "{words}");
    assert!(words.contains("call people by other means"), "{words}");
    world.replica.set_leader(Some(NODE));
    assert_eq!(alone().await, None, "others again");
    world.stop().await;
}
