//! Who a text may come from, and what that number has been doing lately.

use std::time::Duration;

use sqlx::SqliteConnection;

use super::query::{self, InboundRow};
use super::rules::{self, Given};
use super::{Taken, orders};
use crate::escalation::{self, Called};
use crate::ids::RecipientId;
use crate::phone::PhoneNumber;
use crate::recipients::{self, PersonRow};
use crate::texts::Language;
use crate::time::Timestamp;
use crate::vocabulary::AlertKind;

/// Replies to one number that has business with us, per hour (SECURITY §2.4).
pub(super) const REPLIES_PER_HOUR_MAX: usize = 120;

/// Wrong codes within an hour after which right ones from the same number no longer count (SECURITY T-9).
pub(super) const WRONG_CODES_MAX: usize = 3;

const HOUR: Duration = Duration::from_secs(3_600);

/// Time within which a longer text follows its parts: reassembly gives up after ten minutes.
const PARTS: Duration = Duration::from_secs(15 * 60);

/// More texts than this in an hour are not looked through. All limits are far below.
const RECENT_MAX: u32 = 1_000;

/// Shorter senders are services, and answer by themselves.
const NUMBER_DIGITS_MIN: usize = 7;

/// A number as its texts find it.
pub(super) struct Sender {
    /// In E.164 where it is a phone number, else as the network gave it.
    pub(super) address: String,
    /// Those who have this number. Usually one person; none for a stranger.
    pub(super) people: Vec<PersonRow>,
    /// Their calls to open alerts, newest first.
    pub(super) open: Vec<Called>,
    /// Every code that answers one of them, or does an order that waits.
    codes: Vec<String>,
    /// Its texts of the last hour, newest first.
    recent: Vec<InboundRow>,
    /// When the text at hand came.
    pub(super) at: Timestamp,
}

impl Sender {
    pub(super) async fn load(
        conn: &mut SqliteConnection,
        at: Timestamp,
        from: &str,
    ) -> Result<Self, sqlx::Error> {
        let address = PhoneNumber::parse(from)
            .map_or_else(|_| from.trim().to_owned(), |n| n.as_str().to_owned());
        Self::with(conn, at, address, "sms").await
    }

    /// Whoever has this address of a kind.
    pub(super) async fn with(
        conn: &mut SqliteConnection,
        at: Timestamp,
        address: String,
        kind: &str,
    ) -> Result<Self, sqlx::Error> {
        let people = recipients::by_address(conn, kind, &address).await?;
        let mut open = Vec::new();
        let mut codes = Vec::new();
        for person in &people {
            open.extend(escalation::open_calls_of(conn, person.id).await?);
            codes.extend(escalation::open_codes_of(conn, person.id).await?);
        }
        // A stable sort: those of one person stay in their order.
        open.sort_by_key(|call| std::cmp::Reverse(call.called_at));
        let waiting = orders::of_number(conn, &address).await?;
        codes.extend(waiting.into_iter().filter_map(|row| row.waits_for(at)));
        let recent = query::of_sender(conn, &address, at - HOUR, RECENT_MAX).await?;
        Ok(Self {
            address,
            people,
            open,
            codes,
            recent,
            at,
        })
    }

    /// Whether it has this person's number.
    pub(super) fn is(&self, recipient: RecipientId) -> bool {
        self.people.iter().any(|person| person.id == recipient)
    }

    /// As people should see it: the name behind the number when there is one only.
    pub(super) fn name(&self) -> &str {
        match self.people.as_slice() {
            [person] => &person.name,
            _ => &self.address,
        }
    }

    /// The language to answer in.
    pub(super) fn language(&self) -> Language {
        self.people.first().map_or_else(
            || Language::of_number(&self.address),
            |p| Language::parse(&p.language),
        )
    }

    pub(super) fn open_codes(&self) -> Vec<String> {
        self.codes.clone()
    }

    /// Phones can be answered; names and short codes belong to robots (CHANNELS §1.9).
    pub(super) fn is_phone(&self) -> bool {
        let digits = self.address.strip_prefix('+').unwrap_or(&self.address);
        digits.len() >= NUMBER_DIGITS_MIN && digits.bytes().all(|b| b.is_ascii_digit())
    }

    /// Whether it has had all the replies one hour allows.
    pub(super) fn is_exhausted(&self) -> bool {
        self.recent.iter().filter(|row| row.replied).count() >= REPLIES_PER_HOUR_MAX
    }

    /// Whether it has guessed at codes.
    pub(super) fn is_guessing(&self) -> bool {
        self.recent
            .iter()
            .filter(|row| row.taken == Some(Taken::UnknownCode))
            .count()
            >= WRONG_CODES_MAX
    }

    /// How many of its texts of the last hour were taken for something.
    pub(super) fn count_taken(&self, matches: impl Fn(Taken) -> bool) -> usize {
        self.recent
            .iter()
            .filter(|row| row.taken.is_some_and(&matches))
            .count()
    }

    /// Whether it sent just this within the hour and it was taken for the same.
    pub(super) fn sent_as(&self, text: &str, taken: Taken) -> bool {
        self.recent
            .iter()
            .any(|row| row.taken == Some(taken) && row.text == text)
    }

    /// Whether it sent just this within the hour, and was answered: a robot repeating itself.
    pub(super) fn repeats_itself(&self, text: &str) -> bool {
        self.recent
            .iter()
            .any(|row| row.replied && row.text == text)
    }

    /// Whether a part of this text was taken for this answer already.
    pub(super) fn answered_by_part_of(
        &self,
        text: &str,
        code: &str,
        given: &Given,
        kind: AlertKind,
    ) -> bool {
        let open = [code.to_owned()];
        let said = |part: &str| {
            rules::parse_part(part, &open, kind).is_some_and(|(c, g)| c == code && g == *given)
        };
        self.since_parts().any(|row| {
            row.taken == Some(Taken::AnswerInPart) && text.contains(&row.text) && said(&row.text)
        })
    }

    /// Whether the text this is a part of has come already.
    pub(super) fn sent_whole_of(&self, part: &str) -> bool {
        let is_part = |taken| matches!(taken, Some(Taken::Part | Taken::AnswerInPart));
        self.since_parts()
            .any(|row| !is_part(row.taken) && row.text.contains(part))
    }

    fn since_parts(&self) -> impl Iterator<Item = &InboundRow> {
        self.recent
            .iter()
            .filter(|row| row.received_at >= self.at - PARTS)
    }
}
