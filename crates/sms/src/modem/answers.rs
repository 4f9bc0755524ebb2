//! Reading what modems answer.

use super::error_class::FinalError;
use super::event::{Memory, Registration};
use crate::hex;
use crate::pdu::{Pdu, PduError};

/// The line that ends a command's answer (3GPP TS 27.007 §4.1), if this is one.
pub(super) fn final_result(line: &str) -> Option<Result<(), FinalError>> {
    if line == "OK" {
        return Some(Ok(()));
    }
    if line == "ERROR" || line == "COMMAND NOT SUPPORT" || line == "TOO MANY PARAMETERS" {
        return Some(Err(FinalError::Plain));
    }
    // Words instead of a number tell no more than a plain error.
    let numbered = |rest: &str, error: fn(u16) -> FinalError| {
        rest.trim().parse().map_or(FinalError::Plain, error)
    };
    if let Some(rest) = line.strip_prefix("+CMS ERROR:") {
        return Some(Err(numbered(rest, FinalError::Cms)));
    }
    line.strip_prefix("+CME ERROR:")
        .map(|rest| Err(numbered(rest, FinalError::Cme)))
}

/// Splits at commas outside quotes and parentheses; quotes are taken off.
pub(super) fn fields(text: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let (mut quoted, mut depth) = (false, 0_u32);
    for c in text.trim().chars() {
        match c {
            '"' => quoted = !quoted,
            ',' if !quoted && depth == 0 => {
                fields.push(String::new());
                continue;
            }
            '(' if !quoted => depth += 1,
            ')' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
        // One field exists from the start on.
        if let (Some(field), true) = (fields.last_mut(), c != '"') {
            field.push(c);
        }
    }
    fields.iter().map(|field| field.trim().to_owned()).collect()
}

/// `(0,1,2)`, `(0-3)` or `1` as numbers.
pub(super) fn number_set(field: &str) -> Vec<u8> {
    let inner = field.trim().trim_start_matches('(').trim_end_matches(')');
    let mut numbers = Vec::new();
    for item in inner.split(',') {
        match item.split_once('-') {
            Some((first, last)) => {
                if let (Ok(first), Ok(last)) =
                    (first.trim().parse::<u8>(), last.trim().parse::<u8>())
                {
                    numbers.extend(first..=last);
                }
            }
            None => numbers.extend(item.trim().parse::<u8>()),
        }
    }
    numbers
}

/// The memories in one list of `+CPMS: ("SM","ME"),(…),(…)`.
pub(super) fn memory_set(field: &str) -> Vec<Memory> {
    let inner = field.trim().trim_start_matches('(').trim_end_matches(')');
    inner
        .split(',')
        .filter_map(|name| Memory::parse(name.trim().trim_matches('"')))
        .collect()
}

/// The setting of `AT+CNMI` out of what `AT+CNMI=?` offers: store, then announce; reports directly.
pub(super) fn routing(offer: Option<&str>) -> String {
    let sets: Vec<Vec<u8>> = offer
        .map(fields)
        .unwrap_or_default()
        .iter()
        .map(|field| number_set(field))
        .collect();
    let choose = |position: usize, wanted: &[u8]| {
        let offered = sets.get(position).filter(|set| !set.is_empty());
        let fits = |n: &&u8| offered.is_none_or(|set| set.contains(n));
        wanted.iter().find(fits).copied().unwrap_or(0)
    };
    let (mode, stored, broadcast) = (choose(0, &[2, 1, 3]), choose(1, &[1]), choose(2, &[0]));
    format!(
        "AT+CNMI={mode},{stored},{broadcast},{},{}",
        choose(3, &[1, 2]),
        choose(4, &[0, 1])
    )
}

/// `<stat>` of a registration answer: the second number when a query is answered (`n,stat,…`), the first one otherwise.
pub(super) fn registration(rest: &str, is_answer: bool) -> Option<Registration> {
    let fields = fields(rest);
    // As an unasked-for line the second field, when there is one, is the quoted area code.
    let position = usize::from(is_answer && fields.len() > 1);
    fields.get(position)?.parse().ok().map(Registration)
}

/// `+CSQ: rssi,ber` in dBm (3GPP TS 27.007 §8.5); 99 is unknown.
pub(super) fn csq_dbm(rest: &str) -> Option<i16> {
    let rssi: i16 = fields(rest).first()?.parse().ok()?;
    (0..=31).contains(&rssi).then_some(-113 + 2 * rssi)
}

/// `+CESQ: rxlev,ber,rscp,ecno,rsrq,rsrp` in dBm of the technology in use (3GPP TS 27.007 §8.69).
pub(super) fn cesq_dbm(rest: &str) -> Option<i16> {
    let fields = fields(rest);
    let value = |position: usize| fields.get(position)?.parse::<i16>().ok();
    let rsrp = value(5).filter(|v| (0..=97).contains(v)).map(|v| v - 141);
    let rscp = value(2).filter(|v| (0..=96).contains(v)).map(|v| v - 121);
    let rxlev = value(0).filter(|v| (0..=63).contains(v)).map(|v| v - 111);
    rsrp.or(rscp).or(rxlev)
}

/// Used and total of the first memory in the answer to `AT+CPMS=…`.
pub(super) fn memory_usage(rest: &str) -> Option<(u16, u16)> {
    let fields = fields(rest);
    Some((fields.first()?.parse().ok()?, fields.get(1)?.parse().ok()?))
}

/// The tries left for the PIN: `+CPINR: SIM PIN,3,3`, `+QPINC: "SC",3,10` or `^CPIN: SIM PIN,3,10,3,10,3`.
pub(super) fn pin_tries(line: &str) -> Option<u8> {
    let (name, rest) = line.split_once(':')?;
    let fields = fields(rest);
    match name {
        "+CPINR" if fields.first()? == "SIM PIN" => fields.get(1)?.parse().ok(),
        "+QPINC" => fields.get(1)?.parse().ok(),
        // Tries of the code being asked for, then those of PUK1, PIN1, PUK2, PIN2.
        "^CPIN" => fields.get(3).or(fields.get(1))?.parse().ok(),
        _ => None,
    }
}

/// Whether a line is a PDU rather than something that came between header and PDU.
pub(super) fn is_hex(line: &str) -> bool {
    line.len() >= 2 && line.bytes().all(|b| b.is_ascii_hexdigit())
}

/// Why a stored PDU goes to quarantine.
#[derive(Debug, thiserror::Error)]
pub(super) enum UnreadablePdu {
    #[error("not hexadecimal: {0}")]
    Hex(#[from] hex::HexError),
    #[error("{}", chain(.0))]
    Pdu(#[from] PduError),
}

fn chain(error: &PduError) -> String {
    use std::error::Error as _;
    error
        .source()
        .map_or_else(|| error.to_string(), |source| format!("{error}: {source}"))
}

/// Reads a PDU by the length its header gave: modems that leave out the service-centre address are understood too.
pub(super) fn incoming_pdu(raw: &str, tpdu_len: Option<usize>) -> Result<Pdu, UnreadablePdu> {
    let mut octets = hex::decode(raw)?;
    if tpdu_len == Some(octets.len()) {
        octets.insert(0, 0);
    }
    Ok(Pdu::decode_incoming(&octets)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn final_results_are_told_from_other_lines() {
        assert_eq!(final_result("OK"), Some(Ok(())));
        assert_eq!(final_result("ERROR"), Some(Err(FinalError::Plain)));
        assert_eq!(
            final_result("+CMS ERROR: 38"),
            Some(Err(FinalError::Cms(38)))
        );
        assert_eq!(
            final_result("+CME ERROR: SIM busy"),
            Some(Err(FinalError::Plain))
        );
        assert_eq!(final_result("^RSSI: 12"), None);
        assert_eq!(final_result("NO CARRIER"), None);
    }

    #[test]
    fn the_routing_setting_is_chosen_from_the_offer() {
        assert_eq!(routing(None), "AT+CNMI=2,1,0,1,0");
        assert_eq!(
            routing(Some("(0-3),(0-3),(0,2,3),(0-2),(0,1)")),
            "AT+CNMI=2,1,0,1,0"
        );
        assert_eq!(
            routing(Some("(0,1),(0,1),(0),(0,2),(1)")),
            "AT+CNMI=1,1,0,2,1"
        );
        assert_eq!(
            routing(Some("(0,1),(0,1),(0),(0),(1)")),
            "AT+CNMI=1,1,0,0,1"
        );
    }

    #[test]
    fn answers_are_read_as_makers_write_them() {
        assert_eq!(
            registration("2,5,\"00FF\",\"0123\"", true),
            Some(Registration(5))
        );
        assert_eq!(
            registration("5,\"00FF\",\"0123\"", false),
            Some(Registration(5))
        );
        assert_eq!(registration("1", true), Some(Registration(1)));
        assert_eq!((csq_dbm("17,99"), csq_dbm("99,99")), (Some(-79), None));
        assert_eq!(cesq_dbm("99,99,255,255,20,53"), Some(-88));
        assert_eq!(memory_usage("3,23,0,10,0,10"), Some((3, 23)));
        assert_eq!(memory_set("(\"SM\",\"ME\")"), [Memory::SM, Memory::ME]);
        assert_eq!(pin_tries("+CPINR: SIM PIN,3,3"), Some(3));
        assert_eq!(pin_tries("^CPIN: SIM PIN,,10,2,10,3"), Some(2));
    }

    #[test]
    fn a_pdu_without_service_centre_address_is_understood() {
        let with = "00040BC87238880900F10000993092516195800AE8329BFD4697D9EC37";
        assert_eq!(
            incoming_pdu(with, Some(28)).unwrap(),
            incoming_pdu(&with[2..], Some(28)).unwrap()
        );
    }
}
