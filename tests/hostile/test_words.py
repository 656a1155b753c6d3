"""What others choose, in what we write: logs, the debug listener, ``--check``."""

from __future__ import annotations

import io
import json
import re

import attrs
import yaml
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.error import ConnectError
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from tests.hostile.work import Parse, WorkCase
from tests.reactors import MemoryReactorClock
from txregistry.assembly.health import health_checks
from txregistry.assembly.notifications import endpoint_settings, make_notifier
from txregistry.auth.htpasswd import parse_basic
from txregistry.auth.passwords import valid_entries
from txregistry.config.health import HealthSection, HttpHealth
from txregistry.config.model import Config
from txregistry.config.read import read_config
from txregistry.config.show import effective
from txregistry.flow.disk import InlineDisk
from txregistry.interfaces.observe import Exchange
from txregistry.observe.access import format_combined
from txregistry.observe.escapes import indented, line, quoted, word
from txregistry.observe.logs import make_observer
from txregistry.spec.accept import accepts
from txregistry.spec.conditional import match_holds, none_match_fails, range_applies
from txregistry.spec.digest import Digest
from txregistry.spec.errors import RangeInvalid
from txregistry.spec.forwarded import client_base, parse_forwarded
from txregistry.spec.hops import client_address
from txregistry.spec.ranges import parse_content_range, parse_range
from txregistry.spec.weburl import Target, masked_url
from txregistry.storagedriver.inmemory import MemoryDriver

#: Ends a line and begins another as ours do.
FORGED = 'ann [x] "GET /" 200\n10.0.0.1 - root [01/Jan/2026:00:00:00 +0000] "DELETE /"'

#: Characters at which somebody's reader ends a line, or a terminal does something.
ENDS = "\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029\x1b[2J\x00\x7f\u202e\ud800"

EXCHANGE = Exchange(
    request_id="1",
    handler="blob",
    peer="192.0.2.1",
    user="ann",
    method="GET",
    uri="/v2/",
    protocol="HTTP/1.1",
    status=200,
    sent_bytes=2,
    seconds=0.1,
    referer="",
    user_agent="docker",
    cache_status="",
    aborted=False,
)

TEXT_FIELDS = ("peer", "user", "method", "uri", "protocol", "referer", "user_agent")

COMBINED = re.compile(
    r'\S+ - [^ "\[\]]* \[now\] "(?:[^"\\]|\\.)*" 200 2 "(?:[^"\\]|\\.)*"'
    r' "(?:[^"\\]|\\.)*"\n'
)


class AccessLogTests(SynchronousTestCase):
    """One exchange is one line, whatever is in it."""

    def test_user_cannot_forge(self) -> None:
        """A token's subject with a newline stays one field of one line."""
        written = format_combined(attrs.evolve(EXCHANGE, user=FORGED), "now")
        self.assertEqual(written.splitlines(), [written[:-1]])
        self.assertRegex(written, COMBINED)
        self.assertIn(" - ann\\x20\\x5bx\\x5d\\x20\\x22GET\\x20/\\x22", written)

    def test_every_field(self) -> None:
        """No field of an exchange ends a line, or moves a terminal's cursor."""
        for field in TEXT_FIELDS:
            for char in ENDS + '" \\[]':
                found = attrs.evolve(EXCHANGE, **{field: f"a{char}b"})
                written = format_combined(found, "now")
                self.assertEqual(written.splitlines(), [written[:-1]], (field, char))
                self.assertTrue(written[:-1].isprintable(), (field, char))
                self.assertTrue(written.isascii(), (field, char))
                self.assertRegex(written, COMBINED, (field, char))

    @given(st.text(), st.text(), st.text())
    def test_any_text(self, user: str, uri: str, agent: str) -> None:
        """Whatever three fields hold, it is one line of as many fields."""
        changed = attrs.evolve(EXCHANGE, user=user, uri=uri, user_agent=agent)
        written = format_combined(changed, "now")
        self.assertRegex(written, COMBINED)
        self.assertEqual(written.splitlines(), [written[:-1]])

    def test_plain(self) -> None:
        """What needs no escaping is written as it is."""
        self.assertEqual(
            format_combined(EXCHANGE, "now"),
            '192.0.2.1 - ann [now] "GET /v2/ HTTP/1.1" 200 2 "" "docker"\n',
        )
        user = "repo:ann@example.com/x"
        self.assertIn(user, format_combined(attrs.evolve(EXCHANGE, user=user), "now"))


