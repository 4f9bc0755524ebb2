//! To whom something may be texted that lets them in.

use sqlx::SqliteConnection;

use crate::access::accounts::AccountRow;
use crate::outcome::Refusal;
use crate::recipients::{self, ContactMethod, Found, PersonRow};

/// A person, and the number that is known to reach them.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Addressee {
    pub person: PersonRow,
    pub number: String,
}

/// To whom codes and invitations of an account are texted, or why to nobody.
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
        Some(number) => Ok(Ok(Addressee { person, number })),
        None => not("no number of this person is known to reach them; use another way"),
    }
}
