//! A call as a handler sees it: decoded path, query, body, credential.
//!
//! Invariant: unknown fields are refused, in bodies and in queries; every decoding error names the
//! field. Bodies are bounded.
//! Failure: 400 malformed, 401, 403, 413, 415, 422.

use serde::de::DeserializeOwned;
use uuid::Uuid;
use worker::web_sys;

use super::limit;
use super::route::Access;
use super::source;
use super::stream::{Upload, too_large};
use super::strict::Strict;
use crate::platform::boundary::{self, Head};
use crate::platform::crypto;
use crate::platform::ctx::Ctx;
use crate::platform::error::{Error, Result};
use crate::platform::scope::{Credential, Idempotency, Scope};
use crate::platform::token;

/// The largest JSON body of an ordinary call, in bytes.
pub const BODY_LIMIT: usize = 1 << 20;

/// One call.
pub struct Call<'a> {
    /// What the event carries.
    pub ctx: &'a Ctx,
    /// The head of the request.
    pub head: &'a Head,
    /// The request itself, for upgrades and streamed bodies.
    pub request: &'a web_sys::Request,
    path: &'a str,
    query: &'a str,
    access: Access,
    params: matchit::Params<'a, 'a>,
}

impl<'a> Call<'a> {
    pub(super) fn new(
        ctx: &'a Ctx,
        head: &'a Head,
        request: &'a web_sys::Request,
        path: &'a str,
        query: &'a str,
        access: Access,
        params: matchit::Params<'a, 'a>,
    ) -> Self {
        Self {
            ctx,
            head,
            request,
            path,
            query,
            access,
            params,
        }
    }

    /// A part of the path as it came.
    pub fn part(&self, name: &str) -> &str {
        self.params.get(name).unwrap_or_default()
    }

    /// A header as it came; empty when it did not.
    pub fn header(&self, name: &str) -> String {
        let value = self.request.headers().get(name);
        value.ok().flatten().unwrap_or_default()
    }

    /// The query as it came.
    pub fn raw_query(&self) -> &str {
        self.query
    }

    /// A UUID in the path. One that is none names nothing: 404.
    pub fn id(&self, name: &str) -> Result<Uuid> {
        self.params
            .get(name)
            .and_then(|text| Uuid::try_parse(text).ok())
            .ok_or_else(Error::not_found)
    }

    /// A word in the path, as it was sent.
    pub fn word(&self, name: &str) -> Result<&str> {
        self.params.get(name).ok_or_else(Error::not_found)
    }

    /// Who calls, for a route whose work has a tenant.
    pub async fn scope(&self) -> Result<Scope> {
        let credential = self.credential().await?;
        let roles = self.access.roles();
        limit::count(&self.ctx.config, &credential)?;
        self.early_refusal(&credential, roles)?;
        let tenant = match self.head.tenant.as_str() {
            "" => None,
            text => Some(Uuid::try_parse(text).map_err(|_| {
                Error::malformed(
                    "invalid_tenant",
                    "The header x-tenant-id takes a tenant's id.",
                )
            })?),
        };
        Ok(Scope {
            credential,
            tenant,
            roles,
            idempotency: None,
        })
    }

    /// As [`Call::scope`], for a write whose body is `body`: honours `Idempotency-Key`.
    pub async fn writing(&self, body: &str) -> Result<Scope> {
        let mut scope = self.scope().await?;
        scope.idempotency = self.idempotency(body)?;
        Ok(scope)
    }

    /// What a role's kind alone refuses, before anything is asked: devices and guests hold one
    /// role each.
    fn early_refusal(&self, credential: &Credential, roles: &[rules::roles::Role]) -> Result<()> {
        use rules::roles::Role;
        let only = match credential {
            Credential::Device { .. } => Role::Device,
            Credential::Anonymous { .. } => Role::Anonymous,
            _ => return Ok(()),
        };
        match (roles.contains(&only), only) {
            (true, _) => Ok(()),
            (false, Role::Anonymous) => Err(Error::unauthenticated("credential_missing")),
            (false, _) => Err(Error::forbidden(
                "role_not_allowed",
                "This credential may not do this.",
            )),
        }
    }

