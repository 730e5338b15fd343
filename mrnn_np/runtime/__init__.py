"""What the rest runs on: threads and cores.

Knows: the machine. Does not know: what is computed.
"""
