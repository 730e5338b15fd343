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
# Every number stated in the text is checked by the code below it.

# %%
import matplotlib.pyplot as plt
import numpy as np

from mrnn_np.data.batches import pack
from mrnn_np.layers import recurrent_backward, recurrent_forward, recurrent_step

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

previous = np.array([[1.0, 2.0]])  # (1, 2): one sentence, R = 2
w = np.array([[1.0, 0.0]])

z = previous @ U + w + b
r = np.maximum(0, z)
print("z =", z, " r =", r)
np.testing.assert_allclose(z, [[3.5, -1.0]])
np.testing.assert_allclose(r, [[3.5, 0.0]])

# The library's step gives the same.
np.testing.assert_allclose(recurrent_step(w, previous, U, b), r)

# %% [markdown]
# ## 2. One step backward
#
# Somewhere above, a cost is computed from r. Suppose we know its slope by r: we write
# **dr = (2, 3)** and mean that the cost rises by 2 for every unit of r[0], and by 3 for
# every unit of r[1]. The chain rule takes it from there:
#
# | forward | backward | here |
# | --- | --- | --- |
# | r = max(0, z) | dz = dr where r > 0, else 0 | (2, 0) |
# | z = ... + w | dw = dz | (2, 0) |
# | z = ... + b | db = dz | (2, 0) |
# | z = previous U + ... | dprevious = dz U^T | (2 * 0.5, 2 * 1) = (1, 2) |
# | z = previous U + ... | dU = previous^T dz | ((2, 0), (4, 0)) |
#
# A unit that is shut passes nothing on: a small change of z[1] = -1 does not change the
# r[1] = 0. A matrix product has two factors, and the gradient of each is a product with
# the *other* one, transposed. Check the shapes: (1, 2)^T (1, 2) is (2, 2), a matrix
# like U.

# %%
dr = np.array([[2.0, 3.0]])

dz = dr * (r > 0)
dw = dz
db = dz.sum(axis=0)  # b is shared by all rows; here there is only one
dprevious = dz @ U.T
dU = previous.T @ dz
print("dz =", dz, " dprevious =", dprevious, " dU =", dU.tolist())
np.testing.assert_allclose(dz, [[2, 0]])
np.testing.assert_allclose(dprevious, [[1, 2]])
np.testing.assert_allclose(dU, [[2, 0], [4, 0]])

# %% [markdown]
# Do we believe it? Push U[1, 0] up by 0.001. The gradient there is 4, so the cost
# 2 r[0] + 3 r[1] should rise by **0.004**. (Lesson 3 makes a method of this.)

# %%
pushed = U.copy()
pushed[1, 0] += 0.001
rise = dr * (recurrent_step(w, previous, pushed, b) - r)
print(f"the cost rises by {rise.sum():.6f}")
np.testing.assert_allclose(rise.sum(), 0.004)

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

# The library runs all steps in one call; `batch_sizes` says how many sentences are
# running at each step. Here it is one sentence at each of three steps.
one_sentence = np.array([1, 1, 1])
out, cache = recurrent_forward(words, U, b, one_sentence)
np.testing.assert_allclose(out, states)

# %% [markdown]
# ## 4. Back through time: two paths meet at every state
#
# State r2 is used twice: the layers above predict a word from it, **and** the next
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
# U is used at every step, so its gradient is a *sum* over the steps, one term
# r_{t-1}^T dz_t each. The first step has r0 = 0 and gives nothing:
#
#     dU = r1^T dz2 + r2^T dz3 = ((0.5, 0), (0.5, 0)) + ((2.5, 2.5), (0, 0))
#        = ((3, 2.5), (0.5, 0))
#
# and db = dz1 + dz2 + dz3 = **(2.75, 2.5)**.

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

library = recurrent_backward(above, cache)
for by_hand, by_library in zip(([dz1, dz2, dz3], dU, db), library, strict=True):
    np.testing.assert_allclose(by_library, by_hand)

