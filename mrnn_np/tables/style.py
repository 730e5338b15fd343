"""How the page of the tables looks, beside what all reports share.

Knows: CSS. Does not know: what is shown.
"""

TABLES_STYLE = """
:root { --yes: #2e7d4f; --no: #b4532a; --open: #6a7080; }
@media (prefers-color-scheme: dark) { :root { --yes: #6fc38f; --no: #e08a5e;
  --open: #9aa0ae; } }
body { max-width: 78rem; } code { font-size: .9rem; overflow-wrap: anywhere; }
.scroll { overflow-x: auto; margin: 0 -1.25rem; padding: 0 1.25rem; }
.scores { font-size: .95rem; } .scores th { font-weight: 600; vertical-align: bottom; }
.scores td, .scores tbody th { vertical-align: top; }
.scores tbody th { position: sticky; left: -1.25rem; background: var(--paper);
  padding-left: .2rem; min-width: 9rem; max-width: 14rem; }
.scores th.group { text-align: center; border-bottom-color: var(--soft); }
.scores td, .scores th.number { padding-right: .8rem; }
.scores td { white-space: nowrap; }
.measured { display: block; line-height: 1.3; }
.failed { display: block; font-weight: normal; font-size: .85rem; color: var(--no);
  overflow-wrap: anywhere; }
svg.whisker { display: block; margin: .05rem 0 .1rem auto; overflow: visible; }
.claim svg.whisker { margin-left: 0; } sup { line-height: 0; }
.scores colgroup + colgroup + colgroup { border-left: 1px solid var(--line); }
.published, .published td, .legend i { color: var(--second); font-style: italic;
  font-size: .85rem; } .published a { color: inherit; text-decoration: none; }
i.published { display: block; line-height: 1.3; }
.legend { display: flex; flex-wrap: wrap; gap: .5rem 1.5rem; align-items: center; }
.legend ul { list-style: none; margin: 0; padding: 0; line-height: 1.35; }
.legend .cell { text-align: right; } .legend .cell i { display: block; }
.legend .labels { columns: 2 16rem; flex: 1 1 20rem; font-size: .85rem;
  color: var(--soft); }
.counts { font-size: 1.05rem; }
.verdict { display: inline-block; padding: 0 .55rem; border-radius: 1rem;
  border: 1.5px solid var(--open); color: var(--open); font-size: .85rem;
  white-space: nowrap; } .verdict.holds { border-color: var(--yes); color: var(--yes); }
.verdict.does-not-hold { border-color: var(--no); color: var(--no); }
.verdict.not-measured { border-style: dashed; }
.claim { display: grid; grid-template-columns: 8rem 1fr; gap: 0 1rem;
  border-top: 1px solid var(--line); padding: .6rem 0; align-items: baseline; }
.claim > .verdict { justify-self: start; } .claim p { margin: 0; max-width: none; }
.claim ul { list-style: none; margin: .2rem 0 0; padding: 0; font-size: .88rem;
  color: var(--soft); }
.claim li { display: grid; grid-template-columns: 168px 1fr; gap: .8rem;
  align-items: center; }
.claim li.absent { display: block; }
.notes { list-style: lower-alpha; max-width: 44rem; }
details { margin: .25rem 0; } details table { margin: .4rem 0 .8rem; }
summary { cursor: pointer; }
.spoken { display: grid; grid-template-columns: 15rem 1fr; gap: 1.25rem;
  margin: 1.5rem 0; align-items: start; }
.spoken dl { margin: 0; display: grid; grid-template-columns: max-content 1fr;
  gap: .1rem 1rem; font-size: .92rem; } .spoken dt { color: var(--soft); }
.spoken dd { margin: 0; }
@media (max-width: 45rem) { .claim { grid-template-columns: 1fr; gap: .3rem; }
  .claim li { grid-template-columns: 1fr; gap: 0; margin-top: .4rem; }
  .spoken { grid-template-columns: 1fr; }
  .spoken dl { grid-template-columns: 1fr; } .spoken dd { margin-bottom: .3rem; }
  .scores tbody th { min-width: 6.5rem; max-width: 7.5rem; font-size: .85rem; } }
"""
