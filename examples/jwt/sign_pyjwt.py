# The same with PyJWT (pip install PyJWT, or Debian's python3-jwt): python3 sign_pyjwt.py EMAIL [NAME]

import os, sys, time, uuid
import jwt

claims = {"email": sys.argv[1], "iat": int(time.time()), "jti": str(uuid.uuid4())}
if len(sys.argv) > 2:
    claims["name"] = sys.argv[2]
print(jwt.encode(claims, os.environ["PORTAL_SECRET"], algorithm="HS256"))
