//! Small secrets that must be replicated and read back: sealed by AES-256-GCM under a key of the cluster that is not in
//! the state, so that neither log, snapshot nor backup shows them (SECURITY §2.5).

use rand::{CryptoRng, RngExt as _};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

use super::secret::sha256;

/// The form of what is sealed, so that another can take its place.
const FORM: u8 = 1;
const KEY_ID_LEN: usize = 4;

/// Seals `secret` under the newest of `keys`; `purpose` says what it is and whose, and must be the same to open it.
pub(crate) fn seal(
    keys: &[[u8; 32]],
    purpose: &str,
    secret: &[u8],
    rng: &mut impl CryptoRng,
) -> Option<Vec<u8>> {
    let newest = keys.first()?;
    let nonce: [u8; NONCE_LEN] = rng.random();
    let mut text = secret.to_vec();
    key(newest)?
        .seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(purpose),
            &mut text,
        )
        .ok()?;
    Some([[FORM].as_slice(), &key_id(newest), &nonce, &text].concat())
}

/// Opens what [`seal`] made, under whichever of `keys` it was; and whether that is not the newest any more.
pub(crate) fn open(keys: &[[u8; 32]], purpose: &str, sealed: &[u8]) -> Option<(Vec<u8>, bool)> {
    let (form, rest) = sealed.split_first()?;
    if *form != FORM || rest.len() < KEY_ID_LEN + NONCE_LEN {
        return None;
    }
    let (id, rest) = rest.split_at(KEY_ID_LEN);
    let (nonce, text) = rest.split_at(NONCE_LEN);
    let place = keys.iter().position(|key| key_id(key) == id)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
    let mut text = text.to_vec();
    let secret = key(&keys[place])?
        .open_in_place(nonce, Aad::from(purpose), &mut text)
        .ok()?;
    Some((secret.to_vec(), place > 0))
}

fn key(bytes: &[u8; 32]) -> Option<LessSafeKey> {
    UnboundKey::new(&AES_256_GCM, bytes)
        .ok()
        .map(LessSafeKey::new)
}

fn key_id(key: &[u8; 32]) -> [u8; KEY_ID_LEN] {
    let hash = sha256(&[b"holdfast seal id".as_slice(), key].concat());
    let mut id = [0; KEY_ID_LEN];
    id.copy_from_slice(&hash[..KEY_ID_LEN]);
    id
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;
    use rand::rngs::StdRng;

    use super::*;

    #[test]
    fn what_is_sealed_opens_under_its_key_for_its_purpose_only() {
        let mut rng = StdRng::seed_from_u64(1);
        let (old, new) = ([1; 32], [2; 32]);
        let sealed = seal(&[old], "totp of anna", b"seed", &mut rng).unwrap();
        assert!(!sealed.windows(4).any(|part| part == b"seed"));
        let opened = |keys: &[[u8; 32]], purpose| open(keys, purpose, &sealed);
        assert_eq!(
            opened(&[old], "totp of anna"),
            Some((b"seed".to_vec(), false))
        );
        assert_eq!(
            opened(&[new, old], "totp of anna"),
            Some((b"seed".to_vec(), true))
        );
        assert_eq!(opened(&[new], "totp of anna"), None);
        assert_eq!(opened(&[old], "totp of bela"), None);
        let mut damaged = sealed.clone();
        for place in 0..damaged.len() {
            damaged[place] ^= 1;
            assert_eq!(open(&[old], "totp of anna", &damaged), None, "byte {place}");
            damaged[place] ^= 1;
        }
        assert_eq!(seal(&[], "x", b"seed", &mut rng), None);
    }
}