# %% [markdown]
# ## 5. Many sentences: the packed batch
#
# Sentences differ in length. One could fill the short ones up with padding words and
# then compute on the padding for nothing. A *packed* batch sorts the sentences, longest
# first, and lists step 0 of all of them, then step 1 of those that have one, and so on.
#
# Take captions of 3, 2 and 1 words. Each also predicts the end of the sentence, so they
# run for **4, 3 and 2 steps**: 9 rows, where padding to the longest needs 12. The
# number of sentences that run at each step is **batch_sizes = (3, 3, 2, 1)**.

# %%
captions = [[4, 5, 6], [4, 7], [4]]  # words as numbers; the library adds the start
batch = pack(captions, features=np.zeros((3, 1)))  # no image is needed here
print("batch_sizes =", batch.batch_sizes, " sentence of each row =", batch.sentence)
assert batch.batch_sizes.tolist() == [3, 3, 2, 1]
assert batch.sentence.tolist() == [0, 1, 2, 0, 1, 2, 0, 1, 0]

# %%
N, T = 3, len(batch.batch_sizes)
begin = np.cumsum(batch.batch_sizes) - batch.batch_sizes  # first row of every step
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 2.6), width_ratios=(4, 9))
for n in range(N):
    for t in range(T):
        runs = n < batch.batch_sizes[t]
        color = f"C{n}" if runs else "white"
        left.add_patch(plt.Rectangle((t, n), 1, 1, fc=color, ec="k"))
        left.text(t + 0.5, n + 0.5, f"{n},{t}" if runs else "pad", ha="center")
        if runs:
            p = begin[t] + n
            right.add_patch(plt.Rectangle((p, 0), 1, 1, fc=color, ec="k"))
            right.text(p + 0.5, 0.45, f"{n},{t}", ha="center")
left.set(xlim=(0, T), ylim=(N, 0), xlabel="step t", ylabel="sentence n")
left.set(xticks=np.arange(T) + 0.5, xticklabels=range(T))
left.set(yticks=np.arange(N) + 0.5, yticklabels=range(N))
left.set_title("padded: 12 cells, 3 for nothing")
for border in begin[1:]:
    right.axvline(border, color="k", linewidth=4)
right.set(xlim=(0, 9), ylim=(1.6, -0.6), xlabel="row p of the packed batch")
right.set(xticks=np.arange(9) + 0.5, xticklabels=range(9), yticks=[])
right.set_ylabel("(n,t) of each row")
right.set_title("packed: 9 rows, steps between the thick lines")
figure.tight_layout()
plt.show()

# %% [markdown]
# Because the sentences are sorted, those that still run at a step are the *first* n of
# those that ran at the step before. So "the state before" is a slice from the front of
# the previous step, and going back, the gradient is added to the front of the previous
# step. That is all there is to it.


# %%
def forward(x, U, b, batch_sizes):
    """Return all states (P, R) of a packed batch; x is (P, R)."""
    out = np.zeros_like(x)
    previous = np.zeros((batch_sizes[0], x.shape[1]))
    begin = 0
    for n in batch_sizes:
        out[begin : begin + n] = np.maximum(
            0, previous[:n] @ U + x[begin : begin + n] + b
        )
        previous = out[begin : begin + n]
        begin += n
    return out


def backward(dout, out, U, batch_sizes):
    """Return dx (P, R), dU (R, R), db (R,)."""
    dr = dout.copy()  # the first path; the second is added below
    dz = np.zeros_like(out)
    dU = np.zeros_like(U)
    begin = np.cumsum(batch_sizes) - batch_sizes
    for t in range(len(batch_sizes) - 1, -1, -1):
        n = batch_sizes[t]
        now = slice(begin[t], begin[t] + n)
        dz[now] = dr[now] * (out[now] > 0)
        if t > 0:
            before = slice(begin[t - 1], begin[t - 1] + n)
            dr[before] += dz[now] @ U.T
            dU += out[before].T @ dz[now]
    return dz, dU, dz.sum(axis=0)


