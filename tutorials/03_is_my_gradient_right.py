# %% [markdown]
# # Is my gradient right?
#
# **What you will do.** Measure slopes by trying, find the best step to try with, and
# use that to check a backward pass: one function, one layer, the whole m-RNN. At the
# end a broken backward pass is caught.
#
# **What you will learn**
#
# - why differences are taken to both sides, in float64, with a step near 1e-5;
# - what a relative error of 1e-8, 1e-4 or 0.5 tells you;
# - how a kink fools the check;
# - how six evaluations check any number of derivatives at once, and what they overlook.
#
# **What you need.** NumPy, the chain rule, lesson 2 for the recurrent layer, and
# `pip install -e ".[tutorials]"`. Every number in bold is checked by the code below
# it.

# %%
import matplotlib.pyplot as plt
import numpy as np

from mrnn_np.cells import ReLUCell
from mrnn_np.data.batches import pack
from mrnn_np.gradcheck.cases import STEPS, check_layer
from mrnn_np.gradcheck.check import check_projection, relative_error
from mrnn_np.gradcheck.model_cases import model_case
from mrnn_np.layers import stanh_backward, stanh_forward

# %% [markdown]
# ## 1. A slope by trying
#
# The slope of f(x) = x^3 at x = 2 is 3 * 2^2 = **12**. Without calculus, take a step h
# and look how much f rises. With h = 0.1:
#
# - to one side: (2.1^3 - 2^3) / 0.1 = (9.261 - 8) / 0.1 = **12.61**;
# - to both sides: (2.1^3 - 1.9^3) / 0.2 = (9.261 - 6.859) / 0.2 = **12.01**.
#
# Taylor's formula says why. f(x + h) = f + h f' + h^2 f''/2 + h^3 f'''/6 + ..., and
# f(x - h) is the same with the odd terms negative. So
#
#     (f(x + h) - f(x)) / h        = f' + h   f''/2  + ...  here 0.1 * 6 = 0.6, and more
#     (f(x + h) - f(x - h)) / 2h   = f' + h^2 f'''/6 + ...  here 0.01 * 1 = 0.01
#
# The centred difference costs the same two evaluations, and its error falls with h^2.


# %%
def one_sided(f, x, h):
    return (f(x + h) - f(x)) / h


def centred(f, x, h):
    return (f(x + h) - f(x - h)) / (2 * h)


def cube(x):
    return x**3


print(one_sided(cube, 2.0, 0.1), centred(cube, 2.0, 0.1))
np.testing.assert_allclose(one_sided(cube, 2.0, 0.1), 12.61)
np.testing.assert_allclose(centred(cube, 2.0, 0.1), 12.01)

# %% [markdown]
# ## 2. Which step, and why float64
#
# A smaller h has a smaller cut-off error. But f itself is rounded: float64 keeps 16
# digits. The difference of two nearly equal values loses most of them, and the division
# by h blows up what was lost: a rounding error near 1e-16 / h. The two errors balance
# in between.
#
# Measure it with the m-RNN's squashing function g(x) = 1.7159 tanh(2x/3), whose slope
# the library knows, and take the worst of 21 points between -2 and 2. **What to
# expect**, as a part of the slope:
#
# - centred, float64: best at h = **1e-5**, with an error of about **3e-11**;
# - one-sided, float64: best near h = **1e-7**, and no better than about **7e-8**;
# - centred, float32 (7 digits): best at h = **1e-2**, with an error of **3e-5**. A
#   backward pass that is subtly wrong would hide behind that. So gradients are checked
#   in float64, even if one trains in float32.


# %%
def g(x):
    return stanh_forward(x)[0]


points = np.linspace(-2, 2, 21)
_, cache = stanh_forward(points)
slope = stanh_backward(np.ones(21), cache)
steps = 10.0 ** -np.arange(1, 13)  # 1e-1, 1e-2, ..., 1e-12


def errors(difference, dtype):
    """Return the worst relative error over the points, for each of the steps."""
    x = points.astype(dtype)
    return [np.max(np.abs(difference(g, x, dtype(h)) / slope - 1)) for h in steps]


