//! Writes to `escalation`, `escalation_page` and `called_person`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::json;
use sqlx::SqliteConnection;

use super::enough::{Policy, is_hopeless, is_met};
use super::plan_row::{PlanRowFull, insert_all, load, save};
use super::rules::{Action, Plan, code, next_action};
use super::timers::NOTHING_DONE;
use super::{
    Answer, Called, Command, Content, PAGE_LEN, Phase, Quota, acts, query, safety, timers,
};
use crate::apply::Entry;
use crate::deliveries::{self, Lane, NewPage, Paged, Purpose, RUNG_MAX, Waking};
use crate::ids::{AlertId, RecipientId, RoomId};
use crate::outcome::{Outcome, Receipt, Refusal};
use crate::script::Script;
use crate::time::Timestamp;
use crate::vocabulary::{AlertKind, Conduct, Severity};
use crate::{conversations, nodes, recipients, rows};

/// Digits of a code.
const CODE_DIGITS: usize = 4;

/// Answers as `CallFact` orders them, for SQL to find a word's place.
const ANSWERS_IN_ORDER: &str = "coming cannot received need_help safe not_on_site";

/// As [`ANSWERS_IN_ORDER`], of [`super::Word`].
const WORDS_IN_ORDER: &str = "given asked lapsed confirmed";

/// A person's code is not drawn again while it was in use this long ago.
const CODE_REST_MS: i64 = 48 * 3_600_000;

pub(crate) async fn apply(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    command: &Command,
) -> Result<Outcome, sqlx::Error> {
    let alert = match command {
        Command::ExpandPage { alert, .. }
        | Command::Advance { alert, .. }
        | Command::Repeat { alert, .. }
        | Command::Review { alert, .. }
        | Command::ExpandCallOff { alert, .. } => *alert,
        Command::Tend { alert } => return timers::tend(conn, entry, *alert).await,
    };
    let Some(mut row) = load(conn, alert).await? else {
        return Ok(Outcome::Refused(Refusal::UnknownAlert));
    };
    // Each command names what it was decided on; anything else is late or repeated.
    let wanted = next_action(&row.plan, entry.at).map(|(action, _)| action);
    match (command, wanted) {
        (Command::ExpandPage { page, .. }, Some(Action::ExpandPage(next))) if *page == next => {
            expand_page(conn, entry, &row, next).await?;
            // A first step called before its time has been; the next one waits for its own.
            row.plan.hurry &= !row.plan.not_begun();
            row.plan.next_page += 1;
            let called = page_people(conn, alert, next).await?;
            timers::set(conn, &row, Some(&called), NOTHING_DONE).await?;
        }
        (Command::ExpandCallOff { page, .. }, Some(Action::ExpandCallOff(next)))
            if *page == next =>
        {
            let people = page_people(conn, alert, next).await?;
            deliveries::call_off(conn, entry, alert, row.critical, row.validity_ms, &people)
                .await?;
            row.plan.next_page += 1;
        }
        (Command::Advance { step, .. }, Some(Action::Advance(next))) if *step == next => {
            row.plan.hurry = false;
            advance(conn, entry, &mut row, next).await?;
        }
        (Command::Repeat { round, .. }, Some(Action::Repeat(next))) if *round == next => {
            row.plan.round = next;
            row.plan.next_page = 0;
            row.plan.hurry = false;
            if row.plan.is_loud() {
                row.plan.step =
                    u16::try_from(row.plan.last_pages.len().saturating_sub(1)).unwrap_or(u16::MAX);
                let note = "Too few answered: everyone is called once more, on every path.";
                say(conn, entry, alert, note).await?;
            }
        }
        (Command::Review { round, .. }, Some(Action::Review(next))) if *round == next => {
            row.plan.review = next;
            let checks = row.policy.conduct.kind == AlertKind::SafetyCheck;
            if checks && next == 1 && !row.plan.satisfied {
                safety::time_is_over(conn, entry, &row).await?;
            } else {
                let note = "Still open. Resolve it or call it off when it is over.";
                say(conn, entry, alert, note).await?;
            }
        }
        (Command::ExpandPage { page, .. }, Some(Action::ExpandPage(next)))
        | (Command::ExpandCallOff { page, .. }, Some(Action::ExpandCallOff(next))) => {
            return Ok(Outcome::Refused(Refusal::NotNextPage {
                asked: *page,
                next,
            }));
        }
        (
            Command::ExpandPage { .. }
            | Command::ExpandCallOff { .. }
            | Command::Advance { .. }
            | Command::Repeat { .. }
            | Command::Review { .. }
            | Command::Tend { .. },
            _,
        ) => return Ok(Outcome::Unchanged),
    }
    save(conn, &row, entry.at).await?;
    Ok(Outcome::Applied(Receipt::None))
}

