//! Attacks on what the MCP layer lets through to clients and to the log: lists, ids, event streams; and on its limits.

use super::*;

const LIST: &str =
    r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"list"},{"name":"edit"}]}}"#;

async fn hidden(media_type: &'static str, parts: Vec<&'static str>) -> String {
    let app = McpApp::around(
        McpLayer::new(scopes()).hide_unavailable(),
        ResourceServer::authenticate,
        answering(media_type, HeaderMap::new(), parts),
    );
    app.post_old(None, READ, &message("tools/list", "{}"))
        .await
        .body
}

fn leak(text: String) -> &'static str {
    Box::leak(text.into_boxed_str())
}

/// The data of the events as a browser reads them (HTML, server-sent events), with their ids and types.
fn events(stream: &str) -> Vec<(String, String, String)> {
    let stream = stream.strip_prefix('\u{feff}').unwrap_or(stream);
    let stream = stream.replace("\r\n", "\n").replace('\r', "\n");
    let mut out = Vec::new();
    let (mut data, mut id, mut kind): (Vec<&str>, String, String) = Default::default();
    let lines: Vec<&str> = stream
        .split_inclusive('\n')
        .filter_map(|line| line.strip_suffix('\n'))
        .collect();
    for line in lines {
        if line.is_empty() {
            if !data.is_empty() {
                out.push((data.join("\n"), id.clone(), kind.clone()));
            }
            data.clear();
            kind.clear();
            continue;
        }
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "data" => data.push(value),
            "id" => value.clone_into(&mut id),
            "event" => value.clone_into(&mut kind),
            _ => {}
        }
    }
    out
}

#[tokio::test]
async fn list_in_an_event_stream_of_any_shape_is_cut() {
    let mut found = Found::default();
    let (head, tail) = LIST.split_at(40);
    let comma = LIST.replacen(',', ",\n", 1);
    let (line1, line2) = comma.split_once('\n').expect("two");
    let _ = (head, tail);
    for end in ["\n", "\r\n", "\r"] {
        let e = end;
        for (what, stream) in [
            ("plain", format!("data: {LIST}{e}{e}")),
            ("no space", format!("data:{LIST}{e}{e}")),
            ("more spaces", format!("data:    {LIST}{e}{e}")),
            ("tab", format!("data:\t{LIST}{e}{e}")),
            ("bom", format!("\u{feff}data: {LIST}{e}{e}")),
            (
                "type before",
                format!("event: message{e}id: 1{e}data: {LIST}{e}{e}"),
            ),
            (
                "type behind",
                format!("data: {LIST}{e}event: message{e}id: 1{e}{e}"),
            ),
            (
                "two lines",
                format!("id: 1{e}data: {line1}{e}data: {line2}{e}{e}"),
            ),
            (
                "two lines apart",
                format!("data: {line1}{e}: comment{e}id: 1{e}data: {line2}{e}event: message{e}{e}"),
            ),
            ("comment first", format!(": {LIST}{e}{e}data: {LIST}{e}{e}")),
            ("data without a colon", format!("data{e}data: {LIST}{e}{e}")),
            (
                "data without a colon behind",
                format!("data: {LIST}{e}data{e}{e}"),
            ),
            ("empty data first", format!("data:{e}data: {LIST}{e}{e}")),
            (
                "two events",
                format!("data: {LIST}{e}{e}data: {LIST}{e}{e}"),
            ),
            ("behind blank lines", format!("{e}{e}{e}data: {LIST}{e}{e}")),
            ("batch", format!("data: [{LIST}]{e}{e}")),
            (
                "escapes",
                format!(
                    "data: {}{e}{e}",
                    LIST.replace("tools", "t\\u006fols")
                        .replace("edit", "e\\u0064it")
                ),
            ),
        ] {
            let plain = events(&stream);
            for size in [1, 3, 4096] {
                let leaked = leak(stream.clone());
                let chunks = (0..leaked.len()).collect::<Vec<_>>();
                let mut parts = Vec::new();
                let mut start = 0;
                for chunk in chunks.chunks(size) {
                    let end = chunk.last().map_or(0, |last| last + 1);
                    if end > start && leaked.is_char_boundary(end) {
                        parts.push(&leaked[start..end]);
                        start = end;
                    }
                }
                if start < leaked.len() {
                    parts.push(&leaked[start..]);
                }
                let answer = hidden("text/event-stream", parts).await;
                let got = events(&answer);
                let shows = got.iter().any(|(data, ..)| {
                    serde_json::from_str::<Value>(data)
                        .is_ok_and(|data| data.to_string().contains("edit"))
                });
                let end = end.escape_debug();
                found.expect(!shows, format!("SHOWN {what} {end} {size}: {answer:?}"));
                found.expect(
                    got.len() == plain.len(),
                    format!("LOST {what} {end} {size}: {answer:?}"),
                );
                let same = got
                    .iter()
                    .zip(&plain)
                    .all(|(got, plain)| got.1 == plain.1 && got.2 == plain.2);
                found.expect(
                    same,
                    format!("ID OR TYPE {what} {end} {size}: {answer:?} -> {got:?}"),
                );
                let cut = got.iter().all(|(data, ..)| {
                    serde_json::from_str::<Value>(data)
                        .is_ok_and(|data| data.to_string().contains("list"))
                });
                found.expect(cut, format!("DATA {what} {end} {size}: {answer:?}"));
            }
        }
    }
}

