//! Identity and settings (ITU-T V.250, 3GPP TS 27.007 §5): what every program asks first.

use super::{
    Answer, Fail, Modem,
    parse::{Ask, Command, values},
};

const MANUFACTURER: &str = "Holdfast";
const MODEL: &str = "Emulated Modem";
const REVISION: &str = "1.0";

impl Modem {
    pub(super) fn general(&mut self, command: &Command) -> Option<Answer> {
        let number = |value: &str| value.trim().parse::<u8>().ok();
        Some(match (command.name.as_str(), &command.ask) {
            ("E", ask) => {
                self.settings.echo = matches!(ask, Ask::Set(value) if value == "1");
                Answer::ok()
            }
            ("V", ask) => {
                self.settings.verbose = matches!(ask, Ask::Set(value) if value == "1");
                Answer::ok()
            }
            ("Z" | "&F", Ask::Do | Ask::Set(_)) => {
                // The radio and the memories stay; what the program set is forgotten.
                let functionality = self.settings.functionality;
                self.settings = super::Settings {
                    functionality,
                    ..super::Settings::default()
                };
                Answer::ok()
            }
            ("I", _) => Answer::line(format!(
                "{MANUFACTURER}\r\n{MODEL}\r\nRevision: {REVISION}\r\nIMEI: {}",
                self.imei()
            )),
            (
                "Q" | "X" | "L" | "M" | "&C" | "&D" | "&W" | "&K" | "&S" | "&Y" | "&V",
                Ask::Do | Ask::Set(_),
            ) => Answer::ok(),
            ("S0" | "S3" | "S4" | "S5" | "S6" | "S7", Ask::Set(_)) => Answer::ok(),
            ("S3", Ask::Read) => Answer::line("013"),
            ("S4", Ask::Read) => Answer::line("010"),
            ("S5", Ask::Read) => Answer::line("008"),
            (
                "+IFC" | "+ICF" | "+IPR" | "+CRC" | "+CSAS" | "+CRES" | "+CUSD",
                Ask::Set(_) | Ask::Do,
            ) => Answer::ok(),
            ("+CUSD", Ask::Test) => Answer::line("+CUSD: (0-2)"),
            (
                "+CGMI" | "+CGMM" | "+CGMR" | "+CGSN" | "+GMI" | "+GMM" | "+GMR" | "+GSN" | "+GCAP"
                | "+CPAS" | "+CBC" | "+CLAC",
                Ask::Test,
            ) => Answer::ok(),
            ("+CGMI" | "+GMI", Ask::Do) => Answer::line(MANUFACTURER),
            ("+CGMM" | "+GMM", Ask::Do) => Answer::line(MODEL),
            ("+CGMR" | "+GMR", Ask::Do) => Answer::line(REVISION),
            ("+CGSN" | "+GSN", Ask::Do) => Answer::line(self.imei()),
            ("+GCAP", Ask::Do) => Answer::line("+GCAP: +CGSM"),
            ("+CPAS", Ask::Do) => Answer::line(format!(
                "+CPAS: {}",
                if self.call.is_some() { 4 } else { 0 }
            )),
            ("+CBC", Ask::Do) => Answer::line("+CBC: 0,100"),
            ("+CMEE", Ask::Read) => Answer::line(format!("+CMEE: {}", self.settings.error_level)),
            ("+CMEE", Ask::Test) => Answer::line("+CMEE: (0-2)"),
            ("+CMEE", Ask::Set(value)) => match number(value) {
                Some(level @ 0..=2) => {
                    self.settings.error_level = level;
                    Answer::ok()
                }
                _ => Answer::Fail(Fail::Plain),
            },
            ("+CSCS", Ask::Test) => Answer::line("+CSCS: (\"GSM\",\"IRA\",\"UCS2\")"),
            ("+CSCS", Ask::Read) => Answer::line(format!(
                "+CSCS: \"{}\"",
                if self.settings.ucs2 { "UCS2" } else { "GSM" }
            )),
            ("+CSCS", Ask::Set(value)) => match values(value)[0].as_str() {
                "GSM" | "IRA" => {
                    self.settings.ucs2 = false;
                    Answer::ok()
                }
                "UCS2" => {
                    self.settings.ucs2 = true;
                    Answer::ok()
                }
                _ => Answer::Fail(Fail::Cme(4)),
            },
            ("+CFUN", Ask::Read) => Answer::line(format!("+CFUN: {}", self.settings.functionality)),
            ("+CFUN", Ask::Test) => Answer::line("+CFUN: (0,1,4),(0,1)"),
            ("+CFUN", Ask::Set(value)) => self.set_functionality(value),
            _ => return None,
        })
    }

    /// A text as the chosen character set writes it.
    pub(super) fn quoted(&self, text: &str) -> String {
        if self.settings.ucs2 {
            let units: String = text
                .encode_utf16()
                .map(|unit| format!("{unit:04X}"))
                .collect();
            format!("\"{units}\"")
        } else {
            format!("\"{text}\"")
        }
    }

    /// The reverse of [`Self::quoted`], quotes already off.
    pub(super) fn unquoted(&self, text: &str) -> String {
        let units: Option<Vec<u16>> =
            (self.settings.ucs2 && !text.is_empty() && text.len().is_multiple_of(4))
                .then(|| text.as_bytes().chunks(4))
                .and_then(|chunks| {
                    chunks
                        .map(|chunk| u16::from_str_radix(std::str::from_utf8(chunk).ok()?, 16).ok())
                        .collect()
                });
        units.map_or_else(|| text.to_owned(), |units| String::from_utf16_lossy(&units))
    }

    /// 15 digits, the last a Luhn check digit (3GPP TS 23.003 §6.2).
    fn imei(&self) -> String {
        let body = format!("35{:0>12}", self.config.number_digits(12));
        let sum: u32 = body
            .bytes()
            .enumerate()
            .map(|(at, byte)| {
                let digit = u32::from(byte - b'0') * if at % 2 == 1 { 2 } else { 1 };
                digit / 10 + digit % 10
            })
            .sum();
        format!("{body}{}", (10 - sum % 10) % 10)
    }

    fn set_functionality(&mut self, value: &str) -> Answer {
        let values = values(value);
        let level = match values[0].as_str() {
            "0" => 0,
            "1" => 1,
            "4" => 4,
            _ => return Answer::Fail(Fail::Cme(3)),
        };
        if values.get(1).is_some_and(|reset| reset == "1") {
            return Answer::Vanish(self.knobs.absence_ms.draw(&mut self.rng));
        }
        self.settings.functionality = level;
        Answer::ok()
    }
}

impl super::ModemConfig {
    /// The last digits of the number, at most so many.
    pub(super) fn number_digits(&self, most: usize) -> String {
        let digits: Vec<char> = self.number.chars().filter(char::is_ascii_digit).collect();
        digits[digits.len().saturating_sub(most)..].iter().collect()
    }
}
