"""Sessions of customers who look at prices.

A session is dear to make (it is the one place that talks to the payment service), so that a few of them are kept for the
whole process and shared: a customer always gets the one his name falls on.
"""
import contextlib
import zlib

HOME_CURRENCY = "EUR"


class Session:
    def __init__(self):
        self.uses = 0
        self.reset()

    def reset(self):
        self.currency = HOME_CURRENCY


_pool = [Session() for _ in range(4)]


@contextlib.contextmanager
def use(customer):
    session = _pool[zlib.crc32(customer.encode()) % len(_pool)]
    session.uses += 1
    try:
        yield session
    finally:
        session.reset()
