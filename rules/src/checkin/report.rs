//! What a device reports of a scan that it decided without a connection.
//!
//! Invariant: a report says whom the device took the guest for, so what it becomes does not depend
//! on what the code means when it comes, or on whether the guest is known by then.
//! Failure: every wrong field is reported with its JSON pointer.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::entry::{Entry, NewRow};
use super::guest::{MAX_PARTY, is_one, one};
use super::scan::ScanIn;
use super::verdict::{Reason, Verdict};
use crate::invalid::Invalid;
use crate::name;

/// What a device without a connection told the guest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Offline {
    /// `accepted` means that the guest went through.
    pub verdict: Verdict,
    /// Why not, with the other verdicts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// Whom the device took the holder of `barcode` for. The code may mean somebody else, several
    /// guests or nobody by the time the report comes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row_id: Option<Uuid>,
    /// Who that is, of a walk-in that the device itself let in: their own report may come later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guest: Option<ReportedGuest>,
}

/// A guest as the device knew them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ReportedGuest {
    /// Display name, 1 to 200 characters.
    pub name: String,
    /// Ticket category, at most 80 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// How many people the ticket is for, 1 to 1,000.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub party: u16,
}

impl Offline {
    /// What was told, and nothing else.
    pub fn told(verdict: Verdict, reason: Option<Reason>) -> Self {
        Self {
            verdict,
            reason,
            row_id: None,
            guest: None,
        }
    }

    /// The guest went through.
    pub fn admitted(&self) -> bool {
        self.verdict == Verdict::Accepted
    }

    /// The guest was turned away because the device could not tell who they are. Then the code may
    /// mean somebody here, whom the device did not see.
    pub(super) fn of_nobody(&self) -> bool {
        let unknown = matches!(self.reason, Some(Reason::UnknownCode | Reason::Ambiguous));
        !self.admitted() && unknown && self.row_id.is_none()
    }

    /// Checks what came in.
    pub(super) fn parse(self, invalid: &mut Invalid) -> Self {
        if self.verdict == Verdict::Refused && self.reason.is_none() {
            invalid.add("/offline/reason", "required", "Say why it was refused.");
        }
        let guest = self.guest.map(|guest| guest.parse(invalid));
        Self { guest, ..self }
    }
}

impl ReportedGuest {
    fn parse(self, invalid: &mut Invalid) -> Self {
        let category = self.category.as_deref();
        let category = name::optional("/offline/guest/category", category, 80);
        if !(1..=MAX_PARTY).contains(&self.party) {
            invalid.add(
                "/offline/guest/party",
                "out_of_range",
                "A whole number, 1 to 1000.",
            );
        }
        Self {
            name: invalid
                .take(name::parse("/offline/guest/name", &self.name, 200))
                .unwrap_or_default(),
            category: invalid.take(category).flatten(),
            party: self.party,
        }
    }
}

impl From<&NewRow> for ReportedGuest {
    fn from(row: &NewRow) -> Self {
        Self {
            name: row.name.clone(),
            category: row.category.clone(),
            party: row.party,
        }
    }
}

impl ScanIn {
    /// This scan as its device reports it, which decided it by `entry`. `made` is the row that the
    /// device itself made of the guest, if it did.
    pub fn report(self, entry: &Entry, made: Option<&NewRow>) -> Self {
        let by_code = self.barcode.is_some();
        let several = entry.people > 1 || entry.party > 1;
        let told = Offline {
            verdict: entry.verdict,
            reason: entry.reason,
            row_id: entry.row_id.filter(|_| by_code),
            guest: made
                .filter(|_| self.walk_in.is_none())
                .map(ReportedGuest::from),
        };
        Self {
            // How many went is the device's to say: the room that it saw may not be there any more.
            people: several.then_some(entry.people).or(self.people),
            offline: Some(told),
            ..self
        }
    }
}
