//! Who is told of what, and how fast.
//!
//! Modelled on Alertmanager's tree, flattened: routes are a list, tried in order, and either the
//! first that matches decides or all that match do ([`Mode`]). There is no route that catches
//! everything unless one is made without matchers: what no route matches is recorded and shown, and
//! nobody is told. Messages are grouped by incident, not by labels that one must choose.
//!
//! Invariant: every wait has a bound; the steps of an escalation come one after the other.
//! Failure: refused at the pointer of the field.

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::matcher::Matchers;
use super::target::{Severity, Subject};
use crate::email;
use crate::invalid::Invalid;
use crate::name;
use crate::phone;

/// Longest name, in characters.
pub const NAME: usize = 120;
/// Most receivers of a route, and of a step.
pub const RECEIVERS: usize = 20;
/// Most steps of an escalation.
pub const STEPS: usize = 5;
/// Most routes of a tenant.
pub const PER_TENANT: usize = 100;
/// The last place among routes that can be asked for.
pub const LAST: u32 = 100_000;
/// Longest wait for the rest of a group, in seconds.
pub const GROUP_WAIT: u32 = 3_600;
/// Longest time between two messages about a group, in seconds.
pub const GROUP_INTERVAL: u32 = 86_400;
/// Shortest time between repeats, in seconds.
pub const REPEAT_LEAST: u32 = 300;
/// Longest time between repeats, in seconds.
pub const REPEAT_MOST: u32 = 30 * 86_400;
/// Earliest step of an escalation, in seconds.
pub const STEP_LEAST: u32 = 60;
/// Latest step of an escalation, in seconds.
pub const STEP_MOST: u32 = 7 * 86_400;

/// Where messages go.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = AlertReceiver))]
pub struct Receiver {
    /// The channel; the tenant's default unless given.
    #[serde(default)]
    pub channel_id: Option<Uuid>,
    /// An e-mail address or phone number, where the channel sends to such.
    #[serde(default)]
    pub address: Option<String>,
}

/// A step of an escalation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = EscalationStep))]
pub struct Step {
    /// How long after the first message, unless somebody acknowledged.
    pub after_seconds: u32,
    /// Who is told then.
    pub receivers: Vec<Receiver>,
}

/// A route as it is asked for and stored. The waits are those of Alertmanager unless given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = RouteSettings))]
pub struct Settings {
    /// Its name.
    pub name: String,
    /// What it is about; everything if nothing is named.
    pub matchers: Matchers,
    /// Who is told.
    pub receivers: Vec<Receiver>,
    /// How long the first message about an incident waits for what else fails.
    pub group_wait_seconds: u32,
    /// How far apart messages about the same incident are at least. What got worse does not wait.
    pub group_interval_seconds: u32,
    /// How far apart repeats are; never with null.
    pub repeat_interval_seconds: Option<u32>,
    /// Who else is told while nobody acknowledges.
    pub escalation: Vec<Step>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            name: String::new(),
            matchers: Matchers::default(),
            receivers: Vec::new(),
            group_wait_seconds: 30,
            group_interval_seconds: 300,
            repeat_interval_seconds: Some(4 * 3_600),
            escalation: Vec::new(),
        }
    }
}

/// Which of the routes that match decide.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = RouteMode))]
pub enum Mode {
    /// The first.
    #[default]
    First,
    /// All.
    All,
}

/// A route in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Its identifier.
    pub id: Uuid,
    /// What it is set to.
    pub settings: Settings,
}

/// All routes of a tenant, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Routes {
    /// Which decide.
    pub mode: Mode,
    /// In the order they are tried.
    pub routes: Vec<Route>,
}

impl Routes {
    /// The routes of such an alert, each with its place.
    pub fn of<'a>(
        &'a self,
        subject: &'a Subject,
        severity: Severity,
    ) -> impl Iterator<Item = (usize, &'a Route)> {
        let most = match self.mode {
            Mode::First => 1,
            Mode::All => usize::MAX,
        };
        let matches =
            move |(_, route): &(usize, &Route)| route.settings.matchers.matches(subject, severity);
        self.routes.iter().enumerate().filter(matches).take(most)
    }
}

