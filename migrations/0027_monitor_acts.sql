-- What people see of alerts and incidents, and what they do to them.
--
-- Invariant: an act changes an alert only while its connection's alerts stand as they were read; what follows from it is
-- told by the object of the connection, which is woken.
-- Lock order: connection, table, check, alert, incident, message, realtime channel.
-- Failure: an act that lost the race is told so and is decided again.

create function app.monitor_alert_json(a monitor_alerts) returns jsonb language plpgsql stable as $$
begin
  return (select jsonb_build_object('id', a.id, 'connection_id', a.connection_id, 'table_id', a.table_id, 'check_id', a.check_id,
    'kind', a.kind, 'state', a.state, 'severity', a.severity, 'since', app.utc(a.since), 'fired_at', app.utc(a.fired_at),
    'resolved_at', app.utc(a.resolved_at), 'cause', a.data -> 'cause', 'breaches', a.data -> 'breaches',
    'breached_at', app.utc((a.data ->> 'breached_at')::timestamptz), 'evidence', a.data -> 'evidence',
    'incident_id', a.incident_id, 'acknowledged', nullif(a.data -> 'ack', 'null'), 'mark', nullif(a.data -> 'mark', 'null'),
    'muted_by', a.muted_by, 'connection', c.name,
    'table', (select t.schema_name || '.' || t.table_name from monitor_tables t where t.id = a.table_id),
    'check', (select k.name from monitor_checks k where k.id = a.check_id), 'updated_at', app.utc(a.updated_at))
  from monitor_connections c where c.id = a.connection_id);
end
$$;

create function app.monitor_incident_json(i monitor_incidents) returns jsonb language plpgsql stable as $$
begin
  return (select jsonb_build_object('id', i.id, 'connection_id', i.connection_id, 'scope', i.data -> 'scope',
    'opened_at', app.utc(i.opened_at), 'closed_at', app.utc(i.closed_at), 'absorbed_by', i.data -> 'absorbed_by',
    'alert_count', i.data -> 'count', 'connection', c.name,
    'firing', (select count(*) from monitor_alerts a where a.incident_id = i.id and a.state = 'firing'),
    'messages', (select count(*) from monitor_notifications n where n.incident_id = i.id),
    'updated_at', app.utc(i.updated_at))
  from monitor_connections c where c.id = i.connection_id);
end
$$;

-- {"id", "standing", "data", "state", "resolved_at", "change", "feedback": {"from", "until", "mark"}}: what the rules made
-- of an act. Answers null when the alert is gone, {"conflict": true}, or what app.monitor_followed says.
create function app.act_on_alert(p jsonb) returns jsonb language plpgsql volatile
set search_path = pg_catalog, public, app, pg_temp as $$
declare
  v_alert    monitor_alerts;
  v_standing integer;
