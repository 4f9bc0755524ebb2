//! Somebody does us harm, or our data is gone.

use super::Role::{
    Business, Communications, DataProtection, ItOnDuty, Lead, Management, Network, Security,
};
use super::{COME, Hole, Scenario};
use crate::vocabulary::Severity;

pub(super) const ALL: &[&Scenario] = &[&RANSOMWARE, &OVERLOAD, &DATA_LOSS];

const RANSOMWARE: Scenario = Scenario {
    key: "ransomware",
    severity: Severity::Critical,
    name: ["Kiristyshaittaohjelma", "Utpressningsprogram", "Ransomware"],
    text: [
        "Tule heti, kiristysohjelma: {what}. Irrota verkko, jätä virta päälle.",
        "Kom genast, gisslanprogram: {what}. Dra nätkabeln, låt strömmen vara på.",
        "Come now, ransomware: {what}. Unplug networks, leave power on.",
    ],
    holes: &[Hole {
        name: "what",
        example: ["levypalvelin", "filservern", "file server"],
        default: None,
    }],
    answers: COME,
    checklist: &[
        (
            ItOnDuty,
            [
                "Irrota saastuneet koneet verkosta (johto ja wlan). Älä sammuta niitä: muistissa on todisteita.",
                "Koppla bort smittade datorer från nätet (kabel och wifi). Stäng inte av dem: minnet innehåller bevis.",
                "Take infected machines off the network (cable and Wi-Fi). Do not switch them off: memory holds evidence.",
            ],
        ),
        (
            ItOnDuty,
            [
                "Irrota varmistuslaitteet verkosta ja tarkista, mikä on viimeisin koskematon varmistus.",
                "Koppla bort säkerhetskopiorna från nätet och kontrollera vilken kopia som är den senaste orörda.",
                "Disconnect the backup systems and find out which is the newest backup nobody has touched.",
            ],
        ),
        (
            Network,
            [
                "Katkaise yhteydet toimipaikkojen ja kumppanien väliltä, kunnes leviäminen on pysähtynyt.",
                "Bryt förbindelserna mellan orter och till partner tills spridningen har stannat.",
                "Cut the links between sites and to partners until it has stopped spreading.",
            ],
        ),
        (
            Lead,
            [
                "Avaa tapahtumapäiväkirja: mitä nähtiin, milloin, kuka päätti mitä. Johda vain varakanavista.",
                "För logg från nu: vad som sågs, när, vem som beslutade vad. Led bara via reservkanalerna.",
                "Start the log: what was seen, when, who decided what. Lead by the fallback channels only.",
            ],
        ),
        (
            Security,
            [
                "Sulje ylläpitäjien tunnukset ja istunnot, vaihda niiden salasanat puhtaalta koneelta.",
                "Spärra administratörskonton och sessioner, byt deras lösenord från en ren dator.",
                "Lock administrator accounts and sessions; change their passwords from a clean machine.",
            ],
        ),
        (
            Security,
            [
                "Ota kuvat kiristysviestistä ja talleta lokit sekä yksi muistivedos ennen puhdistamista.",
                "Fotografera utpressningsmeddelandet och spara loggar och en minnesdump före rensning.",
                "Photograph the ransom note; save logs and one memory image before anything is cleaned.",
            ],
        ),
        (
            Management,
            [
                "Tee rikosilmoitus poliisille. Älä maksa äläkä ota yhteyttä kiristäjään ilman poliisin neuvoa.",
                "Anmäl till polisen. Betala inte och kontakta inte utpressaren utan polisens råd.",
                "Report it to the police. Do not pay or contact the extortionist without their advice.",
            ],
        ),
        (
            Management,
            [
                "Anna viranomaiselle ennakkovaroitus 24 tunnissa ja ilmoitus 72 tunnissa (NIS2), jos laki koskee teitä.",
                "Lämna tidig varning till myndigheten inom 24 timmar och anmälan inom 72 timmar (NIS2), om ni omfattas.",
                "Give the authority an early warning within 24 hours and a notification within 72 (NIS2), if you are covered.",
            ],
        ),
        (
            DataProtection,
            [
                "Selvitä, vietiinkö henkilötietoja. Ilmoita tietosuojaviranomaiselle 72 tunnissa.",
                "Utred om personuppgifter har läckt. Anmäl till dataskyddsmyndigheten inom 72 timmar.",
                "Find out whether personal data was taken. Notify the data protection authority within 72 hours.",
            ],
        ),
        (
            Communications,
            [
                "Kerro henkilöstölle tekstiviestillä: mitä ei saa käyttää, mistä saa tietoa, kuka puhuu medialle.",
                "Informera personalen per sms: vad som inte får användas, var information finns, vem som talar med medier.",
                "Tell staff by SMS: what not to use, where to get news, who speaks to the press.",
            ],
        ),
        (
            Business,
            [
                "Siirry paperille tai muuhun varamenettelyyn ja listaa, mikä palautetaan ensin.",
                "Gå över till papper eller annan reservrutin och lista vad som ska återställas först.",
                "Change to paper or another fallback and list what must be restored first.",
            ],
        ),
        (
            ItOnDuty,
            [
                "Palauta puhtaaseen ympäristöön vasta, kun reitti sisään on löydetty ja tukittu.",
                "Återställ till en ren miljö först när vägen in har hittats och täppts till.",
                "Restore into a clean environment, and only once the way in is found and closed.",
            ],
        ),
    ],
};

