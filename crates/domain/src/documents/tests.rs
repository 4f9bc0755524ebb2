//! Transcripts of documents.

use super::{Command as Documents, Put, find, list};
use crate::conversations::Speaker;
use crate::files::{Announce, Command as Files, FileDigest};
use crate::templates;
use crate::texts::Language;
use crate::transcript::World;
use crate::vocabulary::Severity;
use crate::{Actor, Command, FileId, NodeId, Outcome, Receipt, Refusal, RequestId, RoomId};

fn by() -> Speaker {
    Speaker {
        name: "Ana".to_owned(),
        person: None,
    }
}

/// A world with a file in a room, and another.
async fn with_files() -> (World, FileId, FileId) {
    let mut world = World::new().await;
    let alert = world.raise(Severity::Normal, 60, &[&["ana"]]).await;
    let mut ids = Vec::new();
    for number in [1, 2] {
        let request = RequestId([number; 16]);
        let announce = Files::Announce(Announce {
            room: RoomId::of_alert(alert),
            by: by(),
            name: "plan.pdf".to_owned(),
            sha256: FileDigest([number; 32]),
            size: 900,
            caption: String::new(),
            restricted: false,
        });
        let actor = Actor::Operator { node: NodeId(1) };
        let entry = world.entry(request, [0; 32], actor, None, Command::Files(announce));
        crate::apply_batch(&mut world.conn, &[entry]).await.unwrap();
        let (file, node) = (FileId::of_request(request), NodeId(1));
        world
            .ask(Command::Files(Files::Arrive { file, node }))
            .await;
        ids.push(file);
    }
    (world, ids[0], ids[1])
}

fn plan(file: FileId) -> Put {
    Put {
        key: "fire-plan".to_owned(),
        title: "Fire plan".to_owned(),
        file,
        owner: "ana".to_owned(),
        review_by: Some(20_500),
        templates: Vec::new(),
        kit: true,
        by: by(),
    }
}

async fn put(world: &mut World, new: Put) -> Outcome {
    world.ask(Command::Documents(Documents::Put(new))).await
}

async fn take_away(world: &mut World, file: FileId) -> Outcome {
    let by = by();
    world.ask(Command::Files(Files::Remove { file, by })).await
}

#[tokio::test]
async fn a_document_counts_the_files_it_has_been_and_holds_the_one_it_is() {
    let (mut world, first, second) = with_files().await;
    let done = put(&mut world, plan(first)).await;
    assert_eq!(done, Outcome::Applied(Receipt::Number(1)));
    assert_eq!(put(&mut world, plan(first)).await, Outcome::Unchanged);
    let held = take_away(&mut world, first).await;
    assert!(
        matches!(held, Outcome::Refused(Refusal::NotNow(_))),
        "{held:?}"
    );
    let done = put(&mut world, plan(second)).await;
    assert_eq!(done, Outcome::Applied(Receipt::Number(2)));
    let gone = take_away(&mut world, first).await;
    assert!(matches!(gone, Outcome::Applied(_)), "{gone:?}");
    let other = Put {
        key: "other".to_owned(),
        ..plan(second)
    };
    let taken = put(&mut world, other).await;
    assert!(matches!(taken, Outcome::Refused(Refusal::NotNow(_))));
    let key = "fire-plan".to_owned();
    let remove = Documents::Remove { key, by: by() };
    let removed = world.ask(Command::Documents(remove)).await;
    assert!(matches!(removed, Outcome::Applied(_)));
    assert_eq!(find(&mut world.conn, "fire-plan").await.unwrap(), None);
    let gone = take_away(&mut world, second).await;
    assert!(matches!(gone, Outcome::Applied(_)), "{gone:?}");
}

#[tokio::test]
async fn what_a_document_names_must_be_there() {
    let (mut world, file, _) = with_files().await;
    for bad in [
        Put {
            key: "Fire plan".to_owned(),
            ..plan(file)
        },
        Put {
            title: " ".to_owned(),
            ..plan(file)
        },
        Put {
            owner: "nobody".to_owned(),
            ..plan(file)
        },
        Put {
            templates: vec!["nothing".to_owned()],
            ..plan(file)
        },
        plan(FileId([9; 16])),
    ] {
        let refused = put(&mut world, bad.clone()).await;
        assert!(matches!(refused, Outcome::Refused(_)), "{bad:?}");
    }
    assert_eq!(list(&mut world.conn, None).await.unwrap(), []);
}

#[tokio::test]
async fn documents_are_found_by_their_scenario() {
    let (mut world, first, second) = with_files().await;
    let starter = templates::Command::InstallStarter {
        templates: templates::pack(&[Language::english()]),
    };
    world.run(Command::Templates(starter)).await;
    let known = templates::list(&mut world.conn, false).await.unwrap();
    let scenario = known[0].newest.template.key.clone();
    let pinned = Put {
        templates: vec![scenario.clone(), scenario.clone()],
        ..plan(first)
    };
    put(&mut world, pinned).await;
    let loose = Put {
        key: "phone-list".to_owned(),
        ..plan(second)
    };
    put(&mut world, loose).await;
    assert_eq!(list(&mut world.conn, None).await.unwrap().len(), 2);
    let found = list(&mut world.conn, Some(&scenario)).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].templates, [scenario]);
    assert_eq!(list(&mut world.conn, Some("none")).await.unwrap(), []);
}
