//! A certificate authority of the tests: the Worker of a test stack trusts it, and stand-ins of mail
//! servers and of Amazon show certificates that it signed.
//!
//! Invariant: it is made with a stack and ends with the stack's folder; nobody else trusts it.
//! Failure: a folder that cannot be written, or holds no authority, is an error or a panic that names
//! it.

use crate::stack;
use p256::ecdsa::SigningKey;
use p256::pkcs8::{DecodePrivateKey, EncodePrivateKey, LineEnding};
use rsa::pkcs8::EncodePublicKey;
use std::path::{Path, PathBuf};
use std::time::Duration;
use uuid::Uuid;
use x509_cert::Certificate;
use x509_cert::builder::{Builder, CertificateBuilder, Profile};
use x509_cert::der::{DecodePem, EncodePem, asn1::Ia5String};
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::name::Name;
use x509_cert::serial_number::SerialNumber;
use x509_cert::spki::SubjectPublicKeyInfoOwned;
use x509_cert::time::Validity;

/// How long certificates last: longer than any test run.
const LIFE: Duration = Duration::from_secs(30 * 24 * 3_600);

/// A certificate authority.
#[derive(Debug)]
pub struct Authority {
    key: SigningKey,
    certificate: Certificate,
}

/// A certificate and its key, as PEM.
#[derive(Clone, Debug)]
pub struct Pair {
    /// The certificate.
    pub certificate: String,
    /// The key.
    pub key: String,
}

impl Authority {
    /// Where a folder's authority has its certificate.
    pub fn certificate_in(folder: &Path) -> PathBuf {
        folder.join("authority.pem")
    }

    fn key_in(folder: &Path) -> PathBuf {
        folder.join("authority.key")
    }

    /// Makes one in a folder.
    pub fn make(folder: &Path) -> std::io::Result<()> {
        let made = Self::new();
        let key = made.key.to_pkcs8_pem(LineEnding::LF).expect("a key");
        std::fs::write(Self::key_in(folder), key.as_bytes())?;
        std::fs::write(Self::certificate_in(folder), pem(&made.certificate))
    }

    /// One that nobody trusts.
    pub fn new() -> Self {
        let key = new_key();
        let subject: Name = format!("CN=Pulse tests {}", Uuid::new_v4())
            .parse()
            .expect("a name");
        let spki = spki(&key);
        let builder = CertificateBuilder::new(Profile::Root, serial(), life(), subject, spki, &key);
        let certificate = builder
            .expect("a certificate")
            .build::<p256::ecdsa::DerSignature>()
            .expect("a certificate");
        Self { key, certificate }
    }

    /// That of the running stack.
    pub fn here() -> Self {
        Self::of(&PathBuf::from(stack::variable("PULSE_AUTHORITY")))
    }

    /// That of a folder.
    pub fn of(folder: &Path) -> Self {
        let read = |path: PathBuf| {
            std::fs::read_to_string(&path)
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        };
        Self {
            key: SigningKey::from_pkcs8_pem(&read(Self::key_in(folder))).expect("a key"),
            certificate: Certificate::from_pem(read(Self::certificate_in(folder)))
                .expect("a certificate"),
        }
    }

    /// Its certificate, as PEM.
    pub fn pem(&self) -> String {
        pem(&self.certificate)
    }

    /// A certificate of a host.
    pub fn host(&self, name: &str) -> Pair {
        let key = new_key();
        let certificate = self.sign(spki(&key), name);
        Pair {
            certificate: pem(&certificate),
            key: key.to_pkcs8_pem(LineEnding::LF).expect("a key").to_string(),
        }
    }

    /// A certificate of an RSA key, as Amazon signs notifications with.
    pub fn rsa(&self, key: &rsa::RsaPrivateKey) -> String {
        let public = key.to_public_key().to_public_key_der().expect("a key");
        let spki = SubjectPublicKeyInfoOwned::try_from(public.as_bytes()).expect("a key");
        pem(&self.sign(spki, "sns.example"))
    }

    fn sign(&self, spki: SubjectPublicKeyInfoOwned, name: &str) -> Certificate {
        let issuer = self.certificate.tbs_certificate.subject.clone();
        let profile = Profile::Leaf {
            issuer,
            enable_key_agreement: false,
            enable_key_encipherment: true,
        };
        let subject: Name = format!("CN={name}").parse().expect("a name");
        let mut builder =
            CertificateBuilder::new(profile, serial(), life(), subject, spki, &self.key)
                .expect("a certificate");
        let name = GeneralName::DnsName(Ia5String::new(name).expect("a host"));
        builder
            .add_extension(&SubjectAltName(vec![name]))
            .expect("a name");
        builder
            .build::<p256::ecdsa::DerSignature>()
            .expect("a certificate")
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

fn new_key() -> SigningKey {
    // Random enough for tests: two version 4 identifiers.
    loop {
        let bytes = [Uuid::new_v4().into_bytes(), Uuid::new_v4().into_bytes()].concat();
        if let Ok(key) = SigningKey::from_slice(&bytes) {
            return key;
        }
    }
}

fn spki(key: &SigningKey) -> SubjectPublicKeyInfoOwned {
    SubjectPublicKeyInfoOwned::from_key(*key.verifying_key()).expect("a public key")
}

fn serial() -> SerialNumber {
    SerialNumber::new(&Uuid::new_v4().into_bytes()).expect("a serial number")
}

fn life() -> Validity {
    Validity::from_now(LIFE).expect("a time")
}

fn pem(certificate: &Certificate) -> String {
    certificate.to_pem(LineEnding::LF).expect("a certificate")
}
