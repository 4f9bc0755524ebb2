//! Orders about rooms: words for one, and following one by text (PRODUCT W-5). None asks for a code: words are shown with the
//! number they came from, and what is followed goes to the number on record, where a forger of the sender does not see it.

use super::Desk;
use crate::alerts::{self, Name, State};
use crate::bridge::{self, followed};
use crate::conversations::{self, Follow};
use crate::ids::{AlertId, RoomId};
use crate::inbound::Taken;
use crate::inbound::desk::{Handled, post_text};
use crate::inbound::rules::{Order, first_word, is_all, target_and_words};
use crate::recipients::PersonRow;
use crate::texts::{self, Done, Language, Refused, Verb};

/// A room that an order is about.
struct Meant {
    room: RoomId,
    alert: Option<AlertId>,
    /// The number of its alert, or its key.
    name: String,
}

impl Desk<'_> {
    /// `ROOM 118 words`, `ROOM ops words`, and `ROOM words` from whoever follows one room only.
    pub(super) async fn diary(&mut self, order: &Order) -> Result<Handled, sqlx::Error> {
        let Some(person) = self.sender.people.first().cloned() else {
            return self.words().await;
        };
        let (number, words) = target_and_words(&order.args);
        if number.is_none() {
            return self.diary_of_key(&person, &order.args).await;
        }
        let language = Language::parse(&person.language);
        let found = self.target(&order.args, language).await?;
        let (Ok((alert, _)), false) = (found, words.is_empty()) else {
            return self.words().await;
        };
        let room = RoomId::of_alert(alert.id);
        let member = conversations::member(self.conn, room, person.id).await?;
        let inside = member.is_some() || self.is_called_to(&alert);
        if !inside && self.commander().await?.is_none() {
            return self.words().await;
        }
        let meant = Meant {
            room,
            alert: Some(alert.id),
            name: alert.label,
        };
        self.say_in(&person, &meant, &words).await
    }

    async fn diary_of_key(
        &mut self,
        person: &PersonRow,
        args: &str,
    ) -> Result<Handled, sqlx::Error> {
        let (first, rest) = first_word(args);
        if let Some(meant) = self.everyday(person, first).await?
            && !rest.is_empty()
        {
            return self.say_in(person, &meant, rest).await;
        }
        let mut rooms = self.following(person).await?;
        match (rooms.len(), args.trim().is_empty(), rooms.pop()) {
            (_, _, None) => self.words().await,
            (1, false, Some(only)) => self.say_in(person, &only, args).await,
            (_, _, Some(last)) => {
                rooms.push(last);
                Ok(self.which(person, Verb::Room, &rooms))
            }
        }
    }

    /// Words of the sender for a room, and that they are there.
    async fn say_in(
        &mut self,
        person: &PersonRow,
        meant: &Meant,
        words: &str,
    ) -> Result<Handled, sqlx::Error> {
        self.write(meant.room, &post_text(words)).await?;
        let done = match meant.alert {
            Some(_) => Done::Posted {
                number: &meant.name,
            },
            None => Done::PostedIn { room: &meant.name },
        };
        let language = Language::parse(&person.language);
        let body = texts::order_done(language, self.civil.at(self.entry.at), done);
        let repeated = self.sender.repeats_itself(&self.text.text);
        let mut handled = self.told(person, Taken::RoomPost, meant.alert, body);
        // Two robots would talk to each other until the limit: the same words again get no reply.
        handled.reply = handled.reply.filter(|_| !repeated);
        Ok(handled)
    }

    /// `FOLLOW 118`, `FOLLOW ops`, and `FOLLOW` from whoever is in one room only.
    pub(super) async fn follow(&mut self, order: &Order) -> Result<Handled, sqlx::Error> {
        let (name, more) = first_word(&order.args);
        let [person] = self.sender.people.as_slice() else {
            return self.words().await;
        };
        let person = person.clone();
        // "Follow the red signs" is no order.
        if !more.trim().is_empty() {
            return self.words().await;
        }
        let meant = match name {
            "" => {
                let mut rooms = self.called_to().await?;
                match (rooms.len(), rooms.pop()) {
                    (1, Some(only)) => only,
                    (_, None) => return self.words().await,
                    (_, Some(last)) => {
                        rooms.push(last);
                        return Ok(self.which(&person, Verb::Follow, &rooms));
                    }
                }
            }
            name => match self.named(&person, name).await? {
                Ok(meant) => meant,
                Err(said) => return self.kept(said).await,
            },
        };
        let place = (meant.room, person.id);
        let by = &person.name;
        let set = conversations::set_follow(self.conn, self.entry, place, Follow::Sms, by).await?;
        let language = Language::parse(&person.language);
        let (taken, body) = match set {
            Ok(_) => (Taken::Follow, texts::follows(language, &meant.name)),
            Err(problem) => {
                let refused = Refused::Rule(&problem);
                (Taken::OrderRefused, texts::order_refused(language, refused))
            }
        };
        Ok(self.told(&person, taken, meant.alert, body))
    }

    /// `UNFOLLOW 118`, `UNFOLLOW ALL`, and `UNFOLLOW` from whoever follows one room only.
    pub(super) async fn unfollow(&mut self, order: &Order) -> Result<Handled, sqlx::Error> {
        let (name, more) = first_word(&order.args);
        let [person] = self.sender.people.as_slice() else {
            return self.words().await;
        };
        let person = person.clone();
        if !more.trim().is_empty() {
            return self.words().await;
        }
        let rooms = self.following(&person).await?;
        let name = name.trim_start_matches('#').to_lowercase();
        let meant: Vec<&Meant> = match (name.as_str(), rooms.as_slice()) {
            ("", [only]) => vec![only],
            ("", _) => Vec::new(),
            (name, all) if is_all(name) => all.iter().collect(),
            (name, all) => all
                .iter()
                .filter(|room| room.name.to_lowercase() == name)
                .collect(),
        };
        if meant.is_empty() {
            return Ok(self.which(&person, Verb::Unfollow, &rooms));
        }
        for room in &meant {
            let place = (room.room, person.id);
            let set =
                conversations::set_follow(self.conn, self.entry, place, Follow::App, &person.name);
            // Whoever is inside already can always stay.
            _ = set.await?;
        }
        let names: Vec<&str> = meant.iter().map(|room| room.name.as_str()).collect();
        let body = texts::follows_no_more(Language::parse(&person.language), &names.join(", "));
        let alert = meant.first().and_then(|room| room.alert);
        Ok(self.told(&person, Taken::Follow, alert, body))
    }

    /// Asks which room is meant.
    fn which(&self, person: &PersonRow, verb: Verb, rooms: &[Meant]) -> Handled {
        let names: Vec<String> = rooms.iter().map(|room| room.name.clone()).collect();
        let said = texts::which_room(Language::parse(&person.language), verb, &names);
        self.told(person, Taken::OrderRefused, None, said)
    }

    /// The room with this name, if the person may be in it; else what to say.
    async fn named(
        &mut self,
        person: &PersonRow,
        name: &str,
    ) -> Result<Result<Meant, String>, sqlx::Error> {
        let language = Language::parse(&person.language);
        let none = || Ok(Err(texts::which_room(language, Verb::Follow, &[])));
        if Name::parse(name.trim_start_matches('#')).is_none() {
            return match self.everyday(person, name).await? {
                Some(meant) => Ok(Ok(meant)),
                None => none(),
            };
        }
        let language = Language::parse(&person.language);
        let alert = match self.target(name, language).await? {
            Ok((alert, _)) => alert,
            Err(said) => return Ok(Err(said)),
        };
        let room = RoomId::of_alert(alert.id);
        let inside = alerts::was_called(self.conn, alert.id, person.id).await?
            || conversations::member(self.conn, room, person.id)
                .await?
                .is_some();
        if !inside && self.commander().await?.is_none() {
            return none();
        }
        if alert.state != State::Open {
            let refused = Refused::Closed(&alert.label);
            return Ok(Err(texts::order_refused(language, refused)));
        }
        Ok(Ok(Meant {
            room,
            alert: Some(alert.id),
            name: alert.label,
        }))
    }

    /// An everyday room that is open and that the person was added to.
    async fn everyday(
        &mut self,
        person: &PersonRow,
        word: &str,
    ) -> Result<Option<Meant>, sqlx::Error> {
        let key = word.trim_matches([':', ',', '#']).to_lowercase();
        if conversations::check_key(&key).is_err() {
            return Ok(None);
        }
        let room = conversations::room_by_key(self.conn, &key).await?;
        let Some(room) = room.filter(|room| !room.closed) else {
            return Ok(None);
        };
        let member = conversations::member(self.conn, room.id, person.id).await?;
        Ok(member.map(|_| Meant {
            room: room.id,
            alert: None,
            name: room.key,
        }))
    }

    /// The rooms of open alerts that the sender was called to, newest first.
    async fn called_to(&mut self) -> Result<Vec<Meant>, sqlx::Error> {
        let mut all = Vec::new();
        for call in self.sender.open.clone() {
            if let Some(alert) = alerts::find(self.conn, call.alert).await? {
                all.push(Meant {
                    room: RoomId::of_alert(alert.id),
                    alert: Some(alert.id),
                    name: alert.label,
                });
            }
        }
        Ok(all)
    }

    /// The rooms that somebody follows by text or mail.
    async fn following(&mut self, person: &PersonRow) -> Result<Vec<Meant>, sqlx::Error> {
        let all = followed(self.conn, self.entry.at, person.id).await?;
        let meant = |room: bridge::Followed| Meant {
            room: room.room,
            alert: room.alert,
            name: room.name,
        };
        Ok(all.into_iter().map(meant).collect())
    }
}
