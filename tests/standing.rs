//! Staff on open sockets: a removed member, a signed-out session, a revoked key and a lowered role
//! count there as at once as over HTTP.
//!
//! Invariant: who may no longer be here neither sees nor scans anything more; everybody else stays.
//! Failure: the socket that was treated otherwise.

use futures_util::future::join_all;
use pulse_tests::control::Control;
use pulse_tests::database::Database;
use pulse_tests::prelude::*;
use std::time::Duration;
use tokio_postgres::types::{ToSql, Type};
use uuid::Uuid;

/// A watching socket of whoever holds the token.
async fn watching(event: &Event, client: &Client) -> Socket {
    let mut socket = Socket::connect(&event.live_path(), client.token()).await;
    socket.subscribe("scans").await;
    socket
}

/// Scans a guest over a socket; answers the frame.
async fn scan_over(socket: &mut Socket, event: &Event, guest: &str) -> Value {
    let nonce = Uuid::new_v4().to_string();
    let scan = json!({"barcode": event.code(guest), "nonce": nonce});
    socket.request(json!({ "scan": scan })).await
}

fn member(event: &Event, user: &User) -> String {
    format!("/api/tenants/{}/members/{}", event.tenant.id, user.id())
}

/// Takes a membership away past Pulse.
async fn remove_in_the_database(event: &Event, user: &User) {
    let sql = "with gone as (delete from memberships
                where tenant_id = $1::text::uuid and user_id = $2::text::uuid returning 1)
               select to_jsonb(count(*)) from gone";
    let database = Database::admin().await;
    database.as_tenant(&event.tenant.id).await;
    let (tenant, user) = (&event.tenant.id, user.id());
    let whose: [(&(dyn ToSql + Sync), Type); 2] = [(tenant, Type::TEXT), (&user, Type::TEXT)];
    assert_eq!(database.json(sql, &whose).await, 1);
}

#[tokio::test]
async fn a_removed_members_sockets_are_closed_at_once_and_scan_no_more() {
    let event = Event::with_guests(["Ada", "Bob"]).open().await;
    let (agent, other) = (
        event.tenant.member("agent").await,
        event.tenant.member("agent").await,
    );
    let mut socket = watching(&event, &agent.client).await;
    let mut second = watching(&event, &agent.login().await.client).await;
    let mut others = watching(&event, &other.client).await;
    assert_eq!(
        scan_over(&mut socket, &event, "Ada").await["verdict"]["verdict"],
        "accepted"
    );
    event
        .client()
        .delete(&member(&event, &agent))
        .await
        .expect_status(204);
    assert_eq!(socket.closed().await, 3500);
    assert_eq!(second.closed().await, 3500);
    // Over HTTP too, not only a minute later; and no new socket.
    let scan = json!({"barcode": event.code("Bob")});
    event.scan_by(&agent.client, scan).await.problem_of(401);
    let again = Socket::try_connect(&event.live_path(), agent.client.token()).await;
    assert!(again.is_err_and(|why| why.contains("3500")));
    assert_eq!(
        scan_over(&mut others, &event, "Bob").await["verdict"]["verdict"],
        "accepted"
    );
    assert_eq!(event.recorded().await.counts.checked_in, 2);
}

#[tokio::test]
async fn signing_out_closes_the_sockets_of_that_sign_in_and_no_others() {
    let event = Event::with_guests(["Ada"]).open().await;
    let first = event.tenant.member("agent").await;
    let (second, third) = (first.login().await, first.login().await);
    let mut sockets = [
        watching(&event, &first.client).await,
        watching(&event, &second.client).await,
        watching(&event, &third.client).await,
    ];
    let body = json!({"refresh_token": first.refresh()});
    Client::anonymous()
        .post("/api/auth/logout", &body)
        .await
        .expect_status(204);
    let out = second.client.call("POST", "/api/auth/logout");
    out.await.expect_status(204);
    assert_eq!(sockets[0].closed().await, 3500);
    assert_eq!(sockets[1].closed().await, 3500);
    event.door().scan("Ada").await.accepted();
    sockets[2].event_of("scans").await;
}

#[tokio::test]
async fn a_spent_refresh_token_that_comes_back_closes_the_sockets_of_its_sign_in() {
    let event = Event::with_guests(["Ada"]).open().await;
    let agent = event.tenant.member("agent").await;
    let mut socket = watching(&event, &agent.client).await;
    let mut mine = watching(&event, event.client()).await;
    let spent = agent.refresh();
    let mut token = spent.clone();
    for _ in 0..2 {
        let reply = Client::anonymous()
            .post("/api/auth/refresh", &json!({ "refresh_token": token }))
            .await
            .expect_status(200);
        token = reply.text_at("/refresh_token");
    }
    Client::anonymous()
        .post("/api/auth/refresh", &json!({ "refresh_token": spent }))
        .await
        .problem(401, "refresh_token_reused");
    assert_eq!(socket.closed().await, 3500);
    mine.quiet().await;
}

#[tokio::test]
async fn a_revoked_keys_sockets_are_closed_at_once() {
    let event = Event::with_guests(["Ada"]).open().await;
    let (client, key) = event.tenant.key("agent").await;
    let (other, _) = event.tenant.key("agent").await;
    let mut socket = watching(&event, &client).await;
    let mut others = watching(&event, &other).await;
    let path = format!("/api/keys/{}", key.text_at("/id"));
    event.client().delete(&path).await.expect_status(204);
    assert_eq!(socket.closed().await, 3500);
    let scan = json!({"barcode": event.code("Ada")});
    event.scan_by(&client, scan).await.problem_of(401);
    assert_eq!(
        scan_over(&mut others, &event, "Ada").await["verdict"]["verdict"],
        "accepted"
    );
}

