# %% [markdown]
# # One step, then through time
#
# **What you will do.** Compute one step of a recurrent layer on paper, and its backward
# pass. Then let the step repeat over the words of several sentences, and
# back-propagate through time.
#
# **What you will learn**
#
# - what the recurrent layer of the m-RNN computes, number by number;
# - why two gradients meet at every state, and why the gradient of U is a sum over time;
# - what a packed batch is;
# - when the gradient vanishes on its way back in time, and when it explodes.
#
# **What you need.** NumPy, the chain rule, and `pip install -e ".[tutorials]"`.
# Every number in bold is checked by the code below it.

# %%
import matplotlib.pyplot as plt
import numpy as np

from mrnn_np.cells import ReLUCell
from mrnn_np.data.batches import pack

# %% [markdown]
# ## 1. One step by hand
#
# The layer keeps a state, a row of R numbers. A word arrives as another row w of R
# numbers. The new state mixes the old one through a matrix U, adds the word and a bias,
# and cuts off what is negative (the ReLU):
#
#     z = previous U + w + b
#     r = max(0, z)
#
# Take R = 2. The first entry of `previous U` is 1 * 0.5 + 2 * 1 = 2.5, the second is
# 1 * (-1) + 2 * 0.5 = 0. Adding w = (1, 0) and b = (0, -1) gives z = (3.5, -1). The
# second unit is negative, so it is shut: **r = (3.5, 0)**.

# %%
U = np.array([[0.5, -1.0], [1.0, 0.5]])
b = np.array([0.0, -1.0])

previous = np.array([1.0, 2.0])
w = np.array([1.0, 0.0])

z = previous @ U + w + b
r = np.maximum(0, z)
print("z =", z, " r =", r)
np.testing.assert_allclose(z, [3.5, -1.0])
np.testing.assert_allclose(r, [3.5, 0.0])

# The library's step gives the same. Its layer is called a cell: here 2 units that are
# fed 2 numbers. It takes one row for each of n sentences, and [None] turns our row (2,)
# into a matrix of a single row (1, 2).
cell = ReLUCell(2, 2)
parameters = {"U": U, "br": b}
np.testing.assert_allclose(cell.step(w[None], previous[None], parameters), [r])

# %% [markdown]
# ## 2. One step backward
#
# Somewhere above, a cost is computed from r. Suppose we know its slope by r: we write
# dr = (2, 3) and mean that the cost rises by 2 for every unit of r[0], and by 3 for
# every unit of r[1]. The chain rule takes it from there:
#
# | forward | backward | here |
# | --- | --- | --- |
# | r = max(0, z) | dz = dr where r > 0, else 0 | dz = **(2, 0)** |
# | z = ... + w | dw = dz | (2, 0) |
# | z = ... + b | db = dz | (2, 0) |
# | z_j = ... sum_i previous_i U_ij | dprevious_i = sum_j dz_j U_ij | **(1, 2)** |
# | the same | dU_ij = previous_i dz_j | **((2, 0), (4, 0))** |
#
# A unit that is shut passes nothing on: moving z[1] = -1 a little leaves r[1] at 0.
# A product has two factors, and the gradient of each holds the *other* one. So
# dprevious is made of U, read the other way round (dz U^T: 2 * 0.5 + 0 * (-1) = 1 and
# 2 * 1 + 0 * 0.5 = 2), and dU is a table of all products of a previous_i with a dz_j.

# %%
dr = np.array([2.0, 3.0])

dz = dr * (r > 0)
dw = dz
db = dz
dprevious = dz @ U.T
dU = np.outer(previous, dz)
print("dz =", dz, " dprevious =", dprevious, " dU =", dU.tolist())
np.testing.assert_allclose(dz, [2, 0])
np.testing.assert_allclose(dprevious, [1, 2])
np.testing.assert_allclose(dU, [[2, 0], [4, 0]])

# %% [markdown]
# Do we believe it? Push U[1, 0] up by 0.001. The gradient there is 4, so the cost
# 2 r[0] + 3 r[1] should rise by **0.004**. (Lesson 3 makes a method of this.)

# %%
pushed = U.copy()
pushed[1, 0] += 0.001
rise = dr @ (np.maximum(0, previous @ pushed + w + b) - r)
print(f"the cost rises by {rise:.6f}")
np.testing.assert_allclose(rise, 0.004)

