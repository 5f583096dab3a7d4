# Trac behind Deskgate: Trac's own WSGI program, with the gate of ../python/deskgate.py in front of it.

import os
import sys
from pathlib import Path

from trac.web.main import dispatch_request
from waitress import serve

sys.path.insert(0, str(Path(__file__).parent.parent / "python"))
from deskgate import Deskgate  # noqa: E402


def trac(environ, start_response):
    environ["trac.env_path"] = os.path.join(os.environ["DESK_DATA"], "trac")
    return dispatch_request(environ, start_response)


serve(Deskgate(trac), host="127.0.0.1", port=int(sys.argv[1]), threads=8)
