//! A device somebody is signed in on: a key of its own, a token, and a fresh proof for every request.

use data_encoding::BASE64URL_NOPAD as BASE64URL;
use hyper::Method;
use rand::RngExt as _;
use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, json};

use super::World;
use super::client::{Answer, Client};

pub(super) struct Device {
    client: Client,
    key: EcdsaKeyPair,
    pub(super) token: String,
    /// Civil time of the cluster as this device takes it, in seconds.
    pub(super) clock: i64,
}

/// What a proof says; a test changes what it wants to see refused.
#[derive(Clone, Debug)]
pub(super) struct Claims {
    pub(super) htm: String,
    pub(super) htu: String,
    pub(super) iat: i64,
    pub(super) jti: String,
    pub(super) ath: String,
}

impl Device {
    /// A device nobody is signed in on.
    pub(super) fn new(world: &World) -> Self {
        let random = SystemRandom::new();
        let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let key =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, made.as_ref(), &random);
        Self {
            client: world.caller(None),
            key: key.unwrap(),
            token: String::new(),
            clock: world.now_s(),
        }
    }

    /// What it tells the cluster of itself.
    pub(super) fn described(&self) -> Value {
        json!({ "name": "phone", "key": self.jwk() })
    }

    fn jwk(&self) -> Value {
        let point = self.key.public_key().as_ref();
        let part = |range| BASE64URL.encode(&point[range]);
        json!({ "kty": "EC", "crv": "P-256", "x": part(1..33), "y": part(33..65) })
    }

    /// Uses an invitation.
    pub(super) async fn accept(&mut self, code: &str, password: Option<&str>) -> Answer {
        let body = json!({ "code": code, "password": password, "device": self.described() });
        let answer = self.client.post("/v1/invitations/accept", body).await;
        self.take_token(&answer);
        answer
    }

    pub(super) fn take_token(&mut self, answer: &Answer) {
        let body: Value = serde_json::from_str(&answer.text).unwrap_or_default();
        if let Some(token) = body["token"].as_str() {
            token.clone_into(&mut self.token);
        }
    }

    pub(super) fn claims(&self, method: &Method, path: &str) -> Claims {
        let path = path.split('?').next().unwrap();
        Claims {
            htm: method.to_string(),
            htu: format!("https://127.0.0.1{path}"),
            iat: self.clock,
            jti: BASE64URL.encode(&rand::rng().random::<[u8; 16]>()),
            ath: BASE64URL.encode(digest(&SHA256, self.token.as_bytes()).as_ref()),
        }
    }

    pub(super) fn proof(&self, claims: &Claims) -> String {
        let head = json!({ "typ": "dpop+jwt", "alg": "ES256", "jwk": self.jwk() });
        let body = json!({
            "htm": claims.htm, "htu": claims.htu, "iat": claims.iat, "jti": claims.jti, "ath": claims.ath,
        });
        let part = |value: &Value| BASE64URL.encode(value.to_string().as_bytes());
        let signed = format!("{}.{}", part(&head), part(&body));
        let signature = self
            .key
            .sign(&SystemRandom::new(), signed.as_bytes())
            .unwrap();
        format!("{signed}.{}", BASE64URL.encode(signature.as_ref()))
    }

    /// The client that sends one request with this proof.
    pub(super) fn with_proof(&self, proof: &str) -> Client {
        let token = format!("DPoP {}", self.token);
        self.client
            .with("authorization", &token)
            .with("dpop", proof)
    }

    pub(super) async fn send(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let proof = self.proof(&self.claims(&method, path));
        let body = body.map(|body| ("application/json", body.to_string().into_bytes()));
        self.with_proof(&proof).send(method, path, body).await
    }

    pub(super) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None).await
    }

    pub(super) async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(Method::POST, path, Some(body)).await
    }

    pub(super) async fn put(&self, path: &str, body: Value) -> Answer {
        self.send(Method::PUT, path, Some(body)).await
    }

    pub(super) async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, None).await
    }
}
