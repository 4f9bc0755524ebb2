use rustls::client::danger::ServerCertVerifier as _;
use rustls_pki_types::{ServerName, UnixTime};
use std::os::unix::fs::PermissionsExt as _;
use tempfile::TempDir;

use super::*;

fn found(cluster: u8) -> (TempDir, Identity) {
    let dir = TempDir::new().unwrap();
    let names = ["alerts.example.org".to_owned(), "192.0.2.7".to_owned()];
    let identity = Identity::found(dir.path(), [cluster; 16], &names).unwrap();
    (dir, identity)
}

fn request(names: &[String]) -> (KeyPair, NodeRequest) {
    let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let request = NodeRequest::decode(&NodeRequest::encode(&key, names).unwrap()).unwrap();
    (key, request)
}

#[test]
fn a_founder_reads_back_its_identity_from_private_files() {
    let (dir, identity) = found(7);
    assert_eq!((identity.node(), identity.cluster()), (NodeId(1), [7; 16]));
    assert!(identity.can_issue());
    let again = Identity::load(dir.path()).unwrap().unwrap();
    assert_eq!(again.pin(), identity.pin());
    assert_eq!(again.reset_key(), identity.reset_key());
    for entry in std::fs::read_dir(dir.path()).unwrap() {
        let mode = entry.unwrap().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    assert!(matches!(
        Identity::found(dir.path(), [8; 16], &[]),
        Err(IdentityError::Exists { .. })
    ));
}

#[test]
fn damaged_files_say_which_one_and_what_to_do() {
    let (dir, _) = found(7);
    std::fs::write(dir.path().join("node-key.pem"), "nothing").unwrap();
    let error = Identity::load(dir.path()).unwrap_err();
    assert!(error.to_string().contains("node-key.pem"), "{error}");
    let other = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    std::fs::write(dir.path().join("node-key.pem"), other.serialize_pem()).unwrap();
    assert!(
        Identity::load(dir.path())
            .unwrap_err()
            .to_string()
            .contains("another key")
    );
}

#[test]
fn leaves_name_their_node_and_its_https_names() {
    let (_dir, identity) = found(7);
    let (key, wanted) = request(&["n3.example.org".to_owned(), "2001:db8::3".to_owned()]);
    let issued = identity.issue(NodeId(3), &wanted).unwrap();
    let presented = inspect(&issued.leaf).unwrap();
    assert_eq!(
        presented,
        Presented {
            cluster: [7; 16],
            node: NodeId(3),
            epoch: 1,
            pin: pin_of(&key)
        }
    );
    let certificate = webpki::EndEntityCert::try_from(&issued.leaf).unwrap();
    for name in [
        "n3.example.org",
        "2001:db8::3",
        &node_name(NodeId(3), &[7; 16]),
    ] {
        let name = ServerName::try_from(name.to_owned()).unwrap();
        certificate.verify_is_valid_for_subject_name(&name).unwrap();
    }
}

#[test]
fn nobody_gets_a_leaf_with_a_members_name() {
    let (key, _) = request(&[]);
    let stolen = vec![node_name(NodeId(1), &[7; 16])];
    assert!(matches!(
        NodeRequest::encode(&key, &stolen),
        Err(IdentityError::Request(_))
    ));
    let many = (0..17)
        .map(|i| format!("n{i}.example.org"))
        .collect::<Vec<_>>();
    assert!(matches!(
        NodeRequest::encode(&key, &many),
        Err(IdentityError::Request(_))
    ));
    for garbage in [&[][..], &[0x30, 0x80], &[0xff; 64]] {
        assert!(NodeRequest::decode(garbage).is_err());
    }
}

#[test]
fn a_request_with_a_wrong_signature_is_refused() {
    let (key, _) = request(&[]);
    let mut der = NodeRequest::encode(&key, &[]).unwrap();
    let last = der.len() - 1;
    der[last] ^= 1;
    assert!(matches!(
        NodeRequest::decode(&der),
        Err(IdentityError::Request(_))
    ));
}

#[test]
fn chains_hold_whatever_the_clock_says_and_only_for_this_cluster() {
    let (_ours, identity) = found(7);
    let (_theirs, foreign) = found(7);
    let (_key, wanted) = request(&[]);
    let trust = Trust::new(vec![identity.authority()], [7; 16]);
    let leaf = identity.issue(NodeId(2), &wanted).unwrap().leaf;
    assert_eq!(trust.verify_member(&leaf).unwrap().node, NodeId(2));
    // The same names, signed by somebody else.
    let forged = foreign.issue(NodeId(2), &wanted).unwrap().leaf;
    assert!(trust.verify_member(&forged).is_err());
    // The same authority, asked as another cluster.
    assert!(
        Trust::new(vec![identity.authority()], [8; 16])
            .verify_member(&leaf)
            .is_err()
    );
}

#[test]
fn a_newcomer_trusts_only_the_authority_of_its_invitation() {
    let (_dir, identity) = found(7);
    let verifier = tls::inviter_verifier([7; 16], sha256(&identity.authority()));
    let wrong = tls::inviter_verifier([7; 16], [0; 32]);
    let (leaf, chain) = (identity.chain()[0].clone(), identity.chain()[1..].to_vec());
    let name = ServerName::try_from("any.example.org").unwrap();
    // At any time: long before the leaf was made, and long after it ends.
    for seconds in [0, 4_200_000_000] {
        let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds));
        assert!(
            verifier
                .verify_server_cert(&leaf, &chain, &name, &[], now)
                .is_ok()
        );
        assert!(
            wrong
                .verify_server_cert(&leaf, &chain, &name, &[], now)
                .is_err()
        );
        assert!(
            verifier
                .verify_server_cert(&leaf, &[], &name, &[], now)
                .is_err()
        );
    }
}

