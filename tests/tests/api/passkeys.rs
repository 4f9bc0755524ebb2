//! Passkeys: added on a device that is signed in, they let others in alone (SECURITY D-3).

use data_encoding::BASE64URL_NOPAD as BASE64URL;
use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, json};

use super::World;
use super::client::Answer;
use super::device::Device;

const DOMAIN: &str = "holdfast.example";
const ORIGIN: &str = "https://n2.holdfast.example:7443";

/// A security key with a finger on it.
struct Authenticator {
    pair: EcdsaKeyPair,
    count: u32,
}

impl Authenticator {
    fn new() -> Self {
        let random = SystemRandom::new();
        let algorithm = &ECDSA_P256_SHA256_ASN1_SIGNING;
        let document = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref(), &random).unwrap();
        Self { pair, count: 0 }
    }

    fn id(&self) -> Vec<u8> {
        sha256(self.pair.public_key().as_ref())
    }

    fn head(&mut self, flags: u8) -> Vec<u8> {
        self.count += 1;
        let mut data = sha256(DOMAIN.as_bytes());
        data.push(flags);
        data.extend(self.count.to_be_bytes());
        data
    }

    /// Makes a credential, as navigator.credentials.create() hands it over.
    fn create(&mut self, challenge: &str, name: &str) -> Value {
        let mut data = self.head(0x45);
        data.extend([0; 16]);
        data.extend([0, 32]);
        data.extend(self.id());
        let point = self.pair.public_key().as_ref();
        data.extend([0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 0x20]);
        data.extend(&point[1..33]);
        data.extend([0x22, 0x58, 0x20]);
        data.extend(&point[33..]);
        json!({
            "name": name,
            "client_data": BASE64URL.encode(&client_data("webauthn.create", challenge)),
            "authenticator_data": BASE64URL.encode(&data),
        })
    }

    /// Signs a challenge, as navigator.credentials.get() hands it over.
    fn get(&mut self, challenge: &str, device: &Device) -> Value {
        let said = client_data("webauthn.get", challenge);
        let data = self.head(0x05);
        let signed = [data.clone(), sha256(&said)].concat();
        let signature = self.pair.sign(&SystemRandom::new(), &signed).unwrap();
        json!({
            "id": BASE64URL.encode(&self.id()),
            "client_data": BASE64URL.encode(&said),
            "authenticator_data": BASE64URL.encode(&data),
            "signature": BASE64URL.encode(signature.as_ref()),
            "device": device.described(),
        })
    }
}

fn sha256(bytes: &[u8]) -> Vec<u8> {
    digest(&SHA256, bytes).as_ref().to_vec()
}

fn client_data(ceremony: &str, challenge: &str) -> Vec<u8> {
    let said = json!({ "type": ceremony, "challenge": challenge, "origin": ORIGIN });
    said.to_string().into_bytes()
}

async fn challenge(world: &World) -> String {
    let asked = world.caller(None).get("/v1/sign-in/passkey").await;
    assert_eq!(asked.headers["cache-control"], "no-store");
    let asked = asked.expect(200);
    assert_eq!(asked["domain"], DOMAIN);
    asked["challenge"].as_str().unwrap().to_owned()
}

async fn send(world: &World, body: Value) -> Answer {
    world.caller(None).post("/v1/sign-in/passkey", body).await
}

#[tokio::test]
async fn a_passkey_added_on_one_device_lets_another_in() {
    let world = World::start().await;
    world.add_people().await;
    let desk = world
        .signed_in("anna", Some("anna"), &["duty-officer"])
        .await;
    let own = desk.get("/v1/session/passkeys").await.expect(200);
    assert_eq!(own["passkeys"], json!([]));
    assert_eq!(own["enrol"]["account"], "anna");
    let mut key = Authenticator::new();
    let made = key.create(own["enrol"]["challenge"].as_str().unwrap(), "Key ring");
    desk.post("/v1/session/passkeys", made).await.expect(201);
    let own = desk.get("/v1/session/passkeys").await.expect(200);
    assert_eq!(own["passkeys"][0]["name"], "Key ring");
    assert_eq!(own["passkeys"][0]["used_at"], Value::Null);
    let session = desk.get("/v1/session").await.expect(200);
    assert_eq!(session["factors"]["passkeys"], 1);

    let mut phone = Device::new(&world);
    let body = key.get(&challenge(&world).await, &phone);
    let opened = send(&world, body.clone()).await;
    phone.take_token(&opened);
    assert_eq!(opened.expect(201)["session"]["account"], "anna");
    phone.get("/v1/session").await.expect(200);
    send(&world, body).await.refusal(401, "sign-in-refused");

    let id = BASE64URL.encode(&key.id());
    let at = format!("/v1/session/passkeys/{id}");
    desk.delete(&at).await.expect(200);
    let body = key.get(&challenge(&world).await, &Device::new(&world));
    send(&world, body).await.refusal(401, "sign-in-refused");
    desk.delete(&at).await.refusal(404, "not-found");
}

