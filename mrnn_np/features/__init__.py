"""From pictures to the numbers that a captioner sees.

extractors.py   who turns a picture into D numbers: a CNN, several side by side
matrix.py       the features of a data set: rows by name of the image, one file
extraction.py   thousands of pictures to such a file, in blocks that survive a stop
"""
