"""Invoices as plain text."""
import textwrap

from bookshop import money

WIDTH = 60
_VAT = {"DE": 7, "AT": 10, "FR": 5.5, "NL": 9, "CH": 2.6, "GB": 0}


def vat_cents(gross, country):
    """The tax contained in a gross amount."""
    rate = _VAT[country]
    return gross - round(gross * 1000 / (1000 + rate * 10))


def line(title, copies, cents):
    """One position: a title, shortened to fit, and the price at the right margin."""
    price = money.show(copies * cents)
    label = textwrap.shorten(f"{copies} x {title}", WIDTH - len(price) - 1, placeholder=" ...")
    return label + price.rjust(WIDTH - len(label))


def render(number, positions, country):
    total = sum(copies * cents for _, copies, cents in positions)
    body = [line(*position) for position in positions]
    rule = "-" * WIDTH
    foot = [f"{name}{money.show(cents).rjust(WIDTH - len(name))}" for name, cents in
            (("Total", total), (f"incl. VAT {_VAT[country]} %", vat_cents(total, country)))]
    return "\n".join([f"Invoice {number}", rule, *body, rule, *foot, ""])


def reference(number):
    """The payment reference of an invoice number: the number and two check digits, as for an IBAN."""
    return f"RF{98 - int(f'{number}271500') % 97:02}{number}"
