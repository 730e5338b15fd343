"""The m-RNN with a part taken away or moved, as in section 10.1 of its paper.

Each file is the m-RNN (models/mrnn.py) but for a few lines. What differs, in the
paper's names, with its BLEU-4 on Flickr30k (VGG features):

    m-RNN                  w = g(e W2 + b2)          m = g(w Vw + r Vr + I Vi + bm)
    NoEmbInput     .188                              m = g(       r Vr + I Vi + bm)
    OneLayerEmb    .184    w = g(E1[x])
    EmbOneInput    .185                              m = g(e Ve + r Vr + I Vi + bm)
    RNN-Base                                         m = g(w Vw + r Vr + bm)
    visInRnn       .101    w = g(e W2 + I Vi1 + b2)  m = g(w Vw + r Vr + bm)
      -both        .120    w = g(e W2 + I Vi1 + b2)  m = g(w Vw + r Vr + I Vi2 + bm)
      -both-shared .110    w = g(e W2 + s + b2)      m = g(w Vw + r Vr + s Vs + bm)
                           with s = I Vi1

and .187 for the m-RNN itself. What a line leaves out is as in the m-RNN.

The first four keep the language apart from the image, and retrieval is fast. Those
that show the image to the recurrence (image_in_embedding.py has what they share)
compute each sentence anew for each image; the paper found them hard to train, and
wanted a very small learning rate for them.

Biases, dropout and first draws are those of `MRNN`: the paper says nothing of them.
"""