curves = {
    "one-sided, float64": errors(one_sided, np.float64),
    "centred, float64": errors(centred, np.float64),
    "centred, float32": errors(centred, np.float32),
}

figure, axes = plt.subplots(figsize=(7, 4.5))
for label, error in curves.items():
    axes.loglog(steps, error, "o-", label=label)
axes.axvline(1e-5, color="gray", linestyle=":", label="the library's step")
axes.set(xlabel="step h", ylabel="relative error of the slope")
axes.set_title("rounding error on the left, cut-off error on the right")
axes.legend(loc="lower left")
figure.tight_layout()
figure.savefig("lesson03_choice_of_step.png")

best = {}
for label, error in curves.items():
    best[label] = steps[np.argmin(error)], np.min(error)
    print(f"{label}: best at h = {best[label][0]:.0e}, error {best[label][1]:.1e}")

# The last digit of a tanh depends on the machine, so allow for a factor of 12.
expected = {
    "one-sided, float64": (1e-7, 7e-8),
    "centred, float64": (1e-5, 3e-11),
    "centred, float32": (1e-2, 3e-5),
}
for label in expected:
    ratio = np.array(best[label]) / expected[label]
    assert np.all((ratio > 1 / 12) & (ratio < 12)), label

# %% [markdown]
# ## 3. Relative error
#
# Is a difference of 0.001 much? Between 1000.001 and 1000 it is rounding, between 0.002
# and 0.001 it is a bug. So divide by the larger of the two numbers:
#
#     |analytic - numeric| / max(|analytic|, |numeric|, scale)
#
# which gives **1e-6** in the first case and **0.5** in the second. `scale` is for a
# derivative that is really zero, where rounding alone would give an error of 1: two
# numbers far below it count as equal. The library's checks take a hundredth of the
# largest entry of the same gradient.
#
# | error, in float64 | meaning |
# | --- | --- |
# | 1e-7 or less | right, for a layer |
# | 1e-6 or less | right, for a cost that passed many time steps |
# | 1e-5 to 1e-3 | suspicious: a kink, a bad step, float32 somewhere, or a small bug |
# | above 1e-3 | wrong. 0.5 is a factor of two, 1 a missing term, 2 a wrong sign |

# %%
print(relative_error(1000.001, 1000.0, scale=1e-8))
print(relative_error(0.002, 0.001, scale=1e-8))
np.testing.assert_allclose(relative_error(1000.001, 1000.0, 1e-8), 1e-6, rtol=1e-3)
np.testing.assert_allclose(relative_error(0.002, 0.001, 1e-8), 0.5)
np.testing.assert_allclose(relative_error(1e-14, 0.0, 1e-8), 1e-6)

# %% [markdown]
# ## 4. A kink
#
# The ReLU max(0, z) has slope 0 on the left of zero and 1 on the right. At z = 1e-6 the
# slope is 1. But a step of 1e-5 reaches across the kink: (1.1e-5 - 0) / 2e-5 =
# **0.55**, which is neither slope. The gradient is right and the check says it is
# wrong. The library's checks choose random numbers for which every unit keeps a
# distance of many steps from its kink.


# %%
def relu(z):
    return np.maximum(0, z)


print(centred(relu, 1e-6, 1e-5))
np.testing.assert_allclose(centred(relu, 1e-6, 1e-5), 0.55)
np.testing.assert_allclose(centred(relu, 1e-3, 1e-5), 1.0)

# %% [markdown]
# ## 5. All derivatives at once: the projection check
#
# A model with a million parameters would need two million evaluations. Take a direction
# u instead, and move *all* parameters along it. The slope along u is the inner product
# of u and the gradient:
#
#     (f(x + h u) - f(x - h u)) / 2h  =  u . df/dx
#
# For f = x0^2 + 3 x1 at x = (1, 2) the gradient is (2, 3). Along u = (0.6, 0.8) the
# slope is 0.6 * 2 + 0.8 * 3 = **3.6**. If one entry of the gradient is wrong, the
# number is wrong too, by that entry's error times u's entry there.


# %%
def f(x):
    return x[0] ** 2 + 3 * x[1]


