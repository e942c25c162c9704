//! The kinds of channels and what is true of each.
//!
//! Invariant: the database knows the same of them (`app.address_kind`, `app.key_life`).
//! Failure: none.

use serde::{Deserialize, Serialize};

/// How a message reaches its recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum Kind {
    /// The e-mail of the deployment: the outbox, unless it says otherwise.
    Default,
    /// Kept to be read here.
    Outbox,
    /// E-mail through a mail server.
    Smtp,
    /// E-mail through Twilio SendGrid.
    Sendgrid,
    /// E-mail through Amazon SES.
    Ses,
    /// E-mail through Resend.
    Resend,
    /// E-mail through Cloudflare Email Service.
    CloudflareEmail,
    /// A Slack channel.
    Slack,
    /// A Microsoft Teams channel.
    Teams,
    /// SMS through Twilio.
    Twilio,
    /// A signed request to an address.
    Webhook,
    /// A PagerDuty service.
    Pagerduty,
    /// An Opsgenie integration.
    Opsgenie,
}

/// What a kind sends to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Address {
    /// An e-mail address.
    Email,
    /// A phone number, E.164.
    Phone,
    /// Nothing: it is one place.
    None,
}

impl Kind {
    /// Every kind.
    #[rustfmt::skip]
    pub const ALL: &'static [Self] = &[
        Self::Default, Self::Outbox, Self::Smtp, Self::Sendgrid, Self::Ses, Self::Resend,
        Self::CloudflareEmail, Self::Slack, Self::Teams, Self::Twilio, Self::Webhook,
        Self::Pagerduty, Self::Opsgenie,
    ];

    /// The stable name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Outbox => "outbox",
            Self::Smtp => "smtp",
            Self::Sendgrid => "sendgrid",
            Self::Ses => "ses",
            Self::Resend => "resend",
            Self::CloudflareEmail => "cloudflare_email",
            Self::Slack => "slack",
            Self::Teams => "teams",
            Self::Twilio => "twilio",
            Self::Webhook => "webhook",
            Self::Pagerduty => "pagerduty",
            Self::Opsgenie => "opsgenie",
        }
    }

    /// What it sends to.
    pub const fn address(self) -> Address {
        match self {
            Self::Default
            | Self::Outbox
            | Self::Smtp
            | Self::Sendgrid
            | Self::Ses
            | Self::Resend
            | Self::CloudflareEmail => Address::Email,
            Self::Twilio => Address::Phone,
            Self::Slack | Self::Teams | Self::Webhook | Self::Pagerduty | Self::Opsgenie => {
                Address::None
            }
        }
    }

    /// Whether its receiver knows a repeat by its key, at least for a while.
    pub const fn keyed(self) -> bool {
        matches!(
            self,
            Self::Outbox | Self::Resend | Self::Webhook | Self::Pagerduty | Self::Opsgenie
        )
    }

    /// Whether it can be what a tenant's messages go out by when nothing else is said.
    pub const fn may_be_default(self) -> bool {
        matches!(self.address(), Address::Email)
    }

    /// Whether the deployment can use it for all tenants.
    pub const fn may_be_deployments(self) -> bool {
        self.may_be_default() && !matches!(self, Self::Default)
    }
}

/// The key under which a receiver knows a repeat; `number` grows when a person has it sent anew.
pub fn key(delivery: uuid::Uuid, number: u32) -> String {
    match number {
        0 => format!("msg_{}", delivery.simple()),
        _ => format!("msg_{}_{number}", delivery.simple()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn names_are_those_of_the_wire() {
        for kind in Kind::ALL {
            let json = serde_json::to_value(kind).unwrap();
            assert_eq!(json, kind.as_str());
            assert_eq!(serde_json::from_value::<Kind>(json).unwrap(), *kind);
        }
    }

    #[test]
    fn a_key_is_plain_and_differs_by_delivery_and_number() {
        let (one, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let keys = [key(one, 0), key(one, 1), key(other, 0)];
        assert_eq!(
            keys.iter().collect::<std::collections::BTreeSet<_>>().len(),
            3
        );
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
        assert!(
            keys.iter()
                .all(|key| key.chars().all(plain) && key.len() <= 64)
        );
    }
}