/// Starts a step.
pub(super) async fn advance(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    row: &mut PlanRowFull,
    step: u16,
) -> Result<(), sqlx::Error> {
    row.plan.step = step;
    judge(conn, entry, row).await?;
    let people = people_of_step(conn, row.alert, step).await?;
    let note = format!("Step {} called: {people} people.", step + 1);
    say(conn, entry, row.alert, &note).await
}

/// Writes what the plan does by itself into the alert's room.
pub(super) async fn say(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    alert: AlertId,
    note: &str,
) -> Result<(), sqlx::Error> {
    let room = RoomId::of_alert(alert);
    conversations::post(conn, entry, room, "Holdfast", "system", note).await?;
    Ok(())
}

/// A plan as the raise gives it.
pub(crate) struct Begin<'a> {
    pub(crate) alert: AlertId,
    pub(crate) content: Content,
    pub(crate) lane: Lane,
    pub(crate) steps: &'a [NewStep],
    /// Called in the loud round beside everyone else; in no step.
    pub(crate) fallback: &'a [RecipientId],
    pub(crate) needed: u16,
    pub(crate) conduct: &'a Conduct,
    /// Told at once how a safety check goes.
    pub(crate) lead: &'a [RecipientId],
    pub(crate) repeats: u16,
    pub(crate) repeat_every_ms: u64,
    pub(crate) validity_ms: u64,
}

/// A step as the raise gives it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct NewStep {
    pub(crate) delay_ms: u64,
    pub(crate) people: Vec<RecipientId>,
    pub(crate) enough: Vec<Quota>,
}

/// A plan frozen, with its pages, on its way into the tables.
pub(crate) struct NewPlan {
    row: PlanRowFull,
    at: Timestamp,
    /// Step and people of each page.
    pages: Vec<(usize, Vec<u8>)>,
}

impl NewPlan {
    /// Freezes a plan; its first page is due when its first step is.
    pub(crate) fn new(entry: &Entry<'_>, new: &Begin<'_>) -> Result<Self, sqlx::Error> {
        let mut pages = Vec::new();
        let mut last_pages = Vec::new();
        let in_turn = new.steps.iter().map(|step| step.people.as_slice());
        let kept = Some(new.fallback).filter(|people| !people.is_empty());
        for (step, people) in in_turn.chain(kept).enumerate() {
            let mut people = people.to_vec();
            if people.len() > PAGE_LEN {
                // A crowd is called in the order its rows lie in: each page then writes in one place of a table.
                people.sort_unstable();
            }
            for chunk in people.chunks(PAGE_LEN) {
                pages.push((step, chunk.iter().flat_map(|id| id.0).collect()));
            }
            // A step without people has no page of its own and is passed at once.
            last_pages.push((pages.len() as u32).saturating_sub(1));
        }
        let row = PlanRowFull {
            alert: new.alert,
            critical: new.content.severity == Severity::Critical,
            lane: new.lane,
            validity_ms: i64::try_from(new.validity_ms).unwrap_or(i64::MAX),
            content: rows::to_json(&new.content)?,
            needed: new.needed,
            policy: Policy {
                enough: match new.steps.iter().all(|step| step.enough.is_empty()) {
                    true => Vec::new(),
                    false => new.steps.iter().map(|step| step.enough.clone()).collect(),
                },
                conduct: new.conduct.clone(),
                lead: new.lead.to_vec(),
            },
            coming: 0,
            taken_over: false,
            judged: false,
            plan: Plan {
                phase: Phase::Calling,
                started: entry.at,
                delays_ms: new.steps.iter().map(|step| step.delay_ms).collect(),
                last_pages,
                step: 0,
                round: 0,
                review: 0,
                repeats: new.repeats,
                repeat_every_ms: new.repeat_every_ms,
                satisfied: false,
                hurry: false,
                quiet: new.conduct.quiet,
                checks: new.conduct.kind == AlertKind::SafetyCheck,
                woken: Timestamp(0),
                paused_until: Timestamp(0),
                next_page: 0,
                call_off_end: 0,
            },
            hold_until: Timestamp(0),
        };
        Ok(Self {
            row,
            at: entry.at,
            pages,
        })
    }

