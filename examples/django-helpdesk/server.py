# django-helpdesk behind Deskgate: Django's own WSGI program, with the gate of ../python/deskgate.py in front of it.

import os
import sys
from pathlib import Path

here = Path(__file__).parent
sys.path[:0] = [str(here), str(here.parent / "python")]
os.environ["DJANGO_SETTINGS_MODULE"] = "desk.settings"

from django.contrib.staticfiles.handlers import StaticFilesHandler  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from waitress import serve  # noqa: E402

from deskgate import Deskgate  # noqa: E402

serve(Deskgate(StaticFilesHandler(get_wsgi_application())), host="127.0.0.1", port=int(sys.argv[1]), threads=8)
