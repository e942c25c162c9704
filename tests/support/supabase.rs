//! A stand-in for a Supabase project: its issuer, its shared secret, its signing keys.
//!
//! The stack says where it looks for the keys; the first token that needs them has them served there
//! for as long as the process lives.
//! Invariant: the keys are fixed and worth nothing anywhere else.
//! Failure: an address that is taken panics.

use crate::token::{Forgery, compact};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use chrono::Utc;
use p256::ecdsa::SigningKey;
use p256::ecdsa::signature::{SignatureEncoding, Signer};
use rsa::pkcs1::DecodeRsaPrivateKey;
use rsa::pkcs1v15;
use rsa::sha2::Sha256;
use rsa::traits::PublicKeyParts;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Once;
use uuid::Uuid;

/// The shared secret that the stack was configured with.
pub fn secret() -> String {
    variable(
        "SUPABASE_JWT_SECRET",
        "a secret of no stack at all, of 32 bytes",
    )
}

/// The issuer that the stack was configured with.
pub fn issuer() -> String {
    variable("SUPABASE_ISSUER", "https://project.supabase.test/auth/v1")
}

fn variable(name: &str, otherwise: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| otherwise.to_owned())
}

/// Serves the public keys where the stack looks for them, from the first call on.
pub fn publish() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let Ok(url) = std::env::var("SUPABASE_JWKS_URL") else {
            return;
        };
        let authority = url.split('/').nth(2).expect("an address").to_owned();
        let listener =
            TcpListener::bind(&authority).unwrap_or_else(|error| panic!("{authority}: {error}"));
        std::thread::spawn(move || {
            for socket in listener.incoming() {
                // A client that leaves early asks again.
                let _ = socket.and_then(answer);
            }
        });
    });
}

/// Answers one request with the keys.
fn answer(mut socket: TcpStream) -> std::io::Result<()> {
    let mut asked = Vec::new();
    let mut buffer = [0; 1024];
    while !asked.windows(4).any(|end| end == b"\r\n\r\n") {
        match socket.read(&mut buffer)? {
            0 => return Ok(()),
            count => asked.extend_from_slice(&buffer[..count]),
        }
    }
    let keys = jwks().to_string();
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close";
    write!(
        socket,
        "{head}\r\ncontent-length: {}\r\n\r\n{keys}",
        keys.len()
    )
}

/// Claims of somebody new, as Supabase writes them.
pub fn claims() -> Value {
    let now = Utc::now().timestamp();
    json!({
        "iss": issuer(), "aud": "authenticated", "role": "authenticated",
        "sub": Uuid::new_v4(), "email": crate::tenant::email("supabase"),
        "session_id": Uuid::new_v4(), "iat": now, "exp": now + 3600,
    })
}

/// Signed with the shared secret.
pub fn hs256(claims: &Value) -> String {
    Forgery::new(claims.clone(), &secret()).sign()
}

/// Signed with the P-256 key.
pub fn es256(claims: &Value) -> String {
    publish();
    let header = json!({"alg": "ES256", "typ": "JWT", "kid": "ec"});
    compact(&header, claims, |signed| {
        let signature: p256::ecdsa::Signature = ec().sign(signed);
        signature.to_bytes().to_vec()
    })
}

/// Signed with the RSA key.
pub fn rs256(claims: &Value) -> String {
    publish();
    let header = json!({"alg": "RS256", "typ": "JWT", "kid": "rsa"});
    compact(&header, claims, |signed| {
        pkcs1v15::SigningKey::<Sha256>::new(private())
            .sign(signed)
            .to_vec()
    })
}

/// The public keys, as the project publishes them.
pub fn jwks() -> Value {
    let point = ec().verifying_key().to_encoded_point(false);
    let (x, y) = (point.x().expect("x"), point.y().expect("y"));
    let rsa = private();
    let (n, e) = (rsa.n().to_bytes_be(), rsa.e().to_bytes_be());
    json!({"keys": [
        {"kty": "EC", "crv": "P-256", "kid": "ec", "alg": "ES256", "use": "sig", "key_ops": ["verify"],
         "x": BASE64.encode(x), "y": BASE64.encode(y)},
        {"kty": "RSA", "kid": "rsa", "alg": "RS256", "use": "sig", "key_ops": ["verify"],
         "n": BASE64.encode(n), "e": BASE64.encode(e)},
    ]})
}

fn ec() -> SigningKey {
    SigningKey::from_slice(&[7; 32]).expect("a scalar")
}

fn private() -> rsa::RsaPrivateKey {
    rsa::RsaPrivateKey::from_pkcs1_pem(include_str!("supabase_rsa.pem")).expect("a key")
}

#[cfg(test)]
mod tests {
    use super::{BASE64, claims, es256, jwks, rs256};
    use base64::Engine;
    use p256::ecdsa::signature::Verifier;
    use rsa::pkcs1v15;

    /// What a signature covers, and the signature.
    fn split(token: &str) -> (&[u8], Vec<u8>) {
        let (signed, signature) = token.rsplit_once('.').unwrap();
        (signed.as_bytes(), BASE64.decode(signature).unwrap())
    }

    #[test]
    fn the_published_keys_verify_what_is_signed() {
        let keys = jwks();
        let part = |key: usize, name: &str| {
            BASE64
                .decode(keys["keys"][key][name].as_str().unwrap())
                .unwrap()
        };
        let point = [vec![4], part(0, "x"), part(0, "y")].concat();
        let ec = p256::ecdsa::VerifyingKey::from_sec1_bytes(&point).unwrap();
        let token = es256(&claims());
        let (signed, signature) = split(&token);
        ec.verify(
            signed,
            &p256::ecdsa::Signature::from_slice(&signature).unwrap(),
        )
        .unwrap();
        let (n, e) = (part(1, "n"), part(1, "e"));
        let key = rsa::RsaPublicKey::new(
            rsa::BigUint::from_bytes_be(&n),
            rsa::BigUint::from_bytes_be(&e),
        );
        let rsa = pkcs1v15::VerifyingKey::<rsa::sha2::Sha256>::new(key.unwrap());
        let token = rs256(&claims());
        let (signed, signature) = split(&token);
        rsa.verify(
            signed,
            &pkcs1v15::Signature::try_from(&signature[..]).unwrap(),
        )
        .unwrap();
    }
}
