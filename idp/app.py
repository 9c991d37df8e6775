"""The composition root: settings in, application out; the one place that knows every part."""

from __future__ import annotations

import logging
from urllib.parse import urlsplit

from flask import Flask, abort, g, request
from flask_wtf.csrf import CSRFProtect
from werkzeug.middleware.proxy_fix import ProxyFix

from idp import __version__
from idp.audit.log import utc_now
from idp.db import schema
from idp.db.engine import Database
from idp.db.secrets import shared_secret
from idp.directory.configured import open_directories
from idp.entitlements.store import Entitlements
from idp.keys.fetches import MetadataFetches
from idp.keys.ring import KeyRing
from idp.keys.signing_key import CustodyDown
from idp.settings import Settings, load_settings
from idp.signin.browser import BrowserTokens
from idp.signin.negotiate import open_kerberos
from idp.signin.sessions import Sessions
from idp.signin.throttle import Throttle
from idp.telemetry.counting import CountedAuditLog, TimedHandover
from idp.telemetry.metrics import Metrics
from idp.telemetry.readiness import Readiness
from idp.web import (
    aws,
    errors,
    health,
    metadata,
    portal,
    preflight,
    security,
    sign_in,
    signing_keys,
)
from idp.web.addresses import remembered_addresses
from idp.web.form_cookie import FormCookies
from idp.web.mount import mounted_at
from idp.web.observing import observe_requests
from idp.web.parts import Parts

log = logging.getLogger("idp.app")

LARGEST_FORM = 64 * 1024  # bytes
MOST_FIELDS = 50


def create_app(settings: Settings | None = None) -> Flask:
    """The application, ready to serve.

    Raises SettingsError, DatabaseUnavailable, SchemaOutOfDate or KeyUnusable, each with a
    sentence, before it takes its first request.
    """
    settings = settings or load_settings()
    database = Database(settings.database_url, settings.database.pool_size)
    schema.require_current(database)
    counted = Metrics()
    parts = compose(settings, database, counted)
    _require_signing_key(parts)

    app = Flask(__name__, template_folder="web/templates", static_folder="web/static")
    app.extensions["idp"] = parts
    app.extensions[health.METRICS] = counted
    app.extensions[health.READINESS] = Readiness(database, parts.keys, parts.directories)
    _configure(app, settings, shared_secret(database, "form cookies"))
    observe_requests(app, counted)  # outermost: it sees what every other part made of a request
    _name_each_request(app, settings)  # first, so that every refusal can name its request
    CSRFProtect(app).exempt(metadata.single_sign_on)
    errors.register(app)
    for blueprint in (sign_in, portal, aws, metadata, signing_keys, preflight, health):
        app.register_blueprint(blueprint.blueprint)
    application = security.guarded(app.wsgi_app, settings)
    application = mounted_at(urlsplit(settings.server.base_url).path, application)
    if hops := settings.server.trusted_proxies:
        application = ProxyFix(application, x_for=hops, x_proto=hops, x_host=hops)
    app.wsgi_app = application  # type: ignore[method-assign,assignment]
    return app


def _require_signing_key(parts: Parts) -> None:
    """Raise KeyUnusable unless the active key can be used, or could but for an outage.

    A token or a cloud that is away comes back by itself. Until then the pages say so.
    """
    try:
        parts.keys.active()
    except CustodyDown as problem:
        log.error("starting without the signing key", extra={"reason": problem.message})


def compose(settings: Settings, database: Database, metrics: Metrics) -> Parts:
    """Every part, put together."""
    directories = open_directories(settings, database)
    entitlements = Entitlements(database)
    keys = KeyRing(database, settings)
    audit = CountedAuditLog(database, metrics)
    return Parts(
        settings=settings,
        database=database,
        directories=directories.by_name,
        realms=directories.realms,
        sessions=Sessions(database, settings.session),
        throttle=Throttle(database, settings.sign_in),
        entitlements=entitlements,
        keys=keys,
        audit=audit,
        handover=TimedHandover(metrics, database, settings, entitlements, keys, audit),
        browser_tokens=BrowserTokens(shared_secret(database, "browser tokens")),
        fetches=MetadataFetches(database),
        now=utc_now,
        demo_people=settings.demo_people,
        kerberos=open_kerberos(settings, directories.by_name),
    )


def _configure(app: Flask, settings: Settings, secret: bytes) -> None:
    secure = settings.server.secure
    app.config.update(
        SECRET_KEY=secret,
        SESSION_COOKIE_NAME="__Host-idp-form" if secure else "idp-form",
        SESSION_COOKIE_SECURE=secure,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_PATH="/",
        MAX_CONTENT_LENGTH=LARGEST_FORM,
        MAX_FORM_MEMORY_SIZE=LARGEST_FORM,
        MAX_FORM_PARTS=MOST_FIELDS,
        WTF_CSRF_TIME_LIMIT=settings.session.absolute_hours * 3600,
        SEND_FILE_MAX_AGE_DEFAULT=3600,
        PREFERRED_URL_SCHEME=urlsplit(settings.server.base_url).scheme,
    )
    app.session_interface = FormCookies()
    app.jinja_env.globals.update(url_for=remembered_addresses(app))
    app.jinja_env.globals.update(organization=settings.organization, version=__version__)


def _name_each_request(app: Flask, settings: Settings) -> None:
    """Let each page know its request's identifier, and refuse a Host that is not ours."""
    host = urlsplit(settings.server.base_url).netloc

    @app.before_request
    def _begin() -> None:
        g.request_id = request.environ[security.REQUEST_ID]
        # Load balancers ask for the node's health by its address.
        if request.environ.get("HTTP_HOST") == host or request.blueprint == health.blueprint.name:
            return
        if request.host.lower() != host:
            abort(400, f"This address is not served here; it is {settings.server.base_url}.")

    @app.context_processor
    def _shown() -> dict[str, object]:
        return {"request_id": g.request_id, "person": g.get("person")}
