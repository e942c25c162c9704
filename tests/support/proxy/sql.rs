//! Which statements a transaction-pooling front such as Hyperdrive cannot carry, told from their
//! text.
//!
//! Invariant: words inside string literals, quoted names and comments never count.
//! Failure: text that cannot be told apart passes; Postgres itself then judges it.

/// A rule that was broken, by its stable name.
pub type Rule = &'static str;

/// The rule a statement breaks, if any.
pub fn broken(sql: &str) -> Option<Rule> {
    let words = words(sql);
    let first = words.first().map_or("", String::as_str);
    let has = |name: &str| words.iter().any(|word| word == name);
    let follows = |one: &str, two: &[&str]| {
        words
            .windows(2)
            .any(|pair| pair[0] == one && two.contains(&pair[1].as_str()))
    };
    match first {
        "listen" | "notify" | "unlisten" => return Some("listen_notify"),
        "set" | "reset" => return Some("session_set"),
        "discard" => return Some("discard"),
        "prepare" if words.get(1).is_some_and(|word| word == "transaction") => {
            return Some("explicit_transaction");
        }
        "prepare" | "deallocate" | "execute" => return Some("sql_prepare"),
        "begin" | "start" | "commit" | "end" | "rollback" | "abort" | "savepoint" | "release" => {
            return Some("explicit_transaction");
        }
        "copy" => return Some("copy"),
        _ => {}
    }
    if has("pg_notify") {
        return Some("listen_notify");
    }
    if words
        .iter()
        .any(|word| word.starts_with("pg_advisory") || word.starts_with("pg_try_advisory"))
    {
        return Some("advisory_lock");
    }
    if (first == "create"
        && words
            .iter()
            .take(4)
            .any(|word| word == "temp" || word == "temporary"))
        || follows("into", &["temp", "temporary"])
        || has("pg_temp")
    {
        return Some("temp_table");
    }
    if follows("with", &["hold"]) {
        return Some("with_hold");
    }
    if session_set_config(sql) {
        return Some("session_set");
    }
    None
}

/// Does the statement set a parameter beyond its transaction: `set_config(…, false)`?
fn session_set_config(sql: &str) -> bool {
    let plain = blank(sql);
    let mut rest = plain.as_str();
    while let Some(at) = rest.find("set_config") {
        rest = &rest[at + "set_config".len()..];
        let Some(open) = rest.find('(') else {
            return false;
        };
        let (mut depth, mut last) = (0_i32, String::new());
        for letter in rest[open..].chars() {
            match letter {
                '(' => depth += 1,
                ')' if depth == 1 => break,
                ')' => depth -= 1,
                ',' if depth == 1 => last.clear(),
                _ if depth == 1 => last.push(letter),
                _ => {}
            }
        }
        if last.trim() == "false" {
            return true;
        }
    }
    false
}

/// The bare words of a statement, in lower case and in order.
fn words(sql: &str) -> Vec<String> {
    blank(sql)
        .split(|letter: char| !(letter.is_alphanumeric() || letter == '_'))
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

/// The statement in lower case, with literals, quoted names and comments replaced by a space.
fn blank(sql: &str) -> String {
    let mut out = String::with_capacity(sql.len());
    let mut rest = sql;
    while let Some(letter) = rest.chars().next() {
        let skipped = if rest.starts_with("--") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            block_comment(rest)
        } else if letter == '\'' {
            let escapes = out.ends_with('e') && !ends_in_word(&out[..out.len() - 1]);
            quoted(rest, '\'', escapes)
        } else if letter == '"' {
            quoted(rest, '"', false)
        } else if letter == '$' && !ends_in_word(&out) {
            dollar_quoted(rest)
        } else {
            0
        };
        if skipped > 0 {
            out.push(' ');
            rest = &rest[skipped..];
        } else {
            out.extend(letter.to_lowercase());
            rest = &rest[letter.len_utf8()..];
        }
    }
    out
}

fn ends_in_word(text: &str) -> bool {
    text.chars()
        .next_back()
        .is_some_and(|letter| letter.is_alphanumeric() || letter == '_')
}

/// Length of the block comment that `text` opens with; they nest.
fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0_usize);
    while at < text.len() {
        if text[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if text[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

/// Length of the quoted run that `text` opens with; a doubled quote stays inside.
fn quoted(text: &str, quote: char, escapes: bool) -> usize {
    let mut letters = text.char_indices().skip(1).peekable();
    while let Some((at, letter)) = letters.next() {
        if escapes && letter == '\\' {
            letters.next();
        } else if letter == quote {
            if letters.peek().is_some_and(|&(_, next)| next == quote) {
                letters.next();
            } else {
                return at + quote.len_utf8();
            }
        }
    }
    text.len()
}

/// Length of the dollar-quoted run that `text` opens with, or 0 when `$` opens none (`$1`).
fn dollar_quoted(text: &str) -> usize {
    let Some(end) = text[1..].find('$') else {
        return 0;
    };
    let tag = &text[..end + 2];
    let name = &tag[1..tag.len() - 1];
    let named = name
        .chars()
        .all(|letter| letter.is_alphanumeric() || letter == '_');
    if !named || name.starts_with(|letter: char| letter.is_ascii_digit()) {
        return 0;
    }
    text[tag.len()..]
        .find(tag)
        .map_or(text.len(), |at| at + 2 * tag.len())
}

#[cfg(test)]
mod tests {
    use super::broken;

    #[test]
    fn what_a_pool_by_transaction_cannot_carry_is_named() {
        for (sql, rule) in [
            ("LISTEN x", "listen_notify"),
            ("select pg_notify('a', 'b')", "listen_notify"),
            ("select pg_advisory_xact_lock(1)", "advisory_lock"),
            (
                "select * from (select pg_try_advisory_lock($1)) x",
                "advisory_lock",
            ),
            ("set search_path = app", "session_set"),
            ("/* a */ -- b\n SET LOCAL x = 1", "session_set"),
            (
                "select set_config('app.tenant_id', $1, false)",
                "session_set",
            ),
            ("select set_config('a', lower('b,c'), FALSE)", "session_set"),
            ("discard all", "discard"),
            ("prepare p as select 1", "sql_prepare"),
            ("prepare transaction 'x'", "explicit_transaction"),
            ("deallocate all", "sql_prepare"),
            ("begin", "explicit_transaction"),
            ("Commit", "explicit_transaction"),
            ("create temp table x (a int)", "temp_table"),
            ("create local temporary table x (a int)", "temp_table"),
            ("select 1 into temp x", "temp_table"),
            ("declare c cursor with hold for select 1", "with_hold"),
            ("copy x from stdin", "copy"),
        ] {
            assert_eq!(broken(sql), Some(rule), "{sql}");
        }
    }

    #[test]
    fn words_in_literals_names_and_comments_do_not_count() {
        for sql in [
            "select 'listen', 'pg_advisory_lock'",
            "select E'it\\'s pg_notify' , 'it''s pg_notify'",
            "select \"pg_advisory_lock\" from t -- pg_notify(\n where x = $1",
            "select $$pg_notify$$, $a$ set_config(x, y, false) $a$",
            "select set_config('app.tenant_id', $1, true)",
            "select app.call($1, $2, $3, $4, $5, $6)",
            "update t set a = 1 where begin_at < now()",
            "insert into temp_tables values ($1) returning to_jsonb(temp_tables)",
            "with holders as (select 1) select * from holders",
        ] {
            assert_eq!(broken(sql), None, "{sql}");
        }
    }
}