    pub(crate) fn pages(&self) -> usize {
        self.pages.len()
    }
}

/// Adds plans and their pages, in two statements whatever their number and size.
pub(crate) fn insert_plans(script: &mut Script, plans: &[NewPlan]) -> Result<(), sqlx::Error> {
    insert_all(script, plans.iter().map(|plan| (&plan.row, plan.at)))?;
    let pages = plans.iter().map(NewPlan::pages).sum();
    if pages == 0 {
        return Ok(());
    }
    script.insert(
        "insert into escalation_page (alert_id, page, step, recipients)",
        "(?, ?, ?, ?)",
        pages,
        "",
    );
    for plan in plans {
        for (number, (step, people)) in plan.pages.iter().enumerate() {
            script
                .bind(plan.row.alert.as_bytes().to_vec())
                .bind(number as i64)
                .bind(*step as i64)
                .bind(people.clone());
        }
    }
    Ok(())
}

/// The call to this person, following nothing.
pub(crate) async fn find_call(
    conn: &mut SqliteConnection,
    alert: AlertId,
    recipient: RecipientId,
) -> Result<Option<Called>, sqlx::Error> {
    query::call(conn, alert, recipient).await
}

/// Records an answer to an open alert. The last answer counts; enough "coming" stops the next steps. When those who say no
/// leave too few, or one of those called asks for help, the next step does not wait for its time.
pub(crate) async fn answer(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    call: &Called,
    answer: Answer,
    eta_min: Option<u16>,
    from: &str,
) -> Result<(), sqlx::Error> {
    // A text looked at late must not undo what was said after it was sent.
    let looked_at_late = entry.at < entry.envelope.issued_at;
    if looked_at_late && call.answered_at.is_some_and(|later| later > entry.at) {
        return Ok(());
    }
    // Two answers in one millisecond: the second is later all the same, on every island.
    let at = call.answered_at.map_or(entry.at, |before| {
        entry.at.max(before + Duration::from_millis(1))
    });
    sqlx::query(
        "update called_person set answer = ?, answered_at_ms = ?, answered_from = ?, word = ?, eta_min = ? \
         where alert_id = ? and recipient_id = ?",
    )
    .bind(answer.name())
    .bind(at.0)
    .bind(from)
    .bind(call.word_of(answer).name())
    .bind(eta_min.map(i64::from))
    .bind(call.alert.as_bytes())
    .bind(call.recipient.as_bytes())
    .execute(&mut *conn)
    .await?;
    deliveries::settle(conn, entry, call.alert, call.recipient).await?;
    let was_out = acts::back(conn, call.alert, call.recipient).await?;
    let Some(mut row) = load(conn, call.alert).await? else {
        return Ok(());
    };
    row.coming = (row.coming + u16::from(answer == Answer::Coming))
        .saturating_sub(u16::from(call.is_coming() && !was_out));
    safety::account(conn, entry, &mut row).await?;
    let checks = row.policy.conduct.kind == AlertKind::SafetyCheck;
    let refuses = match answer {
        Answer::NeedHelp if checks => {
            safety::help(conn, entry, &row, call.recipient, None).await?;
            false
        }
        Answer::NeedHelp => true,
        Answer::Cannot => !row.plan.satisfied && is_hopeless(conn, &row).await?,
        Answer::Coming | Answer::Received | Answer::Safe | Answer::NotOnSite => false,
    };
    row.plan.hurry |= refuses;
    save(conn, &row, entry.at).await?;
    timers::set(conn, &row, Some(&[call.recipient]), NOTHING_DONE).await
}

