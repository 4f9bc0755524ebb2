//! Owes the texts that let people in.

use sqlx::SqliteConnection;

use super::{Addressee, Command, INVITATION_VALID, glass, guests, numbers, query};
use crate::access::accounts::{
    self, AccountRow, TEXT_CODE_TIME, TEXTS, TEXTS_OF_DAY, TEXTS_OF_NODE, TextCodeRow,
};
use crate::apply::Entry;
use crate::deliveries::{self, Purpose, ReplySecret, State, Trial};
use crate::escalation;
use crate::ids::NodeId;
use crate::nodes;
use crate::outcome::{Outcome, Receipt, Refusal};
use crate::texts;

pub(crate) async fn apply(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    command: &Command,
) -> Result<Outcome, sqlx::Error> {
    let done = match command {
        Command::SendCode { attempt } => send_code(conn, entry, attempt).await?,
        Command::SendInvitation { name } => send_invitation(conn, entry, name).await?,
        Command::AddGuest(new) => guests::add(conn, entry, new).await?,
        Command::EndGuest { account } => return guests::end(conn, entry, account).await,
        Command::AskNumber(ask) => numbers::ask(conn, entry, ask).await?,
        Command::VouchNumber { person, by } => numbers::vouch(conn, entry, person, by).await?,
        Command::MakeCard {
            card,
            site,
            code_hash,
        } => glass::make(conn, entry, (card, site), code_hash).await?,
        Command::ConfirmCard { card } => glass::confirm(conn, entry, card).await?,
        Command::EndCard { card } => glass::end(conn, entry, card).await?,
        Command::OpenByCard(by) => glass::open(conn, entry, by).await?,
    };
    Ok(match done {
        Ok(()) => Outcome::Applied(Receipt::None),
        Err(refusal) => Outcome::Refused(refusal),
    })
}

