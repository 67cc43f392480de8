"""How titles are written in lists, addresses of pages, and on narrow labels."""
import re
import textwrap

from bookshop.catalog import words

_ARTICLES = ("the ", "a ", "an ", "der ", "die ", "das ", "le ", "la ")


def sort_key(title):
    """Without a leading article, in lower case."""
    low = title.lower().strip()
    for article in _ARTICLES:
        if low.startswith(article):
            return low[len(article):]
    return low


def slug(title, longest=40):
    text = "-".join(words(title))
    return text if len(text) <= longest else text[:longest].rpartition("-")[0] or text[:longest]


def label(title, width=20, lines=3):
    rows = textwrap.wrap(title, width)
    if len(rows) > lines:
        rows = rows[:lines]
        rows[-1] = rows[-1][: width - 3].rstrip() + "..."
    return rows


def initials(author):
    """'Astrid Anna Lindgren' becomes 'A. A. Lindgren'; parts joined by a hyphen stay together."""
    *first, last = author.split()
    short = ["-".join(f"{part[0]}." for part in name.split("-")) for name in first]
    return " ".join([*short, last])


def squeeze(text):
    return re.sub(r"\s+", " ", text).strip()
