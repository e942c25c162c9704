//! What each kind of channel is set up with: one table.
//!
//! Invariant: a secret is listed as one here and nowhere else; what is not listed is refused.
//! Failure: none.

use super::super::channel::Kind;

/// What a setting looks like.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    /// A line of text, at most so long.
    Text(usize),
    /// A credential: visible ASCII, at most so long.
    Credential(usize),
    /// Letters, digits, hyphens and underscores behind this beginning.
    Name(&'static str),
    /// One of these.
    Choice(&'static [&'static str]),
    /// An e-mail address.
    Email,
    /// `{"email": …, "name": …}`.
    Mailbox,
    /// A phone number, or a name of 1 to 11 letters and digits.
    Sender,
    /// A host of the internet.
    Host,
    /// A port.
    Port,
    /// An address that may be called.
    Url,
    /// The signing secret of Standard Webhooks: `whsec_…`.
    SigningSecret,
    /// The address of a provider's API: where private addresses may be called, for tests.
    Base,
}

/// One setting.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// What it looks like.
    pub shape: Shape,
    /// Whether it must be there.
    pub required: bool,
    /// Whether it is sealed and never shown.
    pub secret: bool,
}

const fn must(name: &'static str, shape: Shape) -> Field {
    Field {
        name,
        shape,
        required: true,
        secret: false,
    }
}

const fn may(name: &'static str, shape: Shape) -> Field {
    Field {
        required: false,
        ..must(name, shape)
    }
}

const fn secret(field: Field) -> Field {
    Field {
        secret: true,
        ..field
    }
}

const FROM: Field = must("from", Shape::Mailbox);
const REPLY_TO: Field = may("reply_to", Shape::Email);
const BASE: Field = may("base_url", Shape::Base);
const API_KEY: Field = secret(must("api_key", Shape::Credential(500)));
const URL: Field = must("url", Shape::Url);

/// How a mail server is talked to.
pub const SECURITY: &[&str] = &["tls", "starttls", "none"];

/// The settings of a kind.
pub const fn of(kind: Kind) -> &'static [Field] {
    match kind {
        Kind::Default | Kind::Outbox => &[],
        Kind::Smtp => {
            const {
                &[
                    must("host", Shape::Host),
                    may("port", Shape::Port),
                    may("security", Shape::Choice(SECURITY)),
                    may("username", Shape::Text(320)),
                    secret(may("password", Shape::Text(500))),
                    FROM,
                    REPLY_TO,
                ]
            }
        }
        Kind::Sendgrid => {
            const {
                &[
                    API_KEY,
                    may("region", Shape::Choice(&["global", "eu"])),
                    may("events_key", Shape::Credential(500)),
                    FROM,
                    REPLY_TO,
                    BASE,
                ]
            }
        }
        Kind::Ses => {
            const {
                &[
                    must("region", Shape::Name("")),
                    must("access_key_id", Shape::Name("")),
                    secret(must("secret_access_key", Shape::Credential(200))),
                    may("configuration_set", Shape::Name("")),
                    may("topic_arn", Shape::Credential(300)),
                    FROM,
                    REPLY_TO,
                    BASE,
                ]
            }
        }
        Kind::Resend => {
            const {
                &[
                    API_KEY,
                    secret(may("events_secret", Shape::SigningSecret)),
                    FROM,
                    REPLY_TO,
                    BASE,
                ]
            }
        }
        Kind::CloudflareEmail => {
            const {
                &[
                    must("account_id", Shape::Name("")),
                    secret(must("api_token", Shape::Credential(500))),
                    FROM,
                    REPLY_TO,
                    BASE,
                ]
            }
        }
        Kind::Slack | Kind::Teams => const { &[secret(URL)] },
        Kind::Twilio => {
            const {
                &[
                    must("account_sid", Shape::Name("AC")),
                    secret(must("auth_token", Shape::Credential(200))),
                    may("from", Shape::Sender),
                    may("messaging_service_sid", Shape::Name("MG")),
                    BASE,
                ]
            }
        }
        Kind::Webhook => const { &[URL] },
        Kind::Pagerduty => {
            const {
                &[
                    secret(must("routing_key", Shape::Credential(100))),
                    may("region", Shape::Choice(&["us", "eu"])),
                    BASE,
                ]
            }
        }
        Kind::Opsgenie => const { &[API_KEY, may("region", Shape::Choice(&["us", "eu"])), BASE] },
    }
}
