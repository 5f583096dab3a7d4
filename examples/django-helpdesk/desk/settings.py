# Django's settings for django-helpdesk behind Deskgate.

import os
from pathlib import Path

DATA = Path(os.environ["DESK_DATA"])
PUBLIC_URL = os.environ["DESKGATE_PUBLIC_URL"]
HOST = PUBLIC_URL.split("://")[1].split(":")[0]

SECRET_KEY = (DATA / "secret-key").read_text()
ALLOWED_HOSTS = [HOST, "127.0.0.1"]
# Where TLS ends at Deskgate, Django sees http and would not know its own Origin.
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL]
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = PUBLIC_URL.startswith("https:")
SECURE_SSL_REDIRECT = False
HELPDESK_USE_HTTPS_IN_EMAIL_LINK = PUBLIC_URL.startswith("https:")

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.sites",
    "django.contrib.humanize",
    "rest_framework",
    "helpdesk",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    # After it: the agent of the request.
    "desk.agents.AgentMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
# Alone: no password opens anything.
AUTHENTICATION_BACKENDS = ["desk.agents.AgentBackend"]
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "desk.agents.BearerAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
}
LOGIN_URL = "/auth/login"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": DATA / "desk.sqlite3",
        "OPTIONS": {"timeout": 20, "transaction_mode": "IMMEDIATE"},
    }
}
ROOT_URLCONF = "desk.urls"
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
SITE_ID = 1
USE_TZ = True
STATIC_URL = "/static/"
MEDIA_URL = "/media/"
MEDIA_ROOT = DATA / "media"
EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
EMAIL_FILE_PATH = DATA / "mail"

HELPDESK_TEAMS_MODE_ENABLED = False
# Anyone who comes through Deskgate is an agent: there is no page for customers.
HELPDESK_VIEW_A_TICKET_PUBLIC = False
HELPDESK_SUBMIT_A_TICKET_PUBLIC = False
HELPDESK_REDIRECT_TO_LOGIN_BY_DEFAULT = True

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"file": {"class": "logging.FileHandler", "filename": DATA / "desk.log", "level": "WARNING"}},
    "root": {"handlers": ["file"], "level": "WARNING"},
}
