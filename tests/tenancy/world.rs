//! A tenant with one of everything, for others to try their hands on.
//!
//! Invariant: all of it is named by a word that is nowhere else.
//! Failure: what was changed.

use super::walk::{Ids, NOWHERE, connection};
use pulse_tests::prelude::*;
use pulse_tests::report::Report;
use uuid::Uuid;

/// A tenant with one of everything, all named by a word that is nowhere else.
pub struct World {
    /// Its event.
    pub event: Event,
    /// Its ids.
    pub ids: Ids,
    /// The word.
    pub word: String,
}

impl World {
    /// Makes one.
    pub async fn new() -> Self {
        let word = format!("marker{}", Uuid::new_v4().simple());
        let event = Event::with_guests([format!("{word} Ada"), format!("{word} Bob")])
            .settings(json!({"guest_scanning": true}))
            .open()
            .await;
        let accepted = event.door().scan(&format!("{word} Ada")).await.accepted();
        let (invitation, _) = event.tenant.invite("agent").await;
        let (_, key) = event.tenant.key("agent").await;
        let member = event.tenant.member("agent").await;
        let hook = json!({"url": NOWHERE, "events": ["checkin.*"], "description": word});
        let hook = event.client().post("/api/webhooks", &hook).await;
        let webhook = hook.expect_status(201).text_at("/id");
        let ping = format!("/api/webhooks/{webhook}/test");
        let ping = event.client().call("POST", &ping).await;
        let channel = json!({"kind": "outbox", "name": word});
        let channel = event.client().post("/api/channels", &channel).await;
        let channel = channel.expect_status(201).text_at("/id");
        let address = json!({"address": format!("{word}@example.org")});
        let test = format!("/api/channels/{channel}/test");
        let test = event.client().post(&test, &address).await;
        let suppression = event.client().post("/api/suppressions", &address).await;
        let template = json!({"name": word, "body": format!("# {word}")});
        let template = event.client().post("/api/pulse-templates", &template).await;
        let report = json!({"name": word, "prompt": word, "recipients": null});
        let report = Report::with(&event.tenant, report).await;
        let job = report.publish().await;
        job.finished().await;
        let connection = event.client().post("/api/connections", &connection(&word));
        let connection = connection.await.expect_status(201).text_at("/id");
        let monitored = json!({"connection_id": connection, "name": word, "description": word});
        let monitored = event.client().post("/api/tables", &monitored).await;
        let monitored = monitored.expect_status(201).text_at("/id");
        let check = json!({"name": word, "kind": "row_count", "every": 86_400});
        let checks = format!("/api/tables/{monitored}/checks");
        let check = event.client().post(&checks, &check).await;
        let silence = json!({"matchers": {"severities": ["warn"]}, "comment": word,
            "ends_at": "2099-01-01T00:00:00Z", "starts_at": "2098-12-31T00:00:00Z"});
        let silence = event.client().post("/api/silences", &silence).await;
        let route =
            json!({"name": word, "receivers": [{"address": format!("{word}@example.org")}]});
        let route = event.client().post("/api/routes", &route).await;
        let ids = Ids {
            silence: silence.expect_status(201).text_at("/id"),
            route: route.expect_status(201).text_at("/id"),
            check: check.expect_status(201).text_at("/id"),
            // Nothing is wrong with it.
            alert: Uuid::new_v4().to_string(),
            incident: Uuid::new_v4().to_string(),
            monitored,
            report: report.id,
            job: job.id,
            template: template.expect_status(201).text_at("/id"),
            connection,
            webhook,
            delivery: ping.expect_status(201).text_at("/id"),
            channel,
            message: test.expect_status(201).text_at("/id"),
            suppression: suppression.expect_status(201).text_at("/id"),
            tenant: event.tenant.id.clone(),
            user: member.id(),
            invitation: invitation.text_at("/id"),
            key: key.text_at("/id"),
            table: event.table.clone(),
            row: event.row_id(&format!("{word} Bob")),
            session: event.door().id().await,
            check_in: accepted.check_in(),
        };
        event.recorded().await;
        Self { event, ids, word }
    }

    /// Demands that nothing of it was changed.
    pub async fn is_untouched(&self) {
        let client = self.event.client();
        let get = |path: String| async move { client.get(&path).await.expect_status(200) };
        let rows = get(format!("/pulse/tables/{}/rows", self.ids.table))
            .await
            .list_at("/items");
        assert_eq!(rows.len(), 2);
        assert!(rows.iter().all(|row| {
            row["name"]
                .as_str()
                .is_some_and(|name| name.contains(&self.word))
        }));
        let member = get(format!(
            "/api/tenants/{}/members/{}",
            self.ids.tenant, self.ids.user
        ))
        .await;
        assert_eq!(member.at("/role"), "agent");
        let config = get(format!("/pulse/{}", self.ids.table)).await;
        assert_eq!(
            (config.at("/enabled"), config.at("/settings/show_popup")),
            (json!(true), json!(true))
        );
        assert_eq!(config.at("/badge_template"), Value::Null);
        let keys = get("/api/keys".into()).await.text();
        assert!(keys.contains(&self.ids.key), "the key is gone");
        let hook = get(format!("/api/webhooks/{}", self.ids.webhook)).await;
        assert_eq!(
            (hook.at("/description"), hook.at("/version")),
            (json!(self.word), json!(1))
        );
        get(format!("/api/deliveries/{}", self.ids.delivery)).await;
        let channel = get(format!("/api/channels/{}", self.ids.channel)).await;
        assert_eq!(
            (channel.at("/name"), channel.at("/version")),
            (json!(self.word), json!(1))
        );
        get(format!("/api/messages/{}", self.ids.message)).await;
        let connection = get(format!("/api/connections/{}", self.ids.connection)).await;
        assert_eq!(
            (connection.at("/name"), connection.at("/version")),
            (json!(self.word), json!(1))
        );
        let monitored = get(format!("/api/tables/{}", self.ids.monitored)).await;
        assert_eq!(
            (monitored.at("/description"), monitored.at("/version")),
            (json!(self.word), json!(1))
        );
        let suppressions = get("/api/suppressions".into()).await.text();
        assert!(suppressions.contains(&self.ids.suppression));
        for path in [
            format!("/api/pulse/{}", self.ids.report),
            format!("/api/pulse-templates/{}", self.ids.template),
        ] {
            let found = get(path).await;
            let stands = (found.at("/name"), found.at("/version"));
            assert_eq!(stands, (json!(self.word), json!(1)), "{found}");
        }
        let jobs = get(format!("/api/pulse/{}/jobs", self.ids.report)).await;
        let jobs = jobs.list_at("/items");
        assert_eq!((jobs.len(), &jobs[0]["id"]), (1, &json!(self.ids.job)));
        assert_eq!(jobs[0]["result"], "success");
        let dashboard = self
            .event
            .dashboard()
            .await
            .counts(|c| c.checked_in == 1 && c.refused.total() == 0);
        assert_eq!(dashboard.at("/recent").as_array().map(Vec::len), Some(1));
        self.event
            .door()
            .client()
            .await
            .get(&format!("/pulse/{}", self.ids.table))
            .await
            .expect_status(200);
    }
}
