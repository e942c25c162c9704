//! Objects of tenants whose data must stay somewhere.
//!
//! Invariant: such an object is called within its jurisdiction or not at all. Local workerd
//! implements none, so a call that names one fails, and one that does not is answered.
//! Failure: the call that left the jurisdiction out, or named one where there is none.

use super::alone;
use pulse_tests::control::Control;
use pulse_tests::prelude::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn objects_of_a_tenant_in_the_union_are_called_there_or_not_at_all() {
    let _alone = alone().await;
    let event = async |extra: Value| {
        let tenant = Tenant::with(extra).await;
        Event::with_guests(["Ada"]).of(&tenant).open().await
    };
    let union = event(json!({"jurisdiction": "eu", "region": "weur"})).await;
    let anywhere = event(json!({})).await;
    let doors = [union.door().client().await, anywhere.door().client().await];
    let control = Control::here();
    control.set_vars(&json!({"JURISDICTIONS": "1"})).await;
    let mut outcomes = Vec::new();
    for (event, door) in [&union, &anywhere].into_iter().zip(&doors) {
        let dashboard = format!("/pulse/dashboard/{}", event.table);
        // Somebody whose credential says nothing of where the tenant is.
        let visitor = event.client().with_header("x-tenant-id", &event.tenant.id);
        let scan = json!({"barcode": event.code("Ada")});
        outcomes.push([
            event.client().get(&dashboard).await.status,
            visitor.get(&dashboard).await.status,
            event.scan_by(door, scan).await.status,
        ]);
        let socket = Socket::try_connect(&event.live_path(), event.client().token()).await;
        outcomes.push([socket.is_ok().into(), 0, 0]);
        // What is changed is changed all the same; who was not told is found by the minute tick.
        let path = format!("/pulse/tables/{}/rows", event.table);
        let row = event.client().post(&path, &json!({"name": "Bob"})).await;
        outcomes.push([row.status, 0, 0]);
    }
    control.set_vars(&json!({"JURISDICTIONS": ""})).await;
    let there = [[503, 503, 503], [0, 0, 0], [201, 0, 0]];
    let here = [[200, 200, 201], [1, 0, 0], [201, 0, 0]];
    assert_eq!(outcomes, [there, here].concat());
    control.cron("* * * * *").await;
    eventually("the union's object knows what it was not told", || async {
        (union.dashboard().await.counts.total == 2).then_some(())
    })
    .await;
}
