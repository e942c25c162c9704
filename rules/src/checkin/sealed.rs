//! The guest list for phones that nobody vouches for: each guest opens only with their own code.
//!
//! A phone keeps `name → sealed`; both are made of a code and the table's salt, so without codes it
//! can neither read a guest nor make up a code that is right. What a lost phone gives away: how many
//! codes there are, the size of each text, and whoever was scanned on it. Codes that can be guessed
//! are only as safe as guessing is slow: the salt keeps one guess from being tried on two events.
//!
//! Invariant: the name is HMAC-SHA-256 of the code under the salt, the key another one; AES-256-GCM
//! with the table as associated data and a nonce made of key and text, so equal input gives equal
//! bytes and no nonce is used for two texts.
//! Failure: what does not open is `None`; nothing is learnt from it.

use aes_gcm::aead::{Aead, Payload};
use aes_gcm::{Aes256Gcm, KeyInit, Nonce};
use data_encoding::BASE64;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use uuid::Uuid;

/// Bytes of a salt.
pub const SALT: usize = 16;
/// Bytes of a name.
const NAME: usize = 16;
const NONCE: usize = 12;

/// The name under which a code's guests are kept: 22 characters or so of base64.
pub fn name(salt: &[u8; SALT], code: &str) -> String {
    let full = derive(salt, "name", code.trim().as_bytes());
    BASE64.encode(full.get(..NAME).unwrap_or(&full))
}

/// Seals what belongs to a code; none for a text that no store could hold.
pub fn seal(salt: &[u8; SALT], table_id: Uuid, code: &str, text: &str) -> Option<String> {
    let key = derive(salt, "key", code.trim().as_bytes());
    let nonce = derive(&key, "nonce", text.as_bytes());
    let nonce = nonce.get(..NONCE)?;
    let payload = Payload {
        msg: text.as_bytes(),
        aad: table_id.as_bytes(),
    };
    let sealed = Aes256Gcm::new(&key.into()).encrypt(Nonce::from_slice(nonce), payload);
    Some(BASE64.encode(&[nonce, &sealed.ok()?].concat()))
}

/// Opens what was sealed for a code.
pub fn open(salt: &[u8; SALT], table_id: Uuid, code: &str, sealed: &str) -> Option<String> {
    let key = derive(salt, "key", code.trim().as_bytes());
    let bytes = BASE64.decode(sealed.as_bytes()).ok()?;
    let (nonce, sealed) = bytes.split_at_checked(NONCE)?;
    let payload = Payload {
        msg: sealed,
        aad: table_id.as_bytes(),
    };
    let text = Aes256Gcm::new(&key.into()).decrypt(Nonce::from_slice(nonce), payload);
    String::from_utf8(text.ok()?).ok()
}

fn derive(key: &[u8], purpose: &str, text: &[u8]) -> [u8; 32] {
    // HMAC takes keys of any length.
    let Ok(mut mac) = <Hmac<Sha256> as Mac>::new_from_slice(key) else {
        return [0; 32];
    };
    mac.update(b"pulse roster ");
    mac.update(purpose.as_bytes());
    mac.update(&[0]);
    mac.update(text);
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SALT_A: [u8; SALT] = [7; SALT];
    const TABLE: Uuid = Uuid::from_u128(1);

    #[test]
    fn a_guest_opens_with_their_own_code_only() {
        let sealed = seal(&SALT_A, TABLE, "A-1", "Ada").unwrap();
        assert_eq!(
            open(&SALT_A, TABLE, " A-1 ", &sealed).as_deref(),
            Some("Ada")
        );
        assert_eq!(open(&SALT_A, TABLE, "A-2", &sealed), None);
        assert_eq!(open(&[8; SALT], TABLE, "A-1", &sealed), None);
        assert_eq!(open(&SALT_A, Uuid::from_u128(2), "A-1", &sealed), None);
        assert_ne!(name(&SALT_A, "A-1"), name(&[8; SALT], "A-1"));
        assert_ne!(name(&SALT_A, "A-1"), name(&SALT_A, "A-2"));
    }

    #[test]
    fn every_changed_byte_and_every_cut_keeps_it_shut() {
        let sealed = seal(&SALT_A, TABLE, "A-1", "Ada Lovelace").unwrap();
        let bytes = BASE64.decode(sealed.as_bytes()).unwrap();
        for place in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[place] ^= 1;
            assert_eq!(open(&SALT_A, TABLE, "A-1", &BASE64.encode(&changed)), None);
            let cut = BASE64.encode(&bytes[..place]);
            assert_eq!(open(&SALT_A, TABLE, "A-1", &cut), None);
        }
        assert_eq!(open(&SALT_A, TABLE, "A-1", "no base64"), None);
    }

    #[test]
    fn no_nonce_serves_two_texts() {
        let one = seal(&SALT_A, TABLE, "A-1", "in").unwrap();
        let two = seal(&SALT_A, TABLE, "A-1", "out").unwrap();
        assert_ne!(one.get(..16), two.get(..16));
        assert_eq!(one, seal(&SALT_A, TABLE, "A-1", "in").unwrap());
    }
}
