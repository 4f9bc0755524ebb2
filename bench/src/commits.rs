//! Accepted alerts per second.

use std::time::Duration;

use anyhow::{Result, anyhow};
use hyper::body::Bytes;
use hyper::{Method, StatusCode};
use serde_json::json;

use crate::client::{Connection, Endpoint};
use crate::closed_loop::{self, Measured, Refused, Writer};
use crate::fleet::{Fleet, NODES, stored_everywhere};
use crate::report::{Report, load, load_text};
use crate::workload::{Paging, alert, run_id};

/// Measures with one number of clients. Fails when an accepted alert is missing anywhere.
pub(crate) async fn measure(
    fleet: &Fleet,
    clients: u16,
    seconds: Duration,
    paging: Paging,
    people: u32,
    report: &mut Report,
) -> Result<Measured> {
    fleet.settled().await?;
    let stored_before = stored_everywhere(fleet).await?;
    let load_before = load()?;
    let run = run_id();
    let servers: Vec<u32> = fleet.processes().into_iter().map(|(_, pid)| pid).collect();
    let all = u32::from(clients);
    let open = |number: u32| {
        let endpoints = [0, 1, 2].map(|index| fleet.endpoint(index).clone());
        let run = run.clone();
        async move {
            let mut connections = Vec::with_capacity(NODES);
            for endpoint in &endpoints {
                connections.push(Some(endpoint.connect().await?));
            }
            Ok(Raiser {
                endpoints,
                connections,
                run,
                number,
                clients: all,
                paging,
                people,
            })
        }
    };
    let seen = closed_loop::run(clients, seconds, &servers, open).await?;
    let load_after = load()?;

    fleet.settled().await?;
    let stored = stored_everywhere(fleet)
        .await?
        .saturating_sub(stored_before);
    let lost = seen.accepted.saturating_sub(stored);
    let mut object = seen.json();
    object["measure"] = json!("commits");
    object["paging"] = json!(paging.name());
    object["clients"] = json!(clients);
    object["stored_on_every_node"] = json!(stored);
    object["lost"] = json!(lost);
    object["load_before"] = json!(load_before);
    object["load_after"] = json!(load_after);
    let row = [
        format!("alerts, told {}, {clients} clients", paging.name()),
        format!("{}, {lost} lost", seen.words()),
        load_text(load_before, load_after),
    ];
    report.put(&object, row)?;
    if lost > 0 {
        return Err(anyhow!("{lost} accepted alerts are not on every node"));
    }
    Ok(seen)
}

/// Raises alerts one after another, at one node after another.
struct Raiser {
    endpoints: [Endpoint; NODES],
    connections: Vec<Option<Connection>>,
    run: String,
    number: u32,
    clients: u32,
    paging: Paging,
    people: u32,
}

impl Writer for Raiser {
    async fn write(&mut self, count: u32) -> Result<(), Refused> {
        let node = (self.number as usize + count as usize) % NODES;
        let person = (self.number + count.wrapping_mul(self.clients)) % self.people;
        let body = alert(self.paging, person);
        let key = format!("{}-{}-{count}", self.run, self.number);
        match self.raise(node, body, &key).await {
            Ok(StatusCode::CREATED) => Ok(()),
            Ok(status) => Err(Refused {
                kind: status.as_u16().to_string(),
                unknown: status == StatusCode::GATEWAY_TIMEOUT,
            }),
            Err(_) => Err(Refused {
                kind: "connection".to_owned(),
                unknown: true,
            }),
        }
    }
}

impl Raiser {
    async fn raise(&mut self, node: usize, body: Bytes, key: &str) -> Result<StatusCode> {
        // Taken out and only put back after an answer: after an error or a timeout the dialogue is out of step.
        let mut connection = match self.connections[node].take() {
            Some(connection) => connection,
            None => self.endpoints[node].connect().await?,
        };
        let answer = connection
            .ask(Method::POST, "/v1/alerts", Some(body), Some(key))
            .await?;
        self.connections[node] = Some(connection);
        Ok(answer.status)
    }
}
