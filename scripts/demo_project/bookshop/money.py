"""Amounts of money in whole cents."""


def parse(text):
    """Cents of '12.50', '12,5', '1 200.00' or '-3'."""
    plain = text.replace(" ", "").replace(",", ".")
    sign = -1 if plain.startswith("-") else 1
    whole, _, fraction = plain.lstrip("+-").partition(".")
    if not (whole + fraction).isdigit() or len(fraction) > 2:
        raise ValueError(f"not an amount: {text!r}")
    return sign * (int(whole or "0") * 100 + int(fraction.ljust(2, "0") or "0"))


def show(cents, currency="EUR", mark="."):
    sign = "-" if cents < 0 else ""
    whole, fraction = divmod(abs(cents), 100)
    groups = f"{whole:,}".replace(",", " ")
    return f"{sign}{groups}{mark}{fraction:02} {currency}"


def share(cents, weights):
    """Splits an amount in proportion to the weights without losing a cent; the largest remainders get the rest."""
    total = sum(weights)
    if total <= 0 or min(weights) < 0:
        raise ValueError("weights must be positive")
    parts = [cents * weight // total for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda i: (-(cents * weights[i] % total), i))
    for i in by_remainder[: cents - sum(parts)]:
        parts[i] += 1
    return parts


def percent(cents, rate):
    """`rate` percent of an amount, halves rounded away from zero."""
    scaled = abs(cents) * round(rate * 100)
    rounded = (scaled + 5000) // 10000
    return rounded if cents >= 0 else -rounded
