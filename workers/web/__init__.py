"""The worker's web server: the two addresses of connecting an account, `/health` and `/metrics`."""

from workers.web.app import WebContext, create_app

__all__ = ["WebContext", "create_app"]
