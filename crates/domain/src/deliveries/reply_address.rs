//! Addresses to which a mail of ours can be answered: each stands for one delivery and cannot be made up.
//!
//! The part before the @ is `reply+` and, in small base 32, the delivery's id with 96 bits of SHA-256 over it and a secret of
//! the cluster. The secret is drawn in apply like the codes people answer with, and lies where they lie. Writes to
//! `reply_secret`.

use data_encoding::BASE32_NOPAD;
use sha2::{Digest as _, Sha256};
use sqlx::SqliteConnection;

use crate::apply::Entry;
use crate::ids::DeliveryId;

/// Before the part that tells deliveries apart.
const PREFIX: &str = "reply";

/// Bytes that only whoever knows the secret can make.
const SEAL_LEN: usize = 12;

/// What reply addresses are sealed with.
#[derive(Clone, Eq, PartialEq)]
pub struct ReplySecret(pub(super) [u8; 32]);

impl std::fmt::Debug for ReplySecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ReplySecret")
    }
}

/// What a local part that begins like ours stands for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ReplyTo {
    /// The answer to one delivery.
    Delivery(DeliveryId),
    /// `reply` alone, as mailers leave it that drop what follows the `+`: the code must stand in the mail.
    Plain,
}

impl ReplySecret {
    /// The local part of the address that answers a delivery.
    pub fn address(&self, delivery: DeliveryId) -> String {
        let mut bytes = delivery.0.to_vec();
        bytes.extend(self.seal(delivery));
        let sealed = BASE32_NOPAD.encode(&bytes).to_ascii_lowercase();
        format!("{PREFIX}+{sealed}")
    }

    /// What a local part stands for; `None` when it is none of ours.
    pub fn read(&self, local: &str) -> Option<ReplyTo> {
        let local = local.to_ascii_lowercase();
        if local == PREFIX {
            return Some(ReplyTo::Plain);
        }
        let sealed = local.strip_prefix(PREFIX)?.strip_prefix('+')?;
        let bytes = BASE32_NOPAD
            .decode(sealed.to_ascii_uppercase().as_bytes())
            .ok()?;
        let (id, seal) = bytes.split_at_checked(16)?;
        let delivery = DeliveryId(id.try_into().ok()?);
        // Both sides are hashed once more, so that how long this takes says nothing about how much of a guess was right.
        let same = Sha256::digest(self.seal(delivery)) == Sha256::digest(seal);
        same.then_some(ReplyTo::Delivery(delivery))
    }

    fn seal(&self, delivery: DeliveryId) -> [u8; SEAL_LEN] {
        let hash = Sha256::new()
            .chain_update("holdfast-reply-v1")
            .chain_update(self.0)
            .chain_update(delivery.0)
            .finalize();
        let mut seal = [0; SEAL_LEN];
        seal.copy_from_slice(&hash[..SEAL_LEN]);
        seal
    }
}

/// Whether one was drawn.
pub(crate) const HAS_REPLY_SECRET: &str = "exists (select 1 from reply_secret where id = 1)";

/// The cluster's secret, once it is drawn.
pub async fn reply_secret(conn: &mut SqliteConnection) -> Result<Option<ReplySecret>, sqlx::Error> {
    let found: Option<Vec<u8>> = sqlx::query_scalar("select secret from reply_secret where id = 1")
        .fetch_optional(conn)
        .await?;
    found
        .map(|secret| <[u8; 32]>::try_from(secret.as_slice()).map(ReplySecret))
        .transpose()
        .map_err(|e| sqlx::Error::Decode(e.into()))
}

/// Draws the secret; the number of rows that made. Once drawn it stays.
pub(super) async fn draw(
    conn: &mut SqliteConnection,
    entry: &Entry<'_>,
) -> Result<u64, sqlx::Error> {
    let secret: [u8; 32] = Sha256::new()
        .chain_update("holdfast-reply-secret-v1")
        .chain_update(entry.envelope.seed)
        .chain_update(entry.envelope.request.0)
        .finalize()
        .into();
    let made = sqlx::query(
        "insert into reply_secret (id, secret) values (1, ?) on conflict (id) do nothing",
    )
    .bind(secret.as_slice())
    .execute(conn)
    .await?;
    Ok(made.rows_affected())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_stands_for_its_delivery_and_no_other_can_be_made_up() {
        let (ours, other) = (ReplySecret([7; 32]), ReplySecret([8; 32]));
        let delivery = DeliveryId([0xab; 16]);
        let address = ours.address(delivery);
        assert!(address.len() <= 64, "{address}");
        assert_eq!(ours.read(&address), Some(ReplyTo::Delivery(delivery)));
        assert_eq!(
            ours.read(&address.to_uppercase()),
            Some(ReplyTo::Delivery(delivery)),
            "mailers change the case"
        );
        assert_eq!(other.read(&address), None);
        assert_eq!(ours.read("reply"), Some(ReplyTo::Plain));
        for place in 6..address.len() {
            let mut forged = address.clone().into_bytes();
            forged[place] = if forged[place] == b'a' { b'b' } else { b'a' };
            let forged = String::from_utf8(forged).unwrap();
            assert_eq!(ours.read(&forged), None, "{forged}");
        }
        for bad in [
            "",
            "reply+",
            "reply+aaaa",
            "pumps",
            "replyx",
            "reply+ü",
            &address[..20],
        ] {
            assert_eq!(ours.read(bad), None, "{bad}");
        }
    }
}