begin
  select a.* into v_alert from monitor_alerts a where a.id = (p ->> 'id')::uuid;
  if not found then
    return null;
  end if;
  select c.standing into v_standing from monitor_connections c where c.id = v_alert.connection_id for no key update;
  if v_standing <> (p ->> 'standing')::integer then
    return jsonb_build_object('conflict', true);
  end if;
  update monitor_alerts a set data = p -> 'data', state = p ->> 'state', resolved_at = (p ->> 'resolved_at')::timestamptz,
    updated_at = app.clock(p)
  where a.id = v_alert.id returning a.* into v_alert;
  if nullif(p -> 'change', 'null') is not null then
    insert into monitor_alert_changes (tenant_id, alert_id, number, what, severity, at)
    values (app.tenant(), v_alert.id, (p #>> '{change,number}')::integer, p #>> '{change,what}', p #>> '{change,severity}',
            (p #>> '{change,at}')::timestamptz)
    on conflict (alert_id, number) do nothing;
  end if;
  perform app.emit('alerts', 'alert', jsonb_build_object('alert', v_alert.id, 'connection_id', v_alert.connection_id,
    'table_id', v_alert.table_id, 'check_id', v_alert.check_id, 'kind', v_alert.kind, 'state', v_alert.state,
    'severity', v_alert.severity, 'what', coalesce(p #>> '{change,what}', p ->> 'deed'), 'at', app.utc(app.clock(p)))
    || coalesce(nullif(p -> 'change', 'null'), '{}'));
  if nullif(p -> 'feedback', 'null') is not null then
    -- An alert goes by when a run was made; the period that the run is about began up to days before that.
    update monitor_results r set mark = p #>> '{feedback,mark}'
    where r.check_id = v_alert.check_id and r.origin <> 'backfill'
      and r.at between (p #>> '{feedback,from}')::timestamptz - interval '8 days' and (p #>> '{feedback,until}')::timestamptz
      and r.ran_at between (p #>> '{feedback,from}')::timestamptz and (p #>> '{feedback,until}')::timestamptz;
    update monitor_checks k set learnt = k.learnt + 1 where k.id = v_alert.check_id;
  end if;
  update monitor_connections c set standing = c.standing + 1 where c.id = v_alert.connection_id;
  return app.monitor_followed(app.monitor_alert_json(v_alert), v_alert.connection_id);
end
$$;

create function app.monitor_silence_json(s monitor_silences) returns jsonb language plpgsql stable as $$
begin
  return jsonb_build_object('id', s.id, 'settings', s.settings, 'created_by', s.created_by, 'version', s.version,
    'created_at', app.utc(s.created_at), 'updated_at', app.utc(s.updated_at));
end
$$;

create function app.monitor_route_json(r monitor_routes) returns jsonb language plpgsql stable as $$
begin
  return r.settings || jsonb_build_object('id', r.id, 'position', r.position, 'enabled', r.enabled,
    'created_by', r.created_by, 'version', r.version, 'created_at', app.utc(r.created_at),
    'updated_at', app.utc(r.updated_at));
end
$$;

-- Whether the channels that a route names are there. Always true, or it fails.
create function app.monitor_channels(p_settings jsonb) returns boolean language plpgsql volatile cost 1000
set search_path = pg_catalog, public, app, pg_temp as $$
declare
  v_wrong text;
begin
  select x.pointer into v_wrong
  from (
    select format('/receivers/%s/channel_id', r.place - 1) as pointer, r.value ->> 'channel_id' as id
    from jsonb_array_elements(p_settings -> 'receivers') with ordinality r (value, place)
    union all
    select format('/escalation/%s/receivers/%s/channel_id', s.place - 1, r.place - 1), r.value ->> 'channel_id'
    from jsonb_array_elements(p_settings -> 'escalation') with ordinality s (value, place),
         jsonb_array_elements(s.value -> 'receivers') with ordinality r (value, place)) x
  where x.id is not null and not exists (select from channels c where c.id = x.id::uuid)
  limit 1;
  if v_wrong is not null then
    perform app.fail('PU422', 'unknown', 'There is no such channel.', v_wrong);
  end if;
  return true;
end
$$;

-- Who is told of what has changed: every connection that has alerts looks at them again. Always true.
create function app.monitor_rethink() returns boolean language plpgsql volatile cost 1000
set search_path = pg_catalog, public, app, pg_temp as $$
begin
  update monitor_connections c set due_at = least(c.due_at, now())
  where (c.due_at is null or c.due_at > now())
    and exists (select from monitor_alerts a where a.connection_id = c.id and a.state = 'firing');
  return true;
end
$$;

grant execute on function app.monitor_silence_json(monitor_silences), app.monitor_route_json(monitor_routes),
  app.monitor_channels(jsonb),
  app.monitor_rethink() to pulse_app;
grant execute on function app.monitor_alert_json(monitor_alerts), app.monitor_incident_json(monitor_incidents),
  app.act_on_alert(jsonb) to pulse_app;
call app.seal();
