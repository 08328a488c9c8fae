/** How the dossier looks, on a screen and on paper (A4 and Letter both). It loads nothing, fonts neither. */
export const style = `
@page { margin: 18mm 16mm 20mm; @bottom-right { content: counter(page) " / " counter(pages); font: 8pt sans-serif; color: #5b6470; } }
:root { --ink: #16191d; --soft: #5b6470; --line: #d9dde2; --wash: #f4f6f8; --accent: #1d5fa8; --warn: #9a4a00; }
* { box-sizing: border-box; }
html { color-scheme: light; }
body { margin: 0 auto; padding: 32px 28px 64px; max-width: 960px; background: #fff; color: var(--ink);
  font: 15px/1.5 system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; overflow-wrap: break-word; }
header { border-bottom: 3px solid var(--ink); padding-bottom: 14px; }
header p { margin: 0; color: var(--soft); font-size: 13px; letter-spacing: .04em; text-transform: uppercase; }
h1 { margin: 2px 0 0; font-size: 28px; line-height: 1.2; font-weight: 650; }
h2 { margin: 34px 0 10px; padding-bottom: 4px; border-bottom: 1px solid var(--line); font-size: 18px; font-weight: 650; break-after: avoid; }
p { margin: 0 0 8px; }
.soft { color: var(--soft); font-size: 13px; }
.lead { font-size: 16px; }
.warn { color: var(--warn); }
.partial { margin-top: 16px; padding: 10px 14px; border-left: 4px solid var(--warn); background: #fdf5ec; }
dl { break-inside: avoid; display: grid; grid-template-columns: repeat(auto-fill, minmax(200px, 1fr)); gap: 10px 24px; margin: 0; }
dl div { break-inside: avoid; }
dl .wide { grid-column: span 2; }
.grid + p { margin-top: 10px; }
dt { color: var(--soft); font-size: 12px; }
dd { margin: 0; }
table { width: 100%; border-collapse: collapse; font-size: 14px; }
th { text-align: left; font-size: 12px; font-weight: 600; color: var(--soft); }
th, td { padding: 5px 12px 5px 0; border-bottom: 1px solid var(--line); vertical-align: top; }
tr { break-inside: avoid; }
thead { display: table-header-group; }
.n { text-align: right; white-space: nowrap; }
td:first-child { min-width: 150px; }
time, .clock { font-variant-numeric: tabular-nums; white-space: nowrap; }
.grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(168px, 1fr)); gap: 16px 14px; }
figure { margin: 0; break-inside: avoid; }
figure img { display: block; width: 100%; aspect-ratio: 16 / 9; object-fit: contain; background: #16191d; border-radius: 4px; }
figure .none { width: 100%; aspect-ratio: 16 / 9; background: var(--wash); border: 1px solid var(--line); border-radius: 4px; }
figcaption { margin-top: 4px; font-size: 12px; line-height: 1.35; }
figcaption b { display: block; font-size: 13px; }
.people { grid-template-columns: repeat(auto-fill, minmax(120px, 1fr)); }
.people img, .people .none { aspect-ratio: 1; object-fit: cover; }
.turn { margin-bottom: 12px; }
.turn h3 { margin: 0 0 0 90px; font-size: 13px; font-weight: 650; color: var(--accent); break-after: avoid; }
.turn div { position: relative; padding-left: 90px; break-inside: avoid; }
.turn time { position: absolute; left: 0; color: var(--soft); font-size: 13px; line-height: inherit; }
.turn p { margin: 0 0 3px; }
svg { display: block; width: 100%; height: auto; }
svg text { font: 11px system-ui, sans-serif; fill: var(--soft); }
.lane { fill: var(--wash); }
.scene0 { fill: #1d5fa8; } .scene1 { fill: #8db4dc; }
.speech { fill: #2c7a4b; } .face { fill: #8a4fa3; } .read { fill: #b7791f; } .review { fill: #c0392b; }
.quiet { fill: #7b8794; } .loud { fill: #5b87b5; }
footer { margin-top: 40px; padding-top: 10px; border-top: 1px solid var(--line); }
@media print {
  body { max-width: none; padding: 0; font-size: 10pt; print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  h1 { font-size: 20pt; } h2 { font-size: 13pt; margin-top: 20pt; } .lead { font-size: 11pt; }
  table { font-size: 9.5pt; }
  .grid { grid-template-columns: repeat(4, 1fr); } .people { grid-template-columns: repeat(6, 1fr); }
}
@media (max-width: 560px) { body { padding: 18px 14px 40px; } .turn h3, .turn div { margin-left: 0; padding-left: 0; } .turn time { position: static; } }
`;
