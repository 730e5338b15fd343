"""What the papers print: every number that stands beside one measured here.

Each `Source` is one published table, laid out as it is printed: a line a system, first
the row of ours that it belongs to (``.`` where we have none), then its name in the
paper, then its numbers in the order of the columns, ``-`` where it prints none. Digits
are kept as printed: .17 is not .170.

They were measured with other images, features, vocabularies and hours of training than
ours. They tell what the papers found, and are no goal to be met.

Source: the m-RNN paper (arXiv 1412.6632, version 5, ICLR 2015), its authors' slides of
10 April 2015, and the README of visual-semantic-embedding (Kiros et al.). Numbers of
peers are as the m-RNN paper prints them; they were not looked up in the peers' papers.

Knows: what is printed where. Does not know: what is wrong with it (published.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass

PPL = ("perplexity",)
BLEU = ("BLEU-1", "BLEU-2", "BLEU-3", "BLEU-4")
BOTH_WAYS = tuple(
    f"{direction} {metric}"
    for direction in ("image to sentence", "sentence to image")
    for metric in ("R@1", "R@5", "R@10", "median")
)
SIZE = ("recurrent_size", "cell")
SERVER = (*BLEU, "CIDEr", "ROUGE-L", "METEOR")

PAPER = "m-RNN paper, version 5"
SLIDES = "the m-RNN authors' slides"
VSE = "README of visual-semantic-embedding"


@dataclass(frozen=True)
class Source:
    """One published table.

    Fields
    ------
    dataset : as in ``NAME:PATH``. label : what it is called in a cell, see `LABELS`.
    where : paper and table.
    columns : metrics, as our rows name them (a direction first, for retrieval).
    lines : the table, see the top of this file.
    """

    dataset: str
    label: str
    where: str
    columns: Sequence[str]
    lines: str


IAPR_TABLES = (
    Source("iaprtc12", "IAPR", f"{PAPER}, table 1", (*PPL, *BLEU), """
        .         LBL                 9.29  .321  .145  .064  -
        mlbl-b    MLBL-B-AlexNet      9.86  .393  .211  .112  -
        mlbl-f    MLBL-F-AlexNet      9.90  .387  .209  .115  -
        .         Gupta-et-al.        -     .15   .06   .01   -
        .         Gupta-and-Mannem    -     .33   .18   .07   -
        rnn-base  RNN-Base            7.77  .307  .177  .096  .043
        mrnn      m-RNN-AlexNet       6.92  .482  .357  .269  .208
    """),
    Source("iaprtc12", "IAPR", f"{PAPER}, table 2", BOTH_WAYS, """
        mrnn  m-RNN-AlexNet  20.9 43.8 54.4 8   13.2 31.2 40.8 21
    """),
)  # fmt: skip
FLICKR8K_TABLES = (
    Source("flickr8k", "F8K", f"{PAPER}, section 7", (*PPL, *BLEU), """
        mrnn  m-RNN-AlexNet  24.39  .565  .386  .256  .170
    """),
    Source("flickr8k", "F8K", f"{PAPER}, table 3", BOTH_WAYS, """
        random  Random            .1   .5   1.0  631  .1   .5   1.0  500
        .       SDT-RNN-AlexNet   4.5  18.0 28.6 32   6.1  18.5 29.0 29
        .       Socher-avg-RCNN   6.0  22.7 34.0 23   6.6  21.6 31.7 25
        .       DeViSE-avg-RCNN   4.8  16.5 27.3 28   5.9  20.1 29.6 29
        deepfe  DeepFE-RCNN       12.6 32.9 44.0 14   9.7  29.6 42.5 15
        deepfe  DeepFE-AlexNet    5.9  19.2 27.3 34   5.2  17.6 26.5 32
        mrnn    m-RNN-AlexNet     14.5 37.2 48.5 11   11.5 31.0 42.4 15
    """),
    Source("flickr8k", "F8K", f"{VSE}, as published", BOTH_WAYS, """
        mnlm-rank  MNLM-VggNet    18.0 40.9 55.0 8    12.5 37.0 51.5 10
    """),
)  # fmt: skip
FLICKR30K_TABLES = (
    Source("flickr30k", "F30K", f"{PAPER}, table 4", BOTH_WAYS, """
        random         Random           .1   .6   1.1  631  .1   .5   1.0  500
        .              DeViSE-avg-RCNN  4.8  16.5 27.3 28   5.9  20.1 29.6 29
        deepfe         DeepFE-RCNN      16.4 40.2 54.7 8    10.3 31.4 44.5 13
        rvr            RVR              12.1 27.8 47.8 11   12.7 33.1 44.9 12.5
        mnlm-rank      MNLM-VggNet      23.0 50.7 62.9 5    16.8 42.0 56.5 8
        mnlm-rank      MNLM-AlexNet     14.8 39.2 50.9 10   11.8 34.0 46.3 13
        nic            NIC              17.0 56.0 -    7    17.0 57.0 -    7
        lrcn           LRCN             14.0 34.9 47.0 11   -    -    -    -
        deepvs-align   DeepVS-RCNN      22.2 48.2 61.4 4.8  15.2 37.7 50.5 9.2
        mrnn           m-RNN-VggNet     35.4 63.8 73.7 3    22.8 50.7 63.1 5
        mrnn           m-RNN-AlexNet    18.4 40.2 50.9 10   12.6 31.2 41.5 16
    """),
    Source("flickr30k", "F30K", f"{PAPER}, table 5", (*PPL, *BLEU), """
        rvr     RVR             -      -    -    -    .13
        deepvs  DeepVS-VggNet   21.20  .50  .30  .15  -
        deepvs  DeepVS-AlexNet  -      .47  .21  .09  -
        nic     NIC             -      .66  -    -    -
        lrcn    LRCN            -      .59  .39  .25  .16
        mrnn-greedy  m-RNN-VggNet   20.72  .60  .41  .28  .19
        mrnn-greedy  m-RNN-AlexNet  35.11  .54  .36  .23  .15
        mrnn    m-RNN-VggNet    20.72  .60  .41  .28  .19
        mrnn    m-RNN-AlexNet   35.11  .54  .36  .23  .15
    """),
    Source("flickr30k", "F30K", f"{PAPER}, section 10.1", BLEU, """
        mrnn                    m-RNN                .600 .412 .278 .187
        no-emb-input            m-RNN-NoEmbInput     .592 .408 .277 .188
        one-layer-emb           m-RNN-OneLayerEmb    .594 .406 .274 .184
        emb-one-input           m-RNN-EmbOneInput    .590 .406 .274 .185
        vis-in-rnn              m-RNN-visInRnn       .466 .267 .157 .101
        vis-in-rnn-both         m-RNN-visInRnn-both  .546 .333 .191 .120
        vis-in-rnn-both-shared  m-RNN-visInRnn-both-shared  .478 .279 .171 .110
    """),
    Source("flickr30k", "F30K", f"{VSE}, its own run", BOTH_WAYS, """
        mnlm-rank  VSE-VggNet   29.8 58.4 70.5 4   22.0 47.9 59.3 6
    """),
)  # fmt: skip
COCO_TABLES = (
    Source("coco", "COCO", f"{PAPER}, table 4", BOTH_WAYS, """
        random        Random        .1   .6   1.1  631  .1   .5   1.0  500
        deepvs-align  DeepVS-RCNN   29.4 62.0 75.9 2.5  20.9 52.8 69.2 4
        mrnn          m-RNN-VggNet  41.0 73.0 83.5 2    29.0 42.2 77.0 3
    """),
    Source("coco", "COCO", f"{PAPER}, table 5", (*PPL, *BLEU), """
        rvr     RVR             -      -    -    -    .19
        deepvs  DeepVS-VggNet   19.64  .57  .37  .19  -
        deepvs  DeepVS-AlexNet  -      .53  .28  .15  -
        nic     NIC             -      .67  -    -    -
        lrcn    LRCN            -      .63  .44  .31  .21
        dmsm    DMSM            -      -    -    -    .21
        mrnn-greedy  m-RNN-VggNet  13.60  .67  .49  .35  .25
        mrnn    m-RNN-VggNet    13.60  .67  .49  .35  .25
    """),
    Source("coco", "COCO", f"{SLIDES}, table 2", BLEU, """
        .       m-RNN-VggNet    .67  .49  .34  .24
    """),
    Source("coco", "COCO", f"{VSE}, its own run", BOTH_WAYS, """
        mnlm-rank  VSE-VggNet   43.4 75.7 85.8 2   31.0 66.7 79.9 3
    """),
    Source("coco", "c5", f"{SLIDES}, table 4", SERVER, """
        human        Human-c5         .663 .469 .321 .217 .854 .484 .252
    """),
    Source("coco", "c40", f"{SLIDES}, table 4", SERVER, """
        human        Human-c40        .880 .744 .603 .471 .910 .626 .335
    """),
    Source("coco", "c5", f"{PAPER}, table 7", SERVER, """
        mrnn-greedy  m-RNN-greedy-c5  .668 .488 .342 .239 .729 .489 .221
        mrnn         m-RNN-beam-c5    .680 .506 .369 .272 .791 .499 .225
    """),
    Source("coco", "c40", f"{PAPER}, table 7", SERVER, """
        mrnn-greedy  m-RNN-greedy-c40 .845 .730 .598 .473 .740 .616 .291
        mrnn         m-RNN-beam-c40   .865 .760 .641 .529 .789 .640 .304
    """),
    Source("coco", "val", f"{PAPER}, table 8", SERVER, """
        mrnn-shared               m-RNN-shared   .686 .511 .375 .280  .842 .500 .228
        mrnn-shared-bleu          +NNref-BLEU    .718 .550 .409 .305  .909 .519 .235
        mrnn-shared-cider         +NNref-CIDEr   .714 .543 .406 .304  .938 .519 .239
        mrnn-shared-bleu-oracle   +BLEU-oracle   .792 .663 .543 .443 1.235 .602 .287
        mrnn-shared-cider-oracle  +CIDEr-oracle  .784 .648 .529 .430 1.272 .593 .287
    """),
    Source("coco", "c5", f"{PAPER}, table 8, test server", SERVER, """
        mrnn-shared        m-RNN-shared          .685 .512 .376 .279 .819 .504 .229
        mrnn-shared-bleu   +NNref-BLEU           .720 .553 .410 .302 .886 .524 .238
        mrnn-shared-cider  +NNref-CIDEr          .716 .545 .404 .299 .917 .521 .242
    """),
)  # fmt: skip
# Sizes are no measurement on a data set: they stand for all of them.
SIZES = Source("", "", f"{PAPER}, table 6", SIZE, """
    mrnn       m-RNN   256      relu
    mnlm-rank  MNLM    300      lstm
    nic        NIC     512      lstm
    lrcn-4     LRCN    1000x4   lstm
    rvr        RVR     100      no-lstm
    deepvs     DeepVS  300-600  no-lstm
""")  # fmt: skip
SOURCES = (*FLICKR8K_TABLES, *FLICKR30K_TABLES, *COCO_TABLES, *IAPR_TABLES, SIZES)
LABELS = {
    "F30K": "Flickr30K",
    "COCO": "MS COCO",
    "c5": "MS COCO's test server, five references an image",
    "val": "1,000 images of MS COCO's validation set",
    "F8K": "Flickr8K",
    "IAPR": "IAPR TC-12",
    "c40": "MS COCO's test server, forty references an image",
    "": "whatever the data set",
}