    /// The credential alone.
    pub async fn credential(&self) -> Result<Credential> {
        token::credential(self.ctx, &self.head.authorization).await
    }

    /// Refuses who does not hold the operator token, where one is set.
    pub fn operator(&self) -> Result<()> {
        match self.ctx.config.operator_token.is_empty() || self.is_operator() {
            true => Ok(()),
            false => Err(Error::unauthenticated("operator_token_wrong")),
        }
    }

    /// Whether there is an operator token and the caller holds it.
    pub fn is_operator(&self) -> bool {
        let expected = self.ctx.config.operator_token.as_str();
        let sent = self.head.authorization.strip_prefix("Bearer ");
        let sent = sent.unwrap_or_default();
        !expected.is_empty() && crypto::same(expected.as_bytes(), sent.as_bytes())
    }

    fn idempotency(&self, body: &str) -> Result<Option<Idempotency>> {
        let Some(key) = self.idempotency_key()? else {
            return Ok(None);
        };
        Ok(Some(Idempotency {
            key: key.to_owned(),
            fingerprint: crypto::sha256_hex((self.asked() + body).as_bytes()),
        }))
    }

    fn idempotency_key(&self) -> Result<Option<&'a str>> {
        match self.head.idempotency_key.as_str() {
            "" => Ok(None),
            key => Ok(Some(rules::idempotency::key(key)?)),
        }
    }

    /// What a fingerprint begins with; the body follows.
    fn asked(&self) -> String {
        format!("{} {}?{}\n", self.head.method, self.path, self.query)
    }

    /// The body chunk by chunk, for a call whose body is too large to be held; at most `limit`
    /// bytes. Honours `Idempotency-Key`: see [`Upload::idempotency`].
    pub fn upload(&self, limit: usize) -> Result<Upload> {
        if self
            .head
            .content_length
            .parse::<usize>()
            .is_ok_and(|length| length > limit)
        {
            return Err(too_large(limit));
        }
        let key = self.idempotency_key()?;
        let asked = self.asked();
        Ok(Upload::of(
            self.request,
            limit,
            key.map(|key| (key, asked.as_str())),
        ))
    }

    /// The query, decoded into `T`.
    pub fn query<T: DeserializeOwned>(&self) -> Result<T> {
        serde_urlencoded::from_str(self.query).map_err(|error| {
            Error::malformed("invalid_query", format!("The query is not right: {error}."))
        })
    }

    /// The JSON body as text: content type, size and encoding are checked, the content is not.
    pub async fn text(&self) -> Result<String> {
        self.text_of(&["application/json"], BODY_LIMIT).await
    }

    /// The body as text, if it has one of these content types.
    pub async fn text_of(&self, types: &[&str], limit: usize) -> Result<String> {
        self.content_type(types)?;
        #[expect(clippy::cast_precision_loss, reason = "limits are far below 2^53")]
        let text = boundary::body_text(self.request, limit as f64)
            .await
            .map_err(|_| Error::malformed("not_utf8", "The body is not UTF-8 text."))?;
        text.as_string().ok_or_else(|| too_large(limit))
    }

    /// Which of the content types the body has; 415 when none.
    pub fn content_type<'t>(&self, types: &[&'t str]) -> Result<&'t str> {
        let sent = self
            .head
            .content_type
            .split(';')
            .next()
            .unwrap_or_default()
            .trim();
        types
            .iter()
            .find(|kind| kind.eq_ignore_ascii_case(sent))
            .copied()
            .ok_or_else(|| {
                Error::new(
                    415,
                    "unsupported_media_type",
                    format!("The body must be {}.", types.join(" or ")),
                )
            })
    }

    /// The JSON body of a call without a tenant.
    pub async fn body<T: DeserializeOwned>(&self) -> Result<T> {
        decode(&self.text().await?)
    }

    /// The JSON body of a call that may come without one.
    pub async fn optional_body<T: DeserializeOwned + Default>(&self) -> Result<T> {
        match (&*self.head.content_type, &*self.head.content_length) {
            ("", "" | "0") => Ok(T::default()),
            _ => self.body().await,
        }
    }

    /// The JSON body and the scope of a write.
    pub async fn write<T: DeserializeOwned>(&self) -> Result<(Scope, T)> {
        let scope = self.scope().await?;
        let text = self.text().await?;
        let idempotency = self.idempotency(&text)?;
        Ok((
            Scope {
                idempotency,
                ..scope
            },
            decode(&text)?,
        ))
    }

    /// The version `If-Match` names: none without the header or with `*`.
    pub fn if_match(&self) -> Result<Option<i64>> {
        match self.head.if_match.as_str() {
            "" | "*" => Ok(None),
            tag => tag
                .trim_matches('"')
                .parse::<i32>()
                .map(|version| Some(i64::from(version)))
                .map_err(|_| {
                    Error::new(
                        412,
                        "stale_version",
                        "If-Match names no version of this object.",
                    )
                }),
        }
    }

    /// Where this deployment is reached, as the caller did: `https://pulse.example`.
    pub fn origin(&self) -> &str {
        source::origin(&self.head.url)
    }

    /// What attempts without a credential are counted by.
    pub fn source(&self) -> String {
        source::network(&self.head.source)
    }

    /// Refuses a browser page of another site, unless its origin is on the allow-list. Sockets know
    /// no preflight, so this is asked where one is opened (ASVS 4.4.2).
    pub fn same_origin(&self) -> Result<()> {
        let origin = self.head.origin.as_str();
        let host = self.head.url.split_once("://").map_or("", |(_, rest)| rest);
        let host = host.split(['/', '?']).next().unwrap_or_default();
        let own = origin
            .split_once("://")
            .is_some_and(|(_, from)| from == host);
        let listed = self
            .ctx
            .config
            .cors_origins
            .iter()
            .any(|o| o == "*" || o == origin);
        match origin.is_empty() || own || listed {
            true => Ok(()),
            false => Err(Error::forbidden(
                "origin_not_allowed",
                "This page may not connect.",
            )),
        }
    }

    /// Whether `If-None-Match` names this version, so that 304 is enough.
    pub fn unchanged(&self, version: i64) -> bool {
        self.head
            .if_none_match
            .trim_start_matches("W/")
            .trim_matches('"')
            == version.to_string()
    }
}

