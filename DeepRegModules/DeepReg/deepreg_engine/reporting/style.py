"""Style sheet of a report's page, for the screen and for two sheets of A4, and its script."""

from __future__ import annotations

STYLE = """
:root { --ink: #1d2733; --soft: #5b6875; --line: #d5dbe1; --paper: #fff; --back: #eef1f4;
  --green: #1a7f37; --amber: #b25f00; --red: #c1121f; }
* { box-sizing: border-box; } [hidden] { display: none !important; }
body { margin: 0; background: var(--back); color: var(--ink); font: 15px/1.4 "Segoe UI", "Helvetica Neue", Arial, sans-serif; }
main { max-width: 1120px; margin: 0 auto; background: var(--paper); padding: 20px 28px; }
h1 { font-size: 1.5em; margin: 0; }
h2 { font-size: 1.08em; margin: 1.1em 0 .35em; border-bottom: 1px solid var(--line); padding-bottom: 2px; }
h3 { font-size: .95em; margin: .8em 0 .2em; }
p { margin: .3em 0; } .soft { color: var(--soft); } .small { font-size: .86em; }
header { display: flex; justify-content: space-between; gap: 20px; align-items: baseline;
  border-bottom: 2px solid var(--ink); padding-bottom: 6px; }
header p { margin: 0; text-align: right; } header .patient { font-weight: 600; text-align: left; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: 2px 8px 2px 0; border-bottom: 1px solid var(--line); vertical-align: baseline; }
th { font-weight: 600; } thead th { border-bottom: 1.5px solid var(--soft); color: var(--soft); font-size: .88em; }
td.n, th.n { text-align: right; padding-right: 12px; } td.n { white-space: nowrap; }
td.name { overflow-wrap: anywhere; }
.light { white-space: nowrap; font-weight: 600; }
.light svg { width: 12px; height: 12px; vertical-align: -1px; margin-right: 5px; }
.green { color: var(--green); } .amber { color: var(--amber); } .red { color: var(--red); }
.verdict { margin: .5em 0 .2em; font-size: 1.08em; } .lights { font-weight: 600; } .verdict .light, .lights .light { margin-right: 14px; }
.views { display: grid; gap: 8px; align-items: start; width: min(100%, calc(560px * var(--shape))); }
.view { position: relative; background: #000; }
.view img { display: block; width: 100%; height: auto; } .view svg { position: absolute; inset: 0; width: 100%; height: 100%; }
.view text { fill: #fff; stroke: #000; stroke-width: .22em; paint-order: stroke; font-family: Arial, sans-serif; font-weight: 600; }
.rowname { margin: .7em 0 .25em; font-size: .9em; } .rowname b { margin-right: .5em; }
.fade { display: none; }
.js .fade { display: flex; flex-wrap: wrap; gap: 6px 18px; align-items: center;
  background: var(--back); border-radius: 6px; padding: 7px 12px; margin: .5em 0; }
.fade label { display: flex; gap: 8px; align-items: center; } .fade input[type=range] { width: 230px; }
.scale { display: inline-block; width: 120px; height: 9px; border: 1px solid var(--soft); vertical-align: 0; margin: 0 5px; }
.charts { display: grid; grid-template-columns: repeat(2, 1fr); gap: 16px; }
.chart { width: 100%; display: block; }
.chart text { font: 11px Arial, sans-serif; fill: #333; stroke: #fff; stroke-width: 3px; paint-order: stroke; }
.chart text.fold { fill: #b000b0; } .chart .head { font-weight: 600; font-size: 12px; }
.columns { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 22px; }
.fold { color: #b000b0; font-weight: 600; }
.outlier { color: var(--red); }
dl { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: 1px 12px; margin: 0; align-content: start; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
details { margin: .5em 0; } summary { cursor: pointer; color: #1b5fa8; }
ul { margin: .2em 0; padding-left: 1.2em; }
.sign { display: flex; flex-wrap: wrap; gap: 10px 24px; margin-top: 2em; }
.sign span { flex: 1 1 200px; border-bottom: 1px solid var(--ink); padding-bottom: 1px; min-height: 1.6em; }
.paper { display: none; }
@media screen {
  .js .pair { display: grid; } .js .pair > div { grid-area: 1 / 1; } .js .pair .rowname { display: none; }
  .js .pair .after { opacity: var(--t, 1); }
  .js .grey .view img.blend { filter: url(#mix); }
}
@media screen and (max-width: 760px) {
  body { font-size: 12px; } main { padding: 12px; overflow-x: auto; }
  .columns, .charts { grid-template-columns: minmax(0, 1fr); } .light { white-space: normal; }
}
@page { size: A4 portrait; margin: 11mm 12mm; }
@media print {
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  body { background: none; font-size: 8.4pt; line-height: 1.25; } main { max-width: none; padding: 0; }
  .screen, .js .fade, details { display: none; } .paper { display: block; } tr.paper { display: table-row; }
  h1 { font-size: 14pt; } h2 { margin: 1.6mm 0 .8mm; font-size: 9.6pt; } h3 { margin: 1mm 0 .4mm; font-size: 8.6pt; }
  header { padding-bottom: 1mm; } p { margin: .5mm 0; } .small, .rowname { font-size: 7.6pt; } .rowname { margin: 1mm 0 .6mm; }
  th, td { padding: .2mm 1.6mm .2mm 0; } td.n, th.n { padding-right: 2mm; }
  td.name { white-space: nowrap; overflow: hidden; text-overflow: ellipsis; max-width: 60mm; }
  .columns { font-size: 7.4pt; line-height: 1.12; } .columns td, .columns th { padding: .08mm 1.2mm .08mm 0; }
  .columns thead th { font-size: 6.8pt; }
  .columns td.name { max-width: 30mm; } .columns .small { font-size: 7pt; }
  dl { font-size: 7.1pt; line-height: 1.13; gap: 0 2mm; } ul { font-size: 7.4pt; line-height: 1.12; }
  h1, .patient { white-space: nowrap; overflow: hidden; text-overflow: ellipsis; max-width: 128mm; }
  header p { white-space: nowrap; }
  .sheet { display: flex; flex-direction: column; min-height: 270mm; }
  .sheet + .sheet { break-before: page; }
  .views { gap: 2mm; width: min(100%, calc(var(--tall) * var(--shape))); break-inside: avoid; }
  .sheet { --tall: 45mm; }
  .charts { gap: 4mm; } .columns { gap: 6mm; } .chart { max-height: 31mm; }
  .clip { display: -webkit-box; -webkit-line-clamp: 2; -webkit-box-orient: vertical; overflow: hidden; }
  .sign { margin-top: auto; padding-top: 3mm; gap: 2mm 6mm; }
  a { color: inherit; text-decoration: none; }
}
"""

