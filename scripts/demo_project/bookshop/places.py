"""Where the shops are, and which is nearest."""
import math

EARTH_KM = 6371.0
SHOPS = {
    "Aachen": (50.776, 6.084),
    "Berlin": (52.520, 13.405),
    "Dresden": (51.050, 13.738),
    "Hamburg": (53.551, 9.994),
    "Leipzig": (51.340, 12.375),
    "Munich": (48.137, 11.575),
}


def distance_km(a, b):
    """Great-circle distance of two (latitude, longitude) pairs in degrees, by the haversine formula."""
    lat1, lon1, lat2, lon2 = map(math.radians, (*a, *b))
    h = math.sin((lat2 - lat1) / 2) ** 2 + math.cos(lat1) * math.cos(lat2) * math.sin((lon2 - lon1) / 2) ** 2
    return 2 * EARTH_KM * math.asin(math.sqrt(h))


def nearest(place):
    return min(SHOPS, key=lambda name: distance_km(SHOPS[name], place))


def round_trip_km(names):
    """Length of the closed tour through shops in the order given."""
    stops = [SHOPS[name] for name in names]
    return sum(distance_km(a, b) for a, b in zip(stops, stops[1:] + stops[:1]))
