# Roundup behind Deskgate: Roundup's own WSGI program, with the gate of ../python/deskgate.py in front of it.

import os
import sys
from pathlib import Path

from roundup.cgi.wsgi_handler import RequestDispatcher
from waitress import serve

sys.path.insert(0, str(Path(__file__).parent.parent / "python"))
from deskgate import Deskgate  # noqa: E402

tracker = RequestDispatcher(os.path.join(os.environ["DESK_DATA"], "tracker"))
serve(Deskgate(tracker), host="127.0.0.1", port=int(sys.argv[1]), threads=8)