#[tokio::test]
async fn list_as_json_of_any_shape_is_cut() {
    let mut found = Found::default();
    for media in [
        "application/json",
        "Application/JSON",
        "application/json;charset=utf-8",
        " application/json ; x",
    ] {
        let answer = hidden(media, vec![LIST]).await;
        found.expect(!answer.contains("edit"), format!("SHOWN {media:?}"));
    }
    for text in [
        LIST.replace("result", "re\\u0073ult"),
        format!("\u{feff}{LIST}"),
        format!("{LIST}{LIST}"),
        format!("[{LIST}]"),
        format!("[[{LIST}]]"),
        LIST.replace("\"tools\"", "\"x\":{\"tools\":[]},\"tools\""),
        LIST.replace("\"tools\":", "\"tools\":[],\"tools\":"),
        LIST.replace(
            "{\"name\":\"edit\"}",
            "{\"name\":\"list\",\"name\":\"edit\"}",
        ),
        LIST.replace("{\"name\":\"edit\"}", "{\"name\":\"list\\u0000edit\"}"),
        LIST.replace("{\"name\":\"edit\"}", "[{\"name\":\"edit\"}]"),
    ] {
        let answer = hidden("application/json", vec![leak(text.clone())]).await;
        found.expect(
            !answer.contains("edit"),
            format!("SHOWN {text} -> {answer}"),
        );
    }
    let answer = hidden("application/json", vec![LIST]).await;
    found.expect(answer.contains("\"list\""), "twin");
    // A hidden tool is refused.
    let app = McpApp::with(McpLayer::new(scopes()).hide_unavailable());
    let edit = app.post_old(None, READ, &call("edit")).await;
    found.expect(edit.verdict() == "403 insufficient_scope", edit.verdict());
}

#[tokio::test]
async fn nothing_of_bodies_names_or_fields_is_logged_and_log_lines_are_short() {
    let logs = Logs::default();
    let listening = logs.listen();
    let app = McpApp::new();
    let secret = "s3cr3t";
    let long = "s3cr3t".repeat(20_000);
    for name in [secret, &long] {
        for body in [
            call(name),
            message(name, "{}"),
            message("resources/read", &format!(r#"{{"uri":"{name}"}}"#)),
            call("edit").replace("\"a\":1", &format!("\"a\":\"{name}\"")),
            call("list").replace("\"id\":7", &format!("\"id\":\"{name}\"")),
            format!("{{\"{name}\":1"),
            format!("[{}]", call(name)),
            call("list").replace("\"id\":7", &format!("\"id\":\"{name}\",\"Method\":1")),
        ] {
            app.post_old(None, READ, &body).await;
            app.post_new(READ, Some("tools/call"), Some(name), &body)
                .await;
            app.post_new(READ, Some(name), Some(name), &body).await;
            app.post_new(READ, Some("tools/call"), Some("list"), &body)
                .await;
            app.post(
                READ,
                &[("mcp-protocol-version", name), ("mcp-session-id", name)],
                body.clone(),
            )
            .await;
        }
    }
    drop(listening);
    let text = logs.text();
    assert!(!text.is_empty());
    assert!(
        !text.contains(secret),
        "{}",
        text.lines()
            .find(|line| line.contains(secret))
            .unwrap_or_default()
            .chars()
            .take(300)
            .collect::<String>()
    );
    assert!(text.lines().all(|line| line.len() < 2_000));
}

#[tokio::test]
async fn answer_repeats_only_a_short_id() {
    let app = McpApp::new();
    let mut found = Found::default();
    for id in [
        "\"<script>\"",
        "\"\\u003c\\\"\"",
        "1e400",
        "-0",
        "\"x\\r\\n\"",
        "\"\u{2028}\"",
        "\"\u{7f}\"",
    ] {
        let body = call("list").replace("\"id\":7", &format!("\"id\":{id},\"Method\":1"));
        let answer = app.post_old(None, READ, &body).await;
        found.expect(answer.status == 400, answer.verdict());
        found.expect(
            answer.header("content-type") == Some("application/json"),
            "type",
        );
        let parsed: Result<Box<serde_json::value::RawValue>, _> =
            serde_json::from_str(&answer.body);
        found.expect(parsed.is_ok(), answer.body);
    }
    let body = call("list").replace(
        "\"id\":7",
        &format!("\"id\":{},\"Method\":1", "1".repeat(5000)),
    );
    let answer = app.post_old(None, READ, &body).await;
    found.expect(answer.body.len() < 600, answer.body.len());
}

#[tokio::test]
async fn chunked_body_over_the_limit_is_refused_before_it_is_held() {
    struct Endless(usize);
    impl futures_core::Stream for Endless {
        type Item = Result<axum::body::Bytes, Infallible>;
        fn poll_next(
            mut self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Self::Item>> {
            self.0 += 1;
            assert!(self.0 < 10_000, "read on and on");
            std::task::Poll::Ready(Some(Ok(axum::body::Bytes::from_static(&[b' '; 1024]))))
        }
    }
    let app = McpApp::with(McpLayer::new(scopes()).max_body_bytes(64 * 1024));
    let answer = app.post(READ, &[], Body::from_stream(Endless(0))).await;
    assert_eq!(answer.status, 413);
}
