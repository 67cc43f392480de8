#include "analyzer/report_html_parts.h"

namespace flakebisect::analyzer {

const std::string& html_script() {
  static const std::string script = R"js(
"use strict";
(() => {
  const report = JSON.parse(document.getElementById("report").textContent);
  const root = document.documentElement;
  document.querySelector(".bar").hidden = false;

  document.getElementById("theme").addEventListener("click", () => {
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
  });

  const unfold = document.getElementById("unfold");
  const unfoldAll = (open) => document.querySelectorAll("details").forEach((each) => { each.open = open; });
  unfold.addEventListener("click", () => {
    const open = unfold.textContent === "Open all";
    unfoldAll(open);
    unfold.textContent = open ? "Close all" : "Open all";
  });
  // Closed parts are not printed, so they are opened for it and put back.
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll("details:not([open])")];
    unfoldAll(true);
  });
  addEventListener("afterprint", () => closed.forEach((each) => { each.open = false; }));

  document.querySelectorAll("[data-copy]").forEach((button) => {
    button.hidden = false;
    button.addEventListener("click", async () => {
      const from = document.getElementById(button.dataset.copy);
      try {
        await navigator.clipboard.writeText(from.textContent);
        button.textContent = "Copied";
      } catch {
        // Where the clipboard is closed to pages, the text is selected for copying by hand.
        getSelection().selectAllChildren(from);
        button.textContent = "Selected";
      }
    });
  });

  // "0-12,15" names positions from 0.
  const positions = (text) => text === "" ? [] : text.split(",").flatMap((part) => {
    const [first, last = first] = part.split("-").map(Number);
    return Array.from({ length: last - first + 1 }, (_, i) => first + i);
  });

  const readout = document.getElementById("readout");
  const chart = document.getElementById("probes");
  if (chart && readout) {
    const probes = [...chart.querySelectorAll(".probe")];
    let chosen = -1;
    const show = (index) => {
      if (index < 0 || index >= probes.length) return;
      if (chosen >= 0) probes[chosen].classList.remove("chosen");
      chosen = index;
      const group = probes[index];
      group.classList.add("chosen");
      readout.textContent = group.querySelector("title").textContent + ". ";
      const ran = positions(report.probes[Number(group.dataset.probe)].ran);
      if (ran.length === 0) return;
      const details = document.createElement("details");
      const summary = document.createElement("summary");
      summary.textContent = report.side_by_side ? "the tests that ran beside it" : "the tests that ran before it";
      const list = document.createElement("ol");
      for (const position of ran) {
        const item = document.createElement("li");
        item.value = position + 1;
        const code = document.createElement("code");
        code.textContent = report.candidate_tests[position];
        item.append(code);
        list.append(item);
      }
      details.append(summary, list);
      readout.append(details);
    };
    probes.forEach((group, index) => group.addEventListener("click", () => show(index)));
    chart.addEventListener("keydown", (event) => {
      const moves = { ArrowRight: chosen + 1, ArrowLeft: chosen - 1, Home: 0, End: probes.length - 1 };
      if (!(event.key in moves)) return;
      event.preventDefault();
      show(Math.min(Math.max(moves[event.key], 0), probes.length - 1));
    });
  }
})();
)js";
  return script;
}

}  // namespace flakebisect::analyzer
