"""From a bundle to answers, with numpy, tokenizers and onnxruntime alone."""
