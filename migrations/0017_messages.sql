-- Messages: what products tell people and services outside, the channels that carry it, what came of every attempt,
-- and who does not want any more.
--
-- Invariant: a message has one delivery for each channel and recipient, made in the transaction that made its reason.
-- A delivery is 'sending' before the request goes out. One that was being sent when its sender died, or was not
-- answered, is sent again only where the provider knows a repeat by its key; elsewhere it is 'unknown', and only a
-- person, or what the provider reports later, moves it on.
-- Lock order: channel, delivery, attempt.
-- Failure: a delivery that cannot be made as asked (the channel is gone, the address is none) is there as 'failed'
-- and says why; it never fails the others or whoever posted it.

create table channels (
  id              uuid not null default gen_random_uuid() constraint channels_pkey primary key,
  tenant_id       uuid not null constraint channels_tenant_fkey references tenants on delete cascade,
  kind            text not null,
  name            text not null,
  settings        jsonb not null default '{}',
  secrets         jsonb not null default '{}',
  previous_until  timestamptz,
  is_default      boolean not null default false,
  enabled         boolean not null default true,
  failing_since   timestamptz,
  paused_until    timestamptz,
  disabled_at     timestamptz,
  disabled_reason text,
  version         integer not null default 1,
  created_by      uuid,
  created_at      timestamptz not null default now(),
  updated_at      timestamptz not null default now(),
  constraint channels_tenant_id_key unique (tenant_id, id),
  constraint channels_kind_check check (kind in ('default', 'outbox', 'smtp', 'sendgrid', 'ses', 'resend',
    'cloudflare_email', 'slack', 'teams', 'twilio', 'webhook', 'pagerduty', 'opsgenie')),
  constraint channels_name_check check (length(name) between 1 and 120),
  constraint channels_reason_check check (disabled_reason in ('gone', 'failing')),
  constraint channels_default_check check (not is_default
    or kind in ('default', 'outbox', 'smtp', 'sendgrid', 'ses', 'resend', 'cloudflare_email'))
);
comment on column channels.kind is 'default: the e-mail of this deployment, the outbox unless it says otherwise.';
comment on column channels.secrets is 'By name; each sealed by the Worker for this row and name.';
comment on column channels.previous_until is 'Until then the signing secret before (previous_secret) signs too.';
comment on column channels.is_default is 'Carries what names no channel.';
create unique index channels_default_key on channels (tenant_id) where is_default;
create unique index channels_builtin_key on channels (tenant_id) where kind = 'default';

create table messages (
  id          uuid not null constraint messages_pkey primary key,
  tenant_id   uuid not null constraint messages_tenant_fkey references tenants on delete cascade,
  topic_kind  text,
  topic_id    uuid,
  topic_name  text,
  source_kind text not null,
  source_id   uuid not null,
  subject     text not null,
  html        text,
  text        text not null,
  alert       jsonb,
  bytes       integer not null,
  created_at  timestamptz not null default now(),
  constraint messages_tenant_id_key unique (tenant_id, id),
  constraint messages_source_key unique (tenant_id, source_kind, source_id),
  constraint messages_topic_check check ((topic_kind is null) = (topic_id is null)),
  constraint messages_subject_check check (length(subject) between 1 and 500 and subject !~ '[[:cntrl:]]')
);
comment on column messages.topic_id is 'What a recipient can unsubscribe from; null: nothing, this was asked for.';
comment on column messages.source_id is 'Why it is sent, once for each.';
comment on column messages.alert is '{severity, dedup_key, status}: for services that are told of incidents.';
comment on column messages.bytes is 'Bodies and attachments together.';
create index messages_created_at_idx on messages (created_at);
create index messages_topic_idx on messages (tenant_id, topic_kind, topic_id);