/// Decodes JSON. Broken JSON is 400; sound JSON of another shape is 422 and names the field.
pub fn decode<T: DeserializeOwned>(text: &str) -> Result<T> {
    let mut json = serde_json::Deserializer::from_str(text);
    let value = serde_path_to_error::deserialize(Strict(&mut json)).map_err(|error| {
        let pointer = pointer(error.path());
        let inner = error.into_inner();
        match inner.classify() {
            serde_json::error::Category::Data => {
                let message = inner.to_string();
                let message = message.split(" at line ").next().unwrap_or_default();
                let (pointer, code) = match field_of(message, "unknown field `") {
                    // The path ends with the field that is too many.
                    Some(_) => (pointer, "unknown_field"),
                    None => match field_of(message, "missing field `") {
                        Some(field) => (format!("{pointer}/{field}"), "missing_field"),
                        None => (pointer, "wrong_type"),
                    },
                };
                rules::invalid::Invalid::one(pointer, code, format!("{message}.")).into()
            }
            _ => Error::malformed("malformed_json", format!("The body is not JSON: {inner}.")),
        }
    })?;
    json.end().map_err(|error| {
        Error::malformed("malformed_json", format!("The body is not JSON: {error}."))
    })?;
    Ok(value)
}

fn field_of<'m>(message: &'m str, prefix: &str) -> Option<&'m str> {
    message.strip_prefix(prefix)?.split('`').next()
}

fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    path.iter().fold(String::new(), |mut pointer, segment| {
        pointer.push('/');
        match segment {
            Segment::Seq { index } => pointer.push_str(&index.to_string()),
            Segment::Map { key } => pointer.push_str(&key.replace('~', "~0").replace('/', "~1")),
            Segment::Enum { variant } => pointer.push_str(variant),
            Segment::Unknown => pointer.push('?'),
        }
        pointer
    })
}
