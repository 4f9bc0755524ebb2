//! The cluster's certificate authority: makes it, reads newcomers' requests, signs leaves.

use std::net::IpAddr;

use domain::NodeId;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DistinguishedName,
    DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, PublicKeyData,
    SanType, SerialNumber, SubjectPublicKeyInfo, date_time_ymd,
};
use rustls_pki_types::{CertificateDer, CertificateSigningRequestDer};
use x509_parser::extensions::GeneralName;

use super::{DOMAIN, HostName, IdentityError, epoch_name, node_name};
use crate::crypto::sha256;

/// Extra names one leaf may carry.
const NAMES_MAX: usize = 16;

/// What a newcomer asks to have signed: its key and the names its HTTPS is reached by.
#[derive(Clone, Debug)]
pub(crate) struct NodeRequest {
    /// SubjectPublicKeyInfo in DER.
    pub(crate) public: Vec<u8>,
    pub(crate) names: Vec<HostName>,
}

/// A signed leaf.
#[derive(Clone, Debug)]
pub(crate) struct Issued {
    pub(crate) leaf: CertificateDer<'static>,
}

impl NodeRequest {
    /// A PKCS #10 request for `key`, signed by it: that proves possession (RFC 2986).
    pub(crate) fn encode(key: &KeyPair, names: &[String]) -> Result<Vec<u8>, IdentityError> {
        let mut params = CertificateParams::new(Vec::<String>::new())?;
        params.subject_alt_names = sans(&parse_names(names)?)?;
        params.distinguished_name = DistinguishedName::new();
        Ok(params.serialize_request(key)?.der().to_vec())
    }

    /// Reads a request and checks the signature in it. Only the key and the HTTPS names are taken over.
    pub(crate) fn decode(der: &[u8]) -> Result<Self, IdentityError> {
        let request =
            CertificateSigningRequestParams::from_der(&CertificateSigningRequestDer::from(der))
                .map_err(|e| IdentityError::Request(e.to_string()))?;
        if request.public_key.algorithm() != &rcgen::PKCS_ECDSA_P256_SHA256 {
            return Err(IdentityError::Request(
                "its key is not on the curve P-256".to_owned(),
            ));
        }
        let mut names = Vec::new();
        for san in request.params.subject_alt_names {
            if let SanType::DnsName(name) = &san {
                names.push(HostName::Dns(name.as_str().to_owned()));
            } else if let SanType::IpAddress(ip) = san {
                names.push(HostName::Ip(ip));
            } else {
                return Err(IdentityError::Request(format!(
                    "it asks for the name {san:?}"
                )));
            }
        }
        check_names(&names)?;
        Ok(Self {
            public: request.public_key.subject_public_key_info(),
            names,
        })
    }

    /// What the membership will know the newcomer by.
    pub(crate) fn pin(&self) -> [u8; 32] {
        sha256(&self.public)
    }
}

/// What a membership knows `key` by.
pub(crate) fn pin_of(key: &KeyPair) -> [u8; 32] {
    sha256(&key.subject_public_key_info())
}

/// Names from the configuration: host names and IP addresses.
pub(super) fn parse_names(names: &[String]) -> Result<Vec<HostName>, IdentityError> {
    let names: Vec<_> = names
        .iter()
        .map(|name| {
            name.parse()
                .map_or_else(|_| HostName::Dns(name.to_ascii_lowercase()), HostName::Ip)
        })
        .collect();
    check_names(&names)?;
    Ok(names)
}

/// A new authority for `cluster`: its certificate and its key in PEM.
pub(super) fn new_authority(
    cluster: &[u8; 16],
) -> Result<(CertificateDer<'static>, String), IdentityError> {
    let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?;
    let mut params = params(&format!(
        "Holdfast cluster {}",
        data_encoding::HEXLOWER.encode(cluster)
    ));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok((params.self_signed(&key)?.der().clone(), key.serialize_pem()))
}