#[test]
fn an_issuing_key_of_another_cluster_is_not_adopted() {
    let (dir, identity) = found(7);
    let (_theirs, foreign) = found(7);
    let key = identity.issuing_keys().unwrap();
    std::fs::remove_file(dir.path().join("cluster-ca-key.pem")).unwrap();
    let learner = Identity::load(dir.path()).unwrap().unwrap();
    let (_, wanted) = request(&[]);
    assert!(matches!(
        learner.issue(NodeId(2), &wanted),
        Err(IdentityError::NoIssuingKey)
    ));
    assert!(
        learner
            .adopt_issuing_keys(&foreign.issuing_keys().unwrap())
            .is_err()
    );
    learner.adopt_issuing_keys(&key).unwrap();
    assert!(learner.can_issue());
    assert!(Identity::load(dir.path()).unwrap().unwrap().can_issue());
}

#[test]
fn a_rotation_that_broke_off_anywhere_leaves_a_usable_identity() {
    let (dir, identity) = found(7);
    let old = identity.pin();
    let next = identity.next_key().unwrap();
    // Broke off before anything was signed: the same key is offered again.
    let again = Identity::load(dir.path()).unwrap().unwrap();
    assert_eq!(again.pin(), old);
    assert_eq!(pin_of(&again.next_key().unwrap()), pin_of(&next));

    let secret = again.local_secret().unwrap();
    let request = NodeRequest::decode(&again.renewal_request(Some(&next)).unwrap()).unwrap();
    assert_eq!(request.names.len(), 2, "{request:?}");
    let leaf = again.issue(NodeId(1), &request).unwrap().leaf;
    // Broke off between the two renames.
    let files = ["node-key.pem", "node-key-next.pem", "node-cert.pem"];
    let before = files.map(|name| std::fs::read(dir.path().join(name)).unwrap());
    again.install(leaf.clone(), again.authority()).unwrap();
    let after_leaf = std::fs::read(dir.path().join("node-cert.pem")).unwrap();
    std::fs::write(dir.path().join("node-key.pem"), &before[1]).unwrap();
    std::fs::write(dir.path().join("node-cert.pem"), &before[2]).unwrap();
    std::fs::write(dir.path().join("node-cert-next.pem"), &after_leaf).unwrap();
    let mended = Identity::load(dir.path()).unwrap().unwrap();
    assert_eq!((mended.pin(), mended.node()), (pin_of(&next), NodeId(1)));
    assert!(!dir.path().join("node-cert-next.pem").exists());
    assert_eq!(mended.local_secret().unwrap(), secret);
}

#[test]
fn a_leaf_for_somebody_else_is_not_installed() {
    let (_dir, identity) = found(7);
    let (_key, wanted) = request(&[]);
    for node in [NodeId(1), NodeId(2)] {
        let leaf = identity.issue(node, &wanted).unwrap().leaf;
        assert!(identity.install(leaf, identity.authority()).is_err());
    }
}

