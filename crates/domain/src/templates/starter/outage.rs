//! Something stopped working.

use super::Role::{
    Business, Communications, Facilities, ItOnDuty, Lead, Network, Procurement, Security,
};
use super::{COME, Hole, Scenario, Words};
use crate::vocabulary::Severity;

pub(super) const ALL: &[&Scenario] = &[&SERVER_DOWN, &POWER, &FIBRE, &MAIL_DOWN];

/// Where, when nobody says.
const EVERYWHERE: Option<Words> = Some(["koko talo", "hela huset", "all sites"]);

const SERVER_DOWN: Scenario = Scenario {
    key: "server-down",
    severity: Severity::High,
    name: ["Palvelin ei toimi", "Server nere", "Server down"],
    text: [
        "Aloita palautus: {what} ei toimi. Muut siirtyvät varamenettelyyn.",
        "Börja återställa: {what} ligger nere. Övriga kör reservrutin.",
        "Start recovery: {what} is down. Everyone else uses the fallback.",
    ],
    holes: &[Hole {
        name: "what",
        example: ["tilauskanta", "ordersystemet", "order system"],
        default: None,
    }],
    answers: COME,
    checklist: &[
        (
            ItOnDuty,
            [
                "Totea laajuus: mitkä palvelut, ketkä, mistä hetkestä. Kokeile itse, älä luota pelkkään valvontaan.",
                "Fastställ omfattningen: vilka tjänster, vilka användare, sedan när. Prova själv, lita inte bara på övervakningen.",
                "Find the extent: which services, whom, since when. Try it yourself; do not trust monitoring alone.",
            ],
        ),
        (
            ItOnDuty,
            [
                "Tarkista viimeiset muutokset. Peru tuorein, jos se sopii vikaan.",
                "Granska de senaste ändringarna. Backa den färskaste om den kan förklara felet.",
                "Look at the latest changes. Roll back the newest one if it fits the fault.",
            ],
        ),
        (
            ItOnDuty,
            [
                "Tarkista levytila, muisti, virta, lämpötila ja varmenteiden voimassaolo.",
                "Kontrollera diskutrymme, minne, ström, temperatur och certifikatens giltighet.",
                "Check disk space, memory, power, temperature and expiry of certificates.",
            ],
        ),
        (
            Network,
            [
                "Varmista, että vika ei ole verkossa, nimipalvelussa tai kuormantasaajassa.",
                "Uteslut fel i nät, namntjänst och lastbalanserare.",
                "Rule out the network, name service and load balancer.",
            ],
        ),
        (
            Security,
            [
                "Sulje pois hyökkäys ennen uudelleenkäynnistystä: kirjautumiset, uudet tilit, salatut tiedostot.",
                "Uteslut en attack före omstart: inloggningar, nya konton, krypterade filer.",
                "Rule out an attack before restarting: logins, new accounts, encrypted files.",
            ],
        ),
        (
            Business,
            [
                "Ota varamenettely käyttöön ja kerro, kuinka kauan sillä selvitään.",
                "Gå över till reservrutinen och säg hur länge den räcker.",
                "Change to the fallback and say how long it will do.",
            ],
        ),
        (
            Lead,
            [
                "Päätä 30 minuutin kohdalla: jatketaanko korjausta vai siirrytäänkö varalaitteelle.",
                "Besluta efter 30 minuter: fortsätta reparera eller gå över till reserven.",
                "Decide after 30 minutes: go on repairing, or change to the spare.",
            ],
        ),
        (
            Procurement,
            [
                "Avaa tiketti toimittajalle sopimuksen mukaisella kiireellisyydellä ja kirjaa numero.",
                "Öppna ärende hos leverantören med avtalad prioritet och anteckna numret.",
                "Open a case with the supplier at the agreed priority and note its number.",
            ],
        ),
        (
            Communications,
            [
                "Kerro käyttäjille vika, varamenettely ja seuraavan tiedotteen aika.",
                "Informera användarna om felet, reservrutinen och tid för nästa besked.",
                "Tell users the fault, the fallback and when they hear more.",
            ],
        ),
        (
            ItOnDuty,
            [
                "Tarkista paluun jälkeen jonot, ajastetut työt ja varmistus. Kirjaa syy.",
                "Kontrollera köer, schemalagda jobb och säkerhetskopiering efteråt. Anteckna orsaken.",
                "Afterwards check queues, scheduled jobs and backups. Record the cause.",
            ],
        ),
    ],
};

