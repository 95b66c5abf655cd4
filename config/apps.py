from django.contrib.admin.apps import AdminConfig


class SiteConfig(AdminConfig):
    """Named in INSTALLED_APPS in the place of django.contrib.admin."""

    default_site = "config.site.Site"
