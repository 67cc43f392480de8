"""International standard book numbers, old (10 digits) and new (13 digits)."""


def digits(text):
    """The digits of a number as printed, without blanks and hyphens; a final X of an old number is kept."""
    return "".join(c for c in text.upper() if c.isdigit() or c == "X")


def check_digit_10(first_nine):
    total = sum((10 - place) * int(digit) for place, digit in enumerate(first_nine))
    rest = -total % 11
    return "X" if rest == 10 else str(rest)


def check_digit_13(first_twelve):
    total = sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(first_twelve))
    return str(-total % 10)


def is_valid(text):
    number = digits(text)
    if len(number) == 10 and "X" not in number[:9]:
        return check_digit_10(number[:9]) == number[9]
    if len(number) == 13 and "X" not in number:
        return check_digit_13(number[:12]) == number[12]
    return False


def to_13(text):
    number = digits(text)
    if len(number) != 10 or not is_valid(number):
        raise ValueError(f"not a valid 10 digit ISBN: {text!r}")
    body = "978" + number[:9]
    return body + check_digit_13(body)
