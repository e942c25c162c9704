//! Who scans: the actor, the paired device, the person holding it.
//!
//! Invariant: a caller was authenticated before; nothing here decides who may call.
//! Failure: none.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What kind of credential acted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum ActorKind {
    User,
    Key,
    Device,
    Anonymous,
    System,
}

/// Who acted, as it is kept in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// The kind of credential.
    pub kind: ActorKind,
    /// The user, key or device.
    pub id: Uuid,
}

/// The person holding the scanner, as they named themselves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Scanner {
    /// 1 to 200 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// At most 254 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
}

/// Who asks for a scan or an annulment.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Who acts.
    pub actor: Actor,
    /// The scanner session, for a paired device.
    pub session_id: Option<Uuid>,
    /// The guest's phone whose queue this caller brings.
    pub guest_device: Option<Uuid>,
    /// The session's name.
    pub device: Option<String>,
    /// Where that session stands; a scan may name another gate.
    pub gate: Option<String>,
    /// Who holds the device; a scan may name another person.
    pub scanner: Option<Scanner>,
    /// The role is manager or above.
    pub manager: bool,
}

/// A scanner session whose queue somebody brings.
#[derive(Clone, Debug)]
pub struct Session {
    /// The session.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub gate: Option<String>,
    /// Who holds its device.
    pub scanner: Option<Scanner>,
}

impl Caller {
    /// May this caller bring what the device of a session queued? A device its own, a manager
    /// anyone's, such as that of a revoked device.
    pub fn may_bring(&self, session: Uuid) -> bool {
        self.manager || self.session_id == Some(session)
    }

    /// The same actor with what a session's device queued: nonces, name and gate are that
    /// device's, so nothing that it delivered itself is recorded again.
    pub fn bringing(&self, session: Session) -> Self {
        Self {
            actor: self.actor,
            session_id: Some(session.id),
            guest_device: None,
            device: Some(session.name),
            gate: session.gate,
            scanner: session.scanner,
            manager: self.manager,
        }
    }

    /// The same actor with what a guest's phone queued, which is no session's.
    pub fn bringing_guests(&self, device: Uuid) -> Self {
        Self {
            guest_device: Some(device),
            ..self.clone()
        }
    }

    /// What nonces and "the same device" are scoped to: the session, the guest's phone whose queue
    /// is brought, or the actor without either.
    pub fn origin(&self) -> Uuid {
        let device = self.session_id.or(self.guest_device);
        device.unwrap_or(self.actor.id)
    }

    /// Guests' e-mail addresses are not for anonymous scanners.
    pub fn sees_email(&self) -> bool {
        self.actor.kind != ActorKind::Anonymous
    }
}
