//! What a team sees of alerts, one claim at a time. The standing is written to JSON and read back
//! between any two evaluations, so all of it holds across restarts.

mod alert_support;

use alert_support::*;
use rules::alert::notify::{News, Reason};
use rules::alert::route::{self, Mode, Step};
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
    assert_eq!(world.standing(), Standing::default());
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
    assert!(world.standing().incidents.is_empty());
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
fn fifty_tables_failing_together_are_one_message() {
    let tables: Vec<Target> = (0..50).map(check).collect();
    let mut world = World::new(policy(0, 0), tables.clone());
    // One after the other, as they are run.
    for (second, table) in (0..).zip(&tables) {
        world.see(second / 2, &[(*table, fails())]);
    }
    world.pass(25, 1_000, 5);
    assert_eq!(world.sent.len(), 1);
    assert_eq!(world.sent[0].lines.len(), 50);
    let standing = world.standing();
    assert_eq!(
        (standing.incidents.len(), standing.incidents[0].count),
        (1, 50)
    );
    // They end together, too.
    for (second, table) in (0..).zip(&tables) {
        world.see(1_000 + second / 2, &[(*table, well())]);
    }
    world.pass(1_025, 3_000, 5);
    assert_eq!(world.sent.len(), 2);
    assert!(world.sent[1].over);
    assert_eq!(world.sent[1].lines.len(), 50);
}

#[test]
fn connection_down_inhibits_the_alerts_of_its_tables() {
    let mut world = World::new(
        policy(0, 0),
        [check(1), check(2), check_of(1, 1, 0), down()],
    );
    world.see(
        0,
        &[
            (check(1), fails()),
            (check(2), fails()),
            (check_of(1, 1, 0), fails()),
        ],
    );
    world.see(20, &[(down(), fails())]);
    world.pass(21, 600, 10);
    let told: Vec<_> = world
        .sent
        .iter()
        .map(|one| one.lines[0].alert.as_ref().unwrap().target)
        .collect();
    assert_eq!(
        told,
        [check_of(1, 1, 0), down()],
        "another connection is not inhibited"
    );
    let by = world.alert(down()).unwrap().id;
    assert!(world.muted.values().all(|mute| *mute == Mute::Alert(by)));
    assert_eq!(world.muted.len(), 2);
    // It is up again; one table still fails, the other is well, and only the first is told.
    world.see(600, &[(down(), well())]);
    assert!(
        world.pass(601, 659, 10).iter().all(|one| one.over),
        "old news wait to be confirmed"
    );
    world.see(660, &[(check(1), fails()), (check(2), well())]);
    let sent = world.pass(661, 2_000, 10);
    let told: Vec<_> = sent
        .iter()
        .flat_map(|one| &one.lines)
        .map(|line| (line.news, line.alert.as_ref().unwrap().target))
        .collect();
    assert!(told.contains(&(News::Fired, check(1))));
    assert!(!told.iter().any(|(_, target)| *target == check(2)));
}

#[test]
fn what_nobody_confirms_is_told_some_time_after_its_inhibitor_ended() {
    let mut world = World::new(policy(0, 0), [check(1), down()]);
    world.see(0, &[(down(), fails())]);
    world.see(1, &[(check(1), fails())]);
    world.see(300, &[(down(), well())]);
    assert!(!world.pass(300, 890, 10).iter().any(|one| {
        one.lines
            .iter()
            .any(|line| line.news == News::Fired && line.alert.as_ref().unwrap().target == check(1))
    }));
    let sent = world.pass(900, 960, 10);
    assert_eq!(news(&sent), [[News::Fired]]);
}

