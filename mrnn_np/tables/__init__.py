"""The paper's tables, made anew: every model on the same data, scored by the same code.

    rows         the rows: which model, of which size, decoded how
    plan         what all rows share, and how long each may train
    search       a row's learning rate and dropout, chosen on dev; its trainings
    scores       a trained model's captions, scores and ranks
    baselines    rows without a training: people, neighbours, chance
    results      the folder that keeps all of it, so that a stopped run goes on
    work         all of this, row after row

    published    what the papers print
    layout       which rows and columns make which table
    text, page   the tables to read and to look at (style, whiskers, gallery)
    conclusions  what the paper concludes, as comparisons of rows
    claims       which of it holds here (evidence, paired)

Knows: the race. Does not know: how a model works, is trained, decodes or is scored.
"""
