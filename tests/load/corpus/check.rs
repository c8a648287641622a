//! What came back against what was written. Nothing here judges a request.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::data::{Case, Expect, Http, Text, Verdict};
use super::send::Reply;

/// Shorter credentials could stand in an answer by accident.
const SHORTEST_SECRET: usize = 16;

/// What was answered.
pub(super) fn verdict(reply: &Reply) -> Verdict {
    Verdict {
        status: reply.status,
        error: reply.header("www-authenticate").find_map(error_of),
    }
}

/// Everything that is wrong with a reply.
pub(super) fn problems(case: &Case, http: &Http, expect: &Expect, reply: &Reply) -> Vec<String> {
    let mut problems = Vec::new();
    let got = verdict(reply);
    check_verdict(expect, &got, &mut problems);
    check_handler(case, expect, reply, &mut problems);
    check_principal(case, expect, reply, &mut problems);
    check_challenge(case, expect, reply, &mut problems);
    check_headers(case, reply, &mut problems);
    check_secrets(case, http, reply, &mut problems);
    problems
}

/// What must not stand in a text: `{token}` and `{signature}` are the case's own.
pub(super) fn forbidden<'c>(
    case: &'c Case,
    texts: &'c [String],
) -> impl Iterator<Item = String> + 'c {
    let token = case.token.as_ref().map(Text::spelled_out);
    texts.iter().map(move |text| {
        let token = token.as_deref().unwrap_or_default();
        let signature = token.rsplit('.').next().unwrap_or_default();
        let text = text.replace("{token}", token);
        let text = text.replace("{signature}", signature);
        assert!(!text.is_empty(), "an empty text is in every text");
        text
    })
}

fn check_verdict(expect: &Expect, got: &Verdict, problems: &mut Vec<String>) {
    let written = Verdict {
        status: expect.status,
        error: expect.error.clone(),
    };
    if *got != written && !expect.accept_also.contains(got) {
        let right = [&written].into_iter().chain(&expect.accept_also);
        let right: Vec<String> = right.map(ToString::to_string).collect();
        problems.push(format!("expected {} .. got {got}", right.join(" or ")));
    }
}

fn check_handler(case: &Case, expect: &Expect, reply: &Reply, problems: &mut Vec<String>) {
    let as_written = reply.status == expect.status;
    let due = if as_written {
        expect.handler_called
    } else {
        reply.status == 200
    };
    let reached = reply.handlers_reached;
    if reached != usize::from(due && !case.handler_must_not_run) {
        problems.push(format!("the handler ran {reached} times"));
    }
}

fn check_principal(case: &Case, expect: &Expect, reply: &Reply, problems: &mut Vec<String>) {
    let due = expect.principal.as_ref().or(case.principal_if_200.as_ref());
    let Some(due) = due.filter(|_| reply.status == 200) else {
        return;
    };
    if reply.body.is_empty() && case.http.method == "HEAD" {
        return;
    }
    let seen: BTreeMap<String, Value> = serde_json::from_slice(&reply.body).unwrap_or_default();
    for (member, value) in due {
        let same = match (member.as_str(), seen.get(member)) {
            ("scopes", Some(seen)) => as_set(seen) == as_set(value),
            (_, seen) => seen == Some(value),
        };
        if !same {
            let seen = seen.get(member);
            problems.push(format!("expected `{member}` {value} .. got {seen:?}"));
        }
    }
}

fn check_challenge(case: &Case, expect: &Expect, reply: &Reply, problems: &mut Vec<String>) {
    let challenges: Vec<&str> = reply.header("www-authenticate").collect();
    let scheme = expect.scheme.as_deref().unwrap_or("Bearer");
    let starts = |challenge: &&str| {
        let (start, rest) = challenge.split_at_checked(scheme.len()).unwrap_or_default();
        start.eq_ignore_ascii_case(scheme) && (rest.is_empty() || rest.starts_with(' '))
    };
    // RFC 9110 s11.6.1: a 401 carries at least one challenge.
    if reply.status == 401 && !challenges.iter().any(starts) {
        problems.push(format!(
            "a 401 without a challenge of {scheme}: {challenges:?}"
        ));
    }
    let all = challenges.join(", ");
    for text in forbidden(case, &case.www_authenticate_must_contain) {
        if !all.contains(&text) {
            problems.push(format!("`{text}` is not in the challenge `{all}`"));
        }
    }
    for text in forbidden(case, &case.www_authenticate_must_not_contain) {
        if all.contains(&text) {
            problems.push(format!("`{text}` is in the challenge"));
        }
    }
}

fn check_headers(case: &Case, reply: &Reply, problems: &mut Vec<String>) {
    for (name, value) in &case.expect_headers {
        if !reply.header(name).any(|held| held == value) {
            problems.push(format!("no header `{name}: {value}`"));
        }
    }
    for (name, value) in &case.response_headers_must_not {
        if reply.header(name).any(|held| held.contains(value)) {
            problems.push(format!("`{value}` in the header `{name}`"));
        }
    }
    for (name, count) in &case.expect_header_count {
        let held = reply.header(name).count();
        if held != *count {
            problems.push(format!("{held} headers `{name}`"));
        }
    }
}

/// No answer repeats the credential, or what else the case keeps to itself.
fn check_secrets(case: &Case, http: &Http, reply: &Reply, problems: &mut Vec<String>) {
    let text = reply.text();
    for secret in forbidden(case, &case.response_must_not_contain) {
        if text.contains(&secret) {
            problems.push(format!("`{secret}` is in the answer"));
        }
    }
    let sent = http.headers.iter().filter(|(name, _)| {
        let secret = ["authorization", "proxy-authorization"];
        secret.contains(&name.to_ascii_lowercase().as_str())
    });
    for (name, value) in sent {
        let value = value.spelled_out();
        let credential = value.rsplit_once(' ').map_or(&*value, |(_, last)| last);
        if credential.len() >= SHORTEST_SECRET && text.contains(credential) {
            problems.push(format!("the answer repeats `{name}`"));
        }
    }
    let token = case.token.as_ref().map(Text::spelled_out);
    if token.is_some_and(|token| token.len() >= SHORTEST_SECRET && text.contains(&token)) {
        problems.push("the answer repeats the token".to_owned());
    }
}

/// The `error` of a challenge (RFC 9110 section 11.2).
fn error_of(challenge: &str) -> Option<String> {
    let mut rest = challenge;
    while let Some((name, after)) = rest.split_once('=') {
        let name = name.rsplit([' ', ',', '\t']).next().unwrap_or_default();
        let (value, after) = value_of(after);
        if name.eq_ignore_ascii_case("error") {
            return Some(value);
        }
        rest = after;
    }
    None
}

/// A token or a quoted string, and what follows it.
fn value_of(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([',', ' ']).unwrap_or(text.len());
        return (text[..end].to_owned(), &text[end..]);
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, one)) = characters.next() {
        match one {
            '"' => return (value, &quoted[at + 1..]),
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            _ => value.push(one),
        }
    }
    (value, "")
}

fn as_set(value: &Value) -> Option<BTreeSet<&str>> {
    value.as_array()?.iter().map(Value::as_str).collect()
}
