"""Customers' accounts: addresses, passwords and sign-in attempts."""
import hashlib
import hmac
import re

ROUNDS = 20_000
_ADDRESS = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+")


def normal_address(address):
    """An e-mail address as it is compared: no outer blanks, the domain in lower case."""
    text = address.strip()
    if not _ADDRESS.fullmatch(text):
        raise ValueError(f"not an e-mail address: {address!r}")
    name, _, domain = text.rpartition("@")
    return f"{name}@{domain.lower()}"


def hash_password(password, salt):
    return hashlib.pbkdf2_hmac("sha256", password.encode(), salt, ROUNDS)


def strength(password):
    """0 (useless) to 4: one point each for length, mixed case, a digit, and another sign."""
    return (
        (len(password) >= 12)
        + (password.lower() != password != password.upper())
        + any(c.isdigit() for c in password)
        + any(not c.isalnum() for c in password)
    )


class Accounts:
    """Addresses and password hashes; locks an address after `limit` wrong passwords in a row."""

    def __init__(self, limit=3):
        self._limit = limit
        self._known = {}
        self._wrong = {}

    def add(self, address, password, salt=b"pepper"):
        key = normal_address(address)
        if key in self._known:
            raise ValueError(f"already known: {key}")
        self._known[key] = (salt, hash_password(password, salt))

    def locked(self, address):
        return self._wrong.get(normal_address(address), 0) >= self._limit

    def sign_in(self, address, password):
        key = normal_address(address)
        if key not in self._known or self.locked(key):
            return False
        salt, expected = self._known[key]
        right = hmac.compare_digest(expected, hash_password(password, salt))
        self._wrong[key] = 0 if right else self._wrong.get(key, 0) + 1
        return right
