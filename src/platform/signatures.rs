//! Signatures that others made, and how they are verified.
//!
//! Invariant: the algorithm is chosen by the caller, never by what came.
//! Failure: whatever does not parse is not signed.

use hmac::{Hmac, Mac};
use p256::ecdsa::signature::Verifier as _;
use p256::pkcs8::DecodePublicKey as _;
use rsa::pkcs1v15;
use sha1::Sha1;
use sha2::Sha256;
use x509_cert::Certificate;
use x509_cert::der::{DecodePem as _, Encode as _};

/// HMAC-SHA-1, where a provider knows nothing better.
pub fn hmac_sha1(key: &[u8], message: &[u8]) -> [u8; 20] {
    // HMAC takes keys of any length, so this cannot fail; the fallback keeps the code total.
    <Hmac<Sha1> as Mac>::new_from_slice(key).map_or([0; 20], |mut mac| {
        mac.update(message);
        mac.finalize().into_bytes().into()
    })
}

/// ECDSA over P-256 with SHA-256. The key is a SubjectPublicKeyInfo, key and signature are DER.
pub fn is_p256(key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    let key = p256::ecdsa::VerifyingKey::from_public_key_der(key);
    let signature = p256::ecdsa::Signature::from_der(signature);
    match (key, signature) {
        (Ok(key), Ok(signature)) => key.verify(message, &signature).is_ok(),
        _ => false,
    }
}

/// The hash of an RSA signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hash {
    /// SHA-1.
    Sha1,
    /// SHA-256.
    Sha256,
}

/// RSASSA-PKCS1-v1_5 with the key of a certificate. Where the certificate came from is for the
/// caller to judge.
pub fn is_rsa(certificate: &[u8], hash: Hash, message: &[u8], signature: &[u8]) -> bool {
    let verify = || {
        let certificate = Certificate::from_pem(certificate).ok()?;
        let key = certificate.tbs_certificate.subject_public_key_info;
        let key = rsa::RsaPublicKey::from_public_key_der(&key.to_der().ok()?).ok()?;
        let signature = pkcs1v15::Signature::try_from(signature).ok()?;
        let verified = match hash {
            Hash::Sha1 => pkcs1v15::VerifyingKey::<Sha1>::new(key).verify(message, &signature),
            Hash::Sha256 => pkcs1v15::VerifyingKey::<Sha256>::new(key).verify(message, &signature),
        };
        verified.ok()
    };
    verify().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use p256::ecdsa::signature::Signer as _;
    use p256::pkcs8::EncodePublicKey as _;

    #[test]
    fn twilios_own_example_verifies() {
        let signed = "https://mycompany.com/myapp.php?foo=1&bar=2CallSidCA1234567890ABCDECaller\
                      +14158675310Digits1234From+14158675310To+18005551212";
        let mac = hmac_sha1(b"12345", signed.as_bytes());
        use base64::Engine as _;
        let text = base64::engine::general_purpose::STANDARD.encode(mac);
        assert_eq!(text, "GvWf1cFY/Q7PnoempGyD5oXAezc=");
    }

    #[test]
    fn a_p256_signature_holds_for_its_message_and_key_only() {
        let secret = p256::ecdsa::SigningKey::from_slice(&[7; 32]).unwrap();
        let other = p256::ecdsa::SigningKey::from_slice(&[8; 32]).unwrap();
        let key = |secret: &p256::ecdsa::SigningKey| {
            let key = secret.verifying_key().to_public_key_der().unwrap();
            key.as_bytes().to_vec()
        };
        let signature: p256::ecdsa::Signature = secret.sign(b"message");
        let signature = signature.to_der().as_bytes().to_vec();
        assert!(is_p256(&key(&secret), b"message", &signature));
        assert!(!is_p256(&key(&secret), b"another", &signature));
        assert!(!is_p256(&key(&other), b"message", &signature));
        for bad in [&b""[..], b"x", &signature[1..]] {
            assert!(!is_p256(&key(&secret), b"message", bad));
            assert!(!is_p256(bad, b"message", &signature));
        }
    }

    #[test]
    fn what_is_no_certificate_signs_nothing() {
        for bad in [
            &b""[..],
            b"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n",
        ] {
            assert!(!is_rsa(bad, Hash::Sha256, b"m", b"s"));
        }
    }
}