const POWER: Scenario = Scenario {
    key: "power",
    severity: Severity::Critical,
    name: ["Sähkökatko", "Strömavbrott", "Power cut"],
    text: [
        "Tule: sähkökatko, {where}. Tarkista varavoima ja UPS, ilmoita tilanne.",
        "Kom: strömavbrott, {where}. Kolla reservkraft och UPS, rapportera läget.",
        "Come: power cut, {where}. Check generator and UPS, then report.",
    ],
    holes: &[Hole {
        name: "where",
        example: ["konesali", "datahallen", "server hall"],
        default: EVERYWHERE,
    }],
    answers: COME,
    checklist: &[
        (
            Facilities,
            [
                "Selvitä, onko katko talossa vai verkossa. Soita sähköyhtiölle ja kysy arvioitu kesto.",
                "Ta reda på om avbrottet är i huset eller i elnätet. Ring elbolaget och fråga om beräknad tid.",
                "Find out whether the fault is in the house or the grid. Call the utility; ask how long.",
            ],
        ),
        (
            Facilities,
            [
                "Varmista, että varavoima käynnistyi ja ottaa kuorman. Mittaa polttoaine ja laske tunnit.",
                "Kontrollera att reservkraften startat och tar lasten. Mät bränslet och räkna timmarna.",
                "Make sure the generator runs and takes the load. Measure fuel; work out the hours.",
            ],
        ),
        (
            Facilities,
            [
                "Tilaa polttoainetta heti, kun jäljellä on alle 12 tuntia.",
                "Beställ bränsle så snart mindre än tolv timmar återstår.",
                "Order fuel as soon as less than 12 hours are left.",
            ],
        ),
        (
            ItOnDuty,
            [
                "Lue UPS-laitteiden jäljellä oleva aika ja sammuta tarpeeton kuorma järjestyksessä.",
                "Läs av återstående tid i UPS och stäng av onödig last i ordning.",
                "Read the time left on each UPS and shed what is not needed, in order.",
            ],
        ),
        (
            ItOnDuty,
            [
                "Aja palvelimet hallitusti alas, jos akku riittää alle 10 minuuttia eikä varavoima käy.",
                "Stäng ner servrar ordnat om batteriet räcker mindre än tio minuter och reservkraft saknas.",
                "Shut servers down cleanly if less than 10 minutes of battery are left and no generator runs.",
            ],
        ),
        (
            Facilities,
            [
                "Tarkista hissit, ovet, jäähdytys ja paloilmoitin. Auta hissiin jääneet.",
                "Kontrollera hissar, dörrar, kyla och brandlarm. Hjälp den som sitter fast i hiss.",
                "Check lifts, doors, cooling and fire alarm. Help anyone stuck in a lift.",
            ],
        ),
        (
            Lead,
            [
                "Päätä, mitkä toiminnot jatkuvat ja ketkä lähtevät kotiin, ennen kuin pimeä tai kylmä haittaa.",
                "Besluta vad som fortsätter och vilka som går hem innan mörker eller kyla blir ett problem.",
                "Decide what goes on and who goes home before dark or cold becomes a danger.",
            ],
        ),
        (
            Communications,
            [
                "Tiedota tekstiviestillä: mitä toimii, mitä ei, milloin kuullaan lisää. Säästäkää puhelinten akkuja.",
                "Informera per sms: vad fungerar, vad inte, när kommer mer. Spara på mobilbatterierna.",
                "Tell people by SMS: what works, what does not, when they hear more. Save phone batteries.",
            ],
        ),
        (
            ItOnDuty,
            [
                "Käynnistä sähkön palattua portaittain: verkko, levyt, hakemisto, tietokannat, sovellukset.",
                "Starta stegvis när strömmen är tillbaka: nät, lagring, katalog, databaser, program.",
                "When power is back, start in order: network, storage, directory, databases, applications.",
            ],
        ),
        (
            Facilities,
            [
                "Täytä polttoaine, tarkista akut ja kirjaa katkon kesto.",
                "Fyll på bränsle, kontrollera batterier och anteckna hur länge avbrottet varade.",
                "Refuel, check batteries and record how long it lasted.",
            ],
        ),
    ],
};

