//! AWS Signature Version 4, as far as a POST of JSON needs it.
//!
//! Invariant: what is signed is method, path, the headers given here and the body, for one service
//! in one region on one day.
//! Failure: none.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};

/// A request to sign. The path has nothing to escape and the query is empty.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// `us-east-1`.
    pub region: &'a str,
    /// `ses`.
    pub service: &'a str,
    /// Host, with the port if it is an unusual one.
    pub host: &'a str,
    /// The path.
    pub path: &'a str,
    /// The content type.
    pub content_type: &'a str,
    /// The body.
    pub body: &'a str,
}

/// Who signs.
#[derive(Clone, Copy, Debug)]
pub struct Signer<'a> {
    /// The public half.
    pub access_key_id: &'a str,
    /// The secret half.
    pub secret_access_key: &'a str,
}

/// The headers of a signed request, besides host and content type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// `x-amz-date`.
    pub date: String,
    /// `authorization`.
    pub authorization: String,
}

/// Signs a POST.
pub fn sign(request: &Request<'_>, signer: &Signer<'_>, now: DateTime<Utc>) -> Signed {
    let date = now.format("%Y%m%dT%H%M%SZ").to_string();
    let day = date.get(..8).unwrap_or_default();
    let scope = format!("{day}/{}/{}/aws4_request", request.region, request.service);
    let headers = "content-type;host;x-amz-date";
    let canonical = format!(
        "POST\n{}\n\ncontent-type:{}\nhost:{}\nx-amz-date:{date}\n\n{headers}\n{}",
        request.path,
        request.content_type,
        request.host,
        hex(&Sha256::digest(request.body)),
    );
    let to_sign = format!(
        "AWS4-HMAC-SHA256\n{date}\n{scope}\n{}",
        hex(&Sha256::digest(&canonical))
    );
    let secret = format!("AWS4{}", signer.secret_access_key);
    let key = [day, request.region, request.service, "aws4_request"]
        .iter()
        .fold(secret.into_bytes(), |key, part| mac(&key, part));
    Signed {
        authorization: format!(
            "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={headers}, Signature={}",
            signer.access_key_id,
            hex(&mac(&key, &to_sign)),
        ),
        date,
    }
}

fn mac(key: &[u8], message: &str) -> Vec<u8> {
    // HMAC takes keys of any length, so this cannot fail; the fallback keeps the code total.
    <Hmac<Sha256> as Mac>::new_from_slice(key).map_or_else(
        |_| Vec::new(),
        |mut mac| {
            mac.update(message.as_bytes());
            mac.finalize().into_bytes().to_vec()
        },
    )
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of AWS's own suite `post-x-www-form-urlencoded`.
    #[test]
    fn a_request_is_signed_as_aws_does() {
        let request = Request {
            region: "us-east-1",
            service: "service",
            host: "example.amazonaws.com",
            path: "/",
            content_type: "application/x-www-form-urlencoded",
            body: "Param1=value1",
        };
        let signer = Signer {
            access_key_id: "AKIDEXAMPLE",
            secret_access_key: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
        };
        let signed = sign(&request, &signer, "2015-08-30T12:36:00Z".parse().unwrap());
        assert_eq!(signed.date, "20150830T123600Z");
        assert_eq!(
            signed.authorization,
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
             SignedHeaders=content-type;host;x-amz-date, \
             Signature=ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"
        );
    }
}
