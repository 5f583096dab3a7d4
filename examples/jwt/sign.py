# Makes the token that logs an agent in: python3 sign.py EMAIL [NAME]
# With Python alone; sign_pyjwt.py does the same with PyJWT.

import base64, hashlib, hmac, json, os, sys, time, uuid

secret = os.environ.get("PORTAL_SECRET", "").encode()
if len(secret) < 32 or len(sys.argv) < 2:
    sys.exit("usage: PORTAL_SECRET=(at least 32 bytes) python3 sign.py EMAIL [NAME]")


def part(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


claims = {"email": sys.argv[1], "iat": int(time.time()), "jti": str(uuid.uuid4())}
if len(sys.argv) > 2:
    claims["name"] = sys.argv[2]
token = part(json.dumps({"alg": "HS256", "typ": "JWT"}).encode()) + "." + part(json.dumps(claims).encode())
print(token + "." + part(hmac.new(secret, token.encode(), hashlib.sha256).digest()))
