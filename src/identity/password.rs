//! Password hashes: argon2id, 19 MiB, two passes, one lane (OWASP).
//!
//! Invariant: checking a password costs the same whether the account exists or not.
//! Failure: a stored hash that cannot be read counts as a wrong password, and costs as much.

use argon2::password_hash::{PasswordHash, SaltString};
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};

use crate::platform::ctx::random;
use crate::platform::error::{Error, Result};

const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// The hash of no password at all: what an unknown account's attempt is checked against.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$UHVsc2VOb2JvZHlTYWx0$\
                      AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// The PHC string of a password, with a fresh salt.
pub fn hash(password: &str) -> Result<String> {
    let salt = SaltString::encode_b64(&random::<16>()).map_err(broken)?;
    Ok(argon2()?
        .hash_password(password.as_bytes(), &salt)
        .map_err(broken)?
        .to_string())
}

/// Whether the password belongs to the hash; never, without a hash.
pub fn verify(password: &str, stored: Option<&str>) -> Result<bool> {
    let stored = stored.and_then(|phc| PasswordHash::new(phc).ok());
    let nobody = PasswordHash::new(NOBODY).map_err(broken)?;
    let against = stored.as_ref().unwrap_or(&nobody);
    let right = argon2()?
        .verify_password(password.as_bytes(), against)
        .is_ok();
    Ok(right && stored.is_some())
}

fn argon2() -> Result<Argon2<'static>> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(broken)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn broken(error: impl std::fmt::Display) -> Error {
    Error::internal(format!("argon2: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(password: &str) -> String {
        let salt = SaltString::encode_b64(b"sixteen bytes 16").unwrap();
        argon2()
            .unwrap()
            .hash_password(password.as_bytes(), &salt)
            .unwrap()
            .to_string()
    }

    #[test]
    fn a_hash_knows_its_password_and_no_other() {
        let hash = known("correct horse");
        assert!(
            hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{hash}"
        );
        assert!(verify("correct horse", Some(&hash)).unwrap());
        assert!(!verify("correct horsf", Some(&hash)).unwrap());
    }

    #[test]
    fn nobody_has_no_password_but_the_same_parameters() {
        let nobody = PasswordHash::new(NOBODY).unwrap();
        let known = known("x");
        let real = PasswordHash::new(&known).unwrap();
        assert_eq!(nobody.params, real.params);
        assert_eq!(nobody.hash.unwrap().len(), real.hash.unwrap().len());
        assert!(!verify("", None).unwrap());
        assert!(!verify("x", Some("not a hash")).unwrap());
    }
}
