//! What members say to each other, in our own forms (DESIGN A2): a rename in the engine changes no byte on the wire, and
//! a peer one minor version away still understands.

use domain::codec::{self, CodecError};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, StreamAppendError, StreamAppendResult,
    TransferLeaderError, TransferLeaderRequest, TransferLeaderResponse, VoteRequest, VoteResponse,
};
use serde::{Deserialize, Serialize};

use crate::types::{
    LogId, Peer, Record, Reply, TypeConfig, WireEntry, WireError, WireLogId, WireSnapshotMeta,
    WireStoredMembership, WireVote,
};

/// Bytes from a peer that make no sense.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Garbled {
    #[error(transparent)]
    Codec(#[from] CodecError),
    #[error(transparent)]
    Wire(#[from] WireError),
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Ballot {
    vote: WireVote,
    last: Option<WireLogId>,
    transfer: bool,
}

impl Ballot {
    pub(crate) fn encode(request: &VoteRequest<TypeConfig>) -> Result<Vec<u8>, CodecError> {
        codec::encode(&Self {
            vote: (&request.vote).into(),
            last: request.last_log_id.as_ref().map(WireLogId::from),
            transfer: request.leadership_transfer,
        })
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<VoteRequest<TypeConfig>, Garbled> {
        let wire: Self = codec::decode(bytes)?;
        let mut request = VoteRequest::new(wire.vote.into(), wire.last.map(LogId::from));
        request.leadership_transfer = wire.transfer;
        Ok(request)
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Voted {
    vote: WireVote,
    granted: bool,
    last: Option<WireLogId>,
}

impl Voted {
    pub(crate) fn encode(response: &VoteResponse<TypeConfig>) -> Result<Vec<u8>, CodecError> {
        codec::encode(&Self {
            vote: (&response.vote).into(),
            granted: response.vote_granted,
            last: response.last_log_id.as_ref().map(WireLogId::from),
        })
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<VoteResponse<TypeConfig>, Garbled> {
        let wire: Self = codec::decode(bytes)?;
        let vote: crate::types::Vote = wire.vote.into();
        Ok(VoteResponse::new(
            vote,
            wire.last.map(LogId::from),
            wire.granted,
        ))
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Append {
    vote: WireVote,
    prev: Option<WireLogId>,
    commit: Option<WireLogId>,
    entries: Vec<WireEntry>,
}

impl Append {
    pub(crate) fn encode(
        request: &AppendEntriesRequest<TypeConfig>,
    ) -> Result<Vec<u8>, CodecError> {
        codec::encode(&Self {
            vote: (&request.vote).into(),
            prev: request.prev_log_id.as_ref().map(WireLogId::from),
            commit: request.leader_commit.as_ref().map(WireLogId::from),
            entries: request.entries.iter().map(WireEntry::from).collect(),
        })
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<AppendEntriesRequest<TypeConfig>, Garbled> {
        let wire: Self = codec::decode(bytes)?;
        Ok(AppendEntriesRequest {
            vote: wire.vote.into(),
            prev_log_id: wire.prev.map(LogId::from),
            leader_commit: wire.commit.map(LogId::from),
            entries: wire
                .entries
                .into_iter()
                .map(WireEntry::into_entry)
                .collect::<Result<_, _>>()?,
        })
    }
}

/// The answer to one append.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Appended {
    /// Everything sent is stored.
    Success,
    /// Stored up to here.
    Matched(Option<WireLogId>),
    /// The entry before the first one sent is not there.
    Conflict(Option<WireLogId>),
    HigherVote(WireVote),
}

impl Appended {
    pub(crate) fn encode(
        response: &AppendEntriesResponse<TypeConfig>,
    ) -> Result<Vec<u8>, CodecError> {
        codec::encode(&match response {
            AppendEntriesResponse::Success => Self::Success,
            AppendEntriesResponse::PartialSuccess(to) => {
                Self::Matched(to.as_ref().map(WireLogId::from))
            }
            AppendEntriesResponse::Conflict => Self::Conflict(None),
            AppendEntriesResponse::HigherVote(vote) => Self::HigherVote(vote.into()),
        })
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<AppendEntriesResponse<TypeConfig>, Garbled> {
        Ok(match codec::decode(bytes)? {
            Self::Success => AppendEntriesResponse::Success,
            Self::Matched(to) => AppendEntriesResponse::PartialSuccess(to.map(LogId::from)),
            Self::Conflict(_) => AppendEntriesResponse::Conflict,
            Self::HigherVote(vote) => AppendEntriesResponse::HigherVote(vote.into()),
        })
    }

    pub(crate) fn encode_streamed(
        result: &StreamAppendResult<TypeConfig>,
    ) -> Result<Vec<u8>, CodecError> {
        codec::encode(&match result {
            Ok(to) => Self::Matched(to.as_ref().map(WireLogId::from)),
            Err(StreamAppendError::Conflict(at)) => Self::Conflict(Some(at.into())),
            Err(StreamAppendError::HigherVote(vote)) => Self::HigherVote(vote.into()),
        })
    }

    /// `None` for an answer that has no place on a stream.
    pub(crate) fn decode_streamed(
        bytes: &[u8],
    ) -> Result<Option<StreamAppendResult<TypeConfig>>, Garbled> {
        Ok(match codec::decode(bytes)? {
            Self::Matched(to) => Some(Ok(to.map(LogId::from))),
            Self::Conflict(Some(at)) => Some(Err(StreamAppendError::Conflict(at.into()))),
            Self::HigherVote(vote) => Some(Err(StreamAppendError::HigherVote(vote.into()))),
            Self::Success | Self::Conflict(None) => None,
        })
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Handover {
    from: WireVote,
    to: u64,
    last: Option<WireLogId>,
}

impl Handover {
    pub(crate) fn encode(
        request: &TransferLeaderRequest<TypeConfig>,
    ) -> Result<Vec<u8>, CodecError> {
        codec::encode(&Self {
            from: request.from_leader().into(),
            to: *request.to_node_id(),
            last: request.last_log_id().map(WireLogId::from),
        })
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<TransferLeaderRequest<TypeConfig>, Garbled> {
        let wire: Self = codec::decode(bytes)?;
        Ok(TransferLeaderRequest::new(
            wire.from.into(),
            wire.to,
            wire.last.map(LogId::from),
        ))
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum HandedOver {
    Accepted,
    VoteChanged {
        expected: WireVote,
        actual: WireVote,
    },
    NotFlushed {
        expected: Option<WireLogId>,
        actual: Option<WireLogId>,
    },
}

impl HandedOver {
    pub(crate) fn encode(
        response: &TransferLeaderResponse<TypeConfig>,
    ) -> Result<Vec<u8>, CodecError> {
        codec::encode(&match response {
            Ok(()) => Self::Accepted,
            Err(TransferLeaderError::VoteChanged { expected, actual }) => Self::VoteChanged {
                expected: expected.into(),
                actual: actual.into(),
            },
            Err(TransferLeaderError::LogNotFlushed { expected, actual }) => Self::NotFlushed {
                expected: expected.as_ref().map(WireLogId::from),
                actual: actual.as_ref().map(WireLogId::from),
            },
        })
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<TransferLeaderResponse<TypeConfig>, Garbled> {
        Ok(match codec::decode(bytes)? {
            Self::Accepted => Ok(()),
            Self::VoteChanged { expected, actual } => Err(TransferLeaderError::VoteChanged {
                expected: expected.into(),
                actual: actual.into(),
            }),
            Self::NotFlushed { expected, actual } => Err(TransferLeaderError::LogNotFlushed {
                expected: expected.map(LogId::from),
                actual: actual.map(LogId::from),
            }),
        })
    }
}

/// First frame of a snapshot stream.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct SnapshotHead {
    pub(crate) vote: WireVote,
    pub(crate) meta: WireSnapshotMeta,
    /// Size and SHA-256 of the file.
    pub(crate) len: u64,
    pub(crate) sha256: [u8; 32],
}

/// Commands forwarded to the leader.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Forwarded {
    pub(crate) records: Vec<Record>,
}

/// What became of one forwarded command.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Fate {
    Committed {
        index: u64,
        reply: Reply,
    },
    /// Not in the log: this node does not lead.
    NotLeader {
        leader: Option<u64>,
    },
    /// It may be in the log.
    Unknown,
}

/// What a read must wait for, or who leads instead.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum ReadAt {
    Index(u64),
    NotLeader { leader: Option<u64> },
    NoQuorum,
}

/// Whether the leader grants a send lease.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Granted {
    /// Yes; and what time it is at the leader (cluster time).
    Yes {
        now_ms: i64,
    },
    NotLeader {
        leader: Option<u64>,
    },
    /// The leader itself lacks a fresh majority.
    NoQuorum,
}

/// A change of membership, carried out by the leader.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Change {
    AddLearner {
        node: u64,
        peer: Peer,
    },
    Promote {
        node: u64,
    },
    Remove {
        node: u64,
    },
    /// New addresses of a member.
    Move {
        node: u64,
        peer: Peer,
    },
    Transfer {
        to: u64,
    },
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Changed {
    Done {
        membership: WireStoredMembership,
    },
    NotLeader {
        leader: Option<u64>,
    },
    /// Words for a person.
    Refused(String),
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::types::{Vote, WirePayload};

    fn log_id(index: u64) -> LogId {
        WireLogId {
            term: 2,
            node: 1,
            index,
        }
        .into()
    }

    #[test]
    fn appends_survive_the_wire() {
        let entry = WireEntry {
            log_id: (&log_id(8)).into(),
            payload: WirePayload::Command(vec![1, 2].into()),
        };
        let request = AppendEntriesRequest::<TypeConfig> {
            vote: Vote::new_committed(2, 1),
            prev_log_id: Some(log_id(7)),
            leader_commit: None,
            entries: vec![entry.into_entry().unwrap()],
        };
        let back = Append::decode(&Append::encode(&request).unwrap()).unwrap();
        assert_eq!(format!("{back:?}"), format!("{request:?}"));
    }

    #[test]
    fn answers_survive_the_wire_and_stay_in_their_place() {
        for response in [
            AppendEntriesResponse::Success,
            AppendEntriesResponse::PartialSuccess(Some(log_id(3))),
            AppendEntriesResponse::Conflict,
            AppendEntriesResponse::HigherVote(Vote::new(3, 2)),
        ] {
            assert_eq!(
                Appended::decode(&Appended::encode(&response).unwrap()).unwrap(),
                response
            );
        }
        for result in [
            Ok(Some(log_id(3))),
            Err(StreamAppendError::Conflict(log_id(2))),
            Err(StreamAppendError::HigherVote(Vote::new(3, 2))),
        ] {
            let bytes = Appended::encode_streamed(&result).unwrap();
            assert_eq!(Appended::decode_streamed(&bytes).unwrap(), Some(result));
        }
        let unary = Appended::encode(&AppendEntriesResponse::Conflict).unwrap();
        assert_eq!(Appended::decode_streamed(&unary).unwrap(), None);
    }

    #[test]
    fn votes_and_handovers_survive_the_wire() {
        let mut request = VoteRequest::<TypeConfig>::new(Vote::new(3, 2), Some(log_id(9)));
        request.leadership_transfer = true;
        assert_eq!(
            Ballot::decode(&Ballot::encode(&request).unwrap()).unwrap(),
            request
        );
        let response = VoteResponse::<TypeConfig>::new(Vote::new(3, 2), None, true);
        assert_eq!(
            Voted::decode(&Voted::encode(&response).unwrap()).unwrap(),
            response
        );
        let handover =
            TransferLeaderRequest::<TypeConfig>::new(Vote::new_committed(3, 2), 4, Some(log_id(9)));
        assert_eq!(
            Handover::decode(&Handover::encode(&handover).unwrap()).unwrap(),
            handover
        );
        let refused = Err(TransferLeaderError::LogNotFlushed {
            expected: Some(log_id(9)),
            actual: None,
        });
        assert_eq!(
            HandedOver::decode(&HandedOver::encode(&refused).unwrap()).unwrap(),
            refused
        );
    }

    proptest! {
        #[test]
        fn bytes_of_a_broken_peer_are_refused_quietly(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            _ = Append::decode(&bytes);
            _ = Appended::decode(&bytes);
            _ = Appended::decode_streamed(&bytes);
            _ = Ballot::decode(&bytes);
            _ = Voted::decode(&bytes);
            _ = Handover::decode(&bytes);
            _ = HandedOver::decode(&bytes);
            _ = codec::decode::<SnapshotHead>(&bytes);
            _ = codec::decode::<Forwarded>(&bytes);
            _ = codec::decode::<Change>(&bytes);
        }
    }
}
