//! Events as API Gateway and load balancers send them, from AWS's documentation.

use serde_json::{Map, Value, json};

/// The host of the API, as clients name it.
pub(crate) const HOST: &str = "abcdef1234.execute-api.eu-west-1.amazonaws.com";

/// What sends the event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// An HTTP API, payload format 2.0.
    HttpApi,
    /// A REST API, payload format 1.0.
    RestApi,
    /// An Application Load Balancer whose target group has `lambda.multi_value_headers.enabled`.
    LoadBalancer,
    /// One that has not: of a field's values only the last is sent.
    LoadBalancerWithoutMultiValue,
}

/// A request of a client.
#[derive(Clone)]
pub(crate) struct Call {
    pub(crate) method: &'static str,
    /// As the client has it, without the stage.
    pub(crate) path: &'static str,
    pub(crate) stage: &'static str,
    pub(crate) fields: Vec<(&'static str, String)>,
    /// In base64, as gateways send what they take for binary.
    pub(crate) body: Option<String>,
}

impl Call {
    pub(crate) fn get(path: &'static str) -> Self {
        Self {
            method: "GET",
            path,
            stage: "$default",
            fields: vec![("host", HOST.into()), ("x-forwarded-proto", "https".into())],
            body: None,
        }
    }

    pub(crate) fn field(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.fields.push((name, value.into()));
        self
    }

    pub(crate) fn bearer(self, token: &str) -> Self {
        self.field("authorization", format!("Bearer {token}"))
    }

    pub(crate) fn event(&self, origin: Origin) -> Value {
        match origin {
            Origin::HttpApi => self.http_api(),
            Origin::RestApi => self.rest_api(),
            Origin::LoadBalancer => self.load_balancer("multiValueHeaders", self.all_values()),
            Origin::LoadBalancerWithoutMultiValue => {
                self.load_balancer("headers", self.last_values())
            }
        }
    }

    /// The path has the stage, and the values of a field are joined by commas.
    fn http_api(&self) -> Value {
        let stage = self.stage;
        let path = match stage {
            "$default" => self.path.to_owned(),
            stage => format!("/{stage}{}", self.path),
        };
        let mut headers = Map::new();
        for (name, value) in &self.fields {
            let joined = match headers.get(*name).and_then(Value::as_str) {
                Some(before) => format!("{before},{value}"),
                None => value.clone(),
            };
            headers.insert((*name).to_owned(), joined.into());
        }
        json!({
            "version": "2.0",
            "routeKey": "$default",
            "rawPath": path,
            "rawQueryString": "",
            "headers": headers,
            "requestContext": {
                "accountId": "123456789012",
                "apiId": "abcdef1234",
                "domainName": HOST,
                "domainPrefix": "abcdef1234",
                "http": {
                    "method": self.method,
                    "path": path,
                    "protocol": "HTTP/1.1",
                    "sourceIp": "192.0.2.1",
                    "userAgent": "agent",
                },
                "requestId": "id",
                "routeKey": "$default",
                "stage": stage,
                "time": "12/Mar/2026:19:03:58 +0000",
                "timeEpoch": 1_773_342_238_000_u64,
            },
            "body": self.body,
            "isBase64Encoded": self.body.is_some(),
        })
    }

    /// The path lacks the stage, and each field is there twice.
    fn rest_api(&self) -> Value {
        json!({
            "resource": "/{proxy+}",
            "path": self.path,
            "httpMethod": self.method,
            "headers": self.last_values(),
            "multiValueHeaders": self.all_values(),
            "queryStringParameters": null,
            "multiValueQueryStringParameters": null,
            "pathParameters": { "proxy": self.path.trim_start_matches('/') },
            "stageVariables": null,
            "requestContext": {
                "accountId": "123456789012",
                "apiId": "abcdef1234",
                "domainName": HOST,
                "domainPrefix": "abcdef1234",
                "httpMethod": self.method,
                "identity": { "sourceIp": "192.0.2.1", "userAgent": "agent" },
                "path": format!("/{}{}", self.stage, self.path),
                "protocol": "HTTP/1.1",
                "requestId": "id",
                "requestTime": "12/Mar/2026:19:03:58 +0000",
                "requestTimeEpoch": 1_773_342_238_000_u64,
                "resourceId": "123456",
                "resourcePath": "/{proxy+}",
                "stage": self.stage,
            },
            "body": self.body,
            "isBase64Encoded": self.body.is_some(),
        })
    }

    fn load_balancer(&self, member: &str, headers: Map<String, Value>) -> Value {
        json!({
            "requestContext": { "elb": {
                "targetGroupArn": "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/missions/0",
            } },
            "httpMethod": self.method,
            "path": self.path,
            "queryStringParameters": {},
            member: headers,
            "body": self.body.clone().unwrap_or_default(),
            "isBase64Encoded": self.body.is_some(),
        })
    }

    fn all_values(&self) -> Map<String, Value> {
        let mut headers = Map::new();
        for (name, value) in &self.fields {
            let values = headers.entry(*name).or_insert_with(|| json!([]));
            if let Value::Array(values) = values {
                values.push(value.clone().into());
            }
        }
        headers
    }

    fn last_values(&self) -> Map<String, Value> {
        let fields = self.fields.iter();
        fields
            .map(|(name, value)| ((*name).to_owned(), value.clone().into()))
            .collect()
    }
}

/// The status of an answer.
pub(crate) fn status(answer: &Value) -> u64 {
    let status = answer.get("statusCode").and_then(Value::as_u64);
    status.unwrap_or_else(|| panic!("no answer over HTTP: {answer}"))
}

/// A field of an answer: the gateway takes it from either member.
pub(crate) fn field(answer: &Value, name: &str) -> Option<String> {
    let value = |member: &str| answer.get(member)?.get(name);
    match (value("multiValueHeaders"), value("headers")) {
        (Some(Value::Array(values)), _) => {
            let texts: Vec<&str> = values.iter().filter_map(Value::as_str).collect();
            Some(texts.join(", "))
        }
        (_, Some(Value::String(value))) => Some(value.clone()),
        _ => None,
    }
}

/// The body of an answer as JSON.
pub(crate) fn body(answer: &Value) -> Value {
    let text = answer.get("body").and_then(Value::as_str);
    serde_json::from_str(text.expect("a body")).expect("JSON")
}
