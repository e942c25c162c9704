//! What happens to a run when the one before is not finished.
//!
//! Invariant: with nothing unfinished, a run starts. Only `allow` has two at once.
//! Failure: none.

use serde::{Deserialize, Serialize};

/// What to do when a run is due and earlier ones are not finished.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum Overlap {
    /// Leave it out.
    #[default]
    Skip,
    /// Let one wait until they are finished; leave out what comes meanwhile.
    BufferOne,
    /// Cancel them.
    CancelOther,
    /// Run beside them.
    Allow,
}

/// Runs that are not finished.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unfinished {
    /// Created or running.
    pub active: u32,
    /// Waiting for those.
    pub buffered: u32,
}

/// What becomes of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = OverlapDecision))]
pub enum Decision {
    /// It starts.
    Start,
    /// It is left out, and counted.
    Skip,
    /// It waits until the others are finished.
    Buffer,
    /// The others are cancelled and it starts.
    CancelOthersAndStart,
}

/// What the policy says to a run that is due now.
pub fn overlap(policy: Overlap, unfinished: Unfinished) -> Decision {
    let Unfinished { active, buffered } = unfinished;
    match policy {
        _ if active == 0 && buffered == 0 => Decision::Start,
        Overlap::Allow => Decision::Start,
        Overlap::CancelOther => Decision::CancelOthersAndStart,
        Overlap::BufferOne if buffered == 0 => Decision::Buffer,
        Overlap::BufferOne | Overlap::Skip => Decision::Skip,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_policy_does_what_it_says() {
        use Decision::{Buffer, CancelOthersAndStart, Skip, Start};
        for (active, buffered, expected) in [
            (0, 0, [Start, Start, Start, Start]),
            (1, 0, [Skip, Buffer, CancelOthersAndStart, Start]),
            (1, 1, [Skip, Skip, CancelOthersAndStart, Start]),
            (0, 1, [Skip, Skip, CancelOthersAndStart, Start]),
            (5, 0, [Skip, Buffer, CancelOthersAndStart, Start]),
        ] {
            let policies = [
                Overlap::Skip,
                Overlap::BufferOne,
                Overlap::CancelOther,
                Overlap::Allow,
            ];
            let decided = policies.map(|policy| overlap(policy, Unfinished { active, buffered }));
            assert_eq!(decided, expected, "{active} {buffered}");
        }
    }

    #[test]
    fn the_default_is_to_skip_and_names_are_snake_case() {
        assert_eq!(Overlap::default(), Overlap::Skip);
        let json = serde_json::to_string(&[Overlap::BufferOne, Overlap::CancelOther]).unwrap();
        assert_eq!(json, r#"["buffer_one","cancel_other"]"#);
    }
}