#[tokio::test]
async fn what_is_not_a_passkey_of_ours_opens_nothing() {
    let world = World::start().await;
    world.add_people().await;
    let desk = world.signed_in("anna", Some("anna"), &["responder"]).await;
    let other = world.signed_in("bela", Some("bela"), &["responder"]).await;
    let mut key = Authenticator::new();
    let own = desk.get("/v1/session/passkeys").await.expect(200);
    let enrol = own["enrol"]["challenge"].as_str().unwrap().to_owned();
    // Another session's challenge, another's passkey, a challenge for something else.
    let made = key.create(&enrol, "Key ring");
    let stolen = other.post("/v1/session/passkeys", made.clone()).await;
    stolen.refusal(422, "invalid-input");
    desk.post("/v1/session/passkeys", made).await.expect(201);
    let id = BASE64URL.encode(&key.id());
    let at = format!("/v1/session/passkeys/{id}");
    other.delete(&at).await.refusal(404, "not-found");
    let body = key.get(&enrol, &Device::new(&world));
    send(&world, body).await.refusal(401, "sign-in-refused");
    let mut unknown = Authenticator::new();
    let body = unknown.get(&challenge(&world).await, &Device::new(&world));
    send(&world, body).await.refusal(401, "sign-in-refused");
    // Signed by another key than the one it names.
    let mut body = unknown.get(&challenge(&world).await, &Device::new(&world));
    body["id"] = json!(id);
    send(&world, body).await.refusal(401, "sign-in-refused");
    // Not even base64url.
    let mut body = key.get(&challenge(&world).await, &Device::new(&world));
    body["signature"] = json!("§§");
    send(&world, body).await.refusal(422, "invalid-input");
    // Its count goes backwards: somebody has a copy.
    key.count = 0;
    let body = key.get(&challenge(&world).await, &Device::new(&world));
    send(&world, body).await.refusal(401, "sign-in-refused");
    // And not for ever.
    let mut refused = None;
    for _ in 0..30 {
        let body = key.get(&enrol, &Device::new(&world));
        let answer = send(&world, body).await;
        if answer.status == 429 {
            refused = Some(answer);
            break;
        }
        answer.refusal(401, "sign-in-refused");
    }
    let refused = refused.expect("a flood of passkeys is asked to wait");
    let said = refused.refusal(429, "too-many");
    assert!(
        said["detail"].as_str().unwrap().contains("by passkey"),
        "{said}"
    );
    let limits = world.operator().get("/v1/limits").await.expect(200);
    let mut limits = limits["limits"].as_array().unwrap().iter();
    let limit = limits.find(|limit| limit["name"] == "passkeys").unwrap();
    assert_eq!(limit["turned_away"], 1, "{limit}");
}

#[tokio::test]
async fn a_passkey_shown_in_a_session_opens_what_asks_for_it_once() {
    let world = World::start().await;
    world.add_people().await;
    let mut desk = world
        .signed_in("anna", Some("anna"), &["duty-officer"])
        .await;
    let mut key = Authenticator::new();
    let own = desk.get("/v1/session/passkeys").await.expect(200);
    let made = key.create(own["enrol"]["challenge"].as_str().unwrap(), "Key ring");
    desk.post("/v1/session/passkeys", made).await.expect(201);
    world.replica.advance(std::time::Duration::from_secs(3_600));
    desk.clock = world.now_s();
    desk.get("/v1/people").await.refusal(403, "factor-wanted");
    let ways = desk.get("/v1/session/proof").await.expect(200);
    assert_eq!(ways["factors"], json!(["passkey", "password"]));
    let asked = ways["passkey"]["challenge"].as_str().unwrap();
    let mut answer = key.get(asked, &desk);
    answer.as_object_mut().unwrap().remove("device");
    // A challenge for signing in is none for this, nor the other way round.
    let mut other = key.get(&challenge(&world).await, &desk);
    other.as_object_mut().unwrap().remove("device");
    let path = "/v1/session/proof";
    let shown = |passkey: Value| json!({ "factor": "passkey", "passkey": passkey });
    let refused = desk.post(path, shown(other)).await;
    refused.refusal(422, "invalid-input");
    let sign_in = key.get(asked, &desk);
    send(&world, sign_in).await.refusal(401, "sign-in-refused");
    let proved = desk.post(path, shown(answer.clone())).await;
    assert!(proved.expect(200)["proved_at"].is_string());
    desk.get("/v1/people").await.expect(200);
    desk.post(path, shown(answer))
        .await
        .refusal(409, "conflict");
    world.stop().await;
}
