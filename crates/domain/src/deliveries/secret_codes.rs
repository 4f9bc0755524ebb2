//! Codes that are in no row and no entry of the log: each is worked out from the cluster's secret and the delivery that
//! carries it, by whoever sends the text and by whoever looks at what was typed.

use sha2::{Digest as _, Sha256};

use super::{Purpose, ReplySecret};
use crate::ids::DeliveryId;
use crate::texts;

/// Digits of a code that ends a sign-in (SECURITY §2.5).
const DIGITS: usize = 8;

/// Letters and digits that cannot be taken for each other (Crockford's base 32).
const LETTERS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// 25 of 32 letters carry 125 bits.
const LETTERS_LEN: usize = 25;
const GROUP_LEN: usize = 5;

impl ReplySecret {
    /// The eight digits that a delivery carries to end a sign-in.
    pub fn sign_in_code(&self, delivery: DeliveryId) -> String {
        let hash = self.hash("holdfast-sign-in-code-v1", delivery);
        let chance = u64::from_be_bytes(hash[..8].try_into().expect("32 bytes have 8"));
        format!("{:0DIGITS$}", chance % 10_u64.pow(DIGITS as u32))
    }

    /// The letters of the invitation that a delivery carries, without dashes.
    pub fn invitation_code(&self, delivery: DeliveryId) -> String {
        let hash = self.hash("holdfast-invitation-code-v1", delivery);
        let letters = hash.iter().take(LETTERS_LEN);
        letters
            .map(|byte| char::from(LETTERS[usize::from(byte & 31)]))
            .collect()
    }

    fn hash(&self, label: &str, delivery: DeliveryId) -> [u8; 32] {
        Sha256::new()
            .chain_update(label)
            .chain_update(self.0)
            .chain_update(delivery.0)
            .finalize()
            .into()
    }
}

/// A text ready to leave, with its code filled in. Without the cluster's secret there is none, and the mark stays.
pub(super) fn fill_in(
    body: String,
    purpose: Purpose,
    secret: Option<&ReplySecret>,
    delivery: DeliveryId,
) -> String {
    let Some(secret) = secret.filter(|_| body.contains(texts::SECRET_MARK)) else {
        return body;
    };
    let code = match purpose {
        Purpose::SignIn => secret.sign_in_code(delivery),
        Purpose::Invitation => grouped(&secret.invitation_code(delivery)),
        Purpose::Page
        | Purpose::CallOff
        | Purpose::Reply
        | Purpose::Summary
        | Purpose::Update
        | Purpose::Wake
        | Purpose::Trip
        | Purpose::Reminder
        | Purpose::Digest => return body,
    };
    body.replace(texts::SECRET_MARK, &code)
}

/// As long as any code that may be filled in, so that parts are not counted too low.
pub(super) fn at_its_longest(body: &str) -> String {
    let longest = "0".repeat(LETTERS_LEN + LETTERS_LEN / GROUP_LEN);
    body.replace(texts::SECRET_MARK, &longest)
}

fn grouped(letters: &str) -> String {
    let mut text = String::with_capacity(letters.len() + letters.len() / GROUP_LEN);
    for (place, letter) in letters.chars().enumerate() {
        if place > 0 && place % GROUP_LEN == 0 {
            text.push('-');
        }
        text.push(letter);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_of_one_delivery_and_one_cluster() {
        let (ours, other) = (ReplySecret([7; 32]), ReplySecret([8; 32]));
        let (one, two) = (DeliveryId([1; 16]), DeliveryId([2; 16]));
        let code = ours.sign_in_code(one);
        assert!(code.len() == 8 && code.bytes().all(|b| b.is_ascii_digit()));
        assert_eq!(code, ours.sign_in_code(one));
        assert_ne!(code, ours.sign_in_code(two));
        assert_ne!(code, other.sign_in_code(one));
        let invitation = ours.invitation_code(one);
        assert_eq!(invitation.len(), 25);
        assert_ne!(invitation, ours.invitation_code(two));
        let body = format!("{} is your code", texts::SECRET_MARK);
        let filled = |purpose| fill_in(body.clone(), purpose, Some(&ours), one);
        assert_eq!(filled(Purpose::SignIn), format!("{code} is your code"));
        assert_eq!(filled(Purpose::Invitation).len(), 29 + 13);
        assert_eq!(filled(Purpose::Page), body);
    }
}
