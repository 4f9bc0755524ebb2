//! Phone numbers and mail addresses, parsed once.

use std::fmt;

/// A phone number in E.164 form: `+`, then 7 to 15 digits, the first not zero (ITU-T E.164 §6).
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct PhoneNumber(String);

/// Text that is not a phone number we can send to.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PhoneNumberError {
    #[error("{0:?} has no country code; write it as +358401234567")]
    NoCountryCode(String),
    #[error("{0:?} is not a phone number; write it as +358401234567")]
    Malformed(String),
}

impl PhoneNumber {
    /// Accepts spaces, dashes, dots and brackets between digits, and `00` for `+`; stores none of them.
    pub fn parse(text: &str) -> Result<Self, PhoneNumberError> {
        let kept: String = text
            .chars()
            .filter(|c| !matches!(c, ' ' | '-' | '.' | '(' | ')' | '\u{a0}'))
            .collect();
        let digits = kept.strip_prefix('+').or_else(|| kept.strip_prefix("00"));
        let shown = || text.chars().take(40).collect();
        let Some(digits) = digits else {
            let plain = !kept.is_empty() && kept.bytes().all(|b| b.is_ascii_digit());
            return Err(if plain {
                PhoneNumberError::NoCountryCode(shown())
            } else {
                PhoneNumberError::Malformed(shown())
            });
        };
        let all_digits = digits.bytes().all(|b| b.is_ascii_digit());
        if !all_digits || !(7..=15).contains(&digits.len()) || digits.starts_with('0') {
            return Err(PhoneNumberError::Malformed(shown()));
        }
        Ok(Self(format!("+{digits}")))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A mailbox `local@domain` fit for an SMTP envelope (RFC 5321 §4.1.2), without display name or quoting.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct MailAddress(String);

/// Text that is not a mail address.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{0:?} is not a mail address; write it as name@example.org")]
pub struct MailAddressError(String);

impl MailAddress {
    pub fn parse(text: &str) -> Result<Self, MailAddressError> {
        let trimmed = text.trim();
        let bad = || MailAddressError(text.chars().take(80).collect());
        let (local, domain) = trimmed.rsplit_once('@').ok_or_else(bad)?;
        let atom = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c);
        let host = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
        let dots = |s: &str| s.split('.').all(|label| !label.is_empty());
        let fits = (1..=64).contains(&local.len()) && (1..=255).contains(&domain.len());
        if fits
            && local.chars().all(atom)
            && domain.chars().all(host)
            && dots(local)
            && dots(domain)
        {
            Ok(Self(trimmed.to_owned()))
        } else {
            Err(bad())
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_kept_in_one_form_or_refused_with_a_reason() {
        for (text, expected) in [
            ("+358 40 123-4567", Ok("+358401234567")),
            ("00358401234567", Ok("+358401234567")),
            (
                "0401234567",
                Err(PhoneNumberError::NoCountryCode("0401234567".to_owned())),
            ),
            (
                "+0401234567",
                Err(PhoneNumberError::Malformed("+0401234567".to_owned())),
            ),
            (
                "+35840\r\nAT",
                Err(PhoneNumberError::Malformed("+35840\r\nAT".to_owned())),
            ),
            ("", Err(PhoneNumberError::Malformed(String::new()))),
        ] {
            assert_eq!(
                PhoneNumber::parse(text).as_ref().map(PhoneNumber::as_str),
                expected.as_ref().copied(),
                "{text}"
            );
        }
    }

    #[test]
    fn a_mail_address_cannot_carry_a_second_header() {
        assert!(MailAddress::parse("anna.virtanen@example.org").is_ok());
        for bad in [
            "anna",
            "anna@",
            "@example.org",
            "a@b@c",
            "a b@example.org",
            "a@ex\r\nBcc: x@y",
            "a@.org",
        ] {
            assert!(MailAddress::parse(bad).is_err(), "{bad}");
        }
    }
}
