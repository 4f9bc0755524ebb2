//! etcd 3.4: puts of 512 bytes, acknowledged once a majority has fsynced them. Spoken to in gRPC over HTTP/2 without TLS,
//! which flatters it beside HTTPS.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail};
use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use h2::client::SendRequest;
use http::{Request, StatusCode};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::{Process, folder, free_ports, installed};
use crate::closed_loop::{Refused, Writer};
use crate::fleet::TemporaryDir;

const NODES: usize = 3;
const SETTLE_TIME: Duration = Duration::from_secs(30);
const ASK_TIME: Duration = Duration::from_secs(2);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Bytes of one value.
const VALUE_LEN: usize = 512;

/// Field numbers of etcd's public protocol (`etcdserverpb`): `PutRequest.key`, `.value`; `ResponseHeader.member_id`;
/// `StatusResponse.header`, `.leader`.
const PUT_KEY: u32 = 1;
const PUT_VALUE: u32 = 2;
const HEADER_MEMBER: u32 = 2;
const STATUS_HEADER: u32 = 1;
const STATUS_LEADER: u32 = 4;

/// Three members. They end and their files go when this is dropped.
pub(crate) struct Etcd {
    processes: Vec<Process>,
    _dir: TemporaryDir,
}

impl Etcd {
    /// Starts three members with files below `disk`; `None` when etcd is not installed.
    pub(crate) async fn start(disk: &Path) -> Result<Option<Self>> {
        let Some(program) = installed("etcd") else {
            return Ok(None);
        };
        let dir = TemporaryDir::new(disk)?;
        let ports = free_ports(NODES * 2)?;
        let (clients, peers) = ports.split_at(NODES);
        let all: Vec<String> = peers
            .iter()
            .enumerate()
            .map(|(i, port)| format!("n{i}=http://127.0.0.1:{port}"))
            .collect();
        let mut starting = Vec::new();
        for index in 0..NODES {
            let home = folder(dir.path(), &format!("n{index}"))?;
            let client = format!("http://127.0.0.1:{}", clients[index]);
            let peer = format!("http://127.0.0.1:{}", peers[index]);
            let command = [
                program.display().to_string(),
                format!("--name=n{index}"),
                format!("--data-dir={}", home.join("data").display()),
                format!("--listen-client-urls={client}"),
                format!("--advertise-client-urls={client}"),
                format!("--listen-peer-urls={peer}"),
                format!("--initial-advertise-peer-urls={peer}"),
                format!("--initial-cluster={}", all.join(",")),
                "--initial-cluster-state=new".to_owned(),
                "--logger=zap".to_owned(),
                "--log-level=error".to_owned(),
            ];
            // A member opens its clients' port only once a majority is there.
            starting.push(Process::start(
                command.to_vec(),
                home.join("log"),
                clients[index],
            ));
        }
        let (a, b, c) = {
            let mut starting = starting.into_iter();
            let mut next = || starting.next().context("three members were prepared");
            tokio::try_join!(next()?, next()?, next()?)?
        };
        let etcd = Self {
            processes: vec![a, b, c],
            _dir: dir,
        };
        etcd.settled().await?;
        Ok(Some(etcd))
    }

    pub(crate) fn pids(&self) -> Vec<u32> {
        self.processes.iter().filter_map(Process::pid).collect()
    }

    /// The port of client `number`'s member.
    pub(crate) fn port(&self, number: u32) -> u16 {
        self.processes[number as usize % NODES].port
    }

    /// Waits until every running member names the same leader; gives its place.
    pub(crate) async fn settled(&self) -> Result<usize> {
        let until = Instant::now() + SETTLE_TIME;
        loop {
            if let Ok(leader) = self.leader().await {
                return Ok(leader);
            }
            if Instant::now() >= until {
                bail!("etcd named no leader within {} s", SETTLE_TIME.as_secs());
            }
            sleep(LOOK_EVERY).await;
        }
    }

    async fn leader(&self) -> Result<usize> {
        let mut found = Vec::new();
        for (index, process) in self.processes.iter().enumerate() {
            let asked = async {
                Session::connect(process.port)
                    .await?
                    .call("/etcdserverpb.Maintenance/Status", &[])
                    .await
            };
            let status = timeout(ASK_TIME, asked).await??;
            let header = field(&status, STATUS_HEADER).context("a status has a header")?;
            let member = number(header, HEADER_MEMBER);
            found.push((index, member, number(&status, STATUS_LEADER)));
        }
        let leader = found.first().context("etcd runs")?.2;
        if leader.is_none() || found.iter().any(|(_, _, seen)| *seen != leader) {
            bail!("the members do not agree");
        }
        let place = found.iter().find(|(_, member, _)| *member == leader);
        place
            .map(|(index, ..)| *index)
            .context("the leader is none of the members")
    }

    /// Kills the leader; gives the moment, its place and the survivors' ports.
    pub(crate) async fn kill_leader(&mut self) -> Result<(Instant, usize, Vec<u16>)> {
        let leader = self.settled().await?;
        let survivors = (0..NODES).filter(|index| *index != leader);
        let ports = survivors.map(|index| self.processes[index].port).collect();
        let killed = self.processes[leader].kill().await?;
        Ok((killed, leader, ports))
    }

