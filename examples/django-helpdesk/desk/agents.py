"""Django's user is the agent whom Deskgate's assertion names (environ["deskgate.claims"], verified by deskgate.py)."""

from django.contrib import auth
from django.contrib.auth.backends import RemoteUserBackend
from django.contrib.auth.middleware import RemoteUserMiddleware
from django.contrib.auth.models import AnonymousUser
from rest_framework.authentication import BaseAuthentication


def is_bearer(request):
    """A program with a bearer token: there is no session at Deskgate, and no browser."""
    return "sid" not in request.META["deskgate.claims"]


class AgentBackend(RemoteUserBackend):
    def clean_username(self, username):
        """The user who has the e-mail address, by whatever name; else the address is the name."""
        users = auth.get_user_model().objects.filter(email__iexact=username)[:2]
        return users[0].get_username() if len(users) == 1 else username

    def configure_user(self, request, user, created=True):
        if created:
            claims = request.META["deskgate.claims"]
            first, _, last = (claims.get("name") or "").partition(" ")
            user.email, user.first_name, user.last_name = claims["email"], first[:150], last[:150]
            user.is_staff = True
            user.set_unusable_password()
            user.save()
        return user


class AgentMiddleware(RemoteUserMiddleware):
    """For a browser Django's own: a session, which ends when another agent comes. A program gets none."""

    def process_request(self, request):
        if not is_bearer(request):
            super().process_request(request)
            return
        request.user = auth.authenticate(request, remote_user=request.META["REMOTE_USER"]) or AnonymousUser()


class BearerAuthentication(BaseAuthentication):
    """Of the API. It asks for no form token, as no browser sends the bearer token by itself."""

    def authenticate(self, request):
        user = request._request.user
        return (user, None) if is_bearer(request) and user.is_authenticated else None

    def authenticate_header(self, request):
        return "Bearer"
