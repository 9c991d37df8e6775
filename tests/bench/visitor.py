"""A browser without a screen: signs in over HTTP and follows to the first page."""

from __future__ import annotations

import http.client
import re
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from urllib.parse import quote, urlencode

from tests.bench.company import PASSWORD

TOKEN = re.compile(r'name="csrf_token"[^>]*value="([^"]+)"')


class WrongAnswer(Exception):
    """A page was not what it should have been."""


class Visitor:
    """Keeps cookies and one connection."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self._cookies: dict[str, str] = {}

    def close(self) -> None:
        self._connection.close()

    @property
    def cookie(self) -> str:
        """The Cookie header."""
        return "; ".join(f"{name}={value}" for name, value in self._cookies.items())

    def sign_in(self, username: str) -> None:
        """Get the form, post it, follow to the first page. Raises WrongAnswer."""
        page = self.get("/sign-in")
        token = TOKEN.search(page)
        if token is None:
            raise WrongAnswer(page)
        form = {"username": username, "password": PASSWORD, "csrf_token": token[1]}
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        status, page, onward = self._ask("POST", "/sign-in", headers, urlencode(form))
        if status != 303 or onward is None:
            raise WrongAnswer(f"{status} {page}")
        self.get(onward)

    def get(self, path: str) -> str:
        """A page that must be there. Raises WrongAnswer."""
        status, page, _ = self._ask("GET", path, {})
        if status != 200:
            raise WrongAnswer(f"{status} {page}")
        return page

    def _ask(
        self, method: str, path: str, headers: dict[str, str], body: str | None = None
    ) -> tuple[int, str, str | None]:
        if self._cookies:
            headers = {**headers, "Cookie": self.cookie}
        self._connection.request(method, path, body, headers)
        answer = self._connection.getresponse()
        for line in answer.headers.get_all("Set-Cookie") or ():
            name, _, value = line.split(";", 1)[0].partition("=")
            self._cookies[name] = value
        return answer.status, answer.read().decode(), answer.headers["Location"]


@dataclass(frozen=True, slots=True)
class Errand:
    """A request that a signed-in person makes, and how long the answer was at the first time."""

    path: str
    cookie: str
    answer_bytes: int


def errands(port: int, people: Sequence[tuple[str, str]]) -> list[Errand]:
    """Sign each of the people (user name, role ARN) in and open the role once."""
    made = []
    for username, role in people:
        visitor = Visitor(port)
        visitor.sign_in(username)
        path = f"/aws?role={quote(role, safe=':/')}"
        page = visitor.get(path)
        if 'name="SAMLResponse"' not in page:
            raise WrongAnswer(page)
        made.append(Errand(path, visitor.cookie, len(page.encode())))
        visitor.close()
    return made


@dataclass(frozen=True, slots=True)
class SignIns:
    """What several clients at once reached; `client_cores` is what they took for themselves."""

    per_second: float
    p50_ms: float
    p99_ms: float
    client_cores: float


def full_sign_ins(port: int, usernames: Sequence[str], clients: int, seconds: float) -> SignIns:
    """Sign in again and again, each time with a new browser on a new connection."""
    begin, cpu = time.perf_counter(), time.process_time()
    took: list[float] = []
    problems: list[Exception] = []
    turns = count()

    def visit() -> None:
        while not problems and time.perf_counter() - begin < seconds:
            visitor = Visitor(port)
            began = time.perf_counter()
            try:
                visitor.sign_in(usernames[next(turns) % len(usernames)])
            except Exception as problem:
                problems.append(problem)
            took.append(time.perf_counter() - began)
            visitor.close()

    threads = [threading.Thread(target=visit) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if problems:
        raise problems[0]
    elapsed = time.perf_counter() - begin
    took.sort()
    return SignIns(
        len(took) / elapsed,
        1000 * took[len(took) // 2],
        1000 * took[int(len(took) * 0.99)],
        (time.process_time() - cpu) / elapsed,
    )