/// Works out whether enough people are coming for the newest step.
pub(super) async fn judge(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    row: &mut PlanRowFull,
) -> Result<(), sqlx::Error> {
    let before = row.plan.satisfied;
    row.judged = true;
    row.plan.satisfied = row.taken_over || is_met(conn, row).await?;
    if before && !row.plan.satisfied {
        row.plan.woken = entry.at;
    }
    Ok(())
}

/// Somebody took the alert over: no further step is called.
pub(crate) async fn satisfy(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    alert: AlertId,
) -> Result<(), sqlx::Error> {
    let Some(mut row) = load(conn, alert).await? else {
        return Ok(());
    };
    row.taken_over = true;
    row.plan.satisfied = true;
    save(conn, &row, entry.at).await
}

/// The alert is over: nothing is called any more, codes rest.
pub(crate) async fn close(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    alert: AlertId,
    reason: &str,
) -> Result<(), sqlx::Error> {
    deliveries::cancel_open(conn, entry, alert, reason).await?;
    rest_codes(conn, entry, alert).await?;
    timers::clear(conn, alert).await?;
    let Some(mut row) = load(conn, alert).await? else {
        return Ok(());
    };
    row.plan.phase = Phase::Closed;
    save(conn, &row, entry.at).await
}

/// Stands everyone down: those coming first, then in calling order; only those who were or may have been told.
pub(crate) async fn begin_call_off(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    alert: AlertId,
    reason: &str,
) -> Result<(), sqlx::Error> {
    let told = deliveries::told_recipients(conn, alert).await?;
    deliveries::cancel_open(conn, entry, alert, "called off").await?;
    rest_codes(conn, entry, alert).await?;
    timers::clear(conn, alert).await?;
    let Some(mut row) = load(conn, alert).await? else {
        return Ok(());
    };
    freeze_call_offs(conn, &row, reason).await?;
    let order: Vec<RecipientId> = query::in_call_off_order(conn, alert)
        .await?
        .into_iter()
        .filter(|id| told.contains(id))
        .collect();
    let first = query::page_count(conn, alert).await?;
    let pages: Vec<_> = order
        .chunks(PAGE_LEN)
        .map(|chunk| json!([0, hex_of(chunk)]))
        .collect();
    insert_pages(conn, alert, first, &pages).await?;
    row.plan.phase = Phase::CallingOff;
    row.plan.next_page = first;
    row.plan.call_off_end = first + pages.len() as u32;
    save(conn, &row, entry.at).await
}