# Colour pictures contain the fixed image in red and blue and the moving one in green. The filter shows one of them or a mixture.
FILTER = (
    '<svg width="0" height="0" style="position:absolute" aria-hidden="true"><filter id="mix" color-interpolation-filters="sRGB">'
    '<feColorMatrix id="weights" type="matrix" values="0.5 0.5 0 0 0 0.5 0.5 0 0 0 0.5 0.5 0 0 0 0 0 0 1 0"/></filter></svg>'
)

SCRIPT = """
(function () {
  var root = document.documentElement, pair = document.getElementById('pair');
  root.className += ' js';
  var time = document.getElementById('time'), mix = document.getElementById('mix-share'), mode = document.getElementById('mode');
  var shown = document.getElementById('time-shown'), mixed = document.getElementById('mix-label');
  function show() {
    var t = time.value / 100;
    pair.style.setProperty('--t', t);
    var words = shown.dataset;
    shown.textContent = t === 0 ? words.before : t === 1 ? words.after : words.between.replace('{share}', Math.round(100 * t));
    var grey = mode.value === 'grey', m = mix.value / 100, row = (1 - m) + ' ' + m + ' 0 0 0 ';
    pair.classList.toggle('grey', grey);
    mixed.hidden = !grey;
    document.getElementById('weights').setAttribute('values', row + row + row + '0 0 0 1 0');
  }
  [time, mix, mode].forEach(function (part) { part.addEventListener('input', show); part.addEventListener('change', show); });
  var timer = null, play = document.getElementById('play'), flicker = play.textContent;
  play.addEventListener('click', function () {
    if (timer) { clearInterval(timer); timer = null; }
    else { timer = setInterval(function () { time.value = time.value > 50 ? 0 : 100; show(); }, 600); }
    play.textContent = timer ? play.dataset.stop : flicker;
  });
  show();
})();
"""
