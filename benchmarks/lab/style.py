"""The page's style sheet, for light and dark screens."""

STYLE = """
:root{color-scheme:light dark;--back:#f6f8fa;--card:#fff;--text:#1f2328;--mute:#59636e;--line:#e4e8ec;--ours:#e8f1fb;
--dark:#7d8590;--light:#c9d1d9;--us:#1f6fc4;--us2:#9cc4ee;--good:#1a7f37;--bad:#b3261e;--warn:#8a5a00}
@media(prefers-color-scheme:dark){:root{--back:#0d1117;--card:#161b22;--text:#e6edf3;--mute:#9198a1;--line:#2b323b;
--ours:#12243a;--dark:#8b949e;--light:#484f58;--us:#4c9aee;--us2:#1f4b7a;--good:#3fb950;--bad:#f47067;--warn:#d29922}}
*{box-sizing:border-box}
body{margin:0;background:var(--back);color:var(--text);font:14px/1.5 system-ui,-apple-system,"Segoe UI",sans-serif}
header,main{max-width:84rem;margin:0 auto;padding:0 1.25rem}
header{padding-top:2rem}h1{font-size:1.9rem;margin:0}header p{color:var(--mute);margin:.25rem 0 1.25rem}
section{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:1rem 1.25rem;margin:0 0 1rem;
overflow-x:auto}
h2{font-size:1.3rem;margin:.25rem 0 .75rem}h3{font-size:1.05rem;margin:.25rem 0 .6rem}
h3 small{font-weight:400;color:var(--mute);margin-left:.75rem}
table{border-collapse:collapse;width:100%}
th,td{text-align:left;padding:.28rem .6rem;border-bottom:1px solid var(--line);vertical-align:middle}
th{font-weight:600;color:var(--mute);font-size:.82rem;vertical-align:bottom}
tr:last-child td{border-bottom:0}
.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
section[id] td:first-child{white-space:nowrap}
.small{color:var(--mute);font-size:.82rem}
td.bars{min-width:11rem;width:20%}
td.bars i{display:block;height:6px;border-radius:3px;margin:2px 0;background:var(--dark)}
td.bars i.included{background:var(--light)}
tr.ours{background:var(--ours)}tr.ours td:first-child{font-weight:600}
tr.ours td.bars i{background:var(--us)}tr.ours td.bars i.included{background:var(--us2)}
.badge{font-size:.75rem;font-weight:600;padding:.1rem .5rem;border-radius:1rem;border:1px solid currentColor;
white-space:nowrap;margin-right:.25rem}
.reached{color:var(--good)}.missed{color:var(--bad)}.wrong{color:var(--warn)}.not-measured{color:var(--mute)}
nav a{display:inline-block;margin:0 .75rem .5rem 0;color:var(--us)}
details{margin-top:.5rem}summary{cursor:pointer;color:var(--mute)}
.pair{display:flex;flex-wrap:wrap;gap:1.25rem;align-items:flex-start;margin-bottom:1rem}
.pair table{flex:1;width:auto;min-width:18rem}svg{max-width:100%;height:auto}
"""
