# Goes into the environment's plugins folder. Trac names people by REMOTE_USER, the e-mail address; this fills in the name
# and the address of their preferences, so that Trac shows the name and can send mail.

from trac.core import Component, implements
from trac.web.api import IRequestFilter


class People(Component):
    implements(IRequestFilter)

    def pre_process_request(self, req, handler):
        claims = req.environ.get("deskgate.claims", {})
        for key in ("name", "email"):
            if req.is_authenticated and claims.get(key) and not req.session.get(key):
                req.session[key] = claims[key]
        return handler

    def post_process_request(self, req, template, data, metadata):
        return template, data, metadata
