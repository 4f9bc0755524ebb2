//! Transcripts of API keys.

use super::{Command as Access, CreateKey, Scope, key};
use crate::transcript::World;
use crate::{Command, Outcome, Receipt, Refusal, Timestamp};

fn create(scopes: &[&str], expires_at: Option<Timestamp>) -> Command {
    Command::Access(Access::CreateKey(CreateKey {
        id: "k1".to_owned(),
        name: "monitoring".to_owned(),
        secret_hash: [4; 32],
        scopes: scopes.iter().map(|s| (*s).to_owned()).collect(),
        expires_at,
    }))
}

#[tokio::test]
async fn a_key_lives_until_it_expires_or_is_revoked() {
    let mut world = World::new().await;
    let end = Timestamp(world.now.0 + 1_000);
    assert_eq!(
        world.ask(create(&["alert:create"], Some(end))).await,
        Outcome::Applied(Receipt::None)
    );
    let row = key(&mut world.conn, "k1").await.unwrap().unwrap();
    assert_eq!(row.scopes, [Scope::AlertCreate]);
    assert!(row.live(world.now) && !row.live(end));
    world
        .ask(Command::Access(Access::RevokeKey {
            id: "k1".to_owned(),
        }))
        .await;
    assert!(
        !key(&mut world.conn, "k1")
            .await
            .unwrap()
            .unwrap()
            .live(world.now)
    );
}

#[tokio::test]
async fn an_unknown_scope_is_refused() {
    let mut world = World::new().await;
    let outcome = world.ask(create(&["alert:everything"], None)).await;
    assert!(
        matches!(outcome, Outcome::Refused(Refusal::Invalid(_))),
        "{outcome:?}"
    );
}

#[test]
fn scope_names_read_back() {
    for scope in Scope::ALL {
        assert_eq!(Scope::parse(scope.name()), Some(scope));
    }
}