/// Carries the calls to `from` over to `into`: its people count as called there, their codes answer there, and of two
/// answers the later one stands. True when that changed anything. [`follow_up`](super::follow_up) comes next.
pub(crate) async fn carry_over(
    conn: &mut SqliteConnection,
    from: AlertId,
    into: AlertId,
) -> Result<bool, sqlx::Error> {
    // The laws of `CallFact`, row by row: islands may learn of calls and joins in any order.
    let calls = sqlx::query(
        "insert into called_person (alert_id, recipient_id, position, step, code, answer, answered_at_ms, answered_from, \
         called_at_ms, closed_at_ms, word, reminded, eta_min) \
         select ?1, recipient_id, position + 1000000, step, code, answer, answered_at_ms, answered_from, called_at_ms, \
         null, word, reminded, eta_min from called_person where alert_id = ?2 order by position \
         on conflict (alert_id, recipient_id) do update set \
         position = case when (excluded.called_at_ms, excluded.step, excluded.position) < (called_at_ms, step, position) \
          then excluded.position else position end, \
         step = case when (excluded.called_at_ms, excluded.step, excluded.position) < (called_at_ms, step, position) \
          then excluded.step else step end, \
         called_at_ms = min(called_at_ms, excluded.called_at_ms), \
         word = case when (coalesce(excluded.answered_at_ms, -1), excluded.answered_from, \
          instr(?3, excluded.answer), instr(?4, excluded.word)) > (coalesce(answered_at_ms, -1), answered_from, \
          instr(?3, answer), instr(?4, word)) then excluded.word else word end, \
         reminded = max(reminded, excluded.reminded), \
         answer = case when (coalesce(excluded.answered_at_ms, -1), excluded.answered_from, \
         instr(?3, excluded.answer)) > (coalesce(answered_at_ms, -1), answered_from, \
          instr(?3, answer)) then excluded.answer else answer end, \
         eta_min = case when (coalesce(excluded.answered_at_ms, -1), excluded.answered_from, \
          instr(?3, excluded.answer), instr(?4, excluded.word), coalesce(excluded.eta_min, -1)) \
          > (coalesce(answered_at_ms, -1), answered_from, instr(?3, answer), instr(?4, word), \
          coalesce(eta_min, -1)) then excluded.eta_min else eta_min end, \
         answered_from = case when (coalesce(excluded.answered_at_ms, -1), excluded.answered_from) \
          > (coalesce(answered_at_ms, -1), answered_from) then excluded.answered_from else answered_from end, \
         answered_at_ms = case when excluded.answered_at_ms is null then answered_at_ms \
          else max(coalesce(answered_at_ms, excluded.answered_at_ms), excluded.answered_at_ms) end \
         where (excluded.called_at_ms, excluded.step, excluded.position) < (called_at_ms, step, position) \
          or excluded.reminded > reminded or (coalesce(excluded.answered_at_ms, -1), excluded.answered_from, \
          instr(?3, excluded.answer), instr(?4, excluded.word), coalesce(excluded.eta_min, -1)) \
          > (coalesce(answered_at_ms, -1), answered_from, instr(?3, answer), instr(?4, word), \
          coalesce(eta_min, -1))",
    )
    .bind(into.as_bytes())
    .bind(from.as_bytes())
    .bind(ANSWERS_IN_ORDER)
    .bind(WORDS_IN_ORDER)
    .execute(&mut *conn)
    .await?;
    let codes = sqlx::query(
        "insert into call_code (alert_id, recipient_id, code) select ?1, recipient_id, code from \
         (select recipient_id, code from called_person where alert_id = ?2 \
          union select recipient_id, code from call_code where alert_id = ?2) f \
         where not exists (select 1 from called_person c where c.alert_id = ?1 and c.recipient_id = f.recipient_id \
          and c.code = f.code) order by recipient_id, code \
         on conflict (alert_id, recipient_id, code) do nothing",
    )
    .bind(into.as_bytes())
    .bind(from.as_bytes())
    .execute(&mut *conn)
    .await?;
    let marks = safety::carry_marks(conn, from, into).await?;
    Ok(marks || calls.rows_affected() + codes.rows_affected() > 0)
}