create table message_attachments (
  message_id   uuid not null,
  tenant_id    uuid not null,
  position     integer not null,
  name         text not null,
  content_type text not null,
  content_id   text,
  content      bytea not null,
  constraint message_attachments_pkey primary key (message_id, position),
  constraint message_attachments_message_fkey foreign key (tenant_id, message_id)
    references messages (tenant_id, id) on delete cascade,
  constraint message_attachments_name_check check (length(name) between 1 and 200 and name !~ '[[:cntrl:]/\\"]'),
  constraint message_attachments_type_check check (content_type ~ '^[a-z0-9.+-]+/[a-z0-9.+-]+(; ?[a-z]+=[A-Za-z0-9-]+)?$'),
  constraint message_attachments_content_id_check check (content_id ~ '^[A-Za-z0-9._@-]{1,100}$')
);
comment on column message_attachments.content_id is 'The html shows it as cid:…; null: a file beside the text.';
create index message_attachments_message_idx on message_attachments (tenant_id, message_id);

create table message_deliveries (
  id            uuid not null constraint message_deliveries_pkey primary key,
  tenant_id     uuid not null,
  message_id    uuid not null,
  source_kind   text not null,
  source_id     uuid not null,
  channel_id    uuid not null,
  channel_kind  text not null,
  channel_name  text not null,
  recipient     text not null default '',
  status        text not null default 'pending',
  attempts      integer not null default 0,
  step          integer not null default 0,
  due_at        timestamptz not null default now(),
  claimed_at    timestamptz,
  lease_until   timestamptz,
  fence         bigint not null default 0,
  unclear_since timestamptz,
  key_number    integer not null default 0,
  last_status   integer,
  last_error    text,
  settled_at    timestamptz,
  sent_at       timestamptz,
  provider_id   text,
  delivered_at  timestamptz,
  bounced_at    timestamptz,
  bounce        text,
  complained_at timestamptz,
  created_at    timestamptz not null default now(),
  constraint message_deliveries_tenant_id_key unique (tenant_id, id),
  constraint message_deliveries_message_fkey foreign key (tenant_id, message_id)
    references messages (tenant_id, id) on delete cascade,
  constraint message_deliveries_status_check
    check (status in ('pending', 'sending', 'sent', 'failed', 'unknown', 'suppressed')),
  constraint message_deliveries_bounce_check check (bounce in ('hard', 'soft'))
) with (fillfactor = 70); -- each is updated a few times: claimed, settled, reported on
comment on column message_deliveries.channel_id is 'No reference: what was sent outlives its channel.';
comment on column message_deliveries.channel_kind is 'For the default channel of the deployment: what it was, once sent.';
comment on column message_deliveries.recipient is 'An e-mail address or E.164 number; empty where the channel is one place.';
comment on column message_deliveries.unclear_since is 'Since then an attempt may have arrived without our knowing.';
comment on column message_deliveries.key_number is 'With the id the key under which providers know a repeat.';
comment on column message_deliveries.provider_id is 'What the provider calls it.';
comment on column message_deliveries.bounce is 'hard: the address does not exist or refuses for good.';
create unique index message_deliveries_recipient_key on message_deliveries (message_id, channel_id, lower(recipient));
create index message_deliveries_message_idx on message_deliveries (tenant_id, message_id);
create index message_deliveries_source_idx on message_deliveries (tenant_id, source_kind, source_id, id);
create index message_deliveries_channel_idx on message_deliveries (channel_id, id);
create index message_deliveries_address_idx on message_deliveries (tenant_id, lower(recipient), id);
create index message_deliveries_provider_idx on message_deliveries (channel_id, provider_id) where provider_id is not null;
create index message_deliveries_due_idx on message_deliveries (channel_id, due_at) where status = 'pending';
create index message_deliveries_waiting_idx on message_deliveries (due_at) where status = 'pending';
create index message_deliveries_flying_idx on message_deliveries (channel_id, lease_until) where status = 'sending';

create table message_attempts (
  delivery_id uuid not null,
  tenant_id   uuid not null,
  number      integer not null,
  at          timestamptz not null,
  duration_ms integer not null,
  status      integer,
  answer      text,
  error       text,
  constraint message_attempts_pkey primary key (delivery_id, number),
  constraint message_attempts_delivery_fkey foreign key (tenant_id, delivery_id)
    references message_deliveries (tenant_id, id) on delete cascade
);
comment on column message_attempts.status is 'Of HTTP or SMTP.';
create index message_attempts_delivery_idx on message_attempts (tenant_id, delivery_id);