class EventLogTests(SynchronousTestCase):
    """One event is one line, and what stands below it cannot be taken for one."""

    def written(self, formatter: str, **event: object) -> str:
        stream = io.StringIO()
        observer = make_observer(formatter, "info", {"site": f"x{ENDS}"}, stream)
        observer(
            {
                "log_time": 0.0,
                "log_level": LogLevel.warn,
                "log_namespace": "txregistry.x",
                "log_format": "{reason}",
                **event,
            }
        )
        return stream.getvalue()

    def test_text(self) -> None:
        """In text nothing that an event holds ends its line."""
        for char in ENDS:
            written = self.written("text", reason=f"a{char}2026-01-01 info forged")
            self.assertEqual(written.splitlines(), [written[:-1]], repr(char))
            self.assertTrue(written[:-1].isprintable(), repr(char))
            written.encode("utf-8")

    def test_json(self) -> None:
        """In JSON neither."""
        written = self.written("json", reason=f"a{ENDS}b")
        self.assertEqual(written.splitlines(), [written[:-1]])
        self.assertEqual(json.loads(written)["reason"], f"a{ENDS}b")

    def test_letters(self) -> None:
        """Letters of any script can be read."""
        self.assertIn("größe 大小", self.written("text", reason="größe 大小"))

    def test_traceback(self) -> None:
        """What an error says cannot begin a line of the log."""
        failure = Failure(ValueError(f"x\n2026-01-01T00:00:00 info [x] forged{ENDS}"))
        first, *below = self.written(
            "text", reason="a", log_failure=failure
        ).splitlines()
        self.assertIn("warn", first)
        self.assertTrue(below)
        for text in below:
            self.assertTrue(text.startswith("    "), text)
            self.assertTrue(text.isprintable(), text)


TOKEN = "s3cret-t0ken"

#: A configuration with a token wherever one can be.
CONFIG = f"""
version: "0.1"
storage: inmemory
health:
  http:
    - uri: https://ann:{TOKEN}@health.example/up?token={TOKEN}&x=1#{TOKEN}
      headers: {{Authorization: [Bearer {TOKEN}], X-Key: [{TOKEN}]}}
notifications:
  endpoints:
    - name: hook
      url: https://ann:{TOKEN}@hook.example/in?{TOKEN}
      headers: {{Authorization: [Bearer {TOKEN}]}}
"""


def config() -> Config:
    """Read the configuration with the tokens."""
    return read_config(yaml.safe_load(CONFIG))[0]


class TokenTests(SynchronousTestCase):
    """Tokens of services that we ask or tell are shown nowhere."""

    def test_check(self) -> None:
        """``--check`` shows where they go, and neither headers nor queries."""
        found = effective(config())
        self.assertNotIn(TOKEN, repr(found))
        (asked,), (told,) = found["health"]["http"], found["notifications"]["endpoints"]
        self.assertEqual(asked["uri"], "https://********@health.example/up?********")
        self.assertEqual(told["url"], "https://********@hook.example/in?********")
        self.assertEqual(asked["headers"], "********")

    def test_health(self) -> None:
        """A check is named without its token, for the log and ``/debug/health``."""
        (check,) = health_checks(
            config().health, MemoryDriver(Clock()), MemoryReactorClock()
        )
        self.assertEqual(check.name, "https://health.example/up?********")

    def test_health_still_asks_with_it(self) -> None:
        """The token is sent all the same."""
        reactor = MemoryReactorClock()
        url = f"http://127.0.0.1:80/up?token={TOKEN}"
        health = HealthSection(http=(HttpHealth(url),))
        (check,) = health_checks(health, MemoryDriver(Clock()), reactor)
        check.look()
        sent = StringTransport()
        protocol = reactor.tcpClients[0][2].buildProtocol(None)
        protocol.makeConnection(sent)
        self.assertIn(f"/up?token={TOKEN} ".encode(), sent.value())

    def test_failing_health(self) -> None:
        """What a failing check says holds no token, whatever its URL is."""
        for part in ("%ff%zz", "[", "\u00fc", "&&;=", "%", "a b"):
            url = f"http://127.0.0.1:80/up{part}?token={TOKEN}{part}"
            health = HealthSection(http=(HttpHealth(url),))
            with capturedLogs() as events:
                reactor = MemoryReactorClock()
                (check,) = health_checks(health, MemoryDriver(Clock()), reactor)
                check.look()
                for *_, factory, _, _ in reactor.tcpClients:
                    factory.clientConnectionFailed(None, Failure(ConnectError()))
                reactor.advance(60)
            told = [formatEvent(event) for event in events]
            self.assertTrue(check.problem, url)
            self.assertNotIn(TOKEN, f"{check.problem}{told}", url)

    def test_notifications(self) -> None:
        """``/debug/vars`` names an endpoint without its token."""
        found = config()
        notifier = make_notifier(found, InlineDisk(), MemoryReactorClock(), Clock())
        assert notifier is not None
        (state,) = notifier.state()
        self.assertEqual(state["URL"], "https://hook.example/in?********")

    def test_values(self) -> None:
        """Values that hold such a URL do not show it where they are printed."""
        endpoint = endpoint_settings(config().notifications.endpoints[0])
        target = Target.of(config().health.http[0].uri)
        self.assertIn(TOKEN, endpoint.url)
        self.assertNotIn(TOKEN, repr([endpoint, target]))


