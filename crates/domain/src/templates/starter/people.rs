//! Somebody is missing, or somebody is in danger.

use super::Role::{
    Business, Communications, Facilities, Hr, ItOnDuty, Lead, Management, Procurement, Security,
    Warden,
};
use super::{COME, Hole, SAFE, Scenario};
use crate::vocabulary::Severity;

pub(super) const ALL: &[&Scenario] = &[&SUPPLIER_OUT, &KEY_PERSON, &EVACUATION];

const SUPPLIER_OUT: Scenario = Scenario {
    key: "supplier-out",
    severity: Severity::High,
    name: ["Toimittaja poissa", "Leverantör borta", "Supplier out"],
    text: [
        "Ota varajärjestely käyttöön: {supplier} ei toimi. Arvioi vaikutukset.",
        "Gå över till reserven: {supplier} är borta. Bedöm följderna.",
        "Change to the fallback: {supplier} is out. Assess what stops.",
    ],
    holes: &[Hole {
        name: "supplier",
        example: ["Datatalo Oy", "Driftbolaget AB", "Cloudworks Ltd"],
        default: None,
    }],
    answers: COME,
    checklist: &[
        (
            Lead,
            [
                "Selvitä, mitä tapahtui: häiriö, konkurssi, hyökkäys vai riita. Älä luota yhteen lähteeseen.",
                "Ta reda på vad som hänt: störning, konkurs, attack eller tvist. Lita inte på en enda källa.",
                "Find out what happened: outage, bankruptcy, attack or dispute. Do not trust one source.",
            ],
        ),
        (
            Business,
            [
                "Listaa palvelut, jotka riippuvat toimittajasta, ja tunnit, jotka kukin kestää ilman.",
                "Lista tjänster som beror på leverantören och hur många timmar var och en klarar sig utan.",
                "List the services that depend on them and how many hours each can do without.",
            ],
        ),
        (
            Security,
            [
                "Katkaise toimittajan etäyhteydet ja tunnukset, jos hyökkäystä ei voi sulkea pois.",
                "Stäng leverantörens fjärråtkomst och konton om en attack inte kan uteslutas.",
                "Close the supplier's remote access and accounts unless an attack can be ruled out.",
            ],
        ),
        (
            ItOnDuty,
            [
                "Ota omat tiedot talteen niin kauan kuin pääsy toimii: varmistukset, asetukset, avaimet.",
                "Säkra egna data så länge ni kommer åt dem: kopior, inställningar, nycklar.",
                "Secure your own data while there is access: backups, settings, keys.",
            ],
        ),
        (
            ItOnDuty,
            [
                "Ota varajärjestely käyttöön tärkeysjärjestyksessä ja testaa se ennen kuin ilmoitat.",
                "Ta reserven i bruk i prioritetsordning och prova den innan ni meddelar.",
                "Start the fallback in order of importance; test it before announcing it.",
            ],
        ),
        (
            Procurement,
            [
                "Ota esiin sopimus: palvelutaso, irtisanominen, tietojen luovutus, lähdekoodin talletus.",
                "Ta fram avtalet: servicenivå, uppsägning, utlämning av data, deponerad källkod.",
                "Get the contract: service level, termination, handing over of data, escrow.",
            ],
        ),
        (
            Procurement,
            [
                "Soita kahdelle vaihtoehtoiselle toimittajalle ja kysy, kuinka pian he voivat aloittaa.",
                "Ring två andra leverantörer och fråga hur snart de kan börja.",
                "Call two other suppliers and ask how soon they can begin.",
            ],
        ),
        (
            Communications,
            [
                "Kerro asiakkaille vaikutus ja aikataulu. Älä arvaile toimittajan syitä.",
                "Berätta för kunderna om följder och tidplan. Gissa inte om leverantörens orsaker.",
                "Tell customers the effect and the timing. Do not guess at the supplier's reasons.",
            ],
        ),
        (
            Management,
            [
                "Tarkista ilmoitusvelvollisuudet viranomaiselle, vakuutusyhtiölle ja asiakkaille.",
                "Kontrollera anmälningsplikt mot myndighet, försäkringsbolag och kunder.",
                "Check what must be reported to authorities, insurers and customers.",
            ],
        ),
        (
            Lead,
            [
                "Päätä viikon kuluessa: odotetaanko, vaihdetaanko vai tehdäänkö itse.",
                "Besluta inom en vecka: vänta, byta eller göra själva.",
                "Decide within a week: wait, change, or do it yourselves.",
            ],
        ),
    ],
};

