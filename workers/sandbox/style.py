"""The style sheet of the sandbox's pages: one column of cards on paper, light and dark."""

CSS = """
:root { color-scheme: light dark; --paper: #f6f5f2; --card: #fff; --ink: #1d1c1a; --soft: #6b6860;
  --line: #e4e1da; --accent: #2f5d50; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #141513; --card: #1e201d; --ink: #ecebe6; --soft: #a19e95; --line: #32342f;
    --accent: #8fc7b4; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 72rem; margin: 0 auto; padding: 2.5rem 1.25rem 4rem; }
main.narrow { max-width: 30rem; }
h1 { font-size: 1.6rem; margin: 0 0 .25rem; letter-spacing: -.01em; }
p.lead { color: var(--soft); margin: 0 0 2rem; text-wrap: balance; }
p.empty { color: var(--soft); padding: 3rem 0; }
.grid { columns: 20rem; column-gap: 1.25rem; }
.card { break-inside: avoid; background: var(--card); border: 1px solid var(--line); border-radius: 14px;
  margin: 0 0 1.25rem; overflow: hidden; }
.card header { display: flex; gap: .75rem; align-items: center; padding: 1rem 1rem .5rem; }
.face { flex: none; width: 2.5rem; height: 2.5rem; border-radius: 50%; display: grid; place-items: center;
  color: #fff; font-weight: 600; border: 1px solid var(--line); }
.who { min-width: 0; }
.who b, .who span { display: block; line-height: 1.3; }
.who span, footer, .count { color: var(--soft); font-size: .85rem; }
.tag { margin-left: auto; font-size: .75rem; font-weight: 600; padding: .15rem .55rem;
  border-radius: 99px; color: #fff; border: 1px solid var(--line); }
.card h2 { font-size: 1.05rem; line-height: 1.35; margin: 0; padding: 0 1rem .35rem;
  overflow-wrap: anywhere; }
.text { padding: 0 1rem .9rem; white-space: pre-wrap; overflow-wrap: anywhere; }
.text a { color: var(--accent); text-decoration: none; }
.media { display: grid; gap: 2px; grid-template-columns: repeat(auto-fit, minmax(45%, 1fr)); }
.media img, .media video { display: block; width: 100%; max-height: 24rem; object-fit: cover;
  background: var(--line); }
.comment { padding: .6rem 1rem; border-top: 1px solid var(--line); font-size: .9rem; overflow-wrap: anywhere; }
footer { display: flex; gap: .25rem 1rem; flex-wrap: wrap; padding: .7rem 1rem;
  border-top: 1px solid var(--line); }
fieldset { border: 1px solid var(--line); border-radius: 14px; background: var(--card);
  padding: .5rem 1rem; margin: 0 0 1rem; }
legend { padding: 0 .4rem; color: var(--soft); font-size: .85rem; }
label { display: flex; gap: .75rem; align-items: center; padding: .6rem 0; cursor: pointer; }
label + label { border-top: 1px solid var(--line); }
code { font-size: .9rem; overflow-wrap: anywhere; }
.row { display: flex; gap: .75rem; margin-top: 1.25rem; }
button { flex: 1; font: inherit; font-weight: 600; padding: .75rem 1rem; border-radius: 10px;
  border: 1px solid var(--line); background: var(--card); color: var(--ink); cursor: pointer; }
button.go { background: var(--accent); border-color: var(--accent); color: var(--paper); }
button:focus-visible, input:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
"""