# %% [markdown]
# ## 3. Three steps forward
#
# A sentence repeats the step, each time with the state of the step before. The first
# state is zero, and U and b are the same at all steps. With the three words
# (1, 2), (1, 0), (0, 4):
#
# - z1 = (0, 0) + (1, 2) + b = (1, 1), so **r1 = (1, 1)**;
# - z2 = (1.5, -0.5) + (1, 0) + b = (2.5, -1.5), so **r2 = (2.5, 0)**;
# - z3 = (1.25, -2.5) + (0, 4) + b = (1.25, 0.5), so **r3 = (1.25, 0.5)**.

# %%
words = np.array([[1.0, 2.0], [1.0, 0.0], [0.0, 4.0]])
states = []
r = np.zeros(2)
for word in words:
    r = np.maximum(0, r @ U + word + b)
    states.append(r)
r1, r2, r3 = states
np.testing.assert_allclose(states, [[1, 1], [2.5, 0], [1.25, 0.5]])

# The library runs all steps in one call. `r0` is the state before the first word, a row
# a sentence. `batch_sizes` says how many sentences are running at each step: here one
# sentence at each of three steps. The cache is what the backward pass will need: the
# states, r0, U, and `batch_sizes` again.
r0 = np.zeros((1, 2))
out, cache = cell.forward(words, r0, parameters, batch_sizes=np.array([1, 1, 1]))
np.testing.assert_allclose(out, states)

# %% [markdown]
# ## 4. Back through time: two paths meet at every state
#
# State r2 is used twice: the layers above predict a word from it, *and* the next
# step computes r3 from it. When a number is used twice, the cost depends on it by two
# paths, and the slopes of the two paths add:
#
#     dr_t = dout_t  +  dz_{t+1} U^T
#            above      from the next step
#
# So the backward pass must start at the last step, which has no next one. Say the
# layers above send (1, 1) to each state:
#
# - dr3 = (1, 1), both units open: **dz3 = (1, 1)**;
# - to r2 comes dz3 U^T = (0.5 - 1, 1 + 0.5) = (-0.5, 1.5). With what comes from above,
#   dr2 = (0.5, 2.5). The second unit was shut: **dz2 = (0.5, 0)**;
# - to r1 comes dz2 U^T = (0.25, 0.5), so dr1 = (1.25, 1.5) = **dz1**.
#
# U is used at every step, so its gradient is a *sum* over the steps. Each gives a table
# of products as in section 2; the first step has r0 = 0 and gives nothing:
#
#     dU = r1^T dz2 + r2^T dz3 = ((0.5, 0), (0.5, 0)) + ((2.5, 2.5), (0, 0))
#        = ((3, 2.5), (0.5, 0))
#
# and likewise db = dz1 + dz2 + dz3 = **(2.75, 2.5)**.

# %%
above = np.ones((3, 2))

dz3 = above[2] * (r3 > 0)
dz2 = (above[1] + dz3 @ U.T) * (r2 > 0)
dz1 = (above[0] + dz2 @ U.T) * (r1 > 0)
dU = np.outer(r1, dz2) + np.outer(r2, dz3)
db = dz1 + dz2 + dz3
print("dz1, dz2, dz3 =", dz1, dz2, dz3)
print("dU =", dU.tolist(), " db =", db)
np.testing.assert_allclose([dz1, dz2, dz3], [[1.25, 1.5], [0.5, 0], [1, 1]])
np.testing.assert_allclose(dU, [[3, 2.5], [0.5, 0]])
np.testing.assert_allclose(db, [2.75, 2.5])

# The library also says what comes back to r0. Here nobody needs it.
dx, dr0, dp = cell.backward(above, cache)
np.testing.assert_allclose(dx, [dz1, dz2, dz3])  # x = the words, so dx = dz
np.testing.assert_allclose(dp["U"], dU)
np.testing.assert_allclose(dp["br"], db)
np.testing.assert_allclose(dr0, [dz1 @ U.T])

# %% [markdown]
# The same as a loop, for a sentence of any length:


# %%
def sentence_backward(above, states, U):
    """Return dz (T, R), dU (R, R), db (R,) of one sentence of T words."""
    dz = np.zeros_like(states)
    dU = np.zeros_like(U)
    from_next = np.zeros(len(U))  # the last step has no next one
    for t in reversed(range(len(states))):
        dz[t] = (above[t] + from_next) * (states[t] > 0)
        from_next = dz[t] @ U.T
        if t > 0:  # the first step has the state zero before it
            dU += np.outer(states[t - 1], dz[t])
    return dz, dU, dz.sum(axis=0)


for mine, library in zip(
    sentence_backward(above, out, U), (dx, dp["U"], dp["br"]), strict=True
):
    np.testing.assert_allclose(mine, library)

