"""The WSGI side of Deskgate, for any desk in Python: verifies X-Agent-Assertion with the keys that the gateway publishes.

The agent's e-mail address becomes REMOTE_USER, and everything that the assertion says is in environ["deskgate.claims"]. A
request without a valid assertion gets 401, from wherever it comes. No other header is trusted.
"""

import os
import time

import jwt

ASK_AGAIN = 10  # seconds until an unknown key may ask for the keys anew


class Deskgate:
    def __init__(self, app):
        self.app = app
        self.issuer = os.environ["DESKGATE_PUBLIC_URL"]
        self.audience = os.environ["DESKGATE_AUDIENCE"]
        address = os.environ.get("DESKGATE_JWKS") or f"{self.issuer}/auth/jwks.json"
        self.keys = jwt.PyJWKClient(address, lifespan=300, timeout=5)
        self.asked = 0.0

    def __call__(self, environ, start_response):
        environ.pop("REMOTE_USER", None)
        try:
            claims = self.claims(environ.get("HTTP_X_AGENT_ASSERTION", ""))
        except jwt.PyJWTError:
            text = f"This help desk takes requests from Deskgate alone. Open {self.issuer}\n".encode()
            headers = [("Content-Type", "text/plain; charset=utf-8"), ("Cache-Control", "no-store")]
            start_response("401 Unauthorized", [*headers, ("Content-Length", str(len(text)))])
            return [text]
        environ["REMOTE_USER"] = claims["email"]
        environ["deskgate.claims"] = claims
        return self.app(environ, start_response)

    def claims(self, assertion):
        """Raises PyJWTError when it is missing, forged, out of time or meant for another program."""
        claims = jwt.decode(
            assertion,
            self.key(jwt.get_unverified_header(assertion).get("kid")),
            algorithms=["ES256"],
            issuer=self.issuer,
            audience=self.audience,
            leeway=5,
            options={"require": ["exp", "iat", "iss", "aud", "email"]},
        )
        if not isinstance(claims["email"], str) or not claims["email"]:
            raise jwt.InvalidTokenError("no e-mail address")
        return claims

    def key(self, kid):
        found = self.named(kid, self.keys.get_signing_keys())
        if found is None and time.monotonic() - self.asked > ASK_AGAIN:
            self.asked = time.monotonic()
            found = self.named(kid, self.keys.get_signing_keys(refresh=True))
        if found is None:
            raise jwt.InvalidTokenError("signed with another key")
        return found

    @staticmethod
    def named(kid, keys):
        return next((one.key for one in keys if one.key_id == kid), None)
