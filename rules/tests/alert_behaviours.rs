//! What a team sees of alerts, one claim at a time. The standing is written to JSON and read back
//! between any two evaluations, so all of it holds across restarts.

mod alert_support;

use alert_support::*;
use rules::alert::notify::{News, Reason};
use rules::alert::route::Step;
use rules::alert::*;

fn policy(for_: i64, keep: i64) -> Policy {
    Policy {
        for_: secs(for_),
        keep_firing_for: secs(keep),
        hysteresis: 0.0,
    }
}

#[test]
fn one_breach_is_pending_and_told_once_when_its_time_has_passed() {
    let mut world = World::new(policy(120, 0), [check(1)]);
    for at in [0, 60] {
        assert!(world.see(at, &[(check(1), fails())]).is_empty());
        assert_eq!(world.alert(check(1)).unwrap().state, State::Pending);
    }
    assert!(
        world.see(120, &[(check(1), fails())]).is_empty(),
        "waits for what else fails"
    );
    assert_eq!(world.next, Some(t(150)));
    let sent = world.pass(121, 600, 10);
    assert_eq!(news(&sent), [[News::Fired]]);
    assert_eq!(sent[0].at, t(151));
    assert_eq!(world.whats(), [What::Pending, What::Fired]);
}

#[test]
fn a_breach_that_goes_away_in_time_is_as_if_it_had_never_been() {
    let mut world = World::new(policy(120, 0), [check(1)]);
    world.see(0, &[(check(1), fails())]);
    world.see(60, &[(check(1), well())]);
    assert_eq!(world.standing, Standing::default());
    world.see(120, &[(check(1), fails())]);
    world.pass(121, 239, 10);
    assert!(world.sent.is_empty());
    assert_eq!(world.whats(), [What::Pending, What::Cleared, What::Pending]);
}

#[test]
fn a_hundred_breaching_runs_are_one_notification_and_repeats() {
    let mut world = World::new(policy(0, 0), [check(1)]);
    world.routes.routes[0].settings.repeat_interval_seconds = Some(1_800);
    for run in 0..100 {
        world.see(60 * run, &[(check(1), fails())]);
    }
    let reasons: Vec<_> = world
        .sent
        .iter()
        .map(|one| (one.reason, one.number))
        .collect();
    let repeats = (2..=4).map(|number| (Reason::Repeat, number));
    let expected: Vec<_> = [(Reason::News, 1)].into_iter().chain(repeats).collect();
    assert_eq!(reasons, expected);
    assert_eq!(world.alert(check(1)).unwrap().breaches, 100);
    assert_eq!(world.whats(), [What::Fired]);
}

#[test]
fn a_recovery_within_keep_firing_is_no_flap() {
    let mut world = World::new(policy(0, 300), [check(1)]);
    world.see(0, &[(check(1), fails())]);
    for run in 1..40 {
        let seen = if run % 5 == 0 { fails() } else { well() };
        world.see(60 * run, &[(check(1), seen)]);
    }
    assert_eq!(world.whats(), [What::Fired]);
    assert_eq!(news(&world.sent), [[News::Fired]]);
    // The last breach was at 35 minutes; well since the 36th.
    assert_eq!(world.next, Some(t(41 * 60)));
    world.pass(40 * 60, 60 * 60, 30);
    assert_eq!(world.whats(), [What::Fired, What::Resolved]);
    assert_eq!(news(&world.sent), [[News::Fired], [News::Resolved]]);
}

#[test]
fn an_alert_is_told_resolved_exactly_once() {
    let mut world = World::new(policy(0, 0), [check(1)]);
    world.see(0, &[(check(1), fails())]);
    world.pass(30, 600, 30);
    for run in 11..60 {
        world.see(60 * run, &[(check(1), well())]);
    }
    assert_eq!(news(&world.sent), [[News::Fired], [News::Resolved]]);
    assert!(world.sent[1].over && !world.sent[0].over);
    assert!(world.standing.incidents.is_empty());
    // Said by hand as well, it is over already.
    world.act(|standing| assert_eq!(act::resolve(&mut standing.alerts[0], t(9_000)), Ok(None)));
    world.pass(9_000, 20_000, 300);
    assert_eq!(world.sent.len(), 2);
}

#[test]
fn what_is_over_before_it_was_told_is_never_told() {
    let mut world = World::new(policy(0, 0), [check(1)]);
    world.see(0, &[(check(1), fails())]);
    world.see(20, &[(check(1), well())]);
    world.pass(20, 3_600, 10);
    assert!(world.sent.is_empty());
    assert_eq!(world.whats(), [What::Fired, What::Resolved]);
}