# %% [markdown]
# ## 5. Many sentences: the packed batch
#
# Sentences differ in length. One could fill the short ones up with padding and
# compute on the padding for nothing. A *packed* batch sorts the sentences, longest
# first, and lists step 0 of all of them, then step 1 of those that have one, and so on.
#
# Take "a man runs", "a dog" and "a". Each is read from a `<start>` on, one word a step,
# and at its last word predicts the `<end>`. So they run for **4, 3 and 2 steps**: 9
# rows, where padding to the longest needs 12. The number of sentences that run at each
# step is **batch_sizes = (3, 3, 2, 1)**.

# %%
vocabulary = ["<pad>", "<start>", "<end>", "<unk>", "a", "man", "runs", "dog"]
captions = [[4, 5, 6], [4, 7], [4]]  # the words as places in the vocabulary
batch = pack(captions, features=np.zeros((3, 1)))  # the images play no part here
print("batch_sizes =", batch.batch_sizes)
print("sentence of each row =", batch.sentence)
assert batch.batch_sizes.tolist() == [3, 3, 2, 1]
assert batch.sentence.tolist() == [0, 1, 2, 0, 1, 2, 0, 1, 0]

# %%
step = np.repeat(np.arange(4), batch.batch_sizes)  # of each row: 0 0 0 1 1 1 2 2 3
colors = ["lightskyblue", "navajowhite", "lightgreen"]


def draw_cell(axes, x, y, text, color):
    axes.add_patch(plt.Rectangle((x, y), 1, 1, facecolor=color, edgecolor="gray"))
    axes.text(x + 0.5, y + 0.5, text, ha="center", va="center")


figure, (top, bottom) = plt.subplots(2, figsize=(7, 4.4), height_ratios=(3, 1.4))
for t in range(4):
    for n in range(batch.batch_sizes[t], 3):  # these have no word left
        draw_cell(top, t, n, "<pad>", "white")
for p in range(9):
    n, word = batch.sentence[p], vocabulary[batch.tokens[p]]
    draw_cell(top, step[p], n, word, colors[n])
    draw_cell(bottom, p, 0, word, colors[n])
top.set(xlim=(0, 4), ylim=(3, 0), xlabel="step", ylabel="sentence")
top.set(xticks=np.arange(4) + 0.5, xticklabels=range(4))
top.set(yticks=np.arange(3) + 0.5, yticklabels=range(3))
top.set_title("padded: 12 cells, 3 of them for nothing")
bottom.set(xlim=(0, 9), ylim=(1, 0), xlabel="row of the packed batch", yticks=[])
bottom.set(xticks=np.arange(9) + 0.5, xticklabels=range(9))
bottom.vlines([3, 6, 8], 0, 1, color="black", linewidth=3)
bottom.set_title("packed: 9 rows, a black line between the steps")
figure.tight_layout()
figure.savefig("lesson02_packed_batch.png")

# %% [markdown]
# Because the sentences are sorted, the n of them that still run at a step are the
# *first* n of those that ran at the step before. So "the states before" is a slice from
# the front of the previous step, and a whole step is one matrix product for all
# sentences.
#
# Nothing else changes. Take a sentence out of the batch and run it alone: its states
# and its dz are the same. U and b are shared by all sentences, so their gradients are
# sums over the sentences.

# %%
rng = np.random.default_rng(0)
x = rng.standard_normal((9, 2))
above = rng.standard_normal((9, 2))
r0 = np.zeros((3, 2))
out, cache = cell.forward(x, r0, parameters, batch.batch_sizes)
dx, _, dp = cell.backward(above, cache)

sum_dU, sum_db = np.zeros_like(U), np.zeros_like(b)
for n in range(3):
    rows = np.flatnonzero(batch.sentence == n)  # its words, in the order of time
    alone, _ = cell.forward(x[rows], r0[:1], parameters, np.ones(len(rows), int))
    np.testing.assert_allclose(out[rows], alone)
    dz_n, dU_n, db_n = sentence_backward(above[rows], alone, U)
    np.testing.assert_allclose(dx[rows], dz_n)
    sum_dU += dU_n
    sum_db += db_n
np.testing.assert_allclose(dp["U"], sum_dU)
np.testing.assert_allclose(dp["br"], sum_db)
print("the packed batch equals its sentences, one after another")

