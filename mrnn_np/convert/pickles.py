"""A pickle read without running it: a small stack machine of its own.

A pickle is not data but a program: forty-odd instructions that push values on a
stack, and two that call any function of any module by its name. That is why
unpickling a stranger's file can do whatever the stranger likes. Weight files need
only a handful of names, so this reader walks through the instructions itself and
calls nothing but the functions of a table it is given. Every other name is refused,
and said.

Knows: the instructions that weight files use. Does not know: tensors (the caller's
table makes them), and never imports what a pickle names.
"""

import io
import pickletools
from collections.abc import Callable, Mapping
from typing import IO, Any, TypeVar, cast

from mrnn_np.runtime.errors import InputError

# An instruction is a step, and so is every element that it moves: one list, kept once,
# can be given to a function by each of 100,000 instructions. What is built can have no
# more elements than there are steps. A checkpoint of 300 tensors takes about 20,000;
# a million take 2 s and 0.2 GB.
MOST_STEPS = 1_000_000
LARGEST_KEY = 1 << 32  # of a dict; an optimiser numbers its parameters from 0 on


Kind = TypeVar("Kind")


class Rebuilt:
    """Base of an object that a table function makes and BUILD fills afterwards."""

    def build(self, state: Any) -> None:
        """Take the state that the pickle gives to the object."""
        raise InputError(f"a pickle that sets the state of a {type(self).__name__}")


class Mark:
    """The marker on the stack under which a tuple, list or dict collects."""


# Instructions that push what stands in them, as pickletools has decoded it.
PUSH_ARGUMENT = {
    "BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "BINUNICODE",
    "SHORT_BINUNICODE", "BINUNICODE8", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8",
    "BINSTRING", "SHORT_BINSTRING",
}  # fmt: skip
PUSH_CONSTANT = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
PUSH_NEW = {"EMPTY_DICT": dict, "EMPTY_LIST": list, "MARK": Mark}
TUPLE_OF = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


def read_pickle(
    stream: IO[bytes],
    names: Mapping[str, object],
    persistent: Callable[[object], object] | None = None,
    most: int = MOST_STEPS,
) -> Any:
    """Read one pickle from where the stream stands; the stream stops behind it.

    Parameters
    ----------
    stream : a binary file.
    names : what the pickle may name, ``"module.name"`` -> a function that REDUCE may
        call, or a plain value. Nothing else is ever called.
    persistent : gives the object for a persistent id (PyTorch keeps its storages
        outside of the pickle and points at them so).
    most : steps that may be taken.

    Raises
    ------
    InputError : another name is asked for, or an instruction that no weight file
        needs, or more of them than any has, or the bytes are no pickle.
    """
    machine = _Machine(names, persistent, most)
    try:
        # genops decodes one instruction at a time and executes none.
        # It reads and reads lines, and asks nothing else of a file.
        rest = cast(IO[bytes], _Rest(stream))
        for opcode, argument, _ in pickletools.genops(rest):
            machine.pay(1)
            machine.step(opcode.name, argument)
        return machine.result()
    except InputError:
        raise
    except (ValueError, TypeError, LookupError, AttributeError, OverflowError) as error:
        # A KeyError says only the byte that no instruction, or the place where none
        # was kept.
        detail = "" if isinstance(error, KeyError) else f": {str(error)[:100]}"
        raise InputError(
            f"not a readable pickle (cut short, damaged or no weight file?){detail}"
        ) from error


