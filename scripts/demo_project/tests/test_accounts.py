import unittest

from bookshop.accounts import Accounts, hash_password, normal_address, strength
from tests.cases import cases, table

GOOD = ["anna@example.org", "b.c@mail.example.org", "o'neil@example.ie", "x+books@example.com", "1@example.net",
        "umlaut-ö@example.de"]
BAD = ["", "anna", "@example.org", "anna@", "anna@example", "an na@example.org", "anna@@example.org", "anna@.org", "anna@example..org"]


@table
class AddressTest(unittest.TestCase):
    @cases(*GOOD)
    def test_good_address_stays(self, address):
        self.assertEqual(normal_address(address), address)

    @cases(*GOOD)
    def test_domain_is_lowered(self, address):
        name, _, domain = address.partition("@")
        self.assertEqual(normal_address(f" {name}@{domain.upper()}\n"), address)

    @cases(*BAD)
    def test_bad_address_is_refused(self, address):
        with self.assertRaises(ValueError):
            normal_address(address)


@table
class PasswordTest(unittest.TestCase):
    @cases(("", 0), ("secret", 0), ("Secret", 1), ("Secret1", 2), ("Secret1!", 3), ("Secret and 1 more", 4))
    def test_strength(self, password, points):
        self.assertEqual(strength(password), points)

    @cases("pepper", "salt", "", "0123456789" * 5)
    def test_hash_depends_on_salt(self, salt):
        self.assertNotEqual(hash_password("secret", salt.encode()), hash_password("secret", salt.encode() + b"."))

    @cases("a", "ä", "a" * 1000)
    def test_hash_is_repeatable(self, password):
        self.assertEqual(hash_password(password, b"s"), hash_password(password, b"s"))


class SignInTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.password = "correct horse battery staple"

    def setUp(self):
        self.accounts = Accounts()
        self.accounts.add("anna@example.org", self.password)

    def test_right_password(self):
        self.assertTrue(self.accounts.sign_in("anna@example.org", self.password))

    def test_address_in_another_case(self):
        self.assertTrue(self.accounts.sign_in(" anna@EXAMPLE.org", self.password))

    def test_wrong_password(self):
        self.assertFalse(self.accounts.sign_in("anna@example.org", "guess"))

    def test_unknown_address(self):
        self.assertFalse(self.accounts.sign_in("bob@example.org", self.password))

    def test_lock_after_three(self):
        for _ in range(3):
            self.accounts.sign_in("anna@example.org", "guess")
        self.assertTrue(self.accounts.locked("anna@example.org"))
        self.assertFalse(self.accounts.sign_in("anna@example.org", self.password))

    def test_success_clears_the_count(self):
        for guess in ("x", "y", self.password, "x", "y"):
            self.accounts.sign_in("anna@example.org", guess)
        self.assertFalse(self.accounts.locked("anna@example.org"))

    def test_nobody_twice(self):
        with self.assertRaises(ValueError):
            self.accounts.add("anna@Example.ORG", "other")