const KEY_PERSON: Scenario = Scenario {
    key: "key-person",
    severity: Severity::High,
    name: [
        "Avainhenkilö poissa",
        "Nyckelperson borta",
        "Key person lost",
    ],
    text: [
        "Avainhenkilö poissa: {role}. Varahenkilö ottaa vastuun. Kokous heti.",
        "Nyckelperson borta: {role}. Ersättaren tar över nu. Möte genast.",
        "Key person out: {role}. The deputy takes over now. Meet at once.",
    ],
    holes: &[Hole {
        name: "role",
        example: ["IT-päällikkö", "it-chefen", "head of IT"],
        default: None,
    }],
    answers: COME,
    checklist: &[
        (
            Management,
            [
                "Nimeä sijainen kirjallisesti ja kerro, mistä hän saa päättää.",
                "Utse en ersättare skriftligt och säg vad hen får besluta om.",
                "Name the deputy in writing and say what they may decide.",
            ],
        ),
        (
            Hr,
            [
                "Huolehdi ihmisistä ensin: omaiset, työtoverit, kriisiapu. Kerro vain se, mihin on lupa.",
                "Tänk på människorna först: anhöriga, kolleger, krisstöd. Berätta bara det som är tillåtet.",
                "People first: family, colleagues, crisis support. Say only what may be said.",
            ],
        ),
        (
            Security,
            [
                "Estä tai siirrä henkilön tunnukset, avaimet, kulkuluvat ja allekirjoitusoikeudet.",
                "Spärra eller överför konton, nycklar, passerkort och firmateckning.",
                "Block or hand over accounts, keys, badges and signing rights.",
            ],
        ),
        (
            ItOnDuty,
            [
                "Avaa suljettu kirjekuori: pääkäyttäjän salasanat, salausavaimet, toimialueiden tunnukset.",
                "Öppna det förseglade kuvertet: administratörslösenord, krypteringsnycklar, domänkonton.",
                "Open the sealed envelope: administrator passwords, encryption keys, domain accounts.",
            ],
        ),
        (
            ItOnDuty,
            [
                "Etsi, mikä on vain tämän henkilön nimissä: sopimukset, tilit, puhelinliittymät, varmenteet.",
                "Sök det som bara står i personens namn: avtal, konton, telefonabonnemang, certifikat.",
                "Find what is in this person's name only: contracts, accounts, phone lines, certificates.",
            ],
        ),
        (
            Business,
            [
                "Käy läpi kalenteri ja keskeneräiset asiat kahdelle viikolle. Siirrä jokainen jollekin.",
                "Gå igenom kalender och pågående ärenden för två veckor. Ge varje ärende en ny ägare.",
                "Go through calendar and open matters for two weeks. Give each a new owner.",
            ],
        ),
        (
            Business,
            [
                "Vaihda päivystyslistat ja hälytysryhmät niin, ettei kukaan odota häntä.",
                "Ändra jourlistor och larmgrupper så att ingen väntar på hen.",
                "Change duty lists and alert groups, so that nobody waits for them.",
            ],
        ),
        (
            Communications,
            [
                "Kerro henkilöstölle ja tärkeimmille kumppaneille, kuka hoitaa asiat nyt.",
                "Berätta för personal och viktiga partner vem som sköter ärendena nu.",
                "Tell staff and the main partners who is in charge now.",
            ],
        ),
        (
            Lead,
            [
                "Kirjaa viikossa se, minkä vain hän tiesi: haastattele tiimi, lue muistiot, dokumentoi.",
                "Samla inom en vecka det bara hen visste: intervjua teamet, läs anteckningar, dokumentera.",
                "Within a week, collect what only they knew: ask the team, read notes, write it down.",
            ],
        ),
    ],
};

