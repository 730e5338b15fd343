"""`python -m mrnn_np` is the same as `mrnn-np`."""

from mrnn_np.cli import program

program()
