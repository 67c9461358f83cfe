"""Asking a server for a file: addresses, redirects, headers, and which failures are worth another try."""

import email.utils
import http.client
import random
import re
import time
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

import requests

import tutti
from tutti.errors import ConfigError, DataError

_REDIRECTS = 10
_PASSING = {408, 425, 429, 500, 502, 503, 504}
_HINTS = {
    401: "the server wants a name and a password; see the dataset's page",
    403: "the server refuses to hand it out: look at the dataset's page, or use another source with --mirror",
    404: "it may have moved: look at the dataset's page, or use another source with --mirror",
}


@dataclass(frozen=True)
class Retry:
    """How patient a download is.

    Attributes:
        attempts: Failures in a row, none of which brought a new byte, after which it gives up; at least 1.
        first_s: Pause after the first failure, in seconds; every further one doubles it.
        longest_s: Longest such pause, in seconds.
        asked_s: Longest pause that a server may ask for with Retry-After, in seconds.
        timeout_s: Silence on the line that counts as a failure, in seconds.
    """

    attempts: int = 6
    first_s: float = 1.0
    longest_s: float = 60.0
    asked_s: float = 600.0
    timeout_s: float = 60.0

    def pause(self, failures: int) -> float:
        """Seconds to wait after so many failures in a row: exponential, less up to half by chance."""
        return min(self.longest_s, self.first_s * 2.0 ** (failures - 1)) * random.uniform(0.5, 1.0)


@dataclass(frozen=True)
class Version:
    """Which version of a remote file some bytes belong to, as its server tells."""

    url: str
    etag: str | None
    last_modified: str | None
    length: int | None

    @property
    def condition(self) -> str | None:
        """For If-Range, which takes no weak ETags."""
        return self.last_modified if self.etag is None or self.etag.startswith("W/") else self.etag

    def continues(self, response: requests.Response, at: int) -> bool:
        """Whether a partial answer begins at byte ``at`` and belongs to this version."""
        start, total = content_range(response)
        same = response.headers.get("ETag") in (None, self.etag) and (
            None in (total, self.length) or total == self.length
        )
        return start == at and same


class PassingError(Exception):
    """A failure that is worth another try.

    Args:
        what: What went wrong.
        wait_s: Seconds that the server asks to wait.
    """

    def __init__(self, what: str, wait_s: float = 0.0) -> None:
        super().__init__(what)
        self.wait_s = wait_s


def check_url(url: str, after: str | None = None) -> str:
    """Gives back an address that may be asked.

    Args:
        url: The address.
        after: The one that redirected to it.

    Raises:
        ConfigError: It is neither http nor https, or leads from https to http.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        where = "" if after is None else f", to which {after} leads,"
        raise ConfigError(f"{url}{where} is no address to download from", expected="http://... or https://...")
    if after is not None and urlsplit(after).scheme == "https" and parts.scheme == "http":
        raise ConfigError(f"{after} leads from https to http, where anybody could change the file", got=url)
    return url


def new_session() -> requests.Session:
    """A session that asks for files as they are, not compressed for the way."""
    session = requests.Session()
    session.headers.update({"User-Agent": f"tutti/{tutti.__version__}", "Accept-Encoding": "identity"})
    return session


def ask(
    session: requests.Session, url: str, headers: dict[str, str], retry: Retry, method: str = "GET"
) -> requests.Response:
    """Asks, and follows where the answer leads; the body is not read yet.

    Raises:
        ConfigError: It leads to an address that may not be asked.
        DataError: The certificate is not valid, or the answer leads on and on.
        PassingError: There is no answer.
    """
    for _ in range(_REDIRECTS + 1):
        try:
            response = session.request(
                method, url, headers=headers, stream=True, timeout=retry.timeout_s, allow_redirects=False
            )
        except requests.exceptions.SSLError as error:
            hint = "behind a proxy with a certificate of its own, name that in REQUESTS_CA_BUNDLE"
            raise DataError(f"{url} has no valid certificate", got=innermost(error), hint=hint) from error
        except requests.RequestException as error:
            raise PassingError(f"no answer from {urlsplit(url).hostname}: {innermost(error)}") from error
        target = session.get_redirect_target(response)
        if target is None:
            return response
        response.close()
        url = check_url(urljoin(url, target), after=url)
    raise DataError(f"{url} leads on and on", got=f"{_REDIRECTS} redirects")


def require_file(response: requests.Response, *, partial: bool) -> None:
    """Checks that an answer carries a file, or the asked part of one.

    Raises:
        DataError: It never will.
        PassingError: It may later.
    """
    status = response.status_code
    if status in _PASSING:
        raise PassingError(f"the server answers {status} {response.reason}", _retry_after(response))
    if status != 200 and not (partial and status == 206):
        raise DataError(f"{response.url} cannot be had", got=f"{status} {response.reason}", hint=_HINTS.get(status))
    if response.headers.get("Content-Type", "").startswith("text/html"):
        raise DataError(
            f"{response.url} is a web page instead of a file",
            hint="open it in a browser: a login or a notice may stand before the file",
        )


def remote_size(url: str, retry: Retry) -> int | None:
    """The bytes that a server announces for an address; None when it does not tell."""
    try:
        with new_session() as session, ask(session, url, {}, retry, method="HEAD") as response:
            return content_length(response) if response.status_code == 200 else None
    except (PassingError, ConfigError, DataError):
        return None


def content_length(response: requests.Response) -> int | None:
    """The announced length of the body, in bytes."""
    text = response.headers.get("Content-Length", "")
    return int(text) if text.isdecimal() else None


def content_range(response: requests.Response) -> tuple[int | None, int | None]:
    """First byte of a partial body, and bytes of the whole file."""
    match = re.fullmatch(r"bytes (?:(\d+)-\d+|\*)/(?:(\d+)|\*)", response.headers.get("Content-Range", ""))
    start, total = match.groups() if match else (None, None)
    return (None if start is None else int(start)), (None if total is None else int(total))


def innermost(error: BaseException) -> str:
    """The cause below the layers of the HTTP libraries, which is what a person can read."""
    while (below := error.__cause__ or error.__context__) is not None:
        error = below
    if isinstance(error, http.client.IncompleteRead):
        return "the connection ended early"
    return (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__


def _retry_after(response: requests.Response) -> float:
    """Seconds that the server asks to wait; it may say how many, or until when."""
    text = response.headers.get("Retry-After", "").strip()
    if text.isdecimal():
        return float(text)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - time.time())
    except ValueError:
        return 0.0
