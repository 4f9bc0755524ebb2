//! One-time codes of an app (RFC 6238): SHA-1, six digits, thirty seconds, as every app has them.

use domain::CivilTime;
use ring::hmac;
use subtle::ConstantTimeEq as _;

const STEP_MS: i64 = 30_000;
/// A code counts so long before and after its step: clocks of phones differ by seconds (SECURITY T-25).
const GRACE_MS: i64 = 5_000;
/// Length of a seed; that of the hash, as RFC 4226 §4 asks for.
pub(super) const SEED_LEN: usize = 20;

/// The step of which this is the code, if it is one of now.
pub(super) fn step_of(seed: &[u8], typed: &str, now: CivilTime) -> Option<u64> {
    let typed: String = typed.chars().filter(|c| *c != ' ').collect();
    let at = |ms: i64| now.0.saturating_add(ms).div_euclid(STEP_MS);
    let mut steps = vec![at(0), at(-GRACE_MS), at(GRACE_MS)];
    steps.dedup();
    let mut found = None;
    for step in steps {
        let Ok(step) = u64::try_from(step) else {
            continue;
        };
        if bool::from(code(seed, step).as_bytes().ct_eq(typed.as_bytes())) {
            found = Some(step);
        }
    }
    found
}

/// The code of a step: RFC 4226 §5.3 with the step as counter.
pub(super) fn code(seed: &[u8], step: u64) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, seed);
    let tag = hmac::sign(&key, &step.to_be_bytes());
    let tag = tag.as_ref();
    let offset = usize::from(tag[tag.len() - 1] & 0xf);
    let word = tag[offset..offset + 4]
        .iter()
        .fold(0_u32, |word, byte| word << 8 | u32::from(*byte));
    format!("{:06}", (word & 0x7fff_ffff) % 1_000_000)
}

/// What an app reads from a picture or a link.
pub(super) fn uri(account: &str, organisation: &str, seed: &[u8]) -> String {
    let plain: String = organisation
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .take(40)
        .collect();
    format!(
        "otpauth://totp/Holdfast:{account}?secret={}&issuer=Holdfast-{plain}&algorithm=SHA1&digits=6&period=30",
        secret(seed)
    )
}

/// The seed as people type it into an app.
pub(super) fn secret(seed: &[u8]) -> String {
    data_encoding::BASE32_NOPAD.encode(seed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_of_the_rfc() {
        // RFC 6238 appendix B, of which six digits are the last six of its eight.
        let seed = b"12345678901234567890";
        for (second, expected) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(code(seed, second / 30), expected);
        }
    }

    #[test]
    fn a_code_counts_in_its_step_and_five_seconds_around_it() {
        let seed = b"12345678901234567890";
        let at = |ms| step_of(seed, &code(seed, 100), CivilTime(ms));
        let (begins, ends) = (3_000_000, 3_030_000);
        for ms in [begins, begins - 5_000, ends - 1, ends + 4_999] {
            assert_eq!(at(ms), Some(100), "{ms}");
        }
        for ms in [begins - 5_001, ends + 5_000, 0] {
            assert_eq!(at(ms), None, "{ms}");
        }
        let spaced = code(seed, 100).replacen("", " ", 4);
        assert_eq!(step_of(seed, &spaced, CivilTime(begins)), Some(100));
    }
}
