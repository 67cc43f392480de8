#!/usr/bin/python3
"""The golden reports in the programs they are made for: Chromium, a Markdown renderer, Graphviz, an XML parser.

The golden files in tests/data/reports are byte for byte what the renderers give (unit tests compare them), so what
holds for the files holds for the program.
"""

import html.parser
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import unittest
import xml.etree.ElementTree

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import browser  # noqa: E402

SOURCE = pathlib.Path(os.environ.get("FLAKEBISECT_SOURCE", pathlib.Path(__file__).parents[2]))
REPORTS = SOURCE / "tests" / "data" / "reports"


def stored(name):
    return json.loads((REPORTS / name).read_text())


class InChromium(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if not browser.CHROMIUM or not browser.DRIVER:
            raise RuntimeError("chromium and chromedriver are needed: run scripts/install-dependencies")
        cls.browser = cls.enterClassContext(browser.Browser())

    def open(self, name, width=1000, scheme="light"):
        self.browser.resize(width, 900)
        self.browser.color_scheme(scheme)
        self.browser.open((REPORTS / name).as_uri())

    def count(self, selector):
        return self.browser.run("return document.querySelectorAll(arguments[0]).length", selector)

    def test_no_report_gives_a_console_message_or_loads_anything(self):
        for page in sorted(REPORTS.glob("*.html")):
            with self.subTest(page=page.name):
                self.open(page.name)
                self.assertEqual(self.browser.log(), [])
                loaded = self.browser.run("return performance.getEntriesByType('resource').map(e => e.name)")
                self.assertEqual([name for name in loaded if not name.startswith("data:")], [])

    def test_the_charts_show_the_data(self):
        self.open("polluter.html")
        report = stored("polluter.json")
        self.assertEqual(self.count("#probes .probe"), len(report["probes"]))
        for outcome, shown in (("fail", "fail"), ("pass", "pass"), ("other-failure", "other"), ("void", "void")):
            expected = sum(probe["outcome"] == outcome for probe in report["probes"])
            self.assertEqual(self.count(f"#probes .probe.{shown}"), expected, outcome)
        self.assertEqual(self.count("#evolution .line"), min(6, len(report["explanations"])))
        self.assertEqual(self.count("#rates .rate"), len(report["arms"]))
        self.assertGreater(self.count("#suspicion .heat"), len(report["evolution"]))
        self.assertEqual(self.count(".tree .probes li"), len(report["probes"]))
        # Every interval holds its rate (within half a unit of the drawing: a rate of 0 lies at the interval's end).
        for box in self.browser.run("return [...document.querySelectorAll('#rates .rate')].map(g => [g.querySelector("
                                    "'.interval').getBBox(), +g.querySelector('.dot').getAttribute('cx')])"
                                    ".map(([b, x]) => [b.x, x, b.x + b.width])"):
            self.assertLessEqual(box[0], box[1] + 0.5)
            self.assertLessEqual(box[1], box[2] + 0.5)

    def test_the_winning_line_ends_at_the_verdict(self):
        self.open("polluter.html")
        report = stored("polluter.json")
        last = report["evolution"][-1]["leading"][0][1]
        end = self.browser.run("const p = document.querySelector('#evolution .line.l0');"
                               "return p.getPointAtLength(p.getTotalLength()).y")
        # 100 % lies at y = 14 and 0 % at y = 234 of the drawing.
        self.assertAlmostEqual(end, 14 + 220 * (1 - last), delta=1)

    def test_keys_move_through_the_probes(self):
        self.open("polluter.html")
        self.browser.run("document.getElementById('probes').focus()")
        read = "return document.getElementById('readout').textContent"
        self.browser.press("ArrowRight")
        self.assertIn("Probe 1: 12 tests before it, passed", self.browser.run(read))
        self.assertIn("shop.tests.test_cart.Test0.test_case_0", self.browser.run(read))
        self.browser.press("ArrowRight")
        self.browser.press("ArrowRight")
        self.assertIn("Probe 3: 12 tests before it, failed", self.browser.run(read))
        self.browser.press("End")
        self.assertIn("Probe 27", self.browser.run(read))
        self.browser.press("ArrowLeft")
        self.assertIn("Probe 26", self.browser.run(read))
        self.assertEqual(self.count(".probe.chosen"), 1)

    def test_buttons(self):
        self.open("polluter.html")
        ground = "return getComputedStyle(document.body).backgroundColor"
        light = self.browser.run(ground)
        self.browser.run("document.getElementById('theme').click()")
        dark = self.browser.run(ground)
        self.assertNotEqual(light, dark)
        self.open("polluter.html", scheme="dark")
        self.assertEqual(self.browser.run(ground), dark)
        self.browser.run("document.getElementById('theme').click()")
        self.assertEqual(self.browser.run(ground), light)
        self.assertGreater(self.count("details:not([open])"), 0)
        self.browser.run("document.getElementById('unfold').click()")
        self.assertEqual(self.count("details:not([open])"), 0)
        self.assertEqual(self.count("button:not([hidden])[data-copy]"), 1)

    def test_a_phone_scrolls_down_only(self):
        for name in ("polluter.html", "hostile.html", "self.html"):
            with self.subTest(name=name):
                self.open(name, width=390)
                self.assertLessEqual(self.browser.run("return document.documentElement.scrollWidth"), 390)

    def test_contrast_in_both_schemes(self):
        luminance = """
          const parse = (c) => c.match(/[\\d.]+/g).slice(0, 3).map(Number);
          const light = (c) => { const [r, g, b] = parse(c).map(v => v / 255)
              .map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
            return .2126 * r + .7152 * g + .0722 * b; };
          const ground = light(getComputedStyle(document.body).backgroundColor);
          return [...document.querySelectorAll('h1, p, li, td, th, summary, .dim, .outcome, .kind, dt')].map(e => {
            const ink = light(getComputedStyle(e).color);
            return [e.className || e.tagName, (Math.max(ink, ground) + .05) / (Math.min(ink, ground) + .05)]; });"""
        for scheme in ("light", "dark"):
            self.open("polluter.html", scheme=scheme)
            for name, ratio in self.browser.run(luminance):
                self.assertGreaterEqual(ratio, 4.5, (scheme, name))

    def test_it_prints(self):
        self.open("polluter.html")
        pdf = self.browser.pdf()
        self.assertTrue(pdf.startswith(b"%PDF-"))
        # Closed parts are opened for printing.
        self.browser.run("dispatchEvent(new Event('beforeprint'))")
        self.assertEqual(self.count("details:not([open])"), 0)
        self.browser.run("dispatchEvent(new Event('afterprint'))")
        self.assertGreater(self.count("details:not([open])"), 0)

    def test_hostile_text_stays_text(self):
        self.open("hostile.html")
        self.assertEqual(self.browser.log(), [])
        # The only scripts are the data and ours; nothing of the attack became an element or ended the data.
        self.assertEqual(self.count("script"), 2)
        self.assertEqual(self.count("img, iframe, a:not(.skip), textarea, form, object, embed, base"), 0)
        data = json.loads(self.browser.run("return document.getElementById('report').textContent"))
        self.assertEqual(data, stored("hostile.json"))
        text = self.browser.run("return document.body.innerText")
        self.assertIn("<script>alert(1)</script>", text)
        self.assertNotIn("\u202e", text)
        for element, attribute in (("*", "style"), ("*", "onclick"), ("*", "onerror"), ("*", "onload")):
            self.assertEqual(self.count(f"{element}[{attribute}]"), 0)

    def test_injected_scripts_would_not_run(self):
        # The policy itself: even if an escape failed, an inline script or handler does nothing.
        self.open("polluter.html")
        self.browser.run("""document.body.insertAdjacentHTML('beforeend', '<img src=x onerror="window.owned = 1">');
            const s = document.createElement('script'); s.textContent = 'window.owned = 2'; document.body.append(s);""")
        self.assertIsNone(self.browser.run("return window.owned ?? null"))
        self.assertTrue(any("Content Security Policy" in entry["message"] for entry in self.browser.log()))

    def test_it_can_be_read_without_scripts(self):
        self.browser.devtools("Emulation.setScriptExecutionDisabled", value=True)
        self.addCleanup(self.browser.devtools, "Emulation.setScriptExecutionDisabled", value=False)
        self.open("polluter.html")
        snapshot = json.dumps(self.browser.devtools("Accessibility.getFullAXTree"))
        for words in ("ran before it: after it 4 of 11 runs failed", "Failure rate of each arm", "The search, step by step"):
            self.assertIn(words, snapshot)


class Markup(html.parser.HTMLParser):
    """Text of a page by whether it stands in code, and the tags that were seen."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.stack, self.tags, self.outside = [], set(), ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        if tag not in ("br", "hr", "input"):
            self.stack.append(tag)

    def handle_endtag(self, tag):
        if tag in self.stack:
            while self.stack.pop() != tag:
                pass

    def handle_data(self, data):
        if "code" not in self.stack:
            # Pieces that a comment parts stay apart: "@" and "octocat" make no mention.
            self.outside += data + "\0"


class InMarkdown(unittest.TestCase):
    def rendered(self, name):
        self.assertIsNotNone(shutil.which("cmark-gfm"), "run scripts/install-dependencies")
        done = subprocess.run(
            ["cmark-gfm", "--unsafe", "-e", "table", "-e", "autolink", "-e", "strikethrough", "-e", "tasklist",
             str(REPORTS / name)], capture_output=True, check=True)
        return done.stdout.decode()

    def test_hostile_text_makes_no_markup(self):
        page = Markup(self.rendered("hostile.md"))
        allowed = {"h3", "p", "code", "ul", "ol", "li", "table", "thead", "tbody", "tr", "th", "td", "strong", "pre",
                   "details", "summary", "sub"}
        self.assertEqual(page.tags - allowed, set())
        self.assertNotIn("@octocat", page.outside)
        self.assertNotIn("#1", page.outside)

    def test_an_ordinary_report_has_its_parts(self):
        text = self.rendered("polluter.md")
        page = Markup(text)
        for tag in ("table", "details", "pre", "h3"):
            self.assertIn(tag, page.tags)
        self.assertEqual(text.count("<tr>"), 1 + len(stored("polluter.json")["arms"]))
        self.assertIn("<pre><code class=\"language-sh\">python3 -m testtools.run shop", text)


class InOtherPrograms(unittest.TestCase):
    def test_graphviz_draws_the_graphs(self):
        self.assertIsNotNone(shutil.which("dot"), "run scripts/install-dependencies")
        for graph in sorted(REPORTS.glob("*.dot")):
            with self.subTest(graph=graph.name):
                done = subprocess.run(["dot", "-Tplain", str(graph)], capture_output=True, check=True)
                self.assertEqual(done.stderr, b"")
                nodes = [line for line in done.stdout.decode().splitlines() if line.startswith("node ")]
                self.assertEqual(len(nodes), len(re.findall(r"(?m)^  t\d+ \[label=", graph.read_text())))

    def test_xml_parsers_read_junit(self):
        for file in sorted(REPORTS.glob("*.junit.xml")):
            with self.subTest(file=file.name):
                suites = xml.etree.ElementTree.parse(file).getroot()
                self.assertEqual([case.tag for case in suites.iter("testcase")], ["testcase"])
                self.assertEqual({each.tag for each in suites.iter()} - {"failure", "skipped"}, {
                    "testsuites", "testsuite", "properties", "property", "testcase", "system-out"})
        case = next(xml.etree.ElementTree.parse(REPORTS / "polluter.junit.xml").getroot().iter("testcase"))
        self.assertEqual(case.get("name"), stored("polluter.json")["victim"])
        self.assertIn("Traceback (most recent call last):", case.find("failure").text)

    def test_json_parsers_read_sarif(self):
        for file in sorted(REPORTS.glob("*.sarif")):
            with self.subTest(file=file.name):
                self.assertEqual(len(json.loads(file.read_text())["runs"][0]["results"]), 1)


if __name__ == "__main__":
    unittest.main()
