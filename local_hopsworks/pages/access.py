"""Which browsers are let in.

A browser cannot send the API key in a header. It shows a token, which stands in the links that
`serve` and `run` print, or the API key, in a form; then it is known by a cookie. Both are made from
the store's signing key, so they cannot be forged, and neither is the API key.
"""

from __future__ import annotations

import hmac
from urllib.parse import quote, urlencode

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from local_hopsworks.http.hopsworks import Hopsworks
from local_hopsworks.security import Security

_TOKEN = "token"


def token(security: Security) -> str:
    """What a link carries that lets a browser in."""
    return security.sign("link to pages")


def cookie(security: Security) -> tuple[str, str]:
    """The cookie of a browser that was let in. Browsers keep one set of cookies for all ports of a
    machine, so its name tells stores apart."""
    return f"local_hopsworks_{security.sign('name of cookie')[:8]}", security.sign("cookie")


def entered(request: Request) -> Response | None:
    """None for a browser that is known; for any other what it is answered instead of the page."""
    hopsworks: Hopsworks = request.app.state.hopsworks
    shown = request.query_params.get(_TOKEN)
    if shown is not None and _same(shown, token(hopsworks.security)):
        return _welcome(request)
    return None if is_known(request) else _ask(request, "")


def is_known(request: Request) -> bool:
    """Whether this browser was let in before."""
    hopsworks: Hopsworks = request.app.state.hopsworks
    name, value = cookie(hopsworks.security)
    return _same(request.cookies.get(name, ""), value)


async def sign_in(request: Request) -> Response:
    """The form was sent: from the page that asked for the key, and back to it."""
    hopsworks: Hopsworks = request.app.state.hopsworks
    form = await request.form(max_files=0, max_fields=2)
    if hopsworks.security.is_api_key(str(form.get("key", "")).strip()):
        return _welcome(request)
    return await run_in_threadpool(_ask, request, "This is not the key of this Hopsworks.")


def _same(shown: str, secret: str) -> bool:
    return hmac.compare_digest(shown.encode(), secret.encode())


def _welcome(request: Request) -> Response:
    """To the same page without the token, which would stay in the browser's history."""
    others = [pair for pair in request.query_params.multi_items() if pair[0] != _TOKEN]
    path = quote(request.url.path)
    response = RedirectResponse(f"{path}?{urlencode(others)}" if others else path, 303)
    name, value = cookie(request.app.state.hopsworks.security)
    response.headers["Referrer-Policy"] = "no-referrer"
    response.set_cookie(name, value, secure=True, httponly=True, samesite="lax")
    return response


def _ask(request: Request, problem: str) -> Response:
    from local_hopsworks.pages.pages import HEADERS  # which is loaded by now, and imports this
    from local_hopsworks.pages.templates import Templates

    hopsworks: Hopsworks = request.app.state.hopsworks
    # Where the store lies is for people on this machine
    is_local = request.client is not None and request.client.host.startswith("127.")
    context = {
        "problem": problem,
        "key": hopsworks.store.security / "api_key" if is_local else "security/api_key",
    }
    html = hopsworks.part(Templates).render("pages/templates/sign_in.html", context)
    return HTMLResponse(html, 401, HEADERS)