const FIBRE: Scenario = Scenario {
    key: "fibre-cut",
    severity: Severity::High,
    name: ["Kuitukatko", "Fiberbrott", "Fibre cut"],
    text: [
        "Kuitukatko: {where}. Siirrä liikenne varayhteydelle, soita teleyhtiölle.",
        "Fiberbrott: {where}. Lägg om trafiken på reservlinjen, ring operatören.",
        "Fibre cut: {where}. Move traffic to the backup link, call the carrier.",
    ],
    holes: &[Hole {
        name: "where",
        example: ["Kajaani", "Kajana", "Kajaani"],
        default: None,
    }],
    answers: COME,
    checklist: &[
        (
            Network,
            [
                "Paikanna katko: mikä yhteys, kumpi pää, oma laite vai kuitu. Mittaa OTDR:llä, jos voit.",
                "Lokalisera brottet: vilken förbindelse, vilken ände, egen utrustning eller fiber. Mät med OTDR om möjligt.",
                "Locate it: which link, which end, own equipment or fibre. Measure with an OTDR if you can.",
            ],
        ),
        (
            Network,
            [
                "Varmista, että varayhteys on ottanut liikenteen. Käännä reitit käsin, jos ei ole.",
                "Kontrollera att reservförbindelsen tagit över. Styr om rutterna för hand om inte.",
                "Make sure the backup link has taken over. Turn routes by hand if not.",
            ],
        ),
        (
            Network,
            [
                "Tarkista, kulkeeko varayhteys samassa kaapelissa tai samassa kaivannossa.",
                "Kontrollera om reservförbindelsen går i samma kabel eller samma schakt.",
                "Check whether the backup runs in the same cable or the same trench.",
            ],
        ),
        (
            Network,
            [
                "Tee vikailmoitus teleyhtiölle liittymätunnuksella ja kysy korjausarvio. Kirjaa numero.",
                "Felanmäl till operatören med förbindelsens nummer och be om beräknad tid. Anteckna ärendenumret.",
                "Report the fault with the circuit number; ask for an estimate. Note the case number.",
            ],
        ),
        (
            ItOnDuty,
            [
                "Rajoita kuormaa varayhteydellä: lykkää varmistukset, päivitykset ja suuret siirrot.",
                "Minska lasten på reserven: skjut upp säkerhetskopiering, uppdateringar och stora överföringar.",
                "Spare the backup link: postpone backups, updates and large transfers.",
            ],
        ),
        (
            ItOnDuty,
            [
                "Tarkista, mikä ei toimi varayhteydellä: puhelut, hälytykset, kulunvalvonta, etäohjaus.",
                "Kontrollera vad som inte fungerar på reserven: telefoni, larm, passersystem, fjärrstyrning.",
                "Check what does not work over the backup: telephony, alarms, access control, remote control.",
            ],
        ),
        (
            Business,
            [
                "Arvioi, mikä pysähtyy ilman yhteyttä ja kuinka pian. Lähetä väkeä paikalle tarvittaessa.",
                "Bedöm vad som stannar utan förbindelse och hur snart. Skicka folk till platsen vid behov.",
                "Judge what stops without the link and how soon. Send people there if needed.",
            ],
        ),
        (
            Facilities,
            [
                "Vartioi katkopaikkaa, jos se on omalla tontilla, ja kuvaa se ennen korjausta.",
                "Bevaka platsen om den är på egen tomt och fotografera före reparation.",
                "Guard the place if it is on your own ground; photograph it before repair.",
            ],
        ),
        (
            Security,
            [
                "Ilmoita poliisille, jos katko näyttää tahalliselta tai katkoja on useita.",
                "Anmäl till polisen om brottet verkar avsiktligt eller om de är flera.",
                "Tell the police if it looks deliberate or there are several.",
            ],
        ),
        (
            Network,
            [
                "Palauta reitit vasta tunnin vakaan jakson jälkeen ja tarkista virheet kuidusta.",
                "Återställ rutterna först efter en stabil timme och kontrollera fel på fibern.",
                "Turn routes back only after a stable hour, and check the fibre for errors.",
            ],
        ),
    ],
};