    /// Starts a killed member again.
    pub(crate) async fn bring_back(&mut self, index: usize) -> Result<()> {
        self.processes[index].run().await?;
        self.settled().await.map(|_| ())
    }
}

/// One connection to one member.
pub(crate) struct Session {
    requests: SendRequest<Bytes>,
    driver: JoinHandle<()>,
}

impl Session {
    pub(crate) async fn connect(port: u16) -> Result<Self> {
        let tcp = TcpStream::connect(("127.0.0.1", port)).await?;
        tcp.set_nodelay(true)?;
        let (requests, connection) = h2::client::handshake(tcp).await?;
        // Its end shows as an error of the next request; the handle ends it with the session.
        let driver = tokio::spawn(async move { _ = connection.await });
        Ok(Self { requests, driver })
    }

    /// Puts one value under `key` and returns once it is durable on a majority.
    pub(crate) async fn put(&mut self, key: &str) -> Result<()> {
        let mut message = BytesMut::with_capacity(VALUE_LEN + key.len() + 16);
        put_field(&mut message, PUT_KEY, key.as_bytes());
        put_field(&mut message, PUT_VALUE, &[b'v'; VALUE_LEN]);
        self.call("/etcdserverpb.KV/Put", &message).await?;
        Ok(())
    }

    /// One unary gRPC call: a message out, a message back.
    async fn call(&mut self, method: &str, message: &[u8]) -> Result<Bytes> {
        let request = Request::post(format!("http://127.0.0.1{method}"))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body(())?;
        let mut ready = self.requests.clone().ready().await?;
        let (response, mut stream) = ready.send_request(request, false)?;
        let mut framed = BytesMut::with_capacity(message.len() + 5);
        framed.put_u8(0); // not compressed
        framed.put_u32(u32::try_from(message.len())?);
        framed.put_slice(message);
        stream.send_data(framed.freeze(), true)?;
        let response = response.await?;
        if response.status() != StatusCode::OK {
            bail!("etcd answered {}", response.status());
        }
        let early = response.headers().get("grpc-status").cloned();
        let mut body = response.into_body();
        let mut answer = BytesMut::new();
        while let Some(chunk) = body.data().await {
            let chunk = chunk?;
            body.flow_control().release_capacity(chunk.len())?;
            answer.extend_from_slice(&chunk);
        }
        let trailers = body.trailers().await?;
        let late = trailers
            .as_ref()
            .and_then(|t| t.get("grpc-status"))
            .cloned();
        let status = late.or(early).context("the answer has no grpc-status")?;
        if status.as_bytes() != b"0" {
            return Err(anyhow!("etcd answered status {}", status.to_str()?));
        }
        if answer.len() < 5 {
            bail!("the answer has no message");
        }
        answer.advance(5);
        Ok(answer.freeze())
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// A client of the closed loop.
pub(crate) struct Putter {
    pub(crate) session: Session,
    pub(crate) number: u32,
}

impl Writer for Putter {
    async fn write(&mut self, count: u32) -> Result<(), Refused> {
        let key = format!("b/{:04}/{count:08}", self.number);
        self.session.put(&key).await.map_err(|_| Refused {
            kind: "refused".to_owned(),
            unknown: true,
        })
    }
}

/// Appends a length-delimited protobuf field.
fn put_field(out: &mut BytesMut, number: u32, bytes: &[u8]) {
    put_varint(out, u64::from(number << 3 | 2));
    put_varint(out, bytes.len() as u64);
    out.put_slice(bytes);
}

fn put_varint(out: &mut BytesMut, mut value: u64) {
    while value >= 0x80 {
        out.put_u8((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.put_u8(value as u8);
}

/// A length-delimited field of a protobuf message.
fn field(message: &[u8], wanted: u32) -> Option<&[u8]> {
    fields(message).find_map(|(number, value)| match value {
        Value::Bytes(bytes) if number == wanted => Some(bytes),
        Value::Bytes(_) | Value::Number(_) => None,
    })
}

/// A varint field of a protobuf message.
fn number(message: &[u8], wanted: u32) -> Option<u64> {
    fields(message).find_map(|(number, value)| match value {
        Value::Number(value) if number == wanted => Some(value),
        Value::Bytes(_) | Value::Number(_) => None,
    })
}

enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// The fields of a message up to the first that is neither varint nor length-delimited.
fn fields(mut message: &[u8]) -> impl Iterator<Item = (u32, Value<'_>)> {
    std::iter::from_fn(move || {
        let key = varint(&mut message)?;
        let value = match key & 7 {
            0 => Value::Number(varint(&mut message)?),
            2 => {
                let length = usize::try_from(varint(&mut message)?).ok()?;
                let (bytes, rest) = message.split_at_checked(length)?;
                message = rest;
                Value::Bytes(bytes)
            }
            _ => return None,
        };
        Some((u32::try_from(key >> 3).ok()?, value))
    })
}

fn varint(message: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = message.split_first()?;
        *message = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protobuf_fields_read_back() {
        let mut message = BytesMut::new();
        put_field(&mut message, 1, b"key");
        put_varint(&mut message, 4 << 3);
        put_varint(&mut message, 300);
        assert_eq!(field(&message, 1), Some(b"key".as_slice()));
        assert_eq!(number(&message, 4), Some(300));
        assert_eq!(number(&message[..message.len() - 1], 4), None);
    }
}
