//! Close codes.
//!
//! Invariant: below 3500 the client reconnects, with full-jitter backoff, and recovers; from 3500
//! on it stops.
//! Failure: none.

/// A code and the reason sent with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Close {
    /// WebSocket close code.
    pub code: u16,
    /// Stable text, at most 123 bytes.
    pub reason: &'static str,
}

impl Close {
    /// Whether the client should come back.
    pub const fn reconnect(&self) -> bool {
        self.code < 3_500
    }
}

/// The object is going away (a deploy, a restart).
pub const RESTART: Close = Close {
    code: 3_001,
    reason: "restart",
};
/// The token expired and was not refreshed in time: connect again with a new one.
pub const EXPIRED: Close = Close {
    code: 3_005,
    reason: "expired",
};
/// The reader did not keep up: connect again and recover.
pub const SLOW: Close = Close {
    code: 3_008,
    reason: "slow",
};
/// The user, device or session was revoked, or the token was never good.
pub const REVOKED: Close = Close {
    code: 3_500,
    reason: "revoked",
};
/// A frame broke the protocol.
pub const MALFORMED: Close = Close {
    code: 3_501,
    reason: "malformed frame",
};
/// No token within 10 s.
pub const NO_TOKEN: Close = Close {
    code: 3_502,
    reason: "no token",
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_below_3500_reconnect() {
        assert!([RESTART, EXPIRED, SLOW].iter().all(Close::reconnect));
        assert!(![REVOKED, MALFORMED, NO_TOKEN].iter().any(Close::reconnect));
    }
}