const MAIL_DOWN: Scenario = Scenario {
    key: "mail-down",
    severity: Severity::Normal,
    name: ["Sähköposti ei toimi", "E-posten nere", "Mail down"],
    text: [
        "Sähköposti ei toimi: {where}. Käytä puhelinta ja tekstiviestiä.",
        "E-posten ligger nere: {where}. Använd telefon och sms.",
        "E-mail is down: {where}. Use phone and SMS, beware of fakes.",
    ],
    holes: &[Hole {
        name: "where",
        example: ["toimisto", "kontoret", "head office"],
        default: EVERYWHERE,
    }],
    answers: COME,
    checklist: &[
        (
            ItOnDuty,
            [
                "Totea, mikä ei toimi: lähetys, vastaanotto, kirjautuminen vai kaikki. Kokeile ulkopuolisesta osoitteesta.",
                "Fastställ vad som felar: sändning, mottagning, inloggning eller allt. Prova från en adress utanför.",
                "Find out what fails: sending, receiving, signing in, or all. Try from an address outside.",
            ],
        ),
        (
            ItOnDuty,
            [
                "Tarkista nimipalvelu (MX, SPF, DKIM), varmenteet ja toimittajan tilasivu.",
                "Kontrollera namntjänst (MX, SPF, DKIM), certifikat och leverantörens statussida.",
                "Check name service (MX, SPF, DKIM), certificates and the provider's status page.",
            ],
        ),
        (
            Security,
            [
                "Sulje pois tilikaappaus: oudot edelleenlähetykset, kirjautumiset, massapostit omista osoitteista.",
                "Uteslut kapade konton: okända vidarebefordringar, inloggningar, massutskick från egna adresser.",
                "Rule out hijacked accounts: odd forwarding, sign-ins, bulk mail from your addresses.",
            ],
        ),
        (
            Communications,
            [
                "Kerro tekstiviestillä, mitä kanavaa käytetään sen sijaan ja milloin kuullaan lisää.",
                "Meddela per sms vilken kanal som gäller i stället och när mer besked kommer.",
                "Say by SMS which channel is used instead and when people hear more.",
            ],
        ),
        (
            Communications,
            [
                "Varoita valeviesteistä: emme pyydä salasanoja emmekä lähetä linkkejä katkon aikana.",
                "Varna för falska meddelanden: vi ber inte om lösenord och skickar inga länkar under avbrottet.",
                "Warn of fakes: we ask for no passwords and send no links during the outage.",
            ],
        ),
        (
            Business,
            [
                "Käy läpi, mikä kulkee vain sähköpostilla: tilaukset, laskut, hälytykset, määräajat.",
                "Gå igenom vad som bara går per e-post: order, fakturor, larm, tidsfrister.",
                "Go through what travels by e-mail only: orders, invoices, alarms, deadlines.",
            ],
        ),
        (
            Business,
            [
                "Soita kumppaneille, joiden kanssa on tänään määräaika.",
                "Ring de partner som ni har en tidsfrist med i dag.",
                "Call partners with whom something is due today.",
            ],
        ),
        (
            ItOnDuty,
            [
                "Varmista, että saapuva posti odottaa lähettäjillä (yleensä 1-5 päivää) eikä hylkäänny.",
                "Kontrollera att inkommande post väntar hos avsändarna (oftast 1-5 dygn) och inte studsar.",
                "Make sure incoming mail waits with its senders (usually 1 to 5 days) and does not bounce.",
            ],
        ),
        (
            ItOnDuty,
            [
                "Tarkista paluun jälkeen jonot, kaksoiskappaleet ja roskapostin määrä.",
                "Kontrollera köer, dubbletter och mängden skräppost efteråt.",
                "Afterwards check queues, duplicates and the amount of spam.",
            ],
        ),
        (
            Lead,
            [
                "Ilmoita katkon loppu ja kirjaa, mitä jäi saamatta.",
                "Meddela att avbrottet är slut och anteckna vad som gått förlorat.",
                "Announce the end and record what was lost.",
            ],
        ),
    ],
};
