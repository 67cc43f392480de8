"""Publishers' price lists: lines of 'isbn;title;price', with comments and quoted fields."""
import csv
import io

from bookshop import isbn, money


class BadLine(ValueError):
    def __init__(self, number, why):
        super().__init__(f"line {number}: {why}")
        self.number = number


def read(text):
    """Yields (isbn, title, cents) of each line."""
    reader = csv.reader(io.StringIO(text), delimiter=";")
    for row in reader:
        number = reader.line_num
        if not row or row[0].startswith("#"):
            continue
        if len(row) != 3:
            raise BadLine(number, f"3 fields wanted, {len(row)} found")
        code, title, price = (field.strip() for field in row)
        if not isbn.is_valid(code):
            raise BadLine(number, f"no ISBN: {code!r}")
        try:
            cents = money.parse(price)
        except ValueError as error:
            raise BadLine(number, str(error)) from None
        yield isbn.digits(code), title, cents


def changes(old, new):
    """What differs between two lists: (isbn, old cents or None, new cents or None), sorted by number."""
    before = {code: cents for code, _, cents in old}
    after = {code: cents for code, _, cents in new}
    return [(c, before.get(c), after.get(c)) for c in sorted({*before, *after}) if before.get(c) != after.get(c)]
