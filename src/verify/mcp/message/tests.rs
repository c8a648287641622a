use super::*;

fn one(text: &str) -> Result<Message<'_>, JsonRpcError> {
    let mut messages = read_body(text.as_bytes(), false).map_err(|fault| fault.error)?;
    assert_eq!(messages.len(), 1);
    Ok(messages.remove(0))
}

fn call(text: &str) -> Call<'_> {
    one(text).expect(text).call.expect(text)
}

fn targets_of(text: &str) -> Vec<(TargetKind, String)> {
    let targets = call(text).targets.into_iter();
    targets
        .map(|target| (target.kind, target.name.into_owned()))
        .collect()
}

#[test]
fn request_names_its_method_and_target() {
    use TargetKind::{Prompt, Resource, Tool};

    for (text, expected) in [
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":{"name":"b"}}}"#,
            vec![(Tool, "a")],
        ),
        (
            r#" {"params":{"arguments":{},"\u006eame":"\u0061"},"method":"tools\/call","id":"x","jsonrpc":"2.0"} "#,
            vec![(Tool, "a")],
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","\u0070arams":{"name":"a"}}"#,
            vec![(Tool, "a")],
        ),
        (
            r#"{"jsonrpc":"2.0","method":"prompts/get","params":{"name":"p"}}"#,
            vec![(Prompt, "p")],
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"a://b","name":"c"}}"#,
            vec![(Resource, "a://b")],
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"resources/subscribe","params":{"uri":"a://b"}}"#,
            vec![(Resource, "a://b")],
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{"ref":{"type":"ref/prompt","name":"p","uri":"u"}}}"#,
            vec![(Prompt, "p")],
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{"ref":{"type":"ref/resource","uri":"u"}}}"#,
            vec![(Resource, "u")],
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{"notifications":{"resourceSubscriptions":["a","b"]}}}"#,
            vec![(Resource, "a"), (Resource, "b")],
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{"notifications":{"toolsListChanged":true}}}"#,
            vec![],
        ),
        (r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#, vec![]),
        (r#"{"jsonrpc":"2.0","id":1,"method":"custom","params":[1]}"#, vec![]),
    ] {
        let expected: Vec<_> = expected
            .into_iter()
            .map(|(kind, name)| (kind, name.to_owned()))
            .collect();
        assert_eq!(targets_of(text), expected, "{text}");
    }
}