rng = np.random.default_rng(0)
x = rng.standard_normal((9, 2))
dout = rng.standard_normal((9, 2))
out, cache = recurrent_forward(x, U, b, batch.batch_sizes)
np.testing.assert_allclose(forward(x, U, b, batch.batch_sizes), out)
by_hand = backward(dout, out, U, batch.batch_sizes)
for mine, library in zip(by_hand, recurrent_backward(dout, cache), strict=True):
    np.testing.assert_allclose(mine, library, atol=1e-12)
print("forward and backward agree with the library")

# %% [markdown]
# ## 6. Vanishing and exploding
#
# Send a gradient into the *last* state only. After k steps back it has been multiplied
# k times by U^T and has passed k more gates. Let U be s times an orthogonal matrix,
# which changes the length of a row by exactly the factor s. With random words half the
# units are shut at each step, and a row that loses half of its entries keeps about 1 /
# sqrt(2) of its length. So we expect the length of the gradient to go like
#
#     (s / sqrt(2))^k
#
# which is **2.5e-05 for s = 1 at k = 30** when measured: the first words of a long
# sentence hardly hear what the last one says. With s = 2 it grows to **2.8e+04**. The
# balance is at s = sqrt(2), but there the *states* are in danger: when all
# units happen to be open, nothing stands between them and a growth by s at every step.


# %%
def gradient_lengths(s, steps=31, sentences=32, size=64):
    """Return the mean length of dz, k steps before the last; 1 at k = 0."""
    rng = np.random.default_rng(0)
    U = s * np.linalg.qr(rng.standard_normal((size, size)))[0]
    x = rng.standard_normal((steps * sentences, size))
    batch_sizes = np.full(steps, sentences)
    out, cache = recurrent_forward(x, U, np.zeros(size), batch_sizes)
    dout = np.zeros_like(out)
    dout[-sentences:] = rng.standard_normal((sentences, size))
    dz, _, _ = recurrent_backward(dout, cache)
    lengths = np.linalg.norm(dz.reshape(steps, sentences, size), axis=2)
    lengths = lengths.mean(axis=1)[::-1]  # from the last step to the first
    return lengths / lengths[0]


scales = (0.7, 0.9, 1.0, 2**0.5, 1.6, 2.0)
measured = {s: gradient_lengths(s) for s in scales}
k = np.arange(31)
figure, axes = plt.subplots(figsize=(7, 4.5))
for s in scales:
    (line,) = axes.semilogy(k, measured[s], "o-", ms=3, label=f"s = {s:.2f}")
    axes.semilogy(k, (s / 2**0.5) ** k, "--", color=line.get_color(), linewidth=1)
axes.set(xlabel="distance k in time [steps]", ylabel="length of the gradient")
axes.set_title("U = s times orthogonal; dashed: (s / sqrt 2)^k")
axes.legend(loc="lower left")
figure.tight_layout()
plt.show()

print(f"s = 1: {measured[1.0][30]:.1e}   s = 2: {measured[2.0][30]:.1e} after 30 steps")
np.testing.assert_allclose(measured[1.0][30], 2.5e-5, rtol=0.1)
np.testing.assert_allclose(measured[2.0][30], 2.8e4, rtol=0.1)
for s in scales:  # a gate never lengthens a row, so s^k is a bound for any words
    assert np.all(measured[s] <= s**k * (1 + 1e-9))

# %% [markdown]
# The m-RNN starts its U with s = 0.9 and learns from there: with s below 1, neither
# states nor gradients can grow without bound, whatever the gates do. It starts with a
# gradient that fades by the factor 0.9 / sqrt(2) = 0.64 a step, on average.
#
# ## On your own
#
# - `exercises/02a_step_backward.py`: write the backward pass of one step.
# - `exercises/02b_through_time_backward.py`: write it through time, for packed batches.
# - Give all biases the value 2 in section 6, so that more units are open. How much of
#   the gradient is left for s = 1 at k = 30? (Expect 0.003 in place of 0.000025.)
#
# ## In practice
#
# The library's layer is `mrnn_np/layers/recurrent.py`. It forms dU with one
# product after the loop, because one large matrix product is faster than many small
# ones. Training also limits the length of the whole gradient (clipping), so that
# a rare explosion costs one step and not the run.
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
