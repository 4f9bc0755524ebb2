//! What the watchers tell whoever is on duty: what is wrong and what to do, short enough for one text.

use super::Language;
use crate::watch::Trouble;

/// The words for a trouble.
pub fn trouble(trouble: &Trouble, language: Language) -> String {
    match language {
        Language::En => english(trouble),
        Language::Fi => finnish(trouble),
        Language::Sv => swedish(trouble),
    }
}

/// A node is about to go dark: when, and where answers go from then on. One text, made when there is no time for a log.
pub fn going_dark(language: Language, site: &str, time: &str, number: Option<&str>) -> String {
    match (language, number) {
        (Language::En, Some(number)) => {
            format!("Site {site} is going dark at {time} UTC. Answer to {number}.")
        }
        (Language::En, None) => {
            format!("Site {site} is going dark at {time} UTC. No other number is left; call.")
        }
        (Language::Fi, Some(number)) => {
            format!("Asema {site} sammuu klo {time} UTC. Vastaa numeroon {number}.")
        }
        (Language::Fi, None) => {
            format!("Asema {site} sammuu klo {time} UTC. Muuta numeroa ei ole; soita.")
        }
        (Language::Sv, Some(number)) => {
            format!("Plats {site} slocknar kl {time} UTC. Svara till {number}.")
        }
        (Language::Sv, None) => {
            format!("Plats {site} slocknar kl {time} UTC. Inget annat nummer finns; ring.")
        }
    }
}

fn english(trouble: &Trouble) -> String {
    match trouble {
        Trouble::ActionLate { alert } => {
            format!("Alert {alert} is stuck: its next step is overdue. Call people yourself.")
        }
        Trouble::ActionMissing { alert } => {
            format!("Alert {alert} has no next step. Call people yourself.")
        }
        Trouble::DeliveriesLate { kind } => {
            format!("Messages ({kind}) wait though a channel is free. Call people yourself.")
        }
        Trouble::SendsLate { node } => {
            format!("Node {node} holds messages and does not send them.")
        }
        Trouble::NotEnded => "Messages outlived their time without an end.".to_owned(),
        Trouble::NoChannel { kind } => {
            format!("Messages wait and no {kind} channel is up anywhere.")
        }
        Trouble::NodeSilent { node } => {
            format!("Node {node} has fallen silent. Check its power and network.")
        }
        Trouble::ReportsLate { node } => format!("Node {node} has not reported for half an hour."),
        Trouble::ChannelDown { node, channel } => {
            format!("Channel {channel} of node {node} is down. Check antenna, SIM and account.")
        }
        Trouble::TripMissing { node, to } => {
            format!(
                "A test text from node {node} did not reach node {to}. Check both modems, SIMs and plans."
            )
        }
        Trouble::StateDiffers { node } => {
            format!("The data of node {node} differs from the others'. Replace the node.")
        }
        Trouble::StatesDiffer => {
            "The nodes' data differ and no majority says which is right. Call support.".to_owned()
        }
        Trouble::AuditDiffers { node } => {
            format!(
                "Node {node} signs another audit than the others: it may be tampered with. Isolate it."
            )
        }
        Trouble::AuditsDiffer => {
            "The nodes sign different audits and no majority says which is right. Call support."
                .to_owned()
        }
        Trouble::ClocksJumped => {
            "The clocks of the nodes jumped. Say what time it is: holdfast cluster set-time."
                .to_owned()
        }
        Trouble::DiskFull { node } => format!("The disk of node {node} is nearly full. Make room."),
        Trouble::OnBattery { node } => format!("Node {node} runs on its battery."),
        Trouble::Standstill => {
            "This node hangs: nothing was recorded on it for minutes. Call people yourself."
                .to_owned()
        }
        Trouble::CutOff { node } => {
            format!(
                "Site {node} is cut off from the others and alerts by itself. Check its network."
            )
        }
        Trouble::BudgetNearlyUsed { account } => {
            format!("{account} has used most of its SMS budget. See: holdfast limits show.")
        }
        Trouble::BudgetUsed { account } => {
            format!(
                "The SMS budget of {account} is used up: only critical texts leave. See: holdfast limits show."
            )
        }
        Trouble::HeldBack => {
            "The outbox is held back: nothing leaves. See: holdfast outbox show.".to_owned()
        }
    }
}

