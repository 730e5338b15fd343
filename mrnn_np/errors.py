"""The exceptions for mistakes that a user can mend.

Knows: nothing but their names. Does not know: how they are shown (the command line
prints the text as one line and exits with status 1, or 2 for `WrongUse`).
"""


class InputError(ValueError):
    """Something that was given is wrong: a file, an option, a sentence.

    The text is one line that says what is wrong, where, and what to do.
    """


class WrongUse(InputError):
    """Options that do not go together, or that one must give and did not."""
