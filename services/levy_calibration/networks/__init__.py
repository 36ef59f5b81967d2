"""Networks that propose parameters; each architecture has a module.

`registry` requires Keras and TensorFlow, for training; `trained` requires only LiteRT, for serving.
"""
