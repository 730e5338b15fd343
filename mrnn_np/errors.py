"""The one exception for mistakes that a user can mend.

Knows: nothing but its name. Does not know: how it is shown (the command line
prints its text as one line and exits with status 1).
"""


class InputError(ValueError):
    """Something that was given is wrong: a file, an option, a sentence.

    The text is one line that says what is wrong, where, and what to do.
    """