impl Route {
    /// How long the first message waits.
    pub fn group_wait(&self) -> TimeDelta {
        TimeDelta::seconds(self.settings.group_wait_seconds.into())
    }

    /// How far apart messages are.
    pub fn group_interval(&self) -> TimeDelta {
        TimeDelta::seconds(self.settings.group_interval_seconds.into())
    }

    /// How far apart repeats are.
    pub fn repeat_interval(&self) -> Option<TimeDelta> {
        let seconds = self.settings.repeat_interval_seconds?;
        Some(TimeDelta::seconds(seconds.into()))
    }
}

impl Step {
    /// How long after the first message.
    pub fn after(&self) -> TimeDelta {
        TimeDelta::seconds(self.after_seconds.into())
    }
}

/// Checks the place that was asked for.
pub fn place(position: Option<u32>) -> Result<Option<u32>, Invalid> {
    if position.is_some_and(|position| position > LAST) {
        let message = format!("Must be from 0 to {LAST}.");
        return Err(Invalid::one("/position", "out_of_range", message));
    }
    Ok(position)
}

/// Checks what was asked for; answers what is stored. Whether the channels are there, and take such
/// addresses, only the database knows.
pub fn check(given: Settings) -> Result<Settings, Invalid> {
    let mut invalid = Invalid::default();
    let name = invalid.take(name::parse("/name", &given.name, NAME));
    let matchers = invalid.take(given.matchers.check("/matchers"));
    let receivers = receivers("/receivers", given.receivers, &mut invalid);
    let mut within = |pointer: &str, seconds: u32, least: u32, most: u32| {
        if !(least..=most).contains(&seconds) {
            let message = format!("Must be from {least} to {most}.");
            invalid.add(pointer, "out_of_range", message);
        }
    };
    within(
        "/group_wait_seconds",
        given.group_wait_seconds,
        0,
        GROUP_WAIT,
    );
    within(
        "/group_interval_seconds",
        given.group_interval_seconds,
        0,
        GROUP_INTERVAL,
    );
    if let Some(seconds) = given.repeat_interval_seconds {
        within(
            "/repeat_interval_seconds",
            seconds,
            REPEAT_LEAST,
            REPEAT_MOST,
        );
    }
    let escalation = steps(given.escalation, &mut invalid);
    invalid.or(Settings {
        name: name.unwrap_or_default(),
        matchers: matchers.unwrap_or_default(),
        receivers,
        escalation,
        ..given
    })
}

fn steps(given: Vec<Step>, invalid: &mut Invalid) -> Vec<Step> {
    if given.len() > STEPS {
        let message = format!("An escalation has at most {STEPS} steps.");
        invalid.add("/escalation", "too_many", message);
    }
    let mut kept: Vec<Step> = Vec::with_capacity(given.len());
    for (place, step) in given.into_iter().enumerate() {
        let pointer = format!("/escalation/{place}");
        let least = kept
            .last()
            .map_or(STEP_LEAST, |before| before.after_seconds.saturating_add(1));
        if !(least..=STEP_MOST).contains(&step.after_seconds) {
            let message =
                format!("Must be from {least} to {STEP_MOST}: steps come one after the other.");
            invalid.add(format!("{pointer}/after_seconds"), "out_of_range", message);
        }
        let receivers = receivers(&format!("{pointer}/receivers"), step.receivers, invalid);
        kept.push(Step { receivers, ..step });
    }
    kept
}

/// The receivers, each once.
fn receivers(pointer: &str, given: Vec<Receiver>, invalid: &mut Invalid) -> Vec<Receiver> {
    if given.is_empty() {
        invalid.add(pointer, "required", "Must name at least one receiver.");
    }
    if given.len() > RECEIVERS {
        let message = format!("Must name at most {RECEIVERS} receivers.");
        invalid.add(pointer, "too_many", message);
    }
    let mut kept: Vec<Receiver> = Vec::with_capacity(given.len());
    for (place, receiver) in given.into_iter().enumerate() {
        let pointer = format!("{pointer}/{place}");
        let given = receiver
            .address
            .as_deref()
            .map(str::trim)
            .filter(|text| !text.is_empty());
        if given.is_none() && receiver.channel_id.is_none() {
            invalid.add(
                &pointer,
                "required",
                "Must have a channel_id, an address, or both.",
            );
            continue;
        }
        let address = given.map(|text| match text.starts_with('+') && !text.contains('@') {
            true => phone::parse(&format!("{pointer}/address"), text),
            false => email::parse(&format!("{pointer}/address"), text),
        });
        let address = address.and_then(|address| invalid.take(address));
        let receiver = Receiver {
            address,
            ..receiver
        };
        if !kept.iter().any(|known| known.key() == receiver.key()) {
            kept.push(receiver);
        }
    }
    kept
}

