//! The deploy, step by step, for this configuration.
//!
//! Invariant: every command is complete as it stands, apart from the addresses and passwords that
//! only the operator knows; they are asked for once, as shell variables.

use super::checks::{SECRETS, text};
use toml::{Table, Value};

/// The steps as text.
pub fn text_of(config: &Table) -> String {
    let name = text(config, &["name"]);
    let mut queues: Vec<String> = Vec::new();
    let consumers = config
        .get("queues")
        .and_then(|queues| queues.get("consumers"));
    for consumer in consumers.and_then(Value::as_array).into_iter().flatten() {
        if let Some(queue) = consumer.get("queue").and_then(Value::as_str) {
            queues.push(format!("   wrangler queues create {queue}\n"));
        }
    }
    let queues = queues.concat();
    let commands = |secrets: &[&str]| -> String {
        let put = |secret| format!("   wrangler secret put {secret}\n");
        secrets.iter().map(put).collect()
    };
    let (supabase, chat) = (commands(&SECRETS[3..6]), commands(&SECRETS[7..]));
    format!(
        r#"Deploy steps (docs/operations.md explains them)

1. The pinned wrangler with its Node, and your account:
   export PATH="$PWD/node_modules/.bin:$PATH"
   wrangler login                       # or CLOUDFLARE_API_TOKEN and CLOUDFLARE_ACCOUNT_ID

2. The database: Postgres 15 to 17 and a role that owns it, not a superuser, with createrole.
   The address is the server's own, not a pooler's. Safe to run at every deploy.
   export DATABASE_URL='postgres://OWNER:PASSWORD@HOST:5432/DATABASE?sslmode=verify-full'
   export PULSE_APP_PASSWORD="$(openssl rand -hex 24)"   # keep it: step 3 needs the same
   cargo xtask migrate

3. Hyperdrive as the Worker's own role, caching off: a read must see what was just written.
   wrangler hyperdrive create {name} --caching-disabled \
     --connection-string="postgres://pulse_app:$PULSE_APP_PASSWORD@HOST:5432/DATABASE?sslmode=require"
   Put the id it prints into wrangler.toml, [[hyperdrive]] id.
   A new password later: wrangler hyperdrive update ID --connection-string=… --caching-disabled

4. The queues:
{queues}
5. The secrets; keep TOKEN_SECRET and DATA_KEYS in a safe place, lost keys cannot be made again:
   openssl rand -base64 48 | wrangler secret put TOKEN_SECRET
   printf 'k1:%s' "$(openssl rand -base64 32)" | wrangler secret put DATA_KEYS
   openssl rand -hex 24 | wrangler secret put OPERATOR_TOKEN
   Only for sign-in with Supabase:
{supabase}   Only for e-mail by a provider instead of the outbox (docs/channels.md):
   wrangler secret put MAIL_CHANNEL
   Only for reports that a language model writes (docs/writer.md):
{chat}
6. Check, build and upload; objects, crons and pages go with it:
   cargo xtask deploy-check --ready
   wrangler deploy

7. See that it lives:
   curl -fsS https://{name}.YOUR-SUBDOMAIN.workers.dev/health

At later deploys: 2, 6 and 7. Migrations are additive, so they go before the code that needs them.
"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_queue_and_secret_has_its_command() {
        let config = "name = \"pulse\"\n[[queues.consumers]]\nqueue = \"pulse-jobs\"\n\
                      [[queues.consumers]]\nqueue = \"pulse-dead\"";
        let steps = text_of(&config.parse().unwrap());
        for queue in ["pulse-jobs", "pulse-dead"] {
            assert!(
                steps.contains(&format!("wrangler queues create {queue}")),
                "{steps}"
            );
        }
        for secret in SECRETS {
            assert!(
                steps.contains(&format!("wrangler secret put {secret}")),
                "{secret}"
            );
        }
        assert!(steps.contains("--caching-disabled"));
    }
}