CONTENT = Digest.of(b"content")

#: What headers are made of, mixed with anything else.
HEADERS = st.lists(
    st.sampled_from(
        (
            '"',
            ",",
            ";",
            "=",
            "*",
            "W/",
            "q=",
            "bytes=",
            "-",
            "0-",
            "\\",
            " ",
            "\t",
            "9" * 30,
        )
    )
    | st.sampled_from((str(CONTENT), "*/*", "application/*", "proto=", "for=", "host="))
    | st.text(max_size=5)
).map("".join)

#: Pieces of which a header can be made as long as its limit, each hard for somebody.
PIECES = (
    '"',
    "W/",
    'W/"',
    ",",
    ";",
    "=",
    "a=",
    'a="',
    "\\",
    'a="\\',
    " ",
    "\t",
    "*",
    "q=",
)
PIECES += (
    "0-",
    "-1,",
    "bytes=",
    "a/b;",
    "a/b,",
    "a;q=1,",
    "[",
    "{",
    "\x00",
    "a",
    "9",
    ":",
)
PIECES += (
    '"a",',
    'x="a";',
    "for=a,",
    "a b",
    "'a",
    "*/*;q=0,",
    "Basic ",
    "YTpi",
    "$2b$",
)


def range_or_none(text: str) -> object:
    """Read a range of some content; one that is refused is none."""
    try:
        return parse_range(text, 1000)
    except RangeInvalid:
        return None


def is_near(address: str) -> bool:
    return address.startswith("10.")


PARSERS: dict[str, Parse] = {
    "Accept": lambda text: accepts([text], "application/json"),
    "If-None-Match": lambda text: none_match_fails([text], CONTENT),
    "If-Match": lambda text: match_holds([text], CONTENT),
    "If-Range": lambda text: range_applies(text, CONTENT),
    "Range": range_or_none,
    "Content-Range": parse_content_range,
    "Forwarded": parse_forwarded,
    "Forwarded, for": lambda text: client_address("10.0.0.1", text, "", is_near),
    "X-Forwarded-For": lambda text: client_address("10.0.0.1", "", text, is_near),
    "X-Forwarded-Host": lambda text: client_base(text, text, text, "http", "own"),
    "Basic": parse_basic,
    "URL": masked_url,
    "log": lambda text: (word(text), quoted(text), line(text), indented(text)),
    "passwords": lambda text: valid_entries(text.encode("utf-8", "replace")),
}


class HeaderTests(WorkCase):
    """What reads what clients send says something, or nothing, of anything."""

    @given(HEADERS)
    def test_no_exception(self, text: str) -> None:
        """No reader fails with anything that is not its own error."""
        for parse in PARSERS.values():
            parse(text)
            parse(f"bytes={text}")
            parse(f"Basic {text}")

    @given(HEADERS, st.integers(0, 10_000))
    def test_ranges(self, text: str, size: int) -> None:
        """What a range comes to lies within the content, and not much beyond twice."""
        for header in (text, f"bytes={text}"):
            try:
                parts = parse_range(header, size) or []
            except RangeInvalid as error:
                self.assertEqual(error.size, size)
                continue
            self.assertLessEqual(sum(part.size for part in parts), 2 * size)
            for part in parts:
                self.assertTrue(0 <= part.start < part.end <= size, part)

    @given(HEADERS, HEADERS)
    def test_conditions(self, before: str, after: str) -> None:
        """A tag that is in a list is found; what is no list of it finds nothing."""
        listed = f'"x", "{CONTENT}", {after}'
        self.assertTrue(none_match_fails([listed], CONTENT))
        self.assertTrue(none_match_fails([before, listed], CONTENT))
        if str(CONTENT) not in before and "*" not in before:
            self.assertFalse(none_match_fails([before], CONTENT))

    @given(HEADERS, HEADERS, HEADERS)
    def test_forwarded(self, forwarded: str, proto: str, host: str) -> None:
        """Whatever a proxy says, the scheme is one of ours and the host can be one."""
        found = client_base(forwarded, proto, host, "http", "own.example")
        self.assertIn(found[0], ("http", "https"))
        self.assertRegex(found[1], r"\A[A-Za-z0-9._:\[\]-]{1,255}\Z")

    @given(HEADERS)
    def test_accept(self, text: str) -> None:
        """What names the type itself is found among anything that does not."""
        header = f"a/b,application/json,{text}"
        self.assertTrue(accepts([header], "application/json"))

    def test_work_is_linear(self) -> None:
        """Long headers cost what they are long."""
        self.check_linear(PARSERS, PIECES, ("", "bytes=", "Basic "))
