"""What is taken off the price of an order."""

from bookshop import money

BINDING_PRICE_COUNTRIES = frozenset({"AT", "DE", "FR", "NL"})


def quantity_percent(copies):
    """Rebate for many copies of one book, in percent."""
    for least, rate in ((100, 15), (50, 10), (20, 5), (10, 2)):
        if copies >= least:
            return rate
    return 0


def three_for_two(prices):
    """Takes off the cheapest of each three, dearest threes first."""
    ordered = sorted(prices, reverse=True)
    return sum(ordered[2::3])


def best(prices, copies, country):
    """Cents off: the larger of both rebates, nothing where the publisher's price binds."""
    if country in BINDING_PRICE_COUNTRIES:
        return 0
    return max(money.percent(sum(prices), quantity_percent(copies)), three_for_two(prices))


def voucher(cents, code):
    """A voucher's value off an amount, never below zero. Codes are 'V' + percent or 'E' + euros."""
    kind, value = code[:1], code[1:]
    if kind not in ("V", "E") or not value.isdigit():
        raise ValueError(f"not a voucher: {code!r}")
    off = money.percent(cents, int(value)) if kind == "V" else int(value) * 100
    return min(off, cents)