/// Signs the leaf of a node whose id was given out in `epoch`.
pub(super) fn issue(
    authority: &CertificateDer<'static>,
    issuing_key_pem: &str,
    cluster: &[u8; 16],
    (node, epoch): (NodeId, u32),
    request: &NodeRequest,
) -> Result<Issued, IdentityError> {
    check_names(&request.names)?;
    let issuer = Issuer::from_ca_cert_der(authority, KeyPair::from_pem(issuing_key_pem)?)?;
    let name = node_name(node, cluster);
    // A common name holds at most 64 characters (RFC 5280, upper bounds); the full name is in the SAN.
    let mut params = params(&format!("Holdfast node {}", node.0));
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![
        ExtendedKeyUsagePurpose::ServerAuth,
        ExtendedKeyUsagePurpose::ClientAuth,
    ];
    params.use_authority_key_identifier_extension = true;
    params.subject_alt_names = vec![
        SanType::DnsName(name.try_into()?),
        SanType::DnsName(epoch_name(epoch, cluster).try_into()?),
    ];
    params.subject_alt_names.extend(sans(&request.names)?);
    let public = SubjectPublicKeyInfo::from_der(&request.public)?;
    Ok(Issued {
        leaf: params.signed_by(&public, &issuer)?.der().clone(),
    })
}

/// Which of these authorities a key in PEM is the key of.
pub(super) fn authority_of<'a>(
    authorities: &'a [CertificateDer<'static>],
    pem: &str,
) -> Option<&'a CertificateDer<'static>> {
    let public = KeyPair::from_pem(pem).ok()?.subject_public_key_info();
    authorities.iter().find(|authority| {
        webpki::EndEntityCert::try_from(*authority)
            .is_ok_and(|certificate| certificate.subject_public_key_info().as_ref() == public)
    })
}

/// The private keys in a text, each in PEM.
pub(super) fn keys_in(pem: &str) -> Vec<String> {
    const BEGIN: &str = "-----BEGIN";
    let parts = pem.split(BEGIN).skip(1);
    parts.map(|part| format!("{BEGIN}{part}")).collect()
}

/// The HTTPS names in a leaf.
pub(super) fn names_of(leaf: &CertificateDer<'_>) -> Result<Vec<String>, IdentityError> {
    let unreadable = |e: &dyn std::fmt::Display| {
        IdentityError::Request(format!("this node's own leaf cannot be read: {e}"))
    };
    let (_, leaf) = x509_parser::parse_x509_certificate(leaf).map_err(|e| unreadable(&e))?;
    let sans = leaf
        .subject_alternative_name()
        .map_err(|e| unreadable(&e))?;
    let mut names = Vec::new();
    for san in sans
        .map(|sans| &sans.value.general_names)
        .into_iter()
        .flatten()
    {
        if let GeneralName::DNSName(name) = san
            && !name.ends_with(DOMAIN)
        {
            names.push((*name).to_owned());
        }
        if let GeneralName::IPAddress(bytes) = san {
            let v4 = <[u8; 4]>::try_from(*bytes).map(IpAddr::from);
            let v6 = <[u8; 16]>::try_from(*bytes).map(IpAddr::from);
            names.extend(v4.or(v6).map(|ip| ip.to_string()));
        }
    }
    Ok(names)
}

/// Valid 2020–2099: membership, not a date, ends a node's right to take part (DESIGN B2).
fn params(common_name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2099, 12, 31);
    params.serial_number = Some(SerialNumber::from_slice(&{
        let mut serial: [u8; 16] = rand::random();
        serial[0] &= 0x7f; // positive, as RFC 5280 §4.1.2.2 wants
        serial
    }));
    params.distinguished_name = DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, common_name);
    params
}

fn check_names(names: &[HostName]) -> Result<(), IdentityError> {
    if names.len() > NAMES_MAX {
        return Err(IdentityError::Request(format!(
            "it asks for more than {NAMES_MAX} names"
        )));
    }
    for name in names {
        if let HostName::Dns(name) = name
            && (name.ends_with(DOMAIN) || name.is_empty() || name.len() > 253)
        {
            return Err(IdentityError::Request(format!(
                "the name {name:?} cannot be given to a node"
            )));
        }
    }
    Ok(())
}

fn sans(names: &[HostName]) -> Result<Vec<SanType>, IdentityError> {
    names
        .iter()
        .map(|name| match name {
            HostName::Dns(name) => Ok(SanType::DnsName(name.as_str().try_into()?)),
            HostName::Ip(ip) => Ok(SanType::IpAddress(*ip)),
        })
        .collect()
}
