//! What a run sees after each round: entries and sends, who can do what, whether every promise holds, whether all is at
//! rest.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::{NodeId, islands};

use super::{CHECK_EVERY, Event, Run, Violation};
use crate::air;
use crate::chronicle::Start;
use crate::invariants::Seen;
use crate::picture::{self, Picture};
use crate::world::NodeState;

impl Run {
    /// Takes note of what the round did: new entries, new sends, who can do what.
    pub(super) fn look(&mut self) -> bool {
        let at = self.elapsed();
        let mut notes = Vec::new();
        {
            let order = self.world.order();
            for settled in &order.settled()[self.noted..] {
                let item = &settled.item;
                let word = item.envelope.as_ref().map_or_else(
                    || "leads".to_owned(),
                    |envelope| {
                        let mut word = format!("{:?}", envelope.command);
                        word.truncate(
                            word.char_indices()
                                .nth(110)
                                .map_or(word.len(), |(at, _)| at),
                        );
                        word
                    },
                );
                notes.push(format!(
                    "#{} {}/{} {word}",
                    item.index, item.stamp.term, item.stamp.node
                ));
            }
            self.noted = order.settled().len();
        }
        for note in notes {
            self.trace.note(at, &note);
        }
        let mut sent = false;
        for place in 0..self.world.nodes.len() {
            sent |= self.look_at_sends(place, at);
        }
        self.look_at_health(at);
        self.look_at_islands(at);
        sent
    }

    pub(super) fn look_at_sends(&mut self, place: usize, at: Duration) -> bool {
        let node = &self.world.nodes[place];
        let (id, (began, held)) = (node.id, node.worker_began());
        let runs = {
            let order = self.world.order();
            let member = order.member(id);
            member.up && !member.paused
        };
        if !runs {
            return false; // a process that does not run begins nothing
        }
        let fresh = [
            ("modem", node.modem.take_fresh()),
            ("mail", node.mail.take_fresh()),
        ];
        let alone = node.islander.is_alone();
        let leased = alone || self.world.order().leased(id);
        let mut sent = false;
        for (channel, messages) in fresh {
            for message in messages {
                sent = true;
                let sms = channel == "modem";
                let fate = match sms {
                    true if message.ring => air::ring(&mut self.air_chance, self.bad_air > 0),
                    true => air::sms(&mut self.air_chance, self.bad_air > 0),
                    false => air::mail(&mut self.air_chance, self.bad_air > 0),
                };
                self.trace.note(
                    at,
                    &format!(
                        "{id} {channel} begins {} of {}",
                        message.attempt.attempt, message.attempt.delivery
                    ),
                );
                self.chronicle.starts.push(Start {
                    at,
                    node: id,
                    attempt: message.attempt,
                    address: message.address.clone(),
                    began,
                    leased,
                    alone,
                    held,
                });
                let event = Event::Ends {
                    node: id,
                    sms,
                    attempt: message.attempt,
                    body: message.body,
                    address: message.address,
                    fate: fate.clone(),
                    alone,
                };
                self.schedule(at + fate.ends_in, event);
            }
        }
        sent
    }

    pub(super) fn look_at_islands(&mut self, at: Duration) {
        for node in &self.world.nodes {
            let alone = node.islander.is_alone();
            if alone != self.alone.contains(&node.id) {
                let word = if alone {
                    "is by itself"
                } else {
                    "is one of all"
                };
                self.trace.note(at, &format!("{} {word}", node.id));
                if alone {
                    self.chronicle.islands = true;
                    self.islands += 1;
                    self.alone.insert(node.id);
                } else {
                    self.alone.remove(&node.id);
                }
            }
        }
    }

    pub(super) fn look_at_health(&mut self, at: Duration) {
        let order = self.world.order();
        let leader = order.acting_leader();
        let held = |id: NodeId| self.world.node(id.0).is_held();
        let hindered = leader != self.leader
            || order.loss_permille > 0
            || self.world.nodes.iter().any(|node| node.is_held())
            || leader.is_none_or(|id| order.member(id).lagging || held(id));
        if hindered {
            self.chronicle.last_hindered = at;
            self.chronicle.healthy_since = None;
        } else {
            self.chronicle.healthy_since.get_or_insert(at);
        }
        for node in &self.world.nodes {
            let id = node.id;
            let connected = leader.is_some_and(|leader| order.talk(id, leader));
            let dark = !connected || !node.modem.is_up();
            if dark {
                self.chronicle.dark_since.entry(id).or_insert(at);
            } else {
                self.chronicle.dark_since.remove(&id);
            }
            let able =
                !dark && !self.hanging.contains(&id) && !order.member(id).lagging && !held(id);
            if able {
                self.chronicle.able_since.entry(id).or_insert(at);
            } else {
                self.chronicle.able_since.remove(&id);
            }
        }
        self.leader = leader;
    }