#[tokio::test]
async fn another_role_counts_on_open_sockets_at_once() {
    let event = Event::with_guests(["Ada", "Bob"]).open().await;
    let agent = event.tenant.member("agent").await;
    let mut socket = watching(&event, &agent.client).await;
    let become_a = async |role: &str| {
        let change = json!({ "role": role });
        event
            .client()
            .patch(&member(&event, &agent), &change)
            .await
            .expect_status(200);
    };
    become_a("read_only").await;
    let refused = scan_over(&mut socket, &event, "Ada").await;
    assert_eq!(refused["error"]["code"], "role_not_allowed", "{refused}");
    let scan = json!({"barcode": event.code("Ada")});
    event
        .scan_by(&agent.client, scan)
        .await
        .problem(403, "role_not_allowed");
    // Who may only look on still does.
    event.door().scan("Bob").await.accepted();
    let seen = socket.event_of("scans").await;
    assert_eq!(seen["data"]["guest"]["name"], "Bob");
    become_a("manager").await;
    assert_eq!(
        scan_over(&mut socket, &event, "Ada").await["verdict"]["verdict"],
        "accepted"
    );
    become_a("patient").await;
    assert_eq!(socket.closed().await, 3500);
}

#[tokio::test]
async fn a_table_that_sleeps_closes_the_sockets_of_who_was_removed() {
    let event = Event::with_guests(["Ada"]).open().await;
    let agent = event.tenant.member("agent").await;
    let mut socket = watching(&event, &agent.client).await;
    let mut mine = watching(&event, event.client()).await;
    event.recorded().await;
    Control::here().evict(&event.table).await;
    event
        .client()
        .delete(&member(&event, &agent))
        .await
        .expect_status(204);
    assert_eq!(socket.closed().await, 3500);
    event.door().scan("Ada").await.accepted();
    mine.event_of("scans").await;
}

/// What was not told at once comes by the queue.
#[tokio::test]
async fn a_job_closes_the_sockets_of_who_was_removed() {
    let event = Event::with_guests(["Ada"]).open().await;
    let agent = event.tenant.member("agent").await;
    let mut socket = watching(&event, &agent.client).await;
    let mut mine = watching(&event, event.client()).await;
    remove_in_the_database(&event, &agent).await;
    let job = |user: String| {
        json!({"kind": "standing_changed", "tenant": event.tenant.id, "table": event.table,
               "subject": {"user": user}})
    };
    // A job says where to look; who is well stays.
    let jobs = [job(agent.id()), job(event.tenant.admin.id())];
    Control::here().queue("JOBS", &jobs).await;
    assert_eq!(socket.closed().await, 3500);
    tokio::time::sleep(Duration::from_secs(1)).await;
    mine.quiet().await;
}

#[tokio::test]
async fn a_hundred_sockets_of_a_member_are_one_question() {
    let event = Event::with_guests(["Ada"]).open().await;
    let agent = event.tenant.member("agent").await;
    let mut sockets = vec![watching(&event, &agent.client).await];
    sockets.extend(join_all((1..100).map(|_| watching(&event, &agent.client))).await);
    let request = format!("standing-{}", Uuid::new_v4());
    let delete = event.client().delete(&member(&event, &agent));
    delete
        .header("x-request-id", &request)
        .await
        .expect_status(204);
    for socket in &mut sockets {
        assert_eq!(socket.closed().await, 3500);
    }
    let counted = Control::here().proxy().await.by_request;
    assert_eq!(counted.get(&request), Some(&1));
    assert_eq!(counted.get(&format!("{request}.object")), Some(&1));
}

/// Nobody told the object, and it asks by itself: about everybody at once, and about no device.
#[tokio::test]
async fn a_member_removed_behind_its_back_is_out_within_a_minute() {
    let event = Event::with_guests(["Ada"]).open().await;
    let (agent, manager) = (
        event.tenant.member("agent").await,
        event.tenant.member("manager").await,
    );
    let (key, _) = event.tenant.key("read_only").await;
    let mut gone = watching(&event, &agent.client).await;
    let mut staying = Vec::new();
    for client in [&manager.client, &manager.client, &key, event.client()] {
        staying.push(watching(&event, client).await);
    }
    let devices_only = Event::with_guests(["Eve"]).open().await;
    let mut device = watching(&devices_only, &devices_only.door().client().await).await;
    remove_in_the_database(&event, &agent).await;
    assert_eq!(gone.closed_within(Duration::from_secs(75)).await, 3500);
    let counted = Control::here().proxy().await.by_request;
    let asked = counted.get(&format!("{}.staff", event.table)).copied();
    assert!(matches!(asked, Some(1 | 2)), "asked {asked:?} times");
    assert_eq!(counted.get(&format!("{}.staff", devices_only.table)), None);
    for socket in &mut staying {
        socket.quiet().await;
    }
    device.quiet().await;
}

#[tokio::test]
async fn requests_of_a_member_that_come_at_once_are_one_question() {
    let event = Event::with_guests(["Ada"]).open().await;
    let agent = event.tenant.member("agent").await;
    let request = format!("crowd-{}", Uuid::new_v4());
    let path = format!("/pulse/dashboard/{}", event.table);
    let client = agent.client.with_header("x-request-id", &request);
    let asked = (0..50).map(|_| client.get(&path).into_future());
    for reply in join_all(asked).await {
        reply.expect_status(200);
    }
    let counted = Control::here().proxy().await.by_request;
    assert_eq!(counted.get(&format!("{request}.object")), Some(&1));
}
