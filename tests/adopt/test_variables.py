"""Files of variables and words, as systemd reads them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from txregistry.adopt.variables import (
    read_variables,
    split_words,
    unit_word,
    write_variables,
)

FILE = r"""
# REGISTRY_A=commented
; REGISTRY_B=commented too
REGISTRY_HTTP_ADDR=:5000
  INDENTED = no
REGISTRY_ONE='single $quoted \ text'
REGISTRY_TWO="double \"quoted\" \$text"
REGISTRY_BARE=a b c
REGISTRY_LONG=first \
second
REGISTRY_MIXED=a"b c"'d'
REGISTRY_EMPTY=
export SHELL_ONLY=1
"""


class ReadTests(SynchronousTestCase):
    """Reading."""

    def test_all_forms(self) -> None:
        """Comments, quotes, continued lines; what is no assignment is passed over."""
        expected = {
            "REGISTRY_HTTP_ADDR": ":5000",
            "REGISTRY_ONE": "single $quoted \\ text",
            "REGISTRY_TWO": 'double "quoted" $text',
            "REGISTRY_BARE": "a b c",
            "REGISTRY_LONG": "first second",
            "REGISTRY_MIXED": "ab cd",
            "REGISTRY_EMPTY": "",
        }
        self.assertEqual(read_variables(FILE), expected)

    def test_words(self) -> None:
        """Words in quotes are one; a doubled percent sign is one."""
        self.assertEqual(split_words("A=1 \"B=x y\" 'C=%%'"), ["A=1", "B=x y", "C=%"])
        self.assertRaises(ValueError, split_words, '"open')

    def test_word_of_a_unit(self) -> None:
        """A path is written so that systemd reads it as it is."""
        self.assertEqual(unit_word("/srv/a"), "/srv/a")
        self.assertEqual(unit_word("/srv/a b%"), '"/srv/a b%%"')
        self.assertEqual(split_words(unit_word("/srv/a b%")), ["/srv/a b%"])

    @given(
        st.dictionaries(
            st.from_regex(r"[A-Z_][A-Z0-9_]*", fullmatch=True),
            st.text(st.characters(blacklist_characters="\0\r", codec="utf-8")),
            max_size=4,
        )
    )
    def test_back_and_forth(self, variables: dict[str, str]) -> None:
        """What is written is read."""
        self.assertEqual(read_variables(write_variables(variables)), variables)