const OVERLOAD: Scenario = Scenario {
    key: "overload",
    severity: Severity::High,
    name: [
        "Palvelunestohyökkäys",
        "Överbelastningsattack",
        "Overload attack (DDoS)",
    ],
    text: [
        "Ala heti torjua: palvelunestohyökkäys, {what}. Soita operaattorille.",
        "Börja avvärja genast: överbelastning av {what}. Ring operatören.",
        "Start defending now: {what} overloaded by an attack. Call the carrier.",
    ],
    holes: &[Hole {
        name: "what",
        example: ["verkkokauppa", "e-tjänsten", "web portal"],
        default: Some(["verkko", "nätet", "network"]),
    }],
    answers: COME,
    checklist: &[
        (
            Network,
            [
                "Totea, onko kyse hyökkäyksestä vai aidosta ruuhkasta: lähteet, määrä, kohde, alkuaika.",
                "Avgör om det är en attack eller verklig trafik: källor, mängd, mål, starttid.",
                "Decide whether it is an attack or real traffic: sources, volume, target, since when.",
            ],
        ),
        (
            Network,
            [
                "Soita operaattorille ja pyydä pesuri tai mustareititys kohteena olevalle osoitteelle.",
                "Ring operatören och begär trafiktvätt eller svarthål för den angripna adressen.",
                "Call the carrier; ask for scrubbing or a black hole for the address under attack.",
            ],
        ),
        (
            ItOnDuty,
            [
                "Rajoita pyyntömäärää, ota välimuisti ja staattinen varasivu käyttöön.",
                "Begränsa antalet anrop, slå på mellanlagring och en statisk reservsida.",
                "Limit the request rate; switch on caching and a static fallback page.",
            ],
        ),
        (
            ItOnDuty,
            [
                "Estä liikenne maista ja verkoista, joista asiakkaita ei ole. Kirjaa jokainen esto purkua varten.",
                "Spärra trafik från länder och nät utan kunder. Anteckna varje spärr så att den kan tas bort.",
                "Block countries and networks without customers. Note every block, so that it can be lifted.",
            ],
        ),
        (
            Security,
            [
                "Etsi samaan aikaan tunkeutumista: hyökkäys voi olla harhautus. Tarkista kirjautumiset ja lokit.",
                "Leta samtidigt efter intrång: attacken kan vara en avledning. Granska inloggningar och loggar.",
                "Look for an intrusion meanwhile: the flood may be a diversion. Check logins and logs.",
            ],
        ),
        (
            Lead,
            [
                "Pidä tilannekokous 30 minuutin välein ja kirjaa päätökset ajan kanssa.",
                "Håll lägesmöte var trettionde minut och anteckna beslut med tid.",
                "Hold a short meeting every 30 minutes; log decisions with their time.",
            ],
        ),
        (
            Business,
            [
                "Kerro, mitä asiakas ei nyt voi tehdä, ja ota puhelinpalvelu tai muu varakanava käyttöön.",
                "Beskriv vad kunderna inte kan göra nu och öppna telefontjänst eller annan reservkanal.",
                "Say what customers cannot do now; open the telephone or another fallback.",
            ],
        ),
        (
            Communications,
            [
                "Julkaise häiriötiedote kanavalla, johon hyökkäys ei osu. Kerro seuraavan päivityksen aika.",
                "Publicera driftinformation i en kanal som attacken inte når. Ange när nästa uppdatering kommer.",
                "Publish a notice where the attack does not reach. Say when the next update comes.",
            ],
        ),
        (
            Management,
            [
                "Tee rikosilmoitus ja ilmoita kansalliselle kyberturvallisuuskeskukselle.",
                "Polisanmäl och rapportera till landets cybersäkerhetscenter.",
                "Report it to the police and to the national cyber security centre.",
            ],
        ),
        (
            Network,
            [
                "Pura estot yksi kerrallaan, kun liikenne on ollut tavallista tunnin ajan. Seuraa vuorokausi.",
                "Ta bort spärrar en i taget när trafiken varit normal en timme. Bevaka ett dygn.",
                "Lift blocks one by one after an hour of normal traffic. Watch for a day.",
            ],
        ),
    ],
};

