"""From pictures to the numbers that a captioner sees.

identity.py     who made features: name, hash and preprocessing, as files keep them
matrix.py       the features of a data set: rows by name of the image, one file
joined.py       several CNNs side by side: their names, hashes and columns
regions.py      the cells of a grid over a CNN's last map, and the whole picture
extractors.py   who turns a picture into D numbers, and whom a model needs for it
extraction.py   thousands of pictures to such a file, in blocks that survive a stop
"""