async fn send_code(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    attempt: &[u8; 32],
) -> Result<Result<(), Refusal>, sqlx::Error> {
    let over = || Ok(Err(not_now("this sign-in is over; begin it anew")));
    let found = accounts::attempt(conn, attempt).await?;
    let Some(found) = found.filter(|found| found.open(entry.at)) else {
        return over();
    };
    let account = accounts::account(conn, &found.account).await?;
    let Some(account) = account.filter(|account| account.lets_in(entry.at)) else {
        return over();
    };
    let ready = match ready(conn, entry, &account).await? {
        Ok(ready) => ready,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let organisation = nodes::organisation(conn).await?;
    let body = texts::sign_in_code(ready.to.language, &organisation, &found.device_name);
    let trial = ready.trial(Purpose::SignIn, body, TEXT_CODE_TIME);
    let code = TextCodeRow {
        delivery: deliveries::trial_id(entry, &trial),
        expires_at: entry.at + TEXT_CODE_TIME,
    };
    deliveries::owe_trial(conn, entry, &trial).await?;
    accounts::note_text_code(conn, entry.at, attempt, code).await?;
    Ok(Ok(()))
}

async fn send_invitation(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    name: &str,
) -> Result<Result<(), Refusal>, sqlx::Error> {
    let Some(account) = accounts::account(conn, name).await? else {
        let text = "there is no such account; see `holdfast account list`";
        return Ok(Err(Refusal::NoSuch(text.to_owned())));
    };
    if !account.lets_in(entry.at) {
        let text = "the account is disabled, or its guest's time is over";
        return Ok(Err(not_now(text)));
    }
    let ready = match ready(conn, entry, &account).await? {
        Ok(ready) => ready,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let organisation = nodes::organisation(conn).await?;
    let body = texts::invitation(ready.to.language, &organisation, &ready.to.name);
    invite(conn, entry, (name, body), &ready).await
}

/// Makes an invitation that only its text carries, and owes the text.
pub(super) async fn invite(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    (account, body): (&str, String),
    ready: &Ready,
) -> Result<Result<(), Refusal>, sqlx::Error> {
    let trial = ready.trial(Purpose::Invitation, body, INVITATION_VALID);
    let code = ready
        .secret
        .invitation_code(deliveries::trial_id(entry, &trial));
    let hash = accounts::invitation_hash(&code);
    if let Outcome::Refused(refusal) = accounts::invite(conn, entry, account, &hash).await? {
        return Ok(Err(refusal));
    }
    deliveries::owe_trial(conn, entry, &trial).await?;
    Ok(Ok(()))
}

/// Everything a text to let somebody in needs.
pub(super) struct Ready {
    to: Addressee,
    secret: ReplySecret,
    /// The modem of the node that was asked, if it has one that can send.
    from: Option<(NodeId, String)>,
}

impl Ready {
    fn trial(&self, purpose: Purpose, body: String, valid: std::time::Duration) -> Trial<'_> {
        let from = self.from.as_ref();
        Trial {
            purpose,
            recipient: self.to.person,
            kind: "sms",
            address: &self.to.number,
            language: self.to.language.tag(),
            code: "",
            body,
            state: State::Pending,
            from: from.map(|(node, channel)| (*node, channel.as_str())),
            method: 0,
            validity_ms: i64::try_from(valid.as_millis()).unwrap_or(i64::MAX),
        }
    }
}

/// Looks whether something can and may be texted for an account now, and counts it.
async fn ready(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    account: &AccountRow,
) -> Result<Result<Ready, Refusal>, sqlx::Error> {
    match query::addressee(conn, account).await? {
        Ok(to) => ready_for(conn, entry, &account.name, to).await,
        Err(refusal) => Ok(Err(refusal)),
    }
}

/// The same, once it is known who they are.
pub(super) async fn ready_for(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    account: &str,
    to: Addressee,
) -> Result<Result<Ready, Refusal>, sqlx::Error> {
    if nodes::outbox_pause(conn).await?.is_some() {
        return Ok(Err(Refusal::OutboxPaused));
    }
    let channels = nodes::channels(conn).await?;
    let mut modems = channels.iter().filter(|c| c.usable && c.kind == "sms");
    if modems.clone().next().is_none() {
        let text = "no modem can send a text now; use another way";
        return Ok(Err(not_now(text)));
    }
    let Some(secret) = deliveries::reply_secret(conn).await? else {
        let text = "the cluster has only just begun to work; try again in a moment";
        return Ok(Err(not_now(text)));
    };
    let asked = entry.envelope.issued_by;
    let from = modems.find(|channel| channel.node == asked && !channel.draining);
    let from = from.map(|channel| (channel.node, channel.name.clone()));
    if let Some(wait_s) = count(conn, entry, account, &to).await? {
        return Ok(Err(Refusal::TooMany { wait_s }));
    }
    Ok(Ok(Ready { to, secret, from }))
}

/// Counts one text for the account and for the node that was asked; how long to wait when one of them had all it may.
/// Somebody called to an open alert must get in, however many others ask.
async fn count(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    account: &str,
    to: &Addressee,
) -> Result<Option<u64>, sqlx::Error> {
    let own = accounts::subject(account);
    let mut limits = vec![(&TEXTS, own), (&TEXTS_OF_DAY, own)];
    let called = match to.person {
        Some(person) => escalation::open_calls_of(conn, person).await?,
        None => Vec::new(),
    };
    if called.is_empty() {
        let node = accounts::subject_of_node(entry.envelope.issued_by);
        limits.push((&TEXTS_OF_NODE, node));
    }
    for (limit, subject) in &limits {
        let wait = accounts::wait_for(conn, entry.at, limit, subject).await?;
        if wait.is_some() {
            return Ok(wait);
        }
    }
    for (limit, subject) in &limits {
        accounts::count_one(conn, entry.at, limit, subject).await?;
    }
    Ok(None)
}

pub(super) fn not_now(text: &str) -> Refusal {
    Refusal::NotNow(text.to_owned())
}