fn finnish(trouble: &Trouble) -> String {
    match trouble {
        Trouble::ActionLate { alert } => {
            format!("Hälytys {alert} on jumissa: seuraava vaihe on myöhässä. Soita itse.")
        }
        Trouble::ActionMissing { alert } => {
            format!("Hälytyksellä {alert} ei ole seuraavaa vaihetta. Soita itse.")
        }
        Trouble::DeliveriesLate { kind } => {
            format!("Viestejä ({kind}) odottaa, vaikka kanava on vapaa. Soita itse.")
        }
        Trouble::SendsLate { node } => format!("Solmu {node} ei lähetä viestejään."),
        Trouble::NotEnded => "Viestien aika loppui ilman lopputulosta.".to_owned(),
        Trouble::NoChannel { kind } => {
            format!("Viestejä odottaa, eikä mikään {kind}-kanava toimi.")
        }
        Trouble::NodeSilent { node } => {
            format!("Solmu {node} on vaiennut. Tarkista virta ja verkko.")
        }
        Trouble::ReportsLate { node } => {
            format!("Solmu {node} ei ole raportoinut puoleen tuntiin.")
        }
        Trouble::ChannelDown { node, channel } => {
            format!("Solmun {node} kanava {channel} ei toimi. Tarkista antenni, SIM ja tili.")
        }
        Trouble::TripMissing { node, to } => {
            format!(
                "Testiviesti solmusta {node} ei tullut solmuun {to}. Tarkista modeemit, SIMit ja liittymät."
            )
        }
        Trouble::StateDiffers { node } => {
            format!("Solmun {node} tiedot eroavat muiden tiedoista. Vaihda solmu.")
        }
        Trouble::StatesDiffer => {
            "Solmujen tiedot eroavat, eikä enemmistö kerro mikä on oikein. Soita tukeen.".to_owned()
        }
        Trouble::AuditDiffers { node } => {
            format!(
                "Solmu {node} allekirjoittaa eri lokin kuin muut: sitä on voitu peukaloida. Eristä se."
            )
        }
        Trouble::AuditsDiffer => {
            "Solmut allekirjoittavat eri lokeja, eikä enemmistö kerro mikä on oikein. Soita tukeen."
                .to_owned()
        }
        Trouble::ClocksJumped => {
            "Solmujen kellot hyppäsivät. Kerro aika: holdfast cluster set-time.".to_owned()
        }
        Trouble::DiskFull { node } => format!("Solmun {node} levy on lähes täynnä. Vapauta tilaa."),
        Trouble::OnBattery { node } => format!("Solmu {node} toimii akulla."),
        Trouble::Standstill => {
            "Tämä solmu on jumissa: mitään ei ole kirjattu minuutteihin. Soita itse.".to_owned()
        }
        Trouble::CutOff { node } => {
            format!("Asema {node} on eristyksissä muista ja hälyttää yksin. Tarkista verkko.")
        }
        Trouble::BudgetNearlyUsed { account } => {
            format!(
                "{account} on käyttänyt lähes koko tekstiviestibudjettinsa. Katso: holdfast limits show."
            )
        }
        Trouble::BudgetUsed { account } => {
            format!(
                "Tekstiviestibudjetti {account} on käytetty: vain kriittiset viestit lähtevät. Katso: holdfast limits show."
            )
        }
        Trouble::HeldBack => {
            "Lähetys on pysäytetty: mitään ei lähde. Katso: holdfast outbox show.".to_owned()
        }
    }
}

fn swedish(trouble: &Trouble) -> String {
    match trouble {
        Trouble::ActionLate { alert } => {
            format!("Larm {alert} har fastnat: nästa steg är försenat. Ring själv.")
        }
        Trouble::ActionMissing { alert } => {
            format!("Larm {alert} har inget nästa steg. Ring själv.")
        }
        Trouble::DeliveriesLate { kind } => {
            format!("Meddelanden ({kind}) väntar fast en kanal är ledig. Ring själv.")
        }
        Trouble::SendsLate { node } => format!("Nod {node} skickar inte sina meddelanden."),
        Trouble::NotEnded => "Meddelandens tid gick ut utan utfall.".to_owned(),
        Trouble::NoChannel { kind } => {
            format!("Meddelanden väntar och ingen {kind}-kanal fungerar.")
        }
        Trouble::NodeSilent { node } => {
            format!("Nod {node} har tystnat. Kontrollera ström och nät.")
        }
        Trouble::ReportsLate { node } => {
            format!("Nod {node} har inte rapporterat på en halvtimme.")
        }
        Trouble::ChannelDown { node, channel } => {
            format!("Kanal {channel} på nod {node} är nere. Kontrollera antenn, SIM och konto.")
        }
        Trouble::TripMissing { node, to } => {
            format!(
                "Ett test-sms från nod {node} nådde inte nod {to}. Kontrollera modem, SIM och abonnemang."
            )
        }
        Trouble::StateDiffers { node } => {
            format!("Nod {node} har andra data än de övriga. Byt ut noden.")
        }
        Trouble::StatesDiffer => {
            "Nodernas data skiljer sig och ingen majoritet säger vad som är rätt. Ring supporten."
                .to_owned()
        }
        Trouble::AuditDiffers { node } => {
            format!("Nod {node} signerar en annan logg än de övriga: den kan vara manipulerad. Isolera den.")
        }
        Trouble::AuditsDiffer => {
            "Noderna signerar olika loggar och ingen majoritet säger vad som är rätt. Ring supporten.".to_owned()
        }
        Trouble::ClocksJumped => {
            "Nodernas klockor hoppade. Ange tiden: holdfast cluster set-time.".to_owned()
        }
        Trouble::DiskFull { node } => format!("Disken på nod {node} är nästan full. Frigör plats."),
        Trouble::OnBattery { node } => format!("Nod {node} går på batteri."),
        Trouble::Standstill => {
            "Den här noden har fastnat: inget har sparats på flera minuter. Ring själv.".to_owned()
        }
        Trouble::CutOff { node } => {
            format!("Plats {node} är avskuren från de andra och larmar själv. Kontrollera nätet.")
        }
        Trouble::BudgetNearlyUsed { account } => {
            format!("{account} har använt nästan hela sin SMS-budget. Se: holdfast limits show.")
        }
        Trouble::BudgetUsed { account } => {
            format!(
                "SMS-budgeten för {account} är slut: bara kritiska sms går ut. Se: holdfast limits show."
            )
        }
        Trouble::HeldBack => {
            "Utskicken hålls inne: inget lämnar. Se: holdfast outbox show.".to_owned()
        }
    }
}
