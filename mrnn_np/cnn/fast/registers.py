"""The vector registers of this machine, and the words to write instructions with.

A core has 16 or 32 registers of 4, 8 or 16 numbers (lanes) and multiplies and adds
whole registers. Numba's compiler finds such instructions in loops by itself, but it
does not keep a block of sums in registers from the first to the last product, which is
what a matrix product lives on. So the innermost loops of the CNN engine
(cnn/fast/register_blocks.py) are written in the compiler's own language, LLVM, by the
few words of this file: load, broadcast, multiply and add, clip, store.

Knows: vectors. Does not know: what is computed with them.
"""

from collections.abc import Callable
from contextlib import contextmanager

from llvmlite import ir
from numba.core import cgutils
from numba.core.registry import cpu_target

# What the compiler may use: NUMBA_CPU_NAME and NUMBA_CPU_FEATURES count.
_triple, _, _features = cpu_target.target_context.codegen().magic_tuple()
if "+avx512f" in _features:
    LANES, REGISTERS = 16, 32
elif _triple.startswith(("x86", "i686", "amd64")):
    LANES, REGISTERS = 8, 16
else:  # 64-bit ARM
    LANES, REGISTERS = 4, 32

INDEX, LANE = ir.IntType(64), ir.IntType(32)
VECTOR = ir.VectorType(ir.FloatType(), LANES)


def whole_vectors(channels: int) -> int:
    """Return the number of channels, rounded up to whole vectors."""
    return -(-channels // LANES) * LANES


class Writer:
    """Writes instructions. What its methods return is known only when those run.

    An address is that of a float32 (or int64) in an array. A variable holds one value,
    a vector or an address, and becomes a register.
    """

    def __init__(self, builder: ir.IRBuilder) -> None:
        self.builder = builder

    @classmethod
    def of(cls, write: Callable) -> Callable:
        """Make what Numba's `intrinsic` wants of ``write(writer, *arguments)``.

        An array (its type has a dtype) is given to it as the address of its first
        number.
        """

        def generate(context, builder, signature, arguments):
            values = [
                context.make_array(kind)(context, builder, value).data
                if hasattr(kind, "dtype")
                else value
                for kind, value in zip(signature.args, arguments, strict=True)
            ]
            result = write(cls(builder), *values)
            return context.get_dummy_value() if result is None else result

        return generate

    def at(self, address, *steps):
        """Return the address some steps further on."""
        for step in steps:
            address = self.builder.gep(address, [_index(step)])
        return address

    def number(self, address, step):
        """Return one number, some steps after an address."""
        return self.builder.load(self.at(address, step))

    def load(self, address):
        """Return the vector that begins at an address."""
        vector = self.builder.load(self.builder.bitcast(address, VECTOR.as_pointer()))
        vector.align = 4
        return vector

    def store(self, vector, address):
        """Write a vector to an address."""
        address = self.builder.bitcast(address, VECTOR.as_pointer())
        self.builder.store(vector, address).align = 4

    def copy(self, source, target, count):
        """Copy `count` numbers from one address to another."""
        cgutils.raw_memcpy(self.builder, target, source, count, 4)

    def broadcast(self, number):
        """Return a vector of one number, many times."""
        undefined = ir.Constant(VECTOR, ir.Undefined)
        first = self.builder.insert_element(undefined, number, ir.Constant(LANE, 0))
        everywhere = ir.Constant(ir.VectorType(LANE, LANES), [0] * LANES)
        return self.builder.shuffle_vector(first, undefined, everywhere)

    def variable(self, value):
        """Return a variable that holds a value."""
        return cgutils.alloca_once_value(self.builder, value)

    def value(self, variable):
        """Return what a variable holds."""
        return self.builder.load(variable)

    def advance(self, variable, step):
        """Move the address in a variable on, and return where it was."""
        before = self.builder.load(variable)
        self.builder.store(self.at(before, step), variable)
        return before

    def plus(self, a, b):
        """Return a + b of two vectors."""
        return self.builder.fadd(a, b)

    def minus(self, a, b):
        """Return a - b of two vectors."""
        return self.builder.fsub(a, b)

    def multiply_add(self, a, b, c):
        """Return a * b + c of three vectors: one instruction where the machine has one.

        That rounds once, not twice. Whether it does depends on the machine alone: with
        the flag "contract" on `plus` and a product, the compiler would choose, in
        4 a - 5 b which of the two products, and not always alike (kernels/__init__.py).
        """
        kind = ir.FunctionType(VECTOR, [VECTOR] * 3)
        name = f"llvm.fmuladd.v{LANES}f32"
        function = cgutils.get_or_insert_function(self.builder.module, kind, name)
        return self.builder.call(function, [a, b, c])

    def plus_scaled(self, a, factor: float, b):
        """Return a + factor * b of two vectors and a constant."""
        return self.multiply_add(ir.Constant(VECTOR, [factor] * LANES), b, a)

    def add_product(self, variable, a, b):
        """Add a * b to a variable."""
        self.builder.store(self.multiply_add(a, b, self.value(variable)), variable)

    def clip(self, vector, low, high):
        """Return a vector cut off at low and high; a NaN stays a NaN."""
        for sign, limit in (("<", low), (">", high)):
            beyond = self.builder.fcmp_ordered(sign, vector, limit)
            vector = self.builder.select(beyond, limit, vector)
        return vector

    def keep_larger(self, variable, vector):
        """Keep the larger numbers in a variable; a NaN wins and stays."""
        before = self.value(variable)
        larger = self.builder.fcmp_ordered(">", vector, before)
        nan = self.builder.fcmp_unordered("!=", vector, vector)
        wins = self.builder.or_(larger, nan)
        self.builder.store(self.builder.select(wins, vector, before), variable)

    @contextmanager
    def loop(self, count):
        """Do what is written inside `count` times; gives the number of the turn."""
        with cgutils.for_range(self.builder, count, intp=INDEX) as turn:
            yield turn.index

    def times(self, a, b):
        """Return the product of two whole numbers."""
        return self.builder.mul(a, b)


def _index(value):
    return ir.Constant(INDEX, value) if isinstance(value, int) else value
