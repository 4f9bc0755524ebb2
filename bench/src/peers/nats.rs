//! NATS JetStream 2.9 with three replicas: acknowledged by a majority, but not fsynced before the answer (it syncs every
//! two minutes). Context, not a peer: an answer says less than ours.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufStream};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::{Process, folder, free_ports, installed};
use crate::closed_loop::{Refused, Writer};
use crate::fleet::TemporaryDir;

const NODES: usize = 3;
const SETTLE_TIME: Duration = Duration::from_secs(30);
const ASK_TIME: Duration = Duration::from_secs(3);
const LOOK_EVERY: Duration = Duration::from_millis(200);
const VALUE_LEN: usize = 512;

/// Three servers. They end and their files go when this is dropped.
pub(crate) struct Nats {
    processes: Vec<Process>,
    _dir: TemporaryDir,
}

impl Nats {
    /// Starts three servers with files below `disk` and makes a stream; `None` when NATS is not installed.
    pub(crate) async fn start(disk: &Path) -> Result<Option<Self>> {
        let Some(program) = installed("nats-server") else {
            return Ok(None);
        };
        let dir = TemporaryDir::new(disk)?;
        let ports = free_ports(NODES * 2)?;
        let (clients, routes) = ports.split_at(NODES);
        let all: Vec<String> = routes
            .iter()
            .map(|port| format!("nats://127.0.0.1:{port}"))
            .collect();
        let mut processes = Vec::new();
        for index in 0..NODES {
            let home = folder(dir.path(), &format!("n{index}"))?;
            let config = format!(
                "server_name: n{index}\nlisten: \"127.0.0.1:{}\"\njetstream {{ store_dir: {:?} }}\n\
                 cluster {{ name: bench, listen: \"127.0.0.1:{}\", routes: [ {} ] }}\n",
                clients[index],
                home.join("store"),
                routes[index],
                all.join(", "),
            );
            let file = home.join("nats.conf");
            std::fs::write(&file, config)?;
            let command = vec![
                program.display().to_string(),
                "-c".to_owned(),
                file.display().to_string(),
            ];
            processes.push(Process::start(command, home.join("log"), clients[index]).await?);
        }
        let nats = Self {
            processes,
            _dir: dir,
        };
        nats.make_stream().await?;
        Ok(Some(nats))
    }

    pub(crate) fn pids(&self) -> Vec<u32> {
        self.processes.iter().filter_map(Process::pid).collect()
    }

    /// The port of client `number`'s server.
    pub(crate) fn port(&self, number: u32) -> u16 {
        self.processes[number as usize % NODES].port
    }

    async fn make_stream(&self) -> Result<()> {
        let wanted = json!({
            "name": "BENCH", "subjects": ["bench.>"], "retention": "limits", "max_consumers": -1, "max_msgs": -1,
            "max_bytes": -1, "max_age": 0, "storage": "file", "discard": "old", "num_replicas": NODES,
        });
        let until = Instant::now() + SETTLE_TIME;
        loop {
            let asked = async {
                let mut session = Session::connect(self.processes[0].port, "setup").await?;
                let made = session
                    .ask("$JS.API.STREAM.CREATE.BENCH", wanted.to_string().as_bytes())
                    .await?;
                session.publish("bench.first").await?;
                anyhow::Ok(made)
            };
            match timeout(ASK_TIME, asked).await {
                Ok(Ok(_)) => return Ok(()),
                Ok(Err(_)) | Err(_) if Instant::now() < until => sleep(LOOK_EVERY).await,
                Ok(Err(error)) => return Err(error.context("NATS made no stream")),
                Err(_) => bail!("NATS made no stream in time"),
            }
        }
    }
}

/// One connection to one server, in its text protocol.
pub(crate) struct Session {
    stream: BufStream<TcpStream>,
    inbox: String,
    asked: u64,
}

impl Session {
    /// `name` tells this session's inbox from others'.
    pub(crate) async fn connect(port: u16, name: &str) -> Result<Self> {
        let tcp = TcpStream::connect(("127.0.0.1", port)).await?;
        tcp.set_nodelay(true)?;
        let inbox = format!("_INBOX.{name}.{}", std::process::id());
        let mut session = Self {
            stream: BufStream::new(tcp),
            inbox,
            asked: 0,
        };
        let info = session.line().await?;
        if !info.starts_with("INFO ") {
            bail!("the server greets with {info:?}");
        }
        let hello = format!(
            "CONNECT {{\"verbose\":false,\"pedantic\":false,\"no_responders\":false}}\r\nSUB {}.* 1\r\n",
            session.inbox
        );
        session.stream.write_all(hello.as_bytes()).await?;
        session.stream.flush().await?;
        Ok(session)
    }

    /// Publishes one value and returns once the stream has acknowledged it.
    pub(crate) async fn publish(&mut self, subject: &str) -> Result<()> {
        let answer = self.ask(subject, &[b'v'; VALUE_LEN]).await?;
        answer["seq"]
            .as_u64()
            .map(|_| ())
            .with_context(|| format!("not acknowledged: {answer}"))
    }

    async fn ask(&mut self, subject: &str, body: &[u8]) -> Result<Value> {
        self.asked += 1;
        let reply = format!("{}.{}", self.inbox, self.asked);
        let head = format!("PUB {subject} {reply} {}\r\n", body.len());
        self.stream.write_all(head.as_bytes()).await?;
        self.stream.write_all(body).await?;
        self.stream.write_all(b"\r\n").await?;
        self.stream.flush().await?;
        loop {
            let line = self.line().await?;
            let words: Vec<&str> = line.split_whitespace().collect();
            match words.as_slice() {
                ["MSG", to, _, length] => {
                    let length: usize = length.parse()?;
                    let mut bytes = vec![0; length + 2];
                    self.stream.read_exact(&mut bytes).await?;
                    if *to == reply {
                        let answer: Value = serde_json::from_slice(&bytes[..length])?;
                        if let Some(error) = answer.get("error") {
                            bail!("NATS answered {error}");
                        }
                        return Ok(answer);
                    }
                }
                ["PING"] => {
                    self.stream.write_all(b"PONG\r\n").await?;
                    self.stream.flush().await?;
                }
                ["-ERR", ..] => bail!("NATS answered {line}"),
                _ => {} // PONG, +OK and later INFO say nothing we need
            }
        }
    }

    async fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        if self.stream.read_line(&mut line).await? == 0 {
            bail!("the server closed the connection");
        }
        Ok(line.trim_end().to_owned())
    }
}

/// A client of the closed loop.
pub(crate) struct Publisher {
    pub(crate) session: Session,
    pub(crate) number: u32,
}

impl Writer for Publisher {
    async fn write(&mut self, count: u32) -> Result<(), Refused> {
        let subject = format!("bench.{}.{count}", self.number);
        self.session.publish(&subject).await.map_err(|_| Refused {
            kind: "refused".to_owned(),
            unknown: true,
        })
    }
}
