from django.conf import settings
from django.contrib import admin
from django.urls import include, path, re_path
from django.views.static import serve

from helpdesk.decorators import helpdesk_staff_member_required

urlpatterns = [
    # Attachments; a web server's job in production.
    re_path(r"^media/(?P<path>.+)$", helpdesk_staff_member_required(serve), {"document_root": settings.MEDIA_ROOT}),
    # django-helpdesk links to it. Only superusers get in: `manage.py shell` makes an agent one.
    path("admin/", admin.site.urls),
    path("", include("helpdesk.urls", namespace="helpdesk")),
]
