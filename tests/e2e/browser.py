"""A headless Chromium driven through ChromeDriver's HTTP interface (W3C WebDriver), with the standard library alone."""

import base64
import json
import re
import shutil
import subprocess
import tempfile
import urllib.error
import urllib.request

CHROMIUM = shutil.which("chromium")
DRIVER = shutil.which("chromedriver")

# Without these, Chromium looks up hosts of its maker at each start.
SWITCHES = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
]


class Browser:
    """One browser; use as a context manager."""

    def __init__(self):
        self._profile = tempfile.mkdtemp(prefix="flakebisect-chromium-")
        # ChromeDriver takes a free port itself and says which.
        self._driver = subprocess.Popen([DRIVER, "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        port = None
        while port is None:
            line = self._driver.stdout.readline().decode()
            if not line:
                raise RuntimeError("chromedriver ended before it named its port")
            found = re.search(r"started successfully on port (\d+)", line)
            port = found and int(found.group(1))
        self._url = f"http://127.0.0.1:{port}"
        options = {"binary": CHROMIUM, "args": SWITCHES + [f"--user-data-dir={self._profile}"]}
        session = self._call("POST", "/session", {"capabilities": {"alwaysMatch": {
            "goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}}})
        self._url += "/session/" + session["sessionId"]

    def _call(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._url + path, data, {"Content-Type": "application/json"}, method=method)
        # No proxy of the environment is asked for a local address.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=120) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise RuntimeError(error.read().decode()) from error

    def open(self, url):
        self._call("POST", "/url", {"url": url})

    def run(self, script, *args):
        """Runs a function body in the page and returns what it returns."""
        return self._call("POST", "/execute/sync", {"script": script, "args": list(args)})

    def devtools(self, command, **parameters):
        return self._call("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def log(self):
        """Console messages since the last call: errors, warnings, refused loads."""
        return self._call("POST", "/se/log", {"type": "browser"})

    def resize(self, width, height):
        self.devtools("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1,
                      mobile=width < 600)

    def color_scheme(self, scheme):
        self.devtools("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def screenshot(self, path):
        shot = self.devtools("Page.captureScreenshot", captureBeyondViewport=True)
        with open(path, "wb") as file:
            file.write(base64.b64decode(shot["data"]))

    def pdf(self):
        return base64.b64decode(self.devtools("Page.printToPDF", printBackground=False)["data"])

    def press(self, key):
        """Presses a key by its name in the page's events, such as "ArrowRight"."""
        self.devtools("Input.dispatchKeyEvent", type="keyDown", key=key)
        self.devtools("Input.dispatchKeyEvent", type="keyUp", key=key)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            self._call("DELETE", "")
        finally:
            self._driver.terminate()
            self._driver.wait()
            self._driver.stdout.close()
            shutil.rmtree(self._profile, ignore_errors=True)
