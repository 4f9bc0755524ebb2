//! Seals anew what was sealed under a key of the cluster that is on its way out.

use domain::RequestId;
use domain::access::accounts::{self, Command};
use domain::ports::{Freshness, Proposal, ProposeError, ReadError, Replica};
use tracing::{info, warn};

use super::own::wrap;
use super::secret::sha256;
use super::{seal, totp_purpose};
use crate::access::system_rng;

/// Why not everything was sealed anew; it is tried again.
#[derive(Debug, thiserror::Error)]
pub enum ResealError {
    #[error("cannot read the accounts")]
    Read(#[from] ReadError),
    #[error("a seed sealed anew was not taken")]
    Propose(#[from] ProposeError),
    #[error("the operating system gives no random bytes")]
    Random,
}

/// Seals every seed under the first of `keys` that another of them opens. Repeating it changes nothing.
pub async fn reseal(replica: &dyn Replica, keys: &[[u8; 32]]) -> Result<(), ResealError> {
    let mut view = replica.read(Freshness::Local).await?;
    let all = accounts::accounts(&mut view)
        .await
        .map_err(ReadError::from)?;
    drop(view);
    let mut rng = system_rng().map_err(|_| ResealError::Random)?;
    for account in all {
        let Some(sealed) = &account.totp_sealed else {
            continue;
        };
        let purpose = totp_purpose(&account.name);
        let Some((seed, outdated)) = seal::open(keys, &purpose, sealed) else {
            warn!(
                account = account.name,
                "a sealed seed opens under no key held here"
            );
            continue;
        };
        if !outdated {
            continue;
        }
        let Some(sealed) = seal::seal(keys, &purpose, &seed, &mut rng) else {
            continue;
        };
        let request = RequestId::derive(&[b"reseal", account.name.as_bytes(), &sha256(&sealed)]);
        let name = account.name.clone();
        let command = wrap(Command::ResealTotp { name, sealed });
        replica.propose(Proposal::by_loop(request, command)).await?;
        info!(
            account = account.name,
            "a seed is sealed under the newest key"
        );
    }
    Ok(())
}
