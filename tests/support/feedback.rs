//! Providers that report: each signs as its own documentation says.
//!
//! Invariant: signatures are computed here, not by the code under test.
//! Failure: none; what a report is answered is for the test to judge.

use crate::authority::Authority;
use crate::client::{Call, Client};
use crate::clock::seconds_from_now;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use p256::ecdsa::SigningKey;
use p256::ecdsa::signature::Signer as _;
use p256::pkcs8::EncodePublicKey as _;
use rsa::pkcs1v15;
use serde_json::{Value, json};
use sha2::Sha256;
use uuid::Uuid;

fn now() -> i64 {
    seconds_from_now(0).timestamp()
}

/// A report of Resend, signed at a time some seconds from now.
pub fn resend(path: &str, secret: &str, body: &Value, offset: i64) -> Call {
    let (id, time, body) = (Uuid::new_v4().to_string(), now() + offset, body.to_string());
    let key = STANDARD
        .decode(secret.trim_start_matches("whsec_"))
        .expect("a secret");
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("a key");
    mac.update(format!("{id}.{time}.{body}").as_bytes());
    let signature = STANDARD.encode(mac.finalize().into_bytes());
    Client::anonymous()
        .call("POST", path)
        .body("application/json", body)
        .header("svix-id", &id)
        .header("svix-timestamp", &time.to_string())
        .header("svix-signature", &format!("v1,AAAA v1,{signature}"))
}

/// A SendGrid account: the private half signs, the public half is in the channel's settings.
pub struct Sendgrid(SigningKey);

impl Sendgrid {
    /// One with a fresh key.
    pub fn new() -> Self {
        let bytes = [Uuid::new_v4().into_bytes(), Uuid::new_v4().into_bytes()].concat();
        Self(SigningKey::from_slice(&bytes).expect("a key"))
    }

    /// As SendGrid shows it.
    pub fn key(&self) -> String {
        let key = self.0.verifying_key().to_public_key_der().expect("a key");
        STANDARD.encode(key.as_bytes())
    }

    /// A report, signed at a time some seconds from now.
    pub fn report(&self, path: &str, body: &Value, offset: i64) -> Call {
        let (time, body) = ((now() + offset).to_string(), body.to_string());
        let signature: p256::ecdsa::DerSignature = self.0.sign(format!("{time}{body}").as_bytes());
        let signature = STANDARD.encode(signature.as_bytes());
        Client::anonymous()
            .call("POST", path)
            .body("application/json", body)
            .header("x-twilio-email-event-webhook-timestamp", &time)
            .header("x-twilio-email-event-webhook-signature", &signature)
    }
}

impl Default for Sendgrid {
    fn default() -> Self {
        Self::new()
    }
}

/// A report of Twilio to an address, which it signs too.
pub fn twilio(url: &str, path: &str, token: &str, form: &[(&str, &str)]) -> Call {
    let mut sorted = form.to_vec();
    sorted.sort_unstable();
    let fields: String = sorted
        .iter()
        .map(|(name, value)| format!("{name}{value}"))
        .collect();
    let mut mac = Hmac::<sha1::Sha1>::new_from_slice(token.as_bytes()).expect("a key");
    mac.update(format!("{url}{fields}").as_bytes());
    let signature = STANDARD.encode(mac.finalize().into_bytes());
    let body = reqwest::Url::parse_with_params("http://form/", form).expect("a form");
    let body = body.query().unwrap_or_default().to_owned();
    Client::anonymous()
        .call("POST", path)
        .body("application/x-www-form-urlencoded", body)
        .header("x-twilio-signature", &signature)
}

/// Amazon SNS: a key and the certificate that is found at its address.
pub struct Sns {
    key: rsa::RsaPrivateKey,
    /// What is found at the address.
    pub certificate: String,
}

impl Sns {
    /// One with the tests' own RSA key.
    pub fn new() -> Self {
        use rsa::pkcs1::DecodeRsaPrivateKey as _;
        let key = rsa::RsaPrivateKey::from_pkcs1_pem(include_str!("supabase_rsa.pem"));
        let key = key.expect("a key");
        Self {
            certificate: Authority::new().rsa(&key),
            key,
        }
    }

    /// A notification, signed with version 1 or 2. `extra` adds fields or overrides them.
    pub fn notification(&self, url: &str, version: u8, extra: &Value) -> Value {
        let mut all = json!({
            "Type": "Notification", "MessageId": Uuid::new_v4(), "TopicArn": "arn:aws:sns:eu-central-1:1:ses",
            "Message": "{}", "Timestamp": seconds_from_now(0).to_rfc3339(),
            "SignatureVersion": version.to_string(), "SigningCertURL": url,
        });
        for (name, value) in extra.as_object().expect("fields") {
            all[name] = value.clone();
        }
        let names: &[&str] = match all["Type"].as_str() {
            Some("Notification") => &[
                "Message",
                "MessageId",
                "Subject",
                "Timestamp",
                "TopicArn",
                "Type",
            ],
            _ => &[
                "Message",
                "MessageId",
                "SubscribeURL",
                "Timestamp",
                "Token",
                "TopicArn",
                "Type",
            ],
        };
        let signed: String = names
            .iter()
            .filter_map(|name| Some(format!("{name}\n{}\n", all.get(*name)?.as_str()?)))
            .collect();
        let key = self.key.clone();
        let signature = match version {
            1 => signature(&pkcs1v15::SigningKey::<rsa_sha1::Sha1>::new(key), &signed),
            _ => signature(
                &pkcs1v15::SigningKey::<rsa::sha2::Sha256>::new(key),
                &signed,
            ),
        };
        all["Signature"] = json!(signature);
        all
    }
}

impl Default for Sns {
    fn default() -> Self {
        Self::new()
    }
}

fn signature(key: &impl rsa::signature::Signer<pkcs1v15::Signature>, text: &str) -> String {
    use rsa::signature::SignatureEncoding as _;
    STANDARD.encode(key.sign(text.as_bytes()).to_bytes())
}

/// Brings a notification, as SNS does: JSON that it calls text.
pub fn bring(path: &str, notification: &Value) -> Call {
    Client::anonymous()
        .call("POST", path)
        .body("text/plain; charset=UTF-8", notification.to_string())
}
