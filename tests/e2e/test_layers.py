#!/usr/bin/python3
"""No source file includes a folder that its layer may not use.

The build enforces the same through one include root a folder; this test also sees '../' paths, includes inside of
conditional blocks, and which of repo_reader's headers bisect takes (the subunit codec and its ids only).
"""
import os
import pathlib
import re
import unittest

SOURCE = pathlib.Path(os.environ.get("FLAKEBISECT_SOURCE", pathlib.Path(__file__).resolve().parents[2]))
ALLOWED = {
    "stats": {"stats"},
    "repo_reader": {"repo_reader"},
    "bisect": {"bisect", "stats", "repo_reader"},
    "analyzer": {"analyzer", "bisect", "stats", "repo_reader"},
}
CODEC = re.compile(r"repo_reader/(stream_decoder|stream_folder|subunit_encoder|subunit_event|test_ids|utf8)\.h")
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)


def violations(layer, text):
    """What is wrong with the includes of a source file of a layer, one message each."""
    found = []
    for bracket, path in INCLUDE.findall(text):
        folder = path.split("/")[0]
        if bracket == "<":
            if folder in ALLOWED:
                found.append(f"<{path}>: our own headers stand in quotes")
        elif ".." in path.split("/"):
            found.append(f'"{path}": no relative paths')
        elif folder not in ALLOWED[layer]:
            found.append(f'"{path}": {layer} may use {", ".join(sorted(ALLOWED[layer]))}')
        elif layer == "bisect" and folder == "repo_reader" and not CODEC.fullmatch(path):
            found.append(f'"{path}": bisect may use the subunit codec of repo_reader and its ids only')
    return found


class LayersTest(unittest.TestCase):
    def test_every_source_file_keeps_to_its_layer(self):
        seen = 0
        for layer in ALLOWED:
            for path in sorted((SOURCE / layer).rglob("*")):
                if path.suffix in (".h", ".cpp"):
                    seen += 1
                    with self.subTest(file=str(path.relative_to(SOURCE))):
                        self.assertEqual(violations(layer, path.read_text(encoding="utf-8")), [])
        self.assertGreater(seen, 20)

    def test_stats_reads_no_clock_and_no_file(self):
        for path in sorted((SOURCE / "stats").rglob("*")):
            if path.suffix in (".h", ".cpp"):
                with self.subTest(file=str(path.relative_to(SOURCE))):
                    text = path.read_text(encoding="utf-8")
                    self.assertIsNone(re.search(r"#\s*include\s*<(chrono|fstream|filesystem|ctime|unistd\.h)>", text))
                    self.assertNotIn("random_device", text)

    def test_the_check_sees_what_it_should(self):
        self.assertEqual(violations("stats", '#include "stats/beta.h"\n#include <vector>\n'), [])
        self.assertEqual(violations("bisect", '#include "repo_reader/stream_decoder.h"\n'), [])
        for layer, text in (
            ("stats", '#include "bisect/engine.h"'),
            ("bisect", '# include "analyzer/commands.h"'),
            ("bisect", '#include "repo_reader/repository.h"'),
            ("repo_reader", '#if 0\n  #include "stats/rng.h"\n#endif'),
            ("repo_reader", '#include "../stats/rng.h"'),
            ("analyzer", "#include <stats/rng.h>"),
        ):
            with self.subTest(layer=layer, text=text):
                self.assertEqual(len(violations(layer, text)), 1)


if __name__ == "__main__":
    unittest.main()
