# Desk's side: verifies X-Agent-Assertions and prints whose they are, a line for each. python3 verify.py ASSERTION ...
# With PyJWT and cryptography (pip install "PyJWT[crypto]", or Debian's python3-jwt and python3-cryptography).

import os, sys
import jwt

# Made once, when the program starts: it remembers the keys.
keys = jwt.PyJWKClient(os.environ["JWKS_URL"])


def verify(assertion: str) -> dict:
    return jwt.decode(
        assertion,
        keys.get_signing_key_from_jwt(assertion).key,
        algorithms=["ES256"],
        issuer=os.environ["ASSERTION_ISSUER"],
        audience=os.environ["ASSERTION_AUDIENCE"],
        options={"require": ["exp", "iat", "iss", "aud", "email"]},
    )


for assertion in sys.argv[1:]:
    try:
        print(verify(assertion)["email"])
    except jwt.PyJWTError as error:
        print(f"refused: {error}")
