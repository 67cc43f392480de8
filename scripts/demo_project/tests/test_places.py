import unittest

from bookshop import places
from tests.cases import cases, table


@table
class DistanceTest(unittest.TestCase):
    @cases(("Berlin", "Hamburg", 255), ("Berlin", "Munich", 504), ("Leipzig", "Dresden", 100), ("Aachen", "Berlin", 541))
    def test_known(self, a, b, km):
        self.assertAlmostEqual(places.distance_km(places.SHOPS[a], places.SHOPS[b]), km, delta=2)

    @cases(*sorted(places.SHOPS)[::2])
    def test_nowhere_further_than_here(self, name):
        self.assertEqual(places.nearest(places.SHOPS[name]), name)

    @cases(((50.11, 8.68), "Aachen"), ((50.08, 14.42), "Dresden"), ((47.05, 8.3), "Munich"))
    def test_nearest(self, place, name):
        self.assertEqual(places.nearest(place), name)


class TourTest(unittest.TestCase):
    def test_there_and_back(self):
        self.assertAlmostEqual(places.round_trip_km(["Berlin", "Munich"]), 1008, delta=4)

    def test_start_does_not_matter(self):
        names = list(places.SHOPS)
        self.assertAlmostEqual(places.round_trip_km(names), places.round_trip_km(names[2:] + names[:2]))
