"""Whatever is sent, the answer is a page with a sentence: never a 5xx, never an assertion."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug.datastructures import MultiDict

from tests.company import PASSWORD, Company, Visitor

DEV_ADMIN = "arn:aws:iam::111122223333:role/Administrator"
PATHS = (
    "/",
    "/sign-in",
    "/sign-out",
    "/aws",
    "/pins",
    "/metadata",
    "/metadata/download",
    "/for-admins",
    "/for-admins/keys",
    "/sso",
    "/signed-out",
    "/nothing",
    "/preflight",
    "/healthz",
    "/readyz",
    "/metrics",
)
METHODS = ("GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE")
NASTY = st.one_of(
    st.text(max_size=50),
    st.sampled_from(
        ["\x00", "a" * 70_000, "%00", "../../etc/passwd", "<script>", "\u202e", "\U0001f511"]
    ),
)


@pytest.fixture
def ann(company: Company) -> Visitor:
    return company.signed_in("ann")


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("path", PATHS)
def test_every_method_on_every_page_has_an_answer(company: Company, method: str, path: str) -> None:
    for visitor in (company.visitor(), company.signed_in("ann")):
        answer = visitor.client.open(path, method=method, base_url=visitor.base_url)
        assert answer.status_code < 500
        assert b"Traceback" not in answer.data


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    path=st.sampled_from(PATHS),
    fields=st.lists(
        st.tuples(
            st.sampled_from(
                [
                    "username",
                    "password",
                    "next",
                    "role",
                    "partition",
                    "destination",
                    "endpoint",
                    "pinned",
                    "q",
                    "account",
                    "SAMLRequest",
                    "other",
                ]
            ),
            NASTY,
        ),
        max_size=6,
    ),
    post=st.booleans(),
)
def test_any_fields_in_any_number(
    company: Company, path: str, fields: list[tuple[str, str]], post: bool
) -> None:
    ann = company.signed_in("ann")
    safe = [(name, value.encode("utf-8", "replace").decode()) for name, value in fields]
    if post:
        answer = ann.post(path, MultiDict([*safe, ("csrf_token", ann.form_token("/"))]))
    else:
        answer = ann.get(path, query_string=MultiDict(safe))
    assert answer.status_code < 500
    assert b"SAMLResponse" not in answer.data


@pytest.mark.parametrize(
    "fields",
    [
        {"role": ["", ""]},
        {"role": [DEV_ADMIN, DEV_ADMIN]},
        {"role": [DEV_ADMIN + "\x00"]},
        {"role": ["x" * 10_000]},
        {"role": [DEV_ADMIN], "destination": ["https://evil.example/"]},
        {"role": [DEV_ADMIN], "endpoint": ["evil.example"]},
        {"role": [DEV_ADMIN], "endpoint": ["default\n"]},
        {"partition": ["moon"]},
        {},
    ],
)
def test_a_choice_that_can_not_be_meant_is_refused(
    ann: Visitor, fields: dict[str, list[str]]
) -> None:
    form = MultiDict([(name, value) for name, values in fields.items() for value in values])
    form["csrf_token"] = ann.form_token("/")
    answer = ann.post("/aws", form)
    assert 400 <= answer.status_code < 500
    assert b"SAMLResponse" not in answer.data
    assert b"Reference" in answer.data


@pytest.mark.parametrize("path", ["/sign-in", "/aws", "/pins", "/sign-out"])
@pytest.mark.parametrize("token", [None, "", "x", "ImFiYyI.abc.def"])
def test_a_form_of_another_site_does_nothing(
    company: Company, path: str, token: str | None
) -> None:
    visitor = company.signed_in("ann")
    form = {"role": DEV_ADMIN, "username": "ann", "password": PASSWORD}
    answer = visitor.post(path, form if token is None else form | {"csrf_token": token})
    assert answer.status_code == 400
    assert b"SAMLResponse" not in answer.data
    assert visitor.get("/").status_code == 200


@pytest.mark.parametrize(
    ("username", "password"),
    [
        ("", ""),
        ("ann", ""),
        ("", PASSWORD),
        ("ann\x00", PASSWORD),
        ("ann", PASSWORD + "\x00"),
        ("a" * 999, PASSWORD),
        ("ann", "x" * 9_999),
        ("\u202eann", PASSWORD),
        ("ann' OR '1'='1", PASSWORD),
        ("*", PASSWORD),
        ("\U0001f511", "\U0001f511"),
        ("<script>alert(1)</script>", "x"),
    ],
)
def test_odd_names_and_passwords_get_the_one_refusal(
    company: Company, username: str, password: str
) -> None:
    answer = company.visitor().sign_in(username, password)
    assert answer.status_code == 401
    assert "not right" in answer.text
    assert "<script>alert" not in answer.text


def test_unknown_user_and_wrong_password_look_the_same(company: Company) -> None:
    company.directory.add("dis", display_name="Dis", password=PASSWORD, now=company.parts.now())
    company.directory.disable("dis", company.parts.now())

    def page(username: str) -> str:
        text = company.visitor().sign_in(username, "a wrong password").text
        kept = [
            line
            for line in text.splitlines()
            if "csrf_token" not in line and "Reference" not in line
        ]
        return "\n".join(kept).replace(username, "NAME")

    assert page("ann") == page("nobody") == page("dis")


@pytest.mark.parametrize("size", [70_000, 10_000_000])
def test_a_large_body_is_refused_as_too_large(company: Company, size: int) -> None:
    visitor = company.visitor()
    token = visitor.form_token()
    answer = visitor.post("/sign-in", {"username": "x" * size, "csrf_token": token})
    assert answer.status_code == 413


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"\xff\xfe\x00", "application/x-www-form-urlencoded"),
        (b"{}", "application/json"),
        (b"--x\r\n", "multipart/form-data; boundary=x"),
        (b"--x\r\n", "multipart/form-data"),
        (b"username=%ff%fe&password=%00", "application/x-www-form-urlencoded; charset=utf-16"),
        (b"&".join(b"a%d=1" % n for n in range(5000)), "application/x-www-form-urlencoded"),
    ],
)
def test_bodies_of_the_wrong_kind(company: Company, body: bytes, kind: str) -> None:
    for path in ("/sign-in", "/aws"):
        answer = company.visitor().client.post(
            path, data=body, content_type=kind, base_url=company.settings.server.base_url
        )
        assert 400 <= answer.status_code < 500


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1:8080.evil.example", "127.0.0.1", ""])
def test_another_host_name_is_refused(company: Company, host: str) -> None:
    answer = company.app.test_client().get("/", headers={"Host": host})
    assert answer.status_code == 400


@pytest.mark.parametrize("cookie", ["x", "a" * 5000, "A" * 43, "\x7f", "ä"])
def test_a_cookie_that_is_no_session_is_nobody(company: Company, cookie: str) -> None:
    answer = company.app.test_client().get(
        "/", base_url=company.settings.server.base_url, headers={"Cookie": f"idp-session={cookie}"}
    )
    assert answer.status_code == 303