#[test]
fn a_silence_mutes_expires_and_keeps_recording() {
    let mut world = World::new(policy(0, 0), [check(1), check(2)]);
    world.silences = vec![silence(0, 0, 1_000)];
    world.see(10, &[(check(1), fails()), (check(2), fails())]);
    for run in 1..16 {
        world.see(10 + 60 * run, &[(check(1), fails())]);
    }
    world.see(950, &[(check(2), well())]);
    assert!(world.sent.is_empty());
    assert_eq!(world.alert(check(1)).unwrap().breaches, 16, "recorded");
    assert_eq!(world.whats(), [What::Fired, What::Fired, What::Resolved]);
    assert_eq!(world.next, Some(t(1_000)));
    let sent = world.pass(1_000, 3_000, 10);
    assert_eq!(
        news(&sent),
        [[News::Fired]],
        "what still stands is told once, what came and went is not"
    );
    assert_eq!(sent[0].at, t(1_030));
}

#[test]
fn what_was_told_and_ends_in_a_silence_is_told_when_the_silence_ends() {
    let mut world = World::new(policy(0, 0), [check(1)]);
    world.silences = vec![silence(0, 100, 1_000)];
    world.see(10, &[(check(1), fails())]);
    assert_eq!(world.pass(20, 60, 10).len(), 1);
    world.see(500, &[(check(1), well())]);
    assert!(world.pass(500, 999, 10).is_empty());
    assert_eq!(news(&world.pass(1_000, 2_000, 10)), [[News::Resolved]]);
}

#[test]
fn an_acknowledgement_survives_a_restart_and_stops_repeats_and_escalation() {
    let mut world = World::new(policy(0, 0), [check(1)]);
    let settings = &mut world.routes.routes[0].settings;
    settings.repeat_interval_seconds = Some(600);
    settings.escalation = vec![Step {
        after_seconds: 900,
        receivers: vec![receiver(1)],
    }];
    world.see(0, &[(check(1), fails())]);
    world.pass(30, 700, 10);
    assert_eq!(
        world.sent.iter().map(|one| one.reason).collect::<Vec<_>>(),
        [Reason::News, Reason::Repeat]
    );
    world.act(|standing| act::acknowledge(&mut standing.alerts[0], None, t(700)).unwrap());
    assert!(world.pass(700, 20_000, 60).is_empty());
    assert_eq!(
        world.alert(check(1)).unwrap().ack,
        Some(Ack {
            by: None,
            at: t(700)
        })
    );
    world.see(20_000, &[(check(1), well())]);
    assert_eq!(
        news(&world.pass(20_000, 21_000, 10)),
        [[News::Resolved]],
        "the end is still told"
    );
}

#[test]
fn who_acknowledged_a_warning_is_told_of_the_failure() {
    let mut world = World::new(policy(0, 0), [check(1)]);
    world.see(0, &[(check(1), warns())]);
    world.pass(30, 60, 10);
    world.act(|standing| act::acknowledge(&mut standing.alerts[0], None, t(60)).unwrap());
    world.see(70, &[(check(1), fails())]);
    let sent = world.pass(80, 200, 10);
    assert_eq!(news(&sent), [[News::Escalated]]);
    assert_eq!(
        sent[0].at,
        t(100),
        "what got worse does not wait for the interval"
    );
    assert_eq!(world.alert(check(1)).unwrap().ack, None);
    // It wavers between warning and failing: nothing more is said.
    for run in 0..20 {
        let seen = if run % 2 == 0 { warns() } else { fails() };
        world.see(300 + 60 * run, &[(check(1), seen)]);
    }
    assert_eq!(world.sent.len(), 2);
    assert_eq!(world.whats(), [What::Fired, What::Escalated]);
}

#[test]
fn a_restart_between_any_two_steps_loses_and_doubles_nothing() {
    // Twice the same; once each evaluation is worked out, lost, and worked out again, and once its
    // answer is lost and the same is handed in again.
    let script = |world: &mut World, restarts: bool| {
        for run in 0..60_i64 {
            let seen = [
                (
                    check(1),
                    if (5..20).contains(&run) || run > 40 {
                        fails()
                    } else {
                        well()
                    },
                ),
                (
                    check(2),
                    if (6..50).contains(&run) {
                        warns()
                    } else {
                        well()
                    },
                ),
            ];
            let sightings = world.sightings(t(60 * run), &seen);
            if restarts {
                world.try_see(t(60 * run), &sightings);
            }
            world.take(t(60 * run), &sightings);
            if restarts {
                assert!(world.take(t(60 * run), &sightings).is_empty());
            }
        }
    };
    let mut plain = World::new(policy(60, 120), [check(1), check(2)]);
    let mut restarted = World::new(policy(60, 120), [check(1), check(2)]);
    script(&mut plain, false);
    script(&mut restarted, true);
    assert_eq!(plain.sent, restarted.sent);
    assert_eq!(plain.changes, restarted.changes);
    assert_eq!(plain.standing, restarted.standing);
    assert!(plain.sent.len() > 4);
}

