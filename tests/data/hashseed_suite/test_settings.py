import unittest

LAYERS = {"default": {"colour": "grey"}, "site": {"colour": "red"}}


def merged(names):
    settings = {}
    for name in names:
        settings.update(LAYERS[name])
    return settings


class MergeTest(unittest.TestCase):
    def test_each_layer(self):
        for name, settings in LAYERS.items():
            self.assertEqual(settings, merged([name]))

    def test_last_layer_wins(self):
        # The defect: a set has no order, and a text's place in it follows the hash seed of the process.
        self.assertEqual("red", merged({"default", "site"})["colour"])


class NeighbourTest(unittest.TestCase):
    """Tests that change nothing: whatever is blamed among them is blamed wrongly."""


def _neighbour(number):
    def test(self):
        self.assertEqual(number, int(str(number)))
    return test


for _number in range(20):
    setattr(NeighbourTest, f"test_{_number:02}", _neighbour(_number))