const DATA_LOSS: Scenario = Scenario {
    key: "data-loss",
    severity: Severity::Critical,
    name: ["Tietojen menetys", "Dataförlust", "Data loss"],
    text: [
        "Tule heti, tietoja menetetty: {what}. Pysäytä tallennus ja varmistus.",
        "Kom genast, data har gått förlorade: {what}. Stoppa all skrivning.",
        "Come now, data lost: {what}. Stop writes and backup jobs first.",
    ],
    holes: &[Hole {
        name: "what",
        example: ["asiakirjat", "kundregistret", "customer files"],
        default: None,
    }],
    answers: COME,
    checklist: &[
        (
            ItOnDuty,
            [
                "Pysäytä kirjoittaminen: palvelu lukutilaan tai alas. Jokainen tallennus voi tuhota lisää.",
                "Stoppa skrivning: sätt tjänsten i läsläge eller ta ner den. Varje skrivning kan förstöra mer.",
                "Stop writing: make the service read-only or take it down. Every write may destroy more.",
            ],
        ),
        (
            ItOnDuty,
            [
                "Keskeytä varmistusajot ja vanhojen varmistusten poisto, jotta hyvä kopio ei kierrä ulos.",
                "Pausa säkerhetskopiering och gallring så att den goda kopian inte skrivs över.",
                "Suspend backup and retention jobs, so that the good copy is not rotated out.",
            ],
        ),
        (
            ItOnDuty,
            [
                "Rajaa menetys: mitkä tiedot, miltä ajalta, mistä hetkestä alkaen.",
                "Avgränsa förlusten: vilka data, från vilken tid, sedan när.",
                "Find the extent: which data, of which period, missing since when.",
            ],
        ),
        (
            Security,
            [
                "Selvitä syy: laite, ohjelma, ihminen vai teko. Jos epäilet tekoa, talleta todisteet ensin.",
                "Utred orsaken: maskin, program, människa eller brott. Vid misstanke om brott, säkra bevis först.",
                "Find the cause: device, software, mistake or crime. If a crime is suspected, save evidence first.",
            ],
        ),
        (
            ItOnDuty,
            [
                "Valitse palautuspiste ja palauta rinnakkaiseen ympäristöön, ei alkuperäisen päälle.",
                "Välj återställningspunkt och återställ vid sidan av, inte över originalet.",
                "Choose the point to restore and restore beside the original, not over it.",
            ],
        ),
        (
            Business,
            [
                "Tarkista palautettu otos: luvut täsmäävät, viimeisimmät tapahtumat ovat mukana.",
                "Kontrollera ett stickprov: summor stämmer, de senaste händelserna finns med.",
                "Check a sample of what was restored: totals agree, the latest entries are there.",
            ],
        ),
        (
            Business,
            [
                "Kerää paperilta, sähköpostista ja kumppaneilta se, mitä varmistuksessa ei ole.",
                "Samla från papper, e-post och partner det som saknas i kopian.",
                "Collect from paper, mail and partners what the backup does not hold.",
            ],
        ),
        (
            DataProtection,
            [
                "Arvioi, onko henkilötietoja kadonnut tai vuotanut. Ilmoitus viranomaiselle 72 tunnissa.",
                "Bedöm om personuppgifter har förlorats eller läckt. Anmälan till myndigheten inom 72 timmar.",
                "Judge whether personal data is lost or leaked. Notify the authority within 72 hours.",
            ],
        ),
        (
            Communications,
            [
                "Kerro käyttäjille, mitä puuttuu, mitä ei saa syöttää uudelleen ja milloin kuullaan lisää.",
                "Berätta för användarna vad som saknas, vad de inte ska mata in på nytt och när mer information kommer.",
                "Tell users what is missing, what not to enter again, and when they hear more.",
            ],
        ),
        (
            Lead,
            [
                "Päätä paluu tuotantoon vasta tarkistuksen jälkeen ja kirjaa, mitä jäi puuttumaan.",
                "Besluta om återgång först efter kontroll och anteckna vad som saknas.",
                "Decide on the return only after the check, and record what stays missing.",
            ],
        ),
    ],
};
