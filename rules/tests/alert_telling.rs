//! Who is told of what: groups, inhibition, routes and escalation, one claim at a time. The standing
//! is written to JSON and read back between any two evaluations.

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
fn fifty_tables_failing_together_are_one_message() {
    let tables: Vec<Target> = (0..50).map(check).collect();
    let mut world = World::new(policy(0, 0), tables.clone());
    // One after the other, as they are run.
    for (second, table) in (0..).zip(&tables) {
        world.see(second / 2, &[(*table, fails())]);
    }
    world.pass(25, 985, 15);
    assert_eq!(world.sent.len(), 1);
    assert_eq!(world.sent[0].lines.len(), 50);
    let standing = &world.standing;
    assert_eq!(
        (standing.incidents.len(), standing.incidents[0].count),
        (1, 50)
    );
    // They end together, too.
    for (second, table) in (0..).zip(&tables) {
        world.see(1_000 + second / 2, &[(*table, well())]);
    }
    world.pass(1_025, 2_000, 15);
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
fn what_fires_long_after_is_an_incident_of_its_own() {
    let mut world = World::new(
        policy(0, 0),
        [check_of(0, 1, 0), check_of(0, 1, 1), check_of(0, 1, 2)],
    );
    world.see(0, &[(check_of(0, 1, 0), fails())]);
    world.see(300, &[(check_of(0, 1, 1), fails())]);
    assert_eq!(world.standing.incidents.len(), 1);
    world.see(3_000, &[(check_of(0, 1, 2), fails())]);
    assert_eq!(world.standing.incidents.len(), 2);
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
    let standing = &world.standing;
    assert_eq!(standing.incidents.len(), 2);
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

#[test]
fn a_connection_that_trembles_after_it_was_down_holds_old_news_back() {
    let mut world = World::new(policy(0, 0), [check(1), down()]);
    world.see(0, &[(down(), fails())]);
    world.see(1, &[(check(1), fails())]);
    world.see(300, &[(down(), well())]);
    // It is pending once more, and well again.
    world.watched[1].policy.for_ = secs(600);
    world.see(360, &[(down(), fails())]);
    world.see(400, &[(down(), well())]);
    world.pass(401, 890, 10);
    let told = world.sent.iter().flat_map(|one| &one.lines);
    let mut targets = told.map(|line| line.alert.as_ref().unwrap().target);
    assert!(targets.all(|target| target == down()));
}