#[test]
fn authorities_change_in_steps_and_survive_a_restart() {
    let (dir, identity) = found(7);
    let old = identity.authority();
    let new = identity.new_authority().unwrap();
    let both = [old.clone(), new.clone()];
    assert!(identity.set_authorities(&both, 0).unwrap());
    assert!(!identity.set_authorities(&both, 0).unwrap());
    let restarted = Identity::load(dir.path()).unwrap().unwrap();
    assert_eq!(restarted.trusted(), both);
    assert_eq!(restarted.authority(), old);
    assert!(restarted.holds_all_keys());

    restarted.set_authorities(&both, 1).unwrap();
    let request = NodeRequest::decode(&restarted.renewal_request(None).unwrap()).unwrap();
    let leaf = restarted.issue(NodeId(1), &request).unwrap().leaf;
    assert!(Trust::new(vec![old], [7; 16]).verify_member(&leaf).is_err());
    restarted.install(leaf, new.clone()).unwrap();
    restarted
        .set_authorities(std::slice::from_ref(&new), 0)
        .unwrap();
    let last = Identity::load(dir.path()).unwrap().unwrap();
    assert_eq!((last.trusted(), last.pin()), (vec![new], identity.pin()));
    assert!(last.can_issue());
    assert!(!dir.path().join("cluster-ca-key-next.pem").exists());
}

#[test]
fn node_names_read_back() {
    assert_eq!(
        parse_node_name(&node_name(NodeId(12), &[0xab; 16])),
        Some((NodeId(12), [0xab; 16]))
    );
    for wrong in [
        "",
        "node-1",
        "node-x.abab.holdfast.internal",
        "node-1.abab.holdfast.internal",
        "node-1.holdfast.internal",
    ] {
        assert_eq!(parse_node_name(wrong), None);
    }
}

#[test]
fn a_survivor_keeps_its_key_and_gets_the_id_of_its_next_life() {
    let (dir, before) = found(7);
    let (pin, authority) = (before.pin(), before.authority());
    let statement = before.sign(b"it was me").unwrap();
    let old_leaf = before.leaf();
    write_files(dir.path(), &before.successor((NodeId(4), 2), &[]).unwrap()).unwrap();
    let after = Identity::load(dir.path()).unwrap().unwrap();
    assert_eq!((after.node(), after.epoch()), (NodeId(4), 2));
    assert_eq!((after.pin(), after.authority()), (pin, authority.clone()));
    assert!(verify_signature(&old_leaf, b"it was me", &statement));
    assert!(verify_signature(&after.leaf(), b"it was me", &statement));
    assert!(!verify_signature(&old_leaf, b"it was you", &statement));
    // Without the issuing key the cluster gets a new authority.
    std::fs::remove_file(dir.path().join("cluster-ca-key.pem")).unwrap();
    let learner = Identity::load(dir.path()).unwrap().unwrap();
    write_files(dir.path(), &learner.successor((NodeId(5), 3), &[]).unwrap()).unwrap();
    let alone = Identity::load(dir.path()).unwrap().unwrap();
    assert!(alone.can_issue() && alone.authority() != authority);
}

#[test]
fn identity_files_cut_or_flipped_anywhere_are_refused_or_unharmed() {
    let (dir, identity) = found(7);
    for name in [
        "node-key.pem",
        "node-cert.pem",
        "cluster-ca.pem",
        "cluster-ca-key.pem",
    ] {
        let sound = std::fs::read(dir.path().join(name)).unwrap();
        let flips = (0..sound.len()).step_by(7).map(|at| {
            let mut bytes = sound.clone();
            bytes[at] ^= 1 << (at % 8);
            bytes
        });
        let cuts = (0..sound.len()).map(|len| sound[..len].to_vec());
        for bytes in cuts.chain(flips) {
            std::fs::write(dir.path().join(name), &bytes).unwrap();
            match Identity::load(dir.path()) {
                Ok(Some(read)) => {
                    let who = (read.node(), read.cluster(), read.pin());
                    assert_eq!(who, (identity.node(), identity.cluster(), identity.pin()));
                    let shown = (read.chain(), read.trusted(), read.can_issue());
                    assert_eq!(
                        shown,
                        (identity.chain(), identity.trusted(), identity.can_issue())
                    );
                }
                Ok(None) => panic!("{name} damaged reads as no identity at all"),
                Err(error) => assert!(error.to_string().contains("pem"), "{error}"),
            }
        }
        std::fs::write(dir.path().join(name), &sound).unwrap();
    }
}
