#!/usr/bin/env bash
# PyPI python-jose 3.5.0, joserfc 1.8.0 (which makes the keys), Python 3.10 or newer.
#
# Behaviour: `jwt.decode` with a key set tries the keys in the order of the set, whatever the `kid` of the
# token is, and takes each for a key of the token's algorithm. The first key of another type raises JWKError,
# so that the matching key behind it is not tried. A token is verified where its key precedes those of other
# types. With a provider that signs by RS256 and ES256, the tokens of one of the two are refused; where it
# puts a key of a new type first, all are. By RFC 7517 section 5.1 the order of keys implies no preference.
#
# Output:
#   keys EC, RSA: ES256 verified, RS256 JWKError "Incorrect key type. Expected: 'RSA', Received: EC"
#   keys RSA, EC: ES256 JWKError "Incorrect key type. Expected: 'EC', Received: RSA", RS256 verified
#
# Fails where the output differs. Needs PyPI; leaves nothing behind.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder"
"$folder/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: \
    'python-jose[cryptography]==3.5.0' joserfc==1.8.0

cat >"$folder/try.py" <<'PYTHON'
from joserfc.jwk import ECKey, RSAKey
from jose import JOSEError, jwt

keys = {
    "ES256": ECKey.generate_key("P-256", {"kid": "one", "alg": "ES256", "use": "sig"}),
    "RS256": RSAKey.generate_key(2048, {"kid": "two", "alg": "RS256", "use": "sig"}),
}
tokens = {
    alg: jwt.encode({"sub": "a-user"}, key.as_dict(private=True), algorithm=alg, headers={"kid": key.kid})
    for alg, key in keys.items()
}


def outcome(alg, key_set):
    try:
        jwt.decode(tokens[alg], key_set, algorithms=[alg])
        return "verified"
    except JOSEError as error:
        return f'{type(error).__name__} "{error}"'


for order in (["ES256", "RS256"], ["RS256", "ES256"]):
    key_set = {"keys": [keys[alg].as_dict(private=False) for alg in order]}
    types = ", ".join(key["kty"] for key in key_set["keys"])
    print(f"keys {types}: " + ", ".join(f"{alg} {outcome(alg, key_set)}" for alg in keys))
PYTHON

"$folder/bin/python" "$folder/try.py" | tee "$folder/output"
diff <(sed -n 's/^#   \(keys .*: ES256 .*\)/\1/p' "$0") "$folder/output"
