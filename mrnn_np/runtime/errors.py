"""The exceptions for mistakes that a user can mend.

Knows: their names, and that their text is one line. Does not know: how they are shown
(the command line prints the text and exits with status 1, or 2 for `WrongUse`).
"""

from mrnn_np.runtime.lines import one_line


class InputError(ValueError):
    """Something that was given is wrong: a file, an option, a sentence.

    The text is one line that says what is wrong, where, and what to do. It may quote
    what is in a file or in an option, whatever that is: see `lines.one_line`.
    """

    def __str__(self) -> str:
        return one_line(super().__str__())


class WrongUse(InputError):
    """Options that do not go together, or that one must give and did not."""