    pub(super) async fn check(&mut self, last: bool) -> Result<(), Violation> {
        let elapsed = self.elapsed();
        if !last && elapsed < self.checked_at + CHECK_EVERY {
            return Ok(());
        }
        self.checked_at = elapsed;
        let place = (0..self.world.nodes.len())
            .max_by_key(|place| self.world.nodes[*place].state.applied())
            .expect("a world has nodes");
        let state = self.world.nodes[place].state.clone();
        let mut tx = state.begin().await;
        let read = Picture::read(&mut tx).await;
        drop(tx);
        let mut picture = read.expect("memory can be read");
        picture.applied = state.applied();
        picture.now = self.world.order().now(self.world.nodes[place].id);
        let mut digests = BTreeMap::new();
        if last {
            self.tell_facts_again(&mut picture, &state).await;
            for node in &self.world.nodes {
                let mut tx = node.state.begin().await;
                let tables = picture::digests(&mut tx).await;
                digests.insert(node.id, tables.expect("memory can be read"));
            }
            self.trace
                .note(elapsed, &format!("at rest {:?}", digests.values().next()));
        }
        let order = self.world.order();
        let seen = Seen {
            picture: &picture,
            chronicle: &self.chronicle,
            settled: order.settled(),
            elapsed,
            last,
            digests: &digests,
        };
        for invariant in &mut self.invariants {
            if let Err(what) = invariant.check(&seen) {
                return Err(Violation {
                    invariant: invariant.name(),
                    what,
                    at: elapsed,
                    last: self.trace.last(600),
                });
            }
        }
        Ok(())
    }

    /// Joins every fact any island ever made once more, in another order: nothing may change, and none be refused.
    pub(super) async fn tell_facts_again(&self, picture: &mut Picture, state: &NodeState) {
        let copy = state.fork().await;
        let mut tx = copy.begin().await;
        let before = islands::merge_digest(&mut tx).await;
        let before = before.expect("memory can be read");
        for node in self.world.nodes.iter().rev() {
            for fact in node.islander.ever().into_iter().rev() {
                let told = std::slice::from_ref(&fact);
                islands::apply_facts(&mut tx, picture.now, node.id, told)
                    .await
                    .expect("memory does not fail");
                let after = islands::merge_digest(&mut tx).await;
                if picture.new_fact.is_none() && after.expect("memory can be read") != before {
                    picture.new_fact =
                        Some(format!("{} {} of {}", fact.kind(), fact.about(), node.id));
                }
            }
        }
        for refused in islands::refused(&mut tx, 10)
            .await
            .expect("memory can be read")
        {
            picture.refused.push(format!(
                "{} {}: {}",
                refused.kind, refused.about, refused.reason
            ));
        }
    }

    /// Nothing is on its way, nobody wants anything, and all nodes know all.
    pub(super) async fn is_at_rest(&mut self) -> bool {
        let pending = self
            .agenda
            .values()
            .any(|event| !matches!(event, Event::HangNoticed(_)));
        if pending || self.errands.iter().any(|errand| !errand.done) {
            return false;
        }
        if !self
            .world
            .nodes
            .iter()
            .all(|node| node.islander.is_healed())
        {
            return false;
        }
        let last = self.world.order().settled().len() as u64;
        if self
            .world
            .nodes
            .iter()
            .any(|node| node.state.applied() != last)
        {
            return false;
        }
        let now = self.elapsed();
        if self
            .chronicle
            .healthy_since
            .is_none_or(|since| now < since + Duration::from_secs(20))
        {
            return false;
        }
        let state = self.world.nodes[0].state.clone();
        let mut tx = state.begin().await;
        let open: bool = sqlx::query_scalar(
            "select exists (select 1 from delivery where ended_at_ms is null and state <> 'sent') \
             or exists (select 1 from escalation where next_action not in ('', 'review')) \
             or exists (select 1 from attempt where state = 'assigned')",
        )
        .fetch_one(&mut *tx)
        .await
        .expect("memory can be read");
        !open
    }
}