/// Gives each person of a page a code and their deliveries. In a later round only the silent are paged, with the codes
/// they have.
async fn expand_page(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    row: &PlanRowFull,
    page: u32,
) -> Result<(), sqlx::Error> {
    let alert = row.alert;
    // An earlier page may have been expanded by another island, which froze the texts there.
    let first = page == 0 && row.plan.round == 0;
    if first || !deliveries::has_texts(conn, alert, Purpose::Page).await? {
        freeze_pages(conn, row).await?;
    }
    let step = page_step(conn, alert, page).await?;
    let mut everyone = page_people(conn, alert, page).await?;
    let out = acts::left_out(conn, alert).await?;
    everyone.retain(|id| !out.contains(id));
    if row.plan.round == 0 || row.plan.is_fallback(step) {
        let first = u64::from(page) * PAGE_LEN as u64;
        call_people(conn, entry, alert, first, step, &everyone).await?;
    }
    page_again(conn, entry, row, step, &everyone).await?;
    let crowd = row.critical && row.plan.is_crowd(step, everyone.len());
    if crowd && page == 0 && row.plan.round == 0 {
        let note = format!("More than {RUNG_MAX} people are called together: no phone is rung.");
        say(conn, entry, alert, &note).await?;
    }
    if page == 0 && row.plan.round > 0 {
        let beside = query::silent_beside(conn, alert).await?;
        page_again(conn, entry, row, acts::BESIDE, &beside).await?;
    }
    Ok(())
}

/// Owes those of `everyone` who are silent their texts, with the codes they have.
pub(super) async fn page_again(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    row: &PlanRowFull,
    step: u16,
    everyone: &[RecipientId],
) -> Result<(), sqlx::Error> {
    let alert = row.alert;
    let codes = query::silent_codes(conn, alert, everyone).await?;
    let ids: Vec<RecipientId> = codes.keys().copied().collect();
    let people: BTreeMap<RecipientId, recipients::PersonRow> = recipients::by_ids(conn, &ids)
        .await?
        .into_iter()
        .map(|person| (person.id, person))
        .collect();
    let paged: Vec<Paged<'_>> = everyone
        .iter()
        .filter_map(|id| {
            codes.get(id).map(|code| Paged {
                id: *id,
                code,
                person: people.get(id),
            })
        })
        .collect();
    let content = content_of(row)?;
    let organisation = nodes::organisation(conn).await?;
    // Phones ring at critical alerts, but not those of a crowd.
    let rings = row.critical && !row.plan.is_crowd(step, everyone.len());
    let new = NewPage {
        alert,
        step,
        round: row.plan.round,
        lane: row.lane,
        critical: row.critical,
        at_once: row.critical || row.plan.is_loud(),
        validity_ms: row.validity_ms,
        wished: &content.channels,
        // Whoever was to do this while the island held back may have done it.
        possible_repeat: row.hold_until.0 > 0,
        waking: rings.then_some(Waking {
            organisation: &organisation,
            number: &content.number,
        }),
        people: &paged,
    };
    deliveries::create_pages(conn, entry, &new).await?;
    Ok(())
}

/// Freezes the texts that call people, in every language.
pub(super) async fn freeze_pages(
    conn: &mut SqliteConnection,
    row: &PlanRowFull,
) -> Result<(), sqlx::Error> {
    let organisation = nodes::organisation(conn).await?;
    let texts = content_of(row)?.pages(&organisation);
    deliveries::freeze_texts(conn, row.alert, Purpose::Page, &texts).await
}

/// Freezes the texts that stand people down, in every language.
pub(super) async fn freeze_call_offs(
    conn: &mut SqliteConnection,
    row: &PlanRowFull,
    reason: &str,
) -> Result<(), sqlx::Error> {
    let organisation = nodes::organisation(conn).await?;
    let texts = content_of(row)?.call_offs(&organisation, reason);
    deliveries::freeze_texts(conn, row.alert, Purpose::CallOff, &texts).await
}

pub(super) fn content_of(row: &PlanRowFull) -> Result<Content, sqlx::Error> {
    serde_json::from_str(&row.content).map_err(|e| sqlx::Error::Decode(e.into()))
}

