#include "html/style.hpp"

namespace audiostore::html {

// Without < and &, so that it is the same text in HTML and in XML.
const std::string_view kStyle = R"css(
:root { color-scheme: light dark;
  --paper: #fff; --card: #f5f7f9; --ink: #1a1f26; --soft: #55606c; --rule: #d9dfe5; --faint: #e6ebf0;
  --mark: #0b67a9; --alarm: #a43c00; --alarm-paper: #fdf3ec; }
@media (prefers-color-scheme: dark) { :root {
  --paper: #10151a; --card: #181f26; --ink: #e7ebef; --soft: #a4afba; --rule: #303a44; --faint: #26303a;
  --mark: #5fb3f0; --alarm: #ffa56b; --alarm-paper: #241a14; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Helvetica Neue", Arial, sans-serif; }
main, body > header, body > footer { max-width: 1240px; margin: 0 auto; padding: 0 32px; }
body > header { padding-top: 40px; }
h1, h2, h3, p, dl, dd, ul, ol, figure, pre { margin: 0; padding: 0; }
h1 { font-size: 32px; line-height: 1.2; font-weight: 650; letter-spacing: -0.015em; overflow-wrap: anywhere; }
h2 { font-size: 20px; line-height: 1.3; font-weight: 650; letter-spacing: -0.01em; }
h3 { font-size: 15px; font-weight: 650; overflow-wrap: anywhere; }
a { color: var(--mark); text-decoration: none; }
a:hover { text-decoration: underline; }
a:focus-visible { outline: 2px solid var(--mark); outline-offset: 2px; }
.kicker { color: var(--mark); font-weight: 600; font-size: 13px; letter-spacing: 0.06em; text-transform: uppercase;
  margin-bottom: 4px; }
.facts, .note, .more, .lead, footer { color: var(--soft); }
.facts { margin-top: 8px; display: flex; flex-wrap: wrap; gap: 0 6px; }
.facts span { min-width: 0; overflow-wrap: anywhere; }
.facts span:not(:last-child)::after { content: " \B7"; }
nav { margin-top: 20px; border-top: 1px solid var(--rule); border-bottom: 1px solid var(--rule); padding: 9px 0; }
nav ul { list-style: none; display: flex; flex-wrap: wrap; gap: 2px 18px; font-size: 14px; }
main > section { margin-top: 44px; scroll-margin-top: 16px; }
.lead { max-width: 46em; margin-top: 4px; }
section > h3 { margin-top: 28px; }
.more { font-size: 14px; margin-top: 8px; }
.unused { list-style: none; margin-top: 8px; display: grid; gap: 10px 36px;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 420px), 1fr)); }
.unused li { color: var(--soft); min-width: 0; }
.unused strong { color: var(--ink); font-weight: 600; margin-right: 4px; }
.tiles { display: flex; flex-wrap: wrap; gap: 1px; margin-top: 28px;
  background: var(--rule); border: 1px solid var(--rule); border-radius: 8px; overflow: hidden; }
.tiles > div { flex: 1 1 150px; background: var(--paper); padding: 14px 16px; }
.tiles dt { color: var(--soft); font-size: 13px; }
.tiles dd { font-size: 24px; line-height: 1.25; font-weight: 600; letter-spacing: -0.01em;
  font-variant-numeric: tabular-nums; }
.tiles dd.note { font-size: 13px; font-weight: 400; letter-spacing: 0; line-height: 1.4; margin-top: 2px; }
.tiles .alarm { background: var(--alarm-paper); }
.alarm dd:not(.note), .bad { color: var(--alarm); }
.bad { font-weight: 600; }
.concerns { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 500px), 1fr)); gap: 12px;
  margin-top: 16px; }
.concern, .calm { background: var(--card); border: 1px solid var(--rule); border-left: 4px solid var(--soft);
  border-radius: 6px; padding: 14px 18px; min-width: 0; }
.concern.urgent { border-left-color: var(--alarm); background: var(--alarm-paper); }
.calm { border-left-color: var(--mark); margin-top: 16px; }
.concern .tag { font-size: 12px; font-weight: 650; letter-spacing: 0.05em; text-transform: uppercase;
  color: var(--soft); margin-right: 10px; }
.concern.urgent .tag { color: var(--alarm); }
.concern p { overflow-wrap: anywhere; white-space: pre-line; margin-top: 4px; }
.concern .since { color: var(--soft); font-size: 13px; }
pre { font: 13px/1.5 ui-monospace, "SF Mono", SFMono-Regular, Menlo, Consolas, "Liberation Mono", monospace;
  background: var(--paper); border: 1px solid var(--rule); border-radius: 5px; padding: 9px 12px; margin-top: 8px;
  white-space: pre-wrap; overflow-wrap: anywhere; }