#[test]
fn lag_inhibits_tables_and_connection_down_inhibits_lag() {
    let lag = whole(0, Kind::Lag);
    let mut world = World::new(policy(0, 0), [check(1), lag, down()]);
    world.see(0, &[(lag, fails()), (check(1), fails())]);
    world.pass(1, 100, 10);
    assert_eq!(world.sent.len(), 1);
    assert_eq!(world.sent[0].lines[0].alert.as_ref().unwrap().target, lag);
    world.see(101, &[(down(), fails())]);
    assert_eq!(world.muted.len(), 2);
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
fn an_escalation_goes_up_step_by_step_until_somebody_acknowledges() {
    let mut world = World::new(policy(0, 0), [check(1)]);
    let step = |after_seconds, to| Step {
        after_seconds,
        receivers: vec![receiver(to)],
    };
    world.routes.routes[0].settings.escalation = vec![step(300, 1), step(900, 2), step(1_800, 3)];
    world.see(0, &[(check(1), fails())]);
    world.pass(30, 1_000, 10);
    let sent: Vec<_> = world
        .sent
        .iter()
        .map(|one| (one.receiver.clone(), one.reason, one.at))
        .collect();
    assert_eq!(
        sent,
        [
            (receiver(0), Reason::News, t(30)),
            (receiver(1), Reason::Escalation, t(330)),
            (receiver(2), Reason::Escalation, t(930)),
        ]
    );
    assert_eq!(world.next, Some(t(1_830)));
    world.act(|standing| act::acknowledge(&mut standing.alerts[0], None, t(1_001)).unwrap());
    assert!(world.pass(1_001, 10_000, 60).is_empty());
    world.see(10_000, &[(check(1), well())]);
    let ended = world.pass(10_000, 11_000, 10);
    assert_eq!(ended.len(), 3, "everybody who was told is told the end");
    assert!(ended.iter().all(|one| one.over));
}

#[test]
fn a_receiver_that_several_routes_lead_to_is_told_once() {
    let mut world = World::new(policy(0, 0), [check(1)]);
    world.routes.mode = Mode::All;
    world.routes.routes = vec![
        route(0, everything(0)),
        route(1, everything(0)),
        route(2, everything(1)),
    ];
    world.see(0, &[(check(1), fails())]);
    world.pass(30, 600, 10);
    let told: Vec<_> = world.sent.iter().map(|one| one.receiver.clone()).collect();
    assert_eq!(told, [receiver(0), receiver(1)]);
}

#[test]
fn with_the_first_route_that_matches_the_others_are_silent() {
    let mut world = World::new(policy(0, 0), [check(1), check(2)]);
    let mut special = everything(7);
    special.matchers.checks = vec![check(1).check.unwrap()];
    world.routes.routes = vec![route(0, special), route(1, everything(8))];
    world.see(0, &[(check(1), fails()), (check(2), fails())]);
    world.pass(30, 600, 10);
    let told: Vec<_> = world
        .sent
        .iter()
        .map(|one| {
            (
                one.receiver.clone(),
                one.lines[0].alert.as_ref().unwrap().target,
            )
        })
        .collect();
    assert!(told.contains(&(receiver(7), check(1))) && told.contains(&(receiver(8), check(2))));
    assert_eq!(told.len(), 2);
}

#[test]
fn who_was_told_the_beginning_is_told_the_end_even_when_the_route_or_the_check_is_gone() {
    let mut world = World::new(policy(0, 0), [check(1), check(2)]);
    world.see(0, &[(check(1), fails()), (check(2), fails())]);
    world.pass(30, 600, 10);
    world.routes.routes.clear();
    world.act(|standing| {
        let removed = standing
            .alerts
            .iter_mut()
            .find(|alert| alert.target == check(2));
        act::remove(removed.unwrap(), t(600)).unwrap();
    });
    world
        .watched
        .retain(|watched| watched.subject.target != check(2));
    world.see(600, &[(check(1), well())]);
    world.pass(600, 2_000, 10);
    let ends = world
        .sent
        .iter()
        .flat_map(|one| &one.lines)
        .filter(|line| line.news == News::Resolved);
    assert_eq!(ends.count(), 2);
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
    assert_eq!(plain.stored, restarted.stored);
    assert!(plain.sent.len() > 4);
}

#[test]
fn a_message_made_again_has_the_same_identifier() {
    let mut world = World::new(policy(0, 0), [check(1)]);
    world.see(0, &[(check(1), fails())]);
    let once = world.try_see(t(30), &[]).notifications;
    let again = world.try_see(t(45), &[]).notifications;
    assert_eq!((once[0].id, &once[0].key), (again[0].id, &again[0].key));
    world.see(30, &[]);
    assert!(world.try_see(t(45), &[]).notifications.is_empty());
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
    assert_eq!(world.standing(), Standing::default());
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
    assert_eq!(world.standing(), Standing::default());
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
fn what_fires_long_after_is_an_incident_of_its_own() {
    let mut world = World::new(
        policy(0, 0),
        [check_of(0, 1, 0), check_of(0, 1, 1), check_of(0, 1, 2)],
    );
    world.see(0, &[(check_of(0, 1, 0), fails())]);
    world.see(300, &[(check_of(0, 1, 1), fails())]);
    assert_eq!(world.standing().incidents.len(), 1);
    world.see(3_000, &[(check_of(0, 1, 2), fails())]);
    assert_eq!(world.standing().incidents.len(), 2);
}

#[test]
fn an_incident_that_somebody_was_told_of_keeps_its_alerts() {
    let mut world = World::new(policy(0, 0), (0..4).map(check));
    world.see(0, &[(check(0), fails())]);
    world.pass(30, 60, 10);
    world.see(100, &[(check(1), fails())]);
    world.see(110, &[(check(2), fails())]);
    world.see(120, &[(check(3), fails())]);
    world.pass(120, 600, 10);
    let sizes: Vec<_> = world.sent.iter().map(|one| one.lines.len()).collect();
    assert_eq!(sizes, [1, 3]);
    let standing = world.standing();
    assert_eq!(standing.incidents.len(), 2);
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

#[test]
fn without_a_route_it_is_recorded_and_nobody_is_told() {
    let mut world = World::new(policy(0, 0), [check(1)]);
    world.routes = route::Routes::default();
    world.see(0, &[(check(1), fails())]);
    world.pass(30, 6_000, 30);
    assert!(world.sent.is_empty());
    // A route made later tells what still stands.
    world.routes.routes = vec![route(0, everything(0))];
    assert_eq!(news(&world.pass(6_000, 6_060, 10)), [[News::Fired]]);
}
