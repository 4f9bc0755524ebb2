//! Rules and transcripts of limits.

mod spending;

use super::{Command as Limits, SecondPerson, Weight, second_person, too_heavy};
use crate::oncall::Called;
use crate::recipients::Named;
use crate::transcript::World;
use crate::{Command, Outcome, Receipt, Refusal};

fn over(people: u32) -> SecondPerson {
    SecondPerson {
        people_over: Some(people),
        ask: vec![Called::Named(Named::Person("dora".to_owned()))],
        ..SecondPerson::default()
    }
}

#[test]
fn any_threshold_is_enough_and_says_which() {
    let setting = SecondPerson {
        people_over: Some(50),
        parts_over: Some(60),
        micros_over: Some(5_000_000),
        ..over(50)
    };
    for (people, sms_parts, micros, expected) in [
        (50, 60, Some(5_000_000), &[][..]),
        (51, 60, None, &["it calls 51 people, more than 50"]),
        (50, 61, None, &["it takes 61 SMS parts, more than 60"]),
        (1, 1, Some(5_000_001), &["it costs 5.01, more than 5.00"]),
        (
            51,
            61,
            None,
            &[
                "it calls 51 people, more than 50",
                "it takes 61 SMS parts, more than 60",
            ],
        ),
    ] {
        let weight = Weight {
            people,
            sms_parts,
            micros,
        };
        assert_eq!(too_heavy(&setting, &weight), expected, "{weight:?}");
    }
}

#[tokio::test]
async fn a_setting_that_nobody_could_fulfil_is_refused_in_words() {
    let mut world = World::new().await;
    let set = |setting| Command::Limits(Limits::SetSecondPerson(setting));
    let nobody = SecondPerson {
        ask: Vec::new(),
        ..over(50)
    };
    let stranger = SecondPerson {
        ask: vec![Called::Named(Named::Person("zoe".to_owned()))],
        ..over(50)
    };
    let no_threshold = SecondPerson {
        people_over: None,
        ..over(50)
    };
    for (setting, word) in [
        (nobody, "asked to agree"),
        (stranger, "zoe"),
        (no_threshold, "no threshold"),
    ] {
        let Outcome::Refused(why) = world.ask(set(Some(setting))).await else {
            panic!("taken")
        };
        assert!(why.to_string().contains(word), "{why}");
    }
    assert_eq!(world.ask(set(None)).await, Outcome::Unchanged);
    let done = Outcome::Applied(Receipt::None);
    assert_eq!(world.ask(set(Some(over(50)))).await, done);
    assert_eq!(world.ask(set(Some(over(50)))).await, Outcome::Unchanged);
    assert_eq!(
        second_person(&mut world.conn).await.unwrap(),
        Some(over(50))
    );
    assert_eq!(world.ask(set(None)).await, done);
    assert_eq!(second_person(&mut world.conn).await.unwrap(), None);
    assert_ne!(
        world.ask(set(Some(over(0)))).await,
        Outcome::Refused(Refusal::NoRecipients)
    );
}
