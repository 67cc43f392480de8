"""Volume numbers of series, in Roman numerals."""

_SIGNS = ((1000, "M"), (900, "CM"), (500, "D"), (400, "CD"), (100, "C"), (90, "XC"), (50, "L"), (40, "XL"),
          (10, "X"), (9, "IX"), (5, "V"), (4, "IV"), (1, "I"))


def roman(number):
    if not 0 < number < 4000:
        raise ValueError(f"no Roman numeral for {number}")
    text = ""
    for value, sign in _SIGNS:
        text += sign * (number // value)
        number %= value
    return text


def arabic(text):
    number, rest = 0, text.upper()
    for value, sign in _SIGNS:
        while rest.startswith(sign):
            number, rest = number + value, rest[len(sign):]
    if rest or not number or roman(number) != text.upper():
        raise ValueError(f"not a Roman numeral: {text!r}")
    return number


def shelf_key(title):
    """Sorts 'Works II' behind 'Works' and before 'Works X': the trailing numeral as a number."""
    stem, _, last = title.rpartition(" ")
    try:
        return (stem or last, arabic(last)) if stem else (title, 0)
    except ValueError:
        return (title, 0)
