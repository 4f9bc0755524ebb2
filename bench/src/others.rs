//! Somebody else who raises small alerts, one after another, while something large goes on.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use hyper::body::Bytes;
use hyper::{Method, StatusCode};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::client::Endpoint;
use crate::fleet::{Fleet, NODES};
use crate::workload::run_id;

/// One answer.
const REQUEST_TIME: Duration = Duration::from_secs(30);

/// A pause between two of them.
const EVERY: Duration = Duration::from_millis(20);

pub(crate) struct Others {
    stop: watch::Sender<bool>,
    task: JoinHandle<Result<Vec<u64>>>,
}

impl Others {
    /// Raises what `alert` makes of a running number, at the nodes in turn.
    pub(crate) fn start(fleet: &Fleet, alert: impl Fn(u32) -> Bytes + Send + 'static) -> Self {
        let (stop, stopped) = watch::channel(false);
        let endpoints: Vec<Endpoint> = (0..NODES).map(|i| fleet.endpoint(i).clone()).collect();
        let run = run_id();
        let task = tokio::spawn(async move {
            let mut connections = Vec::new();
            for endpoint in &endpoints {
                connections.push(endpoint.connect().await?);
            }
            let mut latencies = Vec::new();
            let mut count: u32 = 0;
            while !*stopped.borrow() {
                let body = Some(alert(count));
                let key = format!("{run}-{count}");
                let asked = Instant::now();
                let connection = &mut connections[count as usize % NODES];
                let answer = connection.ask(Method::POST, "/v1/alerts", body, Some(&key));
                let answer = timeout(REQUEST_TIME, answer)
                    .await
                    .context("a small alert got no answer")??;
                if answer.status != StatusCode::CREATED {
                    bail!("a small alert was answered {}", answer.status);
                }
                latencies.push(asked.elapsed().as_micros() as u64);
                count += 1;
                sleep(EVERY).await;
            }
            Ok(latencies)
        });
        Self { stop, task }
    }

    /// Ends it; gives sorted latencies in microseconds.
    pub(crate) async fn end(self) -> Result<Vec<u64>> {
        self.stop.send_replace(true);
        let mut latencies = self.task.await??;
        latencies.sort_unstable();
        Ok(latencies)
    }
}