x = np.array([1.0, 2.0])
u = np.array([0.6, 0.8])
along_u = (f(x + 1e-5 * u) - f(x - 1e-5 * u)) / 2e-5
print("measured", along_u, " from the gradient", u @ [2.0, 3.0])
np.testing.assert_allclose(u @ [2.0, 3.0], 3.6)
np.testing.assert_allclose(along_u, 3.6)

# The library draws directions itself, three of them, and gives a verdict.
right = {"x": np.array([2.0, 3.0])}
wrong = {"x": np.array([2.0, 3.1])}
verdicts = [
    check_projection(name, lambda: f(x), {"x": x}, gradient, np.random.default_rng(0))
    for name, gradient in (("right", right), ("wrong", wrong))
]
print(*verdicts, sep="\n")
assert [verdict.passed for verdict in verdicts] == [True, False]

# %% [markdown]
# What does a random direction overlook? Its entries are normal random numbers, so the
# slope is one too, with a deviation of |g|, the length of the gradient. An error e in
# the gradient changes it by a normal random number with the deviation |e|. Differences
# measure the slope to about 1e-8 of |g|, so the check accepts what is off by 1e-7 |g|,
# and it overlooks e when the random number happens to be smaller than that: in a share
# of 1e-7 |g| / |e| of all directions, or a little less.
#
# Take 10,000 entries of equal size, and let one be off by a ten-thousandth. Then |e| is
# 1e-4 / sqrt(10000) = **1e-6** of |g|: one direction should overlook it in up to
# **10 %** of all cases, three directions in up to **0.1 %**. Expect about **9 %** and
# next to nothing. With a million entries |e| would be 1e-7 |g|, and the check as good
# as blind to it. An entry that is wrong altogether is 0.001 |g| there, and is seen.
#
# So the projection check finds mistakes that matter to the whole gradient. For the rest
# check the same code with few entries, where each one counts, as in the next sections.

# %%
x = np.ones(10_000)
gradient = 3 * x**2
off = gradient.copy()
off[1234] *= 1 + 1e-4
share = np.linalg.norm(off - gradient) / np.linalg.norm(gradient)
np.testing.assert_allclose(share, 1e-6)

rng = np.random.default_rng(0)
overlooked = {
    directions: np.mean(
        [
            check_projection(
                "x", lambda: np.sum(x**3), {"x": x}, {"x": off}, rng, 1e-7, directions
            ).passed
            for _ in range(500)
        ]
    )
    for directions in (1, 3)
}
for directions, rate in overlooked.items():
    print(f"{directions} direction(s): overlooked in {rate:.1%} of the cases")
assert 0.05 < overlooked[1] < 0.13  # 9 %, as far as 500 cases can tell
assert overlooked[3] < 0.01
assert check_projection(
    "x", lambda: np.sum(x**3), {"x": x}, {"x": gradient}, rng
).passed

# %% [markdown]
# ## 6. A whole layer
#
# A layer returns many numbers, but a check needs one cost. Draw a fixed random weight
# for every output and take
#
#     f = sum of weight * out,    so that    df/dout = weight
#
# Hand `weight` to the backward pass as its `dout`, and what comes out must be the
# gradient of f. Here for the recurrent layer of lesson 2, over sentences of 3, 2 and 1
# words. With these random numbers no unit comes nearer to its kink than **0.08**.

# %%
batch = pack([[4, 5, 6], [4, 7], [4]], features=np.zeros((3, 1)))
rng = np.random.default_rng(8)
x = rng.standard_normal((9, 5))
U = 0.9 * np.linalg.qr(rng.standard_normal((5, 5)))[0]
b = rng.standard_normal(5)
weight = rng.standard_normal((9, 5))
cell, r0, sizes = ReLUCell(5, 5), np.zeros((3, 5)), batch.batch_sizes
gap = cell.distance_to_kink(x, r0, {"U": U, "br": b}, sizes)
print(f"distance to the nearest kink: {gap:.3f}")
np.testing.assert_allclose(gap, 0.08, rtol=0.05)


def forward(x, U, b):
    return cell.forward(x, r0, {"U": U, "br": b}, sizes)


def backward(dout, cache):
    dx, _, dp = cell.backward(dout, cache)
    return dx, dp["U"], dp["br"]


