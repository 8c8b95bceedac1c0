"""What may stand in clear: text that only says something, and is no number of a person."""

from __future__ import annotations

import re
import unicodedata

PRINTABLE = r"^(?![\s\S]*[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069])"
"""The pattern of a text that steers no terminal and turns no writing round."""

_APART = re.compile(r"(?<=\d)[\s\-\u2010-\u2015.\u00b7\u3001,()]+(?=[\dX])", re.IGNORECASE)
ID_NUMBER = r"\d{6}(19|20)\d\d(0[1-9]|1[0-2])([0-2]\d|3[01])\d{3}[\dX]"
"""The form of a resident's identity number (GB 11643): a day of birth within, a check digit."""

_OF_A_PERSON = re.compile(rf"1[3-9]\d{{9}}|{ID_NUMBER}", re.IGNORECASE)


def numbers_a_person(text: str) -> bool:
    """Say whether a text holds the number of a mobile phone or of a resident's identity.

    However it is written: in full-width digits, or with blanks or dashes between them.
    """
    return bool(_OF_A_PERSON.search(_APART.sub("", unicodedata.normalize("NFKC", text))))