const EVACUATION: Scenario = Scenario {
    key: "evacuation",
    severity: Severity::Critical,
    name: ["Poistuminen", "Utrymning", "Evacuation"],
    text: [
        "POISTU HETI: {where}. Kokoontuminen: {place}. Vastaa ulkona.",
        "UTRYM GENAST: {where}. Samling: {place}. Svara när du är ute.",
        "EVACUATE NOW: {where}. Gather at {place}. Answer once out.",
    ],
    holes: &[
        Hole {
            name: "where",
            example: ["C-talo", "hus C", "building C"],
            default: Some(["koko talo", "hela huset", "whole site"]),
        },
        Hole {
            name: "place",
            example: ["portti 3", "grind 3", "gate 3"],
            default: None,
        },
    ],
    answers: SAFE,
    checklist: &[
        (
            Lead,
            [
                "Soita 112, jos sitä ei ole tehty: mitä, missä, onko ihmisiä vaarassa, kuka opastaa.",
                "Ring 112 om det inte är gjort: vad, var, om människor är i fara, vem som visar vägen.",
                "Call 112 if nobody has: what, where, people in danger, who will guide them in.",
            ],
        ),
        (
            Warden,
            [
                "Tyhjennä alueesi: huoneet, wc:t, varastot, työkoneet. Sulje ovet, älä lukitse.",
                "Töm ditt område: rum, toaletter, förråd, maskiner. Stäng dörrar, lås inte.",
                "Clear your area: rooms, toilets, stores, machines. Close doors, do not lock them.",
            ],
        ),
        (
            Warden,
            [
                "Auta liikuntaesteiset ja vieraat. Hissejä ei käytetä.",
                "Hjälp besökare och den som har svårt att röra sig. Hissar får inte användas.",
                "Help visitors and those who move with difficulty. No lifts.",
            ],
        ),
        (
            Facilities,
            [
                "Pysäytä ilmanvaihto ja kaasu, avaa portit ja opasta pelastuslaitos.",
                "Stäng ventilation och gas, öppna grindar och visa räddningstjänsten vägen.",
                "Stop ventilation and gas, open the gates and guide the rescue services.",
            ],
        ),
        (
            Warden,
            [
                "Laske väki paikassa {place} ja vertaa vastauksiin ja kulunvalvontaan.",
                "Räkna folket vid {place} och jämför med svar och passersystem.",
                "Count people at {place} and compare with the answers and access control.",
            ],
        ),
        (
            Lead,
            [
                "Kerro pelastuslaitokselle puuttuvien nimet ja viimeinen tiedossa oleva paikka.",
                "Ge räddningstjänsten namn på saknade och var de senast sågs.",
                "Give the rescue services the names of the missing and where they were last seen.",
            ],
        ),
        (
            Warden,
            [
                "Vartioi ovet: kukaan ei palaa sisään ennen kuin pelastuslaitos antaa luvan.",
                "Bevaka dörrarna: ingen går in igen förrän räddningstjänsten ger lov.",
                "Guard the doors: nobody goes back before the rescue services allow it.",
            ],
        ),
        (
            Hr,
            [
                "Järjestä suoja, lämpö ja juotavaa. Huolehdi järkyttyneistä ja ilmoita omaisille.",
                "Ordna skydd, värme och något att dricka. Ta hand om chockade och underrätta anhöriga.",
                "Arrange shelter, warmth and drinks. Look after those in shock; tell families.",
            ],
        ),
        (
            Communications,
            [
                "Yksi puhuja medialle. Ei nimiä eikä arvauksia syystä.",
                "En talesperson mot medier. Inga namn, inga gissningar om orsaken.",
                "One speaker to the press. No names, no guesses at the cause.",
            ],
        ),
        (
            Lead,
            [
                "Ilmoita paluusta tai kotiinlähdöstä kaikille samalla tavalla kuin hälytyksestä.",
                "Meddela återgång eller hemgång till alla på samma sätt som larmet.",
                "Tell everyone to return or to go home the same way as the alert went out.",
            ],
        ),
    ],
};