code { font: 0.92em/1.4 ui-monospace, "SF Mono", SFMono-Regular, Menlo, Consolas, "Liberation Mono", monospace;
  overflow-wrap: anywhere; }
pre code { font: inherit; }
.table { margin-top: 14px; overflow-x: auto; }
table { width: 100%; border-collapse: collapse; font-size: 14px; font-variant-numeric: tabular-nums; }
th, td { text-align: left; vertical-align: top; padding: 7px 20px 7px 0; border-bottom: 1px solid var(--faint); }
th:last-child, td:last-child { padding-right: 0; }
thead th { color: var(--soft); font-size: 13px; font-weight: 500; border-bottom-color: var(--rule); vertical-align: bottom; }
tbody th { font-weight: 600; overflow-wrap: anywhere; min-width: 8em; }
tbody th small { font-weight: 400; color: var(--soft); font-size: 13px; }
td.text { overflow-wrap: anywhere; }
td.text .cell { white-space: pre-line; }
th.number, td.number { text-align: right; white-space: nowrap; }
td.word { white-space: nowrap; }
td.share { width: 22%; min-width: 150px; white-space: nowrap; }
td .name { display: none; }
.bar { display: inline-block; width: calc(100% - 64px); height: 9px; margin-right: 8px; border-radius: 2px;
  vertical-align: baseline; overflow: hidden; }
.bar .whole { fill: var(--faint); }
.bar .part { fill: var(--mark); }
.full .bar .part { fill: var(--alarm); }
.figures { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 320px), 1fr)); gap: 28px 36px;
  margin-top: 18px; }
figure { min-width: 0; max-width: 460px; }
figcaption { display: flex; flex-direction: column; line-height: 1.35; }
figcaption .what { font-size: 13px; color: var(--soft); }
figcaption strong { font-size: 20px; font-weight: 600; letter-spacing: -0.01em; font-variant-numeric: tabular-nums; }
figcaption .note { font-size: 13px; min-height: 1.4em; }
.chart { display: block; width: 100%; height: auto; margin-top: 8px; overflow: visible; }
.chart text { font-size: 12px; fill: var(--soft); font-variant-numeric: tabular-nums; }
.chart .grid { stroke: var(--faint); }
.chart .axis { stroke: var(--soft); }
.chart .series { fill: none; stroke: var(--mark); stroke-width: 2; stroke-linejoin: round; stroke-linecap: round; }
.chart .lone { stroke: var(--mark); stroke-width: 5; stroke-linecap: round; }
.chart .last { fill: var(--mark); stroke: var(--paper); stroke-width: 2; }
.chart .filled { fill: var(--mark); }
.chart .outlined { fill: var(--paper); stroke: var(--mark); stroke-width: 1; }
body > footer { margin-top: 56px; padding-top: 20px; padding-bottom: 48px; font-size: 13px; }
body > footer p { max-width: 70em; margin-top: 4px; }
@media screen and (max-width: 720px) {
  main, body > header, body > footer { padding-left: 16px; padding-right: 16px; }
  body > header { padding-top: 24px; }
  h1 { font-size: 26px; }
  main > section { margin-top: 36px; }
  .tiles > div { flex-basis: 40%; }
  .tiles dd { font-size: 20px; }
  .concern, .calm { padding: 12px 14px; }
  table, tbody, tr { display: block; }
  thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  tbody tr { display: block; padding: 10px 0; border-bottom: 1px solid var(--rule); }
  tbody th { display: block; padding: 0 0 2px; border: 0; font-size: 15px; }
  td, td.number, td.word, td.share { display: grid; grid-template-columns: 108px minmax(0, 1fr); gap: 12px; width: auto;
    min-width: 0; padding: 2px 0; border: 0; text-align: left; white-space: normal; }
  td .name { display: block; color: var(--soft); font-size: 13px; }
}
@media print {
  :root { color-scheme: light; --paper: #fff; --card: #f5f7f9; --ink: #000; --soft: #444; --rule: #bbb; --faint: #ddd;
    --mark: #0b67a9; --alarm: #8f3400; --alarm-paper: #fff; }
  @page { margin: 16mm 14mm; }
  body { font-size: 10pt; -webkit-print-color-adjust: exact; print-color-adjust: exact; }
  main, body > header, body > footer { max-width: none; padding: 0; }
  nav { display: none; }
  h2, h3 { break-after: avoid; }
  main > section { margin-top: 22pt; }
  tr, figure, .concern, .tiles, .tiles > div { break-inside: avoid; }
  thead { display: table-header-group; }
  table { font-size: 8.5pt; }
  th, td { padding-right: 10pt; }
  pre { font-size: 8pt; padding: 5pt 7pt; }
  .concern { padding: 7pt 10pt; }
  .figures { grid-template-columns: 1fr 1fr; }
}
)css";

}  // namespace audiostore::html
