"""Networks that propose parameters, one architecture a file.

Importing this package imports nothing: `architectures` needs Keras and TensorFlow, for training;
`proposer` needs neither, and serves what was trained.
"""