-- Whom nothing is sent to: bounced, complained or excluded by hand for all topics, unsubscribed from one.
create table suppressions (
  id         uuid not null constraint suppressions_pkey primary key,
  tenant_id  uuid not null constraint suppressions_tenant_fkey references tenants on delete cascade,
  address    text not null,
  reason     text not null,
  topic_kind text,
  topic_id   uuid,
  note       text,
  created_by uuid,
  created_at timestamptz not null default now(),
  constraint suppressions_address_key unique nulls not distinct (tenant_id, address, topic_kind, topic_id),
  constraint suppressions_address_check check (length(address) between 3 and 254 and address = lower(address)),
  constraint suppressions_reason_check check (reason in ('bounce', 'complaint', 'unsubscribe', 'manual')),
  constraint suppressions_topic_check check ((topic_kind is null) = (topic_id is null))
);
create index suppressions_tenant_idx on suppressions (tenant_id, id);

call app.protect('channels');
call app.protect('messages');
call app.protect('message_attachments');
call app.protect('message_deliveries');
call app.protect('message_attempts');
call app.protect('suppressions');

grant select, delete,
      insert (id, tenant_id, kind, name, settings, secrets, is_default, enabled, created_by, created_at, updated_at),
      update (name, settings, secrets, previous_until, is_default, enabled, failing_since, paused_until, disabled_at,
              disabled_reason, version, updated_at) on channels to pulse_app;
grant select on messages, message_attachments to pulse_app;
grant select,
      update (channel_kind, status, attempts, step, due_at, claimed_at, lease_until, fence, unclear_since, key_number,
              last_status, last_error, settled_at, sent_at, provider_id, delivered_at, bounced_at, bounce, complained_at)
      on message_deliveries to pulse_app;
grant select, insert on message_attempts to pulse_app;
grant select, insert, delete on suppressions to pulse_app;
grant select, insert on channels to pulse_definer;
grant select, insert, delete on messages to pulse_definer;
grant insert on message_attachments to pulse_definer;
grant select, insert on message_deliveries to pulse_definer;
grant select on suppressions to pulse_definer;
grant update (is_default) on channels to pulse_definer;

-- What a kind of channel asks for: an e-mail address, a phone number, or nothing because it is one place.
create function app.address_kind(p_kind text) returns text language sql immutable parallel safe as $$
  select case when p_kind in ('default', 'outbox', 'smtp', 'sendgrid', 'ses', 'resend', 'cloudflare_email') then 'email'
              when p_kind = 'twilio' then 'phone' end
$$;

-- How long a provider knows a repeat by its key; null where it has none. Resend forgets after 24 hours.
create function app.key_life(p_kind text) returns interval language sql immutable parallel safe as $$
  select case when p_kind in ('outbox', 'webhook', 'pagerduty', 'opsgenie') then interval '100 years'
              when p_kind = 'resend' then interval '23 hours' end
$$;

create function app.is_address(p_address_kind text, p_address text) returns boolean
language sql immutable parallel safe as $$
  select case p_address_kind
    when 'email' then coalesce(length(p_address) <= 254
      and p_address ~ '^[^@[:space:][:cntrl:]<>(),;:"\\\[\]]+@[^@[:space:][:cntrl:]<>(),;:"\\\[\]]+$', false)
    when 'phone' then coalesce(p_address ~ '^\+[1-9][0-9]{6,14}$', false)
    else true end
$$;

create function app.suppressed(p_tenant uuid, p_address text, p_topic_kind text, p_topic uuid) returns boolean
language sql stable as $$
  select exists (select from public.suppressions s
                 where s.tenant_id = p_tenant and s.address = lower(p_address)
                   and (s.topic_id is null or s.topic_kind = p_topic_kind and s.topic_id = p_topic))
$$;

