//! What a tenant may take in a day of what belongs to the whole deployment: tokens of its model, mails
//! of its channel.
//!
//! Invariant: days are those of UTC, and each tenant has its own. What is a tenant's own is never
//! counted.
//! Failure: a budget that cannot be read is the usual one, not none.

/// How much a tenant may take in a day; none: as much as it likes.
pub type Budget = Option<u64>;

/// Tokens of the deployment's model, unless the deployment says otherwise: ten of the largest
/// reports.
pub const TOKENS: u64 = 2_000_000;
/// Mails by the deployment's channel, unless the deployment says otherwise.
pub const MAILS: u64 = 1_000;

/// Reads a budget: a number, or `off` for none.
pub fn parse(text: &str, usual: u64) -> Budget {
    match text.trim() {
        "off" => None,
        text => Some(text.parse().unwrap_or(usual)),
    }
}

/// Whether there is something left of it.
pub fn is_open(budget: Budget, spent: u64) -> bool {
    budget.is_none_or(|budget| spent < budget)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_a_number_or_off_and_never_none_by_mistake() {
        assert_eq!(parse("500", MAILS), Some(500));
        assert_eq!(parse(" 0 ", MAILS), Some(0));
        assert_eq!(parse("off", MAILS), None);
        for unread in ["", "-1", "many", "1e9", "OFF"] {
            assert_eq!(parse(unread, MAILS), Some(MAILS), "{unread}");
        }
    }

    #[test]
    fn it_is_open_until_it_is_spent() {
        assert!(is_open(Some(10), 9) && is_open(None, u64::MAX));
        assert!(!is_open(Some(10), 10) && !is_open(Some(0), 0));
    }
}
