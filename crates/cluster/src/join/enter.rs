//! The newcomer's side of joining.

use std::path::{Path, PathBuf};
use std::time::Duration;

use domain::NodeId;
use domain::codec;
use rustls_pki_types::CertificateDer;

use super::talk::{Missed, Talk};
use super::{Answer, FRAME_MAX, Request, Token, TokenError, digits};
use crate::crypto::sha256;
use crate::identity::{self, Identity, IdentityError, Issued, NodeRequest};
use crate::island::{self, CarryError};
use crate::types::WireStoredMembership;

/// One address answers within this time over QUIC, or TCP is tried for as long.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The member decides within this time: it includes a commit and a change of membership.
const DECISION_TIMEOUT: Duration = Duration::from_secs(55);
/// The membership at admission: whom to believe until the log says more.
pub(crate) const MEMBERS: &str = "members-at-join.bin";

/// Everything joining needs.
#[derive(Clone, Debug)]
pub struct JoinConfig {
    /// Empty, or left by an earlier try.
    pub data_dir: PathBuf,
    /// The line `holdfast cluster invite` printed.
    pub token: String,
    /// What people call this node.
    pub name: String,
    /// `host:port` under which members reach this node's cluster socket.
    pub advertise: Vec<String>,
    /// Host names and IP addresses of this node's HTTPS.
    pub https_names: Vec<String>,
}

/// The node is a member; start it.
#[derive(Clone, Debug)]
pub struct Joined {
    pub node: NodeId,
    /// Must be the same as on the inviting member's screen.
    pub digits: String,
}

/// Why the node did not join.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    #[error(transparent)]
    Token(#[from] TokenError),
    #[error(transparent)]
    Identity(#[from] IdentityError),
    #[error(
        "this folder holds {facts} facts of alerts that the cluster does not know yet; save them first with `holdfast island \
         export FILE`, and bring them in on any member with `holdfast island import FILE`"
    )]
    Journal { facts: u64 },
    #[error(transparent)]
    OldJournal(#[from] CarryError),
    #[error("no member answered at {tried}; check the network and that a member runs there")]
    Unreachable { tried: String },
    #[error(
        "what answers at {address} is not the cluster of this invitation; get a new one with `holdfast cluster invite`"
    )]
    WrongCluster { address: String },
    #[error("the member at {address} refused: {why}")]
    Refused { address: String, why: String },
    #[error(
        "the member at {address} broke off; repeat the same command, the invitation is good for this node"
    )]
    BrokenOff { address: String },
    #[error("the member at {address} answered nonsense: {why}")]
    Nonsense { address: String, why: String },
}

/// Joins the cluster the invitation names and writes this node's identity. Safe to repeat after a broken try.
pub async fn join(config: &JoinConfig) -> Result<Joined, JoinError> {
    // A new identity would be the end of what only this folder knows (DESIGN D7).
    match island::unexported_in(&config.data_dir).await? {
        0 => {}
        facts => return Err(JoinError::Journal { facts }),
    }
    let token = Token::parse(&config.token)?;
    let key = Identity::joining_key(&config.data_dir)?;
    let csr = NodeRequest::encode(&key, &config.https_names)?;
    let mut outcome = Err(JoinError::Unreachable {
        tried: token.addresses.join(", "),
    });
    for address in &token.addresses {
        match Talk::begin(address, (token.cluster, token.authority), CONNECT_TIMEOUT).await {
            Ok(talk) => {
                let (answer, exported) = ask(config, &token, &csr, address, talk).await?;
                return accept(config, &token, &key, &csr, address, answer, &exported);
            }
            Err(Missed::WrongCluster) => {
                outcome = Err(JoinError::WrongCluster {
                    address: address.clone(),
                });
            }
            Err(why) => tracing::info!(address, %why, "no member here"),
        }
    }
    outcome
}

async fn ask(
    config: &JoinConfig,
    token: &Token,
    csr: &[u8],
    address: &str,
    talk: Talk,
) -> Result<(Answer, [u8; 32]), JoinError> {
    let broken = || JoinError::BrokenOff {
        address: address.to_owned(),
    };
    let request = Request {
        secret: token.secret,
        csr: csr.to_vec(),
        name: config.name.clone(),
        addresses: config.advertise.clone(),
    };
    let exported = talk.exported().ok_or_else(broken)?;
    let body = codec::encode(&request).map_err(|_| broken())?;
    let answer = talk.ask(&body, FRAME_MAX, DECISION_TIMEOUT).await;
    let answer = codec::decode(&answer.ok_or_else(broken)?).map_err(|e| JoinError::Nonsense {
        address: address.to_owned(),
        why: e.to_string(),
    })?;
    Ok((answer, exported))
}

/// Checks the answer against the invitation and our key, then keeps it.
fn accept(
    config: &JoinConfig,
    token: &Token,
    key: &rcgen::KeyPair,
    csr: &[u8],
    address: &str,
    answer: Answer,
    exported: &[u8; 32],
) -> Result<Joined, JoinError> {
    let nonsense = |why: &str| JoinError::Nonsense {
        address: address.to_owned(),
        why: why.to_owned(),
    };
    let (node, leaf, authority, membership) = match answer {
        Answer::Admitted {
            node,
            leaf,
            authority,
            membership,
        } => (NodeId(node), leaf, authority, membership),
        Answer::Refused(why) => {
            return Err(JoinError::Refused {
                address: address.to_owned(),
                why,
            });
        }
    };
    if sha256(&authority) != token.authority {
        return Err(JoinError::WrongCluster {
            address: address.to_owned(),
        });
    }
    let authority = CertificateDer::from(authority);
    let issued = Issued {
        leaf: CertificateDer::from(leaf),
    };
    let presented = identity::Trust::new(vec![authority.clone()], token.cluster)
        .verify_member(&issued.leaf)
        .map_err(|_| nonsense("the certificate is not of this cluster"))?;
    if presented.node != node || presented.pin != identity::pin_of(key) {
        return Err(nonsense("the certificate is not for this node"));
    }
    identity::write_checked(&config.data_dir, MEMBERS, &membership)?;
    Identity::store(&config.data_dir, key, &issued, &authority)?;
    Ok(Joined {
        node,
        digits: digits(exported, csr, &token.authority, node),
    })
}

/// The membership kept at admission, if this node joined. A pin or an index with a turned bit would shut this node out of
/// its own cluster.
pub(crate) fn kept_membership(dir: &Path) -> Result<Option<WireStoredMembership>, IdentityError> {
    identity::read_checked(dir, MEMBERS)
}
