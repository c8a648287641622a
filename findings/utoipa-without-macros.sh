#!/usr/bin/env bash
# utoipa 6.0.0 (crates.io).
#
# Behaviour: without the feature `macros` it does not compile: `src/openapi/schema.rs` names
# `crate::utoipa::Number`, and `mod utoipa` is there with `macros` alone. The feature `utoipa` of this
# crate therefore switches `macros` on.
#
# Output:
#   without macros: 1, error[E0433]
#   with macros: 0
#
# Fails where the output differs. Needs Rust 1.88 and crates.io; leaves nothing behind.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
mkdir "$folder/src"
touch "$folder/src/lib.rs"

manifest() {
    cat >"$folder/Cargo.toml" <<TOML
[package]
name = "try"
version = "0.0.0"
edition = "2024"

[dependencies]
utoipa = { version = "=6.0.0", default-features = false, features = [$1] }
TOML
}

check() {
    cargo check --quiet --manifest-path "$folder/Cargo.toml" --target-dir "$folder/target" 2>&1
}

manifest ''
if log="$(check)"; then
    without='0'
else
    without="1, $(grep -o -m 1 'error\[E0433\]' <<<"$log" || echo 'another error')"
fi
manifest '"macros"'
if log="$(check)"; then with=0; else with=1; fi

output="without macros: $without
with macros: $with"
printf '%s\n' "$output"
[ "$output" = 'without macros: 1, error[E0433]
with macros: 0' ]