-- Every tenant has the channel of the deployment from the beginning.
create function app.give_channel() returns trigger
language plpgsql security definer set search_path = pg_catalog, public, app, pg_temp as $$
begin
  insert into channels (id, tenant_id, kind, name, is_default) values (app.new_id(), new.id, 'default', 'E-mail', true);
  return null;
end
$$;
create trigger give_channel after insert on tenants for each row execute function app.give_channel();

-- What the sender notes of a channel's health is no change of it.
create trigger touch before update on channels for each row
  when ((old.name, old.settings, old.secrets, old.is_default, old.enabled)
        is distinct from (new.name, new.settings, new.secrets, new.is_default, new.enabled))
  execute function app.touch();

-- One channel of a tenant is the default: the last that was made so, else that of the deployment.
create function app.yield_default() returns trigger
language plpgsql security definer set search_path = pg_catalog, public, app, pg_temp as $$
begin
  update channels set is_default = false where tenant_id = new.tenant_id and is_default and id <> new.id;
  return new;
end
$$;
create trigger yield_default before insert or update of is_default on channels
  for each row when (new.is_default) execute function app.yield_default();

create function app.restore_default() returns trigger
language plpgsql security definer set search_path = pg_catalog, public, app, pg_temp as $$
begin
  update channels set is_default = true
  where tenant_id = old.tenant_id and kind = 'default'
    and not exists (select from channels c where c.tenant_id = old.tenant_id and c.is_default);
  return null;
end
$$;
create trigger restore_default after update of is_default on channels
  for each row when (old.is_default and not new.is_default and pg_trigger_depth() = 0)
  execute function app.restore_default();
create trigger restore_default_of_deleted after delete on channels
  for each row when (old.is_default and old.kind <> 'default') execute function app.restore_default();

-- A channel that is switched off, or gone, sends nothing any more. What is under way ends by itself.
create function app.drop_messages() returns trigger language plpgsql
set search_path = pg_catalog, public, app, pg_temp as $$
begin
  update message_deliveries
  set status = 'failed', last_error = case tg_op when 'DELETE' then 'channel_gone' else 'channel_disabled' end,
      settled_at = now()
  where channel_id = old.id and status = 'pending';
  return null;
end
$$;
create trigger drop_messages after update of enabled on channels
  for each row when (old.enabled and not new.enabled) execute function app.drop_messages();
create trigger drop_messages_of_deleted after delete on channels for each row execute function app.drop_messages();

create function app.note_sent() returns trigger language plpgsql as $$
begin
  new.sent_at := coalesce(new.sent_at, now());
  return new;
end
$$;
create trigger note_sent before update of status on message_deliveries
  for each row when (new.status = 'sent' and old.status <> 'sent') execute function app.note_sent();

-- Posts a message, in the transaction of the product that has a reason to. A definer function, so that products can
-- call it from functions of either role; the tenant is that of the transaction.
--   {id, topic_kind, topic_id, topic_name, source_kind, source_id, subject, html, text, alert,
--    attachments: [{name, content_type, content (base64), content_id}], recipients: [{channel_id, address}]}
-- A recipient without a channel is sent to by the tenant's default channel. The same source posted again adds the
-- recipients that are new and changes nothing else. Answers how many deliveries are new, and how many of those will
-- not be sent because they are suppressed or cannot be.
create function app.post_message(p jsonb) returns jsonb
language plpgsql volatile security definer set search_path = pg_catalog, public, app, pg_temp as $$
declare
  v_tenant uuid := app.staff_tenant();
  v_id     uuid;
  v_files  jsonb := coalesce(nullif(p -> 'attachments', 'null'), '[]');
  v_bytes  bigint;
  v_answer jsonb;