def cost(U):
    out, _ = forward(x, U, b)
    return np.sum(weight * out)


out, cache = forward(x, U, b)
dx, dU, db = backward(weight, cache)

# One entry by hand, U[3, 1]: move it to both sides.
e = np.zeros((5, 5))
e[3, 1] = 1
numeric = (cost(U + 1e-5 * e) - cost(U - 1e-5 * e)) / 2e-5
print(f"dU[3, 1]: analytic {dU[3, 1]:.10f}, numeric {numeric:.10f}")
np.testing.assert_allclose(numeric, dU[3, 1], rtol=1e-8)

# %% [markdown]
# The library's `check_layer` draws the weight and does this with every entry of every
# array. It prints the *worst* entry of each. **Expect errors below 1e-8.**

# %%
arrays = {"x": x, "U": U, "b": b}
checks = check_layer(forward, backward, arrays, np.random.default_rng(0))
print(*checks, sep="\n")
assert all(check.error < 1e-8 for check in checks)

# %% [markdown]
# ## 7. The whole m-RNN
#
# The same again with the cost of a small m-RNN, **434** parameters, over sentences of
# up to **40** steps. Again each line is the worst entry of a parameter, and the last
# line is the projection check of all of them at once. **Expect errors below 1e-6.**
# (The command `mrnn-np gradcheck` prints this table for all layers and the model.)

# %%
checks = model_case(seed=0)
print(*checks, sep="\n")
assert all(check.error < 1e-6 for check in checks)
assert checks[-1].name == "all"
assert checks[-1].entries == 434
assert STEPS == 40

# %% [markdown]
# ## 8. A broken backward pass is caught
#
# This one forgets that each state is used twice: nothing comes back from the next step.
# The code runs, the shapes are right, and a model trained with it would even learn a
# little. The check is not fooled: **x, U and b all fail**, and the message names the
# entry and shows both numbers.


# %%
def broken_backward(dout, cache):
    out, _, _, batch_sizes = cache
    dz = dout * (out > 0)  # should be (dout + what the next step sends back) * ...
    dU = np.zeros_like(U)
    begin = np.cumsum(batch_sizes) - batch_sizes  # first row of each step
    for t in range(1, len(batch_sizes)):
        n = batch_sizes[t]
        before = out[begin[t - 1] : begin[t - 1] + n]
        dU += before.T @ dz[begin[t] : begin[t] + n]
    return dz, dU, dz.sum(axis=0)


checks = check_layer(forward, broken_backward, arrays, np.random.default_rng(0))
print(*checks, sep="\n")
assert [check.passed for check in checks] == [False, False, False]

# %% [markdown]
# ## On your own
#
# - `exercises/03a_centred_difference.py`: write the numerical gradient yourself.
# - `exercises/03b_find_the_bug.py`: a backward pass of the multimodal layer has a bug
#   that is only one line long. Let the check lead you to it.
# - Break `broken_backward` otherwise (a missing transpose, a sign) and read the errors.
#
# ## In practice
#
# The checks are `mrnn_np/gradcheck/check.py`, the cases `cases.py` beside it. Check
# with dropout masks held fixed, with sentences of unequal length, and with tiny sizes:
# bugs live in the indices, and five units show them as well as five hundred. Use
# sentences as long as the real ones: a gradient that is cut off after 20 steps is right
# for 16. Check the layers first and the model last, because a layer's failure tells you
# where to look. And when you train in float32, compare its gradients with the checked
# ones (`mrnn_np/gradcheck/precision.py`): it may run other code.
#
# ## Further reading
#
# - Baydin, Pearlmutter, Radul, Siskind (2018), *Automatic differentiation in machine
#   learning: a survey*: the picture of section 2 of this lesson, and how to have no
#   backward pass to write at all.
# - Bottou (2012), *Stochastic gradient descent tricks*: the advice to check gradients.
# - Goldberg (1991), *What every computer scientist should know about floating-point
#   arithmetic*.
# - Press, Teukolsky, Vetterling, Flannery, *Numerical Recipes*, chapter on numerical
#   derivatives: the choice of the step.
