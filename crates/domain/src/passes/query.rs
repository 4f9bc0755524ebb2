//! To whom something may be texted that lets them in, and what became of it.

use sqlx::SqliteConnection;

use crate::access::accounts::{self, AccountRow, GuestRow};
use crate::deliveries::{self, Purpose, State};
use crate::ids::RecipientId;
use crate::outcome::Refusal;
use crate::recipients::{self, ContactMethod, Found};
use crate::texts::Language;
use crate::time::Timestamp;

/// Somebody, and the number that is theirs.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Addressee {
    /// `None`: a guest.
    pub person: Option<RecipientId>,
    pub name: String,
    pub language: Language,
    pub number: String,
}

/// To whom codes and invitations of an account are texted, or why to nobody: a person's number must be known to reach
/// them. A guest's is the one they were added with.
pub async fn addressee(
    conn: &mut SqliteConnection,
    account: &AccountRow,
) -> Result<Result<Addressee, Refusal>, sqlx::Error> {
    let not = |text: &str| Ok(Err(Refusal::NotNow(text.to_owned())));
    if account.roles.needs_strong_factor() {
        return not(
            "nothing that lets them in is texted to admins and auditors; use the app's code or a printed one",
        );
    }
    if let Some(guest) = &account.guest {
        return Ok(Ok(Addressee {
            person: None,
            name: account.shown.clone(),
            language: Language::of_number(&guest.number),
            number: guest.number.clone(),
        }));
    }
    let person = match &account.person {
        Some(key) => recipients::person(conn, key).await?,
        None => None,
    };
    let Some(person) = person else {
        return not("the account belongs to nobody with a number; use another way");
    };
    let prefixes = recipients::prefixes(conn).await?;
    let known = person.methods.iter().zip(&person.verification);
    let number = known
        .filter(|(method, known)| {
            known.found == Found::Verified && recipients::check_prefix(&prefixes, method).is_ok()
        })
        .find_map(|(method, _)| match method {
            ContactMethod::Sms(number) => Some(number.clone()),
            ContactMethod::Email(_) => None,
        });
    match number {
        Some(number) => Ok(Ok(Addressee {
            person: Some(person.id),
            name: person.name,
            language: Language::parse(&person.language),
            number,
        })),
        None => not("no number of this person is known to reach them; use another way"),
    }
}

/// What became of the code that a guest was texted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct GuestCode {
    /// How far its text has come.
    pub text: Option<State>,
    /// When it was typed on a device: since then the number is known to be theirs.
    pub proven_at: Option<Timestamp>,
}

/// What became of the code of a guest's account.
pub async fn guest_code(
    conn: &mut SqliteConnection,
    account: &str,
    guest: &GuestRow,
) -> Result<GuestCode, sqlx::Error> {
    let (number, at) = (&guest.number, guest.added_at);
    Ok(GuestCode {
        text: deliveries::trial_state(conn, Purpose::Invitation, number, at).await?,
        proven_at: accounts::invitation_used(conn, account).await?,
    })
}