class _Rest:
    """A file from where it stands to its end, of which no more is asked than there is.

    Memory for what is read is taken before reading, and an instruction may announce a
    text of 2^62 characters.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        self.stream = stream
        begin = stream.tell()
        self.left = stream.seek(0, io.SEEK_END) - begin
        stream.seek(begin)

    def read(self, size: int) -> bytes:
        """Read as `stream.read` does."""
        data = self.stream.read(min(size, self.left))
        self.left -= len(data)
        return data

    def readline(self) -> bytes:
        """Read as `stream.readline` does."""
        data = self.stream.readline()
        self.left -= len(data)
        return data


class _Machine:
    """Stack, memo, the effect of each instruction, and the steps that are left."""

    def __init__(
        self,
        names: Mapping[str, object],
        persistent: Callable[[object], object] | None,
        most: int,
    ) -> None:
        self.left = most
        self.names = names
        self.persistent = persistent
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def result(self) -> Any:
        """Return the one value that a well-formed pickle leaves."""
        (value,) = self.stack
        return value

    def pay(self, steps: int) -> None:
        """Take steps off the budget, before they are taken."""
        self.left -= steps
        if self.left < 0:
            raise InputError("a pickle that asks for more steps than any weights need")

    def pay_for(self, *values: object) -> None:
        """Pay for what is handed on to somebody who may look at every element."""
        for value in values:
            if isinstance(value, tuple | list | dict | str | bytes):
                self.pay(len(value))

    def pop_to_mark(self) -> list:
        """Take everything above the last mark off the stack, and the mark.

        Nothing is paid: an element is taken off once, and somebody paid to push it.
        """
        at = len(self.stack) - 1
        while not isinstance(self.stack[at], Mark):
            at -= 1
            if at < 0:
                raise ValueError("no mark on the stack")
        items = self.stack[at + 1 :]
        del self.stack[at:]
        return items

    def step(self, name: str, argument: Any) -> None:
        """Carry out one instruction."""
        stack = self.stack
        if name in PUSH_ARGUMENT:
            stack.append(argument)
        elif name in PUSH_CONSTANT:
            stack.append(PUSH_CONSTANT[name])
        elif name in PUSH_NEW:
            stack.append(PUSH_NEW[name]())
        elif name in TUPLE_OF:
            size = TUPLE_OF[name]
            if len(stack) < size:
                raise ValueError("a tuple of more than the stack holds")
            stack[-size:] = [tuple(stack[-size:])]
        elif name == "TUPLE":
            stack.append(tuple(self.pop_to_mark()))
        elif name == "APPENDS":
            items = self.pop_to_mark()
            self.top(list).extend(items)
        elif name == "APPEND":
            item = stack.pop()
            self.top(list).append(item)
        elif name == "SETITEMS":
            self.set_items(self.pop_to_mark())
        elif name == "SETITEM":
            pair = stack[-2:]
            del stack[-2:]
            self.set_items(pair)
        elif name in ("BINPUT", "LONG_BINPUT"):
            self.memo[argument] = stack[-1]
        elif name == "MEMOIZE":
            self.memo[len(self.memo)] = stack[-1]
        elif name in ("BINGET", "LONG_BINGET"):
            stack.append(self.memo[argument])
        elif name == "GLOBAL":
            stack.append(self.look_up(argument.replace(" ", ".")))
        elif name == "STACK_GLOBAL":
            # join, unlike an f-string, takes text only: printing a list that holds
            # itself many times over could take for ever.
            stack[-2:] = [self.look_up(".".join(stack[-2:]))]
        elif name == "REDUCE":
            function, arguments = stack[-2:]
            stack[-2:] = [self.call(function, arguments)]
        elif name == "BUILD":
            state = stack.pop()
            self.pay_for(state)
            if not isinstance(stack[-1], dict):  # the attributes of an OrderedDict
                self.top(Rebuilt).build(state)  # are of no use to us
        elif name == "BINPERSID" and self.persistent is not None:
            self.pay_for(stack[-1])
            stack.append(self.persistent(stack.pop()))
        elif name not in ("PROTO", "FRAME", "STOP"):
            raise InputError(
                f"a pickle with the instruction {name}, which no weight file needs"
            )

    def top(self, kind: type[Kind]) -> Kind:
        """Return the top of the stack, which must be of this kind."""
        if not isinstance(self.stack[-1], kind):
            raise ValueError(f"expected a {kind.__name__} on the stack")
        return self.stack[-1]

    def set_items(self, flat: list) -> None:
        """Put keys and values, one after the other, into the dict on the stack."""
        target = self.top(dict)
        for key, value in zip(flat[::2], flat[1::2], strict=True):
            # A deep tuple could overflow hash(), and the multiples of 2^61 - 1 have one
            # hash in common: the n-th would be compared with all before it.
            if not isinstance(key, str) and not (
                isinstance(key, int) and abs(key) <= LARGEST_KEY
            ):
                raise ValueError("a key that is neither text nor a small number")
            target[key] = value

    def look_up(self, name: str) -> object:
        """Return what the table has under a name; refuse every other name."""
        if name not in self.names:
            shown = "".join(c for c in name[:80] if c.isprintable())
            raise InputError(
                f"asks for the Python object {shown!r}, which weights do not need and "
                "which could run any code: refused"
            )
        return self.names[name]

    def call(self, function: object, arguments: object) -> object:
        """Call a function of the table (only those ever reach the stack)."""
        if not any(function is known for known in self.names.values()):
            raise ValueError("a call of something that is not a function")
        if not callable(function) or not isinstance(arguments, tuple):
            raise ValueError("a call of something that is not a function")
        self.pay_for(arguments, *arguments)
        return function(*arguments)