/// Draws a code for each person that is not in use for that person, nor was in the last 48 hours. The first of them is
/// called in place `first`.
pub(super) async fn call_people(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    alert: AlertId,
    first: u64,
    step: u16,
    people: &[RecipientId],
) -> Result<(), sqlx::Error> {
    // An island's codes begin with its own digit, so that no two histories draw the same one for a person.
    let slot = nodes::fork(conn)
        .await?
        .map_or_else(String::new, |fork| fork.slot().to_string());
    let taken = query::codes_in_use(conn, people, Timestamp(entry.at.0 - CODE_REST_MS)).await?;
    let nothing = BTreeSet::new();
    let mut calls = Vec::with_capacity(people.len());
    for (place, id) in people.iter().enumerate() {
        let used = taken.get(id).unwrap_or(&nothing);
        let drawn = (0_u32..)
            .map(|draw| {
                let chance = entry.chance(&[alert.as_bytes(), id.as_bytes(), &draw.to_be_bytes()]);
                format!("{slot}{}", code(chance, CODE_DIGITS))
            })
            .find(|code| !used.contains(code))
            .expect("one person has far fewer alerts than there are codes");
        let position = first + place as u64;
        calls.push(json!([
            data_encoding::HEXUPPER.encode(id.as_bytes()),
            position,
            drawn
        ]));
    }
    sqlx::query(
        "insert into called_person (alert_id, recipient_id, position, step, code, answer, answered_at_ms, answered_from, \
         called_at_ms, closed_at_ms) \
         select ?1, unhex(value ->> 0), value ->> 1, ?2, value ->> 2, '', null, '', ?3, null \
         from json_each(?4) where true order by key on conflict (alert_id, recipient_id) do nothing",
    )
    .bind(alert.as_bytes())
    .bind(i64::from(step))
    .bind(entry.at.0)
    .bind(rows::to_json(&calls)?)
    .execute(conn)
    .await?;
    Ok(())
}

pub(super) async fn rest_codes(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
    alert: AlertId,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update called_person set closed_at_ms = ? where alert_id = ? and closed_at_ms is null",
    )
    .bind(entry.at.0)
    .bind(alert.as_bytes())
    .execute(conn)
    .await?;
    Ok(())
}

pub(super) async fn insert_pages(
    conn: &mut SqliteConnection,
    alert: AlertId,
    first: u32,
    pages: &[serde_json::Value],
) -> Result<(), sqlx::Error> {
    if pages.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "insert into escalation_page (alert_id, page, step, recipients) \
         select ?1, ?2 + key, value ->> 0, unhex(value ->> 1) from json_each(?3) order by key",
    )
    .bind(alert.as_bytes())
    .bind(i64::from(first))
    .bind(rows::to_json(&pages)?)
    .execute(conn)
    .await?;
    Ok(())
}

pub(super) async fn page_people(
    conn: &mut SqliteConnection,
    alert: AlertId,
    page: u32,
) -> Result<Vec<RecipientId>, sqlx::Error> {
    let blob: Option<Vec<u8>> = sqlx::query_scalar(
        "select recipients from escalation_page where alert_id = ? and page = ?",
    )
    .bind(alert.as_bytes())
    .bind(i64::from(page))
    .fetch_optional(conn)
    .await?;
    Ok(blob
        .unwrap_or_default()
        .as_chunks::<16>()
        .0
        .iter()
        .map(|bytes| RecipientId(*bytes))
        .collect())
}

async fn page_step(
    conn: &mut SqliteConnection,
    alert: AlertId,
    page: u32,
) -> Result<u16, sqlx::Error> {
    let row = sqlx::query("select step from escalation_page where alert_id = ? and page = ?")
        .bind(alert.as_bytes())
        .bind(i64::from(page))
        .fetch_optional(conn)
        .await?;
    row.map_or(Ok(0), |row| rows::unsigned(&row, "step"))
}

async fn people_of_step(
    conn: &mut SqliteConnection,
    alert: AlertId,
    step: u16,
) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar(
        "select coalesce(sum(length(recipients)), 0) / 16 from escalation_page where alert_id = ? and step = ?",
    )
    .bind(alert.as_bytes())
    .bind(i64::from(step))
    .fetch_one(conn)
    .await
}

pub(super) fn hex_of(people: &[RecipientId]) -> String {
    let mut out = String::with_capacity(people.len() * 32);
    for id in people {
        data_encoding::HEXUPPER.encode_append(id.as_bytes(), &mut out);
    }
    out
}