# %% [markdown]
# ## 6. Vanishing and exploding
#
# Send a gradient into the *last* state only. After k steps back it has been multiplied
# k times by U^T and has passed k more gates. Let U be s times an orthogonal matrix,
# which changes the length of a row by exactly the factor s. With random words half the
# units are shut at each step, and a row that loses half of its entries keeps about
# 1 / sqrt(2) of its length. So we expect the length of the gradient to go like
#
#     (s / sqrt(2))^k
#
# For s = 1 and k = 30 this is 3.1e-05, and the measured length is **2.5e-05**: the
# first words of a long sentence hardly hear what the last one says. With s = 2 it is
# 3.3e+04, measured **2.8e+04**. The balance is at s = sqrt(2), but there the *states*
# are in danger: when most units happen to be open, nothing keeps them from growing by
# the factor s at every step.


# %%
def gradient_lengths(s, steps=31, sentences=32, size=64):
    """Return the mean length of dz, k steps before the last; 1 at k = 0."""
    rng = np.random.default_rng(0)
    U = s * np.linalg.qr(rng.standard_normal((size, size)))[0]
    x = rng.standard_normal((steps * sentences, size))
    cell, parameters = ReLUCell(size, size), {"U": U, "br": np.zeros(size)}
    r0, batch_sizes = np.zeros((sentences, size)), np.full(steps, sentences)
    out, cache = cell.forward(x, r0, parameters, batch_sizes)
    dout = np.zeros_like(out)
    dout[-sentences:] = rng.standard_normal((sentences, size))
    dz, _, _ = cell.backward(dout, cache)
    lengths = np.linalg.norm(dz.reshape(steps, sentences, size), axis=2)
    lengths = lengths.mean(axis=1)[::-1]  # from the last step to the first
    return lengths / lengths[0]


scales = (2.0, 1.6, 2**0.5, 1.0, 0.8, 0.58)
measured = {s: gradient_lengths(s) for s in scales}
k = np.arange(31)
figure, axes = plt.subplots(figsize=(7, 4.5))
for s in scales:
    (line,) = axes.semilogy(k, (s / 2**0.5) ** k, linewidth=1)
    axes.semilogy(k, measured[s], "o", ms=4, color=line.get_color())
    axes.text(30.6, measured[s][30], f"s = {s:.2f}", va="center")
axes.set(xlabel="distance k in time [steps]", ylabel="length of the gradient")
axes.set_xlim(-1, 35)
axes.set_title("U is s times orthogonal. Dots: measured, lines: (s / sqrt 2)^k")
figure.tight_layout()
figure.savefig("lesson02_gradient_in_time.png")

print(f"s = 1: {measured[1.0][30]:.1e}   s = 2: {measured[2.0][30]:.1e} after 30 steps")
np.testing.assert_allclose(measured[1.0][30], 2.5e-5, rtol=0.1)
np.testing.assert_allclose(measured[2.0][30], 2.8e4, rtol=0.1)
for s in scales:  # a gate never lengthens a row, so s^k is a bound for any words
    assert np.all(measured[s] <= s**k * (1 + 1e-9))

# %% [markdown]
# The m-RNN starts its U with s = 0.58, chosen by trying on Flickr8k, and training goes
# on from there. With s below 1, neither states nor gradients can grow without bound,
# whatever the gates do. The price is a short memory: at first, the gradient fades by
# the factor 0.58 / sqrt(2) = 0.41 a step.
#
# ## On your own
#
# - `exercises/02a_step_backward.py`: one step backward, for n sentences at once.
# - `exercises/02b_through_time_backward.py`: through time, for a packed batch.
# - Give all biases the value 2 in section 6, so that more units are open. How much of
#   the gradient is left for s = 1 at k = 30? (Expect 0.003 in place of 0.000025.)
#
# ## In practice
#
# The library's layer is `mrnn_np/cells/relu.py`. It forms dU with one product after the
# loop, because one large matrix product is faster than many small ones. Training also
# limits the length of the whole gradient (clipping), so that a rare explosion costs one
# step and not the run.
#
# ## Further reading
#
# - Werbos (1990), *Backpropagation through time: what it does and how to do it*.
# - Bengio, Simard, Frasconi (1994), *Learning long-term dependencies with gradient
#   descent is difficult*.
# - Pascanu, Mikolov, Bengio (2013), *On the difficulty of training recurrent neural
#   networks*: the bound, and clipping.
# - Le, Jaitly, Hinton (2015), *A simple way to initialize recurrent networks of
#   rectified linear units*: U starts as the identity.
# - Mao, Xu, Yang, Wang, Huang, Yuille (2015), *Deep captioning with multimodal
#   recurrent neural networks (m-RNN)*, section 3.
