//! French, as far as it is spoken here: what is said about rooms.

use super::catalogue::RoomWords;

pub(super) struct French;

impl RoomWords for French {
    fn tag(&self) -> &'static str {
        "fr"
    }

    fn left_out(&self, count: u64) -> String {
        format!("(+{count} plus anciens, omis)")
    }

    fn in_the_app(&self, count: u64) -> String {
        format!("({count} à lire seulement dans l'appli)")
    }

    fn no_more_for_now(&self) -> &'static str {
        "(Limite de SMS atteinte: la suite viendra plus tard.)"
    }

    fn to_write(&self) -> &'static str {
        "Pour écrire:"
    }

    fn reply_to_digest(&self) -> &'static str {
        "Répondez à ce message pour écrire dans la salle. Ce qui suit le texte cité n'est pas lu."
    }

    fn offer_room(&self) -> &'static str {
        "Ce qui se dit, par SMS:"
    }

    fn follows(&self, room: &str, write: &str, stop: &str) -> String {
        format!(
            "Ce qui se dit dans {room} vous arrive par SMS, groupé; immédiatement si l'on vous nomme. Pour écrire: {write} Pour cesser: {stop}"
        )
    }

    fn follows_no_more(&self, room: &str) -> String {
        format!("Ce qui se dit dans {room} ne vous arrive plus par SMS.")
    }

    fn which_room(&self, rooms: &str, example: &str) -> String {
        format!("Rien n'est fait: dites quelle salle: {rooms}. Envoyez par exemple {example}")
    }

    fn no_room(&self) -> &'static str {
        "Rien n'est fait: vous n'avez pas de telle salle. Demandez au responsable de vous y ajouter."
    }
}
