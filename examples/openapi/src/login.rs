//! The login of Swagger UI, step by step, as a program.

use std::error::Error;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::{Client, Response, redirect::Policy};
use serde_json::Value;

use crate::authorization_server::CLIENT;

pub(crate) async fn run(origin: &str) -> Result<(), Box<dyn Error>> {
    let client = Client::builder().redirect(Policy::none()).build()?;
    let page = client.get(format!("{origin}/docs/")).send().await?;
    expect("Swagger UI", &page, 200)?;
    let page = client.get(format!("{origin}/docs/oauth2-redirect.html"));
    expect("the page that the login returns to", &page.send().await?, 200)?;

    // The addresses are those of the document.
    let document: Value = client.get(format!("{origin}/openapi.json")).send().await?.json().await?;
    let flow = &document["components"]["securitySchemes"]["oauth2"]["flows"]["authorizationCode"];
    let address = |name: &str| flow[name].as_str().ok_or("the flow has no such address");
    let demanded = &document["paths"]["/orders"]["get"]["security"][0]["oauth2"][0];
    let scope = demanded.as_str().ok_or("the operation demands no scope")?;

    let verifier = "a-verifier-of-a-test-with-at-least-43-characters";
    let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()));
    let redirect_uri = format!("{origin}/docs/oauth2-redirect.html");
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("response_type", "code")
        .append_pair("client_id", CLIENT)
        .append_pair("redirect_uri", &redirect_uri)
        .append_pair("scope", scope)
        .append_pair("state", "s")
        .append_pair("code_challenge", &challenge)
        .append_pair("code_challenge_method", "S256")
        .finish();
    let authorize = format!("{}?{query}", address("authorizationUrl")?);
    expect("the page to sign in", &client.get(&authorize).send().await?, 200)?;
    let agreed = client.post(&authorize).send().await?;
    expect("the consent", &agreed, 303)?;
    let location = agreed.headers().get("location").ok_or("no Location")?.to_str()?;
    let (_, answer) = location.split_once('?').ok_or("no query")?;
    let mut answer = form_urlencoded::parse(answer.as_bytes());
    let code = answer.find(|(name, _)| name == "code").ok_or("no code")?.1.into_owned();

    let exchange = |verifier: &str, code: &str| {
        let form = [
            ("grant_type", "authorization_code"),
            ("client_id", CLIENT),
            ("redirect_uri", &redirect_uri),
            ("code", code),
            ("code_verifier", verifier),
        ];
        Ok::<_, Box<dyn Error>>(client.post(address("tokenUrl")?).form(&form).send())
    };
    let answer = exchange(verifier, &code)?.await?;
    expect("the token", &answer, 200)?;
    let answer: Value = answer.json().await?;
    let token = answer["access_token"].as_str().ok_or("no token")?;
    expect("the same code again", &exchange(verifier, &code)?.await?, 400)?;

    let orders = format!("{origin}/orders");
    expect("orders without a token", &client.get(&orders).send().await?, 401)?;
    let read = client.get(&orders).bearer_auth(token).send().await?;
    expect("orders with the token", &read, 200)?;
    let body = serde_json::json!({ "article": "lamp", "pieces": 1 });
    let write = client.post(&orders).bearer_auth(token).json(&body).send().await?;
    expect("an order without its scope", &write, 403)?;
    Ok(())
}

fn expect(what: &str, response: &Response, status: u16) -> Result<(), String> {
    println!("{what}: {}", response.status());
    if response.status() == status {
        Ok(())
    } else {
        Err(format!("{what}: expected {status}"))
    }
}
