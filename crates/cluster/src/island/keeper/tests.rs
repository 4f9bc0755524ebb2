use domain::alerts::{self, Raise, Severity, Status, Step as PlanStep};
use domain::ports::{Clock, Durability, Freshness, Proposal, Replica as _};
use domain::{Actor, Command, RecipientId, RequestId, Timestamp, recipients};

use super::*;
use crate::island::IslandReplica;
use crate::{Carriers, Cluster, ClusterConfig, Founding, Profile, Tuning};

struct TestClock(std::time::Instant);

impl Clock for TestClock {
    fn boot(&self) -> Duration {
        self.0.elapsed()
    }

    fn wall(&self) -> Timestamp {
        Timestamp(1_800_000_000_000)
    }
}

fn proposal(command: Command) -> Proposal {
    Proposal {
        request: RequestId(rand::random()),
        body: [0; 32],
        actor: Actor::ApiKey {
            id: "test".to_owned(),
        },
        decided_under: None,
        command,
    }
}

fn person(key: &str) -> Proposal {
    proposal(Command::Recipients(recipients::Command::PutPeople {
        people: vec![recipients::Person {
            key: key.to_owned(),
            name: key.to_owned(),
            language: "en".to_owned(),
            methods: vec![recipients::ContactMethod::Email("a@b.example".to_owned())],
            details: recipients::Details::default(),
        }],
    }))
}

fn raise() -> Proposal {
    proposal(Command::Alerts(alerts::Command::Raise(Box::new(Raise {
        severity: Severity::High,
        status: Status::Actual,
        texts: vec![("und".to_owned(), "gas".to_owned())],
        gather: String::new(),
        gather_in: Vec::new(),
        steps: vec![PlanStep {
            delay_ms: 0,
            recipients: vec![RecipientId::of_key("ana")],
            enough: Vec::new(),
        }],
        notes: Vec::new(),
        needed: 1,
        repeats: 0,
        repeat_every_ms: 60_000,
        validity_ms: 3_600_000,
        fallback: Vec::new(),
        channels: Vec::new(),
        answers: Vec::new(),
        conduct: alerts::Conduct::default(),
        lead: Vec::new(),
        on_call: Vec::new(),
        aware_at: None,
        dedup_key: None,
        source: "test".to_owned(),
        template: None,
    }))))
}

/// A cut that works one way: what this node says reaches nobody, while it hears the cluster go on. Played on a member of
/// one, whose island is driven by hand: its state moves on, its own reads are said to fail.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fork_is_made_anew_when_the_state_moves_on_beside_it_and_keeps_what_it_said() {
    let dir = tempfile::tempdir().unwrap();
    let config = ClusterConfig {
        data_dir: dir.path().join("node"),
        listen: "127.0.0.1:0".parse().unwrap(),
        advertise: vec![],
        name: "alpha".to_owned(),
        profile: Profile::Lan,
        clock: Arc::new(TestClock(std::time::Instant::now())),
        boot_id: "boot".to_owned(),
        tuning: Tuning::default(),
        carriers: Carriers::default(),
    };
    let founding = Founding {
        organisation: "Aurora Energy".to_owned(),
        https_names: vec![],
    };
    let member = Cluster::init(config, &founding).await.unwrap();
    let common = member.replica();
    common.propose(person("ana")).await.unwrap();

    let ground = member.another_ground(dir.path().join("fork"));
    let mut keeper = Keeper {
        watch: Watch::new(Duration::ZERO, ground.after, Duration::from_secs(2), false),
        ground: ground.clone(),
        writer: JoinSet::new(),
        made: None,
    };
    let entered = (1..20).map(Duration::from_secs).any(|now| {
        let failed = keeper.watch.failed(now);
        failed == Step::Enter || keeper.watch.tick(now) == Step::Enter
    });
    assert!(entered && keeper.watch.phase() == Phase::Island);
    keeper.follow(Step::Enter).await;
    let first = ground.fork().unwrap();
    let island = IslandReplica::new(ground.clone());
    let raised = island.propose(raise()).await.unwrap();
    assert_eq!(raised.durability, Durability::Island);

    // Nothing moved: the fork stays.
    keeper.made = None;
    keeper.look_after_fork().await;
    assert_eq!(ground.fork().unwrap().stamp, first.stamp);

    common.propose(person("bela")).await.unwrap();
    // Made a moment ago: not again so soon.
    keeper.made = Some(Instant::now());
    keeper.look_after_fork().await;
    assert_eq!(ground.fork().unwrap().stamp, first.stamp);
    // While it is made anew somebody raises; that waits, and is not lost.
    keeper.made = None;
    let (second, ()) = tokio::join!(island.propose(raise()), keeper.look_after_fork());
    assert_eq!(second.unwrap().durability, Durability::Island);
    let anew = ground.fork().unwrap();
    assert!(anew.mark.base > first.mark.base, "{}", anew.mark.base);

    let mut view = island.read(Freshness::Local).await.unwrap();
    let open: i64 = sqlx::query_scalar("select count(*) from alert")
        .fetch_one(&mut *view)
        .await
        .unwrap();
    assert_eq!(open, 2, "what the island said it keeps saying");
    let heard = recipients::person(&mut view, "bela").await.unwrap();
    assert!(heard.is_some(), "what was heard of the cluster is in it");
    drop(view);
    keeper.writer.shutdown().await;
    member.shutdown().await.unwrap();
}
