#include "analyzer/report_html_parts.h"

namespace flakebisect::analyzer {

const std::string& html_style() {
  static const std::string style = R"css(
:root { color-scheme: light dark;
  --ground: #ffffff; --raised: #f5f5f2; --ink: #1c1c1a; --dim: #5c5c57; --edge: #d8d8d2; --link: #0b57a4;
  --fail: #b3261e; --pass: #1f6f2b; --other: #6a3d9a; --void: #6f6f6f; --heat: #b3261e;
  --l0: #0b64a8; --l1: #b3480b; --l2: #0b7a55; --l3: #9b3f7a; --l4: #4b6b8a; --l5: #8a6a00; }
@media (prefers-color-scheme: dark) { :root:not([data-theme="light"]) {
  --ground: #161615; --raised: #21211f; --ink: #ecece8; --dim: #a9a9a2; --edge: #3b3b37; --link: #8ab8ec;
  --fail: #ff8f85; --pass: #7fce88; --other: #cfa7f2; --void: #9b9b95; --heat: #ff8f85;
  --l0: #6db6ee; --l1: #f59a5c; --l2: #5ccfa6; --l3: #eb9ccb; --l4: #a9c4de; --l5: #e0c05a; } }
:root[data-theme="dark"] { color-scheme: dark;
  --ground: #161615; --raised: #21211f; --ink: #ecece8; --dim: #a9a9a2; --edge: #3b3b37; --link: #8ab8ec;
  --fail: #ff8f85; --pass: #7fce88; --other: #cfa7f2; --void: #9b9b95; --heat: #ff8f85;
  --l0: #6db6ee; --l1: #f59a5c; --l2: #5ccfa6; --l3: #eb9ccb; --l4: #a9c4de; --l5: #e0c05a; }
:root[data-theme="light"] { color-scheme: light; }
* { box-sizing: border-box; }
[hidden] { display: none !important; }
body { margin: 0; background: var(--ground); color: var(--ink);
  font: 16px/1.5 system-ui, "Segoe UI", "DejaVu Sans", sans-serif; }
main { max-width: 54rem; margin: 0 auto; padding: 1rem 1.25rem 4rem; }
h1 { font-size: 1.35rem; line-height: 1.4; font-weight: 600; margin: .25rem 0 .75rem; overflow-wrap: anywhere; }
h2 { font-size: 1.1rem; margin: 2.25rem 0 .6rem; padding-bottom: .25rem; border-bottom: 1px solid var(--edge); }
p, ul, ol, dl { margin: .5rem 0; }
li { overflow-wrap: anywhere; }
code, pre { font-family: ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; font-size: .88em; }
code { overflow-wrap: anywhere; background: var(--raised); padding: .1em .3em; border-radius: 4px; }
pre { background: var(--raised); border: 1px solid var(--edge); border-radius: 6px; padding: .75rem; margin: .5rem 0;
  overflow: auto; max-height: 32rem; }
.dim { color: var(--dim); }
.kind { display: inline-block; margin: 0; padding: .1rem .6rem; border-radius: 999px; font-size: .85rem; font-weight: 600;
  border: 1.5px solid currentColor; }
.kind.found { color: var(--fail); }
.kind.open { color: var(--dim); }
.bar { position: sticky; top: 0; display: flex; gap: .5rem; justify-content: flex-end; padding: .4rem 1rem;
  background: var(--ground); border-bottom: 1px solid var(--edge); z-index: 1; }
button { font: inherit; font-size: .85rem; color: var(--ink); background: var(--raised); border: 1px solid var(--edge);
  border-radius: 6px; padding: .3rem .7rem; min-height: 2.2rem; cursor: pointer; }
button:hover { border-color: var(--dim); }
:focus-visible { outline: 2.5px solid var(--link); outline-offset: 2px; }
.skip { position: absolute; left: -100rem; }
.skip:focus { left: 1rem; top: .5rem; background: var(--ground); padding: .3rem .6rem; z-index: 2; color: var(--link); }
.command { display: flex; gap: .5rem; align-items: flex-start; }
.command pre { flex: 1; min-width: 0; white-space: pre-wrap; overflow-wrap: anywhere; }
.command button { margin-top: .5rem; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .35rem .7rem .35rem 0; border-bottom: 1px solid var(--edge); font-weight: 400; }
thead th { color: var(--dim); font-size: .85rem; }
.n { text-align: right; }
.scroll { overflow-x: auto; }
.scroll > svg { display: block; width: 100%; min-width: 34rem; height: auto; margin: .5rem 0; }
.scroll > table { min-width: 30rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1rem; }
dt { color: var(--dim); overflow-wrap: anywhere; max-width: 14rem; }
dd { margin: 0; overflow-wrap: anywhere; }
svg text { font: 12px system-ui, "Segoe UI", "DejaVu Sans", sans-serif; fill: var(--dim); }
svg .name { fill: var(--ink); font-size: 13px; }
.axis, .grid { stroke: var(--edge); fill: none; }
.axis { stroke: var(--dim); }
.asked { stroke: var(--dim); stroke-dasharray: 5 4; fill: none; }
.line { fill: none; stroke-width: 2.2; stroke-linejoin: round; stroke-linecap: round; }
.l0 { stroke: var(--l0); } .l1 { stroke: var(--l1); stroke-dasharray: 7 4; }
.l2 { stroke: var(--l2); stroke-dasharray: 2 4; } .l3 { stroke: var(--l3); stroke-dasharray: 10 3 2 3; }
.l4 { stroke: var(--l4); stroke-dasharray: 4 2; } .l5 { stroke: var(--l5); stroke-dasharray: 1 3; }
.legend { list-style: none; padding: 0; display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; font-size: .85rem; }
.swatch { width: 28px; height: 8px; margin-right: .4rem; vertical-align: middle; }
.heat { fill: var(--heat); }
.probe .ran { fill: currentColor; fill-opacity: .55; }
.probe .mark { fill: currentColor; stroke: currentColor; }
.probe.pass .mark { fill: none; }
.probe .hit { fill: transparent; }
.probe.confirm .hit { fill: var(--dim); fill-opacity: .12; }
.probe.chosen .hit { stroke: var(--ink); stroke-width: 1.5; }
.probe.chosen .ran { fill-opacity: .9; }
.fail { color: var(--fail); } .pass { color: var(--pass); } .other { color: var(--other); } .void { color: var(--void); }
.interval { stroke: var(--l0); stroke-width: 2; fill: none; }
.dot { fill: var(--l0); }
#readout { min-height: 1.5em; font-size: .9rem; overflow-wrap: anywhere; }
#readout ol { max-height: 14rem; overflow: auto; }
details { margin: .3rem 0; }
summary { cursor: pointer; padding: .15rem 0; overflow-wrap: anywhere; }
.tree, .tree ul { list-style: none; padding-left: 1.1rem; margin: 0; border-left: 1.5px solid var(--edge); }
.tree li { position: relative; padding: .1rem 0; }
.tree li::before { content: ""; position: absolute; left: -1.1rem; top: 1rem; width: .8rem;
  border-top: 1.5px solid var(--edge); }
.tree p { margin: .15rem 0; }
.probes { list-style: none; padding-left: 1rem; font-size: .9rem; }
.tree .probes li { color: var(--ink); padding: 0; }
.tree .probes li::before { display: none; }
.probes .number { color: var(--dim); display: inline-block; min-width: 2.2em; text-align: right; margin-right: .4em; }
.outcome { font-weight: 600; }
@media (max-width: 36rem) {
  main { padding: .5rem .9rem 3rem; }
  h1 { font-size: 1.15rem; }
  .command { flex-direction: column; align-items: stretch; }
  .command button { margin: 0; align-self: flex-start; }
  dl { grid-template-columns: 1fr; gap: 0; }
  dd { margin-bottom: .4rem; }
  .scroll > table { min-width: 0; font-size: .9rem; }
  th:nth-child(2), td:nth-child(2) { display: none; }
  .tree, .tree ul { padding-left: .8rem; }
  .tree li::before { left: -.8rem; width: .5rem; }
}
@media print {
  :root, :root[data-theme="dark"], :root:not([data-theme="light"]) { color-scheme: light;
    --ground: #fff; --raised: #f4f4f4; --ink: #000; --dim: #444; --edge: #bbb; --link: #000;
    --fail: #b3261e; --pass: #1f6f2b; --other: #6a3d9a; --void: #6f6f6f; --heat: #b3261e;
    --l0: #0b64a8; --l1: #b3480b; --l2: #0b7a55; --l3: #9b3f7a; --l4: #4b6b8a; --l5: #8a6a00; }
  .bar, .skip, button, #readout { display: none !important; }
  body { font-size: 10.5pt; }
  main { max-width: none; padding: 0; }
  pre { max-height: none; white-space: pre-wrap; overflow-wrap: anywhere; }
  .scroll { overflow: visible; }
  .scroll > svg { min-width: 0; }
  svg, table, tr, .legend { break-inside: avoid; }
  h2, .dim { break-after: avoid; }
}
)css";
  return style;
}

}  // namespace flakebisect::analyzer