impl Receiver {
    /// The same for receivers that are the same: letter case of an address does not matter.
    pub fn key(&self) -> (Option<Uuid>, Option<String>) {
        (self.channel_id, self.address.as_deref().map(email::key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn given(json: serde_json::Value) -> Settings {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn what_is_not_given_is_as_in_alertmanager() {
        let channel = Uuid::from_u128(1);
        let kept = check(given(
            json!({"name": " On call ", "receivers": [{"channel_id": channel}]}),
        ));
        let kept = kept.unwrap();
        assert_eq!(kept.name, "On call");
        let waits = (
            kept.group_wait_seconds,
            kept.group_interval_seconds,
            kept.repeat_interval_seconds,
        );
        assert_eq!(waits, (30, 300, Some(14_400)));
        let never = given(json!({"repeat_interval_seconds": null}));
        assert_eq!(never.repeat_interval_seconds, None);
        let stored = serde_json::to_value(&kept).unwrap();
        assert_eq!(check(given(stored)).unwrap(), kept);
    }

    #[test]
    fn receivers_are_kept_once() {
        let channel = Uuid::from_u128(1);
        let kept = check(given(json!({
            "name": "x",
            "receivers": [
                {"channel_id": channel, "address": " ada@example.org "},
                {"channel_id": channel, "address": "Ada@Example.org"},
                {"address": "ada@example.org"},
                {"channel_id": channel, "address": ""},
                {"channel_id": channel, "address": "+1 415 555 0123"},
            ],
        })));
        let kept: Vec<_> = kept
            .unwrap()
            .receivers
            .into_iter()
            .map(|one| (one.channel_id, one.address))
            .collect();
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(
            kept,
            [
                (Some(channel), text("ada@example.org")),
                (None, text("ada@example.org")),
                (Some(channel), None),
                (Some(channel), text("+14155550123")),
            ]
        );
    }

    #[test]
    fn every_wrong_field_is_named() {
        let channel = Uuid::from_u128(1);
        let errors = check(given(json!({
            "name": " ",
            "matchers": {"labels": {"1": ["x"]}},
            "receivers": [{}, {"address": "ada"}],
            "group_wait_seconds": 3_601,
            "group_interval_seconds": 86_401,
            "repeat_interval_seconds": 299,
            "escalation": [
                {"after_seconds": 59, "receivers": [{"channel_id": channel}]},
                {"after_seconds": 600, "receivers": []},
                {"after_seconds": 600, "receivers": [{"channel_id": channel}]},
            ],
        })));
        let errors = errors.unwrap_err().errors;
        let told: Vec<_> = errors
            .iter()
            .map(|e| (e.pointer.as_str(), e.code.as_str()))
            .collect();
        assert_eq!(
            told,
            [
                ("/name", "required"),
                ("/matchers/labels/1", "invalid_label"),
                ("/receivers/0", "required"),
                ("/receivers/1/address", "invalid_email"),
                ("/group_wait_seconds", "out_of_range"),
                ("/group_interval_seconds", "out_of_range"),
                ("/repeat_interval_seconds", "out_of_range"),
                ("/escalation/0/after_seconds", "out_of_range"),
                ("/escalation/1/receivers", "required"),
                ("/escalation/2/after_seconds", "out_of_range"),
            ]
        );
        let many = vec![json!({"channel_id": channel}); RECEIVERS + 1];
        let errors = check(given(json!({"name": "x", "receivers": many})))
            .unwrap_err()
            .errors;
        assert_eq!(
            (errors[0].pointer.as_str(), errors[0].code.as_str()),
            ("/receivers", "too_many")
        );
        assert!(serde_json::from_value::<Settings>(json!({"group_wait": 30})).is_err());
    }
}