#[test]
fn message_without_an_id_is_a_notification_and_one_without_a_method_a_response() {
    assert!(call(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#).is_notification);
    assert!(!call(r#"{"jsonrpc":"2.0","id":0,"method":"ping"}"#).is_notification);
    for response in [
        r#"{"jsonrpc":"2.0","id":1,"result":{}}"#,
        r#"{"jsonrpc":"2.0","id":null,"error":{"code":1,"message":"m"}}"#,
    ] {
        assert_eq!(one(response).expect(response).call, None);
    }
}

#[test]
fn protocol_version_of_the_body_is_read() {
    let text = r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}"#;
    assert_eq!(call(text).protocol_version.as_deref(), Some("2026-07-28"));
    assert_eq!(
        call(r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":{"_meta":{}}}"#).protocol_version,
        None
    );
}

#[test]
fn what_is_no_message_is_refused() {
    use JsonRpcError::{InvalidParams, InvalidRequest, Parse};

    let deep = |levels: usize| {
        format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"ping","params":{{"a":{}{}}}}}"#,
            "[".repeat(levels),
            "]".repeat(levels)
        )
    };
    assert!(one(&deep(62)).is_ok());
    for (text, error) in [
        ("", Parse),
        ("nonsense", Parse),
        (r#"{"jsonrpc":"2.0","id":1,"method":"ping"} {}"#, Parse),
        ("\u{feff}{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}", Parse),
        (&deep(63), Parse),
        (&deep(100_000), Parse),
        (r#"{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call"}"#, Parse),
        (r#"{"jsonrpc":"2.0","id":1,"method":"ping","m\u0065thod":"tools/call"}"#, Parse),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","name":"b"}}"#,
            Parse,
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":{"x":[{"y":1,"y":2}]}}}"#,
            Parse,
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a"},"\u0070arams":{"name":"b"}}"#,
            Parse,
        ),
        ("1", Parse),
        (r#"{"id":1,"method":"ping"}"#, InvalidRequest),
        (r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#, InvalidRequest),
        (r#"{"jsonrpc":"2.0","id":1}"#, InvalidRequest),
        (r#"{"jsonrpc":"2.0","id":1,"method":7}"#, InvalidRequest),
        (r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#, InvalidRequest),
        (r#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#, InvalidRequest),
        (r#"{"jsonrpc":"2.0","id":1,"method":"ping","result":{}}"#, InvalidRequest),
        (r#"{"jsonrpc":"2.0","id":1,"method":"ping","Method":"tools/call"}"#, InvalidRequest),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","Name":"b"}}"#,
            InvalidRequest,
        ),
        (r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#, InvalidRequest),
        (r#"{"jsonrpc":"2.0","id":1,"method":"tools/call"}"#, InvalidParams),
        (r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":1}}"#, InvalidParams),
        (r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}"#, InvalidParams),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{"ref":{"type":"ref/tool","name":"a"}}}"#,
            InvalidParams,
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{"notifications":{"resourceSubscriptions":[1]}}}"#,
            InvalidParams,
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{"notifications":[]}}"#,
            InvalidParams,
        ),
    ] {
        assert_eq!(one(text).err(), Some(error), "{text:.200}");
    }
    let invalid_text = read_body(b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xff\"}", false);
    assert_eq!(invalid_text.err().map(|fault| fault.error), Some(Parse));
}

#[test]
fn batch_has_all_of_its_messages() {
    let batch = r#" [ {"jsonrpc":"2.0","id":1,"method":"ping"} , {"jsonrpc":"2.0","id":2,"result":{}} ] "#;
    assert_eq!(read_body(batch.as_bytes(), true).map(|messages| messages.len()), Ok(2));
    for (text, id) in [
        ("[]", None),
        ("[1]", None),
        (r#"[[{"jsonrpc":"2.0","id":1,"method":"ping"}]]"#, None),
        (r#"[{"jsonrpc":"2.0","id":1,"method":"ping"},{"jsonrpc":"2.0","id":2}]"#, Some("2")),
        (r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}"#, None),
        (r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]x"#, None),
    ] {
        let fault = read_body(text.as_bytes(), true).expect_err(text);
        assert_eq!(fault.id.as_deref(), id, "{text}");
    }
}

#[test]
fn error_response_has_the_id_of_the_message_where_it_is_known_and_short() {
    for (text, error) in [
        (
            r#"{"jsonrpc":"2.0","id":"a\u0022b","method":7}"#,
            r#"{"jsonrpc":"2.0","id":"a\u0022b","error":{"code":-32600,"message":"the method is no string, or the message is a response too"}}"#,
        ),
        (
            r#"{"jsonrpc":"2.0","id":-1.5e3,"method":"tools/call"}"#,
            r#"{"jsonrpc":"2.0","id":-1.5e3,"error":{"code":-32602,"message":"what is asked for has no name"}}"#,
        ),
        (
            "{",
            r#"{"jsonrpc":"2.0","error":{"code":-32700,"message":"the body is no strict JSON, or too deep"}}"#,
        ),
    ] {
        let fault = read_body(text.as_bytes(), false).expect_err(text);
        assert_eq!(fault.to_json(), error);
    }
    let long = format!(r#"{{"jsonrpc":"2.0","id":"{}","method":7}}"#, "x".repeat(LONGEST_ID));
    let fault = read_body(long.as_bytes(), false).expect_err("no method");
    assert_eq!(fault.id, None);
}