begin
  if v_tenant is null then
    perform app.fail('PU403', 'role_not_allowed', 'Messages are posted for a tenant.');
  end if;
  if jsonb_array_length(coalesce(p -> 'recipients', '[]')) > 1000 then
    perform app.fail('PU422', 'too_many', 'A message has at most 1000 recipients.', '/recipients');
  end if;
  v_bytes := octet_length(coalesce(p ->> 'subject', '')) + octet_length(coalesce(p ->> 'html', ''))
    + octet_length(coalesce(p ->> 'text', ''))
    + (select coalesce(sum(length(a ->> 'content') * 3 / 4), 0) from jsonb_array_elements(v_files) a);
  if v_bytes > 5242880 then
    perform app.fail('PU422', 'too_large', 'A message has at most 5 MiB, attachments included.', '/attachments');
  end if;

  insert into messages (id, tenant_id, topic_kind, topic_id, topic_name, source_kind, source_id, subject, html, text,
                        alert, bytes)
  values (coalesce((p ->> 'id')::uuid, app.new_id()), v_tenant, p ->> 'topic_kind', (p ->> 'topic_id')::uuid,
          p ->> 'topic_name', p ->> 'source_kind', (p ->> 'source_id')::uuid, p ->> 'subject', p ->> 'html',
          coalesce(p ->> 'text', ''), nullif(p -> 'alert', 'null'), v_bytes)
  on conflict (tenant_id, source_kind, source_id) do nothing
  returning id into v_id;
  if v_id is not null then
    insert into message_attachments (message_id, tenant_id, position, name, content_type, content_id, content)
    select v_id, v_tenant, a.ordinality, a.value ->> 'name', a.value ->> 'content_type', a.value ->> 'content_id',
           decode(a.value ->> 'content', 'base64')
    from jsonb_array_elements(v_files) with ordinality a;
  else
    select m.id into v_id from messages m
    where m.tenant_id = v_tenant and m.source_kind = p ->> 'source_kind' and m.source_id = (p ->> 'source_id')::uuid;
  end if;

  with made as (
    insert into message_deliveries (id, tenant_id, message_id, source_kind, source_id, channel_id, channel_kind,
                                    channel_name, recipient, status, last_error, settled_at)
    select app.new_id(), v_tenant, m.id, m.source_kind, m.source_id, x.channel_id, x.kind, x.name, x.recipient,
           case when x.error is not null then 'failed' when x.suppressed then 'suppressed' else 'pending' end,
           x.error, case when x.error is not null or x.suppressed then now() end
    from messages m
    cross join lateral (
      select r.ordinality, coalesce(c.id, (r.value ->> 'channel_id')::uuid) as channel_id, coalesce(c.kind, 'gone') as kind,
             coalesce(c.name, '') as name, a.address as recipient,
             case when c.id is null then 'channel_gone' when not c.enabled then 'channel_disabled'
                  when not app.is_address(app.address_kind(c.kind), a.address) then 'address_invalid' end as error,
             a.address <> '' and app.suppressed(v_tenant, a.address, m.topic_kind, m.topic_id) as suppressed
      from jsonb_array_elements(p -> 'recipients') with ordinality r
      left join channels c on c.tenant_id = v_tenant
        and case when r.value ->> 'channel_id' is null then c.is_default else c.id = (r.value ->> 'channel_id')::uuid end
      cross join lateral (
        select case when c.id is not null and app.address_kind(c.kind) is null then ''
                    else trim(coalesce(r.value ->> 'address', '')) end as address) a) x
    where m.id = v_id
    order by x.ordinality
    on conflict do nothing
    returning status)
  select jsonb_build_object('message_id', v_id, 'made', count(*), 'suppressed', count(*) filter (where status = 'suppressed'),
                            'failed', count(*) filter (where status = 'failed')) into v_answer from made;
  return v_answer;
end
$$;

grant execute on function app.address_kind(text), app.key_life(text), app.is_address(text, text),
  app.suppressed(uuid, text, text, uuid) to pulse_app, pulse_definer;
grant execute on function app.post_message(jsonb) to pulse_app;
grant execute on function app.staff_tenant(), app.new_id() to pulse_definer;
call app.seal();

set local role pulse_definer;
insert into channels (id, tenant_id, kind, name, is_default) select app.new_id(), t.id, 'default', 'E-mail', true from tenants t;
reset role;
