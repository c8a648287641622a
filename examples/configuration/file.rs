//! A configuration from a file, by its extension: TOML, JSON or YAML.

use std::error::Error;
use std::fs;
use std::path::Path;

use portcullis::config::Configuration;

type Fault = Box<dyn Error + Send + Sync>;

/// Reads the file. What is wrong in it is named by its path, and no line of it is quoted.
pub(crate) fn read(path: &Path) -> Result<Configuration, Fault> {
    let name = path.display();
    let text = fs::read_to_string(path).map_err(|error| format!("{name}: {error}"))?;
    let extension = path.extension().and_then(|end| end.to_str());
    let read = match extension {
        Some("toml") => {
            let parsed = toml::Deserializer::parse(&text).map_err(|error| {
                let before = error.span().and_then(|span| text.get(..span.start));
                let line = 1 + before.unwrap_or_default().matches('\n').count();
                format!("{name}: line {line}: {}", error.message())
            })?;
            Configuration::deserialize_from(parsed)
        }
        Some("json") => {
            let mut reader = serde_json::Deserializer::from_str(&text);
            let read = Configuration::deserialize_from(&mut reader);
            if read.is_ok() {
                reader.end().map_err(|error| format!("{name}: {error}"))?;
            }
            read
        }
        Some("yaml" | "yml") => {
            let parsed: serde_json::Value = serde_saphyr::from_str(&text)
                .map_err(|error| format!("{name}: {}", error.without_snippet()))?;
            Configuration::deserialize_from(parsed)
        }
        _ => return Err(format!("{name}: the extension is none of toml, json, yaml, yml").into()),
    };
    Ok(read.map_err(|error| format!("{name}: {error}"))?)
}