#[test]
fn late_and_repeated_runs_change_nothing() {
    let mut world = World::new(policy(0, 0), [check(1)]);
    let early = world.sightings(t(0), &[(check(1), fails())]);
    world.see(60, &[(check(1), well())]);
    let late = Sighting {
        last: world.last.get(&check(1)).copied(),
        ..early[0].clone()
    };
    world.take(t(61), &[late]);
    assert_eq!(world.standing, Standing::default());
    world.see(120, &[(check(1), fails())]);
    let alert = world.alert(check(1));
    world.see(120, &[(check(1), well())]);
    world.see(90, &[(check(1), well())]);
    assert_eq!(world.alert(check(1)), alert);
}

#[test]
fn runs_that_say_nothing_open_and_end_nothing() {
    let mut world = World::new(policy(60, 60), [check(1)]);
    world.see(0, &[(check(1), Seen::Unknown)]);
    assert_eq!(world.standing, Standing::default());
    world.see(60, &[(check(1), fails())]);
    world.see(90, &[(check(1), Seen::Unknown)]);
    world.see(120, &[(check(1), fails())]);
    assert_eq!(world.whats(), [What::Pending, What::Fired]);
    world.see(130, &[(check(1), well())]);
    world.see(140, &[(check(1), Seen::Unknown)]);
    world.pass(150, 1_000, 10);
    assert_eq!(
        world.whats().len(),
        2,
        "not over while the last run said nothing"
    );
    world.see(1_000, &[(check(1), well())]);
    assert_eq!(world.whats()[2..], [What::Resolved]);
}

#[test]
fn a_value_just_inside_its_limits_is_not_well_yet() {
    let policy = Policy {
        hysteresis: 0.1,
        ..policy(0, 0)
    };
    let mut world = World::new(policy, [check(1)]);
    world.see(0, &[(check(1), fails())]);
    world.see(60, &[(check(1), Seen::Ok(reading(17.0)))]);
    assert_eq!(world.alert(check(1)).unwrap().state, State::Firing);
    world.see(120, &[(check(1), Seen::Ok(reading(18.0)))]);
    assert_eq!(world.alert(check(1)).unwrap().state, State::Resolved);
}

#[test]
fn what_breaches_after_its_end_is_another_alert() {
    let mut world = World::new(policy(0, 0), [check(1)]);
    world.see(0, &[(check(1), fails())]);
    let first = world.alert(check(1)).unwrap().id;
    world.act(|standing| {
        act::resolve(&mut standing.alerts[0], t(10)).unwrap();
    });
    world.see(60, &[(check(1), fails())]);
    assert_ne!(world.alert(check(1)).unwrap().id, first);
    world.pass(60, 600, 10);
    assert_eq!(news(&world.sent), [[News::Fired]]);
}

#[test]
fn a_false_alarm_speaks_of_the_points_it_was_about() {
    let mut world = World::new(policy(60, 0), [check(1)]);
    world.see(0, &[(check(1), fails())]);
    let marks = |world: &mut World, mark| {
        let mut done = Ok(());
        world.act(|standing| done = act::mark(&mut standing.alerts[0], mark, None, t(5)));
        done
    };
    let false_alarm = Some(mark::Mark::FalseAlarm);
    assert_eq!(
        marks(&mut world, false_alarm),
        Err(act::Refusal::NeverFired)
    );
    assert_eq!(mark::feedback(&world.alert(check(1)).unwrap()), None);
    world.see(60, &[(check(1), fails())]);
    world.see(120, &[(check(1), well())]);
    assert_eq!(marks(&mut world, false_alarm), Ok(()));
    let feedback = mark::feedback(&world.alert(check(1)).unwrap()).unwrap();
    assert_eq!((feedback.from, feedback.until), (t(0), t(60)));
    assert_eq!(feedback.mark, false_alarm);
    assert_eq!(marks(&mut world, None), Ok(()));
    let feedback = mark::feedback(&world.alert(check(1)).unwrap()).unwrap();
    assert_eq!(feedback.mark, None);
}

#[test]
fn only_what_fires_is_acknowledged() {
    let mut world = World::new(policy(60, 0), [check(1)]);
    world.see(0, &[(check(1), fails())]);
    world.act(|standing| {
        let refused = act::acknowledge(&mut standing.alerts[0], None, t(1));
        assert_eq!(refused, Err(act::Refusal::NotFiring));
        assert_eq!(
            act::resolve(&mut standing.alerts[0], t(1)),
            Err(act::Refusal::NotFiring)
        );
    });
}
