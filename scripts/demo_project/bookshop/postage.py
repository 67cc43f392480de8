"""Parcels and what it costs to send them."""

PARCEL_GRAMS = 5000
_STEPS = ((100, 160), (500, 270), (1000, 499), (2000, 699), (5000, 999))
_ZONES = {"DE": 0, "AT": 1, "CH": 1, "FR": 1, "NL": 1, "GB": 2, "ES": 2, "IT": 2}


def zone(country):
    return _ZONES.get(country, 3)


def letter_cents(grams, country):
    """Postage of one parcel; half as much again for each zone away."""
    for most, cents in _STEPS:
        if grams <= most:
            return cents + cents * zone(country) // 2
    raise ValueError(f"too heavy for one parcel: {grams} g")


def pack(grams):
    """Spreads books over parcels: heaviest first, each into the fullest parcel that still takes it."""
    parcels = []
    for weight in sorted(grams, reverse=True):
        if weight > PARCEL_GRAMS:
            raise ValueError(f"too heavy for one parcel: {weight} g")
        fitting = [p for p in parcels if sum(p) + weight <= PARCEL_GRAMS]
        if fitting:
            max(fitting, key=sum).append(weight)
        else:
            parcels.append([weight])
    return parcels


def cents(grams, country):
    return sum(letter_cents(sum(parcel), country) for parcel in pack(grams))
